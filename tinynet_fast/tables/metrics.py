"""Scores of predictions, with 95 % intervals. `report.py` puts them together.

A score that these rows do not define (such as the precision of a label that is never predicted) is None, never NaN.
"""

from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054  # a standard normal number lies within +-Z with a probability of 95 %
LEAST = float(np.finfo(np.float64).eps)  # a smaller probability counts as this one, as in scikit-learn's log_loss
MUCH = 1e100  # values above this are made smaller before they are squared
HALVINGS = 60  # of the interval in which a bound lies, until it is as narrow as a float64 can tell


@dataclass(frozen=True)
class Score:
    """A score and the ends of its 95 % interval; None for what these rows do not define."""

    value: float | None
    low: float | None = None
    high: float | None = None


UNDEFINED = Score(None)


def share(hits: float, rows: float) -> Score:
    """The share of `rows` that are hits, with the interval of Wilson (JASA 22, 1927)."""
    if rows == 0:
        return UNDEFINED
    centre = (hits + Z * Z / 2.0) / (rows + Z * Z)
    half = Z / (rows + Z * Z) * np.sqrt(hits * (rows - hits) / rows + Z * Z / 4.0)
    low = 0.0 if hits == 0 else max(0.0, float(centre - half))
    high = 1.0 if hits == rows else min(1.0, float(centre + half))
    return Score(float(hits / rows), low, high)


def f1(hits: float, predicted: float, true: float) -> Score:
    """The harmonic mean of precision and recall.

    It is 2j / (1 + j), where j is the share of hits among the rows that are predicted or true. It rises with j, so the
    ends of j's interval become its own.
    """
    j = share(hits, predicted + true - hits)
    if j.value is None or j.low is None or j.high is None:
        return UNDEFINED
    return Score(*(2.0 * end / (1.0 + end) for end in (j.value, j.low, j.high)))


def mean(losses: np.ndarray) -> Score:
    """The mean of the rows' losses, with the interval that its standard error gives; none for a single row."""
    value, half = float(losses.mean()), half_width(losses)
    return Score(value) if half is None else Score(value, max(0.0, value - half), value + half)


def half_width(values: np.ndarray) -> float | None:
    """Half the width of the interval of a mean, from its standard error; None for a single value."""
    if len(values) < 2:
        return None
    scale = float(np.abs(values).max()) or 1.0  # squares of large values would not fit a float64
    scale = scale if scale > MUCH else 1.0
    return scale * Z * float((values / scale).std(ddof=1)) / float(np.sqrt(len(values)))


