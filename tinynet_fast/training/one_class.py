"""The rows of one label against all others."""

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.training.options import Options


class OneClass:
    """The codes of rows for one label: 1 for its own rows, 0 for the others. Like `Codes`, made when asked for."""

    def __init__(self, codes: Any, label: int) -> None:
        self.codes, self.label = codes, label

    def __getitem__(self, part: Any) -> np.ndarray:
        return np.asarray(self.codes[part] == self.label).view(np.uint8)

    def as_floats(self, part: Any) -> np.ndarray:
        """The codes as float64."""
        return self[part].astype(np.float64)


def against_the_rest(options: Options, label: int) -> Options:
    """The options with the same rows, for the label of this code against all others. What rows count is the same."""
    rows = copy(options.in_memory)
    rows.codes = OneClass(rows.codes, label)
    return replace(options, rows=rows, labels=np.arange(2), recorded=dict(options.recorded))
