"""CSV files larger than memory: the values and labels that other readers find, wherever the bytes are cut."""

import threading

import numpy as np
import pytest
from csv_table import read_csv
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import gather

pytest.importorskip("pyarrow", reason="pyarrow is not installed")

from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import open_raw, open_source, records
from tinynet_fast.rows.formats.csv import Labels, infer

CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.sampled_from(["0", "-0.0", " 1.5 ", "1e300", "5e-324", "00012", "9007199254740993"]),
)


@settings(max_examples=60)
@given(
    cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=60),
    labels=st.sampled_from(
        [["0", "1"], ["0.5", "1"], ["true", "FALSE"], ["no", "yes"], ["1", "x"], ['a"b', "a,\nb"], ["01", "2"]]
    ),
    piece=st.integers(10, 500),
    seed=st.integers(0, 99),
)
def test_csv_gives_the_bits_that_another_reader_gives(tmp_path_factory, cells, labels, piece, seed):
    """Values and labels, of the same types, wherever the file is cut."""
    path = tmp_path_factory.mktemp("data") / "a.csv"
    rng = np.random.default_rng(seed)
    chosen = [labels[k] for k in rng.integers(0, 2, len(cells)).tolist()]
    quoted = ['"' + text.replace('"', '""') + '"' if rng.random() < 0.5 or "\n" in text else text for text in chosen]
    lines = [f"{a},{b},{label}" for (a, b), label in zip(cells, quoted, strict=True)]
    path.write_text("a,b,t\n" + "\n".join(lines) + "\n", encoding="utf-8", newline="")
    ref = read_csv(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records.CsvBytes.pieces, "__defaults__", (piece,))
        source = open_source(path, "t")
        X, y = gather(source)
        assert source.where(len(X) - 1) == ref.where(len(X) - 1)
    assert X.tobytes() == ref.matrix(["a", "b"]).tobytes()
    assert y.tolist() == ref.labels("t").tolist()
    assert y.dtype.kind == ref.labels("t").dtype.kind


@pytest.mark.parametrize(
    "text",
    [
        "a,b,t\r\n1,2,x\r\n3,4,y\r\n",
        "\ufeffa,b,t\n1,2,x\n3,4,y\n",
        '"a","b","t"\n"1","2","x"\n"3","4","y"',
        "a,b,t\n\n1,2,x\n\n3,4,y\n\n",
        "\n\na,b,t\n1,2,x\n3,4,y\n",
        "b,t,a\n2,x,1\n4,y,3\n",
        "a,b,t\r1,2,x\r3,4,y\r",
    ],
    ids=["CRLF", "byte order mark", "quotes", "blank lines", "blank first", "another order", "CR"],
)
@pytest.mark.parametrize("piece", [5, 16, 1000])
def test_spellings_of_the_same_csv(tmp_path, small, text, piece):
    small(1000, piece)
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    source = open_source(path, "t", features=["a", "b"])
    X, y = gather(source)
    assert X.tolist() == [[1, 2], [3, 4]]
    assert y.tolist() == ["x", "y"]
    assert source.where(1) == read_csv(path).where(1)


