"""Which columns on a cluster are numbers to learn, and how readers split them from the inputs."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import Piece
from tinynet_fast.cluster.tasks import Share
from tinynet_fast.rows.formats.arrow import Layout
from tinynet_fast.rows.formats.base import Part
from tinynet_fast.rows.formats.number_targets import WithNumbers, target_places
from tinynet_fast.rows.frames import target_names


@dataclass(frozen=True)
class Targets:
    """The columns that are numbers to learn: their names, and their places among all `width` columns that are read."""

    names: list[str]
    places: list[int]
    width: int

    @classmethod
    def among(cls, layout: Layout, names: list[str], place: Any) -> "Targets":
        """The targets of these names. TableError if the layout lacks one, or if no column is left to learn from."""
        columns = layout.whole.names
        return cls(names, target_places(columns, names, place), len(columns))

    @property
    def alone(self) -> "Targets":
        """The same if no other columns are read."""
        return Targets(self.names, list(range(len(self.names))), len(self.names))


def with_targets(part: Part, targets: Targets | None) -> Part:
    """A part whose chunks have labels, or else the numbers in these columns."""
    return part if targets is None else WithNumbers(part, targets.places, targets.width)


@dataclass(frozen=True)
class NumbersAlone:
    """The numbers to learn of the rows that another reader reads."""

    read: Callable[..., Iterator[Piece]]

    def __call__(self, share: Share, *data: Any) -> Iterator[np.ndarray]:
        for _, y in self.read(share, *data):
            yield y


def number_names(what: str, y: Any) -> list[str]:
    """The names of the columns that hold numbers to learn."""
    names = target_names(y)
    if names is None:
        raise ValueError(
            f"y is a {type(y).__name__}; for {what} it is the name of the column of numbers, or a list of several names"
        )
    return names


def of_targets(layout: Layout, targets: Targets) -> Layout:
    """The layout of the same rows with the targets alone."""
    other = copy(layout)
    other.names = targets.names
    return other


def columns_of(layout: Layout, targets: Targets | None) -> dict[str, Any]:
    """What a `Cluster` says about its columns."""
    whole = layout.whole
    names = whole.names if targets is None else [name for name in whole.names if name not in targets.names]
    learned = {"n_targets": 0 if targets is None else len(targets.names)}
    of_targets = {"target_names": None if targets is None else targets.names}
    return {"names": names, "n_features": len(names), "dtype": whole.dtype.name, **learned, **of_targets}
