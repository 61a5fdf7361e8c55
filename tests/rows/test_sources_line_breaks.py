"""CSV files cut anywhere: quotes, commas and line breaks of every kind, in cells and between rows."""

import bz2
import gzip
import sys

import numpy as np
import pytest
from csv_table import read_csv
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tables import gather

pytest.importorskip("pyarrow", reason="pyarrow is not installed")

from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import open_source, records
from tinynet_fast.rows.formats.cells import infer

BREAKS = ["\n", "\r", "\r\n"]
CELL = st.lists(st.sampled_from(['"', ",", "\t", "\n", "\r", "\r\n", "a", "é", " ", "1"]), max_size=12).map("".join)
PACKED = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}


def cell_text(cell, delimiter, quote):
    if quote or any(mark in cell for mark in '"\r\n' + delimiter):
        return '"' + cell.replace('"', '""') + '"'
    return cell


@st.composite
def files_of(draw):
    """A file's bytes, its suffix, and the labels and inputs in it."""
    delimiter = draw(st.sampled_from(",\t"))
    packed = draw(st.sampled_from(list(PACKED)))
    cells = draw(st.lists(CELL, min_size=2, max_size=25))
    ends = st.sampled_from(BREAKS) if draw(st.booleans()) else st.just(draw(st.sampled_from(BREAKS)))
    labels = [f"{k % 2}:{cell}" for k, cell in enumerate(cells)]
    text = draw(st.sampled_from(["", "\ufeff"])) + draw(st.sampled_from(["", "\r\n", "\n", "\r"]))
    text += delimiter.join(["x", cell_text(draw(st.sampled_from([" t ", "t", '"t"'])), delimiter, True)]) + draw(ends)
    for k, label in enumerate(labels):
        text += delimiter.join([str(k), cell_text(label, delimiter, draw(st.booleans()))])
        text += draw(ends) + draw(st.sampled_from(["", "", "", "\n", "\r\n"]))
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    return text.encode(), {",": ".csv", "\t": ".tsv"}[delimiter], packed, labels


@pytest.mark.parametrize(
    ("block", "ends"),
    [
        (b"", []),
        (b"a", []),
        (b"a\n", [2]),
        (b"a\rb", [2]),
        (b"a\r\r", [2]),
        (b"a\r\nb\n", [3, 5]),
        (b"a\n\r\nb\r", [2, 4]),
        (b'"\n","\r"\n', [8]),
        (b'5" pipe\n"a\n"\n', [8, 13]),
        (b'a\n"\n', [2]),
        (b'5",a\n6",b\n', [5, 10]),
        (b',5"\n,6"\n', [4, 8]),
        (b'"a",5" b\n"c"\n', [9, 13]),
    ],
)
def test_records_end_after_each_line_break_that_is_not_in_quotes(block, ends):
    """A CR at the end does not count: its LF may come with the next block."""
    assert records.record_ends(block, ",").tolist() == ends
    with_lf = [end for end in ends if block[end - 1 : end] == b"\n"]
    assert records.record_ends(block, ",", lone_cr=False).tolist() == with_lf


