"""Columns that have names: matched by name at every door, taken by position only if there are no names to go by."""

from collections import namedtuple

import numpy as np
import pytest

from tinynet_fast import MLP, Neuron, auto_rate, sweep, train_mlp, train_neuron, validate
from tinynet_fast.proof.trace import trace_neuron
from tinynet_fast.rows.frames import rows_for
from tinynet_fast.scoring import predict_file

NAMES = ["a", "b", "c"]
X = np.random.default_rng(0).normal(size=(60, 3)) * [1.0, 10.0, 1.0] + [0.0, 0.0, 5.0]
Y = (X[:, 0] - 0.1 * X[:, 1] > 0).astype(int)
NEURON = Neuron(weights=[2.0, -0.2, 0.5], bias=-2.5, features=NAMES)
NETWORK = MLP(
    weights=[np.array([[1.0, -1.0], [0.1, 0.2], [-0.3, 0.4]]), np.array([[2.0], [-1.0]])],
    biases=[np.array([0.5, -0.5]), np.array([0.1])],
    features=NAMES,
)


def columns(names):
    """The columns with these names; columns that are no inputs hold text."""
    return {name: X[:, NAMES.index(name)] if name in NAMES else ["text"] * len(X) for name in names}


class Stream:
    """A frame of an unknown library: a stream of Arrow batches."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Interchange:
    """The same by the older protocol."""

    def __init__(self, frame):
        self.frame = frame

    def __dataframe__(self, *how, **options):
        return self.frame.__dataframe__(*how, **options)


def make(kind, table):
    """A frame of a library, of a dict of columns."""
    if kind == "structured":
        types = [(name, float if isinstance(values, np.ndarray) else "U8") for name, values in table.items()]
        rows = np.empty(len(X), dtype=types)
        for name, values in table.items():
            rows[name] = values
        return rows
    if kind in ("dicts", "named tuples"):
        rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        return rows if kind == "dicts" else [namedtuple("Row", row)(**row) for row in rows]
    library = "pandas" if kind == "Series" else kind.partition(" ")[0]
    module = pytest.importorskip(library, reason=f"{library} makes the frames")
    if library == "pyarrow":
        arrow = module.table(table)
        if kind == "pyarrow batch":
            return module.RecordBatch.from_pydict({name: arrow[name].combine_chunks() for name in table})
        return {"pyarrow": arrow, "pyarrow stream": Stream(arrow), "pyarrow interchange": Interchange(arrow)}[kind]
    if library == "narwhals":
        return module.from_native(pytest.importorskip("polars").DataFrame(table))
    frame = module.DataFrame(table)
    return [row for _, row in frame.iterrows()] if kind == "Series" else frame


KINDS = ["pandas", "polars", "narwhals", "pyarrow", "pyarrow batch", "structured", "dicts", "named tuples", "Series"]
READ_ONLY = ["pyarrow stream", "pyarrow interchange"]  # of these a trainer streams the first
OTHERS = [["c", "a", "b"], ["z", "b", "c", "a"]]  # in another order; and with a column more, which is text


@pytest.mark.parametrize("kind", [*KINDS, *READ_ONLY])
@pytest.mark.parametrize("model", [NEURON, NETWORK], ids=["neuron", "network"])
def test_predictions(kind, model):
    for names in OTHERS:
        frame = make(kind, columns(names))
        for predict in (model.predict, model.predict_proba, model.decision_function):
            np.testing.assert_array_equal(predict(frame), predict(X))
        assert model.score(frame, Y) == model.score(X, Y)
        assert model.loss(frame, Y) == model.mean_loss(frame, Y) == model.loss(X, Y)
    for names, missing in ((["a", "b"], "no column 'c'"), (["b", "d"], "no columns 'a', 'c'")):
        with pytest.raises(ValueError, match=f"X has {missing}, which the model has; it has {', '.join(names)}: add"):
            model.predict(make(kind, columns(names)))


@pytest.mark.parametrize("kind", KINDS)
def test_validation_rows(kind):
    how = {"epochs": 3, "learning_rate": 0.001}
    train = make(kind, columns(NAMES))
    for trainer, extra in ((train_neuron, {}), (train_mlp, {"seed": 0})):
        ref = trainer(X, Y, validation=(X[:20], Y[:20]), **how, **extra)
        for names in OTHERS:
            held = {name: values[:20] for name, values in columns(names).items()}
            comp = trainer(train, Y, validation=(rows(kind, held), Y[:20]), **how, **extra)
            assert comp.model.features == NAMES
            np.testing.assert_array_equal(comp.validation_loss_history, ref.validation_loss_history)
        with pytest.raises(ValueError, match="validation X has no column 'b', which X has; it has a, c: add or rename"):
            trainer(train, Y, validation=(make(kind, columns(["a", "c"])), Y), **how, **extra)


def test_validation_rows_of_a_run_from_a_file(tmp_path):
    """The file's names are the training rows' names; labels may be a column here as well."""
    csv = pytest.importorskip("pyarrow.csv")
    csv.write_csv(make("pyarrow", columns(NAMES) | {"passed": Y}), tmp_path / "rows.csv")
    held = make("pyarrow", {name: values[:20] for name, values in (columns(OTHERS[1]) | {"passed": Y}).items()})
    comp = train_neuron(tmp_path / "rows.csv", "passed", epochs=2, validation=(held, "passed"))
    ref = train_neuron(X, Y, epochs=2, validation=(X[:20], Y[:20]))
    np.testing.assert_allclose(comp.validation_loss_history, ref.validation_loss_history, rtol=1e-12)


def rows(kind, table):
    """`make` of fewer rows than `X` has."""
    if kind != "structured":
        return make(kind, table)
    return make(kind, columns(table))[: len(next(iter(table.values())))]


@pytest.mark.parametrize("kind", KINDS)
def test_other_trainers(kind):
    """A sweep and a rate search take named columns as they stand; the labels may be a column's name."""
    frame = make(kind, columns(NAMES) | {"passed": Y.astype(float)})
    assert sweep(frame, "passed").features == NAMES
    np.testing.assert_array_equal(sweep(frame, "passed").weights, sweep(X, Y).weights)
    assert auto_rate(frame, "passed").learning_rate == auto_rate(X, Y).learning_rate
    for features in (["c", "a"], np.array(["c", "a"])):
        comp = train_neuron(frame, "passed", features=features, epochs=2)
        assert comp.model.features == ["c", "a"]
        np.testing.assert_array_equal(comp.model.weights, train_neuron(X[:, [2, 0]], Y, epochs=2).model.weights)
    for features in ("c", [0, 1], 1):
        with pytest.raises(ValueError, match="features: a list of column names is needed"):
            train_neuron(frame, "passed", features=features)
    for features in ([], ["a", "a"], ["a", "passed"]):
        with pytest.raises(ValueError, match="features: name at least one column beside the target, and each once"):
            train_neuron(frame, "passed", features=features)
    assert NEURON.score(frame, "passed") == NEURON.score(X, Y)
    assert NEURON.loss(frame, "passed") == NEURON.loss(X, Y)
    with pytest.raises(ValueError, match=r"X has no column 'z'; it has a, b, c, passed$"):
        NEURON.score(frame, "z")
    with pytest.raises(ValueError, match="y is 'passed', a column's name, and X is a ndarray without named columns"):
        NEURON.score(X, "passed")


