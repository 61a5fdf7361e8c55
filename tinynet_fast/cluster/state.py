"""`State`, which travels between the client and the workers, and `merge`, which makes one of several.

All that travels is arrays of plain numbers or text in NumPy's own format: nothing is unpickled that a worker wrote.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from tinynet_fast.training.history import Arrays

PARTS = ("values", "counts")  # of a state: the first are averaged, of the second the largest counts


@dataclass(frozen=True, eq=False)
class State:
    """What training has changed so far, between two blocks of rows.

    Attributes
    ----------
    values : dict of (k,) float64 arrays
        Of a neuron weights, bias, their means and the l1 penalty paid so far; of a network its parameters and what its
        optimizer remembers of gradients; of a sweep the arrays of all neurons.
    counts : dict of (k,) float64 arrays
        Whole numbers: how far the schedule is (rows of a neuron, updates of a network), and what else is counted.
    losses : (k,) float64 array
        The epoch's loss so far, summed over its rows; of a sweep three for each neuron.
    rows : int
        Rows of the epoch that were trained on.
    X, y : (m, n_features) and (m,) arrays
        Rows that wait for the next shard, fewer than the engine takes at a time, and their labels' codes.
    largest : float
        The largest |x|^2 + 1 of a row that was read.
    """

    values: Arrays
    counts: Arrays
    losses: np.ndarray
    rows: int = 0
    X: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    y: np.ndarray = field(default_factory=lambda: np.empty(0))
    largest: float = 0.0

    def arrays(self) -> Arrays:
        """The state as arrays by name, which `of` takes back."""
        named = {f"{part} {name}": array for part in PARTS for name, array in getattr(self, part).items()}
        return named | {name: np.asarray(value) for name, value in vars(self).items() if name not in PARTS}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        parts: dict[str, Arrays] = {part: {} for part in PARTS}
        for name, array in arrays.items():
            part, _, own = name.partition(" ")
            if own:
                parts[part][own] = array
        return cls(
            **parts,
            losses=arrays["losses"],
            rows=int(arrays["rows"]),
            X=arrays["X"],
            y=arrays["y"],
            largest=float(arrays["largest"]),
        )

    @property
    def trained(self) -> Arrays:
        """Values and counts, as what is trained has them."""
        return self.values | self.counts


def merge(states: Sequence[State], row_counts: Sequence[int]) -> State:
    """The mean of the states of several shards, weighted by their rows, in the order of the shards.

    Parameters
    ----------
    states : sequence of State
        In the order of the shards, not of finishing: sums of floats depend on their order.
    row_counts : sequence of int
        How many rows each was trained on. A shard without rows does not count.

    Returns
    -------
    State
        `values` are the weighted means, `losses` and `rows` the sums, `counts` and `largest` the largest. The merge of
        equal values has their bits.

    Raises
    ------
    ValueError
        If there is no row at all, or if a state holds rows that were not trained on yet.

    Examples
    --------
    >>> import numpy as np
    >>> from tinynet_fast.cluster import State, merge
    >>> rows = {"row": np.array([8.0])}
    >>> low, high = (State({"weights": np.array([w])}, rows, np.array([1.5])) for w in (1.0, 5.0))
    >>> merge([low, high], [300, 100]).values
    {'weights': array([2.])}
    """
    if len(states) != len(row_counts):
        raise ValueError(f"{len(states)} states and {len(row_counts)} numbers of rows: give one for each")
    if any(len(state.y) for state in states):
        raise ValueError("a state holds rows that wait to be trained on: fit its shard with last=True before merging")
    used = [(state, n) for state, n in zip(states, row_counts, strict=True) if n]
    if not used:
        raise ValueError("no shard has a row: there is nothing to merge")
    states = [state for state, _ in used]
    values, losses, total = dict(states[0].values), states[0].losses, used[0][1]
    with np.errstate(over="ignore", invalid="ignore"):  # a shard that diverged is for the epoch's end to report
        for state, n in used[1:]:
            total += n
            values = {name: mean + (state.values[name] - mean) * (n / total) for name, mean in values.items()}
            losses = losses + state.losses
    counts = {name: np.max([state.counts[name] for state in states], axis=0) for name in states[0].counts}
    rows, largest = sum(state.rows for state in states), max(state.largest for state in states)
    return State(values, counts, losses, rows, largest=largest)


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays by name as bytes in NumPy's .npz format."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpack(content: bytes) -> Arrays:
    """The arrays that `pack` took."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
