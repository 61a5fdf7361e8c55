"""How often row i is in the bootstrap sample of model k: a Poisson(1) number that a hash of (seed, i, k) decides.

A bootstrap sample of n rows has each row Binomial(n, 1/n) times. That is Poisson(1) for many rows, and Poisson numbers
of different rows do not depend on each other, so that rows can be seen one after the other (Oza and Russell, Online
bagging and boosting, 2001; Chamandy and others, Estimating uncertainty for massive data streams, Google, 2012). Here no
state is kept either: the number depends on the seed, the row and the model alone.

`poisson_weight` is the specification, in whole numbers alone. `poisson_weights` is its NumPy twin, and `drawn` in
`fast/many_neurons.py` draws for eight models at once. All three give the same numbers.

A row and a model each have a key: 64 bits of splitmix64 (Steele, Lea and Flood, Fast splittable pseudorandom number
generators, 2014; the mix is Stafford's 13th). The bits of both are good, so one multiplication is enough to make a
number of the two: its first bits depend on all bits of both. With two multiplications, as in splitmix64, a draw took
twice as long. Then Walker's alias method (1977) makes a Poisson number with a look-up and a comparison.
"""

import numpy as np

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio, odd
MIX, MIX_AGAIN = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # Stafford's
MODELS = 0x5851F42D4C957F2D  # where the models' numbers start (Knuth's multiplier): far from those of any seed's rows
SPREAD = 0xD6E8FEB86659FD93  # odd, with its bits all over the place (a multiplier of Degski's)
COLUMNS = 16  # numbers from 0 to 15: a larger one has a chance of 2e-14, which is given to 15
EVERY_ROW = 0.0  # the key of a model that sees each row once, as a float64; a model's key is this once in 2**63 models
WITHIN = 60  # bits of the hash that choose within a column; the first four choose the column


def _mixed(x: int) -> int:
    """Spread 64 bits: each bit of the result depends on every bit of x."""
    x = (x ^ x >> 30) * MIX & MASK
    x = (x ^ x >> 27) * MIX_AGAIN & MASK
    return x ^ x >> 31


def row_key(seed: int, row: int) -> int:
    """The 64 bits that stand for a row, counted from 0."""
    return _mixed(_mixed(seed) + (row + 1) * GOLDEN & MASK)


def model_key(model: int) -> int:
    """The 64 bits that stand for a model, counted from 0."""
    return _mixed(MODELS + (model + 1) * GOLDEN & MASK)


def poisson_weight(seed: int, row: int, model: int) -> int:
    """How often row number `row` is in the sample of model number `model`: a whole number from 0 to 15."""
    bits = (row_key(seed, row) ^ model_key(model)) * SPREAD & MASK
    column = bits >> WITHIN
    entry = int(ALIASES[column])
    return column if bits < entry else entry & COLUMNS - 1


def _shares() -> list[int]:
    """The probability of each number from 0 to 15, times 2**64; the last one has the rest."""
    digits = 16  # more bits than are needed
    inverse_e, term = 0, 1 << 64 + digits
    for k in range(1, 40):  # 1/e = 1/0! - 1/1! + 1/2! - ...
        inverse_e, term = inverse_e + term, -term // k
    shares, probability = [], inverse_e
    for k in range(1, COLUMNS):
        shares.append(probability >> digits)
        probability //= k
    return [*shares, (1 << 64) - sum(shares)]


def _aliases() -> np.ndarray:
    """Walker's table for Poisson(1), (16,) uint64: 16 columns of 2**60 each, that hold one number or two.

    Of the numbers that begin with the bits of a column, those below its entry stand for the column's own number, and
    the others for the number in the entry's last four bits. So each probability is exact to 2**-57.
    """
    left, full, entries = _shares(), 1 << WITHIN, [0] * COLUMNS
    columns = set(range(COLUMNS))
    while columns:
        least = min(columns, key=lambda k: (left[k], k))
        most = max(columns, key=lambda k: (left[k], k))
        columns.remove(least)
        left[most] -= full - left[least]  # the number that has most fills the column up
        other = least if left[least] >= full else most
        entries[least] = least << WITHIN | min(left[least], full - COLUMNS) & -COLUMNS | other
    return np.array(entries, dtype=np.uint64)


ALIASES = _aliases()


# --- NumPy ------------------------------------------------------------------------------------------------------------


def _all_mixed(x: np.ndarray) -> np.ndarray:
    """`_mixed` for an array of uint64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(MIX)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(MIX_AGAIN)
    return x ^ (x >> np.uint64(31))


def _counted(numbers: np.ndarray) -> np.ndarray:
    return (np.asarray(numbers, dtype=np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)


def row_keys(seed: int, rows: np.ndarray) -> np.ndarray:
    """The keys of these rows, (n,), as the float64 that has the bits: in this form a kernel takes them."""
    return _all_mixed(_counted(rows) + np.uint64(_mixed(seed))).view(np.float64)


def model_keys(models: np.ndarray) -> np.ndarray:
    """The keys of these models, in the same form."""
    return _all_mixed(_counted(models) + np.uint64(MODELS)).view(np.float64)


def poisson_weights(seed: int, rows: np.ndarray, models: np.ndarray) -> np.ndarray:
    """How often each of these rows is in the sample of each of these models: (n_rows, n_models) float64."""
    keys = row_keys(seed, rows).view(np.uint64), model_keys(models).view(np.uint64)
    bits = np.bitwise_xor.outer(*keys) * np.uint64(SPREAD)
    column = bits >> np.uint64(WITHIN)
    entry = ALIASES[column]
    return np.where(bits < entry, column, entry & np.uint64(COLUMNS - 1)).astype(np.float64)
