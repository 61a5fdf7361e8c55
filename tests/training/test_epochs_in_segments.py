"""Epochs in segments: the reference's weights whatever the rows are, and the same bits for any number of threads."""

from contextlib import ExitStack, contextmanager
from functools import cache

import numpy as np
import pytest
from compare import distance, flat
from hypothesis import given
from hypothesis import strategies as st
from planted import Mistake, jit_copy
from problems import SEEDS
from segment_runs import (
    EPOCHS,
    KINDS,
    LINEAR,
    LOG,
    NEURONS,
    always,
    assert_reference,
    assert_same,
    largest_rate,
    numbers,
    pass_fail,
    rows_of_kind,
    settings_of,
)

from tinynet_fast import train_neuron
from tinynet_fast.training import junctions
from tinynet_fast.training import neuron as trainer
from tinynet_fast.training import segment_group as group
from tinynet_fast.training import segments as module


def in_segments(*arguments, **options):
    with always(module, EPOCHS):
        return train_neuron(*arguments, **options)


@contextmanager
def slices_of(count, looks=True, parts=(module, group)):
    """Cut the rows into that many slices, and look at the burn-ins, or not, before segments are trained."""
    changes = {"SLICES": (count,)} | ({} if looks else {"have_met": lambda *runs: True})
    with ExitStack() as stack:
        for part in parts:
            own = {name: value for name, value in changes.items() if hasattr(part, name)}
            stack.enter_context(settings_of(part, **own))
        yield


def in_turn(*arguments, **options):
    with settings_of(junctions, PAYS=0.0):
        return train_neuron(*arguments, **options)


# --- the reference's weights ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"l2": 0.01}, {"weights": 0.5, "bias": -1.0}, {"average": True}, {"average": 77, "l2": 0.01}],
    ids=["plain", "l2", "start", "average", "average from a row"],
)
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 17])
@NEURONS
def test_weights_are_those_of_the_reference(neuron, rows, bound, width, options):
    X, y = rows(150, width, seed=width)
    options = {"epochs": 150, "learning_rate": 0.5 * largest_rate(X, bound), **neuron, **options}
    result = in_segments(X, y, **options)
    assert result.certificate.segments >= 30
    assert result.certificate.bound <= 1e-13
    assert result.certificate.worst_gap <= result.certificate.bound
    assert result.certificate.rows_again == 0
    assert result.epochs == len(result.loss_history) == 150
    assert_reference(result, X, y, **options)


@given(SEEDS, st.data())
def test_any_rows_have_the_weights_of_the_reference(seed, data):
    """Also rows that never let two runs meet: collinear, constant, rare and huge columns, sorted or separable rows."""
    rng = np.random.default_rng(seed)
    slices, looks = data.draw(st.sampled_from([1, 1, 2, 4])), data.draw(st.booleans())
    n, d = data.draw(st.integers(4, 60 if slices == 1 else 1000)), data.draw(st.integers(1, 9))
    neuron, _, bound = data.draw(st.sampled_from([LOG, LINEAR]))
    X, y = rows_of_kind(rng, data.draw(st.sampled_from(KINDS)), n, d, 3, linear=bool(neuron))
    rate = largest_rate(X, bound) * data.draw(st.sampled_from([1.0, 0.9, 0.3, 0.03, 1e-4]))
    options = {
        **neuron,
        "learning_rate": rate,
        "epochs": data.draw(st.integers(9, 60)),
        "l2": data.draw(st.sampled_from([0.0, 0.0, 0.001, 1.0])),
        "weights": rng.standard_normal(X.shape[1]) * data.draw(st.sampled_from([0.0, 1.0, 100.0])),
        "sample_weight": rng.random(n) if data.draw(st.booleans()) else None,
        "average": data.draw(st.sampled_from([False, False, True, 3])),
        "n_jobs": data.draw(st.sampled_from([None, 2])),
    }
    with slices_of(slices, looks):
        result = in_segments(X, y, **options)
    assert_reference(result, X, y, **options)


def apart(n=4000, first=1000):
    """The first rows let two runs meet, and the last ones do not: the burn-in that is measured is too short."""
    X, y = pass_fail(n, 3, seed=5)
    X[first:] *= 1e-3  # rows that hardly change anything
    return X, y


def test_burn_ins_that_are_too_short_are_seen_before_the_segments_are_trained():
    X, y = apart()
    options = {"learning_rate": 0.5 * largest_rate(X), "epochs": 30}
    result = in_segments(X, y, **options)
    assert result.certificate is None
    np.testing.assert_array_equal(flat(result.model), flat(in_turn(X, y, **options).model))


