"""Problems that an engine solves and the reference solves too: rows, where to start, and how to call the kernels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.engines import NUMPY, Engine
from tinynet_fast.kernels.fast import NETWORK_LOSSES
from tinynet_fast.kernels.reference import LOG_LOSS
from tinynet_fast.models import MLP
from tinynet_fast.models.layers import flatten, layer_table
from tinynet_fast.models.outputs import output_of
from tinynet_fast.training.losses import LABELS, LINEAR, ChosenLoss, choose_loss
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.schedules import PLAIN, SMOOTH, Penalties


@dataclass(frozen=True)
class NeuronProblem:
    """Rows for a neuron's plain kernel, a learning rate for each row (`step`), where to start, and the block size."""

    X: np.ndarray
    y: np.ndarray
    step: np.ndarray
    weights: np.ndarray
    bias: float
    epochs: int = 2
    block: int = 64
    kernel: str = "sgd_epochs"

    def solve(self, engine: Engine) -> tuple[np.ndarray, np.ndarray]:
        """Train with an engine's kernel; return the parameters and each epoch's loss."""
        own, kernel = engine.own, getattr(engine.kernels, self.kernel)
        weights, bias = own(self.weights.copy()), own(np.array([self.bias]))

        def train(part: slice, losses: Any) -> None:
            kernel(engine.rows(self.X[part]), own(self.y[part]), own(self.step[part]), weights, bias, losses)

        history = _losses(self, engine, self.block >= len(self.X), train)
        return np.append(weights, bias), history


@dataclass(frozen=True)
class RegularizedProblem:
    """Rows for a neuron's kernel with a schedule row each (step, keep, cut, share), and the loss to minimise."""

    X: np.ndarray
    y: np.ndarray
    schedule: np.ndarray
    loss: int
    weights: np.ndarray
    bias: float
    epochs: int = 2
    block: int = 64
    bias_scale: float = 1.0
    shape: float = 0.0

    @property
    def smooth(self) -> bool:
        """Whether it uses no l1, its loss is smooth, and the bias moves as far as a weight does."""
        return self.loss in SMOOTH and not self.schedule[:, at.CUT].any() and self.bias_scale == 1.0

    def solve(self, engine: Engine) -> tuple[np.ndarray, np.ndarray]:
        """Train; return weights, bias, their means and what each has paid of the l1 penalty, and the losses."""
        own, kernel = engine.own, engine.kernels.sgd_regularized_epochs
        d, rule = len(self.weights), own(np.array([float(self.loss), self.shape, self.bias_scale, 0.0, 0.0, 0.0]))
        state = own(self.weights.copy()), own(np.array([self.bias])), own(np.zeros(d + 1)), own(np.zeros(d + 1))

        def train(part: slice, losses: Any) -> None:
            rows = engine.rows(self.X[part]), own(self.y[part]), own(self.schedule[part])
            kernel(*rows, rule, *state, losses)

        history = _losses(self, engine, self.block >= len(self.X), train)
        return np.concatenate(state), history


