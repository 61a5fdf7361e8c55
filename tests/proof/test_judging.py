"""How `validate` compares and counts: known answers, and engines and problems whose results are written out here."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tinynet_fast.kernels.compiler import jit
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.proof import validate as module
from tinynet_fast.proof.validate import LEAST_LOSS, Validation, Verdict, distance, judge, merged, ulps, validate

STRICT, FAST = ENGINES["strict"], ENGINES["fast"]
TINY = 5e-324  # the smallest number above 0


@pytest.mark.parametrize(
    ("comp", "ref", "expected"),
    [
        ([], [], 0),
        ([1.0, -2.0], [1.0, -2.0], 0),
        ([0.0], [-0.0], 0),
        ([1.0], [1.0 + 2**-52], 1),
        ([1.0], [1.0 - 2**-53], 1),
        ([-1.0], [-1.0 - 2**-52], 1),
        ([TINY], [-TINY], 2),
        ([-3 * TINY, TINY], [-TINY, TINY], 2),
        ([1.0, 1.0, 1.0], [1.0, 1.0 + 2**-50, 1.0 + 2**-52], 4),
        ([1.0], [2.0], 2**52),
        ([-1.0], [-2.0], 2**52),
        ([-2.0], [2.0], 2**63),
        ([np.finfo(float).max], [np.inf], 1),
    ],
)
def test_ulps_count_the_floats_between(comp, ref, expected):
    assert ulps(np.array(comp), np.array(ref)) == ulps(np.array(ref), np.array(comp)) == expected


@pytest.mark.parametrize(
    ("comp", "ref", "least", "expected"),
    [
        ([], [], 0.0, 0.0),
        ([3.0, 4.0], [3.0, 4.0], 0.0, 0.0),
        ([3.0, 4.5], [3.0, 4.0], 0.0, 0.1),
        ([0.3, 0.4], [0.0, 0.0], 0.0, 0.5),  # nothing to divide by
        ([0.0, 0.0], [3.0, 4.0], 0.0, 1.0),
        ([3e200, 4.5e200], [3e200, 4e200], 0.0, 0.1),  # whose squares overflow
        ([3e-200, 4.5e-200], [3e-200, 4e-200], 0.0, 0.1),  # and whose squares are 0
        ([3.0, 4.5], [3.0, 4.0], 50.0, 0.01),
        ([3.0, 4.5], [3.0, 4.0], 4.9, 0.1),
        ([0.3, 0.4], [0.0, 0.0], 5.0, 0.1),
        ([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0], 0.0, 0.0),
        ([np.nan], [1.0], 0.0, np.inf),
        ([np.nan, 1.0], [1.0, 1.0], 0.0, np.inf),
        ([1.0], [np.nan], 0.0, np.inf),
        ([np.inf], [1.0], 0.0, np.inf),
        ([1.0, 2.0], [1.0, -np.inf], 0.0, np.inf),
    ],
)
def test_distance_is_relative_to_the_norm(comp, ref, least, expected):
    assert distance(np.array(comp), np.array(ref), least) == pytest.approx(expected, rel=1e-12)


@dataclass(frozen=True)
class Canned:
    """A problem whose solutions are given. The default is the reference's solution."""

    solutions: dict[str, tuple[list[float], list[float]]]
    X: np.ndarray
    way: str | None = None

    def solve(self, engine):
        if self.way and engine.name != "reference":
            jit._note(self.way)
        params, losses = self.solutions.get(engine.name, ([3.0, 4.0], [100.0]))
        return np.array(params), np.array(losses)


def canned(params, losses, rows=10, engine="strict", way=None):
    return Canned({engine: (params, losses)}, np.zeros((rows, 1)), way)


def promising(engine, promise):
    """An engine of the same kind with another promise."""
    return type("Promising", (type(engine),), {"promise": promise})()


SAME = canned([3.0, 4.0], [100.0], rows=7)


def test_a_verdict_has_the_largest_differences_and_all_rows():
    far = canned([3.0, 4.0 + 2**-50], [100.0])
    further = canned([3.0, 4.0], [100.0 * (1 + 2**-40)], rows=5)
    for problems in ([SAME, far, further], [further, far, SAME]):
        verdict = judge(STRICT, "a case", problems)
        assert (verdict.engine, verdict.case, verdict.rows, verdict.promise) == ("strict", "a case", 22, 0.0)
        assert verdict.ulps == ulps(np.array([100.0]), np.array([100.0 * (1 + 2**-40)]))
        assert verdict.difference == pytest.approx(2**-40, rel=1e-9, abs=0.0)
        assert not verdict.kept
    assert judge(STRICT, "a case", [far]).difference == pytest.approx(2**-50 / 5, rel=1e-9, abs=0.0)
    assert judge(STRICT, "a case", [SAME]) == Verdict("strict", "a case", 7, 0, 0.0, 0.0, True)


@pytest.mark.parametrize("place", ["weights", "losses", "first problem", "last problem"])
def test_one_broken_promise_is_enough(place):
    wrong = canned([3.0, 4.1], [100.0]) if place != "losses" else canned([3.0, 4.0], [100.1])
    problems = {"first problem": [wrong, SAME], "last problem": [SAME, wrong]}.get(place, [wrong])
    assert not judge(STRICT, "", problems).kept


