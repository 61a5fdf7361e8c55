"""How good a model of numbers is on rows whose numbers are known: its scores beside "always the mean"."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tinynet_fast.kernels.point_functions import LOSSES
from tinynet_fast.kernels.vectorized import row_loss
from tinynet_fast.models import Model
from tinynet_fast.models.outputs import loss_in
from tinynet_fast.plots.judged import JudgedNumbers
from tinynet_fast.tables import metrics
from tinynet_fast.tables.metrics import Score
from tinynet_fast.tables.printed import Printed

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)  # the quantiles of the errors that a report has
SHOWN_ELSEWHERE = ("squared_error", "absolute_error")  # losses that are among the scores of every report


@dataclass(frozen=True)
class NumberBaseline:
    """The scores, on the same rows, of a model that has looked at no column: it always predicts `mean`.

    That is the mean of the training rows, or of the report's own rows if `of_training_rows` is False.
    """

    mean: float
    of_training_rows: bool
    r2: float | None
    mae: float
    rmse: float
    loss: float | None


@dataclass(frozen=True, eq=False, repr=False)
class NumberReport(Printed):
    """How good a model of numbers is on some rows. Print it, or take `to_json()`.

    Attributes
    ----------
    rows : int
    r2, mae, rmse : Score
        R squared, the mean absolute error and the root of the mean squared error, each with a 95 % interval. R squared
        is 1 for a perfect model and 0 for the mean of these rows.
    loss : Score or None
        The mean of the loss that the model was trained by, if that is another one; `loss_name` names it.
    loss_name : str or None
    errors : dict
        Quantiles of the errors, true less predicted: from their share to their value.
    baseline : NumberBaseline
    notes : tuple of str
        What is undefined on these rows and why, and whether the model can be told from the baseline.
    judged : JudgedNumbers
        The rows' numbers and predictions, for the pictures. They are not part of `to_json()`.
    """

    rows: int
    r2: Score
    mae: Score
    rmse: Score
    loss: Score | None
    loss_name: str | None
    errors: dict[float, float]
    baseline: NumberBaseline
    notes: tuple[str, ...]
    judged: JudgedNumbers = field(repr=False)

    @classmethod
    def of(
        cls,
        predictions: np.ndarray,
        y: np.ndarray,
        mean: float | None = None,
        loss: tuple[str, float] = ("squared_error", 0.0),
        name: str | None = None,
    ) -> "NumberReport":
        """Judge predictions of rows whose numbers are known.

        Parameters
        ----------
        predictions, y : (n,) float64 arrays
        mean : float, optional
            The mean of the rows trained on. The default is that of these rows.
        loss : (str, float)
            The loss that the model was trained by, and its shape.
        name : str, optional
            What the numbers are, for pictures.

        Raises
        ------
        ValueError
            For no rows, for several numbers a row, and for numbers that are not finite.
        """
        predictions, y = (np.asarray(values, dtype=np.float64) for values in (predictions, y))
        if len(y) == 0:
            raise ValueError("there are no rows to judge: a report needs at least one")
        if y.ndim != 1 or predictions.shape != y.shape:
            raise ValueError(
                f"predictions have shape {predictions.shape} and the true numbers {y.shape}: one number a row is needed"
            )
        for what, values in (("prediction", predictions), ("true number", y)):
            if not np.isfinite(values).all():
                raise ValueError(f"the {what} of row {int(np.argmin(np.isfinite(values)))} is not finite")
        errors = y - predictions
        own = None if loss[0] in SHOWN_ELSEWHERE else _losses(predictions, y, loss)
        baseline, gain = _baseline(y, mean, errors, loss if own is not None else None)
        r2 = metrics.r_squared(y, predictions)
        return cls(
            rows=len(y),
            r2=r2,
            mae=metrics.mean(np.abs(errors)),
            rmse=metrics.root_mean_square(errors),
            loss=None if own is None else _mean(own),
            loss_name=None if own is None else loss[0],
            errors=dict(zip(SHARES, metrics.quantiles(errors, SHARES), strict=True)),
            baseline=baseline,
            notes=_notes(r2, baseline, gain, loss[0]),
            judged=JudgedNumbers(name, y, predictions),
        )

    def to_json(self) -> dict[str, Any]:
        """All scores as plain JSON values; what is undefined is None."""
        scores = {name: asdict(getattr(self, name)) for name in ("r2", "mae", "rmse")}
        if self.loss is not None:
            scores[str(self.loss_name)] = asdict(self.loss)
        return {
            "rows": self.rows,
            **scores,
            "error_quantiles": {f"{share:g}": value for share, value in self.errors.items()},
            "baseline": asdict(self.baseline),
            "notes": list(self.notes),
        }

    def scores(self) -> Any:
        """The scores and the notes alone, for rich to print."""
        from tinynet_fast.tables.number_view import render_scores  # rich takes longer to import than NumPy

        return render_scores(self)

    def __rich__(self) -> Any:
        from tinynet_fast.tables.number_view import render  # as above

        return render(self)

    def __repr__(self) -> str:
        r2 = "undefined" if self.r2.value is None else f"{self.r2.value:.4f}"
        return f"NumberReport({self.rows:,} rows, R squared {r2})"


def loss_of(model: Model) -> tuple[str, float]:
    """The name and the shape of the loss that a model of numbers was trained by."""
    code, shape = loss_in(model.training, model.output)
    return next(name for name, loss in LOSSES["linear"].items() if loss.code == code), shape


def _losses(predictions: np.ndarray, y: np.ndarray, loss: tuple[str, float]) -> np.ndarray:
    """The loss of each row. Of counts, predictions are means, and the loss is a function of their logarithm."""
    code, shape = LOSSES["linear"][loss[0]].code, loss[1]
    z = np.log(np.maximum(predictions, np.finfo(np.float64).tiny)) if loss[0] == "poisson" else predictions
    return np.asarray(row_loss(z, predictions, y, code, shape))


def _mean(losses: np.ndarray) -> Score:
    """The mean of losses that may be below 0, with its interval."""
    value, half = float(losses.mean()), metrics.half_width(losses)
    return Score(value) if half is None else Score(value, value - half, value + half)


def _baseline(
    y: np.ndarray, mean: float | None, errors: np.ndarray, loss: tuple[str, float] | None
) -> tuple[NumberBaseline, Score]:
    """Return the baseline's scores, and by how much the model's mean squared error is below the baseline's.

    The gain is in units of the largest error, whose square may be too large for a float64.
    """
    known = float(y.mean()) if mean is None else float(mean)
    same = np.full(len(y), known)
    theirs = y - same
    scale = float(max(np.abs(theirs).max(), np.abs(errors).max())) or 1.0
    found = NumberBaseline(
        mean=known,
        of_training_rows=mean is not None,
        r2=metrics.r_squared(y, same).value,
        mae=float(np.abs(theirs).mean()),
        rmse=metrics.root_mean_square(theirs).value or 0.0,
        loss=None if loss is None else float(_losses(same, y, loss).mean()),
    )
    return found, _mean((theirs / scale) ** 2 - (errors / scale) ** 2)


def _notes(r2: Score, baseline: NumberBaseline, gain: Score, loss: str) -> tuple[str, ...]:
    """What is undefined on these rows, and whether the model can be told from the baseline."""
    notes = []
    if r2.value is None:
        notes.append("all rows have the same number: R squared is undefined")
    elif gain.low is not None and gain.high is not None and gain.low <= 0.0 and loss != "quantile":
        worse = gain.high < 0.0
        notes.append(
            "the squared error is above that of always answering the mean: the predictions are of no use"
            if worse
            else "the squared error is not clearly below that of always answering the mean: "
            "on so few rows the difference may be chance"
        )
    if loss == "quantile":
        notes.append("the model predicts a quantile and not the mean: R squared says little about it")
    if not baseline.of_training_rows:
        notes.append("the baseline knows the mean of these rows: that of the training rows is not known")
    return tuple(notes)