def test_validate_takes_a_frame():
    frame = make("pyarrow", columns(NAMES) | {"passed": Y})
    assert validate(frame, "passed", engines=()).verdicts == []
    with pytest.raises(ValueError, match="no column 'q'"):
        validate(frame, "q", engines=())


@pytest.mark.parametrize("model", [NEURON, NETWORK], ids=["neuron", "network"])
def test_one_row(model):
    ref = model.predict_proba(X[3])
    by_name = dict(zip(NAMES, X[3].tolist(), strict=True))
    for row in ({"z": "text"} | {name: by_name[name] for name in ("c", "a", "b")}, [by_name]):
        np.testing.assert_array_equal(model.predict_proba(row), ref)
    Row = namedtuple("Row", ["c", "b", "a"])
    np.testing.assert_array_equal(model.predict_proba(Row(*X[3, ::-1].tolist())), ref)
    with pytest.raises(ValueError, match="X has no column 'c', which the model has; it has a, b: add or rename it"):
        model.predict({"a": 1.0, "b": 2.0})
    with pytest.raises(ValueError, match=r"X\[0, 'b'\] is missing"):
        model.predict(by_name | {"b": None})
    with pytest.raises(ValueError, match=r"X is a dict of columns: pass a frame, such as pyarrow\.table\(X\)"):
        model.predict({name: [1.0, 2.0] for name in NAMES})
    with pytest.raises(ValueError, match=r"X\[1\] has no 'c'; it has a, b"):
        model.predict([by_name, {"a": 1.0, "b": 2.0}])
    with pytest.raises(ValueError, match=r"X\[1\] has no names and X\[0\] has"):
        model.predict([by_name, [1.0, 2.0, 3.0]])


