"""Checks for predictions on a cluster, before any row is read: the model, and which columns are its inputs."""

from collections.abc import Sequence
from typing import Any

from tinynet_fast.models.base import Model, check_model
from tinynet_fast.rows.files import checked_features
from tinynet_fast.rows.index_columns import index_columns
from tinynet_fast.rows.messages import listed


def check_has_probabilities(model: Model) -> None:
    """ValueError, with the remedy, for a model of numbers or of margins."""
    check_model(model)
    model._check_probabilities()


def number_columns(model: Model, name: str) -> list[str]:
    """The names of the columns of predictions of several numbers: `name`, and the target's name or its place."""
    return [f"{name}_{target}" for target in model.targets or range(model.n_outputs)]


def input_columns(model: Model, columns: Sequence[Any], features: Sequence[str] | None = None) -> list[Any]:
    """The columns of a frame that are the model's inputs, in the model's order; other columns are left out.

    They are found by `features`, or else by the model's names. If there are neither, all columns are taken, except an
    index that pandas or Dask wrote. ValueError if one is missing, or if the model has another number of inputs.
    """
    names: list[Any] | None = model.read_columns if features is None else checked_features(features)
    if names is None:
        index = index_columns(name for name in columns if isinstance(name, str))
        names = [name for name in columns if name not in index]
    missing = [repr(name) for name in names if name not in columns]
    if missing:
        there, what = listed(list(map(str, columns))), "columns" if len(missing) > 1 else "column"
        whose = ", which the model has" if features is None else ""
        raise ValueError(f"the frame has no {what} {listed(missing)}{whose}; it has {there}: add or rename it")
    if len(names) != model.n_read:
        raise ValueError(
            f"the frame has {len(names)} columns where the model has {model.n_read} inputs: select the columns "
            "that it was trained on, in that order"
        )
    twice = [name for name in names if list(columns).count(name) > 1]
    if twice:
        raise ValueError(f"the frame has several columns named {twice[0]!r}: rename or drop one")
    return names
