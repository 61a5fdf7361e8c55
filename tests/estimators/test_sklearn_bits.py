"""SGDClassifier and SGDRegressor beside scikit-learn's own: "exact" gives its bits, "fast" keeps 1e-10.

`make test-sklearn-bits` runs all fits of the table; without it they are a sample.
"""

import os
import warnings
from collections import Counter
from functools import cache

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.8")

from bits import LONG_FITS, Fit, single
from bits_run import Run, close, differences, same
from bits_sequences import REFUSED, SEQUENCES
from sklearn import linear_model

from tinynet_fast import sklearn as ours

WHOLE = os.environ.get("TINYNET_FAST_BITS") == "full"
ALL = [*single(8), *LONG_FITS, *SEQUENCES, *REFUSED]
FITS = ALL if WHOLE else [*single(1), *LONG_FITS[::5], *SEQUENCES[::3], *REFUSED[::2]]
NAMES = {"classifier": "SGDClassifier", "regressor": "SGDRegressor"}


class Told:
    """A callback that remembers the names of what it was told of."""

    def __init__(self):
        self.tasks = set()

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context, **given):
        self.tasks.add(context.task_name)

    def on_fit_task_end(self, estimator, context, **given): ...


fits = pytest.mark.parametrize("number", range(len(FITS)))


@cache
def theirs(number):
    return Run(getattr(linear_model, NAMES[FITS[number].kind]), FITS[number])


def mine(fit, engine, prepare=lambda model: model):
    """A run with our class; SGDRegressor has no engine but "exact"."""
    estimator = getattr(ours, NAMES[fit.kind])
    more = {"engine": engine} if fit.kind == "classifier" else {}
    return Run(lambda **options: prepare(estimator(**options)), fit, **more)


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
    found = differences(theirs(number), mine(fit, engine), equal)
    count[engine, not found] += 1
    assert not found, "\n".join([str(fit), *found])


@pytest.mark.skipif(not hasattr(ours.SGDClassifier, "set_callbacks"), reason="scikit-learn before 1.9 has no callbacks")
@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize(
    "number",
    [at for at, fit in enumerate(FITS) if at % 9 == 0 and fit.kind == "classifier" and "verbose" not in fit.options],
)
def test_callbacks_change_no_bit(number, engine):
    fit = FITS[number]
    told = Told()
    ref, comp = mine(fit, engine), mine(fit, engine, lambda model: model.set_callbacks(told))
    assert not differences(ref, comp, same)
    fitted = any(method == "fit" for method, _ in fit.steps) and not any("error" in name for name, _ in ref.records)
    assert not fitted or {"fit", "epoch"} <= told.tasks


def with_mistake(mistake):
    """scikit-learn's class, to whose models `mistake` is done after each fit."""

    class SGDClassifier(linear_model.SGDClassifier):
        def fit(self, X, y, **given):
            super().fit(X, y, **given)
            mistake(self)
            return self

    return SGDClassifier


MISTAKES = {
    "the last bit": lambda model: model.coef_.__setitem__((0, 0), np.nextafter(model.coef_[0, 0], 9)),
    "one epoch more": lambda model: setattr(model, "n_iter_", model.n_iter_ + 1),
    "a float": lambda model: setattr(model, "n_iter_", float(model.n_iter_)),
    "another dtype": lambda model: setattr(model, "intercept_", model.intercept_.astype(np.float32).astype(">f8")),
    "another shape": lambda model: setattr(model, "intercept_", model.intercept_[None]),
    "a warning": lambda model: warnings.warn("odd", stacklevel=2),
    "a text": lambda model: print("odd"),
    "a random number": lambda model: np.random.rand(),
    "an error": lambda model: 1 / 0,
    "other labels": lambda model: setattr(model, "classes_", model.classes_.astype(object)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name):
    fit = Fit("classifier", "wine, scaled", "C", {"random_state": None})
    ref, comp = Run(linear_model.SGDClassifier, fit), Run(with_mistake(lambda model: None), fit)
    assert not differences(ref, comp, same)
    comp = Run(with_mistake(MISTAKES[name]), fit)
    assert differences(ref, comp, same)
    assert bool(differences(ref, comp, close)) == (name != "the last bit")


def test_the_table_is_large_and_most_of_it_trains():
    assert len(set(map(str, ALL))) >= 400
    errors = sum(any("error" in name for name, _ in theirs(number).records) for number in range(len(FITS)))
    assert errors <= len(FITS) / 3
