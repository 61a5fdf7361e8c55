"""What the loop around the kernels does: blocks, order, validation, stopping, callbacks. Runs that go wrong are
in `test_training_errors.py`."""

import itertools
import re

import numpy as np
import pytest
from compare import assert_keeps, flat, with_any_option

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.kernels import engines
from tinynet_fast.rows.blocks import split_rows
from tinynet_fast.rows.datasets import make_pass_fail


@pytest.fixture(scope="module")
def passes():
    return make_pass_fail(500, 3, seed=5)


@pytest.fixture
def block_rows(monkeypatch):
    """Set the largest number of rows of a block, for every engine."""

    def set_to(rows, chunk):
        monkeypatch.setattr(engines, "MOST_ROWS", rows)
        monkeypatch.setattr(engines, "CHUNK", chunk)
        monkeypatch.setattr(engines, "BLOCK_SECONDS", 1e9)

    return set_to


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("rows", [8, 64, 128])
def test_neuron_blocks_change_no_bit(passes, engine, block_rows, rows, shuffle):
    options = {"epochs": 3, "shuffle": shuffle, "seed": 1, "engine": engine}
    ref = train_neuron(passes.X, passes.y, **options)
    block_rows(rows, 8)
    comp = train_neuron(passes.X, passes.y, **options)
    assert_keeps(0.0, flat(comp.model), flat(ref.model))
    assert_keeps(0.0, comp.loss_history, ref.loss_history)


@pytest.mark.parametrize("features", [1, 3, 4, 5, 17])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("options", [{}, {"l2": 0.01}, {"average": 1003}, {"l2": 0.01, "average": True}], ids=str)
def test_fast_blocks_change_no_bit(monkeypatch, features, dtype, options):
    X, y, _, _ = make_pass_fail(5000, features, seed=3, dtype=dtype)
    ref = train_neuron(X, y, learning_rate=0.02, epochs=2, **options)
    for rows in (256, 512, 2048):
        monkeypatch.setattr(engines, "MOST_ROWS", rows)
        comp = train_neuron(X, y, learning_rate=0.02, epochs=2, **options)
        assert comp.engine == "fast"
        assert_keeps(0.0, flat(comp.model), flat(ref.model))
        assert_keeps(0.0, comp.loss_history, ref.loss_history)


@pytest.mark.parametrize("rows", [8, 24, 64])
@pytest.mark.parametrize("batch_size", [None, 1, 7, 30, 100, 499])
def test_network_blocks_change_no_bit(passes, engine, block_rows, rows, batch_size):
    options = {"epochs": 2, "batch_size": batch_size, "seed": 1, "shuffle": True, "engine": engine}
    block_rows(512, 8)
    ref = train_mlp(passes.X, passes.y, **options)
    block_rows(rows, 8)
    comp = train_mlp(passes.X, passes.y, **options)
    assert_keeps(0.0, flat(comp.model), flat(ref.model))
    assert_keeps(0.0, comp.loss_history, ref.loss_history)


def test_epochs_in_one_call_are_epochs_one_by_one(passes, engine):
    """A call trains several epochs of few rows; with a callback, it trains one."""
    ref = train_neuron(passes.X, passes.y, epochs=20, engine=engine)
    comp = train_neuron(passes.X, passes.y, epochs=20, engine=engine, callback=lambda epoch: None)
    assert_keeps(0.0, flat(comp.model), flat(ref.model))
    assert_keeps(0.0, comp.loss_history, ref.loss_history)


def test_going_on_is_the_run_that_never_stopped(passes, engine):
    ref = train_neuron(passes.X, passes.y, epochs=6, engine=engine)
    first = train_neuron(passes.X, passes.y, epochs=2, engine=engine)
    comp = train_neuron(passes.X, passes.y, epochs=4, weights=first.model.weights, bias=first.model.bias, engine=engine)
    assert_keeps(0.0, flat(comp.model), flat(ref.model))
    assert_keeps(0.0, np.append(first.loss_history, comp.loss_history), ref.loss_history)


