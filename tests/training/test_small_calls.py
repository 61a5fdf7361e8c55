"""What calls on few rows no longer do anew: seeds, losses, kernels that were compiled before, and copies."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.kernels.engines import ENGINES, FAST, STRICT
from tinynet_fast.training import run
from tinynet_fast.training.draws import seeded
from tinynet_fast.training.losses import choose_loss
from tinynet_fast.training.neuron_updates import DenseNeuron

X = [[1.0, 3.0], [2.0, -1.0], [3.0, 0.5], [4.0, 2.0]]
Y = [0, 0, 1, 1]


def drawn(draw):
    return [*draw.randn(3), *draw.uniform(size=3), *draw.randint(1 << 31, size=3), draw.randn()]


@given(st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_a_seed_gives_the_numbers_of_its_own_random_state(seed, before):
    """Also after an odd number of normal numbers: NumPy keeps the second of each pair."""
    seeded(1).randn(before)
    assert drawn(seeded(seed)) == drawn(np.random.RandomState(seed))


def test_each_thread_has_its_own_numbers():
    mine, theirs = seeded(3), []
    thread = threading.Thread(target=lambda: theirs.extend(drawn(seeded(4))))
    thread.start()
    thread.join()
    assert drawn(mine) == drawn(np.random.RandomState(3))
    assert theirs == drawn(np.random.RandomState(4))


def test_a_wrong_seed_is_refused_as_numpy_refuses_it():
    with pytest.raises(ValueError, match="Seed must be between 0 and"):
        seeded(-1)


def test_losses_are_kept_by_value_and_checked_each_time():
    assert choose_loss("focal", gamma=1.5) == choose_loss("focal", gamma=1.5)
    assert choose_loss("focal", gamma=1.5) != choose_loss("focal", gamma=2)
    assert choose_loss("huber", "linear", delta=2).shape == 2.0
    for _ in range(2):
        with pytest.raises(ValueError, match="delta is True; a finite number above 0 is needed"):
            choose_loss(delta=True)  # equal to 1.0, which is right
        with pytest.raises(ValueError, match=r"gamma is \[2.0\]"):
            choose_loss(gamma=[2.0])


@pytest.mark.parametrize("engine", [FAST, STRICT], ids=lambda engine: engine.name)
def test_kernels_that_were_compiled_before_are_not_asked_for_again(engine, monkeypatch):
    """The second run trains on its rows alone, and names the same engine."""
    name, seen = engine.name, []
    options = {"engine": name, "epochs": 1}
    first = train_neuron(X, Y, **options)

    def train(self, rows, *arrays):
        seen.append(len(rows))
        before(self, rows, *arrays)

    before = DenseNeuron.train
    monkeypatch.setattr(DenseNeuron, "train", train)
    second = train_neuron(X, Y, **options)
    assert seen == [4]
    assert str(second.engine) == str(first.engine)
    np.testing.assert_array_equal(second.model.weights, first.model.weights)
    monkeypatch.setattr(run, "_names", {})
    assert str(train_neuron(X, Y, **options).engine) == str(first.engine)
    assert seen == [4, 0, 4]


RUNS = {
    "plain": lambda X: train_neuron(X, Y, epochs=1),
    "l2": lambda X: train_neuron(X, Y, epochs=1, l2=0.1),
    "float32": lambda X: train_neuron(X.astype(np.float32), Y, epochs=1),
    "strict": lambda X: train_neuron(X, Y, epochs=1, engine="strict"),
    "numpy": lambda X: train_neuron(X, Y, epochs=1, engine="numpy"),
    "reference": lambda X: train_mlp(X, Y, hidden=2, seed=0, epochs=1, engine="reference"),
    "three labels": lambda X: train_neuron(X, [0, 1, 2, 1], epochs=1, engine="strict"),
    "a network": lambda X: train_mlp(X, Y, hidden=2, seed=0, epochs=1),
    "a network in strict": lambda X: train_mlp(X, Y, hidden=2, seed=0, epochs=1, engine="strict"),
}


def test_remembered_names_are_those_of_runs_that_ask(monkeypatch):
    """Runs of other kernels do not share a name: twice in one process, and each with nothing remembered."""
    comp, again, ref = ({} for _ in range(3))
    for names in (comp, again):
        names |= {each: str(train(np.array(X)).engine) for each, train in RUNS.items()}
    for each, train in RUNS.items():
        monkeypatch.setattr(run, "_names", {})
        ref[each] = str(train(np.array(X)).engine)
    assert comp == again == ref


def test_a_network_whose_batches_are_shared_has_other_kernels(monkeypatch):
    """Threads share batches of many rows, so a run on few rows must not be remembered for it."""
    seen = []
    monkeypatch.setattr(run, "kernels_of", lambda network, options: seen.append(network))
    train_mlp(X, Y, hidden=2, seed=0, epochs=1, engine="numpy")
    (network,) = seen
    before, network.threads = network.kernels, 2
    assert network.kernels != before


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_own_a_writable_array_and_copy_no_other(engine):
    own = ENGINES[engine].own
    if engine == "reference":
        assert own(np.array([1, 2])) == [1.0, 2.0]
        return
    array = np.arange(6.0).reshape(2, 3)
    locked = array.copy()
    locked.flags.writeable = False
    assert own(array) is array
    for other in (locked, array.T, array[:, ::2], array.astype(np.float32), array.astype(">f8"), array.tolist()):
        comp, ref = own(other), np.require(other, np.float64, ["C", "W"])
        assert not np.shares_memory(comp, array)
        assert comp.flags.c_contiguous
        assert comp.flags.writeable
        assert comp.dtype == np.dtype(np.float64)
        assert comp.dtype.isnative
        np.testing.assert_array_equal(comp, ref)


def test_a_model_of_rows_that_diverge_is_still_found():
    """The weights are asked and not only the loss: the last row's update alone overflows."""
    rows = np.array([[1e-3], [-1e-3], [1e160]])
    with pytest.raises(ArithmeticError, match="training diverged in epoch 0"):
        train_neuron(rows, [0, 1, 1], learning_rate=1e160, epochs=1)
