"""Small or packed files that ask for much: refused by a clear error, or read in time and memory that fit them."""

import re
import sys
import time
import tracemalloc

import numpy as np
import pytest
from tables import fails, gather

from tinynet_fast import train_neuron
from tinynet_fast.rows.arrays import find_labels
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import open_source
from tinynet_fast.rows.formats.base import told
from tinynet_fast.rows.messages import LONGEST, printable

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from tinynet_fast.rows.formats import csv, records  # noqa: E402


@pytest.fixture
def soon():
    """The test takes less than four seconds of this process; quadratic code takes more."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 4.0


def peak(call):
    """The most bytes that Python held while `call` ran."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Messages


def test_messages_are_short_and_printable(tmp_path):
    assert printable("a\x1b[2J\nb\u2028\ud800é") == "a\\x1b[2J\\nb\\u2028\\ud800é"
    assert len(printable("\0" * 10**6)) <= LONGEST
    assert printable("x" * LONGEST) == "x" * LONGEST
    text = printable("file.csv, line 7: " + "x" * 10**6 + ": use less")
    assert text.startswith("file.csv, line 7: xxx")
    assert text.endswith("xxx: use less")
    path = tmp_path / "a.csv"
    for name in ("x" * 100_000, "\x1b[2J", "a\x07b"):
        path.write_text(f"{name},t\nno,1\nno,2\n")
        fails(r"a\.csv, line 2, column .*: 'no' is not a number: correct it, or leave the column out$", path, "t")
        fails(r"a\.csv: no column 'none'; it has .*t$", path, "none")
        path.write_text(f"a,t\n1,{name}\n2,{name}{name}\n3,{name}\n")
        with pytest.raises(ValueError, match=r"unknown|not among") as info:
            train_neuron(path, "t", labels=["p", "q"])
        assert len(str(info.value)) <= LONGEST
        assert str(info.value).isprintable()


