"""Ctrl-C and SIGTERM on the command line: it ends within 0.2 s, with exit status 130 or 143.

Python calls a handler between two instructions of the main thread. A call into a library can take seconds, for example
to read a file or to compile a kernel. So a second thread waits for signals, too, and ends the process if the main
thread does not react in time. No file is left half written, and temporary files are removed.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from typing import Any, NoReturn

from tinynet_fast.kernels.compiler import interrupts
from tinynet_fast.rows.messages import printable

STATUS: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143}
WORDS = {130: "interrupted", 143: "terminated"}
PATIENCE = 0.1  # seconds that the main thread has to notice a signal
AGAIN = 0.005  # seconds after which an interrupt that Python could not raise is sent again
TO_SAVE = 2.0  # seconds that it has to write a checkpoint, if it keeps one
TO_SAY = 1.0  # seconds that it has to print a message, in case nobody reads it
_handled = threading.Event()
_lost: list[int] = []  # signals whose exception Python could not raise
_running = False  # whether a command runs, which can be ended by an exception


def watch() -> None:
    """Handle both signals from now on. Call this once, before imports that take time."""
    for number in STATUS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a shell's background job
            signal.signal(number, _handle)
    if os.name == "nt":  # on Windows the thread would need a socket
        return
    sys.unraisablehook = _note_lost
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reading,), name="tinynet_fast-signals", daemon=True).start()


def command_runs() -> None:
    """From now on a signal raises an exception. The command line turns it into a message and an exit status."""
    global _running
    _running = True


def handled(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status for an interrupt that has reached the command line. Later signals are ignored."""
    for number in STATUS:
        if signal.getsignal(number) is _handle:
            signal.signal(number, signal.SIG_IGN)
    _handled.set()
    return 143 if isinstance(interrupt, interrupts.TerminatedError) else 130


def said_last() -> str:
    """Say which files were written."""
    return interrupts.last_words() or "nothing was written"


def leave(status: int) -> NoReturn:
    """Say why, remove temporary files, and end the process at once: an orderly exit would take 0.2 s."""
    lines = f"tinynet-fast: {WORDS[status]}; {printable(said_last())}\n"
    if sys.stderr is not None and sys.stderr.isatty():
        lines = f"\x1b[?25h\n{lines}"  # show the cursor again, which a progress bar hides
    with contextlib.suppress(OSError):
        os.write(2, lines.encode(errors="replace"))
    for path in list(interrupts.TEMPORARY):
        with contextlib.suppress(OSError):
            os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
    os._exit(status)


def _handle(number: int, frame: Any) -> None:
    if not _running:
        leave(STATUS[number])
    if frame is not None and frame.f_code is _note_lost.__code__:  # an exception from there would be lost, too
        _lost.append(number)
        return
    raise interrupts.TerminatedError if number == signal.SIGTERM else KeyboardInterrupt


def _note_lost(ignored: "sys.UnraisableHookArgs") -> None:
    """Note an interrupt that Python could not raise, so that it is sent again; print anything else.

    Python cannot pass on an exception that is raised while it destroys an object. It would print "Exception ignored".
    """
    if isinstance(ignored.exc_value, KeyboardInterrupt):
        _lost.append(signal.SIGTERM if isinstance(ignored.exc_value, interrupts.TerminatedError) else signal.SIGINT)
    else:
        sys.__unraisablehook__(ignored)


def _in_time(seconds: float) -> bool:
    """Whether the main thread handles the signal in this time. A signal that Python could not raise is sent again."""
    end = time.monotonic() + seconds
    while not _handled.wait(AGAIN) and time.monotonic() < end:
        if _lost and sys.platform != "win32":
            signal.pthread_kill(threading.main_thread().ident or 0, _lost.pop())
    return _handled.is_set()


def _wait(reading: int) -> None:
    while number := os.read(reading, 1):
        status = STATUS.get(number[0])
        if status is not None:
            if not _in_time(PATIENCE) and interrupts.saves() and (status == 143 or interrupts.TEMPORARY):
                _in_time(TO_SAVE)
            if not _handled.is_set():
                leave(status)
            time.sleep(TO_SAY)
            os._exit(status)
