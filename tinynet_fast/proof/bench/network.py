"""Small networks: problems, and the contenders that make the same updates from the same parameters, ours first.

Each library is used as its good users would use it. Libraries are imported when they are needed, since none is a must.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np

from tinynet_fast.proof.bench import gcc
from tinynet_fast.proof.bench.jax_setup import one_thread
from tinynet_fast.proof.bench.measure import GCC, KERNELS, Contender, Run
from tinynet_fast.rows.datasets import height_weight, make_pass_fail
from tinynet_fast.training.mlp import train_mlp

RATES, EPSILON = {"sgd": 0.15, "adam": 0.001}, 1e-12
LIBRARY_LIMIT = 1e-6  # scikit-learn's Adam adds epsilon elsewhere; without Adam all are within 1e-13


@dataclass(frozen=True)
class NetworkProblem:
    """Rows, the sizes of the layers, the rows in a batch (None: all), and the optimizer."""

    title: str
    X: np.ndarray
    y: np.ndarray
    sizes: tuple[int, ...]
    batch: int | None = None
    optimizer: str = "sgd"
    more: int = 2

    @property
    def name(self) -> str:
        return f"{self.title}: {len(self.X):,} rows, {'-'.join(map(str, self.sizes))}"

    @property
    def start(self) -> list[np.ndarray]:
        """The first weights; biases are zero."""
        draw = np.random.RandomState(42)
        return [draw.randn(a, b) * 0.3 for a, b in pairwise(self.sizes)]

    def first(self, rows: int) -> Self:
        return replace(self, X=self.X[:rows], y=self.y[:rows])

    def solve(self, engine: str, epochs: int) -> np.ndarray:
        result = train_mlp(
            self.X,
            self.y,
            hidden=list(self.sizes[1:-1]),
            weights=self.start,
            batch_size=self.batch,
            epochs=epochs,
            learning_rate=RATES[self.optimizer],
            optimizer=self.optimizer,
            epsilon=EPSILON,
            engine=engine,
        )
        if result.engine != engine:
            raise RuntimeError(f"{self.name}: {engine} was asked for and {result.engine} ran")
        return flat(result.model.weights, result.model.biases)


def network_problem(title: str, rows: int, sizes: tuple[int, ...], **options: Any) -> NetworkProblem:
    table = make_pass_fail(rows, sizes[0])
    return NetworkProblem(title, table.X, table.y, sizes, **options)


def tutorial_problem() -> NetworkProblem:
    """Four people, four hidden units, thousands of epochs."""
    table = height_weight()
    return NetworkProblem("height/weight", table.X, table.y.astype(np.float64), (2, 4, 1), more=4000)


def flat(weights: Sequence[Any], biases: Sequence[Any]) -> np.ndarray:
    return np.concatenate([np.ravel(part) for pair in zip(weights, biases, strict=True) for part in pair])


def fast(problem: NetworkProblem) -> Run:
    return lambda epochs: problem.solve("fast", epochs)


def numpy_loop(problem: NetworkProblem) -> Run:
    """The tutorial's loop, which computes the loss each epoch: one hidden layer, all rows at once."""

    def sigmoid(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-z))

    X, y, rate = problem.X, problem.y[:, np.newaxis], RATES["sgd"]

    def run(epochs: int) -> np.ndarray:
        W1, W2 = problem.start
        b1, b2 = np.zeros((1, W1.shape[1])), np.zeros((1, 1))
        losses = []
        for _ in range(epochs):
            a1 = sigmoid(X @ W1 + b1)
            a2 = sigmoid(a1 @ W2 + b2)
            losses.append(-np.mean(y * np.log(a2) + (1 - y) * np.log(1 - a2)))
            dz2 = a2 - y
            dz1 = (dz2 @ W2.T) * a1 * (1 - a1)
            W2 -= rate * (a1.T @ dz2 / len(X))
            b2 -= rate * dz2.mean(axis=0, keepdims=True)
            W1 -= rate * (X.T @ dz1 / len(X))
            b1 -= rate * dz1.mean(axis=0, keepdims=True)
        return flat((W1, W2), (b1, b2))

    return run


def c_loop(problem: NetworkProblem) -> Run:
    """One hidden layer in C, with its loss: `loops.c`."""
    X, y = np.ascontiguousarray(problem.X), np.ascontiguousarray(problem.y, np.float64)
    sizes = [problem.sizes[1], problem.batch or len(X)]

    def run(epochs: int) -> np.ndarray:
        parameters = flat(problem.start, [np.zeros(units) for units in problem.sizes[1:]])
        gcc.train("train_network", X, y, sizes, RATES["sgd"], epochs, parameters)
        return parameters

    return run


