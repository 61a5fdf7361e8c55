"""Runs a fit of `bits.py` with an estimator, records all that can be seen of it, and compares two records."""

import io
import re
import warnings
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
from bits_data import formed, rows
from scipy.sparse import issparse

TIMES = re.compile(r"(time: |took |elapsed: +|remaining: +)\d+\.\d+")
NOT_SGD = re.compile(r"\[Parallel.*\n+")  # printed by joblib
# Where ours says it better: labels by their names, the kind of the labels.
BETTER = re.compile(r"(Classes with too few members are: |Unknown label type: ).*", re.DOTALL)
LOG_OF_ZERO = "divide by zero encountered in log"
OURS = {"engine_", "certificate_", "validation_loss_curve_", "eta0_", "rate_search_"}


# Errors from inside scikit-learn, by which a call fails that nobody thought of. Ours may say it better or train.
CRASH = re.compile(
    "Argument 'dataset' has incorrect type|no attribute '(_standard_coef|ravel)'|a bytes-like object|'<' not "
)


def printed(text, together):
    """What training printed, without times. Ours trains classes that are watched `together`, so lines are sorted."""
    text = NOT_SGD.sub("", TIMES.sub(r"\1?", text))
    return sorted(text.splitlines()) if together else text


def weights(kind, n):
    """Sample weights of `n` rows."""
    rng = np.random.RandomState(99)
    draw = rng.rand(n) + 0.1
    if kind == "some zero":
        draw[::3] = 0.0
    elif kind == "some negative":
        draw[::4] *= -0.5
    elif kind == "all zero":
        draw[:] = 0.0
    elif kind == "whole":
        return rng.randint(1, 4, n)
    elif kind == "one number":
        return 2.5
    elif kind == "huge":
        draw *= 1e3
    elif kind == "float32":
        return draw.astype(np.float32)
    return draw


def first_weights(kind, n_outputs, n_inputs):
    """Arrays for `coef_init` and `intercept_init`."""
    rng = np.random.RandomState(98)
    coef, intercept = rng.randn(n_outputs, n_inputs), rng.randn(n_outputs)
    if kind == "flat":
        coef = coef.ravel() if n_outputs == 1 else coef
    elif kind == "F":
        coef = np.asfortranarray(coef)
    elif kind == "float32":
        coef, intercept = coef.astype(np.float32), intercept.astype(np.float32)
    elif kind == "lists":
        return {"coef_init": coef.tolist(), "intercept_init": intercept.tolist()}
    elif kind == "coef":
        return {"coef_init": coef}
    elif kind == "intercept":
        return {"intercept_init": intercept}
    elif kind == "wrong":
        coef = coef[:, :-1]
    elif kind == "wrong intercept":
        intercept = np.append(intercept, 1.0)
    return {"coef_init": coef, "intercept_init": intercept}


def seen(model, X):
    """What a user can see of a fitted model: its attributes and what it says of rows."""
    state = {name: value for name, value in sorted(vars(model).items()) if name.endswith("_") and name[0] != "_"}
    state = {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in state.items()}
    for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
        try:
            state[method] = getattr(model, method)(X)
        except Exception as error:
            state[method] = (type(error).__name__, str(error))
    return {name: value for name, value in state.items() if name not in OURS}


class Run:
    """One fit of the table, run with `estimator`: `records` has an entry for each step."""

    def __init__(self, estimator, fit, **more):
        self.fit, self.records = fit, []
        options = dict(fit.options) | more
        seed = options.pop("random_state", 0)
        self.random = np.random.RandomState(5) if seed == "instance" else seed
        np.random.seed(3)
        text = io.StringIO()
        with warnings.catch_warnings(record=True) as warned, redirect_stdout(text), redirect_stderr(text):
            warnings.simplefilter("always")
            self.model = estimator(**options, random_state=self.random)
            for number, (method, arguments) in enumerate(fit.steps):
                if not self.step(number, method, arguments) and not fit.after_errors:
                    break
        self.records += [
            ("warnings", [(warning.category.__name__, str(warning.message)) for warning in warned]),
            ("printed", printed(text.getvalue(), "early_stopping" in str(fit))),
            ("random numbers used", (self.random if seed == "instance" else np.random).randint(2**31 - 1)),
        ]

    def step(self, number, method, arguments):
        arguments = dict(arguments)
        fit, model = self.fit, self.model
        start, stop = arguments.pop("rows", (None, None))
        X, y = formed(fit.kind, fit.data, arguments.pop("form", fit.form), start, stop)
        _, all_y = rows(fit.kind, fit.data)
        shown, given = X, {}
        if method in ("set_params", "sparsify", "densify"):
            getattr(model, method)(**arguments)
            return True
        X, y = arguments.pop("X", X), arguments.pop("y", y)
        if "weight" in arguments:
            given["sample_weight"] = weights(arguments.pop("weight"), len(y))
        if "init" in arguments:
            classes = len(np.unique(all_y)) if fit.kind == "classifier" else 1
            given |= first_weights(arguments.pop("init"), classes if classes > 2 else 1, np.shape(X)[1])
        if arguments.pop("classes", False) and fit.kind == "classifier":
            given["classes"] = np.unique(all_y)
        try:
            assert getattr(model, method)(X, y, **given, **arguments) is model
        except Exception as error:
            self.records.append((f"step {number}: error", (type(error).__name__, BETTER.sub(r"\1", str(error)))))
            return False
        self.records += [(f"step {number}: {name}", value) for name, value in seen(model, shown).items()]
        return True


