"""Long blocks of rows in segments: the reference's weights whatever the rows, the same bits for threads and files."""

import numpy as np
import pytest
from compare import distance, flat, needs_numba
from hypothesis import given
from hypothesis import strategies as st
from planted import Mistake, jit_copy
from problems import SEEDS
from segment_runs import (
    KINDS,
    LINEAR,
    LOG,
    NEURONS,
    always,
    assert_reference,
    largest_rate,
    numbers,
    pass_fail,
    rows_of_kind,
    settings_of,
)

from tinynet_fast import train_neuron
from tinynet_fast.kernels.compiler.jit import MissingCompilerError
from tinynet_fast.training import block_segments as module
from tinynet_fast.training import junctions

ALWAYS = {"LEAST_ROWS": 256, "MEASURED": 0.2, "MOST_FEATURES": 100}


def in_segments(*arguments, part=module, **options):
    with always(part, ALWAYS):
        return train_neuron(*arguments, **{"epochs": 1, **options})


@pytest.mark.parametrize(
    "options",
    [{}, {"epochs": 3}, {"shuffle": True, "seed": 2, "epochs": 3}, {"weights": 0.5, "bias": -1.0}],
    ids=["one epoch", "epochs", "shuffled", "start"],
)
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 17])
@NEURONS
def test_weights_are_those_of_the_reference(neuron, rows, bound, width, options):
    X, y = rows(60_000, width, seed=width)
    options = {"epochs": 1, "learning_rate": 0.7 * largest_rate(X, bound), **neuron, **options}
    result = in_segments(X, y, **options)
    assert result.certificate.segments >= 8 * options["epochs"]
    assert result.certificate.bound <= 5e-13
    assert result.certificate.rows_again == 0
    assert_reference(result, X, y, **options)


@given(SEEDS, st.data())
def test_any_rows_have_the_weights_of_the_reference(seed, data):
    """Also rows that never let two runs meet: collinear, constant, rare and huge columns, sorted or separable rows."""
    rng = np.random.default_rng(seed)
    n, d = data.draw(st.integers(256, 2000)), data.draw(st.integers(1, 9))
    neuron, _, bound = data.draw(st.sampled_from([LOG, LINEAR]))
    X, y = rows_of_kind(rng, data.draw(st.sampled_from(KINDS)), n, d, 2, linear=bool(neuron))
    options = {
        **neuron,
        "learning_rate": largest_rate(X, bound) * data.draw(st.sampled_from([1.0, 0.9, 0.3, 0.03, 1e-4])),
        "epochs": data.draw(st.integers(1, 3)),
        "schedule": data.draw(st.sampled_from(["constant", "constant", "invscaling", "cosine"])),
        "shuffle": data.draw(st.booleans()),
        "seed": 1,
        "weights": rng.standard_normal(X.shape[1]) * data.draw(st.sampled_from([0.0, 1.0, 100.0])),
        "sample_weight": rng.random(n) * (rng.random(n) < 0.9) if data.draw(st.booleans()) else None,
        "n_jobs": data.draw(st.sampled_from([None, 2])),
    }
    assert_reference(in_segments(X, y, **options), X, y, **options)


@NEURONS
def test_gaps_that_are_too_wide_are_trained_again(neuron, rows, bound):
    """The first rows let two runs meet, and the others do not: the burn-in that was measured is too short."""
    X, y = rows(16_000, 3, seed=5)
    X[5000:] *= 1e-3  # rows that hardly change anything
    options = {"learning_rate": 0.7 * largest_rate(X, bound), **neuron}
    result = in_segments(X, y, **options)
    assert result.certificate.rows_again > 1000
    assert result.certificate.bound <= 5e-13
    assert_reference(result, X, y, epochs=1, **options)


def test_what_is_not_trained_in_segments(tmp_path):
    X, y = pass_fail(16_000, 3, seed=5)
    assert in_segments(X, y, learning_rate=0.2).certificate is not None
    odd = {"checkpoint": tmp_path / "run.json"}, {"l2": 0.1}, {"average": True}, {"engine": "strict"}
    for options in (*odd, {"learning_rate": 1e-6}, {"learning_rate": 5.0}):
        assert in_segments(X, y, **{"learning_rate": 0.2, **options}).certificate is None
    linear = {"learning_rate": largest_rate(X, 2.0), "output": "linear"}
    assert in_segments(X, y, **linear).certificate is not None
    several = np.column_stack([y, -y])
    for target, options in ((y, {"learning_rate": largest_rate(X, 2.1)}), (y, {"loss": "huber"}), (several, {})):
        assert in_segments(X, target, **{**linear, **options}).certificate is None
    assert train_neuron(X, y, learning_rate=0.2, epochs=1).certificate is None


