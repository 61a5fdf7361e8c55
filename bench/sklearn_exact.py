"""Compare our linear estimators with scikit-learn's, a whole call of `fit` each: `make bench-sklearn`.

    python bench/sklearn_exact.py [--rounds 9] [--quick] [--only WORD] [--output FILE]

Both classes get the same options, rows and `random_state`. Before anything is timed, the results are checked:
`coef_` and `intercept_` must be the same to the last bit with `engine="exact"` and to 1e-10 with "fast", and `n_iter_`
must be the same with both. Then the three take turns in one process with one thread. A ratio is scikit-learn's CPU time
divided by ours, the median of all rounds. The script prints the tables, and writes them into bench/results and
into the page of the site.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import family  # first: it limits NumPy's BLAS to one thread
import numpy as np
import pages
import scipy.sparse as sp
import sklearn_page
from sklearn import linear_model as theirs

from tinynet_fast import sklearn as ours
from tinynet_fast.proof.bench.machine import machine, slug

RESULTS = pages.ROOT / "bench" / "results"
ENGINES = {"exact": 0.0, "fast": 1e-10}  # the largest difference that is allowed
TEN = {"max_iter": 10, "tol": None, "random_state": 0}
STEADY = {"learning_rate": "constant", "eta0": 0.01}
LOG = TEN | {"loss": "log_loss"}


@cache
def dense(n, d, classes=2, kind=np.float64):
    """Rows drawn from a normal distribution, and labels that a linear model can partly learn."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    noise = rng.gumbel(size=(n, classes))
    return X.astype(kind), (2.0 / np.sqrt(d) * X @ rng.standard_normal((d, classes)) + noise).argmax(axis=1)


@cache
def csr(n, d, density):
    """Sparse rows with `density` * d values each, and labels that a linear model can partly learn."""
    rng = np.random.default_rng(0)
    stored = round(density * d)
    places = rng.integers(0, d, n * stored)
    X = sp.csr_matrix((rng.standard_normal(n * stored), places, np.arange(n + 1) * stored), shape=(n, d))
    X.sum_duplicates()
    return X, (0.3 * X @ rng.standard_normal(d) + rng.standard_normal(n) > 0.0).astype(int)


@cache
def numbers(n, d):
    """Rows, and numbers that depend on them linearly."""
    X, _ = dense(n, d)
    rng = np.random.default_rng(1)
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n)


@cache
def irises():
    from sklearn.datasets import load_iris

    return load_iris(return_X_y=True)


@dataclass(frozen=True)
class Case:
    """One fit that is compared.

    Attributes
    ----------
    group : str
        The table's title.
    name : str
    rows : callable
        Returns X and y.
    options : dict
    least : float
        How many times as fast as scikit-learn "exact" should be at least; 0 if there is no aim.
    quick : bool
        Whether quick runs measure it too.
    """

    group: str
    name: str
    rows: Callable[[], Any]
    options: dict[str, Any] = field(default_factory=dict)
    least: float = 0.0
    quick: bool = False
    estimator: str = "SGDClassifier"


def dense_cases():
    """The three widths: scikit-learn's default rate, shuffled, and a constant one."""
    for n, d in ((200_000, 16), (100_000, 64), (40_000, 256)):
        rows = lambda n=n, d=d: dense(n, d)  # noqa: E731
        title = f"{n:,} x {d}"
        for name, options in (
            ("defaults", {}),
            ("defaults, unshuffled", {"shuffle": False}),
            ("constant rate", STEADY),
            ("constant rate, unshuffled", STEADY | {"shuffle": False}),
            ("no penalty, constant rate, unshuffled", STEADY | {"shuffle": False, "penalty": None}),
            ("tolerance watched", {"tol": 1e-3, "n_iter_no_change": 10}),
        ):
            quick = name == "defaults"
            yield Case("dense rows, two labels", f"{title}, {name}", rows, LOG | options, 1.4, quick)


def sparse_cases():
    for n, d, density in ((20_000, 10_000, 0.01), (20_000, 100_000, 0.001)):
        rows = lambda n=n, d=d, density=density: csr(n, d, density)  # noqa: E731
        title = f"{n:,} x {d:,}, {density:.1%} stored"
        for name, options in (
            ("defaults", {}),
            ("constant rate, unshuffled", STEADY | {"shuffle": False}),
            ("l1", {"penalty": "l1"}),
            ("averaged", {"average": True}),
        ):
            yield Case("CSR rows, two labels", f"{title}, {name}", rows, LOG | options, 1.0, name == "defaults")


def option_cases():
    """One option each, on rows of 16 and 64 inputs."""
    for n, d in ((200_000, 16), (50_000, 64)):
        rows = lambda n=n, d=d: dense(n, d)  # noqa: E731
        for name, options in (
            ("averaged", {"average": True}),
            ("l1", {"penalty": "l1"}),
            ("elasticnet", {"penalty": "elasticnet"}),
            ("invscaling", {"learning_rate": "invscaling", "eta0": 0.1}),
            ("early stopping", {"early_stopping": True, "tol": 1e-3, "n_iter_no_change": 10}),
            ("class weights", {"class_weight": "balanced"}),
        ):
            yield Case("options", f"{n:,} x {d}, {name}", rows, LOG | options, quick=d == 16 and name == "averaged")
        narrow = lambda n=n, d=d: dense(n, d, kind=np.float32)  # noqa: E731
        yield Case("options", f"{n:,} x {d}, float32", narrow, LOG, quick=d == 64)


