"""The tutorial's training loop, at the speed of the hardware, with the same weights.

`train` takes a table as it is. `train_neuron` trains one neuron, `train_mlp` a small network, on numbers. All return a
result whose `model` predicts and saves.
`sweep` trains many neurons with different options in one pass over the rows, and `sweep_mlp` many networks.
`bootstrap` trains many neurons on samples of the rows, which shows how sure the weights and probabilities are.
Each name is imported when it is first used, and Numba with the first compiled engine. So it takes almost no time to
import the package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinynet_fast._version import __version__

if TYPE_CHECKING:
    from tinynet_fast.errors import TrainingDivergedError, TrainingWarning
    from tinynet_fast.models import MLP, Ensemble, Neuron, OneVsRest, load
    from tinynet_fast.models.files import ModelFileError
    from tinynet_fast.proof.portable import validate_portable
    from tinynet_fast.proof.reproduce import reproduce
    from tinynet_fast.proof.validate import validate
    from tinynet_fast.tables.evaluate import evaluate
    from tinynet_fast.tables.report import Report
    from tinynet_fast.tables.train import TableResult, train
    from tinynet_fast.training.bootstrap import bootstrap
    from tinynet_fast.training.bootstrap_result import BootstrapResult
    from tinynet_fast.training.mlp import train_mlp
    from tinynet_fast.training.neuron import train_neuron
    from tinynet_fast.training.rate_search import auto_rate
    from tinynet_fast.training.result import Epoch, RateSearch, TrainingResult
    from tinynet_fast.training.sweep import sweep
    from tinynet_fast.training.sweep_mlp import sweep_mlp
    from tinynet_fast.training.sweep_mlp_result import MLPSweepResult
    from tinynet_fast.training.sweep_result import SweepResult

_NAMES = {
    "errors": ("TrainingDivergedError", "TrainingWarning"),
    "models": ("MLP", "Ensemble", "Neuron", "OneVsRest", "load"),
    "models.files": ("ModelFileError",),
    "proof.portable": ("validate_portable",),
    "proof.reproduce": ("reproduce",),
    "proof.validate": ("validate",),
    "tables.evaluate": ("evaluate",),
    "tables.report": ("Report",),
    "tables.train": ("TableResult", "train"),
    "training.bootstrap": ("bootstrap",),
    "training.bootstrap_result": ("BootstrapResult",),
    "training.mlp": ("train_mlp",),
    "training.neuron": ("train_neuron",),
    "training.rate_search": ("auto_rate",),
    "training.result": ("Epoch", "RateSearch", "TrainingResult"),
    "training.sweep": ("sweep",),
    "training.sweep_mlp": ("sweep_mlp",),
    "training.sweep_mlp_result": ("MLPSweepResult",),
    "training.sweep_result": ("SweepResult",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = [
    "MLP",
    "BootstrapResult",
    "Ensemble",
    "Epoch",
    "MLPSweepResult",
    "ModelFileError",
    "Neuron",
    "OneVsRest",
    "RateSearch",
    "Report",
    "SweepResult",
    "TableResult",
    "TrainingDivergedError",
    "TrainingResult",
    "TrainingWarning",
    "__version__",
    "auto_rate",
    "bootstrap",
    "evaluate",
    "load",
    "reproduce",
    "sweep",
    "sweep_mlp",
    "train",
    "train_mlp",
    "train_neuron",
    "validate",
    "validate_portable",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinynet_fast' has no attribute {name!r}")
    value = getattr(import_module(f"tinynet_fast.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
