"""The kernels against what is not this package; see `oracles.py` and `peer_oracles.py`."""

import os
from decimal import Decimal, localcontext

import numpy as np
import oracles
import peer_oracles
import pytest
from compare import needs_numba

from tinynet_fast import train_neuron
from tinynet_fast.kernels import reference, strict, vectorized
from tinynet_fast.kernels.engines import ENGINES

engines = pytest.mark.parametrize("engine", ENGINES.values(), ids=lambda engine: engine.name)


@engines
@pytest.mark.parametrize("oracle", oracles.BY_HAND, ids=lambda oracle: oracle.__name__)
def test_by_hand_and_by_finite_differences(engine, oracle):
    kernel = next((kernel for word, kernel in KERNELS.items() if word in oracle.__name__), "sgd_epochs")
    if not engine.can(kernel) or (engine.name == "fast" and oracle in oracles.LEFT_TO_STRICT):
        pytest.skip(f"{engine.name} leaves it to strict")
    oracle(engine)


@engines
def test_sgd_classifier(engine, record_property):
    record_property("largest difference", peer_oracles.sgd_classifier(engine))


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", peer_oracles.SGD_OPTIONS)
@pytest.mark.parametrize("engine", ENGINES)
def test_sgd_classifier_options(engine, name, weighted):
    def train(X, y, **options):
        return train_neuron(X, y, engine=engine, **options)

    assert peer_oracles.sgd_classifier_options(train, name, weighted) <= 1e-12


compiled_only = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="thousands of updates take minutes in plain Python"
)
networks = pytest.mark.parametrize(
    "engine", [e for e in ENGINES.values() if e.can("network_epochs")], ids=lambda engine: engine.name
)


@compiled_only
@networks
@pytest.mark.parametrize("name", peer_oracles.TORCH)
def test_pytorch_optimizers(engine, name, record_property):
    """After 500 updates, in which rounding errors grow; Adam and its kind divide them by the gradient's size.

    RMSprop's steps do not shrink near the minimum: it stays at 1e-15 for 300 updates and is anywhere after 400.
    """
    difference = peer_oracles.torch_network(engine, name, steps=300 if name == "rmsprop" else 500)
    record_property("largest difference", difference)
    assert difference <= (1e-8 if "ada" in name or name == "rmsprop" else 1e-10)


@compiled_only
@networks
@pytest.mark.parametrize("kind", [{"outputs": 3}, {"loss": 1}, {"weighted": True}, {"masked": True}], ids=str)
def test_pytorch_losses(engine, kind, record_property):
    difference = peer_oracles.torch_network(engine, **kind)
    record_property("largest difference", difference)
    assert difference <= 1e-10


@networks
def test_pytorch_gradients(engine, record_property):
    """Every combination of activation, loss and depth."""
    difference = peer_oracles.torch_gradients(engine)
    record_property("largest difference", difference)
    assert difference <= 1e-12


KERNELS = {
    "network": "network_epochs",
    "regularized": "sgd_regularized_epochs",
    "squared_error": "sgd_regularized_epochs",
}


def true_sigmoid(z):
    with localcontext() as context:
        context.prec = 60
        return 1 / (1 + (-Decimal(float(z))).exp())


def error_in_ulps(value, true):
    """How far a float is from the true value, in units of the spacing of floats at the true value."""
    with localcontext() as context:
        context.prec = 60
        return float(abs(Decimal(float(value)) - true) / Decimal(float(np.spacing(float(true)))))


@needs_numba
@pytest.mark.parametrize("sigmoid", [reference.sigmoid, strict.sigmoid, vectorized.sigmoid])
def test_sigmoid_over_the_whole_range(sigmoid):
    """The bound that the docstring states, over all sums whose exp does not overflow."""
    rng = np.random.default_rng(0)
    sums = np.concatenate([np.linspace(-708, 708, 1001), rng.uniform(-40, 40, 3000), rng.standard_normal(2000)])
    worst = max(error_in_ulps(sigmoid(z), true_sigmoid(z)) for z in sums)
    assert 0.5 < worst <= 2.5
    for z in (-745.0, -1e4):  # beyond: the true probability is smaller than 1e-308, and 0 is given
        assert 0.0 <= sigmoid(z) <= 1e-300


@needs_numba
def test_cross_entropy_over_the_whole_range():
    """Against 60 digits of log(1 + exp(-z)): no digit is lost where the probability is near 0 or near 1."""
    with localcontext() as context:
        context.prec = 400  # exp(-700) beside 1
        for z in [*np.linspace(-700, 700, 141).tolist(), 1e-3, -1e-9, 36.9]:
            true = (1 + (-Decimal(float(z))).exp()).ln()
            for kernel in (reference, strict, vectorized):
                assert float(kernel.cross_entropy(z, 1.0)) == pytest.approx(float(true), rel=1e-15)
                assert kernel.cross_entropy(-z, 0.0) == kernel.cross_entropy(z, 1.0)
