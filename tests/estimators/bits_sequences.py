"""Fits of several calls for the table of `bits.py`, and calls that warn or are refused."""

from typing import Any

import numpy as np
import sklearn
from bits import Fit
from scipy import sparse
from sklearn.utils.fixes import parse_version

# scikit-learn 1.8 trains if all weights are zero, and learns nothing. Ours refuses them with any version, as 1.9 does.
NONE = "all zero" if parse_version(sklearn.__version__) >= parse_version("1.9") else "whole"
Step = tuple[str, dict[str, Any]]


def fit(**arguments: Any) -> Step:
    return "fit", arguments


def part(start: int, stop: int | None, **arguments: Any) -> Step:
    """`partial_fit` with some of the rows."""
    return "partial_fit", {"rows": (start, stop)} | arguments


def first(start: int, stop: int | None, **arguments: Any) -> Step:
    """The first `partial_fit`, which is told the classes."""
    return part(start, stop, classes=True, **arguments)


def change(**options: Any) -> Step:
    return "set_params", options


BLOCKS = (first(0, 10), part(10, 11), part(11, 40), part(0, 50), part(40, None))
CALLS: dict[str, tuple[Step, ...]] = {
    "blocks": BLOCKS,
    "blocks with weights": (first(0, 20, weight="random"), part(20, 50, weight="some zero"), part(50, None)),
    "a row at a time": (first(0, 1), *(part(row, row + 1) for row in range(1, 12))),
    "fit after partial_fit": (*BLOCKS[:3], fit(), part(0, 30)),
    "partial_fit after fit": (fit(), part(0, 30), part(30, None, weight="random"), fit()),
    "fit twice": (fit(), fit()),
    "warm starts": (change(warm_start=True), fit(), fit(), fit(rows=(0, 40)), part(0, 20), fit()),
    "warm start, changed": (
        change(warm_start=True), fit(), change(alpha=0.01, penalty="elasticnet"), fit(), change(average=5), fit(),
        change(average=False, max_iter=3), fit(), change(learning_rate="constant", eta0=0.02), fit(weight="random"),
    ),
    "partial_fit, changed": (
        *BLOCKS[:2], change(alpha=0.05), part(20, 60), change(penalty="l1"), part(0, 40), change(shuffle=False),
        part(0, 30), change(learning_rate="invscaling", eta0=0.1), part(30, None),
    ),
    "averages begin later": (change(average=25), first(0, 12), part(12, 24), part(24, 26), part(26, 80)),
    "averages switched on": (fit(), change(average=True), fit(), part(0, 30), part(0, 30)),
    "averages switched on between blocks": (first(0, 30), change(average=True), part(30, 60)),
    "averages switched off": (change(average=True), fit(), change(average=False), part(0, 30), fit()),
    "averages, warm": (change(average=True, warm_start=True), fit(), fit(), part(0, 30), fit()),
    "other types": (fit(), part(0, 30, form="float32"), part(30, 60, form="CSR"), fit(form="float32")),
    "other types, warm": (change(warm_start=True), fit(form="float32"), fit(form="C"), fit(form="CSR, float32")),
    "sparsified": (fit(), ("sparsify", {}), part(0, 30)),
    "sparsified and back": (fit(), ("sparsify", {}), ("densify", {}), part(0, 30)),
    "early stopping on and off": (
        change(early_stopping=True, n_iter_no_change=1), fit(), change(early_stopping=False), part(0, 30),
        change(early_stopping=True), part(0, 60), fit(),
    ),
    "loss changed": (fit(), change(loss="huber", epsilon=0.2, learning_rate="constant"), part(0, 30), fit()),
    "starts": (fit(init="both"), fit(init="flat"), fit(init="F"), fit(init="float32"), fit(init="lists")),
    "starts, one of them": (fit(init="coef"), fit(init="intercept"), change(average=True), fit(init="both")),
    "starts in float32": (fit(form="float32", init="both"), fit(form="float32", init="float32")),
    "start without intercept": (change(fit_intercept=False), fit(init="both")),
    "start, warm": (change(warm_start=True), fit(init="both"), fit(init="coef"), fit()),
    "weights": (fit(weight="random"), fit(weight="some zero"), fit(weight="whole"), fit(weight="float32")),
    "weights, negative": (fit(weight="some negative"), change(average=True), fit(weight="some negative")),
    "weights, odd": (fit(weight="huge"), fit(weight="one number"), fit(weight=NONE)),
    "weights, held out": (
        change(early_stopping=True, n_iter_no_change=2), fit(weight="random"), fit(weight="some zero"),
        fit(weight="some negative"), fit(weight=NONE),
    ),
}  # fmt: skip

