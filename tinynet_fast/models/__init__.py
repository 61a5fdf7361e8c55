"""Neuron, MLP, OneVsRest, Ensemble: what training returns. They predict, save and load. `training/` trains them."""

import os

from tinynet_fast.models import fields, files
from tinynet_fast.models.base import Model
from tinynet_fast.models.ensemble import KINDS as MEMBERS
from tinynet_fast.models.ensemble import Ensemble
from tinynet_fast.models.fields import check_threshold
from tinynet_fast.models.mlp import MLP
from tinynet_fast.models.neuron import Neuron
from tinynet_fast.models.one_vs_rest import OneVsRest

__all__ = ["MLP", "Ensemble", "Model", "Neuron", "OneVsRest", "check_threshold", "load"]

Loaded = Neuron | MLP | OneVsRest | Ensemble
KINDS: dict[str, type[Loaded]] = {**MEMBERS, "ensemble": Ensemble}  # by the field "kind" of a model file


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read the model that `save` wrote to `path`.

    Parameters
    ----------
    path : str or path
        A JSON file.

    Returns
    -------
    Neuron, MLP, OneVsRest or Ensemble
        Its weights have the bits that were saved.

    Raises
    ------
    ModelFileError
        A ValueError that names the file and the place. It is raised for a truncated or foreign file, for fields that
        do not fit, and for a file in a newer format; the message then names the version that wrote it.
    OSError
        If the file is missing or cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from tinynet_fast import load, train_neuron
    >>> model = train_neuron([1, 2, 3, 4], ["fail", "fail", "pass", "pass"], epochs=1000).model
    >>> with TemporaryDirectory() as folder:
    ...     model.save(Path(folder, "pass.json"))
    ...     same = load(Path(folder, "pass.json"))
    >>> same.predict([1.5, 3.5]).tolist()
    ['fail', 'pass']
    """
    found = files.read(path)
    try:
        if found["kind"] not in KINDS:
            raise ValueError(f"field 'kind' is {found['kind']!r}, not 'neuron', 'mlp', 'one_vs_rest' or 'ensemble'")
        model = KINDS[found["kind"]]._from_fields(found, fields.common(found))
        if model.features is not None and len(model.features) != model.n_features:
            raise ValueError(f"{len(model.features)} feature names for {model.n_features} inputs")
        return model
    except KeyError as error:
        wrong = f"not a whole model file: field {files.shortened(error)} is missing"
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        wrong = f"not a valid model file: {files.shortened(error)}"
    raise files.ModelFileError(f"{path}: {wrong}")
