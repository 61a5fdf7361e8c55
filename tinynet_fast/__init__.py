"""The tutorial's training loop at the speed of the hardware, to the same weights.

`train_neuron` trains one neuron, `train_mlp` a small network; both return a result whose `model` predicts and saves.
Numba is imported the first time a compiled engine is asked for, so that `import tinynet_fast` stays cheap.
"""

from tinynet_fast._version import __version__
from tinynet_fast.errors import TrainingDivergedError
from tinynet_fast.modelfile import ModelFileError
from tinynet_fast.models import MLP, Neuron, load
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.run import Epoch, TrainingResult

__all__ = [
    "MLP",
    "Epoch",
    "ModelFileError",
    "Neuron",
    "TrainingDivergedError",
    "TrainingResult",
    "__version__",
    "load",
    "train_mlp",
    "train_neuron",
]
