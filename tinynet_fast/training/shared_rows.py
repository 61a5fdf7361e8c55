"""The rows of networks that train side by side: each network sees its own of them, in its own order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import FAST
from tinynet_fast.kernels.fast import many_networks as kernel
from tinynet_fast.rows.blocks import Rows, picked
from tinynet_fast.training.network_plan import NetworkPlan

NO_ORDER = np.empty((0, kernel.WIDTH), np.int64)
NO_ROW = -1  # in an order
Key = tuple[int, int]  # which rows, and by which seed they are shuffled: networks with the same key see the same


@dataclass
class Block:
    """Rows for the kernel: `order` is empty if all networks see the same ones."""

    X: Any
    y: np.ndarray
    weights: np.ndarray | None
    order: np.ndarray = field(default_factory=lambda: NO_ORDER)

    @property
    def counts_alike(self) -> bool:
        """Whether every row counts 1, for every network."""
        return self.weights is None and (not len(self.order) or bool(self.order[-1].min() > NO_ROW))

    def weights_of(self, lane: int) -> np.ndarray | None:
        """The sample weights of the rows in the order in which one network sees them; 0 for no row."""
        if self.counts_alike or not len(self.order):
            return self.weights
        places = self.order[:, lane]
        return np.where(places > NO_ROW, 1.0 if self.weights is None else self.weights[places], 0.0)


def keys_of(plans: Iterable[NetworkPlan]) -> list[Key]:
    """What each network sees. Rows are numbered as they appear, the longest first: a sweep's first are all rows."""
    numbers: dict[int, int] = {}
    return [
        (numbers.setdefault(id(plan.shared), len(numbers)), (plan.options.seed or 0) if plan.options.shuffle else 0)
        for plan in plans
    ]


def sources_of(rows: Sequence[Rows]) -> list[int]:
    """For each of some rows of the same table, which copy of the table they are taken from.

    A copy is for itself if it is standardised otherwise, or if its sample weights are others.
    """
    seen: dict[Any, int] = {}
    looks = [tuple(map(id, (each.mean, each.y_mean, each.sample_weight))) for each in rows]
    return [seen.setdefault(each, len(seen)) for each in looks]


class SharedRows:
    """What networks see of the rows, block by block."""

    def __init__(self, plans: Sequence[NetworkPlan]) -> None:
        self.keys = keys_of(plans)
        self.rows = list({id(plan.shared): plan.shared for plan in plans}.values())
        self.sources = sources_of(self.rows)
        self.orders = {key: plan.options.order for key, plan in zip(self.keys, plans, strict=True)}
        self.drawn_for, self.permutations = -1, dict[Key, np.ndarray]()
        self.table: Block | None = None

    @property
    def table_rows(self) -> int:
        """The rows of all copies of the table."""
        return len(self.rows[0].X) * len(set(self.sources))

    def block(self, keys: Sequence[Key], part: slice, epoch: int, known: dict[Key, Block]) -> Block:
        """The rows at these places of the epoch, for networks with these keys. `known` keeps what was made before."""
        if self.drawn_for != epoch:
            self.drawn_for, self.permutations = epoch, {}
        if len(set(keys)) > 1 and part.stop > part.start:  # without any row, an order would be none
            if self.table is None:
                self.table = self._table()
            places = {key: self._places(key, part) for key in set(keys)}
            return replace(self.table, order=np.ascontiguousarray(np.stack([places[key] for key in keys], axis=-1)))
        key = keys[0]
        if key not in known:
            rows = self.rows[key[0]]
            plain = rows.index is None and self.orders[key] is None
            known[key] = _block(rows, part if plain else self._index(key, part))
        return known[key]

    def _places(self, key: Key, part: slice) -> np.ndarray:
        """The places in all copies of the table; NO_ROW after a network's last row."""
        places = np.full(part.stop - part.start, NO_ROW, np.int64)
        index = self._index(key, part)
        places[: len(index)] = index
        places[: len(index)] += self.sources[key[0]] * len(self.rows[0].X)
        return places

    def _index(self, key: Key, part: slice) -> np.ndarray:
        """The numbers of the rows at these places of the epoch's order."""
        rows, order = self.rows[key[0]], self.orders[key]
        if order is None:
            own = np.arange(part.start, min(part.stop, len(rows)))
        else:
            if key not in self.permutations:
                self.permutations[key] = order.permutation(len(rows), rows.n_features, self.drawn_for)
            own = self.permutations[key][part]
        return own if rows.index is None else rows.index[own]

    def _table(self) -> Block:
        """All copies of the table, one after another."""
        first = [self.rows[self.sources.index(k)] for k in range(len(set(self.sources)))]
        blocks = [_block(rows, slice(None)) for rows in first]
        if len(blocks) == 1:
            return blocks[0]
        ones = np.ones(len(first[0].X))
        weights = [ones if each.weights is None else each.weights for each in blocks]
        together = None if all(each.weights is None for each in blocks) else np.concatenate(weights)
        return Block(np.concatenate([each.X for each in blocks]), np.concatenate([each.y for each in blocks]), together)


def _block(rows: Rows, part: Any) -> Block:
    """Some rows as the kernel takes them."""
    y = rows.standardised_y(rows.codes.as_floats(part))
    weights = None if rows.sample_weight is None else FAST.own(rows.sample_weight[part])
    return Block(FAST.rows(rows.standardised(picked(rows.X, part))), FAST.own(y).reshape(-1), weights)
