"""Predictions block by block: the file holds what the model predicts for the same rows in memory."""

import csv

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow.parquet as pq  # noqa: E402

from tinynet_fast import MLP, Neuron, scoring  # noqa: E402
from tinynet_fast.rows.datasets import make_pass_fail  # noqa: E402
from tinynet_fast.rows.files import TableError  # noqa: E402
from tinynet_fast.rows.formats import base, open_source  # noqa: E402
from tinynet_fast.scoring import no_formula, predict_file  # noqa: E402

NAMES = ["a", "b", "c"]


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """400 rows in a Parquet file, read in chunks of about 25, with columns in another order and an extra column."""
    monkeypatch.setattr(base, "CHUNK_BYTES", 600)
    X = make_pass_fail(400, 3).X
    columns = {"extra": ["text"] * 400, **{name: X[:, j] for j, name in reversed(list(enumerate(NAMES)))}}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet", row_group_size=90)
    return X


def neuron(labels=("no", 'a "yes", or so'), **options):
    return Neuron(weights=[1.0, -2.0, 0.5], bias=0.25, labels=np.array(labels), features=NAMES, **options)


def network():
    rng = np.random.default_rng(0)
    sizes = [(3, 4), (4, 3)]
    weights, biases = [rng.standard_normal(size) for size in sizes], [rng.standard_normal(n) for _, n in sizes]
    return MLP(weights=weights, biases=biases, labels=np.array([3, 5, 9]), features=NAMES)


def read(path):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pydict()
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    kinds = {"row": int, "prediction": str}
    return {name: [kinds.get(name, float)(row[name]) for row in table] for name in table[0]}


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("threshold", [None, 0.9])
def test_neuron(tmp_path, rows, ending, threshold):
    model, output = neuron(threshold=0.4), tmp_path / f"out{ending}"
    assert predict_file(model, tmp_path / "rows.parquet", output, threshold=threshold) == 400
    table = read(output)
    assert table["row"] == list(range(1, 401))
    assert list(table) == ["row", 'P(a "yes", or so)', "prediction"]
    np.testing.assert_allclose(table['P(a "yes", or so)'], model.predict_proba(rows), rtol=1e-14)
    assert table["prediction"] == model.predict(rows, threshold=threshold).tolist()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_network_of_three_labels(tmp_path, rows, ending):
    model, output = network(), tmp_path / f"out{ending}"
    predict_file(model, tmp_path / "rows.parquet", output)
    table = read(output)
    assert list(table) == ["row", "P(3)", "P(5)", "P(9)", "prediction"]
    probabilities = np.column_stack([table[f"P({label})"] for label in (3, 5, 9)])
    np.testing.assert_allclose(probabilities, model.predict_proba(rows), rtol=1e-13)
    assert list(map(int, table["prediction"])) == model.predict(rows).tolist()
    with pytest.raises(ValueError, match="a threshold is for two labels"):
        predict_file(model, tmp_path / "rows.parquet", output, threshold=0.5)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_rows_that_are_left_out_keep_their_numbers(tmp_path, rows, ending):
    model, output = neuron(labels=("no", "yes")), tmp_path / f"out{ending}"
    lost = [0, 7, 8, 399]
    gaps = rows.copy()
    gaps[lost, [0, 1, 2, 0]] = np.nan
    pq.write_table(pa.table(dict(zip(NAMES, gaps.T, strict=True))), tmp_path / "gaps.parquet")
    assert predict_file(model, tmp_path / "gaps.parquet", output, drop_missing=True) == 396
    table, there = read(output), np.delete(np.arange(400), lost)
    assert table["row"] == (there + 1).tolist()
    np.testing.assert_allclose(table["P(yes)"], model.predict_proba(rows[there]), rtol=1e-14)


