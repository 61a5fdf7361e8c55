"""How a table is read and what is learned: the options of `train` that are not those of the trainers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MISSING = ("fill", "drop", "refuse")


@dataclass(frozen=True)
class TableOptions:
    """The options of `train` that say how the table is read and what is learned, checked."""

    positive: Any = None
    features: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    levels: Sequence[str] = ()
    hashed: Mapping[str, int] = field(default_factory=dict)
    missing: str = "fill"
    na: Sequence[str] = ()
    decimal: str | None = None
    standardize: bool = True
    class_weight: Any = None
    labels: Any = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("features", "exclude", "levels", "na"):
            if isinstance(getattr(self, name), str):
                raise ValueError(f"{name}={getattr(self, name)!r} is one text: give a list, [{getattr(self, name)!r}]")
        if self.missing not in MISSING:
            raise ValueError(f"missing={self.missing!r}: one of {', '.join(map(repr, MISSING))} is needed")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"decimal={self.decimal!r}: '.' or ',' is needed")
        if not (self.class_weight in (None, "balanced") or isinstance(self.class_weight, Mapping)):
            raise ValueError(f"class_weight={self.class_weight!r}: 'balanced', or a dict with weights, is needed")
        if not isinstance(self.hashed, Mapping):
            raise ValueError(f"hashed={self.hashed!r}: a dict is needed, such as {{'city': 64}}")
        if isinstance(self.class_weight, Mapping):
            for label, weight in self.class_weight.items():
                if (
                    isinstance(weight, bool)
                    or not isinstance(weight, (int, float, np.number))
                    or not 0 < weight < np.inf
                ):
                    raise ValueError(f"class_weight gives {label!r} the weight {weight!r}: a number above 0 is needed")

    @property
    def gaps(self) -> tuple[str, ...]:
        """Texts that stand for a missing value, beside the usual ones."""
        return tuple(map(str, self.na))
