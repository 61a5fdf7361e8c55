"""`strict` for networks of float32: the reference, compiled, on arrays of float32 where it has `array("f")`.

Parameters, and what goes through a network (`units`), are float32: each of these numbers is rounded when it is written.
All that is calculated from them is float64, as are the gradient and the optimizer's moments. So `state` and `units`
are no tables here, but a list of arrays each.
"""

from importlib import import_module
from typing import Any

from tinynet_fast.kernels import strict
from tinynet_fast.kernels.compiler.jit import compiled, kernel
from tinynet_fast.kernels.compiler.signatures import STRICT_LOGITS, STRICT_NETWORK, STRICT_UPDATE


class _Singles:
    """Float32 numbers that are read as float64. Uncompiled, a memoryview does that."""

    def __call__(self, array):
        return memoryview(array)

    @property
    def _numba_type_(self) -> Any:  # pragma: no cover - for compiled kernels alone
        from numba.core.registry import cpu_target

        made = import_module("tinynet_fast.kernels.compiler.singles").singles
        cpu_target.typing_context.refresh()  # it was made this moment
        return cpu_target.typing_context.resolve_value_type(made)


singles = _Singles()


@kernel
def epochs(
    X, y, weight, mask, schedule, rule, layers, params, gradient, first, second, values, deltas, pending, losses
):
    state, units = (singles(params), gradient, first, second), (singles(values), singles(deltas))
    strict.network_epochs(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses)


@kernel
def update(total, schedule, rule, layers, params, gradient, first, second):
    strict.network_update(total, schedule, rule, layers, (singles(params), gradient, first, second))


@kernel
def logits(X, layers, params, values, deltas, out):
    strict.network_logits(X, layers, singles(params), (singles(values), singles(deltas)), out)


def network_epochs(X, y, weight, mask, schedule, rule, layers, state, units, pending, losses):
    """The reference's, bit for bit."""
    run = compiled(epochs, STRICT_NETWORK)
    run(X, y, weight, mask, schedule, rule, layers, *state, *units, pending, losses)


def network_update(total, schedule, rule, layers, state):
    """The reference's, bit for bit."""
    compiled(update, STRICT_UPDATE)(float(total), schedule, rule, layers, *state)


def network_logits(X, layers, params, units, out):
    """The reference's, bit for bit."""
    compiled(logits, STRICT_LOGITS)(X, layers, params, *units, out)
