"""`auto_rate`: finds a learning rate for the data. It tries many in one pass (`sweep`) and keeps the best."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.kernels import vectorized
from tinynet_fast.kernels.engines import FAST, STABILITY_BOUND
from tinynet_fast.rows.arrays import Codes, as_sample_weight, check_finite, encode_labels
from tinynet_fast.rows.blocks import Rows, picked
from tinynet_fast.rows.frames import named_weights, training_rows
from tinynet_fast.rows.sampling import drawn_rows
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.rows.team import Team, check_jobs
from tinynet_fast.training.checks import check_whole
from tinynet_fast.training.loop import finish, run_epochs
from tinynet_fast.training.many_neurons import ROW_SECONDS, VALUE_SECONDS, mean_log_losses
from tinynet_fast.training.neuron_updates import SparseNeuron
from tinynet_fast.training.options import Options
from tinynet_fast.training.reading import may_stream
from tinynet_fast.training.result import RateSearch
from tinynet_fast.training.schedules import Penalties, Schedule
from tinynet_fast.training.sweep import sweep
from tinynet_fast.training.trainable import FAR_OUT

DECADES = 6  # how far below the largest rate the search goes
SPARSE_FIRST, SPARSE_MORE = DECADES + 1, 7  # sparse rows train one rate at a time: these first, then more near the best
FEWEST, MOST = 24, 256  # rates to try: four a decade, and more if there are few rows
SEARCH_SECONDS = 0.005  # about how long a grid of more than FEWEST may take
ROWS, VISITS = 1 << 15, 1 << 18  # rows, and rows times epochs, that a search trains on
ROWS_A_FEATURE = 256  # wide rows need more: with 130 rows a feature a rate was 1.1 % off, with 390 0.1 %
SPARSE_VALUES = 1 << 23  # the stored values that each rate is trained on if rows are sparse: 25 ms
FEW_ROWS = 1 << 14  # with fewer, the loss is not a smooth function of the rate: try more rates, also near the best


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
    """Find the learning rate whose model has the least log loss, from a grid of rates that train side by side.

    The grid is logarithmic: six decades up to `8 / mean(|x|**2 + 1)`, the rate at which a step on a row of mean length
    cannot overshoot. It has 24 rates, or up to 256 if there are fewer than 16,384 rows. With so few rows, 24 more rates
    are tried between the best rate and its neighbours, if the grid has fewer than 128. The rates are tried on all rows,
    or, from 65,536 rows on (more if they are wide), on about 32,768 to 49,152 of them. One row is drawn from each run
    of neighbouring rows, by a hash of its number, and a rare label keeps its share. The search trains for `epochs`
    epochs, or for fewer if these have more than 262,144 rows in all. The same data gives the same rate, with any number
    of threads.

    On SciPy's sparse rows one rate is trained after the other: first one in each decade, then the rates between the
    best of them and its neighbours. Each is trained on at most 8,388,608 stored values.

    Parameters
    ----------
    X, y, epochs, average, l2, weights, bias, sample_weight
        As for `train_neuron`, with which the rate will be used. But rows must be in memory, `average` is True or False,
        and `epochs` is 1 unless given.
    n_jobs : int, optional
        How many threads try rates of sparse rows: 1 if left out; -1 for as many as there are cores. The result does not
        depend on it. Rates of dense rows share the registers of one thread: with two it took 1.2 to 1.4 times as long.

    Returns
    -------
    RateSearch
        `learning_rate`, and all that was tried.

    Raises
    ------
    ValueError
        As for `sweep`; and if every rate diverges, because the inputs or the starting weights are too large.

    Notes
    -----
    A rate is judged by the weights that training would return: by their log loss on all rows of the search.
    Progressive loss would count the poor first rows and ignore averaging; rates chosen by it were up to 22 % worse (on
    digits). A rate chosen on a sample of 8,192 rows was 0.06 % worse than the best, one chosen on all 71,429 rows
    0.01 % (16 features, averaged).

    Examples
    --------
    >>> from tinynet_fast import auto_rate
    >>> search = auto_rate([1, 2, 3, 4], [0, 0, 1, 1], epochs=100)
    >>> 0.1 < search.learning_rate < 1.0
    True
    """
    epochs = check_whole("epochs", epochs)
    check_jobs(n_jobs)
    if may_stream(X):
        raise ValueError(
            "auto_rate takes rows in memory: read them first, or train on the file with learning_rate='auto'"
        )
    matrix, y, names = training_rows(X, y, sparse=True)
    labels = encode_labels(y, len(matrix))[0]
    row_weights = as_sample_weight(sample_weight, len(matrix))
    sparse, every_row = isinstance(matrix, CSR), matrix
    few = draw(0 if sparse else matrix.shape[1], len(matrix), labels.__getitem__, row_weights)
    codes = labels[slice(None) if few is None else few]
    if few is not None:
        matrix = picked(matrix, few)
        row_weights = None if row_weights is None else row_weights[few]
    epochs = max(min(epochs, VISITS // len(matrix)), 1)
    start = named_weights(weights, names)
    options = {"l2": l2, "average": average, "weights": start, "bias": bias, "sample_weight": row_weights}
    if sparse:
        epochs = max(min(epochs, SPARSE_VALUES // max(matrix.stored, 1)), 1)

    def losses_of(rates: np.ndarray) -> np.ndarray:
        if sparse:
            with Team.of(n_jobs) as team:
                loss_of = partial(_sparse_loss, matrix, codes, most=epochs, **options)
                return np.array(team.map(lambda rate: loss_of(rate=rate), rates.tolist()))
        result = sweep(matrix, codes, learning_rate=rates, epochs=epochs, **options)
        parameters = np.column_stack([result.weights, result.biases])
        losses = mean_log_losses(parameters, matrix, codes)
        losses[result.diverged | (np.abs(parameters) > FAR_OUT).any(axis=1)] = np.nan  # sums may overflow
        return losses

    rates = grid(matrix, len(matrix) * epochs)
    if not rates[0] > 0.0:
        if not sparse:
            check_finite(every_row, columns=names)
        raise ValueError("the inputs are too large for any learning rate: standardise them first")
    losses = losses_of(rates)
    if np.isnan(losses).all():
        raise ValueError("every learning rate diverges: standardise the inputs, or start from smaller weights")
    if sparse or (len(matrix) < FEW_ROWS and len(rates) < MOST // 2):
        rates, losses = with_more(rates, losses, losses_of, SPARSE_MORE if sparse else FEWEST)
    return RateSearch(float(rates[np.nanargmin(losses)]), rates, losses, len(matrix), epochs)


def with_more(
    rates: np.ndarray, losses: np.ndarray, losses_of: Callable[[np.ndarray], np.ndarray], more: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rates and their losses, with `more` rates between the best and its neighbours."""
    best = int(np.nanargmin(losses))
    between = np.geomspace(rates[max(best - 1, 0)], rates[min(best + 1, len(rates) - 1)], more + 2)[1:-1]
    rates, losses = np.append(rates, between), np.append(losses, losses_of(between))
    order = np.argsort(rates)
    return rates[order], losses[order]


