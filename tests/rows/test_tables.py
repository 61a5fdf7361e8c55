"""Any source read whole: the same table from every format, with the rows' own numbers."""

import gzip
import sys

import numpy as np
import pytest
from csv_table import read_csv
from tables import write

from tinynet_fast.rows import kept
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import base, open_source
from tinynet_fast.rows.kept import read_whole

CELLS = [(1.5, -2.0, "x"), (0.1, 3.0, "y"), (2.25, "", "x"), (1e300, 1e-300, "y"), ("", 4.0, ""), (7.0, 8.0, "z")]
HEADER = ["a", "b", "y"]


@pytest.fixture(params=["csv", "csv without pyarrow", "csv.gz", "parquet", "arrow"])
def path(request, tmp_path, monkeypatch):
    """The cells as a file of each format, in chunks of two rows."""
    monkeypatch.setattr(base, "CHUNK_BYTES", 32)
    path = write(tmp_path / "t.csv", HEADER, CELLS)
    if request.param == "csv without pyarrow":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        return path
    pytest.importorskip("pyarrow", reason="pyarrow reads the files")
    if request.param == "csv.gz":
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    elif request.param != "csv":
        from pyarrow import csv, feather, parquet

        table, save = csv.read_csv(path), {"parquet": parquet.write_table, "arrow": feather.write_feather}
        table = table.set_column(
            2, "y", csv.read_csv(path, convert_options=csv.ConvertOptions(strings_can_be_null=True))["y"]
        )
        save[request.param](table, tmp_path / f"t.{request.param}")
    return tmp_path / f"t.{request.param}"


def test_rows_and_their_numbers(path):
    whole = read_whole(open_source(path, "y", drop_missing=True))
    assert whole.names == ["a", "b"]
    assert whole.X.tolist() == [[1.5, -2.0], [0.1, 3.0], [1e300, 1e-300], [7.0, 8.0]]
    assert whole.X.dtype == np.float64
    assert whole.y.tolist() == ["x", "y", "y", "z"]
    assert whole.rows.tolist() == [0, 1, 3, 5]
    assert (whole.n_rows, whole.dropped) == (6, 2)
    assert whole.where(3).endswith("line 7" if ".csv" in path.name else "row 6")
    with pytest.raises(TableError, match=r"t\.\S+, (line 4|row 3), column 'b': the value is missing"):
        read_whole(open_source(path, "y"))


def test_what_fits(path, monkeypatch):
    source = open_source(path, "y", drop_missing=True)
    monkeypatch.setattr(kept, "MEMORY_BYTES", 4 * 2 * 8)
    assert len(read_whole(source, limited=True)) == 4
    monkeypatch.setattr(kept, "MEMORY_BYTES", 4 * 2 * 8 - 1)
    assert read_whole(source, limited=True) is None
    assert len(read_whole(source)) == 4
    streamed = np.concatenate([chunk.y for chunk in source.chunks()])  # labels have values again
    assert streamed.tolist() == ["x", "y", "y", "z"]


@pytest.mark.parametrize(
    "labels", [["1", "2", "a"], ["1", "0", "0.5"], ["true", "false"], ["01", "1", "2"], ["a", "b", "1"]]
)
@pytest.mark.parametrize("plain", [True, False])
def test_labels_have_the_type_of_all(tmp_path, monkeypatch, labels, plain):
    monkeypatch.setattr(base, "CHUNK_BYTES", 8)
    path = write(tmp_path / "t.csv", ["x", "y"], [(i, label) for i, label in enumerate(labels)])
    ref = read_csv(path).labels("y")
    if plain:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    comp = read_whole(open_source(path, "y")).y
    assert comp.dtype.kind == ref.dtype.kind
    assert comp.tolist() == ref.tolist()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([(1, "two", "x"), (2, 1, "y")], r"t\.csv, line 2, column 'b': 'two' is not a number"),
        ([(1, "", "x"), (2, "two", "y")], r"t\.csv, line 3, column 'b': 'two' is not a number"),
        ([(1, 1, "x"), (2, "inf", "y")], r"t\.csv, line 3, column 'b': inf is not finite"),
        ([], r"t\.csv: no rows below the column names"),
    ],
)
@pytest.mark.parametrize("plain", [True, False])
def test_bad_cells(tmp_path, monkeypatch, cells, message, plain):
    path = write(tmp_path / "t.csv", HEADER, cells)
    if plain:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableError, match=message):
        read_whole(open_source(path, "y", drop_missing=True))
    with pytest.raises(TableError, match="no column 'c'; it has a, b, y"):
        open_source(write(tmp_path / "u.csv", HEADER, [(1, 2, 3)]), "y", features=["c"])


def test_training_from_csv_without_pyarrow(tmp_path, monkeypatch):
    from tinynet_fast import train_neuron

    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 2))
    path = write(tmp_path / "t.csv", HEADER, [(*x, int(x[0] > 0)) for x in X.tolist()])
    ref = train_neuron(X, X[:, 0] > 0, epochs=3)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    comp = train_neuron(path, "y", epochs=3)
    assert comp.model.weights.tolist() == ref.model.weights.tolist()
    assert comp.model.features == ["a", "b"]
