"""Labels that cannot be learned as they are: numbers that look like measurements, and types that are no label."""

from typing import Any

import numpy as np

FEW_NUMBERS = 32  # up to this many different numbers may be classes, whatever numbers they are
FEWEST_ROWS = 10  # rows that each of more whole numbers must have on average


def refuse_measurements(labels: np.ndarray, rows: int, name: str = "y") -> None:
    """ValueError if the different labels of `rows` rows look like measurements and not like classes.

    They do if they are more than `FEW_NUMBERS` numbers, and if not all are whole or there are fewer than `FEWEST_ROWS`
    rows for each on average. Text that is a number throughout, as `csv.reader` gives it, is judged as numbers.
    """
    if labels.dtype.kind not in "iufU" or len(labels) <= FEW_NUMBERS:
        return
    if labels.dtype.kind == "U":
        try:
            labels = np.sort(labels.astype(np.float64))
        except ValueError:
            return  # names
    if labels.dtype.kind != "f" or bool((np.floor(labels) == labels).all()):
        if FEWEST_ROWS * len(labels) <= rows:
            return
        what = f"whole numbers in {rows:,} rows"
    else:
        what = "numbers, not all of them whole"
    raise ValueError(
        f"{name} holds {len(labels):,} different {what}, from {labels[0].item()!r} to {labels[-1].item()!r}: they look "
        "like measurements, and this learns classes. Make classes of them (np.digitize puts numbers into bins); or, if "
        "they are classes, turn them into names (such as 'id 7') or name them all with labels="
    )


def too_many(most: int, name: str = "y") -> str:
    """The error's text for more labels than a network can tell apart."""
    return (
        f"{name} holds more than {most} different labels: this learns classes, not numbers. Make fewer classes of them "
        "(np.digitize puts numbers into bins)"
    )


def unusual(label: Any, place: str) -> str:
    """The error's text for a label that is neither number, boolean nor text."""
    kind, remedy = type(label).__name__, "str(label)"
    if hasattr(label, "name") and hasattr(label, "value"):
        remedy = "label.name"  # of an Enum
    elif hasattr(label, "__float__") and not isinstance(label, np.generic):
        remedy = "float(label)"
    elif isinstance(label, bytes):
        remedy = "label.decode()"
    return f"{place} is {label!r}, a {kind}: labels are numbers, booleans or text, so use {remedy} for each label"
