"""Shuffled epochs in segments: the reference's weights whatever the rows are, the same bits for threads and files."""

import numpy as np
import pytest
from compare import distance, flat, needs_numba
from hypothesis import given
from hypothesis import strategies as st
from planted import Mistake, jit_copy
from problems import SEEDS
from segment_runs import KINDS, always, assert_reference, largest_rate, pass_fail, rows_of_kind, settings_of

from tinynet_fast import train_neuron
from tinynet_fast.training import junctions
from tinynet_fast.training import segments as runs
from tinynet_fast.training import shuffled_group as module

ALWAYS = {
    "LEAST_SECONDS": 0.0,
    "LEAST_ROWS": 0,
    "MEASURED": 1.0,
    "MEASURING_SHARE": 1e9,
    "LOOKING_SHARE": 1e9,
    "FIRST_TRY": 1 << 40,
    "FIRST_MEASURED": 1 << 40,
}


def in_segments(*arguments, **options):
    with always(runs, ALWAYS):
        return train_neuron(*arguments, **{"shuffle": True, "seed": 3, **options})


def in_turn(*arguments, **options):
    with settings_of(junctions, PAYS=0.0):
        return train_neuron(*arguments, **{"shuffle": True, "seed": 3, **options})


@pytest.mark.parametrize("options", [{}, {"weights": 0.5, "bias": -1.0}], ids=["plain", "start"])
@pytest.mark.parametrize("n", [150, 157, 1003])
@pytest.mark.parametrize("width", [1, 2, 4, 9, 10, 17])
def test_weights_are_those_of_the_reference(width, n, options):
    X, y = pass_fail(n, width, seed=width)
    options = {"epochs": 150, "learning_rate": 0.5 * largest_rate(X), "shuffle": True, "seed": 3, **options}
    result = in_segments(X, y, **options)
    assert result.certificate.segments >= 8
    assert result.certificate.bound <= 5e-13
    assert result.certificate.rows_again == 0
    assert_reference(result, X, y, **options)


@given(SEEDS, st.data())
def test_any_rows_have_the_weights_of_the_reference(seed, data):
    """Also rows that never let two runs meet: collinear, constant, rare and huge columns, separable rows."""
    rng = np.random.default_rng(seed)
    n, d = data.draw(st.integers(4, 60)), data.draw(st.integers(1, 12))
    X, y = rows_of_kind(rng, data.draw(st.sampled_from(KINDS)), n, d, 3)
    looks = data.draw(st.booleans())
    options = {
        "learning_rate": largest_rate(X) * data.draw(st.sampled_from([1.0, 0.9, 0.3, 0.03, 1e-4])),
        "epochs": data.draw(st.integers(9, 60)),
        "weights": rng.standard_normal(X.shape[1]) * data.draw(st.sampled_from([0.0, 1.0, 100.0])),
        "sample_weight": rng.random(n) if data.draw(st.booleans()) else None,
        "n_jobs": data.draw(st.sampled_from([None, 2])),
        "shuffle": True,
        "seed": data.draw(st.integers(0, 3)),
    }
    with settings_of(module, **({} if looks else {"have_met": lambda *runs: True})):
        result = in_segments(X, y, **options)
    assert_reference(result, X, y, **options)


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(module, "THREADED_ROWS", 0)
    X, y = pass_fail(503, 6, seed=2)
    with settings_of(junctions, MORE_SECONDS=10.0):
        results = [in_segments(X, y, epochs=385, n_jobs=n_jobs) for n_jobs in (None, 1, 2, 3, 8, -1)]
    assert results[0].certificate.segments > 32
    for result in results[1:]:
        np.testing.assert_array_equal(flat(result.model), flat(results[0].model))
        np.testing.assert_array_equal(result.loss_history, results[0].loss_history)
        assert result.certificate == results[0].certificate


def test_a_file_has_the_bits_of_its_rows_in_memory(tmp_path):
    X, y = pass_fail(701, 3, seed=6)
    path = tmp_path / "rows.csv"
    np.savetxt(path, np.column_stack([X, y]), fmt="%.17g", delimiter=",", header="a,b,c,y", comments="")
    ref, result = in_segments(X, y, epochs=60), in_segments(path, "y", epochs=60)
    assert ref.certificate is not None
    np.testing.assert_array_equal(flat(result.model), flat(ref.model))
    np.testing.assert_array_equal(result.loss_history, ref.loss_history)
    assert result.certificate == ref.certificate