OPTIONS: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("classifier", {"loss": "log_loss"}, [("wine, scaled", "C"), ("cancer", "C")]),
    ("classifier", {"loss": "log_loss", "average": True}, [("iris", "C"), ("labels by chance", "CSR")]),
    ("classifier", {"loss": "hinge", "penalty": "l1", "alpha": 0.003}, [("cancer, scaled", "CSR"), ("digits", "C")]),
    ("classifier", {"loss": "modified_huber", "learning_rate": "adaptive", "eta0": 0.05}, [("seven words", "float32")]),
    ("classifier", {"loss": "log_loss", "learning_rate": "constant", "random_state": "instance"}, [("iris, two", "F")]),
    ("classifier", {"loss": "perceptron", "random_state": None, "verbose": 1}, [("constant columns", "CSR, unsorted")]),
    ("regressor", {"loss": "squared_error", "penalty": "elasticnet"}, [("diabetes, scaled", "C"), ("iris", "CSR")]),
    ("regressor", {"loss": "huber", "average": True, "random_state": "instance"}, [("64 inputs", "float32")]),
]
SEQUENCES = [
    Fit(kind, data, form, {"max_iter": 8} | options, steps)
    for kind, options, data_sets in OPTIONS
    for data, form in data_sets
    for steps in CALLS.values()
]

TWO, THREE = np.array([0, 1] * 3), np.array([0, 1, 2] * 2)
SIX = np.arange(12.0).reshape(6, 2)
GAP, INFINITE = (np.where(SIX == 5.0, value, SIX) for value in (np.nan, np.inf))


def _refused(kind: str, *steps: Step, **options: Any) -> Fit:
    return Fit(kind, "iris" if kind == "classifier" else "line", "C", options, steps, after_errors=True)


def rows(X: Any, y: Any, **arguments: Any) -> Step:
    return "fit", {"X": X, "y": y} | arguments


