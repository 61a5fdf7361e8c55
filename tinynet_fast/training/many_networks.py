"""Networks of one shape that are trained in the same pass over the rows, in groups: one call of the kernel trains a
group. `Run` trains all of them as if they were one."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.engines import FAST, Engine
from tinynet_fast.kernels.fast import many_networks as kernel
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.rows.numbers import Numbers
from tinynet_fast.rows.team import Team
from tinynet_fast.training.history import Arrays
from tinynet_fast.training.network_plan import NetworkPlan
from tinynet_fast.training.network_updates import dropout_factors, mask_generator
from tinynet_fast.training.optimizer import batches_that_move
from tinynet_fast.training.resume import StateError, whole
from tinynet_fast.training.shared_rows import Block, Key, SharedRows

STANDS_STILL = np.zeros(at.SCHEDULE_COLUMNS)  # the schedule row of a network that diverged
STANDS_STILL[[at.KEEP, at.EPSILON]] = 1.0


class Group:
    """The networks that one call of the kernel trains, a lane each, and their arrays. Lanes that are left over repeat
    the last network, so that no arithmetic of theirs is out of the ordinary."""

    def __init__(self, members: Sequence[int], plans: Sequence[NetworkPlan], keys: Sequence[Key]) -> None:
        self.members = list(members)
        lanes = [*self.members, *self.members[-1:] * (kernel.WIDTH - len(self.members))]
        self.plans, self.keys = [plans[i] for i in lanes], [keys[i] for i in lanes]
        first = self.plans[0]
        self.steps = max(len(plan.shared) for plan in self.plans)  # an epoch takes: networks of fewer rows wait
        self.size = min(first.batch_size or self.steps, self.steps)
        self.layers = FAST.own(first.table, np.int64)
        self.rule = FAST.own(np.stack([plan.rule for plan in self.plans], axis=-1))
        self.rule[at.BATCH_SIZE] = self.size
        self.state, self.units = kernel.aligned_state(self.layers), kernel.scratch(self.layers)
        self.state[at.PARAMETERS] = np.stack([plan.start for plan in self.plans], axis=-1)
        self.pending, self.updates = np.zeros((2, kernel.WIDTH)), np.zeros(kernel.WIDTH, np.int64)
        self.stopped = np.zeros(kernel.WIDTH, bool)  # the networks that diverged
        self.no_marks, self.own = np.empty(0), np.full((2, kernel.WIDTH), kernel.NOBODY)
        if first.label is not None:
            self.own[kernel.CLASS] = [plan.label for plan in self.plans]
        self.no_mask = np.empty((1, 0, kernel.WIDTH))
        self.is_constant = all(plan.optimizer.is_constant for plan in self.plans)
        self.restart()

    def part(self, places: slice) -> slice:
        """Those of an epoch's places at which the networks have rows."""
        return slice(min(places.start, self.steps), min(places.stop, self.steps))

    def restart(self) -> None:
        """Let all networks train."""
        self.stopped[:] = False
        self.constant = np.stack([plan.optimizer.schedule_rows(0, 1) for plan in self.plans], axis=-1)

    def train(
        self, block: Block, ones: np.ndarray, mask: np.ndarray | None, epochs: int, known: dict[Any, np.ndarray]
    ) -> np.ndarray:
        """Train on a block, `epochs` times. Returns the sum of the rows' losses: (epochs, members).

        `known` keeps the schedules of networks that step alike, also for other groups.
        """
        losses = np.zeros((epochs, kernel.WIDTH))
        n = len(block.order) if len(block.order) else len(block.X)
        arrays = self.rule, self.layers, self.state, self.units, self.pending, losses
        schedule, moved = self._schedule(block, n, epochs, known)
        weights = ones[: len(block.X)] if block.weights is None else block.weights
        mask = self.no_mask if mask is None else mask
        with np.errstate(all="ignore"):  # of kernels that run as plain Python; a network that diverges is stopped
            kernel.network_epochs(
                block.X, block.y, weights, self.no_marks, self.own, block.order, mask, schedule, *arrays
            )
        self.updates += moved
        return losses[:, : len(self.members)]

    def _schedule(
        self, block: Block, n: int, epochs: int, known: dict[Any, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """(batches, 4, WIDTH): a row for each batch that ends in a block; and how many of them move each network."""
        size = self.size
        batches = epochs * ((int(self.pending[at.PENDING_ROWS, 0]) + n) // size)
        moved = np.full(kernel.WIDTH, batches, np.int64)
        rows = self.constant if self.is_constant else np.empty((max(batches, 1), at.SCHEDULE_COLUMNS, kernel.WIDTH))
        if self.is_constant and block.counts_alike:
            return rows, moved
        # Schedules one by one took a quarter of the time: 16-16-1, batches of 32, Adam.
        for k, plan in enumerate(self.plans):
            weights = block.weights_of(k)
            moves = np.ones(batches, bool)
            if weights is not None:
                moves = np.tile(batches_that_move(weights, self.pending[:, k], size), epochs)
                moved[k] = moves.sum()
            if not self.is_constant:
                done, whole = int(self.updates[k]), plan.optimizer.schedule.updates
                how = done, whole, moves.tobytes(), *plan.optimizer.options().values()  # networks that step alike
                if how not in known:
                    known[how] = plan.optimizer.schedule_rows_for(done, moves)
                rows[:batches, :, k] = STANDS_STILL if self.stopped[k] else known[how]
        return rows, moved

    def end_epoch(self) -> None:
        """Make the update of a last batch that is shorter."""
        if not self.pending[at.PENDING_ROWS, 0]:
            return
        row = self.constant[0]
        if not self.is_constant:
            own = (plan.optimizer.schedule_rows(int(u), 1)[0] for plan, u in zip(self.plans, self.updates, strict=True))
            row = np.stack(list(own), axis=-1)
            row[:, self.stopped] = STANDS_STILL[:, np.newaxis]
        self.updates += self.pending[at.PENDING_WEIGHT] > 0.0
        with np.errstate(all="ignore"):  # as in `train`
            kernel.network_update(np.ascontiguousarray(row), self.rule, self.layers, self.state, self.pending)

    def overflowed(self) -> np.ndarray:
        """(members,) bool: whether a network has numbers that are not finite."""
        return ~np.isfinite(self.state).all(axis=(0, 1))[: len(self.members)]

    def stop(self, members: np.ndarray) -> None:
        """Train these networks, (members,) bool, no further."""
        lanes = np.append(members, np.full(kernel.WIDTH - len(members), members[-1]))
        self.stopped |= lanes
        self.state[:, :, lanes] = 0.0
        self.constant[:, :, lanes] = STANDS_STILL[:, np.newaxis]

    def arrays(self) -> dict[str, np.ndarray]:
        """What training changes."""
        return {"state": self.state, "pending": self.pending, "updates": self.updates}


class ManyNetworks:
    """Networks that may train side by side (`NetworkPlan.company`), as one `Trainable` of `Run`.

    `Run` hands it the places of rows in an epoch (`places`), because networks may see the rows in different orders. It
    keeps the losses of each network itself. A network that diverges is stopped, and the others go on.

    Parameters
    ----------
    plans : sequence of NetworkPlan
        Every eight are a group, so those which see the same rows in the same order stand together.
    team : Team
        Its threads share the groups.
    """

    counts: tuple[str, ...] = ("updates", "epochs", "pending", "position")
    kernels: Hashable = None
    learning_rate = 0.0  # each network has its own

    def __init__(self, plans: Sequence[NetworkPlan], team: Team) -> None:
        first, self.team = plans[0], team
        options, self.shared = first.options, SharedRows(plans)
        self.dropout, keys = first.dropout > 0.0, self.shared.keys
        for plan in plans:
            plan.optimizer.schedule.updates = options.epochs * -(-len(plan.shared) // plan.size)
        every = range(len(plans))
        self.groups = [Group(every[k : k + kernel.WIDTH], plans, keys) for k in range(0, len(every), kernel.WIDTH)]
        n = max(group.steps for group in self.groups)
        self.batch_size: int | None = min(first.batch_size or n, n)
        whole_batches = all(group.steps % group.size == 0 for group in self.groups)
        self.repeats = whole_batches and not self.dropout and not options.shuffle
        self.hidden_units = sum(first.sizes[1:-1])
        work = (3 * len(first.start) + 20 * sum(first.sizes)) * len(self.groups) * kernel.WIDTH
        widest = max(first.sizes[0], self.hidden_units * kernel.WIDTH if self.dropout else 0)
        self.block_rows = FAST.block_rows(widest, work)
        self.places = Rows(np.arange(n)[:, np.newaxis], Numbers(np.zeros(n)))
        mixed = any(len(set(group.keys)) > 1 for group in self.groups)
        self.ones = np.ones(max(self.shared.table_rows if mixed else 0, min(self.block_rows, n)))
        totals = [rows.total_weight for rows in self.shared.rows]
        self.total_weights = np.array([totals[which] for which, _ in keys])
        self.start = np.concatenate([plan.start for plan in plans])
        self.losses = np.zeros((options.epochs, len(plans)))  # the sum of the rows' losses in each epoch
        self.lasted = np.full(len(plans), options.epochs + 1)  # how many epochs each ended before it diverged
        self.epochs = self.position = 0

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        """Train all networks on the rows at the places `X`, once for each entry of `losses`."""
        part, epochs = slice(int(X[0, 0]), int(X[-1, 0]) + 1) if len(X) else slice(0, 0), len(losses)
        before = self.state() if epochs > 1 else None
        own = self._trained(part, epochs)
        if before is not None and self._overflowed(own).any():  # train one by one, to find the epoch
            self.restore(before)
            for k in range(epochs):
                self._add(self._trained(part, 1), self.epochs + k)
        else:
            self._add(own, self.epochs)
        self.epochs += epochs - 1  # `end_epoch` adds one more
        self.position += part.stop - part.start

    def _trained(self, part: slice, epochs: int) -> np.ndarray:
        """Train all groups. Returns the sum of the rows' losses: (epochs, networks)."""
        blocks, masks, jobs, known = dict[Key, Block](), dict[Any, np.ndarray](), [], dict[Any, np.ndarray]()
        for group in self.groups:
            here = group.part(part)
            block = self.shared.block(group.keys, here, self.epochs, blocks)
            jobs.append((group, block, self._mask(group, here, masks)))
        found = self.team.map(lambda job: job[0].train(job[1], self.ones, job[2], epochs, known), jobs)
        losses = np.empty((epochs, len(self.lasted)))
        for group, own in zip(self.groups, found, strict=True):
            losses[:, group.members] = own
        return losses

    def _mask(self, group: Group, part: slice, known: dict[Any, np.ndarray]) -> np.ndarray | None:
        """The factors of dropout for the rows at these places: (rows, hidden units, WIDTH)."""
        if not self.dropout:
            return None
        n, lanes = part.stop - part.start, [(plan.options.seed, plan.dropout) for plan in group.plans]
        for seed, share in lanes:
            if (seed, share, n) not in known:
                generator = mask_generator(seed, self.epochs, self.position * self.hidden_units)
                known[seed, share, n] = dropout_factors(generator, (n, self.hidden_units), share)
        return np.stack([known[*lane, n] for lane in lanes], axis=-1)

    def _overflowed(self, losses: np.ndarray) -> np.ndarray:
        """(networks,) bool: whether a network's losses or numbers are not finite."""
        found = ~np.isfinite(losses).all(axis=0)
        for group in self.groups:
            found[group.members] |= group.overflowed()
        return found

    def _add(self, losses: np.ndarray, epoch: int) -> None:
        """Add a block's losses to those of the epochs from `epoch` on, and stop the networks that diverged in it."""
        overflowed = self._overflowed(losses)
        self.losses[epoch : epoch + len(losses)] += np.where(overflowed | (self.lasted <= epoch), 0.0, losses)
        self._stop(overflowed, epoch)

    def _stop(self, networks: np.ndarray, epoch: int) -> None:
        """Train these networks, (networks,) bool, no further, because they diverged in this epoch."""
        self.lasted[networks] = np.minimum(self.lasted[networks], epoch)
        self.losses[epoch:, networks] = 0.0
        for group in self.groups:
            if networks[group.members].any():
                group.stop(networks[group.members])

    def use(self, engine: Engine) -> None:
        """There is no other engine for many networks."""

    def end_epoch(self) -> None:
        for group in self.groups:
            group.end_epoch()
        self._stop(self._overflowed(np.zeros((1, len(self.lasted)))), self.epochs)
        self.epochs += 1
        self.position = 0

    def epoch_loss(self, total: np.ndarray) -> np.ndarray:
        return total

    def state(self) -> Arrays:
        arrays = {
            f"group {g}, {name}": np.array(array, dtype=np.float64).reshape(-1)
            for g, group in enumerate(self.groups)
            for name, array in group.arrays().items()
        }
        counts = {"epochs": np.array([float(self.epochs)]), "position": np.array([float(self.position)])}
        return {**arrays, **counts, "losses": self.losses.reshape(-1).copy(), "lasted": self.lasted.astype(np.float64)}

    def is_finite(self) -> bool:
        """Always: a network that diverges is stopped, and its numbers are set to zero."""
        return True

    def restore(self, state: Arrays) -> None:
        self.epochs, self.position = int(state["epochs"][0]), int(state["position"][0])
        self.losses = state["losses"].reshape(self.losses.shape).copy()
        self.lasted = state["lasted"].astype(np.int64)
        for g, group in enumerate(self.groups):
            for name, array in group.arrays().items():
                array[...] = state[f"group {g}, {name}"].reshape(array.shape)
            group.restart()
            stopped = self.lasted[group.members] <= len(self.losses)
            if stopped.any():
                group.stop(stopped)

    def check_counts(self, state: Arrays, epoch: int, rows: int) -> None:
        """StateError if the counts of a state are not those after `epoch` epochs and `rows` rows of the next one."""
        if (state["epochs"][0], state["position"][0]) != (epoch, rows):
            raise StateError(f"the parameters are not those after {epoch:,} epochs and {rows:,} rows")
        for count in state["lasted"]:
            whole("an epoch in which a network diverged", count, len(self.losses) + 1)
        for g, group in enumerate(self.groups):
            done = min(rows, group.steps)
            most = epoch * -(-group.steps // group.size) + done // group.size
            for count in state[f"group {g}, updates"]:
                whole("the number of updates", count, most)
            pending = state[f"group {g}, pending"].reshape(2, -1)
            if (
                not (pending[at.PENDING_ROWS] == done % group.size).all()
                or not (pending[at.PENDING_WEIGHT] >= 0.0).all()
            ):
                raise StateError("the rows that wait for the end of their batch are not those of this place")

    def options(self) -> dict[str, Any]:
        """Nothing: the checkpoint of a sweep has the options of all networks."""
        return {}

    def outcomes(self) -> tuple[np.ndarray, np.ndarray]:
        """The parameters, (networks, parameters), and the mean losses, (epochs, networks). NaN is for what diverged."""
        parameters = np.full((len(self.lasted), len(self.groups[0].plans[0].start)), np.nan)
        for group in self.groups:
            parameters[group.members] = group.state[at.PARAMETERS].T[: len(group.members)]
        losses = self.losses / self.total_weights
        losses[np.arange(len(losses))[:, np.newaxis] >= self.lasted] = np.nan
        parameters[self.lasted <= len(losses)] = np.nan
        return parameters, losses
