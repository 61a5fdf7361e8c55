"""A rate that falls: `strict` trains while a step can overshoot, then `fast`; the same bits however rows are cut."""

import json

import numpy as np
import pytest
from compare import distance, flat, needs_numba, parameters
from hypothesis import example, given, settings
from hypothesis import strategies as st
from problems import SEEDS
from segment_runs import always, largest_rate, pass_fail

from tinynet_fast import train_neuron
from tinynet_fast.kernels import engines
from tinynet_fast.kernels.engines import FAST, STRICT
from tinynet_fast.rows import formats, kept
from tinynet_fast.rows.blocks import Order
from tinynet_fast.training import block_segments, checkpoints
from tinynet_fast.training.schedules import Penalties, Schedule
from tinynet_fast.training.strict_first import StrictFirst

X, Y = pass_fail(2000, 5, seed=3)
SAFE = largest_rate(X)
# Rates of which the first overshoot, and the number of rows for `strict` if 2,000 rows are trained for three epochs.
RUNS = {
    "invscaling": ({"schedule": "invscaling", "learning_rate": SAFE * 257.5**0.5}, 512),
    "in the second epoch": ({"schedule": "invscaling", "learning_rate": SAFE * 2300.0**0.5}, 2512),
    "at the end of an epoch": ({"schedule": "invscaling", "learning_rate": SAFE * 3990.0**0.5}, 4000),
    "cosine": ({"schedule": "cosine", "learning_rate": 3.0 * SAFE}, 4000 - 2000 + 1792),
    "optimal, l2": ({"schedule": "optimal", "l2": 0.01}, 512),
    "averaged": ({"schedule": "invscaling", "learning_rate": 20.0 * SAFE, "average": 100, "l2": 1e-3}, 512),
}


def rows_of_strict(result):
    """How many rows `strict` trained before `fast`; None if one engine trained all rows."""
    _, found, text = str(result.engine).partition(", after strict for ")
    return int(text.removesuffix(" rows").replace(",", "")) if found else None


def expected(X, options, epochs, sample_weight=None):
    """The number of rows for `strict`, found without bisection."""
    penalties = options.get("l2", 0.0)
    rates = Schedule(options["learning_rate"], options["schedule"], options.get("power_t", 0.5), penalties)
    n = len(X)
    rates.updates = epochs * n
    bounds = (X**2).sum(axis=1) + 1.0
    largest = (bounds if sample_weight is None else bounds * sample_weight).max()
    first = np.count_nonzero(rates.rates(0, epochs * n) * largest > 8.0)
    return first // n * n + min(-(-(first % n) // 256) * 256, n)


def by_hand(X, y, options, strict_rows, epochs=3):
    """The weights, the bias and each epoch's loss: the kernels of `strict` for some rows, then those of `fast`."""
    n, d = X.shape
    penalties = Penalties(options.get("l2", 0.0), 0.0, options.get("average", False), "log_loss")
    rates = Schedule(options.get("learning_rate", 0.1), options["schedule"], 0.5, penalties.l2)
    rates.updates = epochs * n
    weights, bias, means, paid = np.zeros(d), np.zeros(1), np.zeros(d + 1), np.zeros(d + 1)
    history = []
    for epoch in range(epochs):
        loss, cut = np.zeros(1), min(max(strict_rows - epoch * n, 0), n)
        for engine, part in ((STRICT, slice(0, cut)), (FAST, slice(cut, n))):
            row = epoch * n + part.start
            rows, labels, steps = X[part], y[part], rates.rates(row, part.stop - part.start)
            if penalties.none:
                engine.kernels.sgd_epochs(rows, labels, steps, weights, bias, loss)
            else:
                schedule_rows = penalties.schedule_rows(steps, None, row)
                arrays = weights, bias, means, paid
                engine.kernels.sgd_regularized_epochs(
                    rows, labels, schedule_rows, engine.own(np.array([0.0, 0.0, 1.0])), *arrays, loss
                )
        history.append(loss[0])
    return np.concatenate([means if penalties.average_from else np.append(weights, bias), history])


