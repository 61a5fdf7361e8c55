"""An index that pandas or Dask wrote is no input; a column that numbers the rows is named in a warning."""

import json
import warnings

import numpy as np
import pytest

from tinynet_fast import TrainingWarning, train_mlp, train_neuron
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.rows.formats import open_source
from tinynet_fast.rows.index_columns import index_columns, suspects, warn_of_row_numbers
from tinynet_fast.scoring import predict_file

pa = pytest.importorskip("pyarrow", reason="pyarrow reads the files")
pd = pytest.importorskip("pandas", reason="pandas writes the files")
from pyarrow import feather, ipc, parquet  # noqa: E402

N = 600
ROWS = make_pass_fail(N, 2)
Y = ROWS.y.astype(np.int64)
REF = train_neuron(ROWS.X, Y, epochs=2)


def frame(name=None):
    """A frame whose index would tell the label, had it been an input."""
    return pd.DataFrame(
        {"a": ROWS.X[:, 0], "b": ROWS.X[:, 1], "y": Y}, index=pd.Index(100_000 * Y + np.arange(N)[::-1], name=name)
    )


def write(path, table):
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    elif path.suffix == ".feather":
        feather.write_feather(table, path)
    else:
        make = ipc.new_stream if path.suffix == ".arrows" else ipc.new_file
        with pa.OSFile(str(path), "wb") as file, make(file, table.schema) as writer:
            writer.write_table(table)
    return path


def same(result):
    np.testing.assert_array_equal(result.model.weights, REF.model.weights)
    assert result.model.features == ["a", "b"]


@pytest.mark.parametrize("name", [None, "customer", "id"])
@pytest.mark.parametrize("ending", [".parquet", ".feather", ".arrow", ".arrows"])
def test_an_index_in_a_file_is_no_input(tmp_path, ending, name):
    table = pa.Table.from_pandas(frame(name))
    stored = name or "__index_level_0__"
    assert stored in table.column_names
    path = write(tmp_path / f"rows{ending}", table)
    same(train_neuron(path, "y", epochs=2))
    both = train_neuron(path, "y", features=["a", stored], epochs=2, standardize=True)
    assert both.model.features == ["a", stored]
    predict_file(REF.model, write(tmp_path / f"inputs{ending}", table.drop_columns(["y"])), tmp_path / "out.csv")
    model = train_neuron(path, "y", epochs=2).model
    predict_file(model, path, tmp_path / "same.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "same.csv").read_bytes()
    assert open_source(path, stored).names == ["a", "b", "y"]


def test_arrow_objects_and_frames_in_memory(tmp_path):
    table = pa.Table.from_pandas(frame())
    assert open_source(table.to_reader(), "y").names == ["a", "b"]
    dataset = pytest.importorskip("pyarrow.dataset")
    same(train_neuron(dataset.dataset(write(tmp_path / "a.parquet", table)), "y", epochs=2))
    pytest.importorskip("narwhals", reason="narwhals selects columns")
    polars = pytest.importorskip("polars", reason="polars reads an index as a column")
    frames = table, pa.Table.from_pandas(frame("customer")), polars.from_arrow(table.replace_schema_metadata(None))
    for rows in frames:
        same(train_neuron(rows, "y", epochs=2))
        inputs = rows.drop_columns(["y"]) if isinstance(rows, pa.Table) else rows.drop("y")
        same(train_neuron(inputs, Y, epochs=2))
        assert train_mlp(rows, "y", epochs=1, seed=0).model.features == ["a", "b"]
    kept = train_neuron(table, "y", features=["a", "__index_level_0__"], epochs=1, standardize=True)
    assert kept.model.features == ["a", "__index_level_0__"]


def test_an_index_that_dask_wrote(tmp_path):
    table = pa.Table.from_pandas(frame().rename_axis("__null_dask_index__"))
    same(train_neuron(write(tmp_path / "a.parquet", table), "y", epochs=2))
    same(train_neuron(write(tmp_path / "b.parquet", table.replace_schema_metadata(None)), "y", epochs=2))


def test_files_of_which_one_has_an_index(tmp_path):
    plain = pa.Table.from_pandas(frame(), preserve_index=False)
    indexed = pa.Table.from_pandas(frame())
    paths = [write(tmp_path / "a.parquet", plain), write(tmp_path / "b.parquet", indexed)]
    assert open_source(paths, "y").names == open_source(paths[::-1], "y").names == ["a", "b"]


def test_notes_that_are_not_those_of_pandas():
    names = ["a", "b"]
    notes = [
        b"",
        b"[1]",
        b"{",
        b"\xff",
        b'{"index_columns": 3}',
        b'{"index_columns": [{"kind": "range"}, 4]}',
        b"[" * 9000,
    ]
    for note in notes:
        schema = pa.schema([("a", pa.float64()), ("b", pa.float64())], metadata={b"pandas": note})
        assert index_columns(names, schema) == frozenset()
    schema = schema.with_metadata({b"pandas": json.dumps({"index_columns": ["b", "c"]}).encode()})
    assert "b" in index_columns(names, schema)


def test_a_file_of_an_index_alone(tmp_path):
    table = pa.Table.from_pandas(frame()[["y"]].rename_axis("hours"))
    with pytest.raises(ValueError, match=r"no column beside the target 'y' and the index hours; .* the features"):
        train_neuron(write(tmp_path / "a.parquet", table), "y")


NUMBERS = ["", "Unnamed: 0", "Unnamed: 0.1", "index", "id", "row", "rownames", "Row_Number"]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_column_that_counts_the_rows_is_named(tmp_path, name, first):
    table = pd.DataFrame({name: np.arange(first, first + N), "a": ROWS.X[:, 0], "y": Y})
    table.to_csv(tmp_path / "rows.csv", index=False)
    table.to_parquet(tmp_path / "rows.parquet", index=False)
    called = "''" if not name else repr(name)
    for X in (table, tmp_path / "rows.csv", tmp_path / "rows.parquet"):
        with pytest.warns(
            TrainingWarning, match=rf"the input {called}.* looks like a row number.*features \(a\)"
        ) as seen:
            train_neuron(X, "y", epochs=2, standardize=True)
        assert len(seen) == 1
        with warnings.catch_warnings(action="error"):
            train_neuron(X, "y", features=["a"], epochs=1)


def test_rows_that_are_left_out_do_not_hide_a_row_number(tmp_path):
    table = pd.DataFrame({"id": np.arange(N), "a": ROWS.X[:, 0], "y": Y})
    table.loc[::7, "a"] = np.nan
    table.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.warns(TrainingWarning, match="the input 'id' looks like a row number"):
        train_neuron(tmp_path / "rows.csv", "y", epochs=1, drop_missing=True)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("hours", np.arange(N)),  # another name
        ("no", np.random.default_rng(0).integers(0, 9, N)),  # of rooms
        ("id", np.where(np.arange(N) == 9, 3, np.arange(N))),
        ("index", 100 + np.arange(N) / 8),
        ("Unnamed: 3", np.arange(N) / 8),
    ],
)
def test_other_columns_are_not(tmp_path, name, values):
    table = pd.DataFrame({name: values, "a": ROWS.X[:, 0], "y": Y})
    table.to_csv(tmp_path / "rows.csv", index=False)
    for X in (table, tmp_path / "rows.csv"):
        train_neuron(X, "y", epochs=1, standardize=True)  # warnings are errors in tests


