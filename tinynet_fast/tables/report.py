"""How good a model is on rows with known labels: its scores beside "always the majority", as a table and as JSON."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tinynet_fast.plots.judged import Judged
from tinynet_fast.rows.messages import listed
from tinynet_fast.tables import metrics
from tinynet_fast.tables.metrics import UNDEFINED, Score
from tinynet_fast.tables.printed import Printed

CLOSE = 1e-6  # rows whose probabilities add up to 1 within this are taken as they are


@dataclass(frozen=True)
class LabelScores:
    """The scores of one label against the rest.

    `rows` is the number of rows that have the label, and `predicted` the number of rows that are predicted to have it.
    `precision` is the share of the predicted rows that have it, `recall` the share of the rows with it that are
    predicted to have it, and `f1` the harmonic mean of the two.
    """

    label: Any
    rows: int
    predicted: int
    precision: Score
    recall: Score
    f1: Score
    auc: Score


@dataclass(frozen=True)
class Baseline:
    """The scores, on the same rows, of a model that has looked at no column.

    It always predicts `label`, the most frequent one, which gives the accuracy. Log loss and Brier score are those of
    always answering `shares`, the labels' shares: of the training rows, or of the report's own rows if
    `of_training_rows` is False. Its AUC is 0.5.
    """

    label: Any
    shares: list[float]
    of_training_rows: bool
    accuracy: float
    log_loss: float
    brier: float
    auc: float | None


@dataclass(frozen=True, eq=False, repr=False)
class Report(Printed):
    """How good a model is on some rows. Print it, or take `to_json()`.

    Attributes
    ----------
    labels : (k,) array
    rows : int
    threshold : float or None
        For two labels: a row is predicted to have the second if its probability is at least this.
    accuracy, log_loss, brier, auc : Score
        Each with a 95 % interval. Log loss is in nats a row. The Brier score of more than two labels is a sum over the
        labels, and their AUC the mean of one against the rest.
    per_label : tuple of LabelScores
    confusion : (k, k) int array
        Row i, column j counts the rows of label i that are predicted to have label j.
    baseline : Baseline
    notes : tuple of str
        What is undefined on these rows and why, and whether the model can be told from the baseline.
    judged : Judged
        The rows' probabilities and the codes of their labels, for the pictures. They are not part of `to_json()`.
    """

    labels: np.ndarray
    rows: int
    threshold: float | None
    accuracy: Score
    log_loss: Score
    brier: Score
    auc: Score
    per_label: tuple[LabelScores, ...]
    confusion: np.ndarray
    baseline: Baseline
    notes: tuple[str, ...]
    judged: Judged = field(repr=False)

    @classmethod
    def of(
        cls,
        labels: np.ndarray,
        probabilities: np.ndarray,
        codes: np.ndarray,
        shares: np.ndarray | None = None,
        threshold: float = 0.5,
    ) -> "Report":
        """Judge probabilities of rows whose labels are known.

        Parameters
        ----------
        labels : (k,) array
        probabilities : (n, k) float64 array
            For two labels as well: [1 - p, p].
        codes : (n,) array of int
            The place of each row's true label in `labels`.
        shares : (k,) array, optional
            The labels' shares among the rows trained on. The default is those of these rows.
        threshold : float
            For two labels.

        Raises
        ------
        ValueError
            For no rows, and for numbers that are no probabilities or no places of labels.
        """
        judged = _checked(labels, probabilities, codes, threshold)
        k, n = len(judged.labels), len(judged.codes)
        p, codes, predicted = judged.probabilities, judged.codes, judged.predicted
        matrix = metrics.confusion(codes, predicted, k)
        losses, squares = metrics.log_losses(p, codes), metrics.brier_losses(p, codes)
        per_label = _per_label(judged, matrix)
        auc = per_label[1].auc if k == 2 else metrics.mean_auc([scores.auc for scores in per_label], p, codes)
        counts = matrix.sum(axis=1)
        known = counts / n if shares is None else _checked_shares(shares, k)
        baseline, gains = _baseline(judged, known, shares is not None, auc, losses)
        return cls(
            labels=judged.labels,
            rows=n,
            threshold=judged.threshold,
            accuracy=metrics.share(int(np.trace(matrix)), n),
            log_loss=metrics.mean(losses),
            brier=metrics.mean(squares),
            auc=auc,
            per_label=per_label,
            confusion=matrix,
            baseline=baseline,
            notes=_notes(judged.labels, matrix, baseline, gains),
            judged=judged,
        )

    def to_json(self) -> dict[str, Any]:
        """All scores as plain JSON values; what is undefined is None."""
        scores = {name: asdict(getattr(self, name)) for name in ("accuracy", "log_loss", "brier", "auc")}
        return {
            "rows": self.rows,
            "labels": self.labels.tolist(),
            "threshold": self.threshold,
            **scores,
            "per_label": [asdict(label) for label in self.per_label],
            "confusion": self.confusion.tolist(),
            "baseline": asdict(self.baseline),
            "notes": list(self.notes),
        }

    def scores(self) -> Any:
        """The scores and the notes alone, for rich to print."""
        from tinynet_fast.tables.report_view import render_scores  # rich takes longer to import than NumPy

        return render_scores(self)

    def __rich__(self) -> Any:
        from tinynet_fast.tables.report_view import render  # as above

        return render(self)

    def __repr__(self) -> str:
        return f"Report({self.rows:,} rows, {len(self.labels)} labels, accuracy {self.accuracy.value:.4f})"


def _checked(labels: np.ndarray, probabilities: np.ndarray, codes: np.ndarray, threshold: float) -> Judged:
    """The rows to judge; ValueError for numbers that are no probabilities or no places of labels."""
    labels, p, codes = np.asarray(labels), np.asarray(probabilities, dtype=np.float64), np.asarray(codes)
    n, k = len(codes), len(labels)
    if n == 0:
        raise ValueError("there are no rows to judge: a report needs at least one")
    if k < 2 or p.shape != (n, k):
        raise ValueError(f"probabilities have shape {p.shape}; ({n}, {k}), a number for each row and label, is needed")
    if codes.ndim != 1 or codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= k:
        raise ValueError(f"codes are whole numbers from 0 to {k - 1}: the place of each row's label")
    bad = ~((p >= 0.0).all(axis=1) & (np.abs(p.sum(axis=1) - 1.0) <= CLOSE))  # NaN compares as False
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(f"the probabilities of row {i} are {p[i].tolist()}: they need to be at least 0, in sum 1")
    return Judged(labels, p, codes.astype(np.intp), float(threshold) if k == 2 else None)


def _checked_shares(shares: Any, k: int) -> np.ndarray:
    known = np.asarray(shares, dtype=np.float64)
    if known.shape != (k,) or not (known >= 0.0).all() or not 0.0 < known.sum() < np.inf:
        raise ValueError(f"shares are {known.tolist()}; {k} numbers of at least 0, one for each label, are needed")
    return known / known.sum()


def _per_label(judged: Judged, matrix: np.ndarray) -> tuple[LabelScores, ...]:
    rows, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    found = []
    for i, label in enumerate(judged.labels.tolist()):
        hits, true, called = int(matrix[i, i]), int(rows[i]), int(predicted[i])
        scores = metrics.share(hits, called), metrics.share(hits, true), metrics.f1(hits, called, true)
        area = metrics.auc(judged.probabilities[:, i], judged.codes == i)
        found.append(LabelScores(label, true, called, *scores, area))
    return tuple(found)


def _baseline(
    judged: Judged, shares: np.ndarray, of_training_rows: bool, auc: Score, losses: np.ndarray
) -> tuple[Baseline, Score]:
    """Return the baseline's scores, and by how much the model's mean log loss is below the baseline's."""
    codes = judged.codes
    often = int(np.argmax(shares))
    same = np.broadcast_to(shares, judged.probabilities.shape)
    theirs = metrics.log_losses(same, codes)
    found = Baseline(
        label=judged.labels[often].item(),
        shares=shares.tolist(),
        of_training_rows=of_training_rows,
        accuracy=float(np.mean(codes == often)),
        log_loss=float(theirs.mean()),
        brier=float(metrics.brier_losses(same, codes).mean()),
        auc=None if auc == UNDEFINED else 0.5,
    )
    gain, half = float(np.mean(theirs - losses)), metrics.half_width(theirs - losses)
    return found, Score(gain) if half is None else Score(gain, gain - half, gain + half)