def check_by_hand(name):
    options, strict_rows = RUNS[name]
    assert strict_rows == expected(X, {"learning_rate": 1.0, **options}, 3)
    result = train_neuron(X, Y, epochs=3, **options)
    assert result.engine == "fast"
    assert rows_of_strict(result) == strict_rows
    np.testing.assert_array_equal(parameters(result), by_hand(X, Y, options, strict_rows))


@pytest.mark.parametrize("name", RUNS)
def test_the_bits_are_those_of_strict_and_then_of_fast(name):
    check_by_hand(name)


@pytest.mark.parametrize("name", ["invscaling", "in the second epoch"])
def test_a_row_early_is_seen(name, monkeypatch):
    """As a planted mistake: the place is off by a row, before and after it is rounded up to a tile."""
    find, is_safe = StrictFirst._find, StrictFirst._is_safe
    monkeypatch.setattr(StrictFirst, "_find", lambda self: find(self) - 1)
    with pytest.raises(AssertionError):
        check_by_hand(name)
    monkeypatch.setattr(StrictFirst, "_find", find)
    if name == "invscaling":  # 257 rows, at the beginning of a tile
        monkeypatch.setattr(StrictFirst, "_is_safe", lambda self, row, length: is_safe(self, row + 1, length))
        with pytest.raises(AssertionError):
            check_by_hand(name)


@given(SEEDS, st.data())
def test_any_rate_that_falls_has_the_weights_of_the_reference(seed, data):
    rng = np.random.default_rng(seed)
    n, d = data.draw(st.integers(2, 700)), data.draw(st.integers(1, 9))
    X = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-1, 2, d)
    y = (X @ rng.standard_normal(d) + rng.standard_normal(n) > 0).astype(float)
    y[:2] = 0.0, 1.0
    weight = 0.1 + rng.random(n) if data.draw(st.booleans()) else None
    options = {
        "schedule": data.draw(st.sampled_from(["invscaling", "cosine", "optimal"])),
        "learning_rate": largest_rate(X) * 10.0 ** data.draw(st.floats(0.0, 2.0)),
        "power_t": data.draw(st.sampled_from([0.25, 0.5, 1.0])),
        "epochs": data.draw(st.integers(1, 4)),
        "weights": rng.standard_normal(d) * data.draw(st.sampled_from([0.0, 1.0, 1e3])),
        "l2": data.draw(st.sampled_from([0.0, 1e-3])),
    }
    if options["schedule"] == "optimal":
        options["l2"] = data.draw(st.sampled_from([1e-3, 0.1]))
    more = {"sample_weight": weight, "shuffle": data.draw(st.booleans()), "seed": 0}
    more["average"] = data.draw(st.sampled_from([False, True, 100]))
    comp = train_neuron(X, y, **options, **more)
    ref = train_neuron(X, y, **options, **more, engine="reference")
    assert distance(flat(comp.model), flat(ref.model)) <= 1e-12
    np.testing.assert_allclose(comp.loss_history, ref.loss_history, rtol=1e-11, atol=1e-12)
    if rows_of_strict(comp) is not None:
        assert rows_of_strict(comp) == expected(X, options, options["epochs"], weight)
    elif comp.engine == "strict":
        np.testing.assert_array_equal(parameters(comp), parameters(ref))