def same(ref, comp):
    """The same type, dtype, shape and values."""
    if issparse(ref):
        return issparse(comp) and same(ref.toarray(), comp.toarray())
    if isinstance(ref, np.ndarray):
        if not isinstance(comp, np.ndarray) or (ref.dtype, ref.shape) != (comp.dtype, comp.shape):
            return False
        return np.array_equal(ref, comp, equal_nan=ref.dtype.kind == "f")
    return type(ref) is type(comp) and (ref == comp or ref != ref)


def close(ref, comp, scale=0.0, name=""):
    """The same type, dtype and shape; numbers differ by 1e-10 of their norm, or of `scale`, at most (or by 1e-18)."""
    if name == "warnings":
        return [each for each in ref if each[1] != LOG_OF_ZERO] == [each for each in comp if each[1] != LOG_OF_ZERO]
    if same(ref, comp):
        return True
    if issparse(ref) and issparse(comp):
        ref, comp = ref.toarray(), comp.toarray()
    arrays = isinstance(ref, np.ndarray) and isinstance(comp, np.ndarray)
    if not arrays or (ref.dtype, ref.shape) != (comp.dtype, comp.shape) or ref.dtype.kind != "f":
        return False
    if name.endswith("log_proba"):  # at least exp(-700), where scikit-learn's become 0
        ref, comp = np.maximum(ref, -700.0), np.maximum(comp, -700.0)
    if np.array_equal(np.isfinite(ref), np.isfinite(comp)):
        finite = np.isfinite(ref)
        ref, comp = ref[finite].astype(float), comp[finite].astype(float)
        return bool(np.linalg.norm(comp - ref) <= max(1e-10 * np.linalg.norm(ref), 1e-10 * scale, 1e-18))
    return False


@np.errstate(all="ignore")
def differences(ref, comp, equal):
    """What differs between two runs, one line each; up to the first call that fails.

    The error is compared too, unless scikit-learn crashes. Ours is then as before the call, and scikit-learn's is not.
    """
    end = next(
        (at + (not CRASH.search(value[1])) for at, (name, value) in enumerate(ref.records) if name.endswith(": error")),
        None,
    )
    ref, comp = ref.records[:end], comp.records[:end]
    names = [[name for name, _ in records] for records in (ref, comp)]
    if names[0] != names[1]:
        errors = [[value for name, value in records if "error" in name] for records in (ref, comp)]
        return [f"{sorted(set(names[0]) ^ set(names[1]))} on one side; errors: {errors[0]} there, {errors[1]} here"]
    found, scale = [], 0.0
    for (name, value), (_, other) in zip(ref, comp, strict=True):
        if name.endswith(": coef_") and not issparse(value):
            scale = float(np.linalg.norm(value))  # an intercept near zero is a sum of terms that are not
        if "error" in name and value[0] == other[0] and value[1] in other[1]:
            continue  # ours may say more, such as the place of a NaN
        if not (equal(value, other, scale, name) if equal is close else equal(value, other)):
            found.append(f"{name}: {_short(value)} there, {_short(other)} here{_far(value, other)}")
    return found


def _short(value):
    return " ".join(f"{value!r:.120}".split())


def _far(ref, comp):
    arrays = isinstance(ref, np.ndarray) and isinstance(comp, np.ndarray)
    if not arrays or ref.dtype.kind != "f" or ref.shape != comp.shape:
        return ""
    with np.errstate(all="ignore"):
        return f" (relative difference {np.linalg.norm(comp - ref) / np.linalg.norm(ref):.1e})"
