"""SGDClassifier and SGDRegressor beside scikit-learn's own: "exact" gives its bits, "fast" keeps 1e-10.

`make test-sklearn-bits` runs all fits of the table; without it they are a sample.
"""

import os
from collections import Counter
from functools import cache

import pytest

pytest.importorskip("sklearn", minversion="1.8")

from bits import single
from bits_run import Run, close, differences, same
from bits_sequences import REFUSED, SEQUENCES
from sklearn import linear_model

from tinynet_fast import sklearn as ours

WHOLE = os.environ.get("TINYNET_FAST_BITS") == "full"
FITS = [*single(8), *SEQUENCES, *REFUSED] if WHOLE else [*single(1), *SEQUENCES[::3], *REFUSED[::2]]
NAMES = {"classifier": "SGDClassifier", "regressor": "SGDRegressor"}
fits = pytest.mark.parametrize("number", range(len(FITS)))


@cache
def theirs(number):
    return Run(getattr(linear_model, NAMES[FITS[number].kind]), FITS[number])


@pytest.fixture(scope="module")
def count():
    """Counts the fits of each engine, and prints how many were equal."""
    counted = Counter()
    yield counted
    for engine in ("exact", "fast"):
        print(f"\n{engine}: {counted[engine, True]} of {counted[engine, True] + counted[engine, False]} fits equal")


@fits
@pytest.mark.parametrize(("engine", "equal"), [("exact", same), ("fast", close)])
def test_a_fit_gives_what_scikit_learn_gives(number, engine, equal, count):
    fit = FITS[number]
    ref, comp = theirs(number), Run(getattr(ours, NAMES[fit.kind]), fit, engine=engine)
    found = differences(ref, comp, equal)
    count[engine, not found] += 1
    assert not found, "\n".join([str(fit), *found])


def test_the_table_is_large_and_most_of_it_trains():
    assert len(set(map(str, [*single(8), *SEQUENCES, *REFUSED]))) >= 400
    errors = sum(any("error" in name for name, _ in theirs(number).records) for number in range(len(FITS)))
    assert errors <= len(FITS) / 3
