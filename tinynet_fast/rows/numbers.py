"""Numbers to learn (regression): reads and checks one for each row, or several. What labels have is in `arrays.py`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingWarning, warn
from tinynet_fast.rows.arrays import DATES, BadValue
from tinynet_fast.rows.blocks import Moments
from tinynet_fast.rows.frames import named_columns
from tinynet_fast.rows.labels import read_labels
from tinynet_fast.rows.values import decoded, is_masked, is_missing, is_number, is_several


class Numbers:
    """The numbers that rows in memory are to learn: what `Codes` are for labels.

    `y` is float64, finite: (n,) for one number a row, (n, n_targets) for several. `names` are those of the targets.
    """

    def __init__(self, y: np.ndarray, names: list[str] | None = None) -> None:
        self.y, self.names = y, names

    @property
    def n_targets(self) -> int:
        return targets_in(self.y)

    def __getitem__(self, part: Any) -> np.ndarray:
        return self.y[part]

    def as_floats(self, part: Any) -> np.ndarray:
        """The numbers of some rows, C-contiguous. A slice is not copied."""
        return np.require(self.y[part], requirements=("C", "A"))


def targets_in(y: np.ndarray) -> int:
    """How many numbers each row has."""
    return 1 if y.ndim == 1 else int(y.shape[1])


def read_numbers(
    y: Any, n_rows: int, n_targets: int | None = None, name: str = "y", names: Sequence[str] | None = None
) -> np.ndarray:
    """The numbers of `n_rows` rows, checked.

    Parameters
    ----------
    y : (n,) or (n, k) list, array, Series or frame
        Numbers, booleans, or text that is a number throughout, as `csv.reader` gives it.
    n_rows : int
    n_targets : int, optional
        How many numbers each row must have; any number if left out.
    name : str
        What messages call `y`.
    names : sequence of str, optional
        The names of the targets for messages.

    Returns
    -------
    (n,) float64 array, or (n, k) for k > 1
        An array of float64 is not copied.

    Raises
    ------
    ValueError
        For text, dates, complex numbers, missing values, infinity, and a wrong number of rows or targets. The message
        names the row.
    """
    array = numbers_and_gaps(y, name, names)
    if len(array) != n_rows:
        raise ValueError(f"X has {n_rows} rows and {name} has {len(array)} values: one for each row is needed")
    check_targets(array, n_targets, name)
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(np.argwhere(~finite)[0].tolist())
        what = "missing" if np.isnan(array[place]) else "not finite"
        raise ValueError(f"{_place(name, place, _names(y, names))} is {what}: drop the row or fill the value first")
    return array


def check_targets(array: np.ndarray, n_targets: int | None, name: str) -> None:
    """ValueError if rows do not have as many numbers as they need."""
    if n_targets is not None and targets_in(array) != n_targets:
        has, are = targets_in(array), "are" if n_targets > 1 else "is"
        raise ValueError(
            f"{name} has {has} numbers a row, and {n_targets} {are} learned: give the columns that are learned"
        )


def numbers_and_gaps(y: Any, name: str = "y", names: Sequence[str] | None = None) -> np.ndarray:
    """`y` as float64, NaN where a value is missing: (n,), or (n, k) for k > 1. ValueError for what is no number."""
    if y is None:
        raise ValueError(f"{name} is missing: pass a number for each row, or the name of the column that holds them")
    frame = None if isinstance(y, np.ndarray) and y.dtype.names is None else named_columns(y, name)
    if frame is not None:
        labels, columns = frame
        if not labels:
            raise ValueError(f"{name} has no columns: at least one target is needed")
        parts = [_floats(decoded(columns[label]), name, [str(label)]) for label in labels]
        several = next((label for label, part in zip(labels, parts, strict=True) if part.ndim > 1), None)
        if several is not None:
            raise ValueError(f"{name}[0, {str(several)!r}] holds several values: give each a column of its own")
        return parts[0] if len(parts) == 1 else np.column_stack(parts)
    array = _floats(y, name, names)
    if array.ndim > 2 or array.shape[1:] == (0,):
        raise ValueError(f"{name} has the shape {array.shape}; (n,) is needed, or (n, k) for k numbers a row")
    return array[:, 0] if array.shape[1:] == (1,) else array


def _names(y: Any, names: Sequence[str] | None) -> Sequence[str] | None:
    """The names of the columns of `y`, or those that were given."""
    found = named_columns(y, "y") if names is None and not isinstance(y, np.ndarray) else None
    return names if found is None else list(map(str, found[0]))


def _floats(y: Any, name: str, names: Sequence[str] | None) -> np.ndarray:
    """An array or list as float64."""
    array = read_labels(y, name, "number")
    gone = np.ma.getmaskarray(y) if is_masked(y) else None
    if array.dtype.kind in "Mm" and array.size:
        raise ValueError(f"{_place(name, (0,) * array.ndim, names)} is {array.flat[0]}, {DATES}")
    if array.dtype.kind in "OUS":
        array = _from_objects(array, name, names)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds values of type {array.dtype}: convert them to real numbers first")
    with np.errstate(over="ignore"):  # a long double that is too large becomes infinite, which is refused
        array = array.astype(np.float64, copy=gone is not None)
    if gone is not None:
        array[gone] = np.nan
    return array


def _from_objects(array: np.ndarray, name: str, names: Sequence[str] | None) -> np.ndarray:
    out = np.empty(array.shape)
    for place, value in np.ndenumerate(array):
        try:
            out[place] = number_of(value)
        except ValueError as error:
            raise BadValue.at(place[0], f"{_place(name, place, names)} {error}") from None
    return out


def number_of(value: Any) -> float:
    """A Python object as a float, NaN if it is missing. The text of the ValueError goes on after the place's name."""
    if is_several(value):
        raise ValueError("holds several values: one number a row is needed, or a column for each")
    if is_missing(value):
        return np.nan
    if isinstance(value, str) and is_number(value):
        return float(value)
    if hasattr(value, "isoformat") or hasattr(value, "total_seconds"):
        raise ValueError(f"is {value}, {DATES}")
    if not isinstance(value, (str, bytes, complex)):
        try:
            return float(value)
        except OverflowError:
            raise ValueError("is too large for a float64: divide all by a power of ten first") from None
        except (TypeError, ValueError):
            pass
    value = str(value) if isinstance(value, np.str_) else value
    remedy = "convert it or drop the row; to learn labels, leave output='linear' out"
    raise ValueError(f"is {value!r}, which is no number: {remedy}")


