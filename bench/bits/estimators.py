"""The drop-in estimators: every option, dense and sparse rows, two classes and more, `partial_fit`, callbacks."""

from functools import partial
from itertools import product

import numpy as np

from bits.rows import drawn, named, row_weights, sparse_table, table

SGD_OPTIONS = [
    {},
    {"learning_rate": "constant"},
    {"learning_rate": "invscaling", "eta0": 0.5},
    {"learning_rate": "invscaling", "eta0": 0.5, "power_t": 0.25},
    {"learning_rate": "adaptive", "max_iter": 40, "tol": 0.01, "n_iter_no_change": 2},
    {"learning_rate": "constant", "penalty": "l1", "alpha": 1e-3},
    {"learning_rate": "constant", "penalty": "elasticnet", "alpha": 1e-3, "l1_ratio": 0.4},
    {"learning_rate": "constant", "penalty": None},
    {"learning_rate": "constant", "alpha": 0.05},
    {"learning_rate": "constant", "fit_intercept": False},
    {"learning_rate": "constant", "shuffle": False},
    {"learning_rate": "constant", "average": True},
    {"learning_rate": "constant", "average": 100},
    {"learning_rate": "constant", "average": True, "penalty": "l1", "alpha": 1e-3},
    {"learning_rate": "constant", "early_stopping": True, "max_iter": 30, "n_iter_no_change": 2},
    {"learning_rate": "constant", "early_stopping": True, "validation_fraction": 0.3, "average": True},
    {"learning_rate": "constant", "class_weight": "balanced"},
    {"learning_rate": "constant", "given_weights": True},
    {"learning_rate": "constant", "tol": 0.01, "n_iter_no_change": 1, "max_iter": 50},
    {"learning_rate": "constant", "verbose": 1},
    {"learning_rate": "constant", "n_jobs": 2},
    {"learning_rate": "constant", "weighted": True},
    {"learning_rate": "constant", "weighted": True, "average": True, "shuffle": False},
    {"learning_rate": "constant", "held": True},
    {"learning_rate": "constant", "held": True, "early_stopping": True, "max_iter": 30},
    {"learning_rate": "constant", "warm_start": True, "again": True},
    {"learning_rate": "constant", "start": True},
    {"learning_rate": "constant", "parts": True},
    {"learning_rate": "constant", "parts": True, "shuffle": False, "average": True},
    {"parts": True, "shuffle": False},
    {"learning_rate": "constant", "parts": True, "penalty": "l1", "alpha": 1e-3},
    {"learning_rate": "constant", "told": True},
    {"learning_rate": "constant", "dtype": np.float32},
]
WITH_PROBABILITIES = {"SGDClassifier": {"loss": "log_loss"}, "MLPClassifier": {}}  # their default loss has none
SGD_CHOICES = {
    "learning_rate": (None, "constant", "constant", "invscaling", "adaptive"),
    "eta0": (0.01, 0.1),
    "penalty": (None, None, "l1", "elasticnet"),
    "alpha": (1e-4, 1e-2),
    "average": (False, True, 20),
    "engine": (None, None, "strict"),
    "early_stopping": (False, False, True),
    "class_weight": (None, "balanced"),
    "weighted": (False, True),
    "parts": (False, False, True),
    "classes": (2, 3, 6),
    "sparse": (False, False, True),
    "dtype": (None, np.float32),
    "max_iter": (3, 8),
}
MLP_OPTIONS = [
    {},
    {"activation": "logistic"},
    {"activation": "tanh"},
    {"solver": "sgd", "learning_rate_init": 0.05},
    {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.5, "nesterovs_momentum": False},
    {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.0},
    {"solver": "sgd", "learning_rate_init": 0.5, "learning_rate": "invscaling", "power_t": 0.3},
    {"solver": "sgd", "learning_rate_init": 0.5, "learning_rate": "adaptive", "max_iter": 40, "tol": 0.01},
    {"alpha": 0.1},
    {"batch_size": 16},
    {"batch_size": 37, "shuffle": False},
    {"hidden_layer_sizes": (100,)},
    {"hidden_layer_sizes": (9, 4)},
    {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-6},
    {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 2},
    {"early_stopping": True, "validation_fraction": 0.3},
    {"tol": 0.01, "n_iter_no_change": 2, "max_iter": 60, "learning_rate_init": 0.02},
    {"verbose": True},
    {"weighted": True},
    {"held": True},
    {"held": True, "early_stopping": True},
    {"warm_start": True, "again": True},
    {"parts": True},
    {"parts": True, "shuffle": False, "solver": "sgd"},
    {"told": True},
    {"dtype": np.float32},
]
MLP_CHOICES = {
    "activation": (None, "logistic", "tanh"),
    "solver": (None, "sgd"),
    "hidden_layer_sizes": ((3,), (8,), (20, 5)),
    "alpha": (1e-4, 0.1),
    "batch_size": (16, 64, 200),
    "learning_rate_init": (0.001, 0.05),
    "early_stopping": (False, False, True),
    "engine": (None, None, "strict"),
    "weighted": (False, True),
    "parts": (False, False, True),
    "classes": (2, 3, 6),
    "max_iter": (3, 8),
}