def loss_cases():
    for n, d in ((200_000, 16), (50_000, 64)):
        rows = lambda n=n, d=d: dense(n, d)  # noqa: E731
        for loss in ("hinge", "squared_hinge", "modified_huber", "perceptron"):
            yield Case("losses", f"{n:,} x {d}, {loss}", rows, TEN | {"loss": loss}, quick=d == 16 and loss == "hinge")
        target = lambda n=n, d=d: numbers(n, d)  # noqa: E731
        for loss in ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"):
            quick = d == 16 and loss == "squared_error"
            options = TEN | {"loss": loss}
            yield Case("SGDRegressor", f"{n:,} x {d}, {loss}", target, options, 0.0, quick, "SGDRegressor")


def class_cases():
    for k in (3, 10):
        rows = lambda k=k: dense(50_000, 64, k)  # noqa: E731
        for name, options in (("defaults", {}), ("constant rate", STEADY), ("averaged", STEADY | {"average": True})):
            yield Case("more than two labels", f"50,000 x 64, {k} labels, {name}", rows, LOG | options)


def small_cases():
    two = lambda: tuple(part[:100] for part in irises())  # noqa: E731
    some = {"random_state": 0}
    log = some | {"loss": "log_loss"}
    yield Case("small fits", "100 x 4, two labels, hinge: defaults", two, some)
    yield Case("small fits", "100 x 4, two labels, log_loss", two, log)
    yield Case("small fits", "150 x 4, three labels, hinge: defaults", irises, some, quick=True)
    yield Case("small fits", "150 x 4, three labels, log_loss", irises, log, quick=True)
    yield Case("small fits", "1,000 x 20, log_loss", lambda: dense(1_000, 20), log)
    yield Case("small fits", "150 x 4, SGDRegressor", irises, some, estimator="SGDRegressor")


CASES = (
    *dense_cases(),
    *sparse_cases(),
    *option_cases(),
    *loss_cases(),
    *class_cases(),
    *small_cases(),
)


def check(case, engine, comp, ref, limit):
    """How far the weights are from scikit-learn's. Ends the run if that is more than `limit`."""
    if comp.n_iter_ != ref.n_iter_:
        raise family.NotEqualError(f"{case.name}: {comp.n_iter_} epochs, scikit-learn {ref.n_iter_}: nothing is timed")
    same = np.array_equal(comp.coef_, ref.coef_) and np.array_equal(comp.intercept_, ref.intercept_)
    if limit == 0.0 and not same:
        raise family.NotEqualError(f"{case.name}: other bits than scikit-learn's: nothing is timed")
    learned = (np.append(model.coef_.ravel(), model.intercept_) for model in (comp, ref))
    return 0.0 if same else float(family.check(case.name, engine, *learned, limit))


def contenders(case):
    """Our estimators by the name of the engine. A regressor has no other engine than "exact"."""
    make = getattr(ours, case.estimator)
    if "engine" not in make().get_params():
        return {"exact": make(**case.options)}
    return {engine: make(engine=engine, **case.options) for engine in ENGINES}


def measure(case, rounds):
    """The ratios of one case by engine, and what ran."""
    X, y = case.rows()
    ref = getattr(theirs, case.estimator)(**case.options)
    ref.fit(X, y)
    found, runs = {}, {"scikit-learn": lambda: ref.fit(X, y)}
    for engine, comp in contenders(case).items():
        apart = check(case, engine, comp.fit(X, y), ref, ENGINES[engine])
        found[engine] = {"apart": apart, "ran": getattr(comp, "engine_", engine)}
        runs[engine] = lambda comp=comp: comp.fit(X, y)
    seconds = family.cpu_turns(runs, rounds)
    for engine, values in found.items():
        low, median, high = np.quantile(seconds["scikit-learn"] / seconds[engine], [0.25, 0.5, 0.75])
        values |= {"ratio": float(median), "low": float(low), "high": float(high)}
        values["ms"] = float(np.median(seconds[engine]) * 1e3)
    found["scikit-learn"] = {"ms": float(np.median(seconds["scikit-learn"]) * 1e3), "epochs": int(ref.n_iter_)}
    return {"name": case.name, "least": case.least, "figures": found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="one or two cases of each kind")
    parser.add_argument("--only", default="", help="only cases with this word in their group or name")
    parser.add_argument("--output", type=Path, help="the results file (default: the day and the CPU, in bench/results)")
    arguments = parser.parse_args()
    if family.TOO_LATE:
        sys.exit("bench: NumPy was imported before it could be limited to one thread")
    warnings.simplefilter("ignore")
    start, groups = time.perf_counter(), {}
    for case in CASES:
        if arguments.only in f"{case.group}: {case.name}" and (case.quick or not arguments.quick):
            found = measure(case, arguments.rounds)
            groups.setdefault(case.group, []).append(found)
            print(f"{sklearn_page.line(found)}", file=sys.stderr, flush=True)
    facts = machine()
    load = round(os.getloadavg()[2], 1)  # of the last quarter of an hour
    document = {"machine": facts, "load": load, "rounds": arguments.rounds, "groups": groups}
    whole = not arguments.only and not arguments.quick
    if whole or arguments.output:
        day = datetime.now(UTC).date().isoformat()
        path = arguments.output or RESULTS / f"sklearn-{day}-{slug(facts)}.json"
        pages.write(document, sklearn_page.page(document), path)
        if not arguments.output:
            pages.update(sklearn_page.PAGE, sklearn_page.with_blocks, path)
    else:
        print(sklearn_page.page(document))
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    family.run(main)
