"""The fits that have to give scikit-learn's bits, as a table: data sets, their forms, options, and what is called.

`single` gives the fits of one call. `bits_sequences.py` has those of several calls and those that are refused,
`bits_data.py` makes the rows, and `bits_run.py` runs a fit and compares.
"""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

from bits_data import CLASSES, FORMS, LONG, TARGETS
from sklearn.linear_model._stochastic_gradient import LEARNING_RATE_TYPES


@dataclass(frozen=True)
class Fit:
    """One fit. A step is a method's name and its arguments; `bits_run.Run` says what the arguments mean."""

    kind: str
    data: str
    form: str = "C"
    options: dict[str, Any] = field(default_factory=dict)
    steps: tuple[tuple[str, dict[str, Any]], ...] = (("fit", {}),)
    after_errors: bool = False  # whether later steps are run after one that fails

    def __str__(self) -> str:
        """All of it in one line, as a test's name."""
        said = [f"{name}={value!r}" for name, value in self.options.items() if name != "max_iter"]
        calls = [f"{method} {arguments or ''}".strip() for method, arguments in self.steps]
        return f"{self.kind}: {self.data}; {self.form}; {', '.join(said)}; {', '.join(calls)}"


CLASSIFIER_LOSSES = [
    "log_loss", "hinge", "modified_huber", "squared_hinge", "perceptron",
    "squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive",
]  # fmt: skip
REGRESSOR_LOSSES = ["squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"]

# Each loss is trained with each of these. The regression losses overflow at the first rates of "optimal".
WITH_EACH_LOSS: list[dict[str, Any]] = [
    {},
    {"learning_rate": "constant", "eta0": 0.005},
    {"learning_rate": "constant", "eta0": 0.003, "penalty": "l1", "alpha": 0.01, "average": True},
    {"learning_rate": "invscaling", "eta0": 0.02, "penalty": "elasticnet", "alpha": 0.05, "l1_ratio": 0.4},
    {"learning_rate": "adaptive", "eta0": 0.01, "average": 10, "n_iter_no_change": 2, "max_iter": 40},
    {"learning_rate": "invscaling", "eta0": 0.01, "early_stopping": True, "n_iter_no_change": 2, "penalty": None},
    {"alpha": 0.1, "average": True, "tol": None, "epsilon": 0.3},
    {"learning_rate": "constant", "eta0": 0.5, "alpha": 3.0, "tol": None, "fit_intercept": False},
    {"alpha": 1.0, "penalty": "l1", "early_stopping": True, "class_weight": "balanced", "validation_fraction": 0.3},
    {"learning_rate": "adaptive", "eta0": 1e-4, "shuffle": False, "penalty": "elasticnet", "l1_ratio": 0.9},
]