def test_a_series_is_a_row_or_a_column():
    pandas = pytest.importorskip("pandas")
    row = pandas.Series(X[3], NAMES)
    ref = NEURON.predict_proba(X[3])
    np.testing.assert_array_equal(NEURON.predict_proba(row[["c", "a", "b"]]), ref)
    mixed = pandas.concat([pandas.Series({"z": "text"}), row])  # of dtype object
    np.testing.assert_array_equal(NEURON.predict_proba(mixed), ref)
    np.testing.assert_array_equal(NEURON.predict_proba(row.reset_index(drop=True)), ref)
    with pytest.raises(ValueError, match="X has no column 'c', which the model has; it has a, b"):
        NEURON.predict(row[["a", "b"]])
    with pytest.raises(ValueError, match="no columns 'a', 'b', 'c'"):
        NEURON.predict(pandas.Series(X[3], [7, 8, 9]))  # three rows of a longer column, say
    one = Neuron(weights=[2.0], bias=-5.0, features=["hours"])
    column = pandas.Series([1.0, 2.5, 4.0], ["Ann", "Bob", "Eve"], name="hours")
    assert one.predict(column).tolist() == [0, 1, 1]
    assert one.predict(pandas.Series({"z": 0.0, "hours": 4.0})).tolist() == [1]


def test_labels_that_are_no_text():
    pandas = pytest.importorskip("pandas")
    default = pandas.DataFrame(X)
    nameless = Neuron(weights=NEURON.weights, bias=NEURON.bias)
    ref = NEURON.predict_proba(X)
    assert train_neuron(default, Y, epochs=1).model.features is None
    np.testing.assert_array_equal(NEURON.predict_proba(default), ref)  # 0, 1, 2 are no names
    np.testing.assert_array_equal(nameless.predict_proba(default[[2, 0, 1]]), ref)  # but say which input is which
    np.testing.assert_array_equal(nameless.predict_proba(default.rename(columns=str)), ref)
    with pytest.raises(ValueError, match="no columns 'a', 'b', 'c', which the model has; it has 2, 0, 1"):
        NEURON.predict(default[[2, 0, 1]])
    with pytest.raises(ValueError, match="X has 4 columns where the model has 3 inputs: pass the columns"):
        nameless.predict(default.assign(more=0.0))

    wide = pandas.DataFrame(np.column_stack([X, X, X]))
    comp = train_neuron(wide[[7, 3]], Y, epochs=2).model
    assert comp.features == ["7", "3"]
    ref = comp.predict_proba(X[:, [1, 0]])
    for frame in (wide[[3, 7]], wide):
        np.testing.assert_array_equal(comp.predict_proba(frame), ref)
    two_levels = pandas.DataFrame(X, columns=pandas.MultiIndex.from_tuples([("x", "a"), ("x", "b"), ("y", 1)]))
    comp = train_neuron(two_levels, Y, epochs=2).model
    assert comp.features == ["('x', 'a')", "('x', 'b')", "('y', 1)"]
    np.testing.assert_array_equal(comp.predict_proba(two_levels.iloc[:, ::-1]), comp.predict_proba(X))


def test_a_column_that_is_there_twice():
    pandas, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    twice = pandas.DataFrame(X[:, [0, 1, 2, 0]], columns=["a", "b", "c", "a"]), pa.table([*X.T, X[:, 0]], [*NAMES, "a"])
    refused = pytest.raises(ValueError, match="X has 2 columns named 'a': rename or drop one")
    for frame in twice:
        for use in (NEURON.predict, lambda frame: train_neuron(frame, Y), lambda frame: sweep(frame, "c")):
            with refused:
                use(frame)
        with refused:
            train_neuron(frame, Y, features=["a", "b"])
        assert train_neuron(frame, Y, features=["c", "b"], epochs=1).model.features == ["c", "b"]
        assert Neuron(weights=[1.0], features=["b"]).predict(frame).shape == (60,)  # what is not read may be twice