@dataclass(frozen=True)
class NetworkProblem:
    """Rows for a network's kernels, the layers, where to start, and the sizes of batches and blocks.

    `y` has a row for each row of `X` if there are several targets. `shape` is the loss's own, and `output` what the
    last layer is; if it is empty, a sigmoid, or for several outputs a softmax.
    """

    X: np.ndarray
    y: np.ndarray
    sizes: tuple[int, ...]
    activation: str
    params: np.ndarray
    batch_size: int
    steps: Optimizer = field(default_factory=lambda: Optimizer(0.05))
    epochs: int = 2
    block: int = 64
    loss: int = LOG_LOSS
    weight: np.ndarray | None = None
    mask: np.ndarray | None = None
    shape: float = 0.0
    output: str = ""
    dtype: str = "float64"

    @property
    def table(self) -> np.ndarray:
        return layer_table(self.sizes, self.activation, self.output)

    def solve(self, engine: Engine) -> tuple[np.ndarray, np.ndarray]:
        """Train with an engine's kernels; return the parameters and each epoch's loss."""
        own, table, kind = engine.own, self.table, np.dtype(self.dtype)
        kernels = engine.network_kernels(kind)
        state = engine.network_state([self.params, *np.zeros((at.STATE_ROWS - 1, len(self.params)))], kind)
        layers, units, pending = own(table, np.int64), engine.scratch(table, kind), own(np.zeros(2))
        rule, done = own(self.steps.rule(self.batch_size, self.loss, self.shape)), 0
        weight = np.ones(len(self.X)) if self.weight is None else self.weight

        def train(part: slice, losses: Any) -> None:
            nonlocal done
            mask = own(np.empty((1, 0)) if self.mask is None else self.mask[part])
            updates = len(losses) * ((int(pending[at.PENDING_ROWS]) + len(self.y[part])) // self.batch_size)
            y = own(self.y[part].reshape(-1))
            given = (y, own(weight[part]), mask, own(self.steps.schedule_rows(done, updates)), rule)
            kernels.network_epochs(engine.rows(self.X[part]), *given, layers, state, units, pending, losses)
            done += updates

        def finish_batch() -> None:
            nonlocal done
            if pending[at.PENDING_ROWS]:
                last = own(self.steps.schedule_rows(done, 1))[0]
                kernels.network_update(pending[at.PENDING_WEIGHT], last, rule, layers, state)
                pending[at.PENDING_ROWS] = pending[at.PENDING_WEIGHT] = 0.0
                done += 1

        whole = self.block >= len(self.X) and len(self.X) % self.batch_size == 0
        history = _losses(self, engine, whole, train, finish_batch)
        return np.array(state[at.PARAMETERS]), history


@dataclass(frozen=True)
class TrainerProblem:
    """A table for the public trainers. `train(engine_name)` returns their result.

    If it is too long for NumPy's loop over rows, `numpy` is False.
    """

    X: Any
    train: Callable[[str], Any]
    numpy: bool = True

    def solve(self, engine: Engine) -> tuple[np.ndarray, np.ndarray]:
        """Train; return the parameters and each epoch's loss."""
        result = self.train(engine.name)
        model = result.model
        if isinstance(model, MLP):
            return flatten(model.weights, model.biases), result.loss_history
        return np.append(model.weights, model.bias), result.loss_history


def promise(engine: Engine, problem: "Problem") -> float:
    """The largest norm-wise relative difference from the reference that is allowed; 0.0 means bit for bit."""
    return engine.single_promise if getattr(problem, "dtype", "") == "float32" else engine.promise


KERNELS = {RegularizedProblem: "sgd_regularized_epochs", NetworkProblem: "network_epochs"}
Problem = NeuronProblem | RegularizedProblem | NetworkProblem | TrainerProblem
Solutions = list[tuple[np.ndarray, np.ndarray]]  # the parameters and losses of each problem


def _losses(
    problem: NeuronProblem | RegularizedProblem | NetworkProblem,
    engine: Engine,
    whole: bool,
    train: Callable[[slice, Any], None],
    end_epoch: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Call `train(part, losses)` block by block and return all epochs' losses. If `whole`, one call does all epochs."""
    together, history = problem.epochs if whole else 1, []
    for _ in range(problem.epochs // together):
        losses = engine.own(np.zeros(together))
        for start in range(0, len(problem.X), problem.block):
            train(slice(start, start + problem.block), losses)
        end_epoch()
        history += list(losses)
    return np.array(history)


def can_solve(engine: Engine, problem: Problem) -> bool:
    """Whether the engine has the kernel for this problem. The trainers choose a kernel themselves."""
    if isinstance(problem, RegularizedProblem) and engine.smooth_only and not problem.smooth:
        return False  # `fast` leaves these to `strict`
    if isinstance(problem, NetworkProblem) and engine.smooth_only and problem.loss not in NETWORK_LOSSES:
        return False
    if getattr(problem, "dtype", "") == "float32" and not engine.has_singles:
        return False
    if isinstance(problem, TrainerProblem):
        return problem.numpy or engine is not NUMPY
    return engine.can(problem.kernel if isinstance(problem, NeuronProblem) else KERNELS[type(problem)])


# --- random problems --------------------------------------------------------------------------------------------------


def neuron_problem(
    rng: np.random.Generator,
    n: int,
    d: int,
    *,
    scale: float = 1.0,
    reach: float = 1.0,
    vary: bool = False,
    linear: bool = False,
) -> NeuronProblem:
    """Normal rows times `scale`, and steps of `reach` times the stability bound. If `linear`, their numbers are normal.

    If `vary`, each row has its own step, and some steps are zero.
    """
    plain = choose_loss(of=LINEAR if linear else LABELS)
    X = rng.standard_normal((n, d)) * scale
    longest = float(np.max(np.einsum("ij,ij->i", X, X), initial=0.0)) + 1.0
    step = np.full(n, reach * plain.bound / longest)
    if vary:
        step *= rng.random(n) * (rng.random(n) < 0.8)
    start = rng.standard_normal(d) / max(scale, 1.0)
    y = rng.standard_normal(n) if linear else (rng.random(n) < 0.5).astype(np.float64)
    bias, block = float(rng.standard_normal()), _block(rng, n)
    return NeuronProblem(X, y, step, start, bias, block=block, kernel=PLAIN[plain.code])


def _block(rng: np.random.Generator, n: int) -> int:
    """One block for all rows in half of the cases; otherwise blocks of any size."""
    return n if rng.random() < 0.5 else int(rng.integers(1, n + 1))


def regularized_problem(
    rng: np.random.Generator, problem: NeuronProblem, l2: float, l1: float, average_from: int, loss: str | ChosenLoss
) -> RegularizedProblem:
    """Add penalties, averaging or another loss to a neuron's problem, whose steps become the learning rates."""
    penalties = Penalties(l2, l1, average_from, loss)
    schedule = penalties.schedule_rows(problem.step, rng.random(len(problem.step)), 0)
    start, bias, epochs, block = problem.weights, problem.bias, problem.epochs, problem.block
    code, shape = penalties.loss.code, penalties.loss.shape
    return RegularizedProblem(problem.X, problem.y, schedule, code, start, bias, epochs, block, shape=shape)


def network_problem(
    rng: np.random.Generator,
    n: int,
    sizes: tuple[int, ...],
    activation: str,
    batch_size: int,
    steps: Optimizer | None = None,
    *,
    loss: str | ChosenLoss = "log_loss",
    weighted: bool = False,
    dropout: float = 0.0,
) -> NetworkProblem:
    """Normal rows, and parameters that are large enough to saturate some units."""
    chosen = loss if isinstance(loss, ChosenLoss) else choose_loss(loss)
    params = rng.standard_normal(sum((a + 1) * b for a, b in pairwise(sizes)))
    X, y = rng.standard_normal((n, sizes[0])), rng.integers(0, max(2, sizes[-1]), n).astype(np.float64)
    if chosen.of == LINEAR:
        y = rng.standard_normal((n, sizes[-1]))
        y = rng.poisson(2.0, y.shape).astype(np.float64) if chosen.is_of_counts else y
        params *= 0.3 if chosen.is_of_counts else 1.0  # exp of large sums is too large to train by
    return NetworkProblem(
        X,
        y,
        sizes,
        activation,
        params,
        batch_size,
        steps or Optimizer(0.05),
        block=_block(rng, n),
        loss=chosen.code,
        shape=chosen.shape,
        output=output_of(chosen, max(2, sizes[-1])),
        weight=rng.random(n) * (rng.random(n) < 0.8) if weighted else None,
        mask=(rng.random((n, sum(sizes[1:-1]))) >= dropout) / (1.0 - dropout) if dropout else None,
    )