@pytest.mark.parametrize("rate", [1e-165, 1e-170, 5e-324])
def test_weights_whose_squares_are_too_small_for_a_float(rate):
    X, y = pass_fail(16_000, 3, seed=0)
    result = in_segments(X, y, learning_rate=rate)
    assert result.certificate is None
    assert_reference(result, X, y, epochs=1, learning_rate=rate)


@pytest.mark.parametrize("kind", ["float32", "a step a row", "float64"])
def test_without_numba_what_is_not_in_the_library_is_trained_in_turn(kind, monkeypatch):
    monkeypatch.setattr(module, "has_numba", lambda: False)
    X, y = pass_fail(16_000, 3, seed=5)
    weight = np.full(16_000, 0.5) if kind == "a step a row" else None
    X = X.astype("float32") if kind == "float32" else X
    result = in_segments(X, y, learning_rate=0.2, sample_weight=weight)
    assert (result.certificate is None) == (kind != "float64")
    assert_reference(result, X, y, epochs=1, learning_rate=0.2, sample_weight=weight)


def test_a_library_without_segments_trains_in_turn(monkeypatch):
    """As on the oldest CPUs, if Numba is not installed."""

    def missing(*given):
        raise MissingCompilerError("fast.segments.train_narrow")

    monkeypatch.setattr(module.kernel, "train", missing)
    X, y = pass_fail(16_000, 3, seed=5)
    result = in_segments(X, y, learning_rate=0.2)
    assert result.certificate is None
    assert_reference(result, X, y, epochs=1, learning_rate=0.2)


def test_no_segments_after_the_engine_became_strict(monkeypatch):
    """Rows that can be read once go on with `strict` if one is too long; its step may overshoot."""
    monkeypatch.setattr(module, "BLOCK_ROWS", 20_480)
    X, y = pass_fail(60_000, 2, seed=1)
    X[30_000] *= 100.0

    def read_once():
        yield from ((X[start : start + 5000], y[start : start + 5000]) for start in range(0, 60_000, 5000))

    result = in_segments(read_once(), labels=(0.0, 1.0), learning_rate=0.2)
    assert result.engine == "strict"
    with settings_of(module, SEGMENTS=()):
        ref = in_segments(X[:20_480], y[:20_480], learning_rate=0.2)
    first = in_segments(X[:20_480], y[:20_480], learning_rate=0.2)
    assert result.certificate == first.certificate != ref.certificate


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": True, "seed": 0},
        pytest.param({"schedule": "cosine"}, marks=needs_numba),
        {"output": "linear", "learning_rate": 0.05},
    ],
    ids=str,
)
def test_threads_change_no_bit(options, monkeypatch):
    monkeypatch.setattr(junctions, "MORE_SECONDS", 100.0)
    X, y = pass_fail(160_000, 2, seed=2)
    options = {"epochs": 2, "learning_rate": 0.2, **options}
    results = [in_segments(X, y, n_jobs=n_jobs, **options) for n_jobs in (None, 1, 2, 3, 8)]
    assert results[0].certificate.segments > 50
    for result in results[1:]:
        np.testing.assert_array_equal(flat(result.model), flat(results[0].model))
        np.testing.assert_array_equal(result.loss_history, results[0].loss_history)
        assert result.certificate == results[0].certificate


def test_a_file_has_the_bits_of_its_rows_in_memory(tmp_path, monkeypatch):
    """However its chunks are cut, also if a block is not all rows."""
    monkeypatch.setattr(module, "BLOCK_ROWS", 20_480)
    X, y = pass_fail(64_000, 3, seed=6)
    np.save(tmp_path / "X.npy", np.column_stack([X, y]))
    options = {"epochs": 2, "learning_rate": 0.2}
    ref = in_segments(X, y, **options)
    assert ref.certificate.segments >= 8 * 6
    for kept in (1 << 28, 100):  # rows that are kept in memory, and rows that are read in each epoch
        monkeypatch.setattr("tinynet_fast.rows.kept.MEMORY_BYTES", kept)
        result = in_segments(tmp_path / "X.npy", 3, **options)
        np.testing.assert_array_equal(flat(result.model), flat(ref.model))
        np.testing.assert_array_equal(result.loss_history, ref.loss_history)
        assert result.certificate == ref.certificate

    def pieces():
        for start in range(0, 64_000, 777):
            yield X[start : start + 777], y[start : start + 777]

    result = in_segments(pieces, **options)
    np.testing.assert_array_equal(flat(result.model), flat(ref.model))


