"""The battery of engine="portable" with kernels that run in Node: the digests of every machine."""

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from node import Node, compiled, skip_without_wasm

from tinynet_fast import train_neuron
from tinynet_fast.errors import TrainingWarning
from tinynet_fast.kernels.compiler.jit import rebuilt
from tinynet_fast.kernels.engines import PORTABLE
from tinynet_fast.kernels.fast import many_neurons
from tinynet_fast.proof import portable as battery
from tinynet_fast.training.digests import weights_digest

skip_without_wasm()


def signatures_in(script):
    return json.loads(script.read_text(encoding="utf-8").partition("globalThis.TinyNetKernels = ")[2])["signatures"]


@pytest.fixture
def in_node(net, script, tmp_path, monkeypatch):
    """`portable` with kernels that run in Node; those that train neurons side by side are a module of their own."""
    beside = compiled(tmp_path / "kernels.js", "--sweeps")
    signatures = signatures_in(beside)

    def side_by_side(function, words, X):
        signature = f"{X.dtype.char}2 {words}"
        name = " ".join([function.__name__, *signature.split()[-3:]])
        assert signatures[name] == signature
        return other.kernel(name, signature), X

    with Node(beside) as other:
        sweeps = SimpleNamespace(**(vars(many_neurons) | rebuilt(many_neurons, __name__, for_rows=side_by_side)))
        monkeypatch.setitem(PORTABLE.__dict__, "many_neurons", sweeps)
        monkeypatch.setitem(PORTABLE.__dict__, "kernels", net.kernels(signatures_in(script)))
        yield lambda: net.calls + other.calls


def test_node_gives_the_digests_of_every_machine(in_node):
    """The whole battery. Python makes the rows, their order and the schedules; each kernel is called in Node."""
    found, known = {}, json.loads(battery.KNOWN.read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        for name, train, X in battery.trainings():
            calls = in_node()
            found[name] = battery.digest_of(train(), X)
            assert in_node() >= calls + 2, name  # it trained and predicted there
    assert found == known


def test_another_bit_in_node_would_be_seen(in_node, monkeypatch):
    """A kernel that is off by a bit gives another digest."""
    X, y = battery.made_rows(2), (np.arange(battery.ROWS) % 2)
    kernels, right = PORTABLE.kernels, train_neuron(X, y, epochs=1, engine="portable").model

    def off_by_a_bit(X, y, step, weights, bias, losses):
        sgd_epochs(X, y, step, weights, bias, losses)
        weights[0] = np.nextafter(weights[0], np.inf)

    sgd_epochs = kernels.sgd_epochs
    monkeypatch.setattr(kernels, "sgd_epochs", off_by_a_bit)
    wrong = train_neuron(X, y, epochs=1, engine="portable").model
    assert weights_digest(wrong) != weights_digest(right)
