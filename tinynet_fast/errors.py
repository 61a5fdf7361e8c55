"""The package's warning, and the error for training that diverged. Nothing else lives here."""

import sys
import warnings


class TrainingWarning(UserWarning):
    """Training works, but the model will probably be of little use. The message says what is wrong and the remedy.

    It is issued if

    - a model of `train_neuron` or `train_mlp` predicts worse than the labels' shares would, or predicts the same for
      every row (from 20 rows on);
    - rows from files or blocks have the same label for very long;
    - an input only counts the rows;
    - `standardize=True` returns a model that loses digits, because values are large and close together;
    - steps overshoot on a cluster.
    """


class TrainingDivergedError(ArithmeticError):
    """The weights or the loss overflowed: the learning rate is too large for the data. No model is returned.

    Attributes
    ----------
    epoch : int
        The epoch, from 0, in which a weight or the loss stopped being a finite number.
    learning_rate : float
        The rate that was used.
    safe_learning_rate : float
        A rate that is small enough for this data. 0.0 if none is known, because the inputs or the starting weights are
        too large.
    """

    def __init__(self, epoch: int, learning_rate: float, safe_learning_rate: float) -> None:
        self.epoch = epoch
        self.learning_rate = learning_rate
        self.safe_learning_rate = safe_learning_rate
        remedy = (
            f"learning_rate={rounded_down(safe_learning_rate, 3)} is safe for this data"
            if safe_learning_rate > 0.0
            else "no rate is safe; standardise the inputs, or start from smaller weights"
        )
        super().__init__(f"training diverged in epoch {epoch} at learning_rate={learning_rate:g}: {remedy}")

    def __reduce__(self) -> tuple[type, tuple[int, float, float]]:
        return type(self), (self.epoch, self.learning_rate, self.safe_learning_rate)


def rounded_down(rate: float, digits: int) -> str:
    """Write `rate` with this many digits. It is never rounded up, so that a safe rate stays safe."""
    text = f"{rate:.{digits}g}"
    return text if float(text) <= rate else f"{rate * (1.0 - 0.5 * 10.0 ** (1 - digits)):.{digits}g}"


def warn(message: str, category: type[Warning]) -> None:
    """Issue a warning that points to the line outside this package that called it."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "tinynet_fast":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