def test_many_epochs_of_long_blocks_are_trained_both_ways():
    X, y = pass_fail(60_000, 3, seed=7)
    options = {"epochs": 12, "learning_rate": 0.2}
    result = in_segments(X, y, **options)
    assert result.certificate.segments > 8 + 11 - 1
    assert_reference(result, X, y, **options)


MISTAKES = [
    (junctions, Mistake("all junctions stand", "off <= MOST_OFF * lengths", "off <= off", "stand")),
    (junctions, Mistake("the wrong ends are compared", "ends[:-1] - starts[1:]", "ends[1:] - starts[:-1]")),
    (junctions, Mistake("the burn-in is the first look", "off <= MET * length", "off <= off", "is_over")),
    (module, Mistake("the burn-in is in the rows themselves", "early = base - burn_in", "early = base", "_train")),
    (module, Mistake("the first segment burns in too", "state[:, 0] = now", "pass", "_train")),
    (module, Mistake("the last segment's weights in any case", "state[:, stand - 1]", "state[:, -1]")),
    (module, Mistake("the loss of all segments", "squares[:stand].sum()", "squares.sum()")),
    (module, Mistake("the loss of the burn-in too", "squares[:] = 0.0", "pass", "_train")),
    (module, Mistake("the first rows have the log loss", "PLAIN[loss]", "PLAIN[0]")),
    (
        module,
        Mistake("segments have the log loss", "kernel.train(..., self.loss)", "kernel.train(...)", "_side_by_side"),
    ),
    (module, Mistake("measured with the log loss", "kernel.train(..., self.loss)", "kernel.train(...)", "_measure")),
    (module, Mistake("rows are left out", "return stand * length", "return stand * length + length", "_train")),
    (module, Mistake("segments overlap", "length * np.arange(k)", "(length - 8) * np.arange(k)")),
]


@pytest.mark.parametrize(("part", "mistake"), [*MISTAKES, (module, None)], ids=str)
def test_a_mistake_is_seen(part, mistake, monkeypatch):
    """On rows whose junctions all meet, and on rows that do not. Without a mistake, all is well."""
    planted = jit_copy(part, mistake)
    if part is junctions:
        monkeypatch.setattr("tinynet_fast.training.neuron.Junctions", planted.Junctions)
        monkeypatch.setattr(module, "Meeting", planted.Meeting)
    else:
        monkeypatch.setattr(module, "BlockSegments", planted.BlockSegments)
    meet, apart, linear = pass_fail(16_000, 3, seed=5), pass_fail(16_000, 3, seed=5), numbers(16_000, 3, seed=5)
    apart[0][5000:] *= 1e-3

    def check():
        for (X, y), (neuron, _, bound) in ((meet, LOG), (apart, LOG), (linear, LINEAR)):
            options = {"learning_rate": 0.7 * largest_rate(X, bound), "epochs": 1, **neuron}
            with settings_of(module, **ALWAYS):
                result = in_segments(X, y, part=planted, **options)
            assert_reference(result, X, y, **options)
            assert result.certificate is not None
            assert (result.certificate.rows_again > 0) == (X is apart[0])
            assert X is apart[0] or result.certificate.segments >= 8

    if mistake is None:
        check()
    else:
        with pytest.raises((AssertionError, ValueError)):
            check()


def test_rows_in_turn_and_in_segments_are_one_run(monkeypatch):
    """After a junction that is too wide, rows go on in turn from the last weights that stand."""
    X, y = pass_fail(16_000, 3, seed=5)
    X[5000:] *= 1e-3
    rate = 0.7 * largest_rate(X)
    result = in_segments(X, y, learning_rate=rate)
    with settings_of(module, LEAST_ROWS=1 << 60):
        ref = train_neuron(X, y, learning_rate=rate, epochs=1)
    assert distance(flat(result.model), flat(ref.model)) <= 1e-13
