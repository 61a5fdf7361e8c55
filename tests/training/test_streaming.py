"""Rows that are read while training have the bits of the same rows in memory, wherever they are cut."""

import itertools

import numpy as np
import pytest
from compare import parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynet_fast import sweep, train_mlp, train_neuron
from tinynet_fast.rows import kept
from tinynet_fast.rows.blocks import Order
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.stream import HoldOut

pa = pytest.importorskip("pyarrow", reason="pyarrow reads the files")
from pyarrow import csv, feather, parquet  # noqa: E402

ROWS = make_pass_fail(3000, 3)
Y = ROWS.y.astype(np.int64)


@pytest.fixture(autouse=True, scope="module")
def nothing_is_kept():
    """Rows are handled as if they did not fit in memory. `test_kept.py` tests rows that do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "MEMORY_BYTES", 0)
        yield


def table(X, y):
    return pa.table({**{f"x{j}": X[:, j] for j in range(X.shape[1])}, "y": y})


def write(folder, kind, X, y, cuts, group=None):
    """Write the rows to files of one kind, cut at `cuts`; returns what to pass as X and y."""
    paths = []
    for i, (a, b) in enumerate(itertools.pairwise([0, *cuts, len(X)])):
        path = folder / f"part{i:03}.{kind}"
        part = table(X[a:b], y[a:b])
        if kind == "parquet":
            parquet.write_table(part, path, row_group_size=group)
        elif kind == "csv":
            csv.write_csv(part, path)
        elif kind == "feather":
            feather.write_feather(part, path, chunksize=group)
        else:
            np.save(path, np.column_stack([X[a:b], y[a:b]]))
        paths.append(path)
    return paths, -1 if kind == "npy" else "y"


def blocks(X, y, size):
    return lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, len(X), size))


def same(a, b):
    np.testing.assert_array_equal(parameters(a), parameters(b))
    assert a.engine == b.engine
    assert a.rows == b.rows


NEURONS = [
    {},
    {"average": True, "l2": 1e-3, "schedule": "invscaling"},
    {"l1": 1e-3},
    {"schedule": "cosine"},
    {"standardize": True},
    {"shuffle": "blocks", "seed": 3},
    {"learning_rate": 30.0},  # overshoots: for the strict engine
]
NETWORKS = [
    {},
    {"batch_size": 32, "momentum": 0.9},
    {"batch_size": 700, "dropout": 0.2},
    {"batch_size": 37, "optimizer": "adam", "learning_rate": 0.01, "standardize": True},
    {"batch_size": 64, "shuffle": "blocks"},
]


@pytest.mark.parametrize("name", ["fast", "strict", "numpy"])
@pytest.mark.parametrize(
    ("train", "options"), [*((train_neuron, o) for o in NEURONS), *((train_mlp, o) for o in NETWORKS)]
)
def test_files_train_to_the_bits_of_memory(tmp_path, monkeypatch, name, train, options):
    monkeypatch.setattr(Order, "BLOCK_VALUES", 3 * 400)
    options = {"epochs": 2, "engine": name, "seed": 1} | options
    memory = train(ROWS.X, Y, **options)
    for kind in ("parquet", "csv"):
        if kind == "csv" and options.get("shuffle"):
            continue
        X, y = write(tmp_path, kind, ROWS.X, Y, [1, 900], group=333)
        same(train(X, y, **options), memory)


@given(data=st.data())
@settings(max_examples=25)
def test_however_they_are_cut(data, tmp_path_factory):
    n = data.draw(st.integers(2, 1500))
    X, y = ROWS.X[:n], np.append([0, 1], Y)[:n]
    if data.draw(st.booleans()):
        X = X.astype(np.float32)
    cuts = sorted(data.draw(st.sets(st.integers(1, n - 1), max_size=3)))
    kind = data.draw(st.sampled_from(["parquet", "feather", "npy", "blocks"]))
    options = data.draw(
        st.sampled_from([{}, {"average": True}, {"standardize": True}, {"shuffle": "blocks", "seed": 0}])
    )
    options = options | {
        "epochs": data.draw(st.integers(1, 3)),
        "engine": data.draw(st.sampled_from(["fast", "strict"])),
    }
    if kind == "blocks":
        options.pop("shuffle", None)
        source, target = blocks(X, y, data.draw(st.integers(1, n))), None
    else:
        folder = tmp_path_factory.mktemp("cut")
        source, target = write(folder, kind, X, y, cuts, group=data.draw(st.integers(1, n)))
        if kind == "npy":
            X = X.astype(np.float64)  # beside labels of int64
    before, Order.BLOCK_VALUES = Order.BLOCK_VALUES, 3 * 256
    try:
        same(train_neuron(source, target, **options), train_neuron(X, y, **options))
    finally:
        Order.BLOCK_VALUES = before


def test_frames_and_columns_by_name():
    frame = table(ROWS.X, Y)
    same(train_neuron(frame, "y", epochs=2), train_neuron(ROWS.X, Y, epochs=2))
    few = train_neuron(frame, "y", features=["x2", "x0"], epochs=2)
    same(few, train_neuron(ROWS.X[:, [2, 0]], Y, epochs=2))
    assert few.model.features == ["x2", "x0"]
    with pytest.raises(ValueError, match="no column 'z'; it has x0, x1, x2, y"):
        train_neuron(frame, "z")
    polars = pytest.importorskip("polars", reason="polars has frames that are not in memory")
    with pytest.raises(ValueError, match=r"X is a LazyFrame, whose rows are not in memory: pass X\.collect\(\)"):
        train_neuron(polars.LazyFrame({"x": [1.0, 2.0], "y": [0, 1]}), "y")
    with pytest.raises(ValueError, match="y is 'y', a column's name, and X is a ndarray without named columns"):
        train_neuron(ROWS.X, "y")


def test_readers_that_can_be_read_once():
    part = table(ROWS.X, Y)
    memory = train_neuron(ROWS.X, Y, epochs=1)
    same(train_neuron(part.to_reader(), "y", epochs=1, labels=[0, 1]), memory)
    same(train_neuron(blocks(ROWS.X, Y, 100)(), epochs=1, labels=[0, 1]), memory)
    for options, message in [
        ({"epochs": 1}, "name their labels beforehand"),
        ({"epochs": 2, "labels": [0, 1]}, "read once only: give epochs=1"),
        ({"epochs": 1, "labels": [0, 1], "validation": 0.5}, "reads the rows again"),
        ({"epochs": 1, "labels": [0, 1], "standardize": True}, "counted or measured first"),
    ]:
        with pytest.raises(ValueError, match=message):
            train_neuron(part.to_reader(), "y", **options)


def test_a_reader_whose_later_rows_overshoot_goes_on_with_strict():
    X = ROWS.X.copy()
    X[2500] *= 100.0
    result = train_neuron(blocks(X, Y, 500)(), epochs=1, labels=[0, 1])
    assert result.engine == "strict"
    np.testing.assert_allclose(parameters(result), parameters(train_neuron(X, Y, epochs=1)), rtol=1e-12)


def test_labels_say_which_is_learned(tmp_path):
    text = np.where(Y == 1, "fail", "pass")
    X, y = write(tmp_path, "csv", ROWS.X, text, [])
    one = train_neuron(X, y, epochs=1, labels=["pass", "fail"])
    same(one, train_neuron(ROWS.X, Y, epochs=1))
    assert one.model.labels.tolist() == ["pass", "fail"]
    same(train_neuron(ROWS.X, text, epochs=1, labels=["pass", "fail"]), one)
    same(train_neuron(X, y, epochs=1), train_neuron(ROWS.X, text, epochs=1))
    for train in (train_neuron, train_mlp):
        for given_labels, message in [
            (["pass"], "names 1"),
            (["pass", "pass"], "different labels"),
            ("ab", "a list of different labels"),
        ]:
            with pytest.raises(ValueError, match=message):
                train(X, y, labels=given_labels)
    with pytest.raises(ValueError, match="no row has the label 2"):
        train_mlp(ROWS.X, Y, labels=[0, 1, 2], epochs=1)


def test_three_labels(tmp_path):
    many = np.arange(3000) % 3
    X, y = write(tmp_path, "parquet", ROWS.X, many, [1500])
    same(train_mlp(X, y, epochs=2, batch_size=10, seed=0), train_mlp(ROWS.X, many, epochs=2, batch_size=10, seed=0))
    with pytest.raises(ValueError, match="labels 0, 1, 2: this trains pass or fail"):
        train_neuron(X, y)
    late = Y.copy()
    late[2000] = 7
    X, y = write(tmp_path, "parquet", ROWS.X, late, [1500], group=100)
    with pytest.raises(TableError, match=r"part001.parquet, row 501: the label 7 is not among 0, 1"):
        train_neuron(X, y, epochs=1)
    X, y = write(tmp_path, "csv", ROWS.X[:10], np.zeros(10, int), [])
    with pytest.raises(ValueError, match="one label only, 0"):
        train_neuron(X, y)


def test_rows_are_held_out_by_number(tmp_path):
    X, y = write(tmp_path, "csv", ROWS.X, Y, [7, 2000])
    held = HoldOut(0.25, 5).held(0, 3000)
    np.testing.assert_array_equal(
        held, np.concatenate([HoldOut(0.25, 5).held(i, i + 100) for i in range(0, 3000, 100)])
    )
    assert 0.22 < held.mean() < 0.28
    assert not np.array_equal(held, HoldOut(0.25, 6).held(0, 3000))
    result = train_neuron(X, y, epochs=2, validation=0.25, seed=5)
    memory = train_neuron(ROWS.X[~held], Y[~held], epochs=2, validation=(ROWS.X[held], Y[held]))
    same(result, memory)
    np.testing.assert_allclose(result.validation_loss_history, memory.validation_loss_history, rtol=1e-13)
    files = write(tmp_path, "parquet", ROWS.X, Y, [500], group=100)
    again = train_neuron(*files, epochs=2, validation=0.25, seed=5)
    same(again, result)
    np.testing.assert_array_equal(again.validation_loss_history, result.validation_loss_history)
    shuffled = train_neuron(*files, epochs=1, validation=0.25, seed=5, shuffle="blocks")
    assert shuffled.rows == memory.rows
    assert abs(shuffled.model.bias - train_neuron(*files, epochs=1, validation=0.25, seed=5).model.bias) > 0.0
    with pytest.raises(ValueError, match=r"validation=2\.0 is no share"):
        train_neuron(X, y, validation=2.0)


def test_a_rate_is_found_among_the_first_rows(tmp_path):
    X, y = write(tmp_path, "csv", ROWS.X, Y, [])
    result = train_neuron(X, y, epochs=1, learning_rate="auto")
    same(result, train_neuron(ROWS.X, Y, epochs=1, learning_rate="auto"))
    assert result.rate_search.rows == 3000


def test_missing_values_can_be_left_out(tmp_path):
    X = ROWS.X.copy()
    X[[5, 6, 2999], [0, 1, 2]] = np.nan
    source, y = write(tmp_path, "parquet", X, Y, [100])
    with pytest.raises(TableError, match=r"part000.parquet, row 6, column 'x0'"):
        train_neuron(source, y)
    kept = np.isfinite(X).all(axis=1)
    result = train_neuron(source, y, epochs=2, drop_missing=True)
    same(result, train_neuron(X[kept], Y[kept], epochs=2))
    assert result.dropped_rows == result.model.training["dropped_rows"] == 3
    with pytest.raises(ValueError, match="drop them from X and y yourself"):
        train_neuron(ROWS.X, Y, drop_missing=True)


def test_options_that_rows_outside_memory_do_not_have(tmp_path):
    X, y = write(tmp_path, "csv", ROWS.X, Y, [])
    for options, message in [
        ({"shuffle": True}, "shuffle='blocks', which shuffles blocks"),
        ({"shuffle": "blocks"}, "for which Parquet, Arrow files and .npy are made"),
        ({"shuffle": "rows"}, "True or False, or 'blocks', is needed"),
        ({"sample_weight": np.ones(3000)}, "sample_weight is for rows in memory"),
    ]:
        with pytest.raises(ValueError, match=message):
            train_neuron(X, y, **options)
    with pytest.raises(ValueError, match="sweep reads its rows again and again"):
        sweep(X, y, learning_rate=[0.1])


def test_a_file_that_changes_between_epochs(tmp_path):
    (path,), y = write(tmp_path, "csv", ROWS.X, Y, [])

    def cut(epoch):
        with path.open("r+b") as file:
            file.truncate(1000)

    with pytest.raises(TableError, match=r"part000.csv: its size changed from .* to 1,000 bytes"):
        train_neuron(path, y, epochs=3, callback=cut)
    rows = [3000]
    with pytest.raises(TableError, match=r"the rows were 3,000 and are 2,000 now"):
        train_neuron(
            lambda: iter([(ROWS.X[: rows[-1]], Y[: rows[-1]])]), epochs=2, callback=lambda epoch: rows.append(2000)
        )


def test_divergence_names_a_safe_rate(tmp_path):
    from tinynet_fast import TrainingDivergedError

    X, y = write(tmp_path, "parquet", ROWS.X, Y, [])
    with pytest.raises(TrainingDivergedError, match="is safe for this data"):
        train_neuron(X, y, learning_rate=1e308)


def test_standardised_training_is_that_of_standardised_rows():
    X = ROWS.X * [1.0, 100.0, 1e-3] + [0.0, 1e4, 5.0]
    result = train_neuron(X, Y, epochs=2, standardize=True, average=True)
    by_hand = train_neuron((X - X.mean(axis=0)) / X.std(axis=0), Y, epochs=2, average=True)
    np.testing.assert_allclose(result.loss_history, by_hand.loss_history, rtol=1e-9)
    probabilities = by_hand.model.predict_proba((X - X.mean(axis=0)) / X.std(axis=0))
    np.testing.assert_allclose(result.model.predict_proba(X), probabilities, rtol=1e-7)
    seen = []
    train_mlp(
        X, Y, epochs=1, standardize=True, seed=0, callback=lambda epoch: seen.append(epoch.model.predict_proba(X))
    )
    final = train_mlp(X, Y, epochs=1, standardize=True, seed=0).model.predict_proba(X)
    np.testing.assert_array_equal(seen[0], final)


@pytest.mark.parametrize("options", [{"standardize": True}, {"validation": 0.2, "seed": 0}])
def test_rows_are_counted_and_measured_in_one_pass(options):
    def passes(**options):
        seen = []

        def rows():
            seen.append(1)
            yield ROWS.X, Y

        train_mlp(rows, labels=[0, 1], epochs=1, **options)
        return len(seen)

    held_out = "validation" in options  # its loss takes another pass
    assert passes(**options) == passes() + held_out


def test_estimators_take_sources(tmp_path):
    sk = pytest.importorskip("tinynet_fast.sklearn", reason="scikit-learn is what it is for")
    pandas = pytest.importorskip("pandas", reason="its frames have names")
    X, y = write(tmp_path, "csv", ROWS.X, Y, [100, 777])
    named = pandas.DataFrame(ROWS.X, columns=["x0", "x1", "x2"])
    for make in (
        lambda: sk.SGDClassifier(loss="log_loss", shuffle=False, learning_rate="constant"),
        lambda: sk.MLPClassifier((4,), shuffle=False, random_state=0, solver="sgd"),
    ):
        streamed = sk.partial_fit_stream(make(), X, y, epochs=2)
        memory = make()
        for _ in range(2):
            memory.partial_fit(ROWS.X, Y, classes=[0, 1])
        np.testing.assert_array_equal(streamed.predict_proba(named), memory.predict_proba(ROWS.X))
        with pytest.raises(ValueError, match="must be in the same order"):
            streamed.predict_proba(named[["x2", "x0", "x1"]])
        other = table(ROWS.X, Y).select(["y", "x1", "x2", "x0"])  # by name, and not by position
        same_again = sk.partial_fit_stream(streamed, other.to_reader(), "y")
        memory.partial_fit(ROWS.X, Y)
        np.testing.assert_array_equal(same_again.predict_proba(named), memory.predict_proba(ROWS.X))
        assert same_again.feature_names_in_.tolist() == ["x0", "x1", "x2"]
        with pytest.raises(ValueError, match="knows the features x0, x1, x2, and these are x1, x0"):
            sk.partial_fit_stream(streamed, other.to_reader(), "y", features=["x1", "x0"])
    with pytest.raises(ValueError, match="read once only: give epochs=1 and classes"):
        sk.partial_fit_stream(sk.SGDClassifier(loss="log_loss"), blocks(ROWS.X, Y, 9)())
    once = sk.partial_fit_stream(
        sk.SGDClassifier(loss="log_loss", shuffle=False), blocks(ROWS.X, Y, 9)(), classes=[0, 1]
    )
    assert once.t_ == 3001


@pytest.mark.parametrize(("share", "held", "words"), [(0.6, True, "leaves no row"), (0.4, False, "no row is held out")])
def test_a_share_of_few_rows_may_be_all_or_nothing(share, held, words):
    """Each row is held out by chance: some seeds hold out all three rows, and some none."""
    seed = next(seed for seed in range(1000) if (HoldOut(share, seed).held(0, 3) == held).all())
    with pytest.raises(ValueError, match=words):
        train_neuron(blocks(ROWS.X[:3], np.array([0, 1, 0]), 2), epochs=1, validation=share, seed=seed)
