"""How far a run has come. A checkpoint holds this and the arrays that training changes."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinynet_fast.rows.values import is_finite

Arrays = dict[str, np.ndarray]  # what training changes: (k,) float64 arrays by name


@dataclass
class History:
    losses: list[np.ndarray] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_epoch: int | None = None
    best: Arrays | None = None
    done: int = 0  # finished epochs
    position: int = 0  # rows of the next epoch that were trained on
    total: float = 0.0  # the summed loss of these rows
    stopped_early: bool = False
    seconds: float = 0.0
    settled: bool = True  # whether this history and the arrays are of the same moment, so that a run can go on from it
    before: "tuple[History, Arrays, int] | None" = None  # what `keep` kept for `state_before`

    @property
    def last_loss(self) -> float:
        return float(self.losses[-1][-1])

    def state(self, trained: Arrays) -> dict[str, Any]:
        """The state for a checkpoint: this history and the arrays that training changes."""
        return {
            "trained": trained,
            "epoch": self.done,
            "rows": self.position,
            "total": np.array([self.total]),
            "losses": np.concatenate([np.empty(0), *self.losses]),
            "validation_losses": np.array(self.validation_losses),
            "best_loss": np.array([self.best_loss]),
            "best_epoch": self.best_epoch,
            "best": self.best,
            "stopped_early": self.stopped_early,
            "seconds": self.seconds,
        }

    @classmethod
    def of(cls, state: dict[str, Any]) -> "History":
        """The history that `state` was made from."""
        return cls(
            losses=[state["losses"]],
            validation_losses=state["validation_losses"].tolist(),
            best_loss=float(state["best_loss"][0]),
            best_epoch=state["best_epoch"],
            best=state["best"],
            done=state["epoch"],
            position=state["rows"],
            total=float(state["total"][0]),
            stopped_early=state["stopped_early"],
            seconds=state["seconds"],
        )

    def keep(self, trained: Arrays) -> None:
        """Keep the state after an epoch's last row, in case validation or the callback is interrupted."""
        self.before = replace(self, before=None), trained, len(self.losses)

    def state_before(self) -> dict[str, Any] | None:
        """The state that was kept."""
        if self.before is None:
            return None
        history, trained, count = self.before
        validation = history.validation_losses[: history.done]
        return replace(history, losses=history.losses[:count], validation_losses=validation).state(trained)


def all_finite(arrays: Arrays) -> bool:
    """Whether no array holds NaN or infinity."""
    return all(map(is_finite, arrays.values()))
