"""Checks whether a model that was trained on standardised inputs is still exact for raw inputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingWarning, warn

MOST_LOST = 0.01  # rounding may change a sum by this much, and a probability by 0.0025, without a warning


def warn_of_lost_digits(model: Any, mean: np.ndarray, scale: np.ndarray, names: Sequence[str] | None) -> None:
    """Warn if the rounding of weight * mean can change what the model predicts. `model` takes raw inputs.

    `mean` and `scale` are what the inputs were standardised by. The sums of a model of numbers count in units of how
    far the inputs move them.

    Take a column whose values are large and close together, such as 1.7e18 plus or minus 100. Once standardising is
    undone, its weight is large, and the bias subtracts weight * mean: the digits that both have in common are lost.
    """
    layers = model.weights if isinstance(model.weights, list) else [model.weights.reshape(len(mean), -1)]
    first = np.abs(layers[0])
    with np.errstate(over="ignore"):
        moved = scale @ first if model.numbers and len(layers) == 1 else np.ones(first.shape[1])
        first = np.divide(first, moved, out=np.zeros_like(first), where=moved > 0.0)
        lost = first.max(axis=1) * np.abs(mean) * np.finfo(np.float64).eps
    j = int(np.argmax(lost))
    if lost[j] <= MOST_LOST:
        return
    name = repr(names[j]) if names else j
    warn(
        f"column {name}: its values are large (their mean is {mean[j]:.6g}) and too close together for a model that "
        f"takes raw inputs: rounding changes its sum by up to {lost[j]:.1g}. Subtract {mean[j]:.6g} from the column "
        "first",
        TrainingWarning,
    )
