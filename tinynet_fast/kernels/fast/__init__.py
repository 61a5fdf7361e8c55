"""The `fast` engine: the reference's updates, summed in another order. Each kernel is in the file that the table names.

A file is imported when a kernel of it is first used, so that training a neuron does not wait for networks.
"""

from importlib import import_module
from typing import Any

from tinynet_fast.kernels.point_functions import (
    CLIPPED_LOG_LOSS,
    HUBER,
    LEAST_SQUARES,
    LOG_LOSS,
    POISSON,
    SQUARED_ERROR,
)

# Losses that networks have here. The slopes of the others jump where a last bit decides, or need a power.
NETWORK_LOSSES = frozenset((LOG_LOSS, SQUARED_ERROR, CLIPPED_LOG_LOSS, LEAST_SQUARES, HUBER, POISSON))
FILES = {
    "sgd_epochs": "neuron",
    "sgd_linear_epochs": "neuron",
    "row_bound": "row_lengths",
    "sgd_regularized_epochs": "regularized_neuron",
    "sgd_sparse_epochs": "sparse",
    "sparse_logits": "sparse",
    "sparse_row_bound": "sparse",
    "sgd_softmax_epochs": "softmax_neuron",
    "network_scratch": "network_room",
    "network_update": "network",
    "network_logits": "network",
    "NetworkTeam": "network_team",
    "shared_tiles": "network_team",
    "network_epochs": "narrow_network",  # which passes on to `network` what is not narrow
    "network_passes": "penalised_passes",
}


def __getattr__(name: str) -> Any:
    if name not in FILES:
        raise AttributeError(f"the fast engine has no {name!r}")
    found = getattr(import_module(f"{__name__}.{FILES[name]}"), name)
    globals()[name] = found  # so that Python comes here once for each kernel, and not for each block of rows
    return found
