"""Labels as arrays of numbers, booleans or text; labels that cannot be learned; and long runs of one label."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingWarning, warn
from tinynet_fast.rows.values import decoded, is_masked, is_missing

LOST_END = "NumPy drops zero characters at the end: use another label"  # two texts would become one
EXACT_DIGITS = 15  # two different decimals of at most 15 digits stay different as float64
MOST_FLOATS = 1 << 16  # numbers that are remembered, to compare later ones with
FEW_NUMBERS = 32  # up to this many different numbers may be classes, whatever numbers they are
FEWEST_ROWS = 10  # rows that each whole number must have on average, if there are more
GROUP = 1024  # labels that are compared at once: a minimum and a maximum are 20 times as fast as finding each change
LONG_RUN = 20_000  # rows: there is no warning of a shorter run
LONG_SHARE = 0.05  # of all rows: the share of each run in sorted rows with 20 labels of equal frequency
BY_CHANCE = 1e-6  # there is no warning if shuffled rows have such a run with a higher probability


def as_labels(y: Any, name: str = "y") -> np.ndarray:
    """Labels as an array of numbers, booleans or text, (n,); ValueError for anything else, with the remedy."""
    if y is None:
        raise ValueError(f"{name} is missing: pass a label for each row, or the name of the column that holds them")
    labels, gone = labels_and_gaps(y, name)
    if gone is not None:
        raise ValueError(f"{name}[{np.argmax(gone)}] is missing: drop the row or fill the label first")
    return labels


def labels_and_gaps(y: Any, name: str = "y") -> tuple[np.ndarray, np.ndarray | None]:
    """The same, and which labels are missing or masked (None: none). Their places in the array hold any value."""
    array = read_labels(y, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} has {array.ndim} dimensions; one label a row is needed")
    gone = np.ma.getmaskarray(y).reshape(-1) if is_masked(y) else None
    # NumPy turns a list of text and numbers into text, so a list is asked itself. (And lists are iterated rather than
    # arrays of text: there NumPy can lose a Ctrl-C.)
    in_list = isinstance(y, (list, tuple)) and len(y) > 0 and np.ndim(y[0]) == 0
    if array.dtype.kind == "O" or (array.dtype.kind == "U" and in_list):
        labels = list(y) if in_list else array.tolist()
        missing = np.array([is_missing(label) for label in labels], bool)
        gone = missing if gone is None else gone | missing
        rows = np.flatnonzero(~gone).tolist() if gone.any() else range(len(labels))
        there = [labels[i] for i in rows] if gone.any() else labels
        array = np.zeros(len(labels), (found := _one_type(there, rows, name)).dtype)
        array[~gone] = found
    if array.dtype.kind not in "biufU":
        raise ValueError(f"{name} holds labels of type {array.dtype}: convert them to numbers, booleans or text")
    array = array.astype(np.float64) if array.dtype.kind == "f" and array.dtype.itemsize > 8 else array
    return array, gone if gone is not None and gone.any() else None


def read_labels(y: Any, name: str, what: str = "label") -> np.ndarray:
    """`y` as NumPy reads it, text as objects or of a fixed width; ValueError if it is no array or list.

    Messages call what a row has a label, or `what`.
    """
    if not isinstance(y, np.ndarray) and (isinstance(y, (Iterator, Mapping)) or hasattr(y, "toarray")):
        remedy = f"{name}.toarray()" if hasattr(y, "toarray") else f"list({name})"
        remedy = f"list({name}.values())" if isinstance(y, Mapping) else remedy
        raise ValueError(f"{name} is a {type(y).__name__}: pass {remedy}, with one {what} a row")
    try:
        array = np.asarray(decoded(y))
    except ValueError:
        raise ValueError(f"{name} holds several values in a row: one {what} a row is needed") from None
    if array.ndim == 0:
        raise ValueError(f"{name} is of type {type(y).__name__}: pass a list or an array with one {what} a row")
    return array.astype(object) if array.dtype.kind == "T" else array


def _one_type(labels: list[Any], rows: Sequence[int], name: str) -> np.ndarray:
    """Python objects, the labels of some rows, as an array of text, booleans or numbers; ValueError for a mixture."""
    kinds = {type(label) for label in labels}
    if all(issubclass(kind, str) for kind in kinds):
        for i, label in zip(rows, labels, strict=True):
            if str.endswith(label, "\0"):
                raise ValueError(f"{name}[{i}] is {label!r}, and {LOST_END}")
        # NumPy cuts the name of a text that is an Enum to the length of its value.
        return np.array(labels if kinds == {str} else [str.__str__(label) for label in labels], dtype=str)
    if all(issubclass(kind, (bool, np.bool_)) for kind in kinds):
        return np.array(labels, dtype=bool)
    if all(issubclass(kind, (int, float, np.number)) for kind in kinds):
        try:
            if all(issubclass(kind, (int, np.integer)) for kind in kinds - {bool, np.bool_}):
                whole = np.array([int(label) for label in labels])
                if whole.dtype.kind in "iu":
                    return whole
            array = np.array(labels, dtype=np.float64)
        except OverflowError:
            raise ValueError(f"{name} holds a number that is too large for a float64: use other labels") from None
        if len(set(labels)) > len(set(array.tolist())):
            raise ValueError(f"{name} holds numbers that a float64 cannot tell apart: use text or smaller numbers")
        return array
    for i, label in zip(rows, labels, strict=True):
        if not isinstance(label, (str, bool, np.bool_, int, float, np.number)) or isinstance(label, np.timedelta64):
            raise ValueError(unusual(label, f"{name}[{i}]"))
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise ValueError(f"{name} mixes labels of type {names}: use numbers, booleans or text throughout")


class SeenFloats:
    """Remembers numbers and the float64 that each becomes, to find two that become the same."""

    def __init__(self) -> None:
        self.seen: dict[float, Any] = {}

    def other(self, number: Any, value: float) -> Any:
        """Note that `number` becomes `value`. Returns another number that became the same; None if there is none."""
        known = self.seen.get(value, number)
        if len(self.seen) < MOST_FLOATS:
            self.seen[value] = known
        return known if known != number else None


def refuse_measurements(labels: np.ndarray, rows: int, name: str = "y") -> None:
    """ValueError if the different labels of `rows` rows look like measurements and not like classes.

    They do if there are more than `FEW_NUMBERS` numbers, and either not all are whole or there are fewer than
    `FEWEST_ROWS` rows for each on average. If all texts are numbers, as `csv.reader` gives them, they count as numbers.
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
        "like measurements, and this learns classes. To learn the numbers themselves, use output='linear' (of "
        "train_neuron and train_mlp); or make classes of them (np.digitize puts numbers into bins); or, if they are "
        "classes, turn them into names (such as 'id 7') or name them all with labels="
    )