# What else the options can be, for the three losses that matter most (each row has one of them).
OTHERS: list[dict[str, Any]] = [
    {"alpha": 0.0, "learning_rate": "constant"},
    {"alpha": 0.0, "learning_rate": "invscaling", "eta0": 0.1, "power_t": 0.9, "penalty": "elasticnet"},
    {"alpha": 10.0},
    {"alpha": 10.0, "learning_rate": "constant", "eta0": 0.09},
    {"alpha": 10.0, "learning_rate": "constant", "eta0": 0.3},
    {"alpha": 10.0, "learning_rate": "invscaling", "eta0": 1.0, "average": True},
    {"alpha": 10.0, "penalty": "elasticnet", "l1_ratio": 0.5, "average": 5},
    {"alpha": 2.0, "penalty": "l1", "learning_rate": "constant", "eta0": 0.01},
    {"alpha": 0.01, "penalty": "elasticnet", "l1_ratio": 0.0},
    {"alpha": 0.01, "penalty": "elasticnet", "l1_ratio": 1.0, "average": True},
    {"alpha": 0.01, "l1_ratio": None},
    {"alpha": 1e-6, "max_iter": 40},
    {"alpha": 1e-6, "average": True, "shuffle": False},
    {"alpha": 1e-6, "penalty": None, "learning_rate": "optimal"},
    {"learning_rate": "constant", "eta0": 1e-12},
    {"learning_rate": "constant", "eta0": 50.0, "penalty": None},
    {"learning_rate": "constant", "eta0": 50.0, "alpha": 0.015, "tol": None},
    {"learning_rate": "constant", "eta0": 1e6, "alpha": 1e-9, "average": True},
    {"learning_rate": "constant", "eta0": 1e300},
    {"learning_rate": "invscaling", "eta0": 0.1, "power_t": 0.0},
    {"learning_rate": "invscaling", "eta0": 0.1, "power_t": 2.0, "tol": 0.0},
    {"learning_rate": "invscaling", "eta0": 1e-3, "power_t": -0.1, "max_iter": 3},
    {"learning_rate": "adaptive", "eta0": 2.0, "tol": 0.1, "max_iter": 200},
    {"learning_rate": "adaptive", "eta0": 1e-6, "tol": 1e30, "n_iter_no_change": 1},
    {"learning_rate": "adaptive", "eta0": 0.1, "tol": 1e30, "n_iter_no_change": 1, "max_iter": 100},
    {"learning_rate": "adaptive", "eta0": 0.1, "early_stopping": True, "n_iter_no_change": 1, "max_iter": 60},
    {"tol": None, "max_iter": 3},
    {"tol": 0.0, "max_iter": 60},
    {"tol": 1e30, "n_iter_no_change": 3},
    {"tol": 1.0, "n_iter_no_change": 1, "average": True},
    {"max_iter": 1000},
    {"max_iter": 1000, "learning_rate": "invscaling", "early_stopping": True},
    {"max_iter": 1},
    {"max_iter": 1, "average": 1},
    {"average": 10**6},
    {"average": 57, "learning_rate": "constant", "eta0": 0.05},
    {"average": True, "early_stopping": True, "tol": 0.01, "n_iter_no_change": 2},
    {"average": 1, "fit_intercept": False, "penalty": "l1", "alpha": 0.003},
    {"fit_intercept": False},
    {"shuffle": False},
    {"shuffle": False, "average": 3, "penalty": "elasticnet", "alpha": 0.02},
    {"shuffle": False, "early_stopping": True, "validation_fraction": 0.5, "n_iter_no_change": 1},
    {"early_stopping": True, "validation_fraction": 0.2, "random_state": "instance"},
    {"early_stopping": True, "validation_fraction": 0.001},
    {"early_stopping": True, "tol": None, "random_state": None},
    {"random_state": None},
    {"random_state": "instance", "average": True},
    {"random_state": 2**32 - 1},
    {"verbose": 1, "max_iter": 3},
    {"verbose": 2, "early_stopping": True, "tol": 0.1, "n_iter_no_change": 2, "average": True},
    {"verbose": 1, "learning_rate": "adaptive", "eta0": 0.01, "tol": 0.5, "n_iter_no_change": 1, "penalty": "l1"},
]
FOR_CLASSES: list[dict[str, Any]] = [
    {"class_weight": "balanced"},
    {"class_weight": "balanced", "average": True, "penalty": "l1", "alpha": 0.01},
    {"class_weight": "balanced", "early_stopping": True, "n_jobs": 2},
    {"n_jobs": 2, "average": True},
    {"n_jobs": -1, "learning_rate": "constant", "eta0": 0.01, "penalty": "elasticnet"},
]
OTHER_LOSSES = {"classifier": ["log_loss", "hinge", "modified_huber"], "regressor": REGRESSOR_LOSSES}
LOSSES = {"classifier": CLASSIFIER_LOSSES, "regressor": REGRESSOR_LOSSES}
DATA = {"classifier": list(CLASSES), "regressor": list(TARGETS)}

PA = [
    {"learning_rate": rate, "eta0": eta0, "loss": loss} | more
    for rate, eta0, (loss, more) in product(
        ["pa1", "pa2"],
        [1.0, 1e-3],
        [("hinge", {}), ("hinge", {"average": True, "penalty": None}), ("hinge", {"penalty": "l1", "alpha": 0.1})],
    )
    if rate in LEARNING_RATE_TYPES
]


def _spread(kind, table, data_sets, first=0):
    """Each row of options on `data_sets` data sets. All rows together reach every data set and every form."""
    names, forms = DATA[kind], list(FORMS)
    for number, options in enumerate(table, first):
        for turn in range(data_sets):
            data = names[(number * 2 + turn) * 7 % len(names)]
            form = forms[(number + turn * 2) % len(forms)]
            yield Fit(kind, data, form, {"max_iter": 12} | options)


def _tables(kind, data_sets):
    each = [{"loss": loss} | more for more, loss in product(WITH_EACH_LOSS, LOSSES[kind])]
    if kind == "regressor":
        each = [{key: value for key, value in options.items() if key != "class_weight"} for options in each]
    yield from _spread(kind, each, data_sets)
    others = [
        {"loss": OTHER_LOSSES[kind][number % len(OTHER_LOSSES[kind])]} | options
        for number, options in enumerate(OTHERS + (FOR_CLASSES if kind == "classifier" else []))
    ]
    yield from _spread(kind, others, data_sets, 1)
    passive = [options | ({"loss": "epsilon_insensitive"} if kind == "regressor" else {}) for options in PA]
    yield from _spread(kind, passive, data_sets, 2)


def single(data_sets: int) -> list[Fit]:
    """Fits of one call: each row of options on `data_sets` data sets."""
    return [*_tables("classifier", data_sets), *_tables("regressor", data_sets)]


# Fits that are long enough for all that the fast engine does to many rows.
LONG_FITS = [
    Fit(kind, data, "C", {"loss": loss, "max_iter": 3} | options)
    for kind, loss in [("classifier", "log_loss"), ("classifier", "hinge"), ("regressor", "huber")]
    for data in LONG
    for options in [
        {"learning_rate": "constant", "eta0": 0.05, "shuffle": False, "tol": None},
        {"learning_rate": "constant", "eta0": 0.05, "shuffle": False, "tol": None, "penalty": None, "max_iter": 10},
        {"learning_rate": "invscaling", "eta0": 0.1, "average": True},
        {},
    ]
]