def test_a_difference_as_large_as_the_promise_is_allowed():
    problem = canned([3.0, 4.5], [100.0], engine="fast")
    found = distance(np.array([3.0, 4.5]), np.array([3.0, 4.0]))
    assert judge(promising(FAST, found), "", [problem]).kept
    assert not judge(promising(FAST, np.nextafter(found, 0.0)), "", [problem]).kept


def test_strict_must_keep_the_bits_even_if_the_distance_is_zero():
    problem = Canned({"reference": ([1e300, 0.0], [1.0]), "strict": ([1e300, TINY], [1.0])}, np.zeros((1, 1)))
    verdict = judge(STRICT, "", [problem])
    assert (verdict.difference, verdict.ulps, verdict.kept) == (0.0, 1, False)
    assert judge(promising(STRICT, 1e-12), "", [problem]).kept


def test_a_difference_of_not_a_number_breaks_the_promise(monkeypatch):
    monkeypatch.setattr(module, "distance", lambda *_: float("nan"))
    assert not judge(FAST, "", [SAME]).kept


def test_small_losses_count_as_a_millionth_a_row():
    assert LEAST_LOSS == 1e-6
    small = {"reference": ([1.0], [1e-9]), "fast": ([1.0], [2e-9])}
    assert judge(FAST, "", [Canned(small, np.zeros((50, 1)))]).difference == pytest.approx(1e-9 / 50e-6, rel=1e-9)
    weights = {"reference": ([1e-9], [1.0]), "fast": ([2e-9], [1.0])}  # which are compared as they are
    assert judge(FAST, "", [Canned(weights, np.zeros((50, 1)))]).difference == pytest.approx(1.0)


def test_a_verdict_names_how_the_kernels_were_compiled():
    native = canned([3.0, 4.0], [100.0], way="native")
    assert str(judge(STRICT, "", [native, SAME]).engine) == "strict/native"
    assert str(judge(STRICT, "", [native, replace(native, way="jit")]).engine) == "strict/jit"
    assert str(judge(STRICT, "", [replace(native, way="jit"), native]).engine) == "strict/jit"


def test_verdicts_of_several_turns_become_one():
    def verdict(engine, case, rows, far, apart, kept):
        return Verdict(engine, case, rows, far, apart, {"a": 0.0, "b": 1.0}[engine], kept)

    seen = [
        verdict("a", "x", 1, 5, 0.1, True),
        verdict("b", "x", 10, 1, 0.0, True),
        verdict("a", "y", 100, 0, 0.0, False),
        verdict("a", "x", 1000, 2, 0.3, False),
        verdict("a", "x", 10_000, 7, 0.2, True),
    ]
    assert merged(seen) == [
        verdict("a", "x", 11_001, 7, 0.3, False),
        verdict("a", "y", 100, 0, 0.0, False),
        verdict("b", "x", 10, 1, 0.0, True),
    ]
    assert merged([]) == []


def test_a_validation_is_kept_if_all_of_it_is():
    good = Verdict("a", "x", 1, 0, 0.0, 0.0, True)
    bad = replace(good, kept=False)
    assert [Validation(found, {}).kept for found in ([], [good], [good, bad], [bad, good])] == [
        True,
        True,
        False,
        False,
    ]
    assert Validation([good], {"CPU": "c"}).to_json() == {
        "kept": True,
        "verdicts": [
            {"engine": "a", "case": "x", "rows": 1, "ulps": 0, "difference": 0.0, "promise": 0.0, "kept": True}
        ],
        "facts": {"CPU": "c"},
    }


@pytest.fixture
def judged(monkeypatch):
    """`validate` with a battery of three cases. Gives what was said and judged, in order."""
    happened = []
    monkeypatch.setattr(module, "battery", lambda turns: [("all", ["p"], True), ("bits", ["p"], False)] * turns)
    monkeypatch.setattr(module, "own_cases", lambda X, y: [(f"own {X} {y}", ["p"], True)])
    monkeypatch.setattr(module, "can_solve", lambda engine, problem: problem == "p" and engine.name != "numpy")

    def judge(engine, name, problems, refs, comps):
        assert comps is None
        assert refs == ["p solved"]
        happened.append((engine.name, name))
        return Verdict(engine.name, name, 1, 0, 0.0, engine.promise, True)

    monkeypatch.setattr(module, "reference_solutions", lambda problems: [f"{problem} solved" for problem in problems])
    monkeypatch.setattr(module, "judge", judge)
    return happened


def test_every_engine_but_the_reference_is_judged_by_its_promise(judged):
    seen = validate("X", "y", progress=judged.append)
    every = "strict", "fast", "portable"
    assert judged == [
        *("all", *((engine, "all") for engine in every)),
        *("bits", ("strict", "bits")),
        *("own X y", *((engine, "own X y") for engine in every)),
    ]
    assert [(v.engine, v.case) for v in seen.verdicts] == [
        ("strict", "all"),
        ("strict", "bits"),
        ("strict", "own X y"),
        ("fast", "all"),
        ("fast", "own X y"),
        ("portable", "all"),
        ("portable", "own X y"),
    ]
    assert "Python" in seen.facts


def test_deep_runs_twenty_times_as_many_problems(judged):
    shallow, deep = validate(), validate(deep=True)
    assert [v.rows for v in shallow.verdicts] == [1] * 4
    assert [v.rows for v in deep.verdicts] == [20] * 4


def test_engines_may_be_chosen(judged):
    assert {v.engine for v in validate(engines=[FAST]).verdicts} == {"fast"}
    assert validate(engines=[]).verdicts == []