def test_starting_weights():
    pandas, frame = pytest.importorskip("pandas"), make("pyarrow", columns(NAMES))
    start, how = [1.0, 2.0, 3.0], {"epochs": 1, "learning_rate": 1e-4}
    ref = train_neuron(X, Y, weights=start, **how).model.weights
    for weights in (pandas.Series({"c": 3.0, "a": 1.0, "b": 2.0}), {"b": 2.0, "c": 3.0, "a": 1.0}):
        np.testing.assert_array_equal(train_neuron(frame, Y, weights=weights, **how).model.weights, ref)
        np.testing.assert_array_equal(sweep(frame, Y, weights=weights).weights, sweep(X, Y, weights=start).weights)
        comp, rate = auto_rate(frame, Y, weights=weights), auto_rate(X, Y, weights=start)
        assert comp.learning_rate == rate.learning_rate
    with pytest.raises(ValueError, match="weights has no column 'b', which X has; it has a, c"):
        train_neuron(frame, Y, weights={"a": 1.0, "c": 3.0})
    step = trace_neuron({"a": 1.0, "b": 2.0}, 1, weights={"b": 4.0, "a": 3.0})
    assert (step.features, step.weights_before) == (["a", "b"], [3.0, 4.0])


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "structured", "dicts"])
def test_blocks(kind, tmp_path):
    """The first block's names say which columns the next ones give."""

    def blocks(*orders, labels=True):
        def make_blocks():
            for i, names in enumerate(orders):
                part = slice(20 * i, 20 * i + 20)
                block = rows(kind, {name: values[part] for name, values in columns(names).items()})
                block = make(kind, columns(names))[part] if kind == "structured" else block
                yield (block, Y[part]) if labels else block

        return make_blocks

    how = {"epochs": 2, "learning_rate": 0.01}
    ref = train_neuron(X, Y, **how).model
    comp = train_neuron(blocks(NAMES, *OTHERS), **how).model
    assert comp.features == NAMES
    np.testing.assert_array_equal(comp.weights, ref.weights)
    few = train_neuron(blocks(*OTHERS, NAMES), features=["c", "a"], **how).model
    assert few.features == ["c", "a"]
    np.testing.assert_array_equal(few.weights, train_neuron(X[:, [2, 0]], Y, **how).model.weights)
    with pytest.raises(ValueError, match="block 1: X has no column 'b', which the first block has; it has a, c"):
        train_neuron(blocks(NAMES, ["a", "c"]), **how)

    output = tmp_path / "answers.csv"
    for data in (blocks(*OTHERS, NAMES, labels=False), rows(kind, columns(OTHERS[1]))):
        assert predict_file(NEURON, data, output) == 60
        answers = np.loadtxt(output, delimiter=",", skiprows=1, usecols=1)
        np.testing.assert_allclose(answers, NEURON.predict_proba(X), rtol=1e-14)
    with pytest.raises(ValueError, match="block 0: X has no column 'c'"):
        predict_file(NEURON, blocks(["a", "b"], labels=False), output)


def test_blocks_without_names(tmp_path):
    how = {"epochs": 1, "learning_rate": 0.01}
    with pytest.raises(ValueError, match="features: the columns of blocks have no names"):
        train_neuron(lambda: iter([(X, Y)]), features=NAMES)
    mixed = [(make("dicts", columns(NAMES)), Y), (X[:, :3], Y)]  # a block without names gives its columns as they stand
    comp = train_neuron(lambda: iter(mixed), **how).model
    np.testing.assert_array_equal(comp.weights, train_neuron(np.vstack([X, X]), np.tile(Y, 2), **how).model.weights)
    assert predict_file(NEURON, X, tmp_path / "answers.csv") == 60


