"""How results are compared: to the last bit, or by the norm of the difference."""

import numpy as np
import pytest

from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, has_numba
from tinynet_fast.kernels.engines import ENGINES

# The engines that take every option; "portable" refuses rates that are searched for, patience, noise and mixup.
with_any_option = pytest.mark.parametrize("engine", [name for name in ENGINES if name != "portable"])
needs_numba = pytest.mark.skipif(not has_numba(), reason="Numba compiles what is called here")
needs_library = pytest.mark.skipif(
    UNCOMPILED or native.library() is None, reason="no library here: `make native` compiles it"
)


def flat(model):
    """All parameters of a neuron or a network in one vector."""
    if isinstance(model.weights, list):
        return np.concatenate([part.ravel() for pair in zip(model.weights, model.biases, strict=True) for part in pair])
    return np.append(model.weights, model.bias)


def parameters(result):
    """The model's parameters and the losses of a training result in one vector."""
    return np.concatenate([flat(result.model), result.loss_history])


def distance(comp, ref):
    """The norm-wise relative difference of two vectors."""
    comp, ref = np.asarray(comp, float), np.asarray(ref, float)
    return float(np.linalg.norm(comp - ref) / max(np.linalg.norm(ref), np.finfo(float).tiny))


def assert_keeps(promise, comp, ref):
    """`comp` keeps an engine's promise against `ref`: the same bits where it is 0, else a small relative distance."""
    if promise == 0.0:
        np.testing.assert_array_equal(comp, ref, strict=True)
    else:
        assert distance(comp, ref) <= promise
