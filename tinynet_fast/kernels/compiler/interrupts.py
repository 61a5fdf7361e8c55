"""Ctrl-C and SIGTERM at moments when an exception would do harm: kept, and raised afterwards.

Also what else is needed to end a process in time: which files are temporary, and what to say.

Python raises KeyboardInterrupt between any two of its instructions. While Numba compiles, that can be lost, or leave
the compiler in a state from which a later call fails. While a block of rows is trained on, it can leave weights that
belong to no row, which no checkpoint may hold.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = signal.SIGINT, signal.SIGTERM
# Files, and folders below them, that a process removes when it ends by itself: its temporary ones.
TEMPORARY: dict[str, None] = {}
_words: list[Callable[[], str]] = []  # what to say of each run with a checkpoint that is going on
_done: list[str] = []  # what to say of the last thing that was written whole


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came. It is handled wherever Ctrl-C is."""


class Held:
    """A context in which signals wait: those that came are handled when it is left, as they would have been.

    All of `SIGNALS` wait unless some are named. It can be entered again and again. In other threads than the main one,
    which gets no signals, it does nothing.
    """

    def __init__(self, *numbers: int) -> None:
        self.numbers, self.holds = numbers or SIGNALS, False
        self.handlers: dict[int, Callable[..., Any]] = {}
        self.came: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        try:
            self.holds = True
            for number in self.numbers:
                handler = signal.getsignal(number)
                if callable(handler) and handler != self._keep:  # else it is ignored, or ends the process at once
                    self.handlers[number] = handler
                    signal.signal(number, self._keep)
        except BaseException:  # of a signal that was not held yet
            self.__exit__()
            raise

    def _keep(self, number: int, frame: Any) -> None:
        """Keep a signal, or pass it on: an exception may have left this in place of the program's handler."""
        if self.holds:
            self.came.append((number, frame))
        else:
            self.handlers[number](number, frame)

    def __exit__(self, *error: object) -> None:
        self.holds = False
        try:
            for number, handler in self.handlers.items():
                if signal.getsignal(number) == self._keep:
                    signal.signal(number, handler)
        finally:
            while self.came:
                number, frame = self.came.pop(0)
                self.handlers[number](number, frame)


@contextmanager
def saying(words: Callable[[], str]) -> Iterator[None]:
    """Within this, `last_words` returns what `words` returns."""
    _words.append(words)
    try:
        yield
    finally:
        _words.remove(words)


def done(words: str) -> None:
    """Note what was written: "model.json was written"."""
    _done[:] = [words]


def last_words() -> str | None:
    """What to say if the process ends now: where the checkpoint is of the run that is going on, or what was written
    last. None without either."""
    return _words[-1]() if _words else _done[0] if _done else None


def saves() -> bool:
    """Whether a run with a checkpoint is going on."""
    return bool(_words)


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Within this, SIGTERM raises TerminatedError; when that leaves it, the process ends as SIGTERM ends it.

    So a run can write its checkpoint first. If the program has a handler of its own, that is used and nothing changes.
    A child process that is forked meanwhile ends at once.
    """
    mine = os.getpid()

    def stop(number: int, frame: Any) -> None:
        if os.getpid() != mine:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        raise TerminatedError("terminated")

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    try:
        signal.signal(signal.SIGTERM, stop)
        yield
    except TerminatedError:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        if signal.getsignal(signal.SIGTERM) is stop:  # a callback may have put its own in its place
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
