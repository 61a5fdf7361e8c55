"""Files of one source: those without rows, tabs, names with spaces, labels that nobody named, rows left out."""

import gzip
import sys

import numpy as np
import pytest
from csv_table import read_csv
from numpy.testing import assert_allclose, assert_array_equal
from tables import gather

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow.dataset as arrow_dataset  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from pyarrow import ipc  # noqa: E402

from tinynet_fast import train_mlp, train_neuron  # noqa: E402
from tinynet_fast.rows.formats import TableError, open_source  # noqa: E402
from tinynet_fast.scoring import predict_file  # noqa: E402

TABLE = pa.table({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, 0.25, 1.5, 2.5], "y": [0, 0, 1, 1]})
NOTHING = pa.table({"a": pa.nulls(0), "b": pa.array([], pa.string()), "y": pa.array([], pa.string())})


def save(folder, name, table):
    path = folder / name
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix in (".arrow", ".arrows"):
        with (ipc.new_file if path.suffix == ".arrow" else ipc.new_stream)(str(path), table.schema) as writer:
            writer.write_table(table)
            writer.write_table(table.slice(0, 0))
    elif path.suffix == ".npy":
        np.save(path, np.array([table.column(k).to_pylist() for k in range(3)], np.float64).T)
    elif path.suffix == ".svm":
        rows = zip(*(table.column(k).to_pylist() for k in range(3)), strict=True)
        path.write_text("".join(f"{y} 1:{a} 2:{b}\n" for a, b, y in rows))
    else:
        mark = "\t" if ".tsv" in name else ","
        rows = [("a", "b", "y"), *zip(*(table.column(k).to_pylist() for k in range(3)), strict=True)]
        text = "".join(mark.join(map(str, row)) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def target(path):
    return {".npy": -1, ".svm": None}.get(path.suffix, "y")


KINDS = [".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".arrow", ".npy", ".svm"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["nr", "rn", "nrnrn"])
def test_files_without_rows_are_left_out(tmp_path, kind, order):
    rows = save(tmp_path, f"rows{kind}", TABLE)
    nothing = save(tmp_path, f"nothing{kind}", NOTHING)
    source = open_source([{"n": nothing, "r": rows}[letter] for letter in order], target(rows))
    X, y = gather(source)
    ref, labels = gather(open_source([rows] * order.count("r"), target(rows)))
    assert_array_equal(X, ref)
    assert_array_equal(y, labels)
    assert_array_equal(np.concatenate(list(source.labels_only())), labels)
    with pytest.raises(TableError, match=f"nothing{kind}: (no rows|an array of shape|the file is empty)"):
        gather(open_source([nothing, nothing], target(rows)))


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".svm"])
def test_a_text_file_without_a_byte_is_left_out_and_any_other_is_damaged(tmp_path, kind):
    rows, nothing = save(tmp_path, f"rows{kind}", TABLE), tmp_path / f"nothing{kind}"
    nothing.touch()
    assert_array_equal(
        gather(open_source([nothing, rows], target(rows)))[0], gather(open_source(rows, target(rows)))[0]
    )
    with pytest.raises(TableError, match=f"nothing{kind}: the file is empty"):
        open_source([nothing], target(rows))
    if kind != ".svm":
        nothing.write_bytes(b"\xef\xbb\xbf\r\n\n")
        assert len(gather(open_source([nothing, rows, nothing], target(rows)))[0]) == 4
        with pytest.raises(TableError, match=f"nothing{kind}: the file is empty"):
            open_source([nothing, nothing], target(rows))
    for damaged in (".parquet", ".csv.gz", ".arrow", ".npy"):
        rows, nothing = save(tmp_path, f"rows{damaged}", TABLE), tmp_path / f"nothing{damaged}"
        nothing.touch()
        with pytest.raises(TableError, match=f"nothing{damaged}: the file is empty"):
            open_source([rows, nothing], target(rows))


