"""Paths, patterns and folders stand for the same files in the same order everywhere; folders' names give columns."""

import numpy as np
import pytest

from tinynet_fast import load, train_mlp, train_neuron
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import is_source, open_source
from tinynet_fast.rows.formats.folders import NOTHING, typed
from tinynet_fast.rows.formats.paths import Local, Remote, natural_key, search
from tinynet_fast.scoring import predict_file

pa = pytest.importorskip("pyarrow", reason="pyarrow reads the files")
from pyarrow import csv, feather, parquet  # noqa: E402

PARTS = 12
ROWS = make_pass_fail(1200, 3)
Y = ROWS.y.astype(np.int64)
YEARS = np.repeat([2019, 2020, 2021], 400)


def write(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, np.column_stack([column.to_numpy() for column in table.columns]))
    else:
        {".csv": csv.write_csv, ".parquet": parquet.write_table, ".feather": feather.write_feather}[path.suffix](
            table, path
        )


def write_parts(folder, ending=".parquet", years=False):
    for i, part in enumerate(np.split(np.arange(len(Y)), PARTS)):
        table = pa.table({**{f"x{j}": ROWS.X[part, j] for j in range(3)}, "y": Y[part]})
        year = f"year={YEARS[part[0]]}/" if years else ""
        write(folder / f"{year}part.{i}{ending}", table)
    for name in ("_SUCCESS", "_metadata", ".part.0.crc"):
        (folder / name).write_bytes(b"nothing that can be read")
    return folder


def same(result, X, **options):
    ref = train_neuron(X, Y, **options)
    np.testing.assert_array_equal(result.model.weights, ref.model.weights)
    np.testing.assert_array_equal(result.loss_history, ref.loss_history)


@pytest.fixture(params=["local", "fsspec"])
def find(request):
    """The names of the files that an item stands for, as local sources find them and as clusters do."""
    if request.param == "local":
        files = Local()
    else:
        files = Remote(pytest.importorskip("fsspec", reason="clusters use fsspec").filesystem("file"))
    return lambda item, folder: [file.path.removeprefix(f"{folder}/") for file in search(str(item), files)]


def test_natural_order():
    names = ["part.10", "part.2", "part.02", "part.1", "b", "a10/x1", "a9/x20", "a9/x3", ""]
    ref = ["", "a9/x3", "a9/x20", "a10/x1", "b", "part.1", "part.02", "part.2", "part.10"]
    assert sorted(names, key=natural_key) == ref


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".feather", ".npy"])
def test_the_parts_of_a_folder_in_their_order(tmp_path, ending):
    folder, y = write_parts(tmp_path / "rows", ending), -1 if ending == ".npy" else "y"
    for X in (folder, f"{folder}/", f"{folder}/part.*{ending}", [str(folder)]):
        assert is_source(X)
        same(train_neuron(X, y, epochs=2), ROWS.X, epochs=2)
    shuffled = sorted(folder.glob(f"part*{ending}"), reverse=True)
    comp = train_neuron(shuffled, y, epochs=1)  # of a list the order is the user's
    assert abs(comp.model.bias - train_neuron(folder, y, epochs=1).model.bias) > 0.0


def test_names_that_are_skipped_and_folders_that_are_searched(tmp_path, find):
    for name in ("a=1/b.csv", "a=1/_temporary/c.csv", "_old/d.csv", ".e.csv", "_f.csv", "g.csv", "plain/h.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("x,y\n1,0\n")
    assert find(tmp_path, tmp_path) == ["a=1/b.csv", "g.csv"]
    assert find(f"{tmp_path}/*.csv", tmp_path) == ["g.csv"]
    assert find(f"{tmp_path}/**/*.csv", tmp_path) == ["a=1/b.csv", "g.csv", "plain/h.csv"]
    assert find(f"{tmp_path}/a=*", tmp_path) == ["a=1/b.csv"]
    assert find(f"{tmp_path}/**", tmp_path) == ["a=1/b.csv", "g.csv", "plain/h.csv"]
    assert find(f"{tmp_path}/_*.csv", tmp_path) == ["_f.csv"]  # which the pattern asks for
    assert find(f"{tmp_path}/_f.csv", tmp_path) == ["_f.csv"]
    (tmp_path / "odd[1].csv").write_text("x,y\n1,0\n")
    assert find(f"{tmp_path}/odd[1].csv", tmp_path) == ["odd[1].csv"]
    with pytest.raises(TableError, match="no file matches this pattern"):
        find(f"{tmp_path}/*.parquet", tmp_path)
    (tmp_path / "empty/inner").mkdir(parents=True)
    with pytest.raises(TableError, match=r"no file is in this folder; .* as folder/\*\*/\*.parquet"):
        find(tmp_path / "empty", tmp_path)


def test_a_folder_has_files_of_one_format(tmp_path, find):
    (tmp_path / "a.csv").write_text("x,y\n1,0\n")
    (tmp_path / "b.parquet").write_bytes(b"")
    with pytest.raises(TableError, match=r"b\.parquet: parquet, and .*a\.csv is csv: name the files .* pattern"):
        find(tmp_path, tmp_path)
    (tmp_path / "b.parquet").rename(tmp_path / "README.md")
    with pytest.raises(TableError, match=r"README\.md: a file of unknown format in a folder .* pattern"):
        find(tmp_path, tmp_path)
    (tmp_path / "README.md").unlink()
    assert find(tmp_path, tmp_path) == ["a.csv"]
    (tmp_path / "_delta_log").mkdir()
    with pytest.raises(TableError, match="this is a Delta table"):
        find(tmp_path, tmp_path)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".feather"])