def test_a_start_is_not_changed(passes, engine):
    weights = np.zeros(3)
    train_neuron(passes.X, passes.y, epochs=1, weights=weights, engine=engine)
    assert weights.tolist() == [0, 0, 0]


def test_averaged_weights_are_the_mean_after_each_row(passes, engine):
    """With all penalties together: here each row is a call, which goes on from the last call's weights."""
    rows, after = 30, []
    options = {"l2": 0.01, "epochs": 1, "learning_rate": 0.1, "engine": engine}
    comp = train_neuron(passes.X[:rows], passes.y[:rows], average=11, l1=0.003, **options)
    for n in range(11, rows + 1):
        result = train_neuron(passes.X[:n], passes.y[:n], l1=0.0, **options)
        after.append(flat(result.model))
    plain = train_neuron(passes.X[:rows], passes.y[:rows], average=11, **options)
    np.testing.assert_allclose(flat(plain.model), np.mean(after, axis=0), rtol=1e-12)
    assert np.abs(comp.model.weights).sum() < np.abs(plain.model.weights).sum()


def test_averaging_that_has_not_begun_gives_the_weights(passes, engine):
    ref = train_neuron(passes.X, passes.y, epochs=1, engine=engine)
    comp = train_neuron(passes.X, passes.y, epochs=1, average=501, engine=engine)
    assert_keeps(1e-12, flat(comp.model), flat(ref.model))


def test_l1_makes_weights_exactly_zero(engine):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 6))
    y = (X[:, 0] + 0.1 * rng.standard_normal(2000) > 0).astype(int)
    weights = train_neuron(X, y, l1=0.05, learning_rate=0.01, epochs=5, engine=engine).model.weights
    assert weights[0] > 0.5
    assert (weights[1:] == 0.0).sum() >= 3


def test_sample_weights_are_steps(passes, engine):
    """A sample weight of 2 makes a step twice as long; a sample weight of 0 changes nothing."""
    ref = train_neuron(passes.X[:2], passes.y[:2] * 0 + [0, 1], learning_rate=0.2, epochs=1, engine=engine)
    X, y = np.vstack([passes.X[:2], passes.X[5:6]]), [0, 1, 1]
    comp = train_neuron(X, y, learning_rate=0.1, sample_weight=[2.0, 2.0, 0.0], epochs=1, engine=engine)
    np.testing.assert_array_equal(flat(comp.model), flat(ref.model))


def test_sample_weights_follow_their_rows(passes, engine):
    rng = np.random.default_rng(1)
    weights, order = rng.random(500), np.random.default_rng([3, 0]).permutation(500)
    ref = train_neuron(passes.X[order], passes.y[order], sample_weight=weights[order], epochs=1, engine=engine)
    comp = train_neuron(passes.X, passes.y, sample_weight=weights, shuffle=True, seed=3, epochs=1, engine=engine)
    assert_keeps(0.0, flat(comp.model), flat(ref.model))


@pytest.mark.parametrize("schedule", ["invscaling", "optimal"])
@pytest.mark.parametrize("average", [False, 40])
def test_schedules_go_on_over_blocks_and_epochs(passes, engine, block_rows, schedule, average):
    options = {"schedule": schedule, "l2": 1e-3, "average": average, "epochs": 3, "engine": engine}
    ref = train_neuron(passes.X, passes.y, **options)
    block_rows(64, 8)
    assert_keeps(0.0, flat(train_neuron(passes.X, passes.y, **options).model), flat(ref.model))


def test_shuffle_is_the_seeds_order(passes, engine):
    """The order is drawn from the seed and the epoch: here without the package's loop."""
    order = np.concatenate([np.random.default_rng([9, epoch]).permutation(500) for epoch in range(2)])
    ref = train_neuron(passes.X[order], passes.y[order], epochs=1, engine=engine)
    comp = train_neuron(passes.X, passes.y, epochs=2, shuffle=True, seed=9, engine=engine)
    assert_keeps(0.0, flat(comp.model), flat(ref.model))