def _place(name: str, place: tuple[int, ...], names: Sequence[str] | None) -> str:
    """A row, and the target if there are several, for a message: `y[3]`, `y[3, 1]`, `y[3, 'price']`."""
    if names is not None:
        return f"{name}[{place[0]}, {names[place[1] if len(place) > 1 else 0]!r}]"
    return f"{name}[{', '.join(map(str, place))}]"


# --- what all numbers together must be --------------------------------------------------------------------------------


class TargetRange:
    """The least and the largest number of each target, in rows that come block by block."""

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self.names, self.least, self.most = names, np.array(np.inf), np.array(-np.inf)

    def add(self, y: np.ndarray) -> None:
        """Add the numbers of the next rows."""
        if len(y):
            self.least, self.most = np.minimum(self.least, y.min(axis=0)), np.maximum(self.most, y.max(axis=0))

    def warn_of_constants(self) -> None:
        """Issue a TrainingWarning for a target that is the same in every row."""
        for j in np.flatnonzero(np.atleast_1d(self.least == self.most)).tolist():
            value, several = np.atleast_1d(self.least)[j].item(), self.least.ndim > 0
            name = "y" if self.names is None else repr(self.names[j])
            target = f"{name}[:, {j}]" if several and self.names is None else name
            warn(
                f"{target} is {value!r} in every row, so that there is nothing to learn from the inputs: check that it "
                "is the right column",
                TrainingWarning,
            )

    def check_counts(self) -> None:
        """ValueError if all numbers of a target are 0, of which no mean above 0 can be learned (Poisson)."""
        zero = np.atleast_1d(self.most) == 0.0
        if zero.any():
            j = int(np.argmax(zero))
            name = "y" if self.names is None else repr(self.names[j])
            raise ValueError(f"{name} is 0 in every row, and loss='poisson' learns a mean above 0: use another loss")


def first_below_zero(y: np.ndarray) -> int | None:
    """The first row with a number below 0, which loss='poisson' cannot learn; None if there is none."""
    below = y < 0.0 if y.ndim == 1 else (y < 0.0).any(axis=1)
    return int(np.argmax(below)) if below.any() else None


def below_zero(value: np.ndarray) -> str:
    """The end of the error's text for a row's numbers of which one is below 0."""
    return f"is {float(np.min(value))!r}: loss='poisson' learns counts, of at least 0; correct it or use another loss"


# --- standardised numbers ---------------------------------------------------------------------------------------------


class TargetMoments:
    """Means and deviations of numbers in one pass. They do not depend on how the rows are cut into pieces."""

    def __init__(self, n_targets: int, in_order: bool = False) -> None:
        self.moments = Moments(n_targets, in_order)
        self._waiting: list[np.ndarray] = []
        self._rows = 0

    def add(self, y: np.ndarray) -> None:
        """Add the numbers of the next rows, any number of them."""
        size = self.moments.block_rows
        y = y.reshape(len(y), -1)
        while len(y):
            part, y = y[: size - self._rows], y[size - self._rows :]
            self._waiting.append(part)
            self._rows += len(part)
            if self._rows == size:
                self._add()

    def _add(self) -> None:
        self.moments.add(np.concatenate(self._waiting))
        self._waiting, self._rows = [], 0

    def standardisation(self, names: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The mean and the population deviation of each target: (n_targets,) each, or () if there is one target.

        The deviation of a target that never changes is 1.0. ValueError if a target is too large or too small.
        """
        if self._rows:
            self._add()
        targets = self.moments.mean.shape[0]
        names = [f"y[:, {j}]" if targets > 1 else "y" for j in range(targets)] if names is None else names
        mean, scale = self.moments.standardisation(names)
        scale[np.isinf(scale)] = 1.0
        return (mean, scale) if targets > 1 else (mean.reshape(()), scale.reshape(()))
