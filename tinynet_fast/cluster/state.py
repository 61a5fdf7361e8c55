"""`State`, which travels between the client and the workers, and `merge`, which makes one of several.

All that travels is arrays of plain numbers or text in NumPy's own format: nothing is unpickled that a worker wrote.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class State:
    """All that training has come to, between two blocks of rows.

    Attributes
    ----------
    parameters : (p,) float64 array
        Of a neuron weights, bias, their means and the l1 penalty paid so far; of a network its parameters and what its
        optimizer remembers of gradients; of a sweep the lanes of all models.
    counts : (c,) float64 array
        Whole numbers: where the schedule stands (rows of a neuron, updates of a network), and what else is counted.
    losses : (k,) float64 array
        The epoch's loss so far, summed over its rows; of a sweep three for each model.
    rows : int
        Rows of the epoch that were trained on.
    X, y : (m, n_features) and (m,) arrays
        Rows that wait for the next shard, fewer than the engine takes at a time, and their labels' codes.
    largest : float
        The largest |x|^2 + 1 of a row that was read.
    """

    parameters: np.ndarray
    counts: np.ndarray
    losses: np.ndarray
    rows: int = 0
    X: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    y: np.ndarray = field(default_factory=lambda: np.empty(0))
    largest: float = 0.0

    def arrays(self) -> Arrays:
        """The state as arrays by name, which `of` takes back."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        plain: dict[str, Any] = {"rows": int(arrays["rows"]), "largest": float(arrays["largest"])}
        return cls(**{**arrays, **plain})


def merge(states: Sequence[State], row_counts: Sequence[int]) -> State:
    """The mean of the states that shards came to, weighted by their rows, in the order of the shards.

    Parameters
    ----------
    states : sequence of State
        In the order of the shards, whoever finished first: sums of floats depend on their order.
    row_counts : sequence of int
        How many rows each was trained on. A shard without rows has no say.

    Returns
    -------
    State
        `parameters` the weighted mean, `losses` and `rows` the sums, `counts` and `largest` the largest. The merge of
        equal parameters has their bits.

    Raises
    ------
    ValueError
        Where there is no row at all, or a state holds rows that were not trained on yet.

    Examples
    --------
    >>> import numpy as np
    >>> from tinynet_fast.cluster import State, merge
    >>> low, high = (State(np.array([w]), np.array([8.0]), np.array([1.5])) for w in (1.0, 5.0))
    >>> merge([low, high], [300, 100]).parameters
    array([2.])
    """
    if len(states) != len(row_counts):
        raise ValueError(f"{len(states)} states and {len(row_counts)} numbers of rows: give one for each")
    if any(len(state.y) for state in states):
        raise ValueError("a state holds rows that wait to be trained on: fit its shard with last=True before merging")
    used = [(state, n) for state, n in zip(states, row_counts, strict=True) if n]
    if not used:
        raise ValueError("no shard has a row: there is nothing to merge")
    mean, total = used[0][0].parameters, used[0][1]
    with np.errstate(over="ignore", invalid="ignore"):  # a shard that diverged is for the epoch's end to report
        for state, n in used[1:]:
            total += n
            mean = mean + (state.parameters - mean) * (n / total)
        losses = used[0][0].losses
        for state, _ in used[1:]:
            losses = losses + state.losses
    counts = np.max([state.counts for state, _ in used], axis=0)
    rows, largest = sum(state.rows for state, _ in used), max(state.largest for state, _ in used)
    return State(mean, counts, losses, rows, largest=largest)


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays by name as bytes in NumPy's .npz format."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpack(content: bytes) -> Arrays:
    """The arrays that `pack` took."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
