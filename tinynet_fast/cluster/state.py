"""`State`, which travels between the client and the workers, and `merge`, which turns several states into one.

States travel as arrays of plain numbers or text in NumPy's own format. Nothing that a worker wrote is unpickled.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from tinynet_fast.training.history import Arrays

PARTS = ("values", "counts")  # `merge` averages the first, and takes the largest of the second


@dataclass(frozen=True, eq=False)
class State:
    """All that training has changed so far, taken between two blocks of rows.

    Attributes
    ----------
    values : dict of (k,) float64 arrays
        Neuron: weights, bias, their means, and the l1 penalty paid so far. Network: its parameters, and what its
        optimizer remembers of gradients. Sweep: the arrays of all neurons.
    counts : dict of (k,) float64 arrays
        Whole numbers: how far the schedule is (rows of a neuron, updates of a network), and other counts.
    losses : (k,) float64 array
        The epoch's loss so far, summed over its rows; a sweep has three for each neuron.
    rows : int
        How many rows of the epoch were trained on.
    X, y : (m, n_features) and (m,) arrays
        Rows that wait for the next shard, because they do not fill a tile of the engine; and their labels' codes.
    largest : float
        The largest |x|^2 + 1 of the rows that were read.
    burnt_in : (k,) array
        A neuron's weights and, last, its bias after the burn-in of a segment; empty if there was none.
    """

    values: Arrays
    counts: Arrays
    losses: np.ndarray
    rows: int = 0
    X: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    y: np.ndarray = field(default_factory=lambda: np.empty(0))
    largest: float = 0.0
    burnt_in: np.ndarray = field(default_factory=lambda: np.empty(0))

    def arrays(self) -> Arrays:
        """The state as arrays by name; `of` turns them into a state again."""
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
            burnt_in=arrays["burnt_in"],
        )

    @property
    def trained(self) -> Arrays:
        """Values and counts together, as `Trainable.restore` takes them."""
        return self.values | self.counts


def merge(states: Sequence[State], row_counts: Sequence[int]) -> State:
    """The mean of the states of several shards, weighted by their rows, in the order of the shards.

    Parameters
    ----------
    states : sequence of State
        In the order of the shards, not in the order in which they finished: sums of floats depend on their order.
    row_counts : sequence of int
        How many rows each was trained on. A shard without rows is left out.

    Returns
    -------
    State
        `values` are the weighted means, `losses` and `rows` the sums, `counts` and `largest` the largest. If all values
        are equal, their merge has the same bits.

    Raises
    ------
    ValueError
        If there are no rows at all, or if a state holds rows that were not trained on yet.

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
    with np.errstate(over="ignore", invalid="ignore"):  # if a shard diverged, an error says so at the epoch's end
        for state, n in used[1:]:
            total += n
            values = {name: mean + (state.values[name] - mean) * (n / total) for name, mean in values.items()}
            losses = losses + state.losses
    counts = {name: np.max([state.counts[name] for state in states], axis=0) for name in states[0].counts}
    rows, largest = sum(state.rows for state in states), max(state.largest for state in states)
    return State(values, counts, losses, rows, largest=largest)


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Turn arrays by name into bytes, in NumPy's .npz format."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpack(content: bytes) -> Arrays:
    """Turn the bytes that `pack` returned into arrays again."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
