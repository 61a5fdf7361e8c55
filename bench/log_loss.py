"""Time to a log loss, everything counted: averaged passes with learning_rate="auto", and solvers of other kinds.

The solvers make other updates, so losses are compared and not weights: each figure says how far its loss is above the
least. (The solvers keep their default penalty, which is next to nothing beside a sum over all rows.) The table shows
each solver with its default limit. Other limits on the iterations give the points of the picture.
"""

import warnings
from dataclasses import replace

import numpy as np

from tinynet_fast import Neuron, train_neuron
from tinynet_fast.proof.bench.measure import race
from tinynet_fast.rows.datasets import make_pass_fail

PROBLEMS = ((500_000, 16), (200_000, 64))


def ours(X, y, epochs):
    model = train_neuron(X, y, learning_rate="auto", average=True, epochs=epochs).model
    return model.weights, model.bias


def scikit_learn(solver):
    from sklearn.linear_model import LogisticRegression

    def run(X, y, iterations):
        model = LogisticRegression(solver=solver, max_iter=iterations).fit(X, y)
        return model.coef_[0], model.intercept_[0]

    return run


def snapml():
    from snapml import LogisticRegression

    def run(X, y, iterations):
        model = LogisticRegression(max_iter=iterations, fit_intercept=True).fit(X, y)
        return np.ravel(model.coef_), np.ravel(model.intercept_)[0]

    return run


def liblinear():
    from liblinear import liblinearutil

    def run(X, y, tolerance):
        model = liblinearutil.train(np.where(y > 0, 1.0, -1.0), X, f"-s 0 -B 1 -e {tolerance} -q")
        weights, bias = model.get_decfun()
        return np.array(weights), bias

    return run


# name, how to make it, and its limits: iterations, or tolerances for LIBLINEAR. The last limit is its default.
SOLVERS = (
    ("tinynet_fast, auto and averaged", lambda: ours, (4, 2, 1)),
    ("scikit-learn, lbfgs", lambda: scikit_learn("lbfgs"), (2, 4, 8, 100)),
    ("scikit-learn, newton-cholesky", lambda: scikit_learn("newton-cholesky"), (1, 2, 3, 100)),
    ("scikit-learn, saga", lambda: scikit_learn("saga"), (1, 2, 4, 100)),
    ("snapml", snapml, (1, 2, 4, 100)),
    ("scikit-learn, liblinear", lambda: scikit_learn("liblinear"), (1, 2, 4, 100)),
    ("LIBLINEAR, its own package", liblinear, (0.01,)),  # most of its time goes into copying the rows
)


def compete(n, d, size):
    rows = make_pass_fail(n, d)
    codes = rows.y.astype(np.uint8)

    def loss(parameters):
        weights, bias = parameters
        return Neuron(weights=np.ravel(weights), bias=float(bias)).mean_loss(rows.X, codes)

    runs, learned, missing = {}, {}, []
    for who, make, limits in SOLVERS:
        try:
            run = make()
        except (ImportError, OSError):
            missing.append(who)
            continue
        for limit in limits:

            def timed(key=(who, limit), run=run):
                learned[key] = run(rows.X, rows.y, key[1])

            runs[who, limit] = timed
    seen = race(f"{n:,} x {d}", runs, size.rows(1, 3), shape=(n, d))
    reached = {key: loss(parameters) for key, parameters in learned.items()}
    least = min(reached.values())
    points = {who: [] for who, _ in runs}
    for figure in seen.figures:
        who, _ = figure.who
        points[who].append([figure.median / 1e3, reached[figure.who] / least - 1.0])
    last = {who: limits[-1] for who, _, limits in SOLVERS}
    figures = [
        replace(f, who=f.who[0], remark=f"loss {reached[f.who] / least - 1.0:.1e} above the least")
        for f in seen.figures
        if f.who[1] == last[f.who[0]]
    ]
    return replace(
        seen,
        figures=figures,
        missing=missing,
        facts={"seconds_and_loss": {who: sorted(p) for who, p in points.items()}},
    )


def measure(size):
    warnings.simplefilter("ignore")
    for n, d in PROBLEMS[: size.rows(1, 2)]:
        yield "time to a log loss, everything counted", compete(n, d, size)
