"""Rows that are changed anew in each epoch: noise on the inputs, and mixtures of two rows of a batch.

What is drawn for a row depends on the seed, the epoch and the row's place in the epoch alone. Each value takes a fixed
number of random numbers, so the draws for any place are found by a jump of the generator (NumPy's own normal numbers
take more or fewer). Engines, blocks, files and checkpoints therefore change no bit of them.
"""

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tinynet_fast.rows.blocks import Moments, Rows, is_streamed
from tinynet_fast.rows.sparse import CSR

if TYPE_CHECKING:
    from tinynet_fast.rows.stream import StreamRows

NOISE_STREAM, MIX_STREAM = 3, 4  # of random numbers; `MASK_STREAM` of network_updates.py is 2
CHUNK = 1 << 16  # values at a time that are made normal: 27 ns a value, 35 with 1 << 13 at a time, 46 with 1 << 12
LEAST_TAIL = np.exp(-25.0)  # of a normal number; 3 in 100,000 million are drawn further out, and moved here
LARGEST_NORMAL = 6.66  # no normal number drawn here is larger
MOST_VALUES = 1 << 23  # 64 MB of float64: of a batch that is mixed
SHARE_UNIT = 2.0**-24  # shares are multiples of it: then the other row's share is exact, and neither is tiny

