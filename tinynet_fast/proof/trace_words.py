"""What a traced step's loss and output are called in its tables. The losses themselves are in the kernels."""

from typing import NamedTuple

from tinynet_fast.kernels.point_functions import (
    ABSOLUTE_ERROR,
    FOCAL,
    HINGE,
    HUBER,
    LEAST_SQUARES,
    LOG_LOSS,
    LOSSES,
    POISSON,
    QUANTILE,
    SQUARED_ERROR,
)

PREDICTIONS = {  # by output
    "sigmoid": "prediction = 1 / (1 + exp(-z))",
    "linear": "prediction = z",
    "exp": "prediction = exp(z)",
    "margin": "prediction = z, a margin: above 0 for the label 1",
}


class Words(NamedTuple):
    """Of a loss. {shape} stands for its delta, quantile or gamma, and {rest} for 1 - quantile."""

    name: str
    formula: str  # empty for the squared error, which a step shows anyway
    slope: str
    stepped: str  # what the slope is the derivative of


WORDS = {  # by the loss's code
    LOG_LOSS: Words("cross-entropy", "-log(probability of the label)", "error", "cross-entropy"),
    SQUARED_ERROR: Words("squared error", "", "error * 2 * prediction * (1 - prediction)", "squared error"),
    FOCAL: Words("focal loss", "-(1 - p)^{shape} * log(p), p of the label", "its derivative by z", "focal loss"),
    LEAST_SQUARES: Words("squared error", "", "error, of half the squared error", "half the squared error"),
    HUBER: Words(
        "Huber's loss",
        "e * (|error| - e / 2), e = |error|, at most {shape}",
        "error, kept from -{shape} to {shape}",
        "Huber's loss",
    ),
    ABSOLUTE_ERROR: Words("absolute error", "|error|", "1 if error > 0, -1 if error < 0", "absolute error"),
    QUANTILE: Words(
        "quantile loss",
        "{rest} * error, -{shape} * error below 0",
        "{rest} if error > 0, -{shape} if error < 0",
        "quantile loss",
    ),
    POISSON: Words("Poisson's loss", "prediction - number * z", "error", "Poisson's loss"),
    HINGE: Words("hinge loss", "1 - s * z, at least 0; s = 1 or -1", "-s if s * z <= 1, else 0", "hinge loss"),
}


def words_of(output: str, loss_name: str, shape: float | None) -> Words:
    """The words for the loss of a trace, with the number that gives it its shape."""
    of = "linear" if output in ("linear", "exp") else "labels"
    values = {} if shape is None else {"shape": f"{shape:.10g}", "rest": f"{1.0 - shape:.10g}"}
    return Words(*(part.format(**values) for part in WORDS[LOSSES[of][loss_name].code]))


def head_of(output: str, loss_name: str, shape: float | None) -> str:
    """What the first line says of a step that is not the usual one."""
    if loss_name == "log_loss":
        return ""
    shaped = "" if shape is None else f" ({shape:.10g})"
    return f", {output} output, {words_of(output, loss_name, shape).name}{shaped}"