# In these an error or a warning is expected at one of the steps.
REFUSED = [
    *(
        _refused(kind, fit(), **{name: value})
        for kind in ("classifier", "regressor")
        for name, value in [
            ("loss", "log"), ("penalty", "l3"), ("alpha", -1.0), ("alpha", "big"), ("l1_ratio", 1.5), ("max_iter", 0),
            ("max_iter", 2.5), ("tol", -1e-3), ("tol", float("inf")), ("eta0", 0.0), ("eta0", -1.0), ("power_t", "x"),
            ("average", 0), ("average", -1), ("epsilon", -0.1), ("n_iter_no_change", 0), ("validation_fraction", 1.0),
            ("random_state", "x"), ("verbose", -1), ("shuffle", "yes"), ("fit_intercept", 2), ("warm_start", None),
        ]
    ),
    *(
        _refused(kind, fit(), first(0, 5), **options)
        for kind in ("classifier", "regressor")
        for options in [
            {"alpha": 0.0, "learning_rate": "optimal"}, {"penalty": "elasticnet", "l1_ratio": None},
            {"early_stopping": True}, {"learning_rate": "constant", "eta0": 1e150, "penalty": None},
            {"learning_rate": "pa1", "loss": "huber"}, {"learning_rate": "invscaling", "power_t": -0.5},
            {"early_stopping": True, "validation_fraction": 1e-6},
            {"early_stopping": True, "validation_fraction": 0.9999},
        ]
    ),
    *(
        _refused(kind, rows(X, y))
        for kind in ("classifier", "regressor")
        for X, y in [
            (SIX, np.zeros(6)), (SIX, TWO[:5]), (GAP, TWO), (INFINITE, TWO), (SIX[:, 0], TWO), (SIX, np.c_[TWO, TWO]),
            (SIX, TWO[:, None]), (SIX, np.linspace(0, 1, 6)), (SIX, [0.0, np.nan, 1.0, 0.0, 1.0, 0.0]),
            (SIX, ["a", "b"] * 3), (SIX, np.array(["a", "b"] * 3, dtype=object)), (SIX, np.array([True, False] * 3)),
            (SIX, TWO.astype(np.int8)), (SIX, THREE.astype(np.uint16)), (SIX, THREE.astype(np.float32)),
            (SIX, ["é", "日本"] * 3), (SIX, None), (SIX[:0], TWO[:0]), (SIX[:, :0], TWO), (SIX[:1], TWO[:1]),
            (SIX * 1j, TWO), (SIX.astype(str), TWO), ([["a", "b"]] * 6, TWO), ([[1.0], [1.0, 2.0]] * 3, TWO),
            (sparse.csr_array(GAP), TWO), (SIX, [None, "a"] * 3), (SIX, [1, "a"] * 3), (SIX.astype(object), TWO),
            (SIX > 4, THREE), (SIX.astype(np.longdouble), TWO), (sparse.dok_array(SIX), TWO),
            (SIX, sparse.csr_array(TWO[:, None])), (SIX, TWO.astype("M8[D]")), (SIX.astype(">f8"), TWO),
            (SIX, np.array(["yes", "no"] * 3, dtype="U10")), (SIX, np.array([b"yes", b"no"] * 3)), (SIX, THREE - 7.0),
            (np.float32(1e30) * SIX.astype(np.float32), TWO), (1e200 * SIX, THREE), (1e-300 * SIX, TWO),
        ]
    ),
    *(
        _refused(kind, fit(init="wrong"), fit(init="wrong intercept"), fit(weight=NONE), first(0, 9))
        for kind in ("classifier", "regressor")
    ),
    _refused("classifier", part(0, 60)),
    _refused("classifier", first(0, 60), part(0, 60, y=np.full(60, 9)), part(0, 60, X=np.ones((60, 2)))),
    _refused("classifier", fit(), ("partial_fit", {"X": SIX, "y": TWO}), ("partial_fit", {"X": SIX, "y": TWO[:4]})),
    _refused("classifier", fit(), ("partial_fit", {"classes": True}), part(0, 50, y=np.zeros(50, int))),
    _refused("classifier", ("partial_fit", {"X": SIX, "y": TWO, "classes": True}), fit()),
    _refused("classifier", first(0, 150), class_weight="balanced"),
    _refused("classifier", first(0, 150), fit(), class_weight={0: 2.0, 7: 1.0}),
    _refused("classifier", first(0, 150), fit(), class_weight={0: 2.0, 1: 0.25, 2: 1.0}),
    _refused("classifier", first(0, 150), fit(), class_weight={0: 2.0}, average=True),
    _refused("classifier", first(0, 150), fit(), class_weight={0: 0.0, 1: -0.5}, learning_rate="constant"),
    _refused("classifier", fit(), class_weight="even"),
    _refused("classifier", rows(SIX, TWO), n_jobs="many"),
    _refused("classifier", rows(SIX, [0, 0, 0, 0, 0, 1]), early_stopping=True),
    _refused("classifier", rows(SIX, ["no", "yes", "no", "no", "no", "no"]), early_stopping=True),
    _refused("classifier", rows(SIX, TWO, weight="random"), rows(SIX, THREE), fit(), warm_start=True),
    _refused("classifier", fit(), fit(rows=(0, 100)), fit(rows=(0, 100)), warm_start=True, average=True),
    _refused("regressor", fit(), ("partial_fit", {"X": SIX, "y": TWO}), ("fit", {"X": SIX, "y": TWO})),
    _refused("regressor", fit(), ("partial_fit", {"X": SIX, "y": TWO}), fit(rows=(0, 20)), warm_start=True),
]  # fmt: skip