def test_gaps_that_are_too_wide_are_trained_again(monkeypatch):
    monkeypatch.setattr(group, "have_met", lambda *runs: True)
    X, y = apart()
    options = {"learning_rate": 0.5 * largest_rate(X), "epochs": 30}
    result = in_segments(X, y, **options)
    assert result.certificate.segments == 1
    assert result.certificate.bound == result.certificate.worst_gap == 0.0
    assert 0 < result.certificate.rows_again < 30 * 4000
    assert_reference(result, X, y, **options)


def test_rows_on_which_runs_do_not_meet_are_trained_in_turn():
    X, y = pass_fail(300, 3, seed=1)
    result = in_segments(X, y, epochs=20, learning_rate=1e-5)
    assert result.certificate is None
    np.testing.assert_array_equal(flat(result.model), flat(in_turn(X, y, epochs=20, learning_rate=1e-5).model))


@pytest.mark.parametrize(
    "options",
    [
        {"average": 151},
        {"l1": 0.01},
        {"shuffle": True, "seed": 1},
        {"schedule": "invscaling"},
        {"engine": "strict"},
        {"epochs": 8},
        {"learning_rate": 2.0},
        {"loss": "squared_error"},
        {"output": "linear", "learning_rate": 0.15},
        {"output": "linear", "loss": "huber", "learning_rate": 0.02},
        {"output": "linear", "loss": "poisson", "learning_rate": 0.02},
    ],
    ids=str,
)
def test_what_is_not_trained_in_segments(options):
    X, y = pass_fail(150, 4, seed=0)
    assert in_segments(X, y, **{"epochs": 100, "learning_rate": 0.2, **options}).certificate is None
    assert in_segments(X, y, epochs=100, learning_rate=0.2).certificate is not None


@pytest.mark.parametrize("rate", [1e-165, 1e-170, 5e-324])
def test_weights_whose_squares_are_too_small_for_a_float(rate):
    X, y = pass_fail(600, 3, seed=0)
    for options in ({"learning_rate": rate}, {"learning_rate": 0.1, "sample_weight": np.full(600, rate)}):
        result = in_segments(X, y, epochs=40, **options)
        assert result.certificate is None
        assert_reference(result, X, y, epochs=40, **options)


def test_runs_with_a_checkpoint_are_trained_in_turn(tmp_path):
    X, y = pass_fail(150, 2, seed=0)
    assert in_segments(X, y, epochs=100, checkpoint=tmp_path / "run.json").certificate is None


def test_short_runs_and_slow_ones_look_for_no_segments():
    X, y = pass_fail(150, 2, seed=0)
    assert train_neuron(X, y, epochs=100).certificate is None


# --- the same bits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "epochs", "slices"), [(500, 700, 1), (20_000, 40, 2), (20_000, 40, 4)])
def test_threads_change_no_bit(n, epochs, slices):
    X, y = pass_fail(n, 6, seed=2)
    with settings_of(junctions, MORE_SECONDS=10.0), slices_of(slices):
        results = [in_segments(X, y, epochs=epochs, n_jobs=n_jobs) for n_jobs in (None, 1, 2, 3, 8, -1)]
    assert results[0].certificate.segments > 64
    for result in results[1:]:
        np.testing.assert_array_equal(flat(result.model), flat(results[0].model))
        np.testing.assert_array_equal(result.loss_history, results[0].loss_history)
        assert result.certificate == results[0].certificate


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, True, "2"])
def test_n_jobs_is_a_number_of_threads(n_jobs):
    with pytest.raises(ValueError, match="n_jobs is"):
        train_neuron([1, 2], [0, 1], n_jobs=n_jobs)


def test_what_looks_at_epochs_changes_no_bit_and_sees_every_epoch():
    X, y = pass_fail(300, 3, seed=4)
    ref, seen = in_segments(X, y, epochs=120), []
    result = in_segments(X, y, epochs=120, callback=seen.append, validation=(X, y))
    assert result.certificate.segments >= 30
    np.testing.assert_array_equal(flat(result.model), flat(ref.model))
    np.testing.assert_array_equal(result.loss_history, ref.loss_history)
    assert [epoch.epoch for epoch in seen] == list(range(120))
    np.testing.assert_array_equal([epoch.loss for epoch in seen], ref.loss_history)
    turn = []
    in_turn(X, y, epochs=120, callback=turn.append)
    for comp, ref_epoch in zip(seen, turn, strict=True):
        assert distance(flat(comp.model), flat(ref_epoch.model)) <= 1e-12