def most_rows(d: int) -> int:
    """How many rows of `d` features a search takes, or up to twice as many. Pass 0 for sparse rows."""
    return max(ROWS, ROWS_A_FEATURE * d)


def draw(
    d: int, n: int, codes: Callable[[Any], np.ndarray], sample_weight: np.ndarray | None, most: int | None = None
) -> np.ndarray | None:
    """The numbers of the rows that a search takes from `n` rows of `d` features; None for all of them.

    It takes `most_rows(d)` rows, or `most`, or up to twice as many. `codes` returns the codes of some rows. Rows
    without a weight are drawn apart from the others.
    """
    every = n // (most or most_rows(d))
    if every < 2:
        return None
    if sample_weight is None:
        return drawn_rows(n, every, codes)
    return drawn_rows(n, every, lambda part: codes(part) + 2 * (sample_weight[part] > 0.0).view(np.uint8), 4)


def _sparse_loss(
    rows: CSR,
    codes: np.ndarray,
    *,
    rate: float,
    most: int,
    l2: float,
    average: bool,
    weights: Any,
    bias: float,
    sample_weight: np.ndarray | None,
) -> float:
    """The mean log loss after `most` epochs at this rate; NaN if weights overflow."""
    y, penalties = codes.astype(np.float64), Penalties(l2, 0.0, average, "log_loss")
    table, labels = Rows(rows, Codes(codes, np.arange(2)), sample_weight=sample_weight), np.arange(2)
    options = Options(rows=table, labels=labels, features=None, engine=FAST, epochs=most)
    start = np.append(np.broadcast_to(np.asarray(weights, dtype=np.float64), rows.n_features), float(bias))
    neuron = SparseNeuron(options, start, Schedule(rate), penalties)

    def one_pass(done: int) -> int:
        neuron.train(rows, y, sample_weight, np.zeros(1))
        return 1

    finish(run_epochs(one_pass, most))
    (v, b), z = neuron.mean_parameters() if average else neuron.parameters(), np.empty(len(y))
    FAST.kernels.sparse_logits(*rows.arrays, v, np.array([b]), z)
    with np.errstate(over="ignore", invalid="ignore"):
        loss = float(np.mean(vectorized.cross_entropy(z, y)))
    return loss if np.isfinite(loss) else np.nan


def grid(X: Any, visits: int) -> np.ndarray:
    """The rates to try, rising, if `visits` rows will be trained on; they are 0.0 or NaN if rows are too large."""
    if isinstance(X, CSR):
        with np.errstate(over="ignore"):
            largest = STABILITY_BOUND / (float(X.square_norms().mean()) + 1.0)
        return largest * np.geomspace(10.0**-DECADES, 1.0, SPARSE_FIRST)
    n, d = X.shape
    total, rows = 0.0, max((1 << 17) // d, 1)
    with np.errstate(over="ignore", invalid="ignore"):  # the sweep reports values that are not finite
        for start in range(0, n, rows):
            block = np.asarray(X[start : start + rows], dtype=np.float64, order="C")  # sums depend on the order
            total += float(np.einsum("ij,ij->", block, block)) / n  # BLAS would wake its threads for this
    largest = STABILITY_BOUND / (total + 1.0)
    seconds = visits * (ROW_SECONDS + VALUE_SECONDS * d) / 8.0
    k = min(max(int(SEARCH_SECONDS / seconds), FEWEST), MOST) if n < FEW_ROWS else FEWEST
    return largest * np.geomspace(10.0**-DECADES, 1.0, k)