def jax_grad(problem: NetworkProblem) -> Run:
    """The gradient of a loss on logits, and a `scan` over the batches. Adam is written out, as in its paper."""
    jax = one_thread()
    jnp, tree, rate, adam = jax.numpy, jax.tree.map, RATES[problem.optimizer], problem.optimizer == "adam"
    size = problem.batch or len(problem.X)
    batches = jnp.asarray(problem.X.reshape(-1, size, problem.sizes[0])), jnp.asarray(problem.y.reshape(-1, size))
    start = [(jnp.asarray(w), jnp.zeros(w.shape[1])) for w in problem.start]

    def loss(layers: Any, X: Any, y: Any) -> Any:
        for w, b in layers[:-1]:
            X = jax.nn.sigmoid(X @ w + b)
        w, b = layers[-1]
        z = (X @ w + b)[:, 0]
        return jnp.mean(jax.nn.softplus(z) - y * z)

    def update(state: Any, batch: Any) -> Any:
        layers, first, second, t = state
        value, slope = jax.value_and_grad(loss)(layers, *batch)
        if not adam:
            return (tree(lambda p, g: p - rate * g, layers, slope), first, second, t), value
        first = tree(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
        second = tree(lambda v, g: 0.999 * v + 0.001 * g * g, second, slope)
        grown = rate / (1 - 0.9**t), 1 - 0.999**t
        layers = tree(lambda p, m, v: p - grown[0] * m / (jnp.sqrt(v / grown[1]) + EPSILON), layers, first, second)
        return (layers, first, second, t + 1.0), value

    @jax.jit
    def train(batches: Any, epochs: Any) -> Any:
        def epoch(_: Any, state: Any) -> Any:
            state, values = jax.lax.scan(update, state[0], batches)
            return state, values.mean()

        zeros = tree(jnp.zeros_like, start)
        return jax.lax.fori_loop(0, epochs, epoch, ((start, zeros, zeros, 1.0), 0.0))[0][0]

    def run(epochs: int) -> np.ndarray:
        return flat(*zip(*train(batches, epochs), strict=True))

    return run


def torch_layers(weights: Sequence[np.ndarray]) -> Any:
    """`nn.Sequential` with these weights in float64, with sigmoids between the layers and none at the end."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers: list[Any] = []
    for w in weights:
        layer = nn.Linear(w.shape[0], w.shape[1], dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(w.T))
            layer.bias.zero_()
        layers += [layer, nn.Sigmoid()]
    return nn.Sequential(*layers[:-1])


def pytorch(problem: NetworkProblem) -> Run:
    """In float64, with a loss on logits and the optimizers' fused kernels, which are the fastest."""
    import torch

    rows, labels = torch.from_numpy(problem.X), torch.from_numpy(problem.y)[:, None]
    size, adam = problem.batch or len(rows), problem.optimizer == "adam"

    def run(epochs: int) -> np.ndarray:
        net, loss = torch_layers(problem.start), torch.nn.BCEWithLogitsLoss()
        options: dict[str, Any] = {"lr": RATES[problem.optimizer], "fused": True} | ({"eps": EPSILON} if adam else {})
        step = (torch.optim.Adam if adam else torch.optim.SGD)(net.parameters(), **options)
        for _ in range(epochs):
            for at in range(0, len(rows), size):
                step.zero_grad()
                loss(net(rows[at : at + size]), labels[at : at + size]).backward()
                step.step()
        parts = [p.detach().numpy().T for p in net.parameters()]
        return flat(parts[::2], parts[1::2])

    return run


def scikit_learn(problem: NetworkProblem) -> Run:
    from sklearn.neural_network import MLPClassifier

    X, y, size = problem.X, problem.y, problem.batch or len(problem.X)
    options: dict[str, Any] = {"activation": "logistic", "solver": problem.optimizer, "alpha": 0.0, "momentum": 0.0}
    options |= {"nesterovs_momentum": False, "batch_size": size, "learning_rate_init": RATES[problem.optimizer]}

    def run(epochs: int) -> np.ndarray:
        model = MLPClassifier(list(problem.sizes[1:-1]), shuffle=False, epsilon=EPSILON, **options)
        model.partial_fit(X[:size], y[:size], classes=[0, 1])
        for coef, intercept, w in zip(model.coefs_, model.intercepts_, problem.start, strict=True):
            coef[...], intercept[...] = w, 0.0
        del model._optimizer
        for _ in range(epochs):
            model.partial_fit(X, y)
        return flat(model.coefs_, model.intercepts_)

    return run


def _updates(most: int) -> Any:
    """A budget of rows for at most this many updates."""
    return lambda problem: most * (problem.batch or len(problem.X))


CONTENDERS = (
    Contender("fast", fast, 1e-9, needs=KERNELS),
    Contender(
        "NumPy", numpy_loop, 1e-9, can=lambda p: p.batch is None and p.optimizer == "sgd", budget=_updates(2_000)
    ),
    Contender(
        "C, gcc -O3 -ffast-math",
        c_loop,
        1e-9,
        needs=GCC,
        can=lambda p: len(p.sizes) == 3 and p.optimizer == "sgd",
    ),
    Contender("JAX", jax_grad, 1e-9, needs="jax", can=lambda p: len(p.X) % (p.batch or len(p.X)) == 0),
    Contender(
        "scikit-learn", scikit_learn, LIBRARY_LIMIT, needs="sklearn", can=lambda p: p.batch == 32, budget=_updates(625)
    ),
    Contender("PyTorch", pytorch, LIBRARY_LIMIT, needs="torch", budget=_updates(400)),
)