def too_many(most: int, name: str = "y") -> str:
    """The error's text for more labels than a network can tell apart."""
    return (
        f"{name} holds more than {most} different labels: this learns classes, not numbers. To learn numbers, use "
        "output='linear' (of train_neuron and train_mlp), or make fewer classes (np.digitize puts numbers into bins)"
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


class LongestRun:
    """Counts rows, the rows of each label, and the longest run of one label, in codes that come block by block.

    Attributes
    ----------
    rows : int
        Rows added so far.
    longest : int
        The length of the longest run. Runs below 2 * GROUP rows may be counted as shorter.
    code : int
        The label of that run.
    """

    def __init__(self) -> None:
        self.rows, self.longest, self.code = 0, 0, -1
        self._open, self._last = 0, -1  # length and label of the run that the next block may continue
        self._counts = np.zeros(256, np.int64)

    def add(self, codes: np.ndarray) -> None:
        """Add the codes of the next rows: (n,) uint8."""
        n = len(codes)
        if n == 0:
            return
        self.rows += n
        if codes.max() > 1:
            counts = np.bincount(codes)
            self._counts[: len(counts)] += counts
        else:
            ones = np.count_nonzero(codes)
            self._counts[:2] += n - ones, ones
        first, last, (length, code) = _runs(codes)
        self._note(first + (self._open if codes[0] == self._last else 0), codes[0])
        self._note(length, code)
        self._note(last, codes[-1])
        self._open = last if first < n else self._open + n if codes[0] == self._last else n
        self._last = int(codes[-1])

    def _note(self, length: int, code: int) -> None:
        if length > self.longest:
            self.longest, self.code = length, int(code)

    @property
    def too_long(self) -> bool:
        """Whether the run is long, a large share of all rows, and too long for shuffled rows.

        If a share p of n rows have other labels, shuffled rows have a run of k with a probability of at most
        n p (1 - p)**k.
        """
        if self.longest < max(LONG_RUN, LONG_SHARE * self.rows):
            return False
        others = self.rows - int(self._counts[self.code])
        return others > 0 and math.log(others) - self.longest * others / self.rows < math.log(BY_CHANCE)

    def warn(self, labels: np.ndarray, remedy: str) -> None:
        """Issue a TrainingWarning if the run is too long. Codes are places in `labels`."""
        if self.too_long:
            warn(
                f"{self.longest:,} of {self.rows:,} rows follow each other with the label "
                f"{labels[self.code].item()!r}: trained in this order, the model forgets the labels before. {remedy}",
                TrainingWarning,
            )


def _runs(codes: np.ndarray) -> tuple[int, int, tuple[int, int]]:
    """The lengths of the first and the last run, and the length and the code of the longest run between them."""
    n = len(codes)
    if n > 4 * GROUP:
        groups = codes[: n // GROUP * GROUP].reshape(-1, GROUP)
        if not (groups.min(axis=1) == groups.max(axis=1)).any():  # each group has a change, so no run is long
            first, last = _changes(codes[:GROUP]), _changes(codes[-2 * GROUP :])
            return int(first[0]), 2 * GROUP - int(last[-1]), (0, 0)
    changes = _changes(codes)
    if not len(changes):
        return n, n, (0, 0)
    between = np.diff(changes)
    at = int(np.argmax(between)) if len(between) else 0
    longest = (int(between[at]), int(codes[changes[at]])) if len(between) else (0, 0)
    return int(changes[0]), n - int(changes[-1]), longest


def _changes(codes: np.ndarray) -> np.ndarray:
    """The places at which a code differs from the one before."""
    return np.flatnonzero(codes[1:] != codes[:-1]) + 1