def test_batches_without_rows_are_left_out(tmp_path):
    batches = [TABLE.slice(0, 0), TABLE, TABLE.slice(0, 0)]
    reader = pa.RecordBatchReader.from_batches(
        TABLE.schema, [b for t in batches for b in t.combine_chunks().to_batches()]
    )
    assert len(gather(open_source(reader, "y"))[0]) == 4
    save(tmp_path, "a.arrows", TABLE.slice(0, 0))
    with pytest.raises(TableError, match="no rows"):
        gather(open_source(tmp_path / "a.arrows", "y"))


@pytest.mark.parametrize("kind", [".tsv", ".tsv.gz"])
def test_tabs_separate_cells(tmp_path, kind):
    path = tmp_path / f"a{kind}"
    text = b'"first, one"\ty\n1\t"a\tb"\n2\tc,d\n'
    path.write_bytes(gzip.compress(text) if kind.endswith(".gz") else text)
    for y in (gather(open_source(path, "y"))[1], read_csv(path).labels("y")):
        assert y.tolist() == ["a\tb", "c,d"]
    assert open_source(path, "y").names == ["first, one"]
    path.write_bytes(gzip.compress(text + b"x\tc,d\n") if kind.endswith(".gz") else text + b"x\tc,d\n")
    with pytest.raises(TableError, match="line 4, column 'first, one': 'x' is not a number"):
        gather(open_source(path, "y"))


def test_spaces_around_the_names_of_a_csv_do_not_count(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("hours, income , result\n1,2,no\n3,4,yes\n")
    model = train_neuron(path, "result", epochs=1).model
    assert model.features == ["hours", "income"]
    assert train_neuron(path, " result", features=[" income"], epochs=1).model.features == ["income"]
    assert open_source(path).names == ["hours", "income", "result"]
    assert gather(open_source(path, features=[" income "]))[0].tolist() == [[2], [4]]
    model.features = ["hours", " income "]  # as models of earlier versions have them
    assert predict_file(model, path, tmp_path / "out.csv") == 2
    path.write_text("a,a ,y\n1,2,no\n")
    with pytest.raises(TableError, match="line 1: column name 'a' stands more than once"):
        open_source(path)
    pq.write_table(pa.table({" a": [1.0], "y ": [0]}), tmp_path / "a.parquet")
    with pytest.raises(TableError, match="no column 'y'; it has ' a', 'y '"):
        open_source(tmp_path / "a.parquet", "y")


@pytest.mark.parametrize("train", [train_neuron, train_mlp])
def test_labels_that_nobody_named(tmp_path, train):
    for kind in (".csv", ".csv.gz", ".tsv", ".parquet", ".arrow", ".arrows"):
        for options in ({}, {"labels": (0, 1)}):
            with pytest.raises(TableError, match=rf"a{kind}: the rows have no labels.*\(y=.*; it has a, b, y$"):
                train(save(tmp_path, f"a{kind}", TABLE), epochs=1, **options)
    with pytest.raises(TableError, match=r"a\.npy: the rows have no labels to learn: give the number of the column"):
        train(save(tmp_path, "a.npy", TABLE))
    with pytest.raises(TableError, match="no labels to learn: name the column"):
        train(arrow_dataset.dataset(TABLE))
    for blocks in (lambda: iter([np.ones((3, 2))]), lambda: iter([(np.ones((3, 2)), None)])):
        with pytest.raises(TableError, match=r"iterator: the rows have no labels to learn: give blocks \(X, y\)"):
            train(blocks)


def test_estimators_need_labels_too(tmp_path):
    from tinynet_fast.sklearn import SGDClassifier, partial_fit_stream

    with pytest.raises(TableError, match="the rows have no labels to learn"):
        partial_fit_stream(SGDClassifier(loss="log_loss"), save(tmp_path, "a.csv", TABLE), classes=[0, 1])


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".parquet", ".arrow", ".arrows", ".npy", "blocks"])
def test_predict_file_leaves_rows_out_and_keeps_the_numbers_of_the_others(tmp_path, small, kind, ending):
    small(64)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 2))
    X[rng.random(X.shape) < 0.2] = np.nan
    X[40:80] = np.nan  # whole blocks
    kept = ~np.isnan(X).any(axis=1)
    model = train_neuron(np.nan_to_num(X), (np.arange(300) % 2), epochs=1).model
    model.features = None if kind in (".npy", "blocks") else ["a", "b"]
    columns = {name: pa.array(X[:, j].tolist(), from_pandas=True) for j, name in enumerate("ab")}
    parts = [pa.table({**columns, "y": [0] * 300}).slice(0, 130), pa.table({**columns, "y": [0] * 300}).slice(130)]
    if kind == "blocks":
        data = lambda: iter([X[:130], X[130:]])  # noqa: E731
    elif kind == ".npy":
        data = [tmp_path / "0.npy", tmp_path / "1.npy"]
        np.save(data[0], X[:130])
        np.save(data[1], X[130:])
    else:
        data = [save(tmp_path, f"{k}{kind}", part) for k, part in enumerate(parts)]
    output = tmp_path / f"out{ending}"
    with pytest.raises(TableError, match=r"the value is missing.*\(drop_missing=True leaves such rows out\)"):
        predict_file(model, data, output)
    assert predict_file(model, data, output, drop_missing=True) == kept.sum()
    if ending == ".parquet":
        found = pq.read_table(output)
        rows, p = found["row"].to_numpy(), found[found.column_names[1]].to_numpy()
    else:
        rows, p = np.loadtxt(output, delimiter=",", skiprows=1, usecols=(0, 1), unpack=True)
    assert_array_equal(rows, np.flatnonzero(kept) + 1)
    assert_allclose(p, model.predict_proba(X[kept]), rtol=1e-14)


