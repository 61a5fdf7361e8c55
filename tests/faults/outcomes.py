"""What came of training on a damaged file: "refused" and "trained" are right, and anything else says what is wrong."""

import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tinynet_fast import TrainingDivergedError
from tinynet_fast.rows.files import EmptyFileError, TableError

LONGEST_MESSAGE, SECONDS, MEGABYTES = 500, 1.0, 200.0
CLEAR = (ValueError, TableError, EmptyFileError, TrainingDivergedError)  # these very types, and OSError with a name
UNNAMED = ("training diverged ",)  # of all rows of all files: there is no one place to name


class Costs:
    """The most CPU seconds and megabytes that one of many cases took."""

    def __init__(self):
        self.seconds = self.megabytes = 0.0

    @contextmanager
    def of_one(self):
        before, start = _resident(reset=True), time.process_time()
        try:
            yield
        finally:
            self.seconds = max(self.seconds, time.process_time() - start)
            self.megabytes = max(self.megabytes, (_resident(peak=True) - before) / 1e3)

    def check(self, name):
        print(f"{name}: at most {self.seconds:.3f} s and {self.megabytes:.0f} MB")
        assert self.seconds < SECONDS
        assert self.megabytes < MEGABYTES


def judged(case, name):
    """What came of a case on the file called `name`, and the seconds and megabytes that it took."""
    said, seconds, megabytes = _once(case, name)
    if seconds > SECONDS:  # once more: the machine may have been busy
        seconds = min(seconds, _once(case, name)[1])
    if seconds > SECONDS:
        said = f"slow: {seconds:.1f} s"
    elif megabytes > MEGABYTES:
        said = f"large: {megabytes:.0f} MB"
    return said, seconds, megabytes


def _once(case, name):
    costs = Costs()
    with costs.of_one():
        try:
            model = case()
        except BaseException as error:
            said = of_error(error, name)
        else:
            said = "trained" if np.isfinite([*model.weights, model.bias]).all() else "not finite"
    return said, costs.seconds, costs.megabytes


def learned(result):
    """All parameters and losses of a run in one vector."""
    model = result.model
    parts = [model.weights, [model.bias]] if hasattr(model, "bias") else [*model.weights, *model.biases]
    return np.concatenate([*map(np.ravel, parts), result.loss_history])


def of_error(error, name):
    """ "refused" for an error that a person can use; else what is wrong with it."""
    message = str(error)
    if type(error) not in CLEAR and not (isinstance(error, OSError) and error.filename):
        return f"foreign {type(error).__name__}: {message[:200]!r}"
    if name not in message and not message.startswith(UNNAMED):
        return f"nameless {type(error).__name__}: {message[:200]!r}"
    if len(message) > LONGEST_MESSAGE:
        return f"long, {len(message)} characters: {message[:80]!r}"
    return "refused" if message.isprintable() else f"not printable {message[:200]!r}"


def _resident(peak=False, reset=False):
    """This process's memory in KB: now, or the most since it was reset. Only Linux tells; elsewhere it is 0."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(text.split("VmHWM:" if peak else "VmRSS:")[1].split()[0])
