"""Ctrl-C and SIGTERM at moments when an exception would do harm: kept, and raised afterwards. What else
is needed to end a process in time: which files are temporary, and what to say.

Python raises KeyboardInterrupt between any two of its instructions. While Numba compiles, that can be lost, or leave
the compiler in a state from which a later call fails. While a block of rows is trained on, it can leave weights that
belong to no row, which no checkpoint may hold.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Files, and folders below them, that a process removes when it ends by itself: its temporary ones.
TEMPORARY: dict[str, None] = {}
_words: list[Callable[[], str]] = []  # what to say of each run with a checkpoint that is going on


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came. It is handled wherever Ctrl-C is."""


class Held:
    """A context in which signals wait: those that came are handled when it is left, as they would have been.

    It can be entered again and again. In other threads than the main one, which gets no signals, it does nothing.
    """

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.handlers: list[tuple[int, Callable[..., Any]]] = []
        self.came: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self.numbers:
            handler = signal.getsignal(number)
            if callable(handler):  # else it is ignored, or ends the process at once
                signal.signal(number, self._keep)
                self.handlers.append((number, handler))

    def _keep(self, number: int, frame: Any) -> None:
        self.came.append((number, frame))

    def __exit__(self, *error: object) -> None:
        handlers, self.handlers = dict(self.handlers), []
        for number, handler in handlers.items():
            signal.signal(number, handler)
        came, self.came = self.came, []
        for number, frame in came:
            handlers[number](number, frame)


@contextmanager
def saying(words: Callable[[], str]) -> Iterator[None]:
    """Within this, `last_words` returns what `words` returns."""
    _words.append(words)
    try:
        yield
    finally:
        _words.remove(words)


def last_words() -> str | None:
    """What to say of the run that is going on, if the process ends now: where its checkpoint is. None without one."""
    return _words[-1]() if _words else None


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Within this, SIGTERM raises TerminatedError; when that leaves it, the process ends as SIGTERM ends it.

    So a run can write its checkpoint first. If the program has a handler of its own, that is used and nothing changes.
    """

    def stop(number: int, frame: Any) -> None:
        raise TerminatedError("terminated")

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except TerminatedError:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