@settings(max_examples=150)
@given(file=files_of(), piece=st.integers(1, 200), block=st.integers(100, 400))
def test_the_table_is_the_same_wherever_the_file_is_cut(tmp_path_factory, file, piece, block):
    data, suffix, packed, labels = file
    path = tmp_path_factory.mktemp("data") / f"a{suffix}{packed}"
    path.write_bytes(PACKED[packed](data))
    target = next(name for name in open_source(path).names if name != "x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records.CsvBytes.pieces, "__defaults__", (piece,))
        sources = [open_source(path, target)]
        found = [gather(sources[0])]
        patch.setattr(records.CsvBytes.pieces, "__defaults__", (block,))
        patch.setitem(sys.modules, "pyarrow", None)
        sources.append(open_source(path, target))
        found.append(gather(sources[1]))
    assert target in ("t", '"t"')
    table = read_csv(path)
    for source, (X, y) in [*zip(sources, found, strict=True), (table, (table.matrix(["x"]), table.labels(target)))]:
        assert X[:, 0].tolist() == list(range(len(labels)))
        assert y.tolist() == labels
        assert source.where(len(labels) - 1) == table.where(len(labels) - 1)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_break_in_a_cell_is_kept_at_every_byte_of_a_block(tmp_path, monkeypatch, suffix, end):
    """pyarrow leaves out the LF of a CR LF that its blocks cut in two."""
    monkeypatch.setattr(records.CsvBytes.pieces, "__defaults__", (256,))
    pack = PACKED[suffix.removeprefix(".csv")]
    for shift in range(30):
        body = "".join(f'{k},"no{end}pe"{end}' for k in range(40))
        (tmp_path / f"a{suffix}").write_bytes(pack(f"x,{'t' * (shift + 1)}{end}0,yes{end}{body}".encode()))
        y = gather(open_source(tmp_path / f"a{suffix}", "t" * (shift + 1)))[1]
        assert set(y.tolist()) == {"yes", f"no{end}pe"}


def test_a_line_break_across_the_first_mebibyte(tmp_path):
    """With the real sizes: one label, at any place."""
    row, path = b'1,"a\r\nb"\r\n', tmp_path / "a.csv"
    head = b"x,t\r\n2,other\r\n"
    filler = (1 << 20) - 5 - len(head)  # so that a CR is the last byte of the first mebibyte
    n, more = divmod(filler, len(row))
    path.write_bytes(head + row * n + b"1" * more + row + row * 5)
    assert path.read_bytes()[(1 << 20) - 1 : (1 << 20) + 1] != b"\n"
    assert set(read_csv(path).labels("t").tolist()) == {"other", "a\r\nb"}
    assert set(gather(open_source(path, "t"))[1].tolist()) == {"other", "a\r\nb"}


def test_rows_that_end_with_cr_before_the_first_lf(tmp_path):
    """The names end with the first line break of any kind."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'x,t\r1,a\r2,"b\nc"\r3,a\n4,a\r\n')
    X, y = gather(open_source(path, "t"))
    assert X[:, 0].tolist() == [1, 2, 3, 4]
    assert y.tolist() == ["a", "b\nc", "a", "a"] == read_csv(path).labels("t").tolist()


TEXTS = st.one_of(
    st.sampled_from(["+5", "007", "-0", "1.", ".5", "1e5", "1E+5", "inf", "-Infinity", "1_0", "true", " true", "TRUE"]),
    st.sampled_from(["9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e999", "9" * 5000]),
    st.sampled_from([" 1", "1 ", "\t1.5", "--1", "-", ".", "e5", "1e", "12:30", "2024-01-01", "1 000", "+-5", "+nan"]),
    st.sampled_from(["\xa01", "1\xa0", "1\xa0000", "\uff11\uff12", "\u0661", "1\x0b", "1,5"]),
    st.floats(allow_nan=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
)


@settings(max_examples=200)
@example(cells=["+5", "1"])
@given(cells=st.lists(TEXTS, min_size=1, max_size=3))
def test_labels_have_the_type_that_pyarrow_infers(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("data") / "a.csv"
    path.write_text("x,t\n" + "".join(f'1,"{cell}"\n' for cell in cells), encoding="utf-8")
    ref, _ = read_csv(path).columns["t"]
    comp = infer(cells)
    assert comp.dtype.kind == ref.dtype.kind
    assert repr(comp.tolist()) == repr(ref.tolist())  # NaN too


@settings(max_examples=150)
@given(cells=st.lists(TEXTS, min_size=1, max_size=4))
def test_numbers_are_the_same_with_and_without_pyarrow(tmp_path_factory, cells):
    """The same values, or an error at the same place."""
    path = tmp_path_factory.mktemp("data") / "a.csv"
    path.write_text("x,t\n0.25,a\n" + "".join(f'"{cell}",a\n' for cell in cells), encoding="utf-8")
    found = []
    for hidden in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if hidden:
                patch.setitem(sys.modules, "pyarrow", None)
            try:
                found.append(gather(open_source(path, "t"))[0].tolist())
            except TableError as error:
                found.append(str(error).partition(": ")[0])
    assert all(result == found[0] for result in found), found
    try:
        assert found[0] == read_csv(path).matrix(["x"]).tolist()
    except ValueError:
        assert isinstance(found[0], str)


def test_a_cell_of_any_length_is_read(tmp_path, monkeypatch):
    long = "ab" * 1_500_000
    path = tmp_path / "a.csv"
    path.write_text(f"x,t\n1,{long}\n2,b\n3,b\n")
    for y in (read_csv(path).labels("t"), gather(open_source(path, "t"))[1]):
        assert y.tolist() == [long, "b", "b"]
    path.write_text(f"x,t\n1,{long}\n2,b\nq,b\n")
    with pytest.raises(TableError, match=r"line 4, column 'x': 'q' is not a number"):
        gather(open_source(path, "t"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableError, match=r"line 4, column 'x': 'q' is not a number"):
        gather(open_source(path, "t"))
    assert np.concatenate(list(open_source(path, "t", features=["x"]).labels_only())).tolist() == [long, "b", "b"]
