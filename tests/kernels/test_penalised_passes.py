"""Several batches of a network in one call: the updates of a call for each, and the squares before each update."""

import numpy as np
import pytest
from network_problems import random_problem

from tinynet_fast.kernels import strict
from tinynet_fast.kernels.fast import network, network_room, penalised_passes
from tinynet_fast.kernels.reference import ADAM, CLIPPED_LOG_LOSS, LEAST_SQUARES, NESTEROV, SIGMOID
from tinynet_fast.models.layers import views

pytestmark = pytest.mark.any_cpu
SHAPES = {
    "one output": ([3, 4, 1], {"loss": CLIPPED_LOG_LOSS, "optimizer": ADAM}),
    "a softmax": ([2, 3, 3], {"loss": CLIPPED_LOG_LOSS, "optimizer": NESTEROV}),
    "several outputs": ([2, 3, 2], {"loss": CLIPPED_LOG_LOSS, "output": SIGMOID}),
    "numbers": ([2, 2, 2, 2], {"loss": LEAST_SQUARES, "optimizer": ADAM}),
}


def in_turn(kernels, problem, scratch):
    """A call for each batch, and the squares from NumPy."""
    state, pending = problem.state.copy(), np.zeros(2)
    losses, squares, n, size = [], [], len(problem.X), problem.batch
    for batch, start in enumerate(range(0, n, size)):
        stop = min(start + size, n)
        squares.append(sum(np.square(part).sum() for part in views(state[0], problem.layers)[0]))
        rule, loss = problem.rule.copy(), np.zeros(1)
        rule[0] = stop - start
        y = problem.y[start * problem.targets : stop * problem.targets]
        given = problem.X[start:stop], y, problem.weight[start:stop], problem.mask, problem.schedule[batch : batch + 1]
        kernels.network_epochs(*given, rule, problem.layers, state, scratch, pending, loss)
        losses.append(loss[0])
    return state, np.array(losses), np.array(squares)


def together(problem, kernel=penalised_passes.network_passes):
    batches = -(-len(problem.X) // problem.batch)
    state, pending, losses, squares = problem.state.copy(), np.zeros(2), np.zeros(batches), np.zeros(batches)
    rule, ones = problem.rule.copy(), np.ones(problem.batch)
    given = problem.X, problem.y, ones, problem.mask, problem.schedule[:batches], rule, problem.layers
    kernel(*given, state, network_room.network_scratch(problem.layers), pending, losses, squares)
    assert (rule == problem.rule).all()
    assert (pending == 0.0).all()
    return state, losses, squares


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [5, 7, 150])  # the last is shorter, is not, and is of two tiles
def test_each_batch_is_trained_as_by_itself(shape, batch):
    sizes, options = SHAPES[shape]
    n = 35 if batch < 35 else 160
    problem = random_problem(np.random.default_rng(batch), n, sizes, batch=batch, l2=0.01, **options)
    comp = together(problem)
    for kernels, close in ((network, 0.0), (strict, 1e-12)):
        scratch = problem.scratch(kernels)
        ref = in_turn(kernels, problem, scratch)
        for name, a, b in zip(("state", "losses", "squares"), comp, ref, strict=True):
            limit = 1e-15 if name == "squares" and not close else close
            assert np.linalg.norm(a - b) <= limit * np.linalg.norm(b), name
    assert (np.diff(comp[2]) != 0.0).all()


def test_a_planted_mistake_shows():
    """Squares after the update, in place of those before it."""
    problem = random_problem(np.random.default_rng(0), 35, [3, 4, 1], batch=7, **SHAPES["one output"][1])
    _, _, ref = in_turn(strict, problem, problem.scratch(strict))
    comp = together(problem)[2]
    assert not np.allclose(comp[1:], ref[:-1], rtol=1e-9)