def log_losses(probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """-log of the probability of each row's true label, in nats."""
    return np.abs(np.log(np.maximum(probabilities[np.arange(len(codes)), codes], LEAST)))


def brier_losses(probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The squared error of each row's probabilities (Brier, Monthly Weather Review 78, 1950).

    For two labels: of the probability of the second. For more: the sum over all labels. So for two labels it is half
    of what the sum would be, as is usual.
    """
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] - codes) ** 2
    true = probabilities[np.arange(len(codes)), codes]
    return np.einsum("ij,ij->i", probabilities, probabilities) - 2.0 * true + 1.0


def auc(scores: np.ndarray, positive: np.ndarray) -> Score:
    """The share of pairs of a positive and another row in which the positive one has the larger score.

    Ties count half. The interval is method 5 of Newcombe (Statistics in Medicine 25, 2006): the variance of Hanley and
    McNeil (Radiology 143, 1982), taken at the interval's ends, as Wilson does it for shares. So it has a width even if
    all pairs are in order.
    """
    m = int(np.count_nonzero(positive))
    n = len(positive) - m
    if m == 0 or n == 0:
        return UNDEFINED
    value = float((_ranks(scores)[positive].sum() - m * (m + 1) / 2.0) / m / n)
    return Score(value, _auc_end(value, 0.0, m, n), _auc_end(value, 1.0, m, n))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """The rank of each score, from 1. Equal scores share the mean of their ranks."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2.0)[place]


def _auc_end(value: float, end: float, m: int, n: int) -> float:
    """The area between `value` and `end` that is Z of its own standard errors away from `value`."""
    near, far = value, end
    if near == far:
        return end
    pairs = (m + n) / 2.0 - 1.0
    for _ in range(HALVINGS):
        a = (near + far) / 2.0
        variance = a * (1.0 - a) * (1.0 + pairs * ((1.0 - a) / (2.0 - a) + a / (1.0 + a))) / m / n
        if abs(value - a) < Z * np.sqrt(variance):
            near = a
        else:
            far = a
    return (near + far) / 2.0


def mean_auc(each: list[Score], probabilities: np.ndarray, codes: np.ndarray) -> Score:
    """The mean of the labels' areas, one label against the rest; labels that do not occur are left out.

    The labels' errors partly cancel. So the mean distance from an area to the ends of its interval is multiplied by the
    mean's standard error and divided by the mean of theirs (DeLong and others, Biometrics 44, 1988).
    """
    known = [(k, s.value, s.low, s.high) for k, s in enumerate(each) if s.value is not None]
    if not known:
        return UNDEFINED
    labels, *columns = np.array(known, dtype=np.float64).T
    value, low, high = (float(column.mean()) for column in columns)
    together, errors = np.zeros(len(codes)), 0.0
    for k in labels.astype(int):
        parts = _auc_parts(probabilities[:, k], codes == k)
        together += parts
        errors += float(np.sqrt(parts @ parts))
    part = float(np.sqrt(together @ together)) / errors if errors > 0.0 else 1.0
    return Score(value, value - part * (value - low), value + part * (high - value))


def _auc_parts(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """How much each row moves the area away from its expectation; the sum of their squares is the area's variance."""
    parts, ranks = np.empty(len(scores)), _ranks(scores)
    m = np.count_nonzero(positive)
    n = len(positive) - m
    parts[positive] = (ranks[positive] - _ranks(scores[positive])) / n  # the share of other rows below
    parts[~positive] = 1.0 - (ranks[~positive] - _ranks(scores[~positive])) / m
    for side, count in ((positive, m), (~positive, n)):
        parts[side] = (parts[side] - parts[side].mean()) / count
    return parts


def confusion(codes: np.ndarray, predicted: np.ndarray, n_labels: int) -> np.ndarray:
    """(n_labels, n_labels) counts: row i, column j has the rows of label i that are predicted to have label j."""
    cells = codes.astype(np.intp) * n_labels + predicted
    return np.bincount(cells, minlength=n_labels * n_labels).reshape(n_labels, n_labels)


# --- of numbers -------------------------------------------------------------------------------------------------------


def r_squared(y: np.ndarray, predictions: np.ndarray) -> Score:
    """1 less the part of the variance of `y` that is left in the errors; undefined if `y` never changes.

    That part is a ratio of two means. Its interval is that of a mean, the ratio's linear part (Cochran, Sampling
    Techniques, 1977, section 6.3).
    """
    middle = y - y.mean()
    scale = float(np.abs(middle).max())
    if scale == 0.0:
        return UNDEFINED
    spread, errors = (middle / scale) ** 2, ((predictions - y) / scale) ** 2  # small enough to be squared
    total = float(spread.mean())
    value = 1.0 - float(errors.mean()) / total
    half = half_width((errors - (1.0 - value) * spread) / total)
    return Score(value) if half is None else Score(value, value - half, min(1.0, value + half))


def root_mean_square(errors: np.ndarray) -> Score:
    """The root of the mean of the squared errors. The ends of the mean's interval become its own."""
    scale = float(np.abs(errors).max()) or 1.0
    found = mean((errors / scale) ** 2)
    value, low, high = (
        None if end is None else scale * float(np.sqrt(end)) for end in (found.value, found.low, found.high)
    )
    return Score(value, low, high)


def quantiles(values: np.ndarray, shares: tuple[float, ...]) -> list[float]:
    """The values below which these shares of the rows lie."""
    return np.quantile(values, shares).tolist()
