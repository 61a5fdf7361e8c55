"""Whether a model that was trained on standardised inputs is still exact for inputs as they came."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingWarning, warn

MOST_LOST = 0.01  # by how much rounding may change a sum without a warning: a probability by at most 0.0025


def warn_of_lost_digits(model: Any, mean: np.ndarray, names: Sequence[str] | None) -> None:
    """Warn if the rounding of weight * mean can change what the model predicts. `model` takes inputs as they came.

    A column whose values are large and close together (1.7e18 and changes of 100) has a large weight after
    standardising is undone, and its bias takes weight * mean away again: the digits that both have in common are lost.
    """
    first = model.weights[0] if isinstance(model.weights, list) else model.weights[:, np.newaxis]
    with np.errstate(over="ignore"):
        lost = np.abs(first).max(axis=1) * np.abs(mean) * np.finfo(np.float64).eps
    j = int(np.argmax(lost))
    if lost[j] <= MOST_LOST:
        return
    name = repr(names[j]) if names else j
    warn(
        f"column {name}: its values are large (their mean is {mean[j]:.6g}) and too close together for a model that "
        f"takes them as they came: rounding changes its sum by up to {lost[j]:.1g}. Subtract {mean[j]:.6g} from the "
        "column first",
        TrainingWarning,
    )
