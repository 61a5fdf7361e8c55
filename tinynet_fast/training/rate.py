"""`auto_rate`: a learning rate from the data itself. It tries many in one pass (`sweep`) and keeps the best."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.data.arrays import as_matrix, as_sample_weight, check_finite, encode_labels
from tinynet_fast.training.plan import check_whole
from tinynet_fast.training.run import STABILITY_BOUND
from tinynet_fast.training.sweep import ROW_SECONDS, VALUE_SECONDS, mean_log_losses, sweep

DECADES = 6  # how far below the largest rate the search goes
FEWEST, MOST = 24, 256  # rates to try: four a decade, and more where rows are few
SEARCH_SECONDS = 0.005  # about how long a grid of more than FEWEST may take
ROWS, VISITS = 1 << 15, 1 << 18  # rows, and rows times epochs, that a search trains on
ROWS_A_FEATURE = 256  # and more rows where they are wide: with 130 a feature a rate was 1.1 % off, with 390 0.1 %
FEW_ROWS = 1 << 14  # with fewer, the loss is no smooth function of the rate: more rates, and more around the best


@dataclass(frozen=True, eq=False)
class RateSearch:
    """What `auto_rate` found.

    Attributes
    ----------
    learning_rate : float
        The rate to train with.
    rates : (k,) float64 array
        The rates that were tried, rising.
    losses : (k,) float64 array
        What each came to: the mean log loss of the model after the search's epochs, in nats a row; NaN if it diverged.
    rows, epochs : int
        How much each was trained on.
    """

    learning_rate: float
    rates: np.ndarray
    losses: np.ndarray
    rows: int
    epochs: int

    @property
    def reason(self) -> str:
        """One line on what was tried and why this rate was kept."""
        least, at_end = (
            self.losses[self.rates == self.learning_rate][0],
            self.learning_rate in (self.rates[0], self.rates[-1]),
        )
        return (
            f"learning_rate={self.learning_rate:.4g}: of {len(self.rates)} rates from {self.rates[0]:.3g} to "
            f"{self.rates[-1]:.3g}, each trained on {self.rows:,} rows for {self.epochs:,} epochs, the least log loss, "
            f"{least:.6g}{' (at the end of the range)' if at_end else ''}"
        )


def auto_rate(
    X: Any,
    y: Any,
    *,
    epochs: int = 1,
    average: bool = False,
    l2: float = 0.0,
    weights: Any = 0.0,
    bias: float = 0.0,
    sample_weight: Any = None,
    n_jobs: int | None = None,
) -> RateSearch:
    """The learning rate whose model has the least log loss, of a grid of rates that all train in one pass.

    The grid is logarithmic, six decades up to the rate at which a step of the mean row cannot overshoot, which is
    8 / mean(|x|**2 + 1). It is tried on all rows, or on every k-th where they are more than 65,536 (more where they are
    wide), and for as many epochs as will be trained, or as come to 262,144 rows in all. The same data gives the same
    rate, for any number of threads.

    Parameters
    ----------
    X, y, epochs, average, l2, weights, bias, sample_weight
        What will be trained, as for `train_neuron`.
    n_jobs : int, optional
        As for `sweep`.

    Returns
    -------
    RateSearch
        `learning_rate`, and all that was tried.

    Raises
    ------
    ValueError
        As `sweep` does, and where every rate diverges: the inputs or the starting weights are too large then.

    Notes
    -----
    Models are judged by the log loss, on all rows of the search, of the weights that training would return.
    Progressive loss, in which the poor first rows count and averaging does not, chose up to 22 % worse (on digits); a
    sample of 8,192 of them chose 0.06 % worse than the best, all 71,429 0.01 % (16 features, averaged).

    Examples
    --------
    >>> from tinynet_fast import auto_rate
    >>> search = auto_rate([1, 2, 3, 4], [0, 0, 1, 1], epochs=100)
    >>> 0.1 < search.learning_rate < 1.0
    True
    """
    epochs = check_whole("epochs", epochs)
    matrix = as_matrix(X)
    codes = encode_labels(y, len(matrix))[0][:]
    row_weights = as_sample_weight(sample_weight, len(matrix))
    every = stride(len(matrix), matrix.shape[1])
    if len(np.unique(codes[::every])) < 2 or (row_weights is not None and not row_weights[::every].any()):
        every = 1  # so few rows of one kind that they were passed over
    every_row = matrix
    if every > 1:
        matrix, codes = np.ascontiguousarray(matrix[::every]), codes[::every]
    row_weights = None if row_weights is None else row_weights[::every]
    epochs = max(min(epochs, VISITS // len(matrix)), 1)
    options = {"l2": l2, "average": average, "weights": weights, "bias": bias, "sample_weight": row_weights}

    def losses_of(rates: np.ndarray) -> np.ndarray:
        result = sweep(matrix, codes, learning_rate=rates, epochs=epochs, n_jobs=n_jobs, **options)
        losses = mean_log_losses(np.column_stack([result.weights, result.biases]), matrix, codes)
        losses[result.diverged] = np.nan
        return losses

    rates = grid(matrix, len(matrix) * epochs)
    if not rates[0] > 0.0:
        check_finite(every_row)
        raise ValueError("the inputs are too large for any learning rate: standardise them first")
    losses = losses_of(rates)
    if np.isnan(losses).all():
        raise ValueError("every learning rate diverges: standardise the inputs, or start from smaller weights")
    if len(matrix) < FEW_ROWS and len(rates) < MOST // 2:
        best = int(np.nanargmin(losses))
        between = np.geomspace(rates[max(best - 1, 0)], rates[min(best + 1, len(rates) - 1)], FEWEST + 2)[1:-1]
        rates, losses = np.append(rates, between), np.append(losses, losses_of(between))
        order = np.argsort(rates)
        rates, losses = rates[order], losses[order]
    return RateSearch(float(rates[np.nanargmin(losses)]), rates, losses, len(matrix), epochs)


def stride(n: int, d: int) -> int:
    """Every which of `n` rows of `d` features a search takes."""
    return max(n // max(ROWS, ROWS_A_FEATURE * d), 1)


def grid(X: np.ndarray, visits: int) -> np.ndarray:
    """The rates to try, rising, when `visits` rows will be trained on; 0.0 or NaN where rows are too large."""
    n, d = X.shape
    total, rows = 0.0, max((1 << 17) // d, 1)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite, the sweep reports
        for start in range(0, n, rows):
            block = np.asarray(X[start : start + rows], dtype=np.float64)
            total += float(np.einsum("ij,ij->", block, block)) / n  # BLAS would wake its threads for this
    largest = STABILITY_BOUND / (total + 1.0)
    seconds = visits * (ROW_SECONDS + VALUE_SECONDS * d) / 8.0
    k = min(max(int(SEARCH_SECONDS / seconds), FEWEST), MOST) if n < FEW_ROWS else FEWEST
    return largest * np.geomspace(10.0**-DECADES, 1.0, k)
