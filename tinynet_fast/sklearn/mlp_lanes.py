"""Networks of a search that see the same rows in the same order: eight are trained in one pass, a lane each.

A `Company` is asked for an epoch by each of its networks in turn (`sharing.train_in_turn`). The first one has all of
them trained; the others only fetch their loss. Between epochs each network's numbers are in its own arrays, so one that
stops just leaves, and the others go on.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, has_numba
from tinynet_fast.kernels.compiler.signatures import PENALISED_NETWORKS
from tinynet_fast.kernels.engines import FAST
from tinynet_fast.kernels.fast import many_networks, penalised_networks
from tinynet_fast.kernels.fast.many_networks import WIDTH
from tinynet_fast.rows.blocks import slices
from tinynet_fast.sklearn.mlp_batches import KernelBatches
from tinynet_fast.sklearn.sharing import place, state_of
from tinynet_fast.training.loop import visit
from tinynet_fast.training.network_plan import MOST_PARAMETERS

FEW_ROWS = 64  # batches up to here are small
FEWEST, FEWEST_SMALL = 7, 6  # networks from which on eight lanes take less time than one after the other


def has_kernel() -> bool:
    """Whether the kernel is in the library, or can be compiled."""
    return UNCOMPILED or has_numba() or bool(native.find(penalised_networks.passes.name, PENALISED_NETWORKS))


def join(runs: list[Any]) -> None:
    """Make companies of the runs that may be trained in the same pass. Each `run` has a `model` and `batches`."""
    companies: dict[Hashable, list[KernelBatches]] = {}
    if len(runs) >= FEWEST_SMALL and has_kernel():
        for run in runs:
            if (key := _key(run)) is not None:
                companies.setdefault(key, []).append(run.batches)
    for members in companies.values():
        if len(members) >= fewest(members[0].size):
            company = Company(members)
            for each in members:
                each.company = company


def fewest(size: int) -> int:
    """How many networks it takes, at this batch size, for eight lanes to be faster than one after the other."""
    return FEWEST_SMALL if size <= FEW_ROWS else FEWEST


def _key(run: Any) -> Hashable | None:
    """Runs with the same key see the same rows in the same order, through networks of one shape. None stays alone."""
    own, model = run.batches, run.model
    if type(own) is not KernelBatches or not own.plain or own.engine is not FAST or run.incremental:
        return None
    if own.state.shape[1] > MOST_PARAMETERS:
        return None
    kinds = own.rules[own.size][[at.LOSS, at.OPTIMIZER, at.LOSS_SHAPE]].tolist()
    order = state_of(model._random_state) if model.shuffle else None
    return place(own.X), place(own.y), own.size, own.table.tobytes(), *kinds, order


class Company:
    """Networks that are trained side by side, an epoch at a time.

    Parameters
    ----------
    members : list of KernelBatches
        With the same rows, layers, batch size, loss and kind of step, and the same order of the rows in each epoch.
    """

    def __init__(self, members: list[KernelBatches]) -> None:
        self.going, self.rounds = list(members), dict.fromkeys(map(id, members), 0)
        self.round, self.losses = 0, dict[int, float]()
        self.order: np.ndarray | None = None
        layers, parameters = members[0].layers, members[0].state.shape[1]
        self.state, self.units = many_networks.aligned_state(layers), many_networks.scratch(layers)
        self.pending, self.no_mask = np.zeros((2, WIDTH)), np.empty((1, 0, WIDTH))
        size, n = members[0].size, len(members[0].y)
        rows = min(FAST.block_rows(members[0].X.shape[1], 3 * WIDTH * parameters), n)
        self.at_once = max(rows // size, 1) * size

    def epoch(self, one: KernelBatches, order: np.ndarray | None) -> float | None:
        """The mean loss of an epoch of one network, as its own `epoch` returns it; None if it is to train by itself."""
        if self.rounds[id(one)] == self.round:
            self._train(order)
        self.rounds[id(one)] += 1
        if not _same(order, self.order):  # this network's numbers are of no use; scikit-learn fits it once more
            raise RuntimeError("networks that are trained in the same pass have drawn different orders of their rows")
        return self.losses.pop(id(one), None)

    def leave(self, one: KernelBatches) -> None:
        """A network has stopped."""
        self.going = [each for each in self.going if each is not one]
        self.losses.pop(id(one), None)

    def _train(self, order: np.ndarray | None) -> None:
        """Train those that are still there, eight at a time. What is left over trains alone if it is few."""
        self.round, self.order = self.round + 1, order
        for k in range(0, len(self.going), WIDTH):
            part = self.going[k : k + WIDTH]
            if len(part) >= fewest(part[0].size):
                self._side_by_side(part, order)

    def _side_by_side(self, members: list[KernelBatches], order: np.ndarray | None) -> None:
        """An epoch of up to eight networks. Lanes that are left over repeat the last one."""
        first, n = members[0], len(members[0].y)
        lanes = [*members, *members[-1:] * (WIDTH - len(members))]
        sizes = first.batch_sizes(n)
        for each in members:
            each.begin()
            each.schedule_rows[:, at.L2] = each.alpha / sizes
        self.state[:] = np.stack([each.state for each in lanes], axis=-1)
        schedule = np.stack([each.schedule_rows for each in lanes], axis=-1)
        rule = np.stack([each.rules[each.size] for each in lanes], axis=-1)
        losses, squares = np.zeros((2, len(sizes), WIDTH))

        def train(part: slice) -> None:
            X, y = first.rows(part, order)
            batches = slice(part.start // first.size, -(-part.stop // first.size))
            kernel = first.ones, self.no_mask, schedule[batches], rule, first.layers, self.state
            penalised_networks.network_passes(
                FAST.rows(X), y.reshape(-1), *kernel, self.units, self.pending, losses[batches], squares[batches]
            )

        visit(((part,) for part in slices(n, self.at_once)), train)
        for k, each in enumerate(members):
            each.state[:] = self.state[:, :, k]
            each.add_losses(losses[:, k], squares[:, k], sizes)
            self.losses[id(each)] = each.end()


def _same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))
