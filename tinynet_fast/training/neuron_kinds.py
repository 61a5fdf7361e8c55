"""Which neurons a run of `train_neuron` trains: one, one for each output, or a softmax of several; and their start."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.kernels.compiler.jit import has_numba
from tinynet_fast.kernels.engines import SOFTMAX_BOUND
from tinynet_fast.kernels.point_functions import LOG_LOSS
from tinynet_fast.rows.blocks import is_streamed
from tinynet_fast.rows.frames import named_weights
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.rows.values import is_finite
from tinynet_fast.training.losses import LABELS, LINEAR
from tinynet_fast.training.neuron_updates import DenseNeuron, SparseNeuron
from tinynet_fast.training.options import Options
from tinynet_fast.training.schedules import Penalties, Schedule
from tinynet_fast.training.several_neurons import SeveralNeurons
from tinynet_fast.training.softmax_updates import SoftmaxNeuron

ONE_VS_REST = "one_vs_rest"
MOST_LABELS = 256  # a row's label is one byte


@dataclass(frozen=True)
class Kind:
    """The neurons of a run.

    Attributes
    ----------
    outputs : int
    softmax : bool
        Whether the outputs are a softmax, which changes the weights of all of them at each row.
    is_fast : bool
        Whether the fast engine has a kernel for the updates.
    bound : float
        A step does not overshoot while step * (|x|**2 + 1) is at most this.
    """

    outputs: int
    sparse: bool
    softmax: bool
    is_fast: bool
    bound: float

    def trainable(self, options: Options, start: np.ndarray, rates: Schedule, penalties: Penalties) -> Any:
        """What a run trains, from `start`, (outputs, n_features + 1)."""
        if self.softmax:
            return SoftmaxNeuron(options, start.T.reshape(-1), rates, penalties)
        kind = SparseNeuron if self.sparse else DenseNeuron
        neurons = [kind(options, each, rates, penalties) for each in start]
        return SeveralNeurons(neurons, penalties.loss.of == LABELS) if self.outputs > 1 else neurons[0]


def check_neuron_output(output: Any) -> str:
    """What is predicted, for `choose_loss`: ValueError if there is no such output."""
    if output is None or (isinstance(output, str) and output in (LINEAR, ONE_VS_REST)):
        return LINEAR if output == LINEAR else LABELS
    raise ValueError(
        f"there is no output {output!r}: use 'linear' for numbers, 'one_vs_rest' for a neuron for each label, or leave "
        "it out"
    )


def neurons_for(options: Options, penalties: Penalties, output: Any) -> Kind:
    """The neurons for these rows; ValueError if the loss or the rows do not go with the number of labels."""
    sparse = is_sparse(options)
    numbers = penalties.loss.of == LINEAR
    outputs = options.n_targets if numbers else 1 if len(options.labels) == 2 else len(options.labels)
    softmax = not numbers and outputs > 1 and output != ONE_VS_REST
    if softmax and penalties.loss.code != LOG_LOSS:
        raise ValueError(
            f"loss={penalties.loss.name!r} is for two labels and y has {outputs}: use output='one_vs_rest', or the log "
            "loss"
        )
    if softmax and sparse:
        raise ValueError(f"sparse rows with {outputs} labels need output='one_vs_rest', a neuron for each label")
    is_fast = penalties.loss.code == LOG_LOSS if sparse else penalties.smooth
    is_fast = is_fast and (not softmax or has_numba())  # the library has no softmax
    return Kind(outputs, sparse, softmax, is_fast, SOFTMAX_BOUND if softmax else penalties.loss.bound)


def is_sparse(options: Options) -> bool:
    """Whether the rows are stored as CSR."""
    rows = options.rows
    return bool(rows.source.sparse) if is_streamed(rows) else isinstance(options.in_memory.X, CSR)


def first_weights(
    weights: Any, bias: Any, n_features: int, names: list[str] | None = None, outputs: int = 1
) -> np.ndarray:
    """(outputs, n_features + 1): the starting weights and, last, the bias of each output."""
    weights = named_weights(weights, names)
    try:
        w, b = np.asarray(weights, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("weights and bias are numbers: one for each input, or one for all, and a bias") from None
    several = f", or ({n_features}, {outputs}) for the outputs," if outputs > 1 else ""
    if w.shape not in ((), (n_features,)) and (outputs == 1 or w.shape != (n_features, outputs)):
        raise ValueError(
            f"weights has shape {w.shape}; one number, or ({n_features},) as X has columns,{several} is needed"
        )
    if b.shape != () and (outputs == 1 or b.shape != (outputs,)):
        needed = "one number is" if outputs == 1 else f"one number, or ({outputs},) for the outputs, is"
        raise ValueError(f"bias has shape {b.shape}; {needed} needed")
    start = np.empty((outputs, n_features + 1))
    start[:, :-1], start[:, -1] = w.T, b
    if not is_finite(start):
        raise ValueError("weights or bias holds NaN or infinity: start from finite numbers")
    return start