def test_missing_values_in_blocks():
    """Of columns and labels of any type, with the column's name, or left out on demand."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(columns(NAMES))
    frame["b"] = frame["b"].round().astype("Int64")
    whole = frame.copy()
    frame.loc[3, "b"] = pandas.NA
    text = pandas.Series(np.where(Y == 1, "yes", "no"), dtype="str")
    labels = pandas.Series(text, dtype="category")
    labels[5] = None
    with pytest.raises(ValueError, match="block 0, row 4, column 'b': the value is missing"):
        train_neuron(lambda: iter([(frame, Y)]), epochs=1)
    with pytest.raises(ValueError, match="block 0, row 6, the label: the value is missing"):
        train_neuron(lambda: iter([(whole, labels)]), epochs=1)
    comp = train_neuron(lambda: iter([(frame, labels)]), epochs=2, drop_missing=True, learning_rate=0.01)
    keep = np.delete(np.arange(60), [3, 5])
    ref = train_neuron(whole.iloc[keep], text[keep], epochs=2, learning_rate=0.01)
    assert comp.dropped_rows == 2
    assert comp.model.labels.tolist() == ["no", "yes"]
    np.testing.assert_array_equal(comp.model.weights, ref.model.weights)


def test_pictures():
    plots = pytest.importorskip("tinynet_fast.plots")
    pytest.importorskip("matplotlib", reason="matplotlib draws")
    model = Neuron(weights=[2.0, -0.2], bias=0.3, features=["a", "b"])

    def drawn(ax):
        return [np.asarray(line.get_xydata()) for line in ax.lines] + [dots.get_offsets() for dots in ax.collections]

    for picture in (plots.decision_boundary, plots.calibration_curve, plots.thresholds):
        ref = drawn(picture(model, X[:, :2], Y))
        for frame, y in (
            (make("pyarrow", columns(OTHERS[0])), Y),
            (make("pyarrow", columns(OTHERS[1]) | {"passed": Y}), "passed"),
        ):
            for comp_part, ref_part in zip(drawn(picture(model, frame, y)), ref, strict=True):
                np.testing.assert_array_equal(comp_part, ref_part)
        with pytest.raises(ValueError, match="X has no column 'b', which the model has"):
            picture(model, make("pyarrow", columns(["a", "c"])), Y)


def test_pictures_of_sparse_rows():
    plots, sparse = pytest.importorskip("tinynet_fast.plots"), pytest.importorskip("scipy.sparse")
    pytest.importorskip("matplotlib", reason="matplotlib draws")
    model = Neuron(weights=[2.0, -0.2, 0.5], bias=-2.5)
    for picture in (plots.calibration_curve, plots.thresholds):
        comp, ref = picture(model, sparse.csr_array(X), Y), picture(model, X, Y)
        for comp_line, ref_line in zip(comp.lines, ref.lines, strict=True):
            np.testing.assert_allclose(comp_line.get_xydata(), ref_line.get_xydata(), rtol=1e-12)
    two = Neuron(weights=[2.0, -0.2])
    assert len(plots.decision_boundary(two, sparse.csr_array(X[:, :2]), Y).collections) == len(
        plots.decision_boundary(two, X[:, :2], Y).collections
    )


def test_frames_that_are_not_in_memory():
    polars = pytest.importorskip("polars")
    lazy = polars.LazyFrame(columns(NAMES))
    refused = pytest.raises(ValueError, match=r"X is a LazyFrame, whose rows are not in memory: pass X\.collect\(\)")
    for use in (NEURON.predict, NETWORK.predict, lambda rows: train_neuron(rows, Y), lambda rows: sweep(rows, "a")):
        with refused:
            use(lazy)
    np.testing.assert_array_equal(NEURON.predict(lazy.collect()), NEURON.predict(X))
    Cluster = type("DataFrame", (), {"__module__": "pyspark.sql.dataframe", "columns": NAMES})
    with pytest.raises(ValueError, match=r"X is a frame of a cluster, .* use tinynet_fast\.spark"):
        NEURON.predict(Cluster())


def test_arrays_pass_as_they_are():
    """Rows without names cost nothing: they are not copied and not looked at."""
    assert rows_for(X, NAMES, 3) is X
    assert rows_for(X, None, 3) is X
    frame = make("pandas", columns(NAMES))
    frame_of_floats = frame[NAMES].astype(float)
    assert np.shares_memory(rows_for(frame_of_floats, NAMES, 3), frame_of_floats.to_numpy())