# Wichura's algorithm AS241 (Applied Statistics 37, 1988): numerators and denominators, the highest power first.
CENTRE = (
    (
        *(2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457),
        *(13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    ),
    (
        *(5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867),
        *(5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
    ),
)
TAIL = (
    (
        *(7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258),
        *(3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    ),
    (
        *(1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459),
        *(0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
    ),
)


@dataclass(frozen=True)
class Augmentation:
    """What is done to each block of rows before it is trained on.

    Attributes
    ----------
    seed : int
    deviations : (n_features,) float64 array or None
        Of the noise on each input; None for no noise.
    alpha : float
        Rows are mixed in shares drawn from Beta(alpha, alpha); 0.0 for no mixing.
    batch_size : int
        Rows of a batch, among which partners are drawn. Blocks must hold whole batches.
    copies : int
        How many rows come of one: 2 if rows with labels are mixed, else 1.
    """

    seed: int
    deviations: np.ndarray | None
    alpha: float
    batch_size: int
    copies: int

    @property
    def mixes(self) -> bool:
        """Whether rows are mixed."""
        return self.alpha > 0.0

    def rows(
        self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, epoch: int, position: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The rows to train on in place of these, of which the first is the `position`-th of the epoch, from 0."""
        if self.deviations is not None:
            X = self._noisy(X, epoch, position)
        return self._mixed(X, y, sample_weight, epoch, position) if self.mixes else (X, y, sample_weight)

    def _noisy(self, X: np.ndarray, epoch: int, position: int) -> np.ndarray:
        """The rows with noise on their inputs, in float64."""
        values = _uniforms((self.seed, epoch, NOISE_STREAM), position, X.shape)
        flat = values.reshape(-1)
        for start in range(0, len(flat), CHUNK):
            flat[start : start + CHUNK] = normal(flat[start : start + CHUNK])
        with np.errstate(over="ignore"):  # what is too large shows as a run that diverges
            values *= self.deviations
            values += X
        return values

    def _mixed(
        self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, epoch: int, position: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Each row mixed with its partner.

        The loss s * loss(y) + (1 - s) * loss(y'), with the partner's label y', is that of the mixed row given twice,
        with the sample weights s and 1 - s. Numbers to learn are mixed themselves.
        """
        assert position % self.batch_size == 0, "a block begins within a batch"
        keys, first, second = _uniforms((self.seed, epoch, MIX_STREAM), position, (len(X), 3)).T
        partner, share = partners(keys, self.batch_size), shares(first, second, self.alpha)
        mixed = _between(np.asarray(X, np.float64), partner, share)
        if self.copies == 1 and sample_weight is None:
            return mixed, _between(y, partner, share), None
        weight = np.ones(len(X)) if sample_weight is None else sample_weight
        own, other = share * weight, (1.0 - share) * weight[partner]
        if self.copies == 1:
            return mixed, _between(y, partner, share), own + other
        return np.repeat(mixed, 2, axis=0), _in_turn(y, y[partner]), _in_turn(own, other)


def augmentation(
    rows: "Rows | StreamRows",
    names: list[str] | None,
    seed: int,
    noise: float,
    mixup: float,
    batch_size: int | None,
    numbers: bool,
) -> Augmentation | None:
    """What is to be done to rows; None if neither noise nor mixing is asked for.

    Parameters
    ----------
    rows : Rows or StreamRows
        Its `reach` is set to how much longer noise can make a row.
    names : list of str or None
        Of the inputs, for messages.
    seed : int
    noise : float
        The noise's deviation, as a multiple of each input's own over the rows.
    mixup : float
        The alpha of Beta(alpha, alpha).
    batch_size : int or None
        Rows of a batch; None for all rows.
    numbers : bool
        Whether rows have numbers to learn, and not labels.

    Raises
    ------
    ValueError
        If rows are sparse, or can be read once only; if a batch that is mixed has one row, or too many.
    """
    if not (noise or mixup):
        return None
    deviations = None
    if noise:
        with np.errstate(over="ignore"):
            deviations = noise * _deviations(rows, names)
            rows.reach = LARGEST_NORMAL * float(np.linalg.norm(deviations))
        if not np.isfinite(rows.reach):
            raise ValueError(f"noise={noise} is more than a float64 holds: it counts deviations, and 0.1 is usual")
    size = 1
    if mixup:
        size = min(batch_size or len(rows), len(rows))
        if size == 1:
            raise ValueError("mixup mixes the rows of a batch, and a batch has one row: use a larger batch_size")
        if size * rows.n_features > MOST_VALUES:
            most = max(MOST_VALUES // rows.n_features, 2)
            raise ValueError(
                f"mixup mixes the rows of a batch in memory, and {size:,} rows are too many: use a batch_size of at "
                f"most {most:,}"
            )
    return Augmentation(seed, deviations, mixup, size, 2 if mixup and not numbers else 1)


def _deviations(rows: "Rows | StreamRows", names: list[str] | None) -> np.ndarray:
    """The standard deviation of each input over the rows; 0 for a column that never changes."""
    if isinstance(rows.nothing(), CSR):
        raise ValueError(
            "noise would fill the zeros of sparse rows: pass X.toarray() (for svmlight files standardize=True makes "
            "rows dense), or leave noise out"
        )
    if rows.scale is None:
        moments = Moments(rows.n_features)
        if is_streamed(rows):
            if not rows.source.repeatable:
                raise ValueError(
                    "noise is a share of each input's deviation, which takes a pass over the rows beforehand, and "
                    "these can be read once only: write them to a file, or give a function that returns a new iterator"
                )
            rows.keep_if_they_fit()
        with closing(rows.blocks(moments.block_rows, None, 1, moments.block_rows)) as blocks:
            for X, _, _ in blocks:
                moments.add(X)
        try:
            scale = moments.standardisation(names)[1]
        except ValueError as error:
            raise ValueError(f"noise is a share of each input's deviation: {error}") from None
    else:
        scale = np.where(np.isfinite(rows.scale), 1.0, np.inf)
    return np.where(np.isfinite(scale), scale, 0.0)


def _uniforms(stream: tuple[int, ...], position: int, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from 0 up to 1, without 1, for rows from the `position`-th on."""
    generator = np.random.default_rng(stream)
    generator.bit_generator.advance(position * shape[1])  # type: ignore[attr-defined]
    return generator.random(shape)


def normal(u: np.ndarray) -> np.ndarray:
    """Standard normal numbers of uniform ones, (n,) each: the inverse of the normal distribution, to 16 digits.

    Wichura's algorithm AS241, without its part for the outermost numbers: they become +-6.658.
    """
    q = u - 0.5
    r = 0.180625 - q * q
    z = q * _ratio(CENTRE, r)
    outer = np.flatnonzero(r < 0.0)  # |q| > 0.425
    q = q[outer]
    tail = np.maximum(0.5 - np.abs(q), LEAST_TAIL)
    z[outer] = np.copysign(_ratio(TAIL, np.sqrt(-np.log(tail)) - 1.6), q)
    return z


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], r: np.ndarray) -> np.ndarray:
    """The ratio of two polynomials, by Horner's rule."""
    parts = []
    for highest, *others in coefficients:
        total = np.full_like(r, highest)
        for each in others:
            total *= r
            total += each
        parts.append(total)
    return parts[0] / parts[1]


def partners(keys: np.ndarray, size: int) -> np.ndarray:
    """(n,) row numbers: a permutation of the rows of each batch of `size`, of which the last may be shorter.

    The keys, (n,) each, are uniform; a stable sort of them is the same on every machine.
    """
    n = len(keys)
    whole = n // size * size
    order = np.argsort(keys[:whole].reshape(-1, size), axis=1, kind="stable")
    order += np.arange(0, whole, size)[:, np.newaxis]
    return np.concatenate([order.reshape(-1), whole + np.argsort(keys[whole:], kind="stable")])


def shares(first: np.ndarray, second: np.ndarray, alpha: float) -> np.ndarray:
    """Numbers from Beta(alpha, alpha), rounded to `SHARE_UNIT`, of two uniform ones each.

    If T has Student's distribution with 2 alpha degrees of freedom, 1/2 + T / (2 sqrt(2 alpha + T^2)) has this one; and
    T^2 / (2 alpha) is (U^(-1/alpha) - 1) cos^2(2 pi V) (Bailey, Mathematics of Computation 62, 1994).
    """
    log_u = np.log1p(-first) / alpha  # 1 - U is above 0
    cosine = np.cos(2.0 * np.pi * second)
    square = -np.expm1(log_u) * cosine * cosine
    root = np.sqrt(square / (np.exp(log_u) + square))
    return np.round((0.5 + np.copysign(0.5 * root, cosine)) / SHARE_UNIT) * SHARE_UNIT


def _between(values: np.ndarray, partner: np.ndarray, share: np.ndarray) -> np.ndarray:
    """share * values + (1 - share) * those of the partner, row by row."""
    mixed = values.take(partner, axis=0)  # in place, because this is the longest part: 60 ns for 16 values, not 144
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large shows as a run that diverges
        steps = values - mixed
        steps *= share.reshape(-1, *[1] * (values.ndim - 1))
        mixed += steps
    return mixed


def _in_turn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a[0], b[0], a[1], b[1] and so on."""
    return np.stack([a, b], axis=1).reshape(-1)
