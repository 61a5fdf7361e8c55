"""What a sweep returns: the models, their losses, the best model, and a table. The training is in `sweep.py`."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np

from tinynet_fast.models import Ensemble, Neuron
from tinynet_fast.models.ensemble import Member
from tinynet_fast.training.checks import check_whole
from tinynet_fast.training.losses import LINEAR
from tinynet_fast.training.many_neurons import ALL_ROWS, ManyNeurons
from tinynet_fast.training.options import Options
from tinynet_fast.training.view import sweep_html

M = TypeVar("M", bound=Member)


class Judged(Generic[M]):
    """How the models of a sweep are judged: those of neurons (`SweepResult`) and those of networks."""

    combination: np.ndarray
    fold: np.ndarray
    loss_history: np.ndarray
    held_out_loss: np.ndarray
    diverged: np.ndarray
    best: int | None
    epochs: int
    loss_name: str  # of `loss_history`
    _kind: str  # what the models are called

    def __len__(self) -> int:
        return len(self.fold)

    def _model(self, i: int) -> M:
        """The i-th model, which did not diverge."""
        raise NotImplementedError

    def name(self, i: int) -> str:
        """The options of the i-th model that differ among the models."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What the table is of."""
        return f"{len(self):,} {self._kind}, {self.epochs:,} epoch{'s' * (self.epochs != 1)}"

    @property
    def columns(self) -> list[str]:
        """The names of the table's columns."""
        raise NotImplementedError

    def cells(self, i: int) -> list[str]:
        """What the table shows of the i-th model, which was trained on all rows: a text for each of `columns`, but for
        the last, which is the remark."""
        raise NotImplementedError

    @property
    def folds(self) -> int:
        """How many folds there are; 0 for none."""
        return int(self.fold.max()) + 1

    _repr_html_ = sweep_html

    @property
    def _last_losses(self) -> np.ndarray:
        """(n_models,): the loss of each model in the last epoch, by which models are judged without other rows."""
        return np.asarray(self.loss_history[-1])

    @cached_property
    def models(self) -> list[M | None]:
        """A model for each combination and fold, None for one that diverged; made when first asked for."""
        return [None if self.diverged[i] else self._model(i) for i in range(len(self))]

    @property
    def best_model(self) -> M | None:
        """The model judged best."""
        return None if self.best is None else self._model(self.best)

    @property
    def judged_on_other_rows(self) -> bool:
        """Whether `best` is judged on rows that were held out, by `folds` or `validation`."""
        return not bool(np.isnan(self.held_out_loss).all())

    def scores(self) -> np.ndarray:
        """The loss that decides on `best`, for each combination; NaN if one of its models diverged."""
        n = int(self.combination[-1]) + 1
        by_combination = np.arange(len(self)).reshape(n, -1)
        judged = self.held_out_loss if self.judged_on_other_rows else self._last_losses
        folds = by_combination[:, 1:] if by_combination.shape[1] > 1 else by_combination
        scores = judged[folds].mean(axis=1)
        scores[self.diverged[by_combination].any(axis=1)] = np.nan
        return scores

    def ensemble(self, k: int) -> Ensemble:
        """One model that predicts with the mean of the `k` best models (of those trained on all rows, if there are
        folds): the mean of their probabilities, or of their numbers. See `Ensemble`.

        Raises
        ------
        ValueError
            If fewer than `k` combinations are left that did not diverge.
        """
        scores, k = self.scores(), check_whole("k", k)
        order = np.argsort(scores, kind="stable")[: int(np.isfinite(scores).sum())]
        if k > len(order):
            raise ValueError(f"k is {k}, and {len(order)} of the {len(scores)} combinations did not diverge")
        copies = len(self) // len(scores)
        return Ensemble.of([self._model(int(i) * copies) for i in order[:k]])

    def remark(self, i: int) -> str:
        """What the table says of the i-th model and those of its folds: "best", "diverged" or nothing."""
        return "diverged" if self.diverged[i : i + 1 + self.folds].any() else "best" if i == self.best else ""

    def table(self) -> Any:
        """A `rich.table.Table` with a row for each combination of options: print it with `rich.print`."""
        from rich.table import Table  # slower to import than NumPy

        table = Table(*self.columns, title=self.title)
        for i in np.flatnonzero(self.fold == ALL_ROWS).tolist():
            table.add_row(*self.cells(i), self.remark(i), style="bold" if i == self.best else None)
        return table

    def judge(self) -> None:
        """Fill in `best`."""
        scores = self.scores()
        if not np.isnan(scores).all():
            object.__setattr__(self, "best", int(np.nanargmin(scores)) * (len(self) // len(scores)))


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult(Judged[Neuron]):
    """What a sweep returns. Model i is row i of every array, and column i of the histories.

    Models come in the order of the combinations of options. For each combination, the first model is trained on all
    rows, the next without fold 0, then without fold 1, and so on.

    Attributes
    ----------
    weights : (n_models, n_features) float64 array
    biases : (n_models,) float64 array
    learning_rate, l2 : (n_models,) float64 array
        The options of each model.
    average : (n_models,) bool array
    combination : (n_models,) int array
        The number of its combination of options.
    fold : (n_models,) int array
        The fold that the model was not trained on; -1 for none.
    loss_history : (epochs, n_models) float64 array
        The sum of squared errors of each epoch, each row measured before its update, as in `train_neuron`.
    progressive_loss : (epochs, n_models) float64 array
        Mean log loss of the rows trained on, each predicted just before its update, in nats a row. In the first epoch
        it is an honest estimate for rows that were never seen; later it is a training loss. For numbers it is the
        mean squared error, here and below.
    held_out_history : (epochs, n_models) float64 array
        Mean log loss of the rows of the fold, each predicted in its turn by the weights of that moment; NaN for models
        that hold out no fold, and for numbers.
    held_out_loss : (n_models,) float64 array
        Mean log loss of the rows of the fold, or of the validation rows, for the model that is returned; NaN if there
        are no such rows.
    diverged : (n_models,) bool array
        True if the model's weights or losses are no longer finite numbers.
    unstable : (n_models,) bool array
        True if a step of the model can overshoot: `learning_rate * sample_weight * (|x|**2 + 1)` is above 8 for some
        row, or above 2 for numbers. Then rounding errors can grow, and the weights may differ from those of
        `train_neuron`.
    best : int or None
        The number of the model judged best. With `folds`: the model that was trained on all rows with the options that
        have the least mean held-out loss. With `validation`: the model with the least loss on those rows. Without
        both: the model with the least progressive loss in the last epoch, which says little about new rows. None if
        all diverged.
    labels : (2,) array; empty for numbers
    features : list of str or None
    epochs : int
    seed : int or None
        The seed that was used or drawn, if anything was random: pass it again to repeat the sweep.
    seconds : float
        Wall time of training and scoring, without compiling and checking.
    output : str
        "linear" for numbers; empty for labels.
    engine : str
        "portable" if that was asked for, else "lanes".
    """

    weights: np.ndarray
    biases: np.ndarray
    learning_rate: np.ndarray
    l2: np.ndarray
    average: np.ndarray
    combination: np.ndarray
    fold: np.ndarray
    loss_history: np.ndarray
    progressive_loss: np.ndarray
    held_out_history: np.ndarray
    held_out_loss: np.ndarray
    diverged: np.ndarray
    unstable: np.ndarray
    best: int | None
    labels: np.ndarray
    features: list[str] | None
    epochs: int
    shuffle: bool
    seed: int | None
    seconds: float
    output: str = ""
    engine: str = "lanes"

    loss_name = "sum of squared errors"
    _kind = "models"

    @property
    def _last_losses(self) -> np.ndarray:
        return np.asarray(self.progressive_loss[-1])

    def _model(self, i: int) -> Neuron:
        training = {
            "learning_rate": float(self.learning_rate[i]),
            "l2": float(self.l2[i]),
            "average": int(self.average[i]),
            "fold": int(self.fold[i]),
            "shuffle": self.shuffle,
            "seed": self.seed,
            "engine": self.engine,
            "epochs": self.epochs,
            "final_loss": float(self.loss_history[-1, i]),
        }
        return Neuron(
            weights=self.weights[i],
            bias=self.biases[i],
            labels=self.labels,
            features=self.features,
            output=self.output,
            training=training,
        )

    def __repr__(self) -> str:
        best = "all diverged" if self.best is None else f"best: learning rate {self.name(self.best)}"
        return f"SweepResult({self.title}{f', {self.folds} folds' if self.folds else ''}, {best})"

    @property
    def columns(self) -> list[str]:
        loss = "squared error" if self.output == LINEAR else "log loss"
        return ["learning rate", "l2", "average", "loss", loss, f"held-out {loss}", ""]

    def name(self, i: int) -> str:
        """The learning rate of the i-th model, and its other options if they differ among the models."""
        several = {name: len(np.unique(getattr(self, name))) > 1 for name in ("l2", "average")}
        name = f"{self.learning_rate[i]:.4g}"
        name += f", l2 {self.l2[i]:.3g}" if several["l2"] else ""
        return name + (", averaged" if several["average"] and self.average[i] else "")

    def cells(self, i: int) -> list[str]:
        mine = self.held_out_loss[i + 1 : i + 1 + self.folds]
        held_out = f"{mine.mean():.6f} ± {mine.std():.6f}" if self.folds else ""
        if not self.folds and self.judged_on_other_rows:
            held_out = f"{self.held_out_loss[i]:.6f}"
        return [
            f"{self.learning_rate[i]:.6g}",
            f"{self.l2[i]:.6g}",
            "yes" if self.average[i] else "no",
            f"{self.loss_history[-1, i]:.6g}",
            f"{self.progressive_loss[-1, i]:.6f}",
            held_out,
        ]

    def remark(self, i: int) -> str:
        return super().remark(i) or ("unstable" if self.unstable[i] else "")


def swept(
    options: Options,
    neurons: ManyNeurons,
    parameters: np.ndarray,
    losses: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    seconds: float,
) -> SweepResult:
    """The result of a sweep, from the parameters and the losses of all models.

    `losses` are four arrays: squared errors, log losses of rows trained on and of rows held out, (epochs, n_models)
    each, and the scores, (n_models,).
    """
    squares, progressive, held_out, scores = losses
    finite = np.isfinite(parameters).all(axis=1) & np.isfinite(squares).all(axis=0)
    fold, copies = neurons.fold, int(neurons.fold.max()) + 2
    rates, l2, average = neurons.options.T
    result = SweepResult(
        weights=np.ascontiguousarray(parameters[:, :-1]),
        biases=parameters[:, -1].copy(),
        learning_rate=rates,
        l2=l2,
        average=average > 0.0,
        combination=np.arange(len(parameters)) // copies,
        fold=fold,
        loss_history=squares,
        progressive_loss=progressive,
        held_out_history=held_out,
        held_out_loss=scores,
        diverged=~finite,
        unstable=rates > options.loss.bound / options.largest,
        best=None,
        labels=np.empty(0) if options.numbers else options.labels,
        output=LINEAR if options.numbers else "",
        features=options.features,
        epochs=options.epochs,
        shuffle=bool(options.shuffle),
        seed=options.seed,
        seconds=seconds,
        engine=options.engine.name if options.engine.is_portable else "lanes",
    )
    result.judge()
    return result