def test_columns_from_the_names_of_folders(tmp_path, ending):
    folder = write_parts(tmp_path / "rows", ending, years=True)
    X = np.column_stack([ROWS.X, YEARS])
    options = {"epochs": 2, "learning_rate": 1e-7}
    paths = sorted(folder.glob(f"*/*{ending}"), key=lambda path: natural_key(str(path)))
    for source in (folder, f"{folder}/year=*", f"{folder}/**/*{ending}", paths):
        result = train_neuron(source, "y", **options)
        assert result.model.features == ["x0", "x1", "x2", "year"]
        same(result, X, **options)
    few = train_neuron(folder, "y", features=["year", "x1"], **options)
    same(few, X[:, [3, 1]], **options)
    same(train_neuron(folder, "y", features=["x0", "x1", "x2"], epochs=1), ROWS.X, epochs=1)
    same(train_neuron(folder, "y", standardize=True, epochs=1), X, standardize=True, epochs=1)
    labelled = train_mlp(folder, "year", features=["x0", "x2"], epochs=2, batch_size=9, seed=0)
    ref = train_mlp(ROWS.X[:, [0, 2]], YEARS, epochs=2, batch_size=9, seed=0)
    np.testing.assert_array_equal(labelled.loss_history, ref.loss_history)
    assert labelled.model.labels.tolist() == [2019, 2020, 2021]
    one = paths[5]  # of a model's inputs one that only the folder's name has
    assert open_source(one, "y").names == ["x0", "x1", "x2"]
    predict_file(few.model, one, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()[1:]
    np.testing.assert_allclose(
        [float(line.split(",")[1]) for line in lines], few.model.predict_proba(X[500:600, [3, 1]]), rtol=1e-15
    )


def test_what_the_texts_of_folders_are():
    """Whole numbers, numbers, or text, all of one kind; Python's own underscores are none of a number."""
    assert [(type(value), value) for value in typed(["7", "012"])] == [(int, 7), (int, 12)]
    assert [(type(value), value) for value in typed(["7", "0.5"])] == [(float, 7.0), (float, 0.5)]
    assert typed(["1_000", "2"]) == ["1_000", "2"]
    assert typed(["1_0.5", "2"]) == ["1_0.5", "2"]
    assert typed(["nan", "2"]) == ["nan", "2"]
    assert typed(["123456789012345678", NOTHING]) == [123456789012345678, None]
    assert typed(["1234567890123456789"]) == [1.2345678901234568e18]


def test_values_of_folders(tmp_path):
    for name, value in (("city=Basel%20Stadt", 0.0), ("city=Bern", 1.0)):
        write(tmp_path / "text" / name / "a.parquet", pa.table({"x": [value, 0.5], "y": [0, 1]}))
    with pytest.raises(TableError, match=r"column 'city': the folder's name holds the text 'Basel Stadt', no number"):
        open_source(tmp_path / "text", "y")
    assert train_neuron(tmp_path / "text", "city", features=["x"]).model.labels.tolist() == ["Basel Stadt", "Bern"]
    for name in ("rate=0.5", "rate=1", "rate=__HIVE_DEFAULT_PARTITION__"):
        write(tmp_path / "gaps" / name / "a.parquet", pa.table({"x": [1.0, 0.5], "y": [0, 1]}))
    with pytest.raises(TableError, match=r"PARTITION__/a\.parquet, row 1, column 'rate': the value is missing"):
        train_neuron(tmp_path / "gaps", "y")
    assert train_neuron(tmp_path / "gaps", "y", drop_missing=True).dropped_rows == 2
    assert open_source(tmp_path / "gaps", "y").dtype == np.float64


def test_rows_of_float32_and_a_folder(tmp_path):
    X = ROWS.X.astype(np.float32)
    for i in range(2):
        part = slice(600 * i, 600 * i + 600)
        write(tmp_path / f"half={i}" / "a.parquet", pa.table({"x": X[part, 0], "y": Y[part]}))
    same(train_neuron(tmp_path, "y", epochs=1), np.column_stack([X[:, :1], np.repeat([0.0, 1.0], 600)]), epochs=1)


def test_a_column_of_the_file_itself_is_kept(tmp_path):
    """Also if the file lies in a folder of that name. A folder that was there before is no new input."""
    for i in range(2):
        write(tmp_path / f"run={i}" / f"y={i}" / "a.csv", pa.table({"x": [1.0, 2.0], "y": [0, 1]}))
    assert open_source(tmp_path / "run=0/y=0/a.csv", "y").names == ["x"]
    source = open_source(tmp_path, "y")
    assert source.names == ["x", "run"]
    assert np.concatenate(list(source.labels_only())).tolist() == [0, 1, 0, 1]
    assert open_source(f"{tmp_path}/run=1/*/*.csv", "y").names == ["x"]


def test_files_of_which_one_lacks_the_folder(tmp_path):
    write(tmp_path / "a=1" / "a.csv", pa.table({"x": [1.0], "y": [0]}))
    write(tmp_path / "b.csv", pa.table({"x": [1.0], "y": [1]}))
    with pytest.raises(TableError, match=r"b\.csv: no column 'a'; it has x, y"):
        open_source(tmp_path, "y")
    (tmp_path / "b.csv").rename(tmp_path / "0.csv")
    assert search(str(tmp_path), Local())[0].path == str(tmp_path / "0.csv")
    with pytest.raises(TableError, match=r"0\.csv: no column 'a'; it has x, y"):
        open_source(tmp_path, "y")
    assert open_source(tmp_path, "y", features=["x"]).names == ["x"]
    with pytest.raises(TableError, match="name at least one column that is in the files themselves"):
        open_source(tmp_path / "a=1", "y", features=["a"])


@pytest.mark.parametrize("stray", ["b", "z"])
def test_labels_of_folders_and_a_file_beside_them(tmp_path, stray):
    for i in (1, 2):
        write(tmp_path / f"y={i}" / "a.parquet", pa.table({"x": [1.0, 2.0]}))
    write(tmp_path / f"{stray}.parquet", pa.table({"x": [1.0]}))
    with pytest.raises(TableError, match=rf"{stray}\.parquet: no column 'y'; it has x"):
        open_source(tmp_path, "y")
    with pytest.raises(TableError, match=rf"{stray}\.parquet: no column 'y'; it has x"):
        open_source(tmp_path)
    write(tmp_path / f"{stray}.parquet", pa.table({"x": [1.0], "y": [1]}))
    match = "the file itself holds the column 'y'" if stray == "z" else "no column 'y'"
    with pytest.raises(TableError, match=match):
        open_source(tmp_path, "y")


def test_a_run_goes_on_by_another_spelling_of_the_path(tmp_path, monkeypatch):
    folder = write_parts(tmp_path / "rows", years=True)
    monkeypatch.chdir(tmp_path)
    prints = [open_source(X, "y").fingerprint() for X in (folder, "rows", "./rows/year=*", f"{tmp_path}/rows/../rows")]
    assert prints[1:] == prints[:-1]
    one = folder / "year=2020"
    monkeypatch.chdir(one)
    ref = open_source(one / "part.4.parquet", "y").fingerprint()
    assert open_source("part.4.parquet", "y").fingerprint() == ref
    options = {"epochs": 2, "standardize": True, "checkpoint": tmp_path / "run.ckpt"}
    train_neuron(folder, "y", callback=lambda epoch: True, **options)  # which stops after the first epoch
    monkeypatch.chdir(tmp_path)
    comp = train_neuron("rows", "y", **options)
    ref = train_neuron(folder, "y", epochs=2, standardize=True)
    np.testing.assert_array_equal(comp.model.weights, ref.model.weights)
    for i in (2019, 2020):  # other values are other rows
        (folder / f"year={i}").rename(folder / f"year={i - 100}")
    assert open_source(folder, "y").fingerprint()["content"] != prints[0]["content"]


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".npy"])
def test_the_command_line_reads_folders(run, tmp_path, ending):
    write_parts(tmp_path / "rows", ending)
    target = "-1" if ending == ".npy" else "y"
    options = ["--no-standardize", "--validation", "0", "--epochs", "2", "--no-shuffle", "--model", "m.json"]
    options += ["--learning-rate", "0.1", "--l2", "0", "--no-average"]
    status, _, err = run("train", "rows", "--target", target, *options)
    assert (status, err) == (0, "")
    ref = train_neuron(ROWS.X, Y, epochs=2).model
    np.testing.assert_allclose(load(tmp_path / "m.json").weights, ref.weights, rtol=1e-12)


