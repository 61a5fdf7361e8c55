"""What the outputs of a model stand for: a label's probability, a margin, or a number. The sums are in `base.py`."""

from typing import Any

import numpy as np

from tinynet_fast.kernels import vectorized
from tinynet_fast.kernels.engines import PORTABLE
from tinynet_fast.kernels.point_functions import HINGE, LEAST_SQUARES, LOSSES, OUTPUT_ACTIVATIONS, POISSON
from tinynet_fast.rows.arrays import as_float

SIGMOID, SOFTMAX, ONE_VS_REST, MARGIN = "sigmoid", "softmax", "one_vs_rest", "margin"  # of labels
LINEAR, EXP = "linear", "exp"  # of numbers
OUTPUTS = (SIGMOID, SOFTMAX, ONE_VS_REST, MARGIN, LINEAR, EXP)
NUMBERS = (LINEAR, EXP)
DEVIATIONS = "y_deviations"  # in `training`: the deviation of each number, if it was trained on standardised ones
FOR_ONE = {"hinge": MARGIN, "poisson": EXP}  # what a model's one output is, if its loss says so


def output_of(loss: Any, n_labels: int, one_vs_rest: bool = False) -> str:
    """The output of a model that learns `n_labels` labels, or numbers, by this loss (a `ChosenLoss`)."""
    if loss.name in FOR_ONE:
        return FOR_ONE[loss.name]
    if loss.of == "linear":
        return LINEAR
    return SIGMOID if n_labels == 2 else ONE_VS_REST if one_vs_rest else SOFTMAX


def check_output(output: Any, n_labels: int) -> str:
    """`output`, or the usual one if it is empty; ValueError if it does not go with this many labels."""
    if output == "":
        return SIGMOID if n_labels == 2 else SOFTMAX
    if not isinstance(output, str) or output not in OUTPUTS:
        raise ValueError(f"there is no output {output!r}: use one of {', '.join(OUTPUTS)}")
    if output in (SOFTMAX, ONE_VS_REST) and n_labels == 2:
        raise ValueError(f"output={output!r} is for more than two labels: use {SIGMOID!r}")
    if output == SIGMOID and n_labels != 2:
        raise ValueError(f"output={SIGMOID!r} is for two labels, not {n_labels}: use {SOFTMAX!r}")
    return output


def probabilities(z: np.ndarray, output: str, portable: bool = False) -> np.ndarray:
    """Of the second label, (n,), from the sums of one output; of each label, (n, n_labels), from several.

    One against the rest gives each label its sigmoid's share of the sum of all (Zadrozny and Elkan, KDD 2002, as in
    scikit-learn). `portable` has them be the same bits on every machine.
    """
    if portable:
        kind = OUTPUT_ACTIVATIONS[SIGMOID if output == ONE_VS_REST else output]
        p = PORTABLE.probabilities(z.reshape(len(z), -1), kind).reshape(z.shape)
    elif output == SOFTMAX:
        return np.exp(z - vectorized.log_total(z, 0, z.shape[1])[:, np.newaxis])
    else:
        p = vectorized.sigmoid(z)
    if output == ONE_VS_REST:
        total = np.add.accumulate(p, axis=1)[:, -1:] if portable else p.sum(axis=1, keepdims=True)
        return np.divide(p, total, out=np.full_like(p, 1.0 / z.shape[1]), where=total > 0.0)
    return np.asarray(p)


def numbers(z: np.ndarray, output: str, portable: bool = False) -> np.ndarray:
    """The numbers that a model predicts, from its sums. `portable` is as for `probabilities`."""
    if output == EXP and portable:
        return probabilities(z, output, portable)
    return np.asarray(vectorized.exponential(z)) if output == EXP else z


def sum_of_losses(z: np.ndarray, y: np.ndarray, output: str, loss: tuple[int, Any]) -> float:
    """The summed loss of rows, from their sums and their codes or numbers.

    Of labels it is cross-entropy, whatever they were trained by, and for margins the hinge's loss. Of numbers it is the
    `loss`, a code and its shape.
    """
    if output == SOFTMAX:
        return float(np.sum(vectorized.log_total(z, 0, z.shape[1]) - z[np.arange(len(z)), y]))
    if output == ONE_VS_REST:
        own = probabilities(z, output)[np.arange(len(z)), y]
        return float(-np.log(np.maximum(own, np.finfo(float).tiny)).sum())
    if output == SIGMOID:
        return float(np.sum(vectorized.cross_entropy(z, y)))
    if output == MARGIN:
        loss, y = (HINGE, 0.0), (np.arange(z.shape[1]) == y[:, np.newaxis] if z.ndim == 2 else y)
    code, shape = loss
    return float(np.sum(vectorized.row_loss(z, vectorized.predicted(z, code), y, code, shape)))


def loss_in(training: dict[str, Any], output: str) -> tuple[int, Any]:
    """The code and the shape of the loss that a model of numbers was trained by; the usual one if that is not known.

    If it was trained on standardised numbers, Huber's `delta` counts in their deviations: one for each output.
    """
    usual = (POISSON if output == EXP else LEAST_SQUARES), 0.0
    found = LOSSES["linear"].get(str(training.get("loss")))
    if found is None or (found.code == POISSON) != (output == EXP):
        return usual
    shape = 0.0 if found.shape is None else as_float(training.get(found.shape))
    if shape is None:
        return usual
    return found.code, shape * np.array(training.get(DEVIATIONS, 1.0)) if found.shape == "delta" else shape


def r_squared(predictions: np.ndarray, y: np.ndarray) -> float:
    """1 less the part of the variance of `y` that is left in the errors; the mean over several targets.

    A target that never changes counts as 1.0 if all its predictions are right, else as 0.0, as in scikit-learn.
    """
    errors = ((predictions - y) ** 2).sum(axis=0)
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    share = np.divide(errors, total, out=np.asarray(errors > 0.0, dtype=np.float64), where=total > 0.0)
    return float(np.mean(1.0 - share))