def test_early_stopping_and_callbacks_end_a_run_inside_a_group():
    X, y = pass_fail(300, 3, seed=4)
    result = in_segments(X, y, epochs=120, callback=lambda epoch: epoch.epoch == 70)
    assert result.epochs == 71
    assert_reference(result, X, y, epochs=71)
    patient = in_segments(X, y, epochs=400, validation=0.3, patience=3, seed=0)
    ref = in_turn(X, y, epochs=400, validation=0.3, patience=3, seed=0)
    assert patient.epochs == ref.epochs
    assert patient.best_epoch == ref.best_epoch
    assert distance(flat(patient.model), flat(ref.model)) <= 1e-12


@pytest.mark.parametrize(("n", "slices", "average"), [(700, 1, False), (20_000, 4, False), (700, 1, True)])
def test_a_file_has_the_bits_of_its_rows_in_memory(n, slices, average, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SLICES", (slices,))
    X, y = pass_fail(n, 3, seed=6)
    path = tmp_path / "rows.csv"
    np.savetxt(path, np.column_stack([X, y]), fmt="%.17g", delimiter=",", header="a,b,c,y", comments="")
    ref = in_segments(X, y, epochs=60, average=average)
    assert ref.certificate is not None
    for kept in (1 << 28, 100):  # rows that are kept in memory, and rows that are read in each epoch
        monkeypatch.setattr("tinynet_fast.rows.kept.MEMORY_BYTES", kept)
        result = in_segments(path, "y", epochs=60, average=average, n_jobs=2)
        np.testing.assert_array_equal(flat(result.model), flat(ref.model))
        np.testing.assert_array_equal(result.loss_history, ref.loss_history)
        assert result.certificate == ref.certificate


@pytest.mark.parametrize("options", [{"standardize": True}, {"validation": 0.2, "seed": 3}], ids=str)
def test_standardised_and_held_out_rows(options):
    X, y = pass_fail(400, 4, seed=7)
    X = X * 3.0 + 1.0
    result = in_segments(X, y, epochs=60, learning_rate=0.05, **options)
    assert result.certificate is not None
    assert_reference(result, X, y, epochs=60, learning_rate=0.05, **options)


def test_float32_rows():
    X, y = pass_fail(400, 4, seed=7)
    X = X.astype(np.float32)
    result = in_segments(X, y, epochs=60)
    assert result.certificate is not None
    assert_reference(result, X, y, epochs=60)


def test_blocks_of_rows_change_no_bit(monkeypatch):
    X, y = pass_fail(701, 3, seed=8)
    ref = in_segments(X, y, epochs=60)
    monkeypatch.setattr(group, "BLOCK_ROWS", 64)
    result = in_segments(X, y, epochs=60)
    np.testing.assert_array_equal(flat(result.model), flat(ref.model))


# --- mistakes ---------------------------------------------------------------------------------------------------------

MISTAKES = [
    (junctions, Mistake("half an epoch stands", "int(...) // together * together", "int(...)", "stand")),
    (junctions, Mistake("all junctions stand", "off <= MOST_OFF * lengths", "off <= off", "stand")),
    (junctions, Mistake("the wrong ends are compared", "ends[:-1] - starts[1:]", "ends[1:] - starts[:-1]")),
    (junctions, Mistake("gaps are not added up", "self.off + np.cumsum(gaps)", "self.off + 0.0 * gaps")),
    (group, Mistake("no burn-in", "range(rounds, 0, -1)", "range(0)", "_burn")),
    (group, Mistake("the burn-in begins an epoch", "max(end - burn_in, 0)", "0", "__init__")),
    (group, Mistake("the burn-in is of another slice", "end = first or n", "end = n", "__init__")),
    (group, Mistake("early segments begin before the group", "lanes.numbers * epochs <= left", "lanes.numbers < 0")),
    (group, Mistake("the first segment burns in too", "lanes.starts[lanes.numbers == 0] = self.now", "pass", "_burn")),
    (group, Mistake("all burn-ins are long enough", "have_met(...)", "True", "_burn")),
    (group, Mistake("none is long enough", "have_met(...)", "False", "_burn")),
    (group, Mistake("means go on from the epoch before", "lanes.neurons.clear(means=True)", "lanes.neurons.clear()")),
    (
        group,
        Mistake("slices count the same", "self.shares = np.diff(cuts) / n", "self.shares = 0.0 * np.diff(cuts) + 0.2"),
    ),
    (
        group,
        Mistake(
            "burn-ins have the log loss",
            "neurons(*self.each[:2], 0.0, lanes.starts, self.loss)",
            "neurons(*self.each[:2], 0.0, lanes.starts, 0)",
        ),
    ),
    (
        group,
        Mistake(
            "segments have the log loss",
            "neurons(*self.each, lanes.starts, self.loss)",
            "neurons(*self.each, lanes.starts, 0)",
        ),
    ),
    (module, Mistake("means of single epochs", "n * np.cumsum(means, axis=0)", "n * means")),
    (module, Mistake("means from the first row on", "row + 1 - average", "row", "_hand_out")),
    (module, Mistake("an epoch ends after its first slice", "weights[lanes, -1]", "weights[lanes, 0]", "_train_group")),
    (module, Mistake("losses of the last slice", "losses[lanes].sum(axis=1)", "losses[lanes, -1]", "_train_group")),
]


# Rows, epochs, slices, whether burn-ins are looked at before segments are trained, and from which row on is averaged.
OF_LABELS = [
    (lambda: pass_fail(1500, 3, seed=3), 30, 1, True, 0),
    (lambda: pass_fail(150, 8, seed=8), 150, 1, True, 0),
    (lambda: pass_fail(150, 8, seed=8), 150, 1, True, 30),
    (lambda: pass_fail(20_000, 3, seed=4), 12, 4, True, 1),
    (apart, 30, 1, True, 0),
    (apart, 30, 1, False, 0),
    (lambda: apart(20_000, 15_000), 12, 4, False, 0),
    (lambda: apart(20_000, 8_000), 12, 4, False, 0),
]
RUNS = [(*run, LOG) for run in OF_LABELS] + [
    (lambda: numbers(150, 8, seed=8), 150, 1, True, 30, LINEAR),
    (lambda: numbers(20_000, 3, seed=4), 12, 4, True, 1, LINEAR),
]


@cache
def run_of(k):
    """Rows, labels and options of one of RUNS, and the result of `strict`."""
    rows, epochs, _, _, average, (neuron, _, bound) = RUNS[k]
    X, y = rows()
    options = {"learning_rate": 0.5 * largest_rate(X, bound), "epochs": epochs, "average": average, **neuron}
    return X, y, options, train_neuron(X, y, **options, engine="strict")


def certificates(parts):
    """Train all of RUNS, compare the weights with the reference's, and return the certificates."""
    found = []
    for k, (_, _, slices, looks, *_) in enumerate(RUNS):
        X, y, options, ref = run_of(k)
        with slices_of(slices, looks, parts):
            result = train_neuron(X, y, **options)
        assert_same(result, ref, X, **options)
        found.append(result.certificate and (result.certificate.segments, result.certificate.rows_again))
    return found


@cache
def right_certificates():
    with always(module, EPOCHS):
        return certificates([module, group])


@pytest.mark.parametrize(("part", "mistake"), [*MISTAKES, (module, None)], ids=str)
def test_a_mistake_is_seen(part, mistake, monkeypatch):
    """On rows whose junctions all meet, with a burn-in of part of an epoch and of several, and on rows that do not.

    Without a mistake, all is well.
    """
    ref = right_certificates()
    with always(module, EPOCHS):
        planted = jit_copy(part, mistake)
        vars(planted).update({name: value for name, value in EPOCHS.items() if hasattr(part, name)})
        if part is junctions:
            monkeypatch.setattr(trainer, "Junctions", planted.Junctions)
        elif part is group:
            monkeypatch.setattr(module, "EpochGroup", planted.EpochGroup)
        else:
            monkeypatch.setattr(module, "Segments", planted.Segments)
            monkeypatch.setattr(module, "is_long", lambda options, loss: True)
        if mistake is None:
            assert certificates([module, group, planted]) == ref
            return
        assert [each is not None for each in ref] == [True, True, True, True, False, True, True, False, True, True]
        with pytest.raises((AssertionError, ValueError, IndexError)):
            assert certificates([module, group, planted]) == ref


def test_the_weights_of_a_group_take_bounded_memory(monkeypatch):
    X, y = pass_fail(150, 2, seed=0)
    whole = in_segments(X, y, epochs=2000, learning_rate=0.5)
    monkeypatch.setattr(module, "KEPT_VALUES", 3 * 128 * 2)  # two epochs of 128 segments
    result = in_segments(X, y, epochs=2000, learning_rate=0.5)
    assert result.certificate.segments > 2 * whole.certificate.segments
    assert_reference(result, X, y, epochs=2000, learning_rate=0.5)