def test_a_drawn_seed_is_given_back(passes):
    ref = train_neuron(passes.X, passes.y, epochs=2, shuffle=True)
    comp = train_neuron(passes.X, passes.y, epochs=2, shuffle=True, seed=ref.seed)
    assert_keeps(0.0, flat(comp.model), flat(ref.model))
    assert train_neuron(passes.X, passes.y, epochs=1).seed is None


def test_the_last_batch_may_be_short(passes, engine):
    """Batches of 200 from 500 rows: the third has 100, and its gradient is the mean of those."""
    comp = train_mlp(passes.X, passes.y, batch_size=200, epochs=1, seed=3, engine=engine)
    ref = None
    for part in (slice(0, 200), slice(200, 400), slice(400, 500)):
        start = {"weights": ref.model.weights, "biases": ref.model.biases} if ref else {"seed": 3}
        ref = train_mlp(passes.X[part], passes.y[part], epochs=1, engine=engine, **start)
    np.testing.assert_allclose(flat(comp.model), flat(ref.model), rtol=1e-13)


# --- validation, patience, callback -----------------------------------------------------------------------------------


def test_validation_rows(passes, engine):
    held = make_pass_fail(100, 3, seed=6)
    result = train_neuron(passes.X, passes.y, epochs=4, validation=(held.X, held.y), engine=engine)
    p = result.model.predict_proba(held.X)
    last = -np.mean(np.where(held.y == 1, np.log(p), np.log(1 - p)))
    assert result.validation_loss_history.shape == (4,)
    assert result.validation_loss_history[-1] == pytest.approx(last, rel=1e-12)
    ref = train_neuron(passes.X, passes.y, epochs=4, engine=engine)
    assert_keeps(0.0, flat(result.model), flat(ref.model))


def test_a_fraction_is_held_out_and_not_trained_on(passes):
    X = passes.X.copy()
    result = train_neuron(X, passes.y, epochs=2, validation=0.2, seed=4)
    order = np.random.default_rng([4, 2**32]).permutation(500)
    held, trained = np.sort(order[:100]), np.sort(order[100:])
    ref = train_neuron(X[trained], passes.y[trained], epochs=2, validation=(X[held], passes.y[held]))
    assert_keeps(0.0, flat(result.model), flat(ref.model))
    assert_keeps(0.0, result.validation_loss_history, ref.validation_loss_history)
    assert result.model.training["rows"] == 400


@with_any_option
@pytest.mark.parametrize("train", [train_neuron, train_mlp])
def test_patience_restores_the_best_epoch(train, engine):
    """The held-out labels are the opposite of the training labels, so every epoch after the first is worse."""
    X, y = [[-1.0], [1.0], [-2.0], [2.0]], [0, 1, 0, 1]
    options = {"learning_rate": 0.1, "engine": engine, "seed": 0}
    if train is train_mlp:
        options["biases"] = [np.zeros(4), np.zeros(1)]
    result = train(X, y, epochs=50, validation=(X, [1, 0, 1, 0]), patience=3, **options)
    assert result.best_epoch == int(np.argmin(result.validation_loss_history))
    assert result.epochs == len(result.loss_history) == result.best_epoch + 4
    ref = train(X, y, epochs=result.best_epoch + 1, **options)
    assert_keeps(0.0, flat(result.model), flat(ref.model))


def test_patience_that_is_never_needed(passes):
    held = make_pass_fail(100, 3, seed=6)
    result = train_neuron(passes.X, passes.y, learning_rate=1e-4, epochs=5, validation=(held.X, held.y), patience=2)
    assert result.epochs == 5
    assert result.best_epoch == 4