@pytest.mark.parametrize(
    "error",
    [
        pa.ArrowInvalid("wrong"),
        pa.ArrowNotImplementedError("wrong"),
        pa.ArrowMemoryError("wrong"),
        pa.ArrowIndexError("wrong"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "wrong"),
        OverflowError("wrong"),
        MemoryError("wrong"),
        OSError("wrong"),
        OSError(22, "wrong"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_of_a_reader_get_the_files_name(error):
    with pytest.raises(TableError, match=r"^a\.parquet: .*(damaged).*wrong"), told("a.parquet"):
        raise error


def test_errors_of_the_system_stay_such_and_get_the_files_name():
    with pytest.raises(OSError, match="Input/output error") as info, told("a.parquet"):
        raise OSError(5, "Input/output error")
    assert info.value.filename == "a.parquet"


def test_names_of_columns_that_are_not_utf8(tmp_path):
    from pyarrow import ipc

    for ending, new in (("arrow", ipc.new_file), ("arrows", ipc.new_stream)):
        path = tmp_path / f"a.{ending}"
        rows = pa.table({"zzzz": [1.0, 2.0], "t": [0, 1]})
        with new(str(path), rows.schema) as writer:
            writer.write_table(rows)
        path.write_bytes(path.read_bytes().replace(b"zzzz", b"z\xff\xfez"))
        fails(rf"^{re.escape(str(path))}: not a whole file of its kind, or a damaged one: 'utf-8' codec", path, "t")


# CSV


@pytest.mark.parametrize("ending", [".csv", ".csv.zst"])
@pytest.mark.parametrize("start", [b"", b'"', b"a,t\n1,", b'a,t\n1,"', b'a,t\n1,5" pipe\n1,"'])
@pytest.mark.parametrize("filling", [b"\0", b'""', b"1,x"])
@pytest.mark.usefixtures("soon")
def test_a_row_without_an_end(tmp_path, ending, start, filling):
    path = tmp_path / f"a{ending}"
    data = start + filling * (36_000_000 // len(filling))  # twice as much as is searched for an end, and more
    with pa.output_stream(str(path), compression="zstd" if ending == ".csv.zst" else None) as file:
        file.write(data)
    fails(rf"a{ending}, line {1 + start.count(bytes([10]))}: no end of this row in [\d,]+ bytes: is a quote", path, "t")


def test_an_open_quote_takes_the_memory_of_its_bytes():
    for text in (b'a"b\n"' + b"x\n" * (1 << 20), b'a"b\n"' + b'""' * (1 << 20)):
        assert peak(lambda text=text: records.record_ends(text, ",")) < 30 * len(text)


@pytest.mark.usefixtures("soon")
def test_empty_lines_above_the_names_are_not_kept(tmp_path):
    path = tmp_path / "a.csv.zst"
    with pa.output_stream(str(path), compression="zstd") as file:
        for _ in range(64):
            file.write(b"\r\n" * (1 << 18))
        file.write(b"a,t\n1,x\nno,y\n")
    size = 1 << 25

    def read():
        fails(rf"line {(size >> 1) + 3}, column 'a': 'no'", path, "t")

    assert peak(read) < size / 4


@pytest.mark.usefixtures("soon")
def test_a_hundred_thousand_columns(tmp_path):
    """Names are looked up in sets, and the csv module reads rows so wide that a piece holds only a few."""
    path, names = tmp_path / "a.csv", [f"c{j}" for j in range(100_000)]
    path.write_text(f"{','.join(names)},t\n" + "".join(f"{'1,' * 99_999}2.5,{label}\n" for label in "xy"))
    X, y = gather(open_source(path, "t", features=names[::-1]))
    assert X[:, 0].tolist() == [2.5, 2.5]
    assert X[:, 1:].min() == X[:, 1:].max() == 1.0
    assert y.tolist() == ["x", "y"]
    path.write_text(f"{','.join(names)},{names[-1]}\n")
    fails("line 1: column name 'c99999' stands more than once", path, "t")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        fails("line 1: column name 'c99999' stands more than once", path, "t")
    with pytest.raises(TableError, match="features: 'c99999' is named twice"):
        open_source(path, "t", features=[*names, names[-1]])


@pytest.mark.parametrize("drop", [False, True])
def test_wide_rows_are_read_alike(tmp_path, small, monkeypatch, drop):
    small(1000, 70)
    path = tmp_path / "a.csv"
    cells = ["0.1", "1e-320", " 2 ", '"3"', "-0.0", "9007199254740993", "1e22", ".5", "5."] + ["NA", ""] * drop
    rng = np.random.default_rng(0)
    lines = [f"{rng.choice(cells)},{rng.choice(['true', 'False'])},{rng.choice(cells)},{k % 3}" for k in range(200)]
    path.write_text("\n".join(["a,b,c,t", *lines, ""]))
    ref = gather(open_source(path, "t", drop_missing=drop))
    monkeypatch.setattr(csv, "WIDE", 1)
    comp = gather(open_source(path, "t", drop_missing=drop))
    assert ref[0].tobytes() == comp[0].tobytes()
    assert ref[1].tolist() == comp[1].tolist()


def test_lines_are_counted_only_for_a_mistake(tmp_path, small, monkeypatch):
    """Digits that only Python reads are in every piece: counting lines would read the file again for each."""
    small(1000, 100)
    path = tmp_path / "a.csv"
    path.write_text("a,t\n" + "\u0661,x\n\u0662,y\n" * 500, encoding="utf-8")
    counted, count = [], records.CsvBytes.lines_before
    monkeypatch.setattr(records.CsvBytes, "lines_before", lambda self, n: counted.append(n) or count(self, n))
    X, _ = gather(open_source(path, "t"))
    assert X[:, 0].tolist() == [1, 2] * 500
    assert len(counted) < 5
    with path.open("a") as file:
        file.write("+1,x\n+x,y\n")
    fails("line 1003, column 'a': ", path, "t")


@pytest.mark.usefixtures("soon")
def test_one_long_label_does_not_make_all_of_them_wide(tmp_path):
    path = tmp_path / "a.csv"
    long = "z" * 1_000_000
    path.write_text("a,t\n" + "1,x\n" * 10_000 + f"1,{long}\n")
    assert (
        peak(lambda: fails(r"line 10002, column 't': a label of 1,000,000 characters in 10,001 rows", path, "t")) < 1e8
    )
    path.write_text("a,t\n" + "1,x\n" * 100 + f"1,{long[:1000]}\n")
    assert gather(open_source(path, "t"))[1].tolist() == ["x"] * 100 + [long[:1000]]
    column = csv.infer(["x"] * 10_000 + [long])
    assert column.nbytes < 1e6
    assert column.tolist() == ["x"] * 10_000 + [long]
    path.write_text("t,note,a\n" + "0,x,2\n" * 10_000 + f"1,{long},3\n")
    assert peak(lambda: gather(open_source(path, "t", features=["a"]))) < 1e8
    fails("line 2, column 'note': 'x' is not a number", path, "t")


def test_long_labels_come_in_smaller_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(csv, "LABEL_BYTES", 4 * 30 * 10)
    path = tmp_path / "a.csv"
    labels = [f"{'long' * 7}{k % 2:02d}" for k in range(95)]
    path.write_text("a,t\n" + "".join(f"{k},{label}\n" for k, label in enumerate(labels)))
    source = open_source(path, "t")
    chunks = list(source.chunks())
    assert [len(chunk.y) for chunk in chunks] == [10] * 9 + [5]
    assert np.concatenate([chunk.X[:, 0] for chunk in chunks]).tolist() == list(range(95))
    assert np.concatenate([chunk.y for chunk in chunks]).tolist() == labels
    assert [source.where(k) for k in (0, 9, 10, 94)] == [f"{path}, line {k + 2}" for k in (0, 9, 10, 94)]
    assert np.concatenate(list(source.labels_only())).tolist() == labels


@pytest.mark.parametrize(
    ("pieces", "values", "kind"),
    [
        (["1", "1.0", "01", "2"], [1, 1, 1, 2], "f"),
        (["1", "01", "2"], [1, 1, 2], "i"),
        (["1", "2", "2.5"], [1, 2, 2.5], "f"),
        (["1", "x"], ["1", "x"], "U"),
        (["1", "01", "x", "2"], ["1", "01", "x", "2"], "U"),
        (["true", "TRUE", "false"], [True, True, False], "b"),
        (["true", "1"], ["true", "1"], "U"),
    ],
)
def test_labels_that_come_one_by_one(pieces, values, kind):
    labels = csv.Labels()
    for text in pieces:
        assert labels.learn([text]) is None
    found = labels.of(pieces, np.arange(len(pieces)))
    assert found.tolist() == values
    assert found.dtype.kind == kind
    assert found.tolist() == csv.infer(pieces).tolist()


@pytest.mark.usefixtures("soon")
def test_many_labels_are_learned_in_linear_time():
    labels = csv.Labels()
    for first in range(0, 100_000, 100):
        assert labels.learn([f"1.{'0' * 5}{k}" for k in range(first, first + 100)]) is None
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 10**9, 100) for _ in range(2000)]
    np.testing.assert_array_equal(find_labels(parts, rows=10**8), np.unique(np.concatenate(parts)))


@pytest.mark.usefixtures("soon")
def test_digits_that_end_as_no_number():
    assert csv.infer(["1" * 100_000 + "x"]).dtype.kind == "U"
    assert csv.infer(["1.", ".5", "1.5e3", "2"]).tolist() == [1, 0.5, 1500, 2]


# .npy


def header(text, version=1, length=None):
    data = text.encode()
    size = len(data) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(2 if version == 1 else 4, "little") + data


GOOD = {"descr": "'<f8'", "fortran_order": "False", "shape": "(4, 2)"}


@pytest.mark.parametrize(
    "change",
    [
        {"shape": "(-4, -2)"},
        {"shape": "(True, 2)"},
        {"shape": "(4294967296, 4294967296)"},
        {"shape": "(2**62, 4)"},
        {"shape": "(4611686018427387904, 4)"},
        {"shape": f"({'9' * 4000}, 2)"},
        {"shape": f"({'9' * 4400}, 2)"},
        {"shape": f"({'9999999999999999999, ' * 60})"},
        {"shape": "(4, 2"},
        {"shape": "(" * 300},
        {"shape": "1000000000000000000"},
        {"shape": "(1000000000000, 0)"},
        {"descr": "'<U268435455'"},
        {"descr": "'<U0'"},
        {"descr": "'(1,'"},
        {"descr": "'(1000000,)<f8'"},
        {"descr": "[" * 200},
        {"descr": "'\\d'"},
        {"fortran_order": "0"},
        {"fortran_order": "-" * 5000 + "1"},
    ],
)
@pytest.mark.usefixtures("soon")
def test_npy_headers(tmp_path, change):
    path = tmp_path / "X.npy"
    text = "{" + ", ".join(f"'{key}': {value}" for key, value in (GOOD | change).items()) + "}\n"
    path.write_bytes(header(text) + bytes(64))
    fails(rf"^{re.escape(str(path))}: ", path)


def test_npy_headers_that_claim_another_length(tmp_path):
    path = tmp_path / "X.npy"
    text = "{" + ", ".join(f"'{key}': {value}" for key, value in GOOD.items()) + "}\n"
    for data in (
        header(text, 4),
        header(text, 2, 1 << 31),
        header(text + " " * 50_000 + "\n"),
        header(text, 1, 5),
        header("{}\n" * 3),
    ):
        path.write_bytes(data + bytes(64))
        fails(rf"^{re.escape(str(path))}: not a \.npy file", path)


def test_npy_values_that_no_program_writes(tmp_path):
    """Bytes of booleans beside 0 and 1 are true; text has to be characters."""
    np.save(tmp_path / "X.npy", np.zeros((3, 1)))
    np.save(tmp_path / "y.npy", np.array([True, False, True]))
    path = tmp_path / "y.npy"
    path.write_bytes(path.read_bytes()[:-3] + b"\x02\x00\xff")
    assert gather(open_source(tmp_path / "X.npy", path))[1].tolist() == [True, False, True]
    for order, code in (("<", 0x110000), (">", 0x7FFFFFFF), ("<", 0xD800)):
        np.save(path, np.array(["ab", "cd", "ef"], f"{order}U2"))
        data = path.read_bytes()
        path.write_bytes(data[:-8] + np.array([code], f"{order}u4").tobytes() + data[-4:])
        fails(r"y\.npy, row 3: the text holds what is no character", tmp_path / "X.npy", path)


# Parquet and Arrow


@pytest.mark.parametrize("ending", ["arrow", "arrows"])
@pytest.mark.usefixtures("soon")
def test_columns_of_nothing_without_an_end(tmp_path, ending):
    from pyarrow import ipc

    path, nothing = tmp_path / f"a.{ending}", pa.Array.from_buffers(pa.null(), 2**31 - 1, [None])
    rows = pa.table({"a": nothing, "t": nothing})
    with (ipc.new_file if ending == "arrow" else ipc.new_stream)(str(path), rows.schema) as writer:
        writer.write_table(rows)
    fails(rf"a\.{ending}: .* 2,147,483,647 rows in [\d,]+ bytes", path, "t", drop_missing=True)


def test_rows_that_a_parquet_file_cannot_hold(tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    from tinynet_fast.rows.formats import arrow

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": np.zeros(1_000_000), "t": np.arange(1_000_000) // 500_000}), path)
    assert open_source(path, "t").n_rows == 1_000_000
    monkeypatch.setattr(arrow, "MOST_ROWS_A_BYTE", 10)
    fails("not a whole file of its kind, or a damaged one: 1,000,000 rows", path, "t")


# svmlight


def test_svmlight_indices(tmp_path):
    pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    path = tmp_path / "a.svm"
    for index, message in (
        (300_000_000, "line 3: the index 300000000 makes 300,000,000 inputs, more than the files have bytes: number"),
        (3_000_000_000, "line 3: an index is too large"),
        (10**30, "line 3: an index is too large"),
        (-1, "line 3: Invalid index -1"),
    ):
        path.write_text(f"0 1:1\n1 2:1 # {index}\n0 {index}:1\n1 {index}:2\n")
        fails(message, path)
    path.write_text("0 1:1\n1 1000000:1\n")
    assert open_source(path).n_features == 1_000_000


@pytest.mark.usefixtures("soon")
def test_svmlight_lines(tmp_path, monkeypatch):
    pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    from tinynet_fast.rows.formats import svmlight

    path = tmp_path / "a.svm"
    path.write_bytes(b"0 1:1\n1 1:1" + b" " * 40_000_000)
    fails(r"line 2: no end of this line in [\d,]+ bytes: are line breaks missing\?", path)
    path.write_bytes(b"0 1:1\n" * 100_000 + b"1 1:x\n0 1:y\n" + b"0 1:1\n" * 10_000)
    fails("line 100001: could not convert .*x.*needed", path)
    monkeypatch.setattr(svmlight, "PIECE_BYTES", 1 << 10)
    path.write_bytes(b"0 1:1\n1 1:1" + b" " * 1_000_000)
    assert gather(open_source(path))[1].tolist() == [0, 1]


def test_svmlight_rows_that_are_left_out_stay_sparse(tmp_path):
    pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    path = tmp_path / "a.svm"
    path.write_text("0 1:1\n" + "1 2:nan 1000000:1\nnan 1:1\n" * 300 + "1 1000000:2\n")
    source = open_source(path, drop_missing=True).as_sparse()
    assert peak(lambda: list(source.chunks())) < 4e6
    assert source.dropped == 600
    (chunk,) = source.chunks()
    assert chunk.y.tolist() == [0, 1]
    assert chunk.X.lists()[0] == [1.0, 2.0]
    with path.open("a") as file:
        file.write("1 3:inf\n")
    with pytest.raises(TableError, match="line 603, column 2: inf is not finite"):
        list(open_source(path, drop_missing=True).as_sparse().chunks())
