"""Where a network starts: its layers, and its first parameters, which are given or drawn from the seed."""

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import numpy as np

from tinynet_fast.models.layers import check_layers, flatten
from tinynet_fast.training.checks import check_one_of, check_whole
from tinynet_fast.training.draws import normal_numbers, seeded

INITS = ("normal", "glorot", "he")


def check_hidden(hidden: Any) -> list[int]:
    """The units of each hidden layer; ValueError if they are not whole numbers of at least 1."""
    widths: Any = [hidden] if np.isscalar(hidden) else hidden
    if not hasattr(widths, "__iter__"):
        raise ValueError(f"hidden is {hidden!r}; the units of each hidden layer are needed, such as hidden=(8,)")
    return [check_whole("a hidden layer's width", width) for width in widths]


def network_sizes(n_features: int, units: list[int], n_labels: int, loss: str, n_targets: int) -> list[int]:
    """The inputs, the hidden units and the outputs: one output for two labels, else one for each label.

    Without labels, there is an output for each target.
    """
    outputs = n_targets if n_labels == 0 else 1 if n_labels == 2 else n_labels
    if not units and outputs == 1:
        raise ValueError("hidden is empty: name the units of at least one layer, or use train_neuron")
    if n_labels > 2 and loss != "log_loss":
        raise ValueError(f"loss={loss!r} is for two labels and y has {n_labels}: use 'log_loss'")
    return [n_features, *units, outputs]


def first_parameters(
    weights: Any, biases: Any, sizes: list[int], init: str, init_scale: float, seed: int | None, portable: bool = False
) -> np.ndarray:
    """The starting parameters, flat; the same bits on every machine if `portable`.

    NumPy never changes RandomState's numbers, so a seed's weights never change.
    """
    check_one_of("init", init, INITS)
    _check_network(weights, biases, sizes)
    if weights is None:
        draw = seeded(seed)
        numbers = normal_numbers(draw) if portable else None
        weights = [_draw(draw, numbers, init, init_scale, a, b) for a, b in pairwise(sizes)]
    if biases is None:
        biases = [np.zeros(size) for size in sizes[1:]]
    return flatten(*check_layers(weights, biases, sizes[-1]))


def _check_network(weights: Any, biases: Any, sizes: list[int]) -> None:
    """ValueError if the start belongs to a network with other layers. `check_layers` checks everything else."""
    name, dimensions, parts = ("biases", 1, biases) if weights is None else ("weights", 2, weights)
    try:
        shapes = [np.shape(part) for part in parts]
    except (TypeError, ValueError):
        return
    if not shapes or any(len(each) != dimensions for each in shapes):
        return
    outputs = [each[-1] for each in shapes]
    inputs = [each[0] for each in shapes] if weights is not None else [sizes[0], *outputs[:-1]]
    have = [inputs[0], *outputs]
    if have != sizes and inputs[1:] == outputs[:-1]:
        shown, asked = ("-".join(map(str, each)) for each in (have, sizes))
        raise ValueError(
            f"{name} are those of a {shown} network; X, hidden and y ask for {asked}: go on with the same "
            f"inputs, hidden layers and labels, or leave {name} out"
        )


def longest_unit(start: np.ndarray, sizes: list[int]) -> float:
    """The largest length, over the units of the first layer, of a unit's weights and bias."""
    inputs, units = sizes[:2]
    largest = max(float(np.abs(start).max()), 1.0)  # so that no square overflows
    squares = (start[: (inputs + 1) * units].reshape(-1, units) / largest) ** 2  # the last row has the biases
    return largest * float(np.sqrt(squares[:-1].sum(axis=0) + squares[-1]).max())


def _draw(
    draw: np.random.RandomState,
    numbers: Iterator[float] | None,
    init: str,
    init_scale: float,
    fan_in: int,
    fan_out: int,
) -> np.ndarray:
    if init == "glorot":
        bound = np.sqrt(6.0 / (fan_in + fan_out))
        # As `uniform`, whose product and sum are one rounding on CPUs for which NumPy was compiled so (aarch64).
        return -bound + (bound - -bound) * draw.random_sample((fan_in, fan_out))
    count = fan_in * fan_out
    drawn = draw.randn(count) if numbers is None else np.array(list(islice(numbers, count)))
    return drawn.reshape(fan_in, fan_out) * (np.sqrt(2.0 / fan_in) if init == "he" else init_scale)
