"""How a table is read and what is learned: the options of `train` that are not those of the trainers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinynet_fast.kernels.point_functions import LOSSES

MISSING = ("fill", "drop", "refuse")
OUTPUTS = LABELS, NUMBERS, ONE_VS_REST = "labels", "linear", "one_vs_rest"  # what `output` may be


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
    output: str | None = None
    loss: str | None = None
    standardize_y: bool | None = None

    def __post_init__(self) -> None:
        self._check_output()
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

    def _check_output(self) -> None:
        """ValueError if there is no such output, or if options for labels are given for numbers."""
        if self.output not in (None, *OUTPUTS):
            raise ValueError(
                f"output={self.output!r}: {LABELS!r}, {NUMBERS!r} (numbers) or {ONE_VS_REST!r} is needed, or nothing"
            )
        if self.loss == "hinge":
            raise ValueError(
                "loss='hinge' learns no probabilities, by which train judges labels: use log_loss, or train_neuron"
            )
        if self.output == NUMBERS:
            for name in ("labels", "positive", "class_weight"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} is for labels, and output='linear' learns numbers: leave one of them out")

    @property
    def learns(self) -> str | None:
        """ "labels" or "linear" (numbers), if the options say so; None if the target decides."""
        if self.output is not None:
            return NUMBERS if self.output == NUMBERS else LABELS
        if any(value is not None for value in (self.labels, self.positive, self.class_weight)):
            return LABELS
        of = [kind for kind, losses in LOSSES.items() if self.loss in losses]
        return of[0] if len(of) == 1 else NUMBERS if self.standardize_y else None

    @property
    def gaps(self) -> tuple[str, ...]:
        """Texts that stand for a missing value, beside the usual ones."""
        return tuple(map(str, self.na))