PATTERNS = [
    "**",
    "**/",
    "**/*",
    "*/**",
    "**/*.csv",
    "**/**/a.csv",
    "a*/**/*.csv",
    "**/b/**",
    "**/b/**/a.csv",
    "**/.d/*",
]


@pytest.mark.parametrize(
    "pattern", [*PATTERNS, "none/**/*", "a/a.csv/**/*", "[[]x]/**/*.csv", "*", "a/**b/*.csv", "**b"]
)
def test_patterns_of_any_depth_mean_what_they_mean_for_glob(tmp_path, monkeypatch, pattern):
    import glob
    import os

    for name in (
        "a/a.csv",
        "a/b/a.csv",
        "a/b/c/b/a.csv",
        "a/.d/a.csv",
        ".d/b.csv",
        "[x]/y/a.csv",
        "top.csv",
        "ab/xb/q",
    ):
        write(tmp_path / name, pa.table({"x": [1.0]})) if name.endswith("csv") else (tmp_path / name).mkdir(
            parents=True
        )
    (tmp_path / "linked").symlink_to("a/b")
    (tmp_path / "gone").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    for start in ("", "./", f"{tmp_path}/", f"{tmp_path}//"):
        ref = {os.path.normpath(path) for path in glob.glob(start + pattern, recursive=True)}
        comp = [os.path.normpath(path) for path, _ in Local().matches(start + pattern)]
        assert set(comp) == ref
        assert len(comp) == len(set(comp))