@pytest.mark.parametrize("options", [{"standardize": True}, {"validation": 0.2}], ids=str)
def test_standardised_and_held_out_rows(options):
    X, y = pass_fail(400, 4, seed=7)
    options = {"epochs": 60, "learning_rate": 0.05, "shuffle": True, "seed": 3, **options}
    result = in_segments(X * 3.0 + 1.0, y, **options)
    assert result.certificate is not None
    assert_reference(result, X * 3.0 + 1.0, y, **options)


def test_float32_rows():
    X, y = pass_fail(400, 4, seed=7)
    X = X.astype(np.float32)
    options = {"epochs": 60, "shuffle": True, "seed": 3}
    result = in_segments(X, y, **options)
    assert result.certificate is not None
    assert_reference(result, X, y, **options)


@needs_numba
def test_sample_weights():
    X, y = pass_fail(400, 4, seed=7)
    options = {"epochs": 60, "shuffle": True, "seed": 3, "sample_weight": np.random.default_rng(1).random(400)}
    result = in_segments(X, y, **options)
    assert result.certificate is not None
    assert_reference(result, X, y, **options)


def test_what_looks_at_epochs_changes_no_bit_and_sees_every_epoch():
    X, y = pass_fail(300, 3, seed=4)
    ref, seen, turn = in_segments(X, y, epochs=120), [], []
    result = in_segments(X, y, epochs=120, callback=seen.append, validation=(X, y))
    assert result.certificate.segments >= 8
    np.testing.assert_array_equal(flat(result.model), flat(ref.model))
    in_turn(X, y, epochs=120, callback=turn.append)
    for comp, ref_epoch in zip(seen, turn, strict=True):
        assert distance(flat(comp.model), flat(ref_epoch.model)) <= 1e-12
        assert comp.loss == pytest.approx(ref_epoch.loss, rel=1e-11)


def test_groups_take_bounded_memory(monkeypatch):
    X, y = pass_fail(150, 2, seed=0)
    whole = in_segments(X, y, epochs=500, learning_rate=0.5)
    monkeypatch.setattr(module, "COPIED_VALUES", 80 * 150 * 4)  # eighty epochs
    options = {"epochs": 500, "learning_rate": 0.5, "shuffle": True, "seed": 3}
    result = in_segments(X, y, **options)
    assert result.certificate.segments > whole.certificate.segments
    assert_reference(result, X, y, **options)


# --- mistakes ---------------------------------------------------------------------------------------------------------

MISTAKES = [
    Mistake("no burn-in", "np.maximum(self.base - self.burn_in, 0)", "self.base"),
    Mistake("the first segment burns in too", "self.starts[0] = self.now", "pass"),
    Mistake("the orders of other epochs", "first + k", "k", "copied"),
    Mistake("one order for all epochs", "first + k", "first", "copied"),
    Mistake("the first epoch of a segment again", "base = self.base[lanes] + k * self.n", "base = self.base[lanes]"),
    Mistake("other rows", "np.arange(layout.lanes) * layout.epochs * self.n", "np.arange(layout.lanes) * self.n"),
    Mistake("an epoch too short", "self._run(base, self.n, ...)", "self._run(base, self.n - 8, ...)", "_train"),
    Mistake("none is long enough", "have_met(...)", "False"),
]


@pytest.mark.parametrize("mistake", [*MISTAKES, None], ids=str)
def test_a_mistake_is_seen(mistake, monkeypatch):
    planted = jit_copy(module, mistake)
    monkeypatch.setattr(runs, "ShuffledGroup", planted.ShuffledGroup)
    monkeypatch.setattr(runs, "ShuffledRows", planted.ShuffledRows)

    def check():
        for (X, y), epochs in ((pass_fail(157, 3, seed=3), 60), (pass_fail(1003, 8, seed=8), 150)):
            options = {"learning_rate": 0.5 * largest_rate(X), "epochs": epochs, "shuffle": True, "seed": 3}
            result = in_segments(X, y, **options)
            assert_reference(result, X, y, **options)
            assert result.certificate is not None
            assert result.certificate.rows_again == 0

    if mistake is None:
        check()
    else:
        with pytest.raises(AssertionError):
            check()


@pytest.mark.parametrize(("n", "width", "epochs"), [(12_000, 1, 33), (20_000, 4, 17), (5000, 4, 65)])
def test_few_epochs_are_copied_for_lanes_that_have_none_to_train(n, width, epochs):
    """To copy an epoch takes longer than to train it: 64 copies for 33 epochs took 1.7 times as long as in turn."""
    layout = module.shuffled_layout(n, width, epochs, burn_in=1000)
    assert layout is None or layout.lanes * layout.epochs <= 1.3 * epochs