class Recorder:
    """A callback that keeps what it is told, and ends training after the second epoch."""

    def __init__(self):
        self.told = []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.told.append(f"begin {context.task_name} {context.task_id} of {context.max_subtasks}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        seen = fitted_estimator.predict_proba(X[:3]).tolist()
        self.told.append(f"end {context.task_name} {context.task_id} {seen}")
        return context.task_name == "epoch" and context.task_id == 1


def rows_for(classes, sparse, dtype, d=7, n=400, seed=0):
    """Rows and labels; of two classes the labels are words."""
    X, y = sparse_table(n, 50, 6, classes, seed, dtype) if sparse else table(n, d, classes, seed, dtype)
    return X, np.array(["no", "yes"])[y] if classes == 2 else y * 2


def fitted(
    name, classes=2, sparse=False, dtype=np.float64, d=7, told=False, parts=False, given_weights=False, **options
):
    """Train an estimator, by `fit` or in parts, and record its attributes and all that it predicts."""
    import tinynet_fast.sklearn as ours

    X, y = rows_for(classes, sparse, dtype, d)
    how = {key: options.pop(key, False) for key in ("weighted", "held", "again", "start")}
    if given_weights:
        options["class_weight"] = {label: 1.0 + i for i, label in enumerate(np.unique(y).tolist())}
    model, recorder = getattr(ours, name)(**{"random_state": 3} | WITH_PROBABILITIES[name] | options), Recorder()
    if told:
        model.set_callbacks(recorder)
    trained_in_parts(model, X, y, how["weighted"]) if parts else trained(model, X, y, how, classes, sparse)
    sums = model.decision_function(X[:100]) if hasattr(model, "decision_function") else None
    return {
        "model": model,
        "told": recorder.told,
        "sums": sums,
        "probabilities": model.predict_proba(X[:100]),
        "logarithms": model.predict_log_proba(X[:100]),
        "predicted": model.predict(X),
        "score": model.score(X, y),
    }


def trained(model, X, y, how, classes, sparse):
    options = {"sample_weight": row_weights(len(y))} if how["weighted"] else {}
    if how["held"]:
        options["X_val"], options["y_val"] = rows_for(classes, sparse, X.dtype, n=90, seed=1)
    if how["start"]:
        shape = (1 if classes == 2 else classes), X.shape[1]
        start = np.random.default_rng(0).standard_normal(shape)
        options |= {"coef_init": start, "intercept_init": start[:, 0]}
    model.fit(X, y, **options)
    if how["again"]:
        model.fit(X, y, **options)


def trained_in_parts(model, X, y, weighted):
    """Two passes of calls with 256, 10 and the other rows."""
    weights = row_weights(len(y)) if weighted else None
    for _ in range(2):
        for part in (slice(0, 256), slice(256, 266), slice(266, None)):
            given = {} if weights is None else {"sample_weight": weights[part]}
            model.partial_fit(X[part], y[part], classes=np.unique(y), **given)


def from_stream(name, **options):
    """`partial_fit_stream` of a file and of blocks."""
    import tinynet_fast.sklearn as ours
    from bits.streams import rows, written

    found = {}
    for kind in ("csv", "npy", "function"):
        model = getattr(ours, name)(random_state=3, **WITH_PROBABILITIES[name], **options)
        found[kind] = ours.partial_fit_stream(model, *written(kind, 700), epochs=2)
        found[f"{kind}, predicted"] = model.predict_proba(rows(700, False)[0][:50]) if kind != "csv" else None
    return found


def combinations(choices, count, seed):
    """Random combinations that the estimators take."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        options = drawn(rng, choices)
        if options.get("parts"):
            for name in ("early_stopping", "class_weight"):
                options.pop(name, None)
        yield f"{named(options)}/seed {number}", {"random_state": number} | options


def problems():
    kinds = {"two classes": {}, "four classes": {"classes": 4}, "sparse": {"sparse": True}}
    kinds["sparse, three classes"] = {"sparse": True, "classes": 3}
    kinds |= {"strict": {"engine": "strict"}, "strict, three classes": {"engine": "strict", "classes": 3}}
    for kind, rows in kinds.items():
        for options in SGD_OPTIONS:
            name = f"SGDClassifier/{kind}/{named(options)}"
            yield name, partial(fitted, "SGDClassifier", **{"max_iter": 6} | rows | options)
        for options in MLP_OPTIONS if "sparse" not in kind else ():
            short = {"max_iter": 6, "hidden_layer_sizes": (8,)}
            yield f"MLPClassifier/{kind}/{named(options)}", partial(fitted, "MLPClassifier", **short | rows | options)
    for d, dtype, average in product((1, 2, 3, 4, 5, 64), (np.float64, np.float32), (False, True)):
        options = {"d": d, "dtype": dtype, "average": average}
        fixed = {"max_iter": 4, "learning_rate": "constant"}
        yield f"SGDClassifier/widths/{named(options)}", partial(fitted, "SGDClassifier", **options, **fixed)
    yield from many_classes()
    for name, options in combinations(SGD_CHOICES, 40, 21):
        yield f"SGDClassifier/combined/{name}", partial(fitted, "SGDClassifier", **options)
    for name, options in combinations(MLP_CHOICES, 25, 22):
        yield f"MLPClassifier/combined/{name}", partial(fitted, "MLPClassifier", **options)
    for shuffle in (False, True):
        yield f"SGDClassifier/stream/shuffle={shuffle}", partial(from_stream, "SGDClassifier", shuffle=shuffle)
        yield f"MLPClassifier/stream/shuffle={shuffle}", partial(from_stream, "MLPClassifier", shuffle=shuffle)


def many_classes():
    """Classes that are trained in one pass, in groups of one register of 8 classes up to four, and more."""
    kinds = product((8, 13, 24, 32, 37), ("fast", "strict"), (np.float64, np.float32), (False, True), (None, 0.01))
    for classes, engine, dtype, average, tol in kinds:
        options = {"engine": engine, "dtype": dtype, "average": average, "tol": tol, "classes": classes}
        fixed = {"max_iter": 4, "learning_rate": "constant", "eta0": 0.05, "shuffle": engine == "fast"}
        yield f"SGDClassifier/many classes/{named(options)}", partial(fitted, "SGDClassifier", **options, **fixed)
