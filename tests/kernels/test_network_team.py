"""Threads that share a network's batches: one thread's bits, for any number of threads, cuts and missing threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from network_problems import random_problem

from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.compiler.words import claim, give_way, pause, replace, seen
from tinynet_fast.kernels.fast import network, network_room, network_team
from tinynet_fast.kernels.fast.network_team import NetworkTeam, shared_tiles, take, wait_for
from tinynet_fast.kernels.reference import ADAM, HUBER, NESTEROV, RELU, SGD, SOFTMAX

CASES = {
    "sigmoid": ((700, [5, 6, 1]), {"batch": 300}),
    "full batch, two layers": ((900, [3, 9, 4, 1]), {}),
    "adam, decay": ((700, [5, 6, 1]), {"batch": 256, "optimizer": ADAM, "keep": 0.99, "l2": 0.01}),
    "nesterov, l2, weights": ((520, [4, 7, 1]), {"batch": 260, "optimizer": NESTEROV, "l2": 0.01, "weights": True}),
    "softmax, relu": ((600, [5, 8, 3]), {"batch": 200, "activation": RELU}),
    "several numbers": ((600, [5, 8, 2]), {"batch": 300, "loss": HUBER, "shape": 0.7}),
    "dropout": ((600, [5, 8, 1]), {"batch": 300, "dropout": 0.3}),
    "one row more than tiles": ((771, [3, 5, 1]), {"batch": 257}),
}


class Shared:
    """`network_epochs` by `threads` threads, which `side_by_side` calls."""

    network_scratch = staticmethod(network_room.network_scratch)

    def __init__(self, threads, side_by_side, slots=None):
        self.threads, self.side_by_side, self.slots = threads, side_by_side, slots

    def network_epochs(self, X, y, weight, mask, schedule, rule, layers, state, units, pending, losses):
        team = NetworkTeam(layers, state.shape[1], int(rule[0]), self.threads)
        if self.slots is not None:
            team.slots, team.results = team.slots[: self.slots].copy(), np.zeros((self.slots + 2, network_team.RESULTS))
        given = X, y, weight, mask, schedule, rule, layers, state, pending, losses
        team.network_epochs(self.side_by_side, *given)


def in_turn(work, jobs):
    """The first thread has done all when the second begins."""
    for k in jobs:
        work(k)


def last_alone(work, jobs):
    """Only the last thread comes."""
    work(jobs[-1])


def bits(result):
    return [array.tobytes() for array in result]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("threads", [1, 3])
def test_the_bits_of_one_thread(case, threads):
    given, options = CASES[case]
    problem = random_problem(np.random.default_rng(3), *given, **options)
    ref = problem.run(network, problem.state, epochs=1 if len(problem.X) % problem.batch else 2)
    for side_by_side, slots in ((in_turn, None), (last_alone, None), (in_turn, 2)):
        comp = problem.run(
            Shared(threads, side_by_side, slots), problem.state, epochs=1 if len(problem.X) % problem.batch else 2
        )
        assert bits(comp) == bits(ref)
    cuts = (128, 384, 512)
    assert bits(problem.run(Shared(threads, in_turn), problem.state, cuts=cuts)) == bits(
        problem.run(network, problem.state, cuts=cuts)
    )


@pytest.mark.skipif(UNCOMPILED, reason="words are for one thread if kernels run as plain Python")
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_at_once(threads):
    """More threads than tiles, too: a batch has four."""
    problem = random_problem(np.random.default_rng(4), 6000, [6, 12, 1], batch=400, optimizer=ADAM, rate=0.01)
    ref = problem.run(network, problem.state, epochs=3)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(30):
            comp = problem.run(Shared(threads, lambda work, jobs: list(pool.map(work, jobs))), problem.state, epochs=3)
            assert bits(comp) == bits(ref)


def test_float32_rows():
    problem = random_problem(np.random.default_rng(5), 400, [5, 6, 1], batch=200, dtype=np.float32)
    comp, ref = (problem.run(kernels, problem.state) for kernels in (Shared(2, in_turn), network))
    assert bits(comp) == bits(ref)


def test_a_batch_without_weight_moves_nothing():
    problem = random_problem(np.random.default_rng(6), 400, [5, 6, 1], batch=200, optimizer=SGD)
    problem.weight[:200] = 0.0
    comp, ref = (problem.run(kernels, problem.state) for kernels in (Shared(2, in_turn), network))
    assert bits(comp) == bits(ref)
    assert not np.array_equal(comp[0][0], problem.state[0])


def test_narrow_networks_have_no_tiles_to_share():
    problem = random_problem(np.random.default_rng(7), 400, [2, 4, 1], batch=300)
    assert shared_tiles(problem.mask, problem.rule, problem.layers) == 1
    problem.layers[-1, 2] = SOFTMAX
    problem.layers[-1, 1] = 3
    assert shared_tiles(problem.mask, problem.rule, problem.layers) == 3


# --- words ------------------------------------------------------------------------------------------------------------


def test_words_of_one_thread():
    words = np.array([3, 5])
    assert (claim(words, 0), claim(words, 0), seen(words, 0)) == (3, 4, 5)
    assert not replace(words, 1, 4, 9)
    assert replace(words, 1, 5, 9)
    assert words.tolist() == [5, 9]
    pause(words)
    give_way(words)
    assert words.tolist() == [5, 9]


class Changing(list):
    """A word that other threads change: whenever it is read."""

    def __getitem__(self, at):
        self[at] = super().__getitem__(at) + 1
        return super().__getitem__(at)


def test_waiting_and_losing_a_job_to_another_thread():
    wait, get = (getattr(part, "py_func", part) for part in (wait_for, take))
    words = Changing([0])
    wait(words, 250)  # longer than the thread is patient
    assert words[0] >= 250
    assert get(Changing([1 << 32]), 0, 0, 5) == -1  # another thread is faster each time
    words = [1 << 32]
    assert [get(words, 0, 0, 3) for _ in range(4)] == [0, 1, 2, -1]
    assert [get(words, 0, 4, 1) for _ in range(2)] == [0, -1]  # jobs of phases in between belong to others
    assert get(words, 0, 0, 3) == -1
    assert get(words, 0, 9, 0) == -1  # a thread without jobs of its own