def found(item, folder):
    return [file.path.removeprefix(f"{folder}/") for file in search(str(item), Local())]


def test_links_that_lead_back(tmp_path):
    folder = tmp_path / "loop"
    write(folder / "x.csv", pa.table({"x": [1.0, 2.0], "y": [0, 1]}))
    for name in ("a=1", "a=2"):
        (folder / name).symlink_to(".")
    for item in (folder, f"{folder}/**", f"{folder}/**/*.csv", f"{tmp_path}/**/*.csv"):
        assert found(item, folder) == ["x.csv"]
    assert found(f"{folder}/a=*", folder) == ["a=1/x.csv", "a=2/x.csv"]
    assert train_neuron(f"{folder}/**/*.csv", "y", epochs=1).model.features == ["x"]
    (folder / "b=1").symlink_to("b=1")
    assert found(f"{folder}/**/*.csv", folder) == ["x.csv"]
    with pytest.raises(TableError, match="b=1: a file of unknown format in a folder that is to be read"):
        found(folder, folder)


def test_links_to_folders_beside_are_followed(tmp_path):
    write(tmp_path / "rows" / "x.csv", pa.table({"x": [1.0, 2.0], "y": [0, 1]}))
    for k in (1, 2):
        (tmp_path / "all").mkdir(exist_ok=True)
        (tmp_path / "all" / f"a={k}").symlink_to("../rows")
    ref = ["all/a=1/x.csv", "all/a=2/x.csv"]
    assert found(tmp_path / "all", tmp_path) == ref
    assert found(f"{tmp_path}/all/**/*.csv", tmp_path) == ref
    assert found(f"{tmp_path}/**/*.csv", tmp_path) == [*ref, "rows/x.csv"]


@pytest.mark.parametrize("end", ["", "/**", "/**/*.csv"])
def test_links_that_branch_without_an_end(tmp_path, end):
    """Thirty folders, each with two links to the next one; and ten, each with links to all others."""
    for k in range(30):
        (tmp_path / "far" / f"k={k}").mkdir(parents=True)
        for name in "ab":
            (tmp_path / "far" / f"k={k}" / f"{name}=1").symlink_to(f"../k={k + 1}")
    for k in range(10):
        (tmp_path / "near" / f"k={k}").mkdir(parents=True)
        for other in {*range(10)} - {k}:
            (tmp_path / "near" / f"k={k}" / f"to={other}").symlink_to(f"../k={other}")
    for name in ("far", "near"):
        with pytest.raises(TableError, match=r"links lead to this folder in more than 1,000 ways: remove links"):
            search(f"{tmp_path}/{name}{end}", Local())
