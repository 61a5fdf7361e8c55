"""One neuron: problems, and the contenders that make the plain loop's updates, ours first.

Libraries are imported when they are needed, since none is a must. Tests train the same contenders, so nothing untested
is timed.
"""

import shutil
import tempfile
import weakref
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from tinynet_fast.kernels import reference
from tinynet_fast.proof.bench import gcc
from tinynet_fast.proof.bench.jax_setup import one_thread
from tinynet_fast.proof.bench.measure import GCC, KERNELS, Contender, Run
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.training.neuron import train_neuron

RATE = 0.001
LIBRARY_LIMIT = 1e-9  # for another library that makes the same updates in float64


@dataclass(frozen=True)
class NeuronProblem:
    """Synthetic pass/fail rows for a neuron that starts at zero, and options of `train_neuron`."""

    X: np.ndarray
    y: np.ndarray
    more: int = 4
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        words = [f"{len(self.X):,} x {self.X.shape[1]}"]
        words += [str(self.X.dtype)] if self.X.dtype != np.float64 else []
        words += ["averaged"] if self.options.get("average") else []
        words += ["shuffled"] if self.options.get("shuffle") else []
        words += [f"l2 {self.options['l2']:g}"] if "l2" in self.options else []
        words += [f"l1 {self.options['l1']:g}"] if "l1" in self.options else []
        return ", ".join(words)

    @property
    def plain(self) -> bool:
        return not self.options

    def first(self, rows: int) -> Self:
        return replace(self, X=self.X[:rows], y=self.y[:rows])

    def solve(self, engine: str, epochs: int) -> np.ndarray:
        result = train_neuron(self.X, self.y, learning_rate=RATE, epochs=epochs, engine=engine, **self.options)
        if result.engine != engine:
            raise RuntimeError(f"{self.name}: {engine} was asked for and {result.engine} ran")
        return np.append(result.model.weights, result.model.bias)


