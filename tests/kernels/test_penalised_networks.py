"""Eight networks in one call, batch after batch: what each does by itself in `penalised_passes`."""

import numpy as np
import pytest
from network_problems import random_problem
from test_penalised_passes import SHAPES, in_turn, together

from tinynet_fast.kernels import strict
from tinynet_fast.kernels.fast import many_networks, penalised_networks

pytestmark = pytest.mark.any_cpu
WIDTH = many_networks.WIDTH


def problems(seed, n, sizes, **options):
    """Problems on the same rows, each with parameters, rates and shares of its own."""
    rng = np.random.default_rng(seed)
    first = random_problem(rng, n, sizes, l2=0.01, **options)
    made = []
    for k in range(WIDTH):
        own = random_problem(np.random.default_rng(k), n, sizes, l2=0.01 * k, **options)
        own.X, own.y, own.weight = first.X, first.y, np.ones(n)
        own.schedule[:, 0] *= 1.0 + 0.1 * k
        made.append(own)
    return made


def side_by_side(made, kernel=penalised_networks.network_passes):
    """(state, losses, squares) of all problems, as `together` has them for one."""
    first, n = made[0], len(made[0].X)
    batches = -(-n // first.batch)
    state, pending = many_networks.aligned_state(first.layers), np.zeros((2, WIDTH))
    state[:] = np.stack([each.state for each in made], axis=-1)
    losses, squares = np.zeros((batches, WIDTH)), np.zeros((batches, WIDTH))
    schedule = np.stack([each.schedule[:batches] for each in made], axis=-1)
    before = np.stack([each.rule for each in made], axis=-1)
    rule = before.copy()
    given = first.X, first.y, np.ones(first.batch), np.empty((1, 0, WIDTH)), schedule, rule, first.layers
    kernel(*given, state, many_networks.scratch(first.layers), pending, losses, squares)
    assert (rule == before).all()
    assert (pending == 0.0).all()
    return state, losses, squares


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [5, 7, 20])  # the last is shorter, is not, and is of two tiles
def test_each_network_is_trained_as_by_itself(shape, batch):
    sizes, options = SHAPES[shape]
    made = problems(batch, 35 if batch < 20 else 45, sizes, batch=batch, **options)
    comp = side_by_side(made)
    for k, problem in enumerate(made):
        for ref in (together(problem), in_turn(strict, problem, problem.scratch(strict))):
            for name, a, b in zip(("state", "losses", "squares"), comp, ref, strict=True):
                assert np.linalg.norm(a[..., k] - b) <= 1e-12 * np.linalg.norm(b), name
    assert (np.diff(comp[2], axis=0) != 0.0).all()


def test_a_planted_mistake_shows():
    """The squares of one network in the place of all."""
    made = problems(0, 35, [3, 4, 1], batch=7, **SHAPES["one output"][1])
    squares = side_by_side(made)[2]
    for k in range(1, WIDTH):
        assert not np.allclose(squares[:, 0], together(made[k])[2], rtol=1e-9)
