"""Compare our grid search over our estimators with scikit-learn's over its own: whole calls of `fit`.

    python bench/grid_search.py [--rounds 3] [--folds 5] [--only WORD] [--no-page]

Both searches get the same grid, rows, folds, `random_state` and `n_jobs`; libraries have one thread. Before anything is
timed, `best_params_` must be equal and the scores of all folds equal to 1e-8. The third contender is scikit-learn's
search over our estimators: what is left of the ratio is what fits of one fold share. The contenders take turns in one
process. The script writes the page bench/results/grid-search-DATE-CPU.md.
"""

import argparse
import statistics
import time
import warnings
from datetime import UTC, datetime

from family import run  # first: it limits NumPy's BLAS to one thread

# ruff: isort: split
import numpy as np
import pages
from sklearn import linear_model, model_selection, neural_network
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinynet_fast import sklearn as ours
from tinynet_fast.proof.bench.machine import machine, slug
from tinynet_fast.proof.bench.measure import NotEqualError

RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3]
NETWORK = {"batch_size": 200, "max_iter": 10, "random_state": 0}
LINEAR = {"loss": "log_loss", "learning_rate": "constant", "max_iter": 20, "random_state": 0}
FOLDS, LIMIT = 5, 1e-8
PAIRS = {
    "MLPClassifier": (neural_network.MLPClassifier, ours.MLPClassifier),
    "SGDClassifier": (linear_model.SGDClassifier, ours.SGDClassifier),
}
# name, estimator, its options, grid, n_jobs, whether a StandardScaler comes first
RUNS = (
    ("8 rates, 16 units", "MLPClassifier", NETWORK | {"hidden_layer_sizes": (16,)}, RATES, None, False),
    ("8 rates, 16 units, two jobs", "MLPClassifier", NETWORK | {"hidden_layer_sizes": (16,)}, RATES, 2, False),
    ("8 rates, 100 units (the default)", "MLPClassifier", NETWORK, RATES, None, False),
    ("4 alphas x 3 eta0", "SGDClassifier", LINEAR, None, None, False),
    ("4 alphas x 3 eta0, two jobs", "SGDClassifier", LINEAR, None, 2, False),
    ("4 alphas x 3 eta0 after a scaler", "SGDClassifier", LINEAR, None, None, True),
)


def rows(n=20_000, d=16):
    """Rows drawn from a normal distribution, and labels that a linear model learns in part."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    sums = X @ rng.standard_normal(d) + np.sin(3.0 * X[:, 0]) + 0.5 * rng.standard_normal(n)
    return X, (sums > 0.0).astype(int)


def searches(name, options, rates, n_jobs, scaled, cv):
    """By contender a search over these folds that is not yet fitted."""
    grid = {"learning_rate_init": rates} if rates else {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "eta0": [1e-3, 1e-2, 1e-1]}
    their, our = PAIRS[name]
    made = {}
    for who, kind, estimator in (
        ("scikit-learn", model_selection.GridSearchCV, their(**options)),
        ("tinynet_fast", ours.GridSearchCV, our(**options)),
        ("scikit-learn's search, our estimator", model_selection.GridSearchCV, our(**options)),
    ):
        model, own = estimator, grid
        if scaled:
            model, own = (
                make_pipeline(StandardScaler(), estimator),
                {f"{name.lower()}__{k}": v for k, v in grid.items()},
            )
        made[who] = kind(model, own, cv=cv, n_jobs=n_jobs, refit=False)
    return made


def compared(title, made, X, y):
    """Fit all, and check the results. Returns the largest difference of a score, and how many candidates shared."""
    ref, *others = (search.fit(X, y) for search in made.values())
    apart = 0.0
    for comp in others:
        if comp.best_params_ != ref.best_params_:
            raise NotEqualError(f"{title}: {comp.best_params_} is best in place of {ref.best_params_}")
        for key, scores in ref.cv_results_.items():
            if "_test_score" in key:
                apart = max(apart, float(np.abs(comp.cv_results_[key] - scores).max()))
    if not apart <= LIMIT:
        raise NotEqualError(f"{title}: scores are {apart:.1e} apart, and {LIMIT:.0e} is allowed: nothing is timed")
    return apart, made["tinynet_fast"].shared_


def taken(made, X, y, rounds, clock):
    """Seconds of each contender in each round; a turn each."""
    seconds = {who: [] for who in made}
    for _ in range(rounds):
        for who, search in made.items():
            start = clock()
            search.fit(X, y)
            seconds[who].append(clock() - start)
    return seconds


def measured(rounds, only, folds):
    X, y = rows()
    cv = list(model_selection.StratifiedKFold(FOLDS).split(X, y))[:folds]
    for title, name, options, rates, n_jobs, scaled in RUNS:
        if only and only not in f"{name}: {title}":
            continue
        made = searches(name, options, rates, n_jobs, scaled, cv)
        apart, shared = compared(title, made, X, y)
        # CPU time, which other processes change less; that of joblib's processes is not known here
        seconds = taken(made, X, y, rounds, time.process_time if n_jobs is None else time.perf_counter)
        medians = {who: statistics.median(times) for who, times in seconds.items()}
        own = seconds["tinynet_fast"]
        ratios = {
            who: statistics.median(a / b for a, b in zip(times, own, strict=True)) for who, times in seconds.items()
        }
        found = {"run": f"{name}: {title}", "seconds": medians, "ratios": ratios, "apart": apart, "shared": shared}
        found |= {"rounds": rounds}
        print(found, flush=True)
        yield found


def page(document):
    facts = document["machine"]
    lines = [
        "# Grid search: ours over our estimators against scikit-learn's over its own",
        "",
        f"{facts['cpu']}, {facts['cores']} cores; scikit-learn {facts.get('scikit-learn', '?')}, NumPy "
        f"{facts.get('numpy', '?')}, Python {facts['python']}; {document['date']}. Made by `bench/grid_search.py`.",
        "",
        f"20,000 rows x 16, {document['folds']} of {FOLDS} folds, "
        "at most 10 epochs of networks in batches of 200, and 20 of linear models; "
        "one thread in every library, and the same `n_jobs` for all. `best_params_` are equal; `apart` is how far the "
        "scores are apart at most. Seconds and ratios are medians of all rounds, in which the contenders took turns: "
        "CPU time for one job, wall-clock time for two.",
        "",
        "| search | scikit-learn | its search, our estimator | ours | times as fast as scikit-learn | apart | rounds |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in document["runs"]:
        theirs, own, mixed = (each["seconds"][who] for who in each["seconds"])
        ratio = each["ratios"]["scikit-learn"]
        lines.append(
            f"| {each['run']} | {theirs:.2f} s | {mixed:.2f} s | {own:.2f} s | {ratio:.1f} | {each['apart']:.0e} | "
            f"{each['rounds']} |"
        )
    if "remark" in document:
        lines += ["", document["remark"]]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=FOLDS, help=f"train on the first of the {FOLDS} folds alone")
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    parser.add_argument("--no-page", action="store_true", help="print only")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # few epochs are not enough to converge
    facts = machine()
    document = {"date": datetime.now(UTC).date().isoformat(), "machine": facts, "folds": arguments.folds}
    document["runs"] = list(measured(arguments.rounds, arguments.only, arguments.folds))
    if arguments.no_page:
        print(page(document))
    else:
        name = f"grid-search-{document['date']}-{slug(facts)}.json"
        pages.write(document, page(document), pages.ROOT / "bench" / "results" / name)


if __name__ == "__main__":
    run(main)