def neuron_problem(rows: int, features: int, dtype: str = "float64", **options: Any) -> NeuronProblem:
    """Rows of `make_pass_fail`. Few rows get more epochs, so that a run is long enough to time."""
    table = make_pass_fail(rows, features, dtype=np.dtype(dtype))
    return NeuronProblem(table.X, table.y, max(4, 2_000_000 // rows), options)


def ours(engine: str) -> Any:
    def make(problem: NeuronProblem) -> Run:
        return lambda epochs: problem.solve(engine, epochs)

    return make


def plain_njit(problem: NeuronProblem) -> Run:
    """The plain loop with Numba's `@njit`."""
    from tinynet_fast.kernels.compiler.jit import compiled
    from tinynet_fast.kernels.fast import floors

    loop = compiled(floors.plain_njit, f"{problem.X.dtype.char}2 d1 d0 dw1 d0 l0")

    def run(epochs: int) -> np.ndarray:
        weights = np.zeros(problem.X.shape[1])
        bias = loop(problem.X, problem.y, RATE, weights, 0.0, epochs)
        return np.append(weights, bias)

    return run


def c_loop(problem: NeuronProblem) -> Run:
    """The plain loop in C, with its loss: `loops.c`."""
    X, y = np.ascontiguousarray(problem.X), np.ascontiguousarray(problem.y, np.float64)

    def run(epochs: int) -> np.ndarray:
        parameters = np.zeros(X.shape[1] + 1)
        gcc.train("train_neuron", X, y, [], RATE, epochs, parameters)
        return parameters

    return run


def jax_scan(problem: NeuronProblem) -> Run:
    """The plain loop, with its loss, as a `scan` over the rows. Unrolling it makes it slower."""
    jax = one_thread()
    rows = jax.numpy.asarray(problem.X), jax.numpy.asarray(problem.y)

    def update(state: Any, row: Any) -> Any:
        (weights, bias, loss), (x, label) = state, row
        error = jax.nn.sigmoid(x @ weights + bias) - label
        return (weights - RATE * error * x, bias - RATE * error, loss + error * error), None

    @jax.jit
    def train(rows: Any, epochs: Any) -> Any:
        def epoch(_: Any, state: Any) -> Any:
            weights, bias, _ = state
            return jax.lax.scan(update, (weights, bias, 0.0), rows)[0]

        return jax.lax.fori_loop(0, epochs, epoch, (jax.numpy.zeros(rows[0].shape[1]), 0.0, 0.0))

    def run(epochs: int) -> np.ndarray:
        weights, bias, _ = train(rows, epochs)
        return np.append(weights, bias)

    return run


def plain_loop(problem: NeuronProblem) -> Run:
    """The reference kernel alone, on lists that are made before the clock starts."""
    X, y = problem.X.astype(np.float64).tolist(), problem.y.tolist()
    step = [RATE] * len(y)

    def run(epochs: int) -> np.ndarray:
        weights, bias = [0.0] * problem.X.shape[1], [0.0]
        reference.sgd_epochs(X, y, step, weights, bias, [0.0] * epochs)
        return np.array(weights + bias)

    return run


def scikit_learn(problem: NeuronProblem) -> Run:
    from sklearn.linear_model import SGDClassifier

    options: dict[str, Any] = {"loss": "log_loss", "learning_rate": "constant", "eta0": RATE, "shuffle": False}
    options |= {"penalty": "l2" if "l2" in problem.options else None, "alpha": problem.options.get("l2", 0.0)}
    options["average"] = bool(problem.options.get("average", False))

    def run(epochs: int) -> np.ndarray:
        model = SGDClassifier(max_iter=epochs, tol=None, **options).fit(problem.X, problem.y)
        return np.append(model.coef_, model.intercept_)

    return run


def pytorch(problem: NeuronProblem) -> Run:
    """One row at a time, as in its tutorials: `Linear`, a loss on logits, `backward`, the fused optimizer."""
    import torch

    torch.set_num_threads(1)
    rows, labels = torch.from_numpy(problem.X), torch.from_numpy(problem.y)[:, None]

    def run(epochs: int) -> np.ndarray:
        neuron = torch.nn.Linear(problem.X.shape[1], 1, dtype=torch.float64)
        for parameter in neuron.parameters():
            torch.nn.init.zeros_(parameter)
        loss, step = torch.nn.BCEWithLogitsLoss(), torch.optim.SGD(neuron.parameters(), lr=RATE, fused=True)
        for _ in range(epochs):
            for i in range(len(rows)):
                step.zero_grad()
                loss(neuron(rows[i]), labels[i]).backward()
                step.step()
        return np.append(neuron.weight.detach().numpy(), neuron.bias.detach().numpy())

    return run


def vowpal_wabbit(problem: NeuronProblem) -> Run:
    """Plain SGD over its own binary cache, which is written before the clock starts. The bias is an input of 1."""
    from vowpalwabbit import Workspace

    d, folder = problem.X.shape[1], tempfile.mkdtemp()
    with open(f"{folder}/rows.vw", "w", encoding="ascii") as file:
        for row, label in zip(problem.X.tolist(), problem.y.tolist(), strict=True):
            inputs = " ".join(f"{j}:{x!r}" for j, x in enumerate([*row, 1.0]))
            file.write(f"{1 if label else -1} | {inputs}\n")
    options = f"--loss_function logistic --sgd --power_t 0 --initial_t 0 -l {RATE} --noconstant --holdout_off -b 18"

    options += f" -d {folder}/rows.vw --cache_file {folder}/cache --no_stdin --quiet"
    Workspace(f"{options} --kill_cache").finish()

    def run(epochs: int) -> np.ndarray:
        model = Workspace(f"{options} --passes {epochs}")
        weights = np.array([model.get_weight(j) for j in range(d + 1)])
        model.finish()
        return weights

    weakref.finalize(run, shutil.rmtree, folder)
    return run


def river(problem: NeuronProblem) -> Run:
    """`learn_one` on dictionaries that are made before the clock starts."""
    from river import linear_model, optim

    rows = [dict(enumerate(row)) for row in problem.X.tolist()]
    labels = problem.y.tolist()

    def run(epochs: int) -> np.ndarray:
        rate: Any = optim.SGD(RATE)
        model = linear_model.LogisticRegression(optimizer=rate, l2=0.0, intercept_lr=RATE, clip_gradient=1e12)
        for _ in range(epochs):
            for row, label in zip(rows, labels, strict=True):
                model.learn_one(row, label)
        return np.array([*(model.weights[j] for j in range(problem.X.shape[1])), model.intercept])

    return run


def _plain(problem: NeuronProblem) -> bool:
    return problem.plain


def _plain_double(problem: NeuronProblem) -> bool:
    return problem.plain and _double(problem)


def _unshuffled(problem: NeuronProblem) -> bool:
    return not (problem.options.get("shuffle") or "l1" in problem.options)


def _double(problem: NeuronProblem) -> bool:
    return _unshuffled(problem) and problem.X.dtype == np.float64


def _single(problem: NeuronProblem) -> bool:
    return _unshuffled(problem) and problem.X.dtype == np.float32


def _values(most: int, least: int = 2) -> Any:
    """A budget of rows with at most `most` values, but of at least `least` rows."""
    return lambda problem: max(most // problem.X.shape[1], least)


CONTENDERS = (
    Contender("fast", ours("fast"), 1e-12, needs=KERNELS),
    Contender("strict", ours("strict"), needs=KERNELS),
    Contender("plain @njit loop", plain_njit, 1e-12, needs="numba", can=_plain),
    Contender("C, gcc -O3 -ffast-math", c_loop, LIBRARY_LIMIT, needs=GCC, can=_plain_double),
    Contender("JAX, lax.scan", jax_scan, LIBRARY_LIMIT, needs="jax", can=_plain_double),
    Contender("scikit-learn", scikit_learn, LIBRARY_LIMIT, needs="sklearn", can=_double),
    Contender("scikit-learn", scikit_learn, 1e-4, "computes in float32", needs="sklearn", can=_single),
    Contender(
        "Vowpal Wabbit",
        vowpal_wabbit,
        1e-4,
        "its weights are float32, and a second thread reads its rows",
        needs="vowpalwabbit",
        can=_plain_double,
        budget=_values(100_000, least=20_000),
    ),
    Contender("NumPy, a row at a time", ours("numpy"), 1e-12, budget=lambda problem: 10_000),
    Contender("River", river, LIBRARY_LIMIT, needs="river", can=_plain_double, budget=_values(20_000)),
    Contender("plain Python loop", plain_loop, can=_plain, budget=_values(100_000)),
    Contender("reference", ours("reference"), can=lambda problem: not problem.plain, budget=_values(100_000)),
    Contender("PyTorch", pytorch, LIBRARY_LIMIT, needs="torch", can=_plain_double, budget=lambda problem: 200),
)
