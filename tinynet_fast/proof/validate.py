"""Every engine against the reference on this machine: `validate()` runs a fixed battery and says what it saw.

The property tests run the same comparisons on generated problems, and a test plants mistakes in the kernels to show
that the battery finds them. Pictures of one step are in `trace.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from tinynet_fast.kernels.compiler.jit import noting
from tinynet_fast.kernels.engines import ENGINES, STABILITY_BOUND, Engine
from tinynet_fast.kernels.vectorized import LOG_LOSS
from tinynet_fast.models import MLP
from tinynet_fast.models.layers import flatten, layer_table
from tinynet_fast.proof.facts import facts
from tinynet_fast.rows.arrays import check_finite, encode_labels
from tinynet_fast.rows.blocks import standardisation
from tinynet_fast.rows.columns import training_rows
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.schedules import LOSSES, Penalties

REFERENCE = ENGINES["reference"]
WIDTHS = (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 64, 70)
SHAPES = ((1,), (4,), (9, 5), (7, 6, 5))
LEAST_LOSS = 1e-6  # the squared error of a prediction that is 0.001 off
OWN_VALUES, OWN_ROWS = 100_000, 20_000  # how much of a user's data the plain loop is given: about a second


@dataclass(frozen=True)
class Verdict:
    """How an engine did in a case.

    Attributes
    ----------
    engine, case : str
    rows : int
        Rows trained, over all the problems of the case.
    ulps : int
        The largest difference of a weight, a bias or a loss from the reference, in units in the last place.
    difference : float
        The largest norm-wise relative difference of parameters or losses from the reference; losses of less than 1e-6 a
        row are compared with that.
    promise : float
        The largest `difference` that the engine may show; 0.0 means bit for bit.
    kept : bool
    """

    engine: str
    case: str
    rows: int
    ulps: int
    difference: float
    promise: float
    kept: bool


@dataclass(frozen=True)
class Validation:
    """The result of `validate`: a verdict for each engine and case, and the facts that decide on bit-equality."""

    verdicts: list[Verdict]
    facts: dict[str, str]

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return all(verdict.kept for verdict in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {"kept": self.kept, "verdicts": [asdict(v) for v in self.verdicts], "facts": self.facts}


@dataclass(frozen=True)
class NeuronProblem:
    """Rows for a neuron's kernel, where to start, and the block size; `step` has a learning rate a row."""

    X: np.ndarray
    y: np.ndarray
    step: np.ndarray
    weights: np.ndarray
    bias: float
    epochs: int = 2
    block: int = 64

    def solve(self, engine: Engine) -> tuple[np.ndarray, np.ndarray]:
        """Parameters and losses after training with an engine's kernel: rows that are one block, all epochs in one
        call; else an epoch at a time, block by block."""
        own, kernel = engine.own, engine.kernels.sgd_epochs
        weights, bias = own(self.weights.copy()), own(np.array([self.bias]))
        history: list[float] = []
        together = self.epochs if self.block >= len(self.X) else 1
        for _ in range(self.epochs // together):
            losses = own(np.zeros(together))
            for start in range(0, len(self.X), self.block):
                part = slice(start, start + self.block)
                kernel(engine.rows(self.X[part]), own(self.y[part]), own(self.step[part]), weights, bias, losses)
            history += list(losses)
        return np.append(weights, bias), np.array(history)


@dataclass(frozen=True)
class RegularizedProblem:
    """A neuron's rows with a `plan` row each (step, keep, cut, share), and the loss to make small."""

    X: np.ndarray
    y: np.ndarray
    plan: np.ndarray
    loss: int
    weights: np.ndarray
    bias: float
    epochs: int = 2
    block: int = 64
    bias_scale: float = 1.0

    @property
    def smooth(self) -> bool:
        """Whether it has neither l1 nor squared error, and a bias that moves as a weight does."""
        return self.loss == LOG_LOSS and not self.plan[:, 2].any() and self.bias_scale == 1.0

    def solve(self, engine: Engine) -> tuple[np.ndarray, np.ndarray]:
        """Weights, bias, means and what the penalty was paid, and losses; in calls as `NeuronProblem` makes them."""
        own, kernel = engine.own, engine.kernels.sgd_regularized_epochs
        d = len(self.weights)
        state = own(self.weights.copy()), own(np.array([self.bias])), own(np.zeros(d + 1)), own(np.zeros(d + 1))
        history: list[float] = []
        together = self.epochs if self.block >= len(self.X) else 1
        for _ in range(self.epochs // together):
            losses = own(np.zeros(together))
            for start in range(0, len(self.X), self.block):
                part = slice(start, start + self.block)
                rows = engine.rows(self.X[part]), own(self.y[part]), own(self.plan[part])
                kernel(*rows, self.loss, self.bias_scale, *state, losses)
            history += list(losses)
        return np.concatenate(state), np.array(history)


@dataclass(frozen=True)
class NetworkProblem:
    """Rows for the network's kernels, the layers, where to start, batches and blocks."""

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

    def solve(self, engine: Engine) -> tuple[np.ndarray, np.ndarray]:
        """Parameters and losses after training with an engine's kernels: rows that are one block of whole batches, all
        epochs in one call; else an epoch at a time, block by block."""
        own, kernels, table = engine.own, engine.kernels, layer_table(self.sizes, self.activation)
        state = own(np.vstack([self.params, np.zeros((3, len(self.params)))]))
        layers, units, pending = own(table, np.int64), engine.scratch(table), own(np.zeros(2))
        rule, done = own(self.steps.rule(self.batch_size, self.loss)), 0
        weight = np.ones(len(self.X)) if self.weight is None else self.weight
        history: list[float] = []
        together = self.epochs if self.block >= len(self.X) and len(self.X) % self.batch_size == 0 else 1
        for _ in range(self.epochs // together):
            losses = own(np.zeros(together))
            for start in range(0, len(self.X), self.block):
                part = slice(start, start + self.block)
                mask = own(np.empty((1, 0)) if self.mask is None else self.mask[part])
                updates = together * ((int(pending[0]) + len(self.y[part])) // self.batch_size)
                given = (own(self.y[part]), own(weight[part]), mask, own(self.steps.schedule_rows(done, updates)), rule)
                kernels.network_epochs(engine.rows(self.X[part]), *given, layers, state, units, pending, losses)
                done += updates
            if pending[0]:
                kernels.network_update(pending[1], own(self.steps.schedule_rows(done, 1))[0], rule, layers, state)
                pending[0] = pending[1] = 0.0
                done += 1
            history += list(losses)
        return np.array(state[0]), np.array(history)


@dataclass(frozen=True)
class TrainerProblem:
    """The public trainers on one table: `train(engine_name)` returns their result."""

    X: Any
    train: Callable[[str], Any]

    def solve(self, engine: Engine) -> tuple[np.ndarray, np.ndarray]:
        """Parameters and losses of the trainer's result."""
        result = self.train(engine.name)
        model = result.model
        if isinstance(model, MLP):
            return flatten(model.weights, model.biases), result.loss_history
        return np.append(model.weights, model.bias), result.loss_history


KERNELS = {NeuronProblem: "sgd_epochs", RegularizedProblem: "sgd_regularized_epochs", NetworkProblem: "network_epochs"}
Problem = NeuronProblem | RegularizedProblem | NetworkProblem | TrainerProblem
Case = tuple[str, Sequence[Problem], bool]  # its name, its problems, and whether every engine has to keep its promise


def ulps(comp: np.ndarray, ref: np.ndarray) -> int:
    """The largest distance between numbers at the same place, counted in floats that lie between them."""
    if not len(ref):
        return 0
    order = []
    for array in (comp, ref):
        bits = np.ascontiguousarray(array, dtype=np.float64).view(np.int64)
        order.append([int(b) if b >= 0 else -(int(b) & 0x7FFFFFFFFFFFFFFF) for b in bits])
    return max(abs(a - b) for a, b in zip(*order, strict=True))


def distance(comp: np.ndarray, ref: np.ndarray, least: float = 0.0) -> float:
    """The norm of the difference relative to the norm of `ref`, or to `least` where that is larger; infinity where one
    is finite and the other is not."""
    scale = float(np.max(np.abs(ref), initial=0.0))
    if np.array_equal(comp, ref, equal_nan=True):
        return 0.0
    if not (np.isfinite(comp).all() and np.isfinite(scale)):
        return float("inf")
    scale = scale or 1.0  # what should be zero is compared as it is; else scaled first, so that no square overflows
    return float(np.linalg.norm((comp - ref) / scale) / max(np.linalg.norm(ref / scale) or 1.0, least / scale))


def can_solve(engine: Engine, problem: Problem) -> bool:
    """Whether the engine has the kernel for the problem; the trainers find one themselves."""
    if isinstance(problem, RegularizedProblem) and engine.smooth_only and not problem.smooth:
        return False  # what is not smooth is left to `strict`
    return isinstance(problem, TrainerProblem) or engine.can(KERNELS[type(problem)])


def judge(engine: Engine, name: str, problems: Sequence[Problem]) -> Verdict:
    """Solve each problem with the engine and with the reference, and compare parameters and losses."""
    rows, far, apart, kept, ways = 0, 0, 0.0, True, set()
    for problem in problems:
        rows += len(problem.X)
        with noting() as ways_now:
            comp_all = problem.solve(engine)
        ways |= ways_now
        # A small error is prediction - 1, of which the 16 digits of the prediction leave few: an epoch's loss of less
        # than LEAST_LOSS a row is compared with that and not with itself.
        for comp, ref, least in zip(
            comp_all, problem.solve(REFERENCE), (0.0, LEAST_LOSS * len(problem.X)), strict=True
        ):
            off = distance(comp, ref, least)
            far, apart, kept = max(far, ulps(comp, ref)), max(apart, off), kept and off <= engine.promise
    return Verdict(
        engine.named(ways), name, rows, far, apart, engine.promise, kept and (engine.promise > 0.0 or far == 0)
    )


# --- the battery ------------------------------------------------------------------------------------------------------


def neuron_problem(
    rng: np.random.Generator, n: int, d: int, *, scale: float = 1.0, reach: float = 1.0, vary: bool = False
) -> NeuronProblem:
    """Normal rows times `scale`, and a step of `reach` times the stability bound; varied by row and at times zero."""
    X = rng.standard_normal((n, d)) * scale
    longest = float(np.max(np.einsum("ij,ij->i", X, X), initial=0.0)) + 1.0
    step = np.full(n, reach * STABILITY_BOUND / longest)
    if vary:
        step *= rng.random(n) * (rng.random(n) < 0.8)
    start = rng.standard_normal(d) / max(scale, 1.0)
    y = (rng.random(n) < 0.5).astype(np.float64)
    return NeuronProblem(X, y, step, start, float(rng.standard_normal()), block=_block(rng, n))


def _block(rng: np.random.Generator, n: int) -> int:
    """All rows in one block as often as not; else a block of any size."""
    return n if rng.random() < 0.5 else int(rng.integers(1, n + 1))


def _neuron_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    def problems(**options: Any) -> list[NeuronProblem]:
        return [neuron_problem(rng, rows, d, **options) for d in WIDTHS]

    yield "neuron, small steps", problems(reach=1e-5), True
    yield "neuron, steps at the stability bound", problems(reach=1.0), True
    yield "neuron, a step for each row, some zero", problems(reach=0.3, vary=True), True
    yield "neuron, inputs of 1e-160", problems(scale=1e-160, reach=0.01), True
    yield "neuron, inputs of 1e3", problems(scale=1e3, reach=0.5), True
    saturated = [neuron_problem(rng, rows, d, reach=0.1) for d in WIDTHS]
    reach = 10.0 ** np.linspace(0, 4, len(saturated))
    far = [replace(p, weights=p.weights * r) for p, r in zip(saturated, reach, strict=True)]
    yield "neuron, sums as far out as 1e4", far, True
    yield "neuron, steps beyond the stability bound", problems(reach=50.0), False


def regularized_problem(
    rng: np.random.Generator, problem: NeuronProblem, l2: float, l1: float, average_from: int, loss: str
) -> RegularizedProblem:
    """A neuron's problem with penalties, averaging or another loss; its steps are taken for learning rates."""
    penalties = Penalties(l2, l1, average_from, loss)
    plan = penalties.schedule_rows(problem.step, rng.random(len(problem.step)), 0)
    start, bias, epochs, block = problem.weights, problem.bias, problem.epochs, problem.block
    return RegularizedProblem(problem.X, problem.y, plan, penalties.loss, start, bias, epochs, block)


def _regularized_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    kinds: dict[str, tuple[float, float, int, str]] = {
        "l2": (0.1, 0.0, 0, "log_loss"),
        "l1": (0.0, 0.02, 0, "log_loss"),
        "averaged": (0.0, 0.0, 5, "log_loss"),
        "l2, averaged": (0.1, 0.0, 10, "log_loss"),
        "squared error": (0.0, 0.0, 0, "squared_error"),
        "l2, l1, averaged, squared error": (0.1, 0.02, 1, "squared_error"),
    }
    for name, options in kinds.items():
        neurons = [neuron_problem(rng, rows, d, reach=0.1) for d in WIDTHS]
        yield f"neuron, {name}", [regularized_problem(rng, p, *options) for p in neurons], True
    for scale in (0.01, 0.0):
        neurons = [neuron_problem(rng, rows, d, reach=0.1) for d in WIDTHS]
        slow = [replace(regularized_problem(rng, p, 0.1, 0.0, 5, "log_loss"), bias_scale=scale) for p in neurons]
        yield f"neuron, a bias that moves {scale:g} times as far", slow, True


def network_problem(
    rng: np.random.Generator,
    n: int,
    sizes: tuple[int, ...],
    activation: str,
    batch_size: int,
    steps: Optimizer | None = None,
    *,
    loss: str = "log_loss",
    weighted: bool = False,
    dropout: float = 0.0,
) -> NetworkProblem:
    """Normal rows, and parameters large enough for units to saturate now and then."""
    params = rng.standard_normal(sum((a + 1) * b for a, b in pairwise(sizes)))
    X, y = rng.standard_normal((n, sizes[0])), rng.integers(0, max(2, sizes[-1]), n).astype(np.float64)
    return NetworkProblem(
        X,
        y,
        sizes,
        activation,
        params,
        batch_size,
        steps or Optimizer(0.05),
        block=_block(rng, n),
        loss=LOSSES[loss],
        weight=rng.random(n) * (rng.random(n) < 0.8) if weighted else None,
        mask=(rng.random((n, sum(sizes[1:-1]))) >= dropout) / (1.0 - dropout) if dropout else None,
    )


def _network_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    for activation in ("sigmoid", "tanh", "relu"):
        for hidden in SHAPES:
            batches = [(d, size) for d in (1, 6) for size in (1, 7, 32, rows)]
            problems = [network_problem(rng, rows, (d, *hidden, 1), activation, size) for d, size in batches]
            yield f"network, {'-'.join(map(str, hidden))} hidden, {activation}", problems, True
    steps: dict[str, dict[str, Any]] = {
        "momentum": {"momentum": 0.9},
        "Nesterov's momentum, l2, weight decay": {"momentum": 0.9, "nesterov": True, "l2": 0.1, "weight_decay": 0.2},
        "weight decay, invscaling": {"weight_decay": 0.5, "schedule": "invscaling"},
    }
    shapes: tuple[tuple[int, ...], ...] = ((2, 4, 1), (5, 9, 6, 1))
    for name, how in steps.items():
        problems = [network_problem(rng, rows, s, "tanh", 8, Optimizer(0.05, **how)) for s in shapes]
        yield f"network, {name}", problems, True
    # A step of Adam is as long as its rate however small the gradient, so that rounding errors show: hence the rate.
    adam = Optimizer(0.001, "adam", weight_decay=0.1)
    yield "network, Adam", [network_problem(rng, rows, s, "sigmoid", 8, adam) for s in shapes], True
    kinds: dict[str, tuple[int, dict[str, Any]]] = {
        "squared error": (1, {"loss": "squared_error"}),
        "sample weights": (1, {"weighted": True}),
        "dropout": (1, {"dropout": 0.5}),
        "three classes": (3, {}),
        "ten classes, sample weights, dropout": (10, {"weighted": True, "dropout": 0.2}),
    }
    for name, (outputs, kind) in kinds.items():
        problems = [network_problem(rng, rows, (*s[:-1], outputs), "relu", 8, **kind) for s in shapes]
        yield f"network, {name}", problems, True


def _trainer_cases(rng: np.random.Generator, rows: int) -> Iterator[Case]:
    X = rng.standard_normal((rows, 5))
    y = np.where(X[:, 0] + rng.standard_normal(rows) > 0, "pass", "fail")
    forms = {
        "float64": X,
        "float32": X.astype(np.float32),
        "whole numbers": (X * 3).astype(np.int16),
        "columns first, reversed": np.asfortranarray(X[::-1, ::-1]),
    }
    for name, form in forms.items():
        options: dict[str, Any] = {"epochs": 3, "shuffle": True, "seed": 7}

        def neuron(engine: str, form: Any = form, options: dict[str, Any] = options) -> Any:
            return train_neuron(form, y, engine=engine, learning_rate=0.05, **options)

        def network(engine: str, form: Any = form, options: dict[str, Any] = options) -> Any:
            return train_mlp(form, y, engine=engine, hidden=(6,), activation="tanh", batch_size=16, **options)

        yield f"trainers, {name}, shuffled", [TrainerProblem(form, neuron), TrainerProblem(form, network)], True


def _own_cases(X: Any, y: Any) -> Iterator[Case]:
    matrix, y, names = training_rows(X, y)
    check_finite(matrix, columns=names)
    codes, _ = encode_labels(y, len(matrix))
    n = max(2, min(len(matrix), OWN_ROWS, OWN_VALUES // matrix.shape[1]))
    rows = np.asarray(matrix[:n], dtype=np.float64)
    labels = codes[:n].astype(np.float64)
    longest = float(np.max(np.einsum("ij,ij->i", rows, rows))) + 1.0
    if not np.isfinite(longest):
        raise ValueError("the inputs are too large to train on as they are: standardise them first")
    for reach in (1e-3, 1.0):
        step = np.full(n, reach * STABILITY_BOUND / longest)
        problem = NeuronProblem(rows, labels, step, np.zeros(rows.shape[1]), 0.0, block=997)
        yield f"your rows, neuron, rate {step[0]:.2g}", [problem], True
    mean, scale = standardisation(rows, None)
    inputs = (rows - mean) / scale
    base = network_problem(np.random.default_rng(0), 1, (rows.shape[1], 4, 1), "sigmoid", 32)
    few = slice(0, max(2, n // 8))
    network = NetworkProblem(inputs[few], labels[few], base.sizes, "sigmoid", base.params * 0.3, 32, block=97)
    yield "your rows, standardised, network with 4 hidden", [network], True


def validate(
    X: Any = None,
    y: Any = None,
    *,
    deep: bool = False,
    engines: Sequence[Engine] | None = None,
    progress: Callable[[str], Any] | None = None,
) -> Validation:
    """Run every engine against the reference on this machine, and say whether each kept its promise.

    It compares weights and losses on a fixed set of problems, in some seconds.

    Parameters
    ----------
    X, y : optional
        Rows and labels of your own, as for `train_neuron`, but in memory and not sparse. The first of them, as many as
        the plain loop can take in about a second, are trained on too.
    deep : bool
        Twenty times as many problems.
    engines : sequence of Engine, optional
        All but the reference if left out.
    progress : callable, optional
        Called with the name of each case before it is run.

    Returns
    -------
    Validation
        `kept` says whether every promise was kept; `verdicts` has the figures for each engine and case.

    Examples
    --------
    >>> from tinynet_fast import validate
    >>> validate().kept
    True
    """
    if (X is None) != (y is None):
        raise ValueError("X and y go together: pass both, or neither")
    chosen = list(engines) if engines is not None else [e for e in ENGINES.values() if e is not REFERENCE]
    own = [] if X is None else list(_own_cases(X, y))  # before the battery, so that bad rows are refused at once
    verdicts = []
    for turn in range(20 if deep else 1):
        rng = np.random.default_rng([2011, turn])
        for make in (_neuron_cases, _regularized_cases, _network_cases, _trainer_cases):
            for name, problems, everyone in make(rng, 120):
                if progress:
                    progress(name)
                for engine in chosen:
                    if (everyone or engine.promise == 0.0) and can_solve(engine, problems[0]):
                        verdicts.append(judge(engine, name, problems))
    for name, problems, _ in own:
        if progress:
            progress(name)
        verdicts += [judge(engine, name, problems) for engine in chosen if can_solve(engine, problems[0])]
    return Validation(_merged(verdicts), facts())


def _merged(verdicts: list[Verdict]) -> list[Verdict]:
    """A line for each engine and case, engine by engine, with the worst of what was seen."""
    merged: dict[tuple[str, str], Verdict] = {}
    for v in verdicts:
        seen = merged.get((v.engine, v.case), v)
        rows = v.rows if seen is v else seen.rows + v.rows
        far, apart = max(seen.ulps, v.ulps), max(seen.difference, v.difference)
        merged[v.engine, v.case] = Verdict(v.engine, v.case, rows, far, apart, v.promise, seen.kept and v.kept)
    engines = list(dict.fromkeys(v.engine for v in verdicts))
    return sorted(merged.values(), key=lambda v: engines.index(v.engine))