def _notes(labels: np.ndarray, matrix: np.ndarray, baseline: Baseline, gain: Score) -> tuple[str, ...]:
    """What is undefined on these rows, and whether the model can be told from the baseline."""
    notes = []
    rows, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    names = [str(label) for label in labels.tolist()]
    never = [name for name, n in zip(names, predicted, strict=True) if n == 0]
    absent = [name for name, n in zip(names, rows, strict=True) if n == 0]
    if len(absent) == len(names) - 1:
        notes.append(f"all rows have the same label, {listed([names[int(np.argmax(rows))]])}: AUC is undefined")
    elif absent:
        notes.append(f"no row has the label {listed(absent)}: recall and AUC are undefined for it")
    if never:
        notes.append(f"no row is predicted to be {listed(never)}: precision is undefined for it")
    if gain.low is not None and gain.high is not None and gain.low <= 0.0 and len(absent) < len(names) - 1:
        worse = gain.high < 0.0
        notes.append(
            "the log loss is above that of always answering the labels' shares: the probabilities are of no use"
            if worse
            else "the log loss is not clearly below that of always answering the labels' shares: "
            "on so few rows the difference may be chance"
        )
    if not baseline.of_training_rows:
        notes.append("the baseline knows the labels' shares of these rows: those of the training rows are not known")
    return tuple(notes)
