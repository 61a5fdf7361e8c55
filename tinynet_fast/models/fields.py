"""Checks of the fields of a model file: nothing unchecked becomes part of a model."""

import re
from typing import Any

import numpy as np

from tinynet_fast.columns import Columns, Target
from tinynet_fast.models.outputs import DEVIATIONS, NUMBERS
from tinynet_fast.rows.sparse import FIRST_INDEX

LABEL_TYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|U[0-9]{1,9})")
JSON_TYPES: dict[str, set[type]] = {"U": {str}, "b": {bool}, "i": {int}, "u": {int}, "f": {int, float}}
MOST_LABELS, MOST_LABEL_BYTES = 1 << 16, 1 << 26  # how many labels a file may hold, and how much memory they may take
LONGEST_LABEL = 1000  # characters; a file may name a wider type only if one of its labels is longer


def common(found: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that every kind of model takes; ValueError if a field is wrong."""
    features = found["features"]
    if features is not None and not _are_texts(features):
        raise ValueError("field 'features' is not a list of names")
    output, targets = found.get("output", ""), found.get("targets")
    if not isinstance(output, str) or (targets is not None and not _are_texts(targets)):
        raise ValueError("field 'output' is no text, or field 'targets' is not a list of names")
    known = np.empty(0) if output in NUMBERS else labels(found["labels"], found["label_dtype"])
    return {
        "labels": known,
        "features": features,
        "threshold": check_threshold(found["threshold"]),
        "training": check_training(found["training"], len(known)),
        "output": output,
        "targets": targets,
    } | table(found, output in NUMBERS)


def check_training(training: Any, n_labels: int) -> dict[str, Any]:
    """Return the field 'training' of a model of `n_labels` labels; ValueError if something in it is wrong."""
    if not isinstance(training, dict):
        raise ValueError("field 'training' is not a table of options")
    if holds_no_number(training):
        raise ValueError("field 'training' holds NaN or infinity")
    if training.get(FIRST_INDEX, 1) not in (0, 1):
        raise ValueError(f"field 'training' says {FIRST_INDEX} that is neither 0 nor 1")
    for name, count, most in (
        ("label_shares", n_labels, 1.0),
        ("deviations", None, np.inf),
        (DEVIATIONS, None, np.inf),
    ):
        if name in training and not _are_numbers(training[name], count, most):
            raise ValueError(f"field 'training' holds {name} that are not {count or 'all'} numbers from 0 to {most}")
    return training


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _are_numbers(values: Any, count: int | None, most: float) -> bool:
    """Whether JSON values are a list of `count` numbers from 0 to `most`; None allows any number of them."""
    right = isinstance(values, list) and count in (None, len(values)) and {float, int}.issuperset(map(type, values))
    return right and all(0 <= value <= most for value in values)


def table(found: dict[str, Any], numbers: bool = False) -> dict[str, Any]:
    """The columns and the target of a model that was trained on a person's table; nothing for other models."""
    if "table" not in found:
        return {}
    target, columns, features = found["target"], Columns.from_json(found["table"]), found["features"] or []
    characters = sum(kind.width * len(kind.name) for kind in columns.kinds)  # at least, in the names of the inputs
    if columns.width != len(features) or characters > sum(map(len, features)):  # before these names are made
        raise ValueError("the features are not the inputs that the columns make")
    target = None if target is None else Target.from_json(target)
    if target is not None and target.numbers != numbers:
        raise ValueError("field 'target' holds numbers where the model predicts labels, or labels where it has numbers")
    return {"columns": columns, "target": target}


def labels(values: Any, dtype: Any) -> np.ndarray:
    """Return the labels in the type that they had; ValueError if the type would change one of them."""
    if not isinstance(values, list) or not isinstance(dtype, str) or not LABEL_TYPE.fullmatch(dtype):
        raise ValueError("field 'labels' does not hold two labels of a known type")
    before, text, width = dtype.partition("U")
    kind = "U" if text else np.dtype(before).kind
    if not 2 <= len(values) <= MOST_LABELS or not all(type(label) in JSON_TYPES[kind] for label in values):
        raise ValueError("field 'labels' does not hold two labels of the type in 'label_dtype'")
    if text and int(width) > max(LONGEST_LABEL, *map(len, values)):
        raise ValueError("field 'label_dtype' is wider than any label")
    if text and 4 * len(values) * max(map(len, values)) > MOST_LABEL_BYTES:
        raise ValueError("field 'labels' holds labels that together take too much memory")
    with np.errstate(over="ignore"):  # a label that does not fit is found below
        array = np.array(values, dtype=dtype)
    if array.tolist() != values:
        raise ValueError("field 'labels' holds a label that does not fit the type in 'label_dtype'")
    return array


def finite(values: Any, name: str, ndim: int) -> np.ndarray:
    """Return JSON numbers as a float64 array; ValueError that names the field if they are not finite numbers."""
    if _holds_numbers(values, ndim):  # NumPy alone would turn numbers into text, true into 1, and null into NaN
        array = np.array(values)
        if array.dtype.kind in "if" and array.ndim == ndim and np.isfinite(array).all() and array.size:
            return array.astype(np.float64)
    raise ValueError(f"field {name!r} does not hold finite numbers in {ndim} dimensions")


def _holds_numbers(values: Any, ndim: int) -> bool:
    """Whether JSON values are numbers in lists that are nested `ndim` deep."""
    if ndim == 0:
        return type(values) in (int, float)
    if ndim == 1:
        return isinstance(values, list) and set(map(type, values)) <= {int, float}
    return isinstance(values, list) and all(_holds_numbers(row, ndim - 1) for row in values)


def holds_no_number(value: Any) -> bool:
    """Whether JSON values contain NaN or infinity, which could not be saved again."""
    if isinstance(value, (dict, list)):
        return any(map(holds_no_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and not np.isfinite(value)


def check_threshold(threshold: Any) -> float:
    """Return `threshold` as a float; ValueError if it is not a probability."""
    number = isinstance(threshold, (int, float, np.number)) and not isinstance(threshold, bool)
    if number and 0.0 <= threshold <= 1.0:
        return float(threshold)
    raise ValueError(f"threshold is {threshold!r}; a probability from 0 to 1 is needed")