def test_other_sources_and_names(tmp_path, rows):
    model = neuron(labels=(0, 1))
    ref = model.predict(rows).tolist()
    np.save(tmp_path / "rows.npy", rows)
    renamed = pa.table({f"my {name}": rows[:, j] for j, name in enumerate(NAMES)})
    sources = [
        (tmp_path / "rows.npy", None),
        (lambda: iter([rows[:150], rows[150:]]), None),
        (open_source(tmp_path / "rows.parquet", features=NAMES), None),
        (renamed.to_reader(max_chunksize=33), [f"my {name}" for name in NAMES]),
    ]
    for data, features in sources:
        predict_file(model, data, tmp_path / "out.parquet", features=features)
        assert read(tmp_path / "out.parquet")["prediction"] == ref
    nameless = Neuron(weights=model.weights, bias=model.bias)
    pq.write_table(renamed, tmp_path / "renamed.parquet")
    predict_file(nameless, tmp_path / "renamed.parquet", tmp_path / "out.parquet")
    assert read(tmp_path / "out.parquet")["prediction"] == ref


def test_nothing_is_written_if_a_row_is_wrong(tmp_path, rows):
    model, output = neuron(), tmp_path / "out.csv"
    output.write_text("what was there")
    pq.write_table(
        pa.table({"a": [1.0] * 999 + [np.nan], "b": [1.0] * 1000, "c": [2.0] * 1000}), tmp_path / "x.parquet"
    )
    for data, message in [
        (tmp_path / "x.parquet", r"x\.parquet, row 1000, column 'a': the value is missing"),
        (iter([rows[:, :2]]), "iterator: 2 columns where the model has 3 inputs: give rows with the inputs"),
    ]:
        with pytest.raises(ValueError, match=message):
            predict_file(model, data, output)
    with pytest.raises(ValueError, match=r"rows\.parquet: that is the data itself"):
        predict_file(model, tmp_path / "rows.parquet", tmp_path / "rows.parquet")
    assert output.read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "rows.parquet", "x.parquet"]


def test_command_line(run, tmp_path, rows):
    """Files of any format and number give the same lines."""
    neuron(labels=("no", "yes")).save("m.json")
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    for name, part in (("1.csv", lines[:150]), ("2.csv", lines[150:]), ("all.csv", lines)):
        (tmp_path / name).write_text("a,b,c\n" + "\n".join(part) + "\n")
    status, ref, err = run("predict", "m.json", "all.csv")
    assert (status, err, ref.count("\n")) == (0, "", 401)
    ref = [line.split(",") for line in ref.splitlines()]

    def check(text):
        comp = [line.split(",") for line in text.splitlines()]
        assert [(row, label) for row, _, label in comp] == [(row, label) for row, _, label in ref]
        np.testing.assert_allclose([float(p) for _, p, _ in comp[1:]], [float(p) for _, p, _ in ref[1:]], rtol=1e-14)

    check(run("predict", "m.json", "1.csv", "2.csv")[1])
    check(run("predict", "m.json", "[12].csv")[1])
    check(run("predict", "m.json", "rows.parquet")[1])
    assert run("predict", "m.json", "rows.parquet", "--output", "out.csv") == (0, "400 predictions: out.csv\n", "")
    check((tmp_path / "out.csv").read_text())
    assert run("predict", "m.json", "all.csv", "--output", "out.parquet")[0] == 0
    assert [str(label) for label in read(tmp_path / "out.parquet")["prediction"]] == [row[2] for row in ref[1:]]
    status, out, err = run("predict", "m.json", "rows.parquet", "--output", "rows.parquet")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "rows.parquet: that is the data itself" in err
    (tmp_path / "2.csv").write_text("a,b,c\n1,2,3\n1,x,3\n")
    status, out, err = run("predict", "m.json", "1.csv", "2.csv", "--output", "new.csv")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "2.csv, line 3, column 'b': 'x' is not a number" in err
    assert not (tmp_path / "new.csv").exists()


