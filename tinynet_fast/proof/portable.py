"""`validate_portable()`: trainings with engine="portable", and the digests that they have on every machine.

Each digest is the SHA-256 of weights, losses and predictions as little-endian float64. Those that this version of the
package must give are in `portable_digests.json`, which `python -m tinynet_fast.proof.portable` writes anew: only if the
arithmetic was changed on purpose, which CHANGELOG then says.

The rows are made of whole numbers by a hash, so that they too are the same everywhere. All of it takes a second, and in
plain Python, without Numba, some ten.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingWarning
from tinynet_fast.kernels.engines import PORTABLE
from tinynet_fast.kernels.point_functions import ACTIVATIONS
from tinynet_fast.kernels.poisson import row_keys
from tinynet_fast.models.outputs import MARGIN
from tinynet_fast.proof.facts import facts
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.training.digests import model_arrays, sha256
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.sweep import sweep
from tinynet_fast.training.sweep_mlp import sweep_mlp

KNOWN = Path(__file__).with_name("portable_digests.json")
ROWS = 40
Training = tuple[str, Callable[[], Any], Any]  # name, what trains, and rows to predict


@dataclass(frozen=True, repr=False)
class PortableValidation:
    """The digests of this machine beside those that every machine must have.

    Attributes
    ----------
    digests, known : dict of str
        By the name of the training.
    facts : dict of str
        Facts about this machine.
    """

    digests: dict[str, str]
    known: dict[str, str]
    facts: dict[str, str]

    def __repr__(self) -> str:
        n = len(self.different)
        found = f"{n} of them different from those of every machine" if n else "as on every machine"
        return f"PortableValidation({len(self.digests)} trainings, {found}, digest {self.digest[:12]}...)"

    @property
    def different(self) -> list[str]:
        """The names of the trainings with other digests than they should have."""
        names = [*self.digests, *(name for name in self.known if name not in self.digests)]
        return [name for name in names if self.digests.get(name) != self.known.get(name)]

    @property
    def kept(self) -> bool:
        """Whether all digests are as they should be."""
        return not self.different

    @property
    def digest(self) -> str:
        """The digest of all digests."""
        return overall(self.digests)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        found = {"kept": self.kept, "digest": self.digest, "known": overall(self.known)}
        return found | {"different": self.different, "digests": self.digests, "facts": self.facts}


def validate_portable(progress: Callable[[str], Any] | None = None) -> PortableValidation:
    """Train with engine="portable" and compare digests with those of every machine.

    Parameters
    ----------
    progress : callable, optional
        Called with the name of each training before it runs.

    Examples
    --------
    >>> from tinynet_fast import validate_portable
    >>> validate_portable().kept  # doctest: +SKIP
    True
    """
    return PortableValidation(digests(progress), json.loads(KNOWN.read_text(encoding="utf-8")), facts())


def digests(progress: Callable[[str], Any] | None = None) -> dict[str, str]:
    """The digest of each training."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # there is nothing to be learned from such rows
        for name, train, X in trainings():
            if progress:
                progress(name)
            found[name] = digest_of(train(), X)
    return found


def digest_of(result: Any, X: Any) -> str:
    """The digest of a training: of weights, losses, sums and probabilities or numbers."""
    model = result.model
    arrays = [*model_arrays(model), result.loss_history, model.decision_function(X)]
    if model.output != MARGIN:
        arrays.append(model.predict(X) if model.numbers else model.predict_proba(X))
    return sha256(arrays)


def overall(found: dict[str, str]) -> str:
    """The digest of digests."""
    return hashlib.sha256("".join(f"{name} {found[name]}\n" for name in sorted(found)).encode()).hexdigest()


# --- the trainings ----------------------------------------------------------------------------------------------------


def made_rows(d: int, seed: int = 0, rows: int = ROWS) -> np.ndarray:
    """(rows, d) float64: numbers from -2 to 2 that a hash makes."""
    bits = row_keys(seed, np.arange(rows * d)).view(np.uint64) >> np.uint64(11)
    return np.asarray(bits.astype(np.float64) * 2.0**-51 - 2.0).reshape(rows, d)


def trainings() -> Iterator[Training]:
    """All trainings of the battery."""
    for make in (_neurons, _options, _numbers, _several, _networks, _sweeps):
        yield from make()


def _sparse(X: np.ndarray) -> CSR:
    """The rows of X without their zeros."""
    rows, inputs = np.nonzero(X)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(X)))])
    return CSR(X[rows, inputs], inputs.astype(np.int32), starts.astype(np.int64), np.arange(len(X)), X.shape[1])


def _labels(X: np.ndarray) -> np.ndarray:
    return (X[:, 0] + 0.5 * made_rows(1, 99, len(X))[:, 0] > 0.0).astype(np.int64)


def _neuron(X: Any, y: Any, **options: Any) -> Callable[[], Any]:
    given = {"learning_rate": 0.1, "epochs": 3, "engine": PORTABLE.name, **options}
    return lambda: train_neuron(X, y, **given)


def _network(X: Any, y: Any, **options: Any) -> Callable[[], Any]:
    given = {"learning_rate": 0.1, "epochs": 3, "engine": PORTABLE.name, "seed": 5, "hidden": (3,), **options}
    return lambda: train_mlp(X, y, **given)


