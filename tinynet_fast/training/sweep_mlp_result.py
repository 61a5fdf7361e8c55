"""What a sweep of networks returns. The training is in `sweep_mlp.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.models import MLP, OneVsRest
from tinynet_fast.training.losses import LINEAR
from tinynet_fast.training.many_neurons import ALL_ROWS
from tinynet_fast.training.sweep_result import Judged


@dataclass(frozen=True, eq=False, repr=False)
class MLPSweepResult(Judged[MLP | OneVsRest]):
    """What `sweep_mlp` returns. Network i is entry i of every list, row i of every array and column i of the history.

    Networks come in the order of the combinations of options. For each combination, the first network is trained on all
    rows, the next without fold 0, then without fold 1, and so on. With output="one_vs_rest" the networks of
    all labels are one model, and count as one here.

    Attributes
    ----------
    options : dict of str to list
        The value that each network has of every option that may be a list: `options["learning_rate"][i]`.
    tried : list of str
        The names of the options that have more than one value.
    combination : (n_networks,) int array
        The number of its combination of options.
    fold : (n_networks,) int array
        The fold that the network was not trained on; -1 for none.
    loss_history : (epochs, n_networks) float64 array
        The mean loss of each epoch, as in `train_mlp`; NaN from the epoch on in which a network diverged. One against
        the rest, it is the sum over the labels' networks.
    held_out_loss : (n_networks,) float64 array
        The mean loss of the rows of the fold, or of the validation rows, as `loss` of the model has it; NaN if there
        are no such rows, or if the network diverged.
    diverged : (n_networks,) bool array
        True if the network's weights or losses are no longer finite numbers.
    side_by_side : (n_networks,) bool array
        True if the network was trained in one pass over the rows with others; else it was trained by itself.
    engines : list of str
        The engine that really trained each network. (One against the rest, several names may stand in one text.)
    best : int or None
        The number of the network judged best. With `folds`: the network that was trained on all rows with the options
        that have the least mean held-out loss. With `validation`: the network with the least loss on those rows.
        Without both: the one with the least loss in the last epoch, which says little about new rows. None if all
        diverged.
    labels : (n_labels,) array; empty for numbers
    features : list of str or None
    epochs : int
    seconds : float
        Wall time of training, without compiling and checking.
    output : str
        "linear" for numbers; empty for labels.
    """

    options: dict[str, list[Any]]
    tried: list[str]
    combination: np.ndarray
    fold: np.ndarray
    loss_history: np.ndarray
    held_out_loss: np.ndarray
    diverged: np.ndarray
    side_by_side: np.ndarray
    engines: list[str]
    best: int | None
    labels: np.ndarray
    features: list[str] | None
    epochs: int
    seconds: float
    output: str
    make: Callable[[int], MLP | OneVsRest]

    loss_name = "mean loss"
    _kind = "networks"

    def __repr__(self) -> str:
        what = f"{len(self):,} networks" + (f", {self.folds} folds" if self.folds else "")
        best = "all diverged" if self.best is None else f"best: {self.name(self.best)}"
        return f"MLPSweepResult({what}, {best})"

    @property
    def learning_rate(self) -> np.ndarray:
        """(n_networks,) float64: the learning rate of each network."""
        return np.array(self.options["learning_rate"])

    @property
    def seed(self) -> list[int | None]:
        """The seed of each network that was used or drawn."""
        return self.options["seed"]

    @property
    def engine(self) -> str:
        """The engine that trained the networks; if there were several, how many networks each trained."""
        names = list(dict.fromkeys(map(str, self.engines)))
        if len(names) == 1:
            return self.engines[0]
        return ", ".join(f"{name} for {sum(str(e) == name for e in self.engines)}" for name in names)

    def name(self, i: int) -> str:
        """The options of the i-th network that differ among the networks: "learning_rate=0.1, seed=3"."""
        return ", ".join(f"{name}={_shown(self.options[name][i])}" for name in self._names)

    def _model(self, i: int) -> MLP | OneVsRest:
        return self.make(i)

    def rows(self) -> list[dict[str, Any]]:
        """What `table` shows, a dict for each combination of options: the options that differ, `loss`, `held_out_loss`
        and `deviation` (over the folds), and `remark`: "best", "diverged" or nothing."""
        return [self._row(i) for i in np.flatnonzero(self.fold == ALL_ROWS).tolist()]

    def _row(self, i: int) -> dict[str, Any]:
        judged = self.held_out_loss[i + 1 : i + 1 + self.folds] if self.folds else self.held_out_loss[i : i + 1]
        own = {name: self.options[name][i] for name in self._names}
        own |= {"loss": float(self.loss_history[-1, i]), "held_out_loss": float(judged.mean())}
        own["deviation"] = float(judged.std()) if self.folds else float("nan")
        return own | {"remark": self.remark(i)}

    @property
    def _names(self) -> list[str]:
        return self.tried or ["learning_rate"]

    @property
    def columns(self) -> list[str]:
        loss = "loss" if self.output == LINEAR else "log loss"
        return [*(name.replace("_", " ") for name in self._names), loss, f"held-out {loss}", ""]

    def cells(self, i: int) -> list[str]:
        row = self._row(i)
        held = "" if np.isnan(row["held_out_loss"]) else f"{row['held_out_loss']:.6f}"
        held += "" if np.isnan(row["deviation"]) else f" ± {row['deviation']:.6f}"
        return [*(_shown(row[name]) for name in self._names), f"{row['loss']:.6f}", held]


def _shown(value: Any) -> str:
    """A value of an option, for a person."""
    if isinstance(value, tuple):
        return "-".join(map(str, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