@pytest.mark.parametrize("model", [neuron(), network()])
def test_sparse_rows_in_memory(tmp_path, rows, model):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy makes the rows")
    rows = np.where(np.abs(rows) < np.median(np.abs(rows)), 0.0, rows)
    assert predict_file(model, rows, tmp_path / "dense.csv") == 400
    for X in (sparse.csr_matrix(rows), sparse.coo_array(rows), sparse.csc_array(rows)):
        assert predict_file(model, X, tmp_path / "sparse.csv") == 400
        assert (tmp_path / "sparse.csv").read_bytes() == (tmp_path / "dense.csv").read_bytes()
    rows[70, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[70, 1\] is NaN"):
        predict_file(model, sparse.csr_matrix(rows), tmp_path / "sparse.csv")
    assert predict_file(model, sparse.csr_matrix(rows), tmp_path / "sparse.csv", drop_missing=True) == 399
    with pytest.raises(TableError, match="2 columns where the model has 3 inputs"):
        predict_file(model, sparse.csr_matrix(rows[:9, :2]), tmp_path / "sparse.csv")


@pytest.mark.parametrize("name", ["o.csv.gz", "o.tsv", "o.arrow", "o.feather", "o.xlsx"])
def test_formats_that_cannot_be_written(tmp_path, name):
    with pytest.raises(ValueError, match=r"predictions are written as \.csv or \.parquet; name the file so"):
        predict_file(neuron(), np.ones((2, 3)), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_one_row(tmp_path):
    pd = pytest.importorskip("pandas")
    model, row = neuron(), {"c": 3.0, "a": 1.0, "b": 2.0}
    ref = model.predict_proba([1.0, 2.0, 3.0]).tolist()
    renamed = pd.Series({f"my {name}": value for name, value in row.items()})
    for data, features in ((row, None), (pd.Series(row), None), (renamed, [f"my {name}" for name in NAMES])):
        assert predict_file(model, data, tmp_path / "out.parquet", features=features) == 1
        assert read(tmp_path / "out.parquet")['P(a "yes", or so)'] == ref


RISKY = ["=cmd|' /C calc'!A0", "+1+2", "-abc", "@SUM(A1)", "\t=1", "\uff1d1+2", "-2+3+cmd|' /C calc'!A0", "'=1"]
HARMLESS = ["pass", "-1", "+1.5e3", "+", "-", "a=b", "'s", ""]


@pytest.mark.parametrize("label", RISKY)
def test_a_label_is_no_formula_in_a_csv_file(label, tmp_path):
    model = Neuron(weights=[1.0], labels=["fail", label])
    predict_file(model, np.array([[5.0]]), tmp_path / "p.csv")
    predict_file(model, np.array([[5.0]]), tmp_path / "raw.csv", formulas=True)
    predict_file(model, np.array([[5.0]]), tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet")["prediction"].to_pylist() == [label]
    with (tmp_path / "p.csv").open(newline="") as file:
        assert [row[-1] for row in csv.reader(file)] == ["prediction", f"'{label}"]
    with (tmp_path / "raw.csv").open(newline="") as file:
        assert [row[-1] for row in csv.reader(file)] == ["prediction", label]


@pytest.mark.parametrize("label", HARMLESS)
def test_other_labels_are_written_as_they_are(label):
    assert no_formula(label) == label
    assert no_formula(-1.5) == -1.5


def test_parquet_has_row_groups_of_many_rows(tmp_path, rows, monkeypatch):
    monkeypatch.setattr(scoring, "GROUP_ROWS", 100)
    model, out = neuron(), tmp_path / "out.parquet"
    assert predict_file(model, tmp_path / "rows.parquet", out) == 400
    file = pq.ParquetFile(out)
    sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    assert sum(sizes) == 400
    assert len(sizes) > 1
    assert min(sizes[:-1]) >= 100
    table = file.read()
    assert table["row"].to_pylist() == list(range(1, 401))
    assert table["prediction"].to_pylist() == model.predict(rows).tolist()