def test_callback_sees_every_epoch_and_can_stop(passes, engine):
    seen = []

    def stop_after_three(epoch):
        seen.append(epoch)
        return len(seen) == 3

    result = train_neuron(passes.X, passes.y, epochs=10, callback=stop_after_three, engine=engine)
    assert [e.epoch for e in seen] == [0, 1, 2]
    assert [e.loss for e in seen] == result.loss_history.tolist()
    assert all(e.validation_loss is None for e in seen)
    for e in seen:
        ref = train_neuron(passes.X, passes.y, epochs=e.epoch + 1, engine=engine)
        assert_keeps(0.0, flat(e.model), flat(ref.model))


def test_an_error_in_a_callback_comes_through(passes):
    def fail(epoch):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        train_neuron(passes.X, passes.y, callback=fail)


def test_progress_on_stderr(passes, capsys, monkeypatch):
    train_neuron(passes.X, passes.y, epochs=3, progress=True)
    assert capsys.readouterr().err == ""  # a line every few seconds
    monkeypatch.setattr("tinynet_fast.training.progress.LINE_SECONDS", 0.0)
    train_neuron(passes.X, passes.y, epochs=3, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3/3" in captured.err
    train_neuron(passes.X, passes.y, epochs=3)
    assert capsys.readouterr().err == ""


def test_progress_is_a_line_every_five_seconds(passes, capsys, monkeypatch):
    """The clock goes on by 1.5 seconds when it is read, which is twice an epoch: every second epoch has a line."""
    clock = itertools.count(0.0, 1.5)
    monkeypatch.setattr("tinynet_fast.training.progress.perf_counter", lambda: next(clock))
    train_neuron(passes.X, passes.y, epochs=7, progress=True, callback=lambda epoch: None)
    shown = re.findall(r"epoch (\d)/7", capsys.readouterr().err)
    assert shown == ["2", "4", "6", "7"]


@pytest.fixture
def told(monkeypatch, capsys, tmp_path):
    """Train on 100 rows of 8 kB, if the clock goes on by `tick` when it is read: twice an epoch. Returns the lines."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 1000)), np.arange(100) % 2

    def told(tick, epochs, **options):
        clock = itertools.count(64.0, tick)
        monkeypatch.setattr("tinynet_fast.training.progress.perf_counter", lambda: next(clock))
        monkeypatch.setattr("tinynet_fast.training.progress.LINE_SECONDS", 0.0)
        options = {"callback": lambda epoch: None, "checkpoint": tmp_path / "c", "learning_rate": 1e-4} | options
        result = train_neuron(X, y, epochs=epochs, progress=True, **options)
        return [f"{loss:.6g}" for loss in result.loss_history], capsys.readouterr().err.splitlines()

    return told


@pytest.mark.parametrize(
    ("tick", "speed", "left"),
    [
        (0.01, "5,000 rows/s, 40 MB/s", ["0:00:00", "0:00:00", "0:00:00"]),
        (50.0, "1 rows/s, 0 MB/s", ["0:03:20", "0:01:40", "0:00:00"]),
        (2500.0, "0 rows/s, 0 MB/s", ["2:46:40", "1:23:20", "0:00:00"]),
    ],
)
def test_progress_has_the_speed_and_the_time_left(told, tick, speed, left):
    losses, lines = told(tick, 3)
    assert lines[1::2] == [f"epoch {k + 1}/3, {speed}, loss {losses[k]}, {left[k]} left" for k in range(3)]
    for k, line in enumerate(lines[::2]):  # within the epoch, before its loss is in the history
        assert line.startswith(f"epoch {k + 1}/3, ")
        mean = float(re.search(r"loss so far (\S+) a row", line)[1])
        assert mean == pytest.approx(float(losses[k]) / 100, rel=1e-5)


def test_progress_of_a_resumed_run_counts_what_it_trains_itself(told):
    told(0.01, 4, callback=lambda epoch: epoch.epoch == 1)
    losses, lines = told(0.01, 4)
    assert lines[1] == f"epoch 3/4, 5,000 rows/s, 40 MB/s, loss {losses[2]}, 0:00:00 left"


# --- far starts, odd options, blocks ----------------------------------------------------------------------------------


def test_a_large_start_leaves_the_promise_kept():
    """Very large first weights that shrink lose digits in every order of sums, so `strict` trains them."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((1000, 5)) * 0.05, np.zeros(1000, int)
    y[-1] = 1
    for start in ({"bias": 1e5}, {"weights": [1e7, -1e7, 0, 0, 0]}, {"bias": 300.0}):
        ref = train_neuron(X, y, learning_rate=0.37, epochs=273, engine="strict", **start)
        comp = train_neuron(X, y, learning_rate=0.37, epochs=273, **start)
        assert_keeps(1e-12, flat(comp.model), flat(ref.model))
        assert_keeps(1e-12, comp.loss_history, ref.loss_history)


def test_patience_with_averaging_that_had_not_begun():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((20, 2))
    y = (X[:, 0] + rng.standard_normal(20) > 0).astype(int)
    held = rng.standard_normal((20, 2))
    held_y = (held[:, 0] < 0).astype(int)
    options = {"learning_rate": 1.0, "epochs": 50, "average": 41, "weights": [-1.0, 0]}
    result = train_neuron(X, y, validation=(held, held_y), patience=5, **options)
    assert result.best_epoch == 0
    assert result.model.loss(held, held_y) == result.validation_loss_history[0]


def test_numpy_numbers_as_options_can_be_saved(tmp_path):
    options = {"seed": np.int64(3), "epochs": np.int64(3), "power_t": np.float32(0.5), "learning_rate": np.float32(0.1)}
    train_neuron([1, 2], [0, 1], shuffle=True, average=np.int64(2), **options).model.save(tmp_path / "m.json")
    y = np.array([0, 1], np.longdouble)
    train_mlp([1, 2], y, epochs=2, batch_size=np.int64(2), hidden=np.int64(3)).model.save(tmp_path / "m.json")


def test_a_callback_cannot_reach_the_result():
    def vandal(epoch):
        epoch.model.labels[0] = "z"
        epoch.model.weights[:] = 7

    result = train_neuron([1, 2], ["a", "b"], epochs=3, callback=vandal)
    assert result.model.labels.tolist() == ["a", "b"]
    assert result.model.weights[0] != 7


def test_text_labels_for_validation_are_read_once(passes, monkeypatch):
    """An epoch does not check labels again: that would take longer than training, and could lose a Ctrl-C."""
    from tinynet_fast.training import targets

    calls = []
    encode = targets.encode_known
    monkeypatch.setattr(targets, "encode_known", lambda *a: calls.append(1) or encode(*a))
    labels = np.where(passes.y == 1, "pass", "fail")
    train_neuron(passes.X, labels, epochs=20, validation=(passes.X, labels))
    assert len(calls) == 1


def test_blocks_are_short():
    """By the engines' stated costs, no block takes longer than a few tens of milliseconds."""
    for engine in engines.ENGINES.values():
        for d in (1, 2, 64, 1000, 20_000):
            rows = engine.block_rows(d, 2 * d)
            assert rows == engine.tile or rows * (engine.row_seconds + 2 * d * engine.value_seconds) <= 0.05
            assert rows == engine.tile or rows * d * 8 <= 8 << 20
            assert rows % engine.tile == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_which_rows_are_held_out(passes, seed):
    """The split of the seed, 0 as well."""
    result = train_neuron(passes.X, passes.y, epochs=1, validation=0.3, seed=seed)
    _, held = split_rows(len(passes.y), 0.3, seed)
    assert result.validation_loss_history[0] == pytest.approx(
        result.model.loss(passes.X[held], passes.y[held]), rel=1e-12
    )
