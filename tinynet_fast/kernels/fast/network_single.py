"""Networks of float32 in `fast`: the kernels of `network.py` and `network_team.py`, with scratch of float32."""

import numpy as np

from tinynet_fast.kernels import layout
from tinynet_fast.kernels.fast import network, network_team

network_epochs, network_logits, NetworkTeam = network.network_epochs, network.network_logits, network_team.NetworkTeam


def network_update(total, schedule, rule, layers, state):
    """The reference's, to 1e-5. The state is of float64, and its parameters are rounded here."""
    network.network_update(total, schedule, rule, layers, state)
    with np.errstate(over="ignore"):
        state[layout.PARAMETERS] = state[layout.PARAMETERS].astype(np.float32)


def shared_tiles(mask, rule, layers):
    """How many tiles of a batch may go side by side."""
    return network_team.tiles_of(rule)
