"""A look at a trained model on some of the rows that it was trained on, and a warning if the model is of no use.

A model is of no use if its loss is above that of always answering the labels' shares, or if it answers the same for
every row. Training itself is in `run.py`.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.data.rows import Rows, is_streamed, picked
from tinynet_fast.data.sparse import CSR
from tinynet_fast.errors import TrainingWarning, warn
from tinynet_fast.kernels import reference, vectorized
from tinynet_fast.models import Model

if TYPE_CHECKING:
    from tinynet_fast.training.plan import Plan

FEWEST_ROWS = 20  # the tutorials' tables have fewer: their first epochs may well end above the labels' shares
MANY_ROWS = 1 << 11  # rows for the look that decides
FEW_ROWS, LEAST_ROWS, FEW_VALUES = 256, 64, 1 << 14  # for the first one, which has to cost little: fewer wide rows
CLEARLY = 0.9  # a network whose loss is below this share of the labels' shares' learned something
LEAST_SPREAD = 1e-3  # a model whose probabilities differ by less answers the same for every row
SMALL_SQUARE, LARGE_SQUARE = 0.01, 4.0  # inputs with a mean square outside should be standardised; then it is 1
OVERSHOOTS = 8.0  # step * (|x|^2 + 1) beyond which a neuron's step overshoots: see `run.STABILITY_BOUND`
SLOW_SWITCHES = (
    0.05  # rows are sorted if their label changes in no more than this share of the places of a random order
)
FEWEST_SWITCHES = 8  # of a random order: with fewer, nothing can be said of the order

GOLDEN = 0.6180339887498949  # whose multiples, less their whole part, are spread evenly (Weyl)

Part = tuple[Any, np.ndarray, np.ndarray | None]  # rows, codes and sample weights


class StreamSample:
    """Some rows of a stream, kept while it is trained on: a few of every k-th block, k doubling as blocks come."""

    PARTS, ROWS = 64, 32

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._every, self._blocks = 1, 0

    def add(self, X: Any, y: np.ndarray) -> None:
        """Take in a block that was trained on."""
        if self._blocks % self._every == 0:
            some = _places(len(y), self.ROWS)
            self.parts.append((X[some], y[some].astype(np.uint8), None))
        self._blocks += 1
        if len(self.parts) == self.PARTS:
            self.parts, self._every = self.parts[::2], 2 * self._every


@dataclass(frozen=True)
class Look:
    """What a look at some rows shows: losses are means of the rows, `codes` their labels in the order of the rows."""

    loss: float
    loss_of_shares: float  # of always answering the labels' shares
    spread: float  # the largest difference between two rows' probabilities of a label
    codes: np.ndarray

    @property
    def is_bad(self) -> bool:
        """Whether the model is of no use on these rows; False if they have one label only."""
        if len(self.codes) < FEWEST_ROWS or self.loss_of_shares <= 0.0:
            return False
        slack = 1.0 / len(self.codes)  # the shares are those of these rows, which they fit a little too well
        return self.loss > self.loss_of_shares + slack or self.spread < LEAST_SPREAD

    @property
    def is_sorted(self) -> bool:
        """Whether the rows come sorted by label, or nearly so."""
        shares = np.bincount(self.codes) / len(self.codes)
        in_random_order = len(self.codes) * (1.0 - float(shares @ shares))
        switches, fewest = np.count_nonzero(np.diff(self.codes)), np.count_nonzero(shares) - 1
        return bool(in_random_order > FEWEST_SWITCHES and switches <= fewest + SLOW_SWITCHES * in_random_order)


def look(model: Model, parts: list[Part], squared: bool) -> Look:
    """Measure a model on checked rows: cross-entropy, or the squared error of the probability if `squared`."""
    z = _joined([model.checked_logits(X) for X, _, _ in parts])
    codes, weights = _labels(parts)
    if z.ndim == 1:
        losses = (vectorized.sigmoid(z) - codes) ** 2 if squared else vectorized.cross_entropy(z, codes)
        spread = reference.sigmoid(float(z.max())) - reference.sigmoid(float(z.min()))
    else:
        log_probability = z - vectorized.log_total(z, 0, z.shape[1])[:, np.newaxis]
        losses = -log_probability[np.arange(len(z)), codes]
        spread = float(np.max(np.ptp(np.exp(log_probability), axis=0)))
    of_shares = loss_of_shares(codes, weights, squared)
    if of_shares == 0.0:
        return Look(0.0, 0.0, 1.0, codes)
    return Look(float(np.average(losses, weights=weights)), of_shares, spread, codes)


def loss_of_shares(codes: np.ndarray, weights: np.ndarray | None, squared: bool) -> float:
    """The mean loss of always answering the labels' shares of these rows; 0.0 if one label has all the weight."""
    counts = np.bincount(codes, weights).tolist()
    total = sum(counts)
    shares = [count / total for count in counts if count > 0.0]
    if len(shares) < 2:
        return 0.0
    return shares[0] * shares[1] if squared else -sum(share * math.log(share) for share in shares)