@pytest.mark.parametrize("options", [{}, {"l2": 1e-3}, {"average": True, "l2": 1e-3}, {"l1": 1e-4}], ids=str)
def test_sparse_rows(options):
    sp = pytest.importorskip("scipy.sparse")
    matrix = sp.random_array((1500, 40), density=0.1, format="csr", rng=np.random.default_rng(1))
    y = np.asarray(matrix.sum(axis=1) > 2.0, float)
    rate = 8.0 / (matrix.multiply(matrix).sum(axis=1).max() + 1.0)
    options = {"schedule": "invscaling", "learning_rate": 40.0 * rate, "epochs": 3, **options}
    comp = train_neuron(matrix, y, **options)
    assert rows_of_strict(comp) == 1500 + 256
    ref = train_neuron(matrix, y, **options, engine="reference")
    assert distance(flat(comp.model), flat(ref.model)) <= 1e-12
    strict = train_neuron(matrix, y, **options, engine="strict")
    assert comp.loss_history[0] == strict.loss_history[0]  # the first epoch


def test_what_strict_trains_to_the_end():
    """A rate that does not fall far enough, large weights where it has, and what `fast` has no kernel for."""
    falls = RUNS["invscaling"][0]
    for options in (
        {"schedule": "invscaling", "learning_rate": 10.0 * SAFE, "power_t": 0.0},
        {"schedule": "invscaling", "learning_rate": SAFE * 1e4},
        {"schedule": "constant", "learning_rate": 1.001 * SAFE},
        falls | {"weights": 1e5},
        falls | {"l1": 1e-3},
        falls | {"loss": "squared_error"},
        falls | {"engine": "strict"},
    ):
        comp, ref = (train_neuron(X, Y, **{"epochs": 2, **options, **more}) for more in ({}, {"engine": "strict"}))
        assert comp.engine == "strict"
        assert rows_of_strict(comp) is None
        np.testing.assert_array_equal(parameters(comp), parameters(ref))


@needs_numba
def test_long_blocks_are_trained_in_segments_afterwards():
    rows, labels = pass_fail(60_000, 3, seed=6)
    options = {"schedule": "invscaling", "learning_rate": 3.1 * largest_rate(rows), "power_t": 0.2, "epochs": 2}
    with always(block_segments, {"LEAST_ROWS": 256, "MEASURED": 0.2}):
        comp = train_neuron(rows, labels, **options)
        same(comp, train_neuron(rows, labels, n_jobs=2, **options))
        same(comp, train_neuron(pieces(rows, labels, 777), **options))
    assert comp.certificate.segments >= 16
    assert rows_of_strict(comp) == 512
    ref = train_neuron(rows, labels, **options, engine="strict")
    assert distance(flat(comp.model), flat(ref.model)) <= 1e-12


# --- cuts and checkpoints ---------------------------------------------------------------------------------------------


def same(comp, ref):
    assert str(comp.engine) == str(ref.engine)
    np.testing.assert_array_equal(parameters(comp), parameters(ref))


def pieces(X, y, size):
    return lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, len(X), size))