@settings(max_examples=80)
@given(
    cells=st.lists(st.text('ab"\n, \r', max_size=8), min_size=2, max_size=40),
    piece=st.integers(3, 60),
    stray=st.booleans(),
)
def test_csv_is_cut_where_records_end(tmp_path_factory, cells, piece, stray):
    """Quotes, line breaks and commas in cells, and a quote in the middle of a cell, which opens nothing."""
    path = tmp_path_factory.mktemp("data") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("a,t\n")
        for k, cell in enumerate(cells):
            text = cell.replace('"', '""')
            file.write(f'{k},"{k % 2}:{text}"\n')
            if stray:
                file.write(f'{k},{k % 2}:5" pipe\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records.CsvBytes.pieces, "__defaults__", (piece,))
        X, y = gather(open_source(path, "t"))
    assert X[:, 0].tolist() == [k for k in range(len(cells)) for _ in range(1 + stray)]
    texts = [(f"{k % 2}:{cell}", f'{k % 2}:5" pipe')[: 1 + stray] for k, cell in enumerate(cells)]
    assert y.tolist() == [text for pair in texts for text in pair]


def test_labels_keep_one_type_where_the_second_comes_late(tmp_path, small):
    small(200)
    path = tmp_path / "a.csv"
    path.write_text("a,t\n" + "1,0\n" * 500 + "2,none\n")
    y = np.concatenate([chunk.y for chunk in open_source(path, "t").chunks()])
    assert y.dtype.kind == "U"
    assert set(y.tolist()) == {"0", "none"}


def test_columns_of_booleans_are_inputs(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("flag,t\ntrue,x\nFalse,y\nTRUE,x\n")
    assert gather(open_source(path, "t"))[0].tolist() == [[1], [0], [1]]
    assert read_csv(path).matrix(["flag"]).tolist() == [[1], [0], [1]]


def test_a_bad_line_in_a_piece_that_is_read_ahead(tmp_path, small, monkeypatch):
    """The thread that parses a piece leaves the labels alone: the thread that reads the rows changes them."""
    small(1 << 10)
    lines = [f"{i / 1000:.6f},L{i % 40:03d},{i}" for i in range(4000)]
    lines[3000] = "0.5,L001"
    (tmp_path / "a.csv").write_text("a,t,b\n" + "\n".join(lines) + "\n")
    learn, threads = Labels.learn, set()

    def watched(labels, texts):
        threads.add(threading.current_thread())
        return learn(labels, texts)

    monkeypatch.setattr(Labels, "learn", watched)
    for read in (lambda source: list(source.chunks()), lambda source: list(source.labels_only())):
        with pytest.raises(TableError, match="line 3002: 2 values where the first line names 3"):
            read(open_source(tmp_path / "a.csv", "t"))
    assert threads == {threading.current_thread()}


def test_a_mistake_above_a_bad_line_comes_first(tmp_path):
    for row, message in (("0.5,,1", "line 3, column 't': the value is missing"), ("nan,x,1", "line 3, column 'a'")):
        (tmp_path / "a.csv").write_text(f"a,t,b\n1,x,2\n{row}\n1,y\n3,y,4\n")
        with pytest.raises(TableError, match=message):
            list(open_source(tmp_path / "a.csv", "t").chunks())


@pytest.mark.parametrize(
    ("first", "later", "what"), [("true,false", "1,0", "booleans"), ("1,0", "true,false", "numbers")]
)
def test_labels_of_another_kind_in_a_later_file(tmp_path, first, later, what):
    for name, labels in (("a", first), ("b", later)):
        (tmp_path / f"{name}.csv").write_text("x,t\n" + "".join(f"1,{label}\n" for label in labels.split(",")))
    found = later.split(",")[0]
    with pytest.raises(TableError, match=rf"b\.csv, line 2, column 't': '{found}', .* labels before it are {what}"):
        list(open_source([tmp_path / "a.csv", tmp_path / "b.csv"], "t").chunks())


def test_labels_that_are_more_than_one_block_of_text():
    """All of them decide the type, however many there are: one text among 20,000 numbers."""
    numbers = [str(10**6 + k) for k in range(20_000)]
    assert infer(numbers).tolist() == [int(text) for text in numbers]
    assert infer([*numbers, "x"]).tolist() == [*numbers, "x"]
    assert infer(["x" * 100_000, "y"]).tolist() == ["x" * 100_000, "y"]


def test_a_byte_order_mark_is_left_out_only_at_the_beginning(tmp_path, monkeypatch):
    """Elsewhere it is a character like any other, wherever the file is cut: the cell is no number."""
    path = tmp_path / "d.csv"
    path.write_bytes(b"\xef\xbb\xbfa,y\n1,p\n2,q\n")
    X, y = gather(open_source(path, "y"))
    assert (X.tolist(), y.tolist()) == ([[1.0], [2.0]], ["p", "q"])
    for rows in (b"\xef\xbb\xbf1,p\n2,q\n", b"1,p\n\xef\xbb\xbf2,q\n"):
        path.write_bytes(b"a,y\n" + rows)
        for size in (4, 1 << 21):
            monkeypatch.setattr(records.CsvBytes.pieces, "__defaults__", (size,))
            with pytest.raises(TableError, match=r"column 'a': .*which holds U\+FEFF.* is not a number"):
                gather(open_source(path, "y"))


def test_rows_below_those_that_are_asked_for_are_not_read(tmp_path, small):
    path = tmp_path / "a.csv"
    path.write_text("a,t\n" + "1.5,0\n" * 90 + "1.5,1\n" * 9 + "wrong,0\n")
    small(64)
    source = open_source(path, "t")
    assert sum(len(chunk.y) for chunk in source.chunks(0, 20)) == 20
    with pytest.raises(TableError, match="line 101"):
        list(source.chunks())


def test_the_separator_is_not_judged_by_a_line_that_is_cut(tmp_path, monkeypatch):
    """The first bytes of a file, read to find its names, end within the third line: it has no comma yet."""
    path, text = tmp_path / "a.csv", "a;1,c\n1;2,5\n3;4,6\n5;6,7\n"
    path.write_text(text)
    monkeypatch.setattr(records, "HEAD_BYTES", text.index(",6"))
    assert open_raw(path).names == ["a;1", "c"]


def test_labels_that_wait_for_their_type_have_to_differ_in_it():
    """Two whole numbers that are one float64, once a label with a point makes all of them floats."""
    labels = Labels()
    labels.start_over(waits=True)
    labels.learn(["9007199254740993", "9007199254740992"])
    assert labels.values_of(np.array([1, 0])).tolist() == [9007199254740992, 9007199254740993]
    labels.learn(["0.5"])
    with pytest.raises(TableError, match="are one number as float64: put a letter before them"):
        labels.values_of(np.array([0, 1, 2]))