def _labels(parts: list[Part]) -> tuple[np.ndarray, np.ndarray | None]:
    weights = None if parts[0][2] is None else _joined([w for _, _, w in parts if w is not None])
    return _joined([codes for _, codes, _ in parts]), weights


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def warn_if_useless(trainee: Any, plan: "Plan", sample: StreamSample | None, last_loss: float) -> None:
    """Issue a TrainingWarning, with what was seen and the remedy, if the trained model is of no use.

    `last_loss` is the last epoch's entry in the history, in which each row was measured before its update.
    """
    few = min(max(FEW_VALUES // plan.rows.n_features, LEAST_ROWS), FEW_ROWS)
    if sample is None and len(plan.rows) < FEWEST_ROWS:
        return
    parts = [_some(plan.in_memory, few)] if sample is None else sample.parts
    if not parts:
        return
    squared = trainee.options().get("loss") == "squared_error"
    seen = None
    if trainee.batch_size is not None and sample is None:
        # A network's history has the mean of the same loss, of all rows: where it is clear, the model need not run.
        codes, weights = _labels(parts)
        seen = Look(last_loss, loss_of_shares(codes, weights, squared), 1.0, codes)
        if seen.loss < CLEARLY * seen.loss_of_shares and not seen.is_sorted:
            return
    if seen is None or not seen.is_bad:
        seen = look(trainee.model(), parts, squared)
        if seen.is_bad and sample is None and len(plan.rows) > few:
            parts = [_some(plan.in_memory, MANY_ROWS)]
            seen = look(trainee.model(), parts, squared)
    if seen.is_bad and not (is_streamed(plan.rows) and plan.rows.is_sorted):  # of which a warning came before
        name = "squared error" if squared else "log loss"
        what = (
            "the model gives the same answer for every row"
            if seen.spread < LEAST_SPREAD
            else "the model is worse than always answering the labels' shares"
        )
        rows = "in the last epoch" if seen.loss == last_loss else f"on {len(seen.codes):,} of its own rows"
        figures = f"{rows} its {name} is {seen.loss:.4g}, and that of the shares {seen.loss_of_shares:.4g}"
        warn(f"{what}: {figures}. {_cause_and_remedy(trainee, plan, parts, seen)}", TrainingWarning)


def _cause_and_remedy(trainee: Any, plan: "Plan", parts: list[Part], seen: Look) -> str:
    said = []
    sparse = isinstance(parts[0][0], CSR)
    scale = "divide each column by its largest magnitude" if sparse else "standardise the inputs with standardize=True"
    square = _mean_square(parts)
    size = "large" if square > LARGE_SQUARE else "small" if square < SMALL_SQUARE else None
    overshooting = _overshooting(trainee, parts)
    if overshooting > 0.0:
        safe = trainee.safe_learning_rate(plan.rows)
        remedies = [scale] if size == "large" else []
        remedies += [f"use learning_rate={safe:.2g}, which is safe for these rows"] if safe > 0.0 else []
        said.append(
            f"Steps overshoot: learning_rate * (|x|**2 + 1) is above 8 for {overshooting:.0%} of these rows. "
            f"To mend it, {' or '.join(remedies or ['use a smaller learning_rate'])}."
        )
    elif size is not None:
        said.append(f"The inputs are {size}: {scale}.")
    if plan.order is None and seen.is_sorted:
        in_memory = not is_streamed(plan.rows) or plan.rows.memory is not None
        remedy = "use shuffle=True" if in_memory else "shuffle them once in the file"
        said.append(f"The rows are sorted by label, so that the end of an epoch forgets its beginning: {remedy}.")
    if not said:
        said.append(
            "Train for more epochs or with another learning_rate; if that does not help, these inputs do not tell the "
            "labels apart."
        )
    return " ".join(said)


def _places(n: int, most: int) -> Any:
    """At most `most` of `n` places, rising: one at a place of its own in each of `most` equal parts, so no period."""
    if n <= most:
        return slice(None)
    part = np.arange(most)
    return ((part + (part + 1) * GOLDEN % 1.0) * (n / most)).astype(np.intp)


def _some(rows: Rows, most: int) -> Part:
    places = _places(len(rows), most)
    if rows.index is not None:
        places = rows.index[places]
    weights = None if rows.sample_weight is None else rows.sample_weight[places]
    return rows.standardised(picked(rows.X, places)), rows.codes[places], weights


def _square_norms(X: Any) -> np.ndarray:
    if isinstance(X, CSR):
        return X.square_norms()
    block = np.asarray(X, dtype=np.float64)
    return np.einsum("ij,ij->i", block, block)


def _mean_square(parts: list[Part]) -> float:
    """The mean square of all inputs of all rows; of sparse rows, of the stored ones."""
    with np.errstate(over="ignore"):
        total = sum(float(_square_norms(X).sum()) for X, _, _ in parts)
    return total / max(sum(X.stored if isinstance(X, CSR) else X.size for X, _, _ in parts), 1)


def _overshooting(trainee: Any, parts: list[Part]) -> float:
    """The share of the rows on which a neuron's last rate overshoots; 0.0 for a network, where no bound is known."""
    rate = trainee.last_rate()
    if rate is None:
        return 0.0
    with np.errstate(over="ignore"):
        over = [rate * (1.0 if w is None else w) * (_square_norms(X) + 1.0) > OVERSHOOTS for X, _, w in parts]
    return float(np.mean(np.concatenate(over)))