def single_rows(X, y):
    """Pieces of a single row where tiles of 256 rows meet, and with them engines; the rest of each tile is a piece."""
    cuts = [k for k in range(1, len(X)) if min(k % 256, -k % 256) <= 20]
    return lambda: zip(np.split(X, cuts), np.split(y, cuts), strict=True)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 256 rows in memory, and of other sizes in files."""
    monkeypatch.setattr(engines, "MOST_ROWS", 256)
    monkeypatch.setattr(formats.base, "CHUNK_BYTES", 300 * 8 * 6)


@pytest.mark.parametrize("more", [{}, {"standardize": True}, {"shuffle": "blocks", "seed": 0}], ids=str)
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("memory", [1 << 28, 0])
def test_a_file_has_the_bits_of_its_rows_in_memory(tmp_path, monkeypatch, name, more, memory):
    """Rows that files do not keep in memory are all left to `strict` in the first epoch, wherever they are."""
    monkeypatch.setattr(kept, "MEMORY_BYTES", memory)
    monkeypatch.setattr(Order, "BLOCK_VALUES", 5 * 300)
    options, strict_rows = RUNS[name]
    options = {"epochs": 3, **options, **more}
    ref = train_neuron(X, Y, **options)
    if not more:
        assert rows_of_strict(ref) == max(strict_rows, 0 if memory else 2000)
    monkeypatch.setattr(formats.base, "CHUNK_BYTES", 300 * 8 * 6)
    np.save(tmp_path / "rows.npy", np.column_stack([X, Y]))
    same(train_neuron(tmp_path / "rows.npy", -1, **options), ref)
    if "shuffle" not in more:
        for source in (single_rows(X, Y), *(pieces(X, Y, size) for size in (255, 777, 2000))):
            same(train_neuron(source, **options), ref)
    monkeypatch.setattr(engines, "MOST_ROWS", 256)
    same(train_neuron(X, Y, **options), ref)


@pytest.mark.parametrize("memory", [1 << 28, 0])
def test_sparse_rows_of_a_file(tmp_path, monkeypatch, memory):
    monkeypatch.setattr(kept, "MEMORY_BYTES", memory)
    sp = pytest.importorskip("scipy.sparse")
    matrix = sp.random_array((1500, 40), density=0.1, format="csr", rng=np.random.default_rng(1))
    y = np.asarray(matrix.sum(axis=1) > 2.0, int)
    path = tmp_path / "rows.svm"
    rows = zip(
        y, np.split(matrix.indices, matrix.indptr[1:-1]), np.split(matrix.data, matrix.indptr[1:-1]), strict=True
    )
    path.write_text(
        "".join(
            f"{label} {' '.join(f'{j + 1}:{float(v)!r}' for j, v in zip(places, values, strict=True))}\n"
            for label, places, values in rows
        )
    )
    options = {"schedule": "invscaling", "learning_rate": 25.0, "epochs": 3, "l2": 1e-4}
    ref = train_neuron(matrix, y, **options)
    strict_rows = expected(matrix.toarray(), options, 3)
    assert 256 < strict_rows < 1500
    assert rows_of_strict(ref) == (strict_rows if memory else 1500)
    monkeypatch.setattr(formats.base, "CHUNK_BYTES", 5000)
    same(train_neuron(path, **options), ref)


def test_rows_left_out_and_held_out(tmp_path, monkeypatch):
    """Whether the rows are kept in memory or not, and wherever the file is cut."""
    gaps = X.copy()
    gaps[np.random.default_rng(0).random(X.shape) < 0.02] = np.nan
    np.save(tmp_path / "gaps.npy", np.column_stack([gaps, Y]))
    options = {"schedule": "invscaling", "learning_rate": SAFE * 2300.0**0.5, "epochs": 4, "validation": 0.2, "seed": 1}
    results = []
    for size, memory in ((1 << 20, 1 << 28), (9000, 1 << 28), (1 << 20, 0), (9000, 0)):
        monkeypatch.setattr(formats.base, "CHUNK_BYTES", size)
        monkeypatch.setattr(kept, "MEMORY_BYTES", memory)
        results.append(train_neuron(tmp_path / "gaps.npy", -1, drop_missing=True, **options))
    assert rows_of_strict(results[0]) > results[0].rows
    for result in results[1:]:
        same(result, results[0])


@given(st.data())
@settings(max_examples=30)
@example(data=None)
def test_however_they_are_cut(data):
    if data is None:
        n, size, rate, epochs = 257, 256, 3.0, 2
    else:
        n, size = data.draw(st.integers(2, 1500)), data.draw(st.integers(1, 700))
        rate, epochs = 10.0 ** data.draw(st.floats(0.0, 1.7)), data.draw(st.integers(1, 3))
    rows, labels = X[:n], np.append([0, 1], Y)[:n]
    options = {"schedule": "invscaling", "learning_rate": SAFE * rate, "epochs": epochs}
    same(train_neuron(pieces(rows, labels, size), **options), train_neuron(rows, labels, **options))


def test_one_long_epoch_of_a_file_takes_one_pass(monkeypatch):
    monkeypatch.setattr(kept, "MEMORY_BYTES", 0)
    read = []

    def rows():
        for start in range(0, 2000, 20):
            read.append(start)
            yield X[start : start + 20], Y[start : start + 20]

    result = train_neuron(rows, epochs=1, labels=(0.0, 1.0), **RUNS["averaged"][0])
    assert result.engine == "strict"
    assert read.count(1980) == 1


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", ["invscaling", "in the second epoch", "at the end of an epoch", "averaged"])
@pytest.mark.parametrize("where", ["memory", "file", "long file"])
def test_resumed_from_any_block(tmp_path, monkeypatch, name, where):
    """Before the engine is changed, at that row and after it."""
    if where == "long file":
        monkeypatch.setattr(kept, "MEMORY_BYTES", 0)
    np.save(tmp_path / "rows.npy", np.column_stack([X, Y]))
    path, source = tmp_path / "c.json", (X, Y) if where == "memory" else (tmp_path / "rows.npy", -1)
    options = {"epochs": 3, **RUNS[name][0]}
    seen, write = [], checkpoints.Checkpoint.write

    def keep(self, *args, **more):
        write(self, *args, **more)
        seen.append(path.read_bytes())

    monkeypatch.setattr(checkpoints.Checkpoint, "write", keep)
    whole = train_neuron(*source, checkpoint=path, checkpoint_seconds=0, **options)
    monkeypatch.setattr(checkpoints.Checkpoint, "write", write)
    same(whole, train_neuron(*source, **options))
    kinds = set()
    for content in seen:
        path.write_bytes(content)
        found = json.loads(content)
        at = found["state"]["epoch"] * 2000 + found["state"]["rows"]
        kinds.add((found["engine"], found.get("strict_rows"), int(np.sign(at - rows_of_strict(whole)))))
        same(train_neuron(*source, checkpoint=path, **options), whole)
    rows = rows_of_strict(whole)
    assert {("strict", None, -1), ("strict", None, 0), ("fast", rows, 1)} <= kinds
    assert kinds <= {("strict", None, -1), ("strict", None, 0), ("fast", rows, 1), ("fast", None, -1)}


@pytest.mark.usefixtures("small_blocks")
def test_checkpoints_of_earlier_versions_and_of_other_runs(tmp_path):
    """A run of one engine goes on: with `strict` to the end if it is beyond the row. Any other engine is refused."""
    options, path = {"epochs": 3, **RUNS["invscaling"][0]}, tmp_path / "c.json"

    def stopped_after(epochs, **changes):
        more = {"checkpoint_seconds": 0, "callback": lambda epoch: epoch.epoch == epochs - 1}
        train_neuron(X, Y, checkpoint=path, resume=False, **{**options, **more, **changes})
        return json.loads(path.read_text())

    def rewrite(content, **changes):
        content = {**content, **changes}
        for name in ("checksum", *(name for name, value in changes.items() if value is None)):
            content.pop(name, None)
        path.write_text(json.dumps(content | {"checksum": checkpoints._checksum(content)}))

    stopped_after(1, engine="strict")
    same(train_neuron(X, Y, checkpoint=path, **options), train_neuron(X, Y, engine="strict", **options))
    content = stopped_after(1)
    for changes in ({"strict_rows": 256}, {"strict_rows": None}):
        rewrite(content, **changes)
        with pytest.raises(ValueError, match=r"the engine was fast and is strict.*resume=False"):
            train_neuron(X, Y, checkpoint=path, **options)
    for engine in ("strict", "numpy"):
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=f"the engine was fast and is {engine}"):
            train_neuron(X, Y, checkpoint=path, engine=engine, **options)
    for changes in ({"strict_rows": -1}, {"strict_rows": 2.5}, {"strict_rows": "512"}, {"engine": "strict"}):
        rewrite(content, **changes)
        with pytest.raises(ValueError, match=r"a damaged one: .*strict_rows"):
            train_neuron(X, Y, checkpoint=path, **options)