def _neurons() -> Iterator[Training]:
    for d in (1, 2, 8, 19, 64):
        X = made_rows(d)
        yield f"neuron, {d} inputs", _neuron(X, _labels(X)), X
    X = made_rows(5)
    y = _labels(X)
    yield "neuron, float32", _neuron(X.astype(np.float32), y), X
    yield "neuron, far out", _neuron(400.0 * X, y, learning_rate=1.0), X
    yield "neuron, shuffled", _neuron(X, y, shuffle=True, seed=3), X
    yield "neuron, shuffled in blocks", _neuron(X, y, shuffle="blocks", seed=3), X
    yield "neuron, held out", _neuron(X, y, validation=0.25, seed=3), X
    yield "neuron, streamed", _neuron(lambda: iter([(X[:17], y[:17]), (X[17:], y[17:])]), None, standardize=True), X


def _options() -> Iterator[Training]:
    X = made_rows(11)
    y, weight = _labels(X), 0.5 + (made_rows(1, 7)[:, 0] > 0.0)
    kinds: dict[str, dict[str, Any]] = {
        "l2, averaged": {"l2": 0.01, "average": True},
        "l1": {"l1": 0.01},
        "invscaling": {"schedule": "invscaling", "power_t": 0.3},
        "cosine": {"schedule": "cosine"},
        "optimal": {"schedule": "optimal", "l2": 0.01},
        "weights": {"sample_weight": weight, "class_weight": "balanced"},
        "standardised": {"standardize": True},
        "squared error": {"loss": "squared_error"},
        "hinge": {"loss": "hinge"},
        "focal": {"loss": "focal", "gamma": 1.7},
    }
    for name, options in kinds.items():
        yield f"neuron, {name}", _neuron(X, y, **options), X
    sparse = _sparse(np.where(made_rows(11, 3) > 1.0, X, 0.0))
    yield "sparse neuron", _neuron(sparse, y), X
    yield "sparse neuron, l2 and l1, averaged", _neuron(sparse, y, l2=0.01, l1=0.001, average=True), X


def _numbers() -> Iterator[Training]:
    X = made_rows(6)
    y = X[:, 0] - 2.0 * X[:, 1] + made_rows(1, 8)[:, 0]
    for loss in ("squared_error", "huber", "absolute_error", "quantile"):
        yield f"numbers, {loss}", _neuron(X, y, output="linear", loss=loss, learning_rate=0.02), X
    given: dict[str, Any] = {"output": "linear", "learning_rate": 0.02}
    yield "counts", _neuron(X, np.floor(np.abs(y)), loss="poisson", **given), X
    yield "numbers, standardised", _neuron(X, y, standardize=True, standardize_y=True, **given), X
    yield "two numbers", _neuron(X, np.column_stack([y, X[:, 2]]), **given), X
    yield "network of numbers", _network(X, y, output="linear", loss="huber", standardize_y=True), X
    yield "network of counts", _network(X, np.floor(np.abs(y)), output="linear", loss="poisson"), X


def _several() -> Iterator[Training]:
    X = made_rows(9)
    y = np.floor(X[:, 0] + 2.0).astype(np.int64) % 3
    yield "softmax", _neuron(X, y, l2=0.01, l1=0.001, average=True), X
    yield "one against the rest", _neuron(X, y, output="one_vs_rest"), X
    yield "network, softmax", _network(X, y, hidden=(5, 4), batch_size=7, shuffle=True), X


def _networks() -> Iterator[Training]:
    X = made_rows(4)
    y = _labels(X)
    for activation in ACTIVATIONS:
        yield f"network, {activation}", _network(X, y, activation=activation, batch_size=8), X
    kinds: dict[str, dict[str, Any]] = {
        "momentum": {"momentum": 0.9, "nesterov": True},
        "adam": {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.01},
        "rmsprop": {"optimizer": "rmsprop", "learning_rate": 0.01, "l2": 0.01},
        "adagrad": {"optimizer": "adagrad", "schedule": "invscaling"},
        "dropout": {"dropout": 0.3, "schedule": "cosine", "hidden": (9,)},
        "he": {"init": "he", "activation": "relu", "standardize": True},
        "normal": {"init": "normal", "init_scale": 0.3},
        "weights": {"sample_weight": 0.5 + (X[:, 1] > 0.0), "batch_size": 6},
        "focal": {"loss": "focal"},
    }
    for name, options in kinds.items():
        yield f"network, {name}", _network(X, y, **({"batch_size": 8} | options)), X


def _sweeps() -> Iterator[Training]:
    X = made_rows(4)
    y = _labels(X)

    def best() -> Any:
        given: dict[str, Any] = {"hidden": (3,), "epochs": 2, "batch_size": 8, "seed": 1, "engine": PORTABLE.name}
        return _Swept(sweep_mlp(X, y, learning_rate=[0.05, 0.2], **given))

    yield "sweep of networks", best, X
    kinds: dict[str, dict[str, Any]] = {
        "sweep": {"learning_rate": [0.01, 0.1, 1.0], "folds": 3, "seed": 2},
        "sweep, l2 and averages": {"l2": [0.0, 0.01], "average": [False, True]},
        "sweep of numbers": {"output": "linear", "learning_rate": [0.01, 0.02]},
    }
    for name, options in kinds.items():
        yield name, _sweep(X, X[:, 1] if "output" in options else y, options), X


def _sweep(X: np.ndarray, y: np.ndarray, options: dict[str, Any]) -> Callable[[], Any]:
    return lambda: _Swept(sweep(X, y, epochs=2, engine=PORTABLE.name, **options))


class _Swept:
    """The last model of a sweep, as `digest_of` takes it: with all weights for losses."""

    def __init__(self, result: Any) -> None:
        self.model = result.models[-1]
        self.loss_history = getattr(result, "weights", 0.0)


if __name__ == "__main__":
    KNOWN.write_text(json.dumps(digests(), indent=1) + "\n", encoding="utf-8")
