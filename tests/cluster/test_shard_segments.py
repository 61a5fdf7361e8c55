"""A chain over shards in segments: one machine's weights whatever the rows, the same bits in any order of finishing."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import Mistake, jit_copy
from problems import SEEDS
from segment_runs import KINDS, assert_reference, largest_rate, pass_fail, rows_of_kind, settings_of
from shard_cluster import LocalShards, same, travelled

from tinynet_fast import train_neuron
from tinynet_fast.cluster import fit, shards, tasks
from tinynet_fast.cluster import segments as module
from tinynet_fast.cluster.train import network, neuron
from tinynet_fast.training import junctions

ALWAYS = {"LEAST_ROWS": 256, "MEASURED": 0.2, "LEAST_SEGMENTS": 2, "SPARE_SHARE": 0.0}
CUTS = [10_000, 20_100, 30_000]
X, Y = pass_fail(40_000, 3, seed=5)
RATE = 0.7 * largest_rate(X)


def in_segments(shards, **options):
    with settings_of(module, **ALWAYS):
        return neuron(shards, **{"learning_rate": RATE, **options})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"epochs": 3},
        {"l2": 0.01, "learning_rate": 0.4 * largest_rate(X)},
        {"schedule": "cosine", "epochs": 2},
        {"schedule": "invscaling", "power_t": 0.05, "epochs": 2},
        {"standardize": True},
        {"weights": 0.5, "bias": -1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weights_are_those_of_one_machine(options, dtype):
    rows = X.astype(dtype)
    options = {"epochs": 1, "learning_rate": RATE, **options}
    result = in_segments(LocalShards(rows, Y, CUTS), **options)
    assert result.certificate.segments >= 3
    assert result.certificate.bound <= 5e-13
    assert result.certificate.rows_again == 0
    assert_reference(result, rows, Y, **options)


def test_the_certificate_says_what_was_trained():
    result = in_segments(LocalShards(X, Y, CUTS), epochs=2)
    certificate = result.certificate
    assert certificate.segments == 8
    assert 0 < certificate.burn_in <= 3000
    assert max(certificate.worst_gap, certificate.bound) <= 1e-14
    wider = neuron(LocalShards(np.tile(X, (8, 1)), np.tile(Y, 8), [80_000, 160_000, 240_000]), learning_rate=RATE)
    assert wider.certificate.segments == 4
    assert wider.certificate.burn_in == 2560  # a 32nd of a shard: it takes more rows than two runs need to meet


def test_the_order_of_finishing_changes_no_bit():
    ref = in_segments(LocalShards(X, Y, CUTS), epochs=2)
    comp = in_segments(LocalShards(X, Y, CUTS, order=lambda i: -i), epochs=2)
    same(comp, ref)
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history)
    assert comp.certificate == ref.certificate


class Pieces(LocalShards):
    """Shards that are read in blocks of `size` rows."""

    size = 1

    def do(self, task, share):
        rows, y = (part[share.start : share.stop] for part in self.parts[share.shard])
        blocks = [(rows[i : i + self.size], y[i : i + self.size]) for i in range(0, len(y), self.size)]
        return travelled(task, blocks, share)


@pytest.mark.parametrize("width", [3, 12])
@pytest.mark.parametrize("again", [False, True])
def test_how_shards_are_read_changes_no_bit(width, again):
    cuts, (rows, y) = [20_030, 20_100, 40_070, 60_010], pass_fail(80_000, width, seed=3)
    options = {"epochs": 2, "learning_rate": 0.9 * largest_rate(rows)}
    rows[30_000:] *= 1e-3 if again else 1.0
    shards = Pieces(rows, y, cuts)
    ref = in_segments(LocalShards(rows, y, cuts), **options)
    assert (ref.certificate.segments, ref.certificate.rows_again > 0) == ((2, True) if again else (8, False))
    for shards.size in (67, 300, 1999, 20_000):
        comp = in_segments(shards, **options)
        same(comp, ref)
        np.testing.assert_array_equal(comp.loss_history, ref.loss_history)


@given(SEEDS, st.data())
def test_any_rows_have_the_weights_of_the_reference(seed, data):
    """Also rows that never let two runs meet: collinear, constant, rare and late columns, sorted or separable rows."""
    rng = np.random.default_rng(seed)
    n, d = data.draw(st.integers(1500, 4000)), data.draw(st.integers(1, 9))
    rows, y = rows_of_kind(rng, data.draw(st.sampled_from(KINDS)), n, d, 2)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), min_size=1, max_size=5)))
    options = {
        "learning_rate": largest_rate(rows) * data.draw(st.sampled_from([1.0, 0.9, 0.3, 0.03, 1e-4])),
        "epochs": data.draw(st.integers(1, 3)),
        "schedule": data.draw(st.sampled_from(["constant", "constant", "invscaling", "cosine"])),
        "power_t": data.draw(st.sampled_from([0.01, 0.5])),
        "l2": data.draw(st.sampled_from([0.0, 0.0, 1e-3])),
        "weights": rng.standard_normal(rows.shape[1]) * data.draw(st.sampled_from([0.0, 1.0, 100.0])),
    }
    assert_reference(in_segments(LocalShards(rows, y, cuts), **options), rows, y, **options)


def apart():
    """The first rows let two runs meet, and the others do not: the burn-in that was measured is too short."""
    rows = X.copy()
    rows[12_000:] *= 1e-3  # rows that hardly change anything
    return rows


def test_gaps_that_are_too_wide_are_trained_again():
    rows = apart()
    result = in_segments(LocalShards(rows, Y, CUTS), epochs=2)
    certificate = result.certificate
    assert (certificate.segments, certificate.rows_again) == (2, 20_000 - 100)
    assert certificate.bound <= 5e-13
    assert_reference(result, rows, Y, epochs=2, learning_rate=RATE)


def test_a_rare_column_that_comes_late():
    """Its weight is not yet moved when the segment burns in. It is one of the weights that are compared."""
    rows = np.column_stack([X, np.zeros(len(X))])
    rows[9990] = rows[20_090] = 0.0, 0.0, 0.0, 1.0
    result = in_segments(LocalShards(rows, Y, CUTS))
    assert result.certificate.segments == 1
    assert_reference(result, rows, Y, epochs=1, learning_rate=RATE)


def test_what_is_not_trained_in_segments_has_the_bits_of_one_array():
    shards, base = LocalShards(X, Y, CUTS), {"epochs": 1, "learning_rate": RATE}
    odd = {"average": True}, {"average": 700}, {"l1": 1e-3}, {"engine": "strict"}, {"engine": "numpy"}
    for options in (*odd, {"loss": "squared_error"}, {"learning_rate": 1e-5}, {"learning_rate": 5.0}):
        result = in_segments(shards, **base | options)
        assert result.certificate is None
        same(result, train_neuron(X, Y, **base | options))
    few = neuron(shards, **base)
    assert few.certificate is None
    same(few, train_neuron(X, Y, **base))
    assert in_segments(shards, mode="average", **base).certificate is None
    assert network(shards, mode="chain", seed=0).certificate is None


def test_shards_that_are_computed_anew_are_trained_in_turn():
    class Lazy(LocalShards):
        divisible = False

    result = in_segments(Lazy(X, Y, CUTS))
    assert result.certificate is None
    same(result, train_neuron(X, Y, epochs=1, learning_rate=RATE))


def test_with_l2_runs_may_move_apart_before_a_step_overshoots():
    l2, options = 1.0, {"learning_rate": 0.9 * largest_rate(X), "epochs": 1}
    bound = 4.0 * (2.0 - options["learning_rate"] * l2)
    assert bound < options["learning_rate"] * ((X**2).sum(axis=1).max() + 1.0) < 8.0
    result = in_segments(LocalShards(X, Y, CUTS), l2=l2, **options)
    assert result.certificate is None
    assert_reference(result, X, Y, l2=l2, **options)
    assert in_segments(LocalShards(X, Y, CUTS), l2=l2, learning_rate=RATE / 3).certificate is not None


def test_with_l2_the_length_of_all_rows_counts():
    """Also of those after the segments: if they are not known yet, the epoch is trained in turn."""
    shards = LocalShards(X, Y, [10_000, 20_000, 30_000, 30_090, 30_180, 39_990])
    options = {"l2": 0.3, "learning_rate": RATE / 2}
    with settings_of(module, GROUP_VALUES=300):
        assert in_segments(shards, **options).certificate is None
        result = in_segments(shards, epochs=3, **options)
        assert in_segments(shards, learning_rate=RATE / 2).certificate.segments == 3
    assert result.certificate.segments == 2 * 3
    assert_reference(result, X, Y, epochs=3, **options)


@pytest.mark.parametrize("groups", [True, False])
def test_small_shards_join_a_large_one(groups, monkeypatch):
    """If a task can take one shard only, segments end before the first small one."""
    cuts = [100, 10_000, 10_050, 10_060, 20_100, 30_000, 30_050, 39_990]
    monkeypatch.setattr(LocalShards, "groups", groups)
    result = in_segments(LocalShards(X, Y, cuts))
    assert (result.certificate.segments if groups else result.certificate) == (4 if groups else None)
    assert_reference(result, X, Y, epochs=1, learning_rate=RATE)


def test_segments_end_before_small_shards_that_are_many():
    with settings_of(module, GROUP_VALUES=300):
        result = in_segments(LocalShards(X, Y, [10_000, 20_000, 30_000, 30_090, 30_180, 39_990]))
    assert result.certificate.segments == 3
    assert_reference(result, X, Y, epochs=1, learning_rate=RATE)


@pytest.mark.parametrize("row", [100, 15_000, 39_900])
def test_what_is_wrong_with_a_row_is_said_as_in_turn(row):
    rows = X.copy()
    rows[row, 1] = np.nan
    shard = int(np.searchsorted(CUTS, row, side="right"))
    place = f"partition {shard}, row {row - [0, *CUTS][shard]}, column 1: the value is missing"
    with pytest.raises(ValueError, match=place):
        in_segments(LocalShards(rows, Y, CUTS))
    rows[row, 1] = 1e4
    result = in_segments(LocalShards(rows, Y, CUTS))
    assert (result.engine, result.certificate) == ("strict", None)
    same(result, train_neuron(rows, Y, epochs=1, learning_rate=RATE))


class Changing(LocalShards):
    """A shard has one row less from the second time on that it is read."""

    def do(self, task, share):
        answer = super().do(task, share)
        if share.shard == 2:
            self.parts[2] = tuple(part[: 30_000 - 20_100 - 1] for part in self.parts[2])
        return answer


def test_rows_that_change_are_refused():
    with pytest.raises(ValueError, match=r"partition 2: 9,899 rows now, 9,900 before: the rows must be the same"):
        in_segments(Changing(X, Y, CUTS), epochs=2)


@pytest.mark.parametrize("seen", [0, 1, 255, 256, 4000, 5000])
def test_blocks_are_cut(seen):
    blocks = [(X[low : low + 700], Y[low : low + 700]) for low in range(0, 4900, 700)]
    early, others = (np.concatenate([y for _, y in part] or [Y[:0]]) for part in fit.cut(blocks, seen))
    np.testing.assert_array_equal(early, Y[: min(seen, 4900)])
    np.testing.assert_array_equal(others, Y[min(seen, 4900) : 4900])


def test_small_shards_are_one_task():
    class Counting(LocalShards):
        tasks = 0

        def one(self, task, group, after=()):
            self.tasks += 1
            assert sum(share.rows for share in group) * self.n_features <= module.GROUP_VALUES or len(group) == 1
            return super().one(task, group, after)

    cuts = list(range(200, 40_000, 200))
    shards = Counting(X, Y, cuts)
    result = neuron(shards, learning_rate=RATE)
    assert shards.tasks == 1
    same(result, train_neuron(X, Y, epochs=1, learning_rate=RATE))
    shards = Counting(X, Y, cuts)
    with settings_of(module, GROUP_VALUES=3 * 10_000):
        same(neuron(shards, learning_rate=RATE), result)
    assert shards.tasks == 4
    shards = Counting(X, Y, cuts[:20])
    shards.groups = False
    same(neuron(shards, learning_rate=RATE), result)
    assert shards.tasks == 21


# --- planted mistakes -------------------------------------------------------------------------------------------------

MISTAKES = [
    (junctions, Mistake("all junctions stand", "off <= MOST_OFF * lengths", "off <= off", "stand")),
    (junctions, Mistake("the wrong ends are compared", "ends[:-1] - starts[1:]", "ends[1:] - starts[:-1]")),
    (junctions, Mistake("the burn-in is the first look", "off <= MET * length", "off <= off", "is_over")),
    (junctions, Mistake("rows again are not counted", "self.rows_again += int(...)", "pass")),
    (
        module,
        Mistake(
            "ends before the burn-in",
            "[_weights(after) for after in afters]",
            "[_weights(after) for after in ends]",
            "_side_by_side",
            "largest = max(end.largest for end in ends)",
        ),
    ),
    (module, Mistake("the first segment begins with the guess", "if first.burn_in: ...", "if True: ...", "_begun")),
    (module, Mistake("the rate begins anew", "rows_done(state) - state.rows + first.first", "first.first", "_begun")),
    (module, Mistake("the last segment's weights in any case", "afters[stand - 1]", "afters[-1]")),
    (module, Mistake("the losses of all segments", "afters[:stand]", "afters")),
    (module, Mistake("rows of the burn-in twice", "left[0].rest(...)", "left[0]", "_side_by_side")),
    (module, Mistake("rows that were measured are left out", "first.rest(most)", "first.rest(2 * most)")),
    (module, Mistake("any l2 is safe", "largest <= self.safe_bound", "largest <= largest")),
    (fit, Mistake("the loss of the burn-in too", "np.zeros_like(state.losses)", "state.losses", "fit_shard")),
    (fit, Mistake("rows between burn-in and segment are lost", "if taken < len(y): ...", "pass", "cut")),
]


@pytest.mark.parametrize(("part", "mistake"), [*MISTAKES, (module, None)], ids=str)
def test_a_mistake_is_seen(part, mistake, monkeypatch):
    """On rows whose junctions all meet, on rows that do not, and with l2. Without a mistake, all is well."""
    planted = jit_copy(part, mistake)
    monkeypatch.setitem(sys.modules, "planted", planted)  # tasks are pickled
    if part is junctions:
        monkeypatch.setattr(module, "Junctions", planted.Junctions)
        monkeypatch.setattr(module, "Meeting", planted.Meeting)
    elif part is fit:
        monkeypatch.setattr(tasks, "fit_shard", planted.fit_shard)
    else:
        monkeypatch.setattr(shards, "segments_of", planted.segments_of)
        monkeypatch.setattr(shards, "train_in_turn", planted.train_in_turn)

    def check(rows, segments, again=0, **options):
        options = {"epochs": 1, "learning_rate": RATE, **options}
        with settings_of(planted if part is module else module, **ALWAYS):
            result = neuron(LocalShards(rows, Y, CUTS), **options)
        assert_reference(result, rows, Y, **options)
        certificate = result.certificate
        assert (certificate and certificate.segments, certificate and certificate.rows_again) == (segments, again)

    def check_all():
        check(X, 4)
        check(X, 8, schedule="invscaling", power_t=0.05, epochs=2)
        check(apart(), 2, 19_900)
        check(X, None, None, l2=1.0, learning_rate=0.9 * largest_rate(X))

    if mistake is None:
        check_all()
    else:
        with pytest.raises((AssertionError, ValueError)):
            check_all()
