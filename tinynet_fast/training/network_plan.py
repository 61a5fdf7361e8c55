"""All that decides how one network is trained, checked, in one object; and what came of many that were trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.kernels import layout as at
from tinynet_fast.kernels.compiler import native
from tinynet_fast.kernels.compiler.jit import UNCOMPILED, has_numba
from tinynet_fast.kernels.compiler.signatures import MANY_NETWORKS
from tinynet_fast.kernels.engines import FAST
from tinynet_fast.kernels.fast import many_networks as kernel
from tinynet_fast.models import MLP
from tinynet_fast.models.layers import layer_table
from tinynet_fast.models.outputs import output_of
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.training.losses import ChosenLoss
from tinynet_fast.training.network_updates import Network
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.options import Options

MOST_PARAMETERS = 1 << 12  # of networks that are trained side by side: 64-64-1 is as fast, or faster, one by one


def has_kernel() -> bool:
    """Whether the kernel of many networks is in the library, or can be compiled."""
    return UNCOMPILED or has_numba() or bool(native.find(kernel.epochs.name, f"d2 {MANY_NETWORKS}"))


@dataclass
class NetworkPlan:
    """A network to train: its first parameters, its layers, and how it steps. The rows are in the options.

    A network that tells a `label` (its code) from all others has rows of its own there, whose codes are 0 and 1; `rows`
    then has the same rows with the codes of all labels, which it shares with the networks of other labels.
    """

    options: Options
    start: np.ndarray  # flat, as the kernels have them
    sizes: list[int]
    activation: str
    optimizer: Optimizer
    batch_size: int | None
    loss: ChosenLoss
    dropout: float
    dtype: Any = np.float64
    rows: Rows | None = None
    label: int | None = None

    @property
    def shared(self) -> Rows:
        """The rows that networks which train side by side have in common."""
        return self.options.in_memory if self.rows is None else self.rows

    def network(self) -> Network:
        """The network, ready to be trained by itself."""
        return Network(
            self.options,
            self.start,
            self.sizes,
            self.activation,
            self.optimizer,
            self.batch_size,
            self.loss,
            self.dropout,
            dtype=self.dtype,
        )

    def model(self, parameters: np.ndarray, more: dict[str, Any]) -> MLP:
        """The model with these parameters, for raw inputs and numbers. `more` are entries of its `training`."""
        network, options = self.network(), self.options
        network.restore(network.state() | {"parameters": parameters})
        model: MLP = options.for_raw_inputs(network.model())
        shuffle = options.shuffle if isinstance(options.shuffle, str) else bool(options.shuffle)
        model.training |= network.options() | options.recorded
        model.training |= {"shuffle": shuffle, "seed": options.seed, "epochs": options.epochs}
        model.training |= {"rows": len(options.rows)} | more
        return model

    @property
    def table(self) -> np.ndarray:
        """The kernels' table of layers."""
        labels = self.options.labels
        return layer_table(self.sizes, self.activation, output_of(self.loss, 0 if labels is None else len(labels)))

    @property
    def size(self) -> int:
        """Rows in an update."""
        n = len(self.options.rows)
        return min(self.batch_size or n, n)

    @property
    def rule(self) -> np.ndarray:
        """The kernels' `rule`."""
        return self.optimizer.rule(self.size, self.loss.code, self.loss.shape)

    def company(self) -> tuple[Any, ...] | None:
        """Networks of which this is the same can be trained side by side; None if the network is trained by itself.

        They may see different rows of one table.
        """
        options, rule = self.options, self.rule
        if (
            self.dtype == np.float32
            or options.engine is not FAST
            or options.augment is not None
            or not kernel.serves(rule)
        ):
            return None
        if len(self.start) > MOST_PARAMETERS or not has_kernel():
            return None
        shared = tuple(rule[[at.LOSS, at.OPTIMIZER, at.LOSS_SHAPE]].tolist())
        one_class = self.label is not None
        return (
            id(self.shared.X),
            one_class,
            tuple(self.sizes),
            self.activation,
            bool(self.dropout),
            self.batch_size,
            *shared,
        )


@dataclass
class Trained:
    """What came of networks, in the order of their plans.

    Attributes
    ----------
    parameters : list of (n_parameters,) float64 arrays
        NaN if the network diverged.
    losses : (epochs, n_networks) float64 array
        The mean loss of each epoch; NaN from the epoch on in which a network diverged.
    engines : list of str
    side_by_side : (n_networks,) bool array
        Whether the network was trained in the same pass over the rows as others.
    seconds : float
    """

    parameters: list[np.ndarray]
    losses: np.ndarray
    engines: list[str]
    side_by_side: np.ndarray
    seconds: float = 0.0

    @classmethod
    def nothing(cls, networks: int, epochs: int) -> "Trained":
        """Places for networks that are not trained yet."""
        return cls([np.empty(0)] * networks, np.empty((epochs, networks)), [""] * networks, np.zeros(networks, bool))

    def of_models(self, networks: int) -> "Trained":
        """What this says of networks, said of models that have `networks` networks each.

        A model has the parameters of its networks, one after the other, and the sum of their losses.
        """
        if networks == 1:
            return self
        starts = range(0, len(self.parameters), networks)
        parts = [slice(k, k + networks) for k in starts]
        return Trained(
            [np.concatenate(self.parameters[part]) for part in parts],
            self.losses.reshape(len(self.losses), -1, networks).sum(axis=2),
            [", ".join(dict.fromkeys(map(str, self.engines[part]))) for part in parts],
            np.array([self.side_by_side[part].all() for part in parts], dtype=bool),
            self.seconds,
        )

    def diverged(self, networks: Sequence[int]) -> np.ndarray:
        """Whether these networks diverged."""
        return np.array([not np.isfinite(self.parameters[i]).all() for i in networks], dtype=bool)