def test_the_first_line_with_a_missing_value_is_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,y\n1,2,0\n2,,1\n,3,0\n,,1\n")
    for options in ({"features": ["a", "b"]}, {"y": "y"}):
        with pytest.raises(TableError, match="line 3, column 'b': the value is missing"):
            gather(open_source(path, **options))
    path.write_text("a,b,y\n1,2,0\n2,inf,1\nx,3,0\n,,1\n")
    with pytest.raises(TableError, match="line 3, column 'b': inf is not finite"):
        gather(open_source(path, features=["a", "b"]))


def test_latin_1_names_and_cells_are_named_with_their_line(tmp_path):
    path = tmp_path / "a.csv"
    for data, line in (("größe,y\n1,0\n", 1), ("a,y\n1,0\n2,größe\n", 3), ("a,y\r1,0\r2,größe\r", 3)):
        path.write_bytes(data.encode("latin-1"))
        with pytest.raises(TableError, match=rf"a\.csv, line {line}: not UTF-8 text; save the file as UTF-8"):
            gather(open_source(path, "y"))


def test_a_no_break_space_in_a_number_is_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,y\n1,0\n1\xa0000,1\n", encoding="utf-8")
    for options in ({"features": ["a"]}, {"y": "y"}):
        with pytest.raises(
            TableError, match=r"line 3, column 'a': '1\\xa0000' \(which holds U\+00A0, no-break space\) is"
        ):
            gather(open_source(path, **options))


@pytest.mark.parametrize("kind", [".csv.gz", ".csv.bz2", ".csv.zst"])
def test_compressed_files_read_whole(tmp_path, monkeypatch, kind):
    """With pyarrow and, but for .zst, without it; and a truncated one is named."""
    text = "a,y\n" + "".join(f'{k},"no\r\npe"\n' for k in range(5000))
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}[kind[4:]]) as file:
        file.write(text.encode())
    data, path = sink.getvalue().to_pybytes(), tmp_path / f"a{kind}"
    for hidden in (False, True):
        if hidden and kind == ".csv.zst":
            break
        if hidden:
            monkeypatch.setitem(sys.modules, "pyarrow", None)
        path.write_bytes(data)
        X, y = gather(open_source(path, "y"))
        assert X[:, 0].tolist() == list(range(5000))
        assert set(y.tolist()) == {"no\r\npe"}
        path.write_bytes(data[:-12])
        with pytest.raises(TableError, match=f"a{kind}: not a whole file of its kind, or a damaged one"):
            gather(open_source(path, "y"))
