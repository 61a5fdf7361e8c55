"""`reproduce()`: train a model of engine="portable" again from what its file says, and compare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinynet_fast.models.base import check_model
from tinynet_fast.training.digests import different
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.neuron import train_neuron

TRAINERS: dict[str, Callable[..., Any]] = {"train_neuron": train_neuron, "train_mlp": train_mlp}
WORDS = {
    "rows": "the rows, their labels or numbers, or their sample weights",
    "options": "the options, or the first weights",
    "weights": "the weights",
}


@dataclass(frozen=True, repr=False)
class Reproduction:
    """A second training beside the first.

    Attributes
    ----------
    digest, again : dict
        The digests of rows, options and weights that the model's file has, and those of the second training.
    model : Neuron or MLP
        What was trained.
    """

    digest: dict[str, Any]
    again: dict[str, Any]
    model: Any

    @property
    def different(self) -> list[str]:
        """What differs: "rows", "options", "weights"; nothing if the training was reproduced."""
        return different(self.digest, self.again)

    @property
    def kept(self) -> bool:
        """Whether the second training has the same rows, options and weights."""
        return not self.different

    def __repr__(self) -> str:
        return f"Reproduction({'reproduced' if self.kept else str(self)}, {self.model!r})"

    def __str__(self) -> str:
        if self.kept:
            return f"reproduced: the same rows, options and weights (SHA-256 {self.digest['weights']})"
        return f"not reproduced: {', '.join(WORDS[name] for name in self.different)} differ"

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {"kept": self.kept, "different": self.different, "digest": self.digest, "again": self.again}


def reproduce(model: Any, X: Any, y: Any = None, *, sample_weight: Any = None) -> Reproduction:
    """Train a model again from the options in its file, and compare rows, options and weights by their digests.

    Parameters
    ----------
    model : Neuron or MLP
        Trained with engine="portable".
    X : rows, table or path
        What it was trained on, as its trainer takes it.
    y : optional
        The labels or numbers, or the name of their column; by default the one that was learned.
    sample_weight : (n,), optional
        If the model was trained with sample weights.

    Raises
    ------
    ValueError
        If the model was not trained with engine="portable", and as the trainers do.

    Examples
    --------
    >>> from tinynet_fast import train_neuron
    >>> from tinynet_fast.proof.reproduce import reproduce
    >>> X, y = [1, 2, 3, 4], [0, 0, 1, 1]
    >>> model = train_neuron(X, y, epochs=10, engine="portable").model
    >>> reproduce(model, X, y).kept
    True
    >>> print(reproduce(model, [1, 2, 3, 5], y))
    not reproduced: the rows, their labels or numbers, or their sample weights, the weights differ
    """
    check_model(model)
    asked = model.training.get("asked")
    digest = model.training.get("digest")
    if not isinstance(asked, dict) or not isinstance(digest, dict) or not isinstance(asked.get("options"), dict):
        raise ValueError("the model does not say how to train it again: train it with engine='portable'")
    options = dict(asked["options"])
    if sample_weight is not None:
        options["sample_weight"] = sample_weight
    if isinstance(options.get("class_weight"), list):  # pairs
        options["class_weight"] = dict(options["class_weight"])
    if asked.get("trainer") in TRAINERS:
        result = TRAINERS[asked["trainer"]](X, y, **options)
    else:
        from tinynet_fast.tables.train import train  # here, because models of arrays need no tables

        result = train(X, model.training.get("target") if y is None else y, **options)
    return Reproduction(digest, result.model.training["digest"], result.model)