def test_a_row_number_of_rows_that_were_drawn_or_shuffled(tmp_path):
    """Such an index is not 0, 1, 2, ... any more, and still tells the order in which the rows were written."""
    table = pd.DataFrame({"a": ROWS.X[:, 0], "y": Y}, index=1000 * Y + np.arange(N))
    gaps, shuffled = table.drop(table.index[::5]), table.sample(frac=1, random_state=0)
    for rows in (gaps, shuffled, table.sort_values("a"), table.sample(frac=1, replace=True, random_state=0)):
        rows.to_csv(tmp_path / "rows.csv")
        for X in (tmp_path / "rows.csv", pd.read_csv(tmp_path / "rows.csv")):
            with pytest.warns(TrainingWarning, match=r"the input '(Unnamed: 0)?'.* looks like a row number"):
                train_neuron(X, "y", epochs=1, standardize=True)
    for rows in (gaps, shuffled, table[::-1]):
        rows.to_csv(tmp_path / "rows.csv", index_label="id")
        with pytest.warns(TrainingWarning, match="the input 'id' looks like a row number"):
            train_neuron(tmp_path / "rows.csv", "y", epochs=1, standardize=True)


def test_a_row_number_in_a_few_rows():
    """In few rows, only columns that count up from the beginning are named."""
    X = np.array([[0.0, 4, 5], [2, 7, 6], [3, 2, 7]])
    with pytest.warns(
        TrainingWarning, match="the input 'id' .* for example by naming .* features \\(no, row\\)"
    ) as seen:
        warn_of_row_numbers(["id", "no", "row"], X[:, [0, 1, 1]])
    assert len(seen) == 1
    warn_of_row_numbers(["no", "nr", "row"], X[:, [1, 1, 1]])
    warn_of_row_numbers(["id", "", "row"], X[:2])
    with pytest.warns(TrainingWarning, match="leave the column out$"):
        warn_of_row_numbers(["id"], X)


def test_names_of_row_numbers():
    assert suspects(["a", *NUMBERS, "identity", "grid", "rowing", "know"]) == list(range(1, 1 + len(NUMBERS)))
    assert suspects(None) == []


def test_the_command_line_says_it_on_one_line(run, tmp_path):
    table = pd.DataFrame({"id": np.arange(N), "a, b": ROWS.X[:, 0], "y": Y})
    table.loc[::7, "a, b"] = np.nan
    table.to_csv(tmp_path / "rows.csv", index=False)
    for command in ("train", "lab"):
        status, _, err = run(command, "rows.csv", "--target", "y", "--drop-missing")
        assert status == 0
        (line,) = [line for line in err.splitlines() if "looks like a row number" in line]
        assert line.startswith("tinynet-fast: warning: column 'id' looks like a row number")
        assert run(command, "rows.csv", "--target", "y", "--drop-missing", "--features", '"a, b"')[2].count("id") == 0


def test_many_suspects_are_one_warning():
    names = [f"Unnamed: {k}" for k in range(5000)]
    X = np.arange(20.0)[:, np.newaxis] + np.zeros(5000)
    with pytest.warns(TrainingWarning, match="the inputs 'Unnamed: 0', .* and 4988 more look like row numbers") as seen:
        warn_of_row_numbers(names, X)
    assert len(seen) == 1
