"""What kind of value is this: missing, masked, a collection, or a code that stands for another value?"""

import math
import sys
from typing import Any

import numpy as np


def is_several(value: Any) -> bool:
    """Whether a Python object is a collection, such as a list or an array, and not a single value."""
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes)) and getattr(value, "ndim", 1) > 0


def is_missing(value: Any) -> bool:
    """Whether a Python object stands for a missing value."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    other = value != value
    return isinstance(other, (bool, np.bool_)) and bool(other)  # several values give several answers


def is_masked(values: Any) -> bool:
    """Whether an array of `numpy.ma` has masked values. (NumPy imports that when it is first named: 10 ms.)"""
    return "numpy.ma" in sys.modules and isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values)


def is_finite(array: np.ndarray) -> bool:
    """Whether an array of numbers holds no NaN and no infinity.

    If the sum of squares is finite, so are the numbers; large ones are asked one by one. That takes a third of the
    time for few numbers. (`vdot` overflows without a warning. `dot` is faster, but gives one.) From 10,000 numbers on,
    OpenBLAS starts threads for a sum: on a busy computer, waiting for them takes a hundred times as long as the sum.
    """
    few = array.size < 10_000
    return (few and math.isfinite(np.vdot(array, array))) or bool(np.isfinite(array).all())


def is_number(text: str) -> bool:
    """Whether a text is a number as Python writes them, without underscores."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def is_coded(kind: Any) -> bool:
    """Whether an Arrow type is a dictionary: codes, and the values that they stand for."""
    return type(kind).__name__ == "DictionaryType"


def decoded(values: Any) -> Any:
    """An Arrow column with values in place of codes; anything else as it is.

    NumPy reads the codes of a chunked array without its nulls: a null would become another row's value.
    """
    kind: Any = getattr(values, "type", None)
    return values.cast(kind.value_type) if is_coded(kind) else values
