"""Ctrl-C and SIGTERM on the command line: it ends within 0.2 s, with exit status 130 or 143, whatever it is doing.

Python calls a handler between two instructions of the main thread. A call into a library can take seconds: to read a
file, to compile a kernel. So a second thread waits for signals as well, and ends the process if the main thread does
not get to them in time. No file is half written then, and temporary ones are removed.
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
TO_SAVE = 2.0  # and to write a checkpoint, if it was about to
TO_SAY = 1.0  # and to say so, if nobody reads what it says
_handled = threading.Event()
_running = False  # whether a command runs, which can be ended by an exception


def watch() -> None:
    """Take over both signals for this process, before anything is imported that takes time."""
    for number in STATUS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a shell's background job
            signal.signal(number, _handle)
    if os.name == "nt":  # where a thread would need a socket to wait at
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reading,), name="tinynet_fast-signals", daemon=True).start()


def command_runs() -> None:
    """From now on a signal raises an exception, which the command line turns into a message and an exit status."""
    global _running
    _running = True


def handled(interrupt: KeyboardInterrupt) -> int:
    """The exit status for an interrupt that has reached the command line. Later signals change nothing."""
    for number in STATUS:
        if signal.getsignal(number) is _handle:
            signal.signal(number, signal.SIG_IGN)
    _handled.set()
    return 143 if isinstance(interrupt, interrupts.TerminatedError) else 130


def said_last() -> str:
    """What became of files."""
    return interrupts.last_words() or "nothing was written"


def leave(status: int) -> NoReturn:
    """End the process: say why, remove temporary files, and take down nothing else, which would take 0.2 s."""
    lines = f"tinynet-fast: {WORDS[status]}; {printable(said_last())}\n"
    if sys.stderr is not None and sys.stderr.isatty():
        lines = f"\x1b[?25h\n{lines}"  # the cursor, which a progress bar hides
    with contextlib.suppress(OSError):
        os.write(2, lines.encode(errors="replace"))
    for path in list(interrupts.TEMPORARY):
        with contextlib.suppress(OSError):
            os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
    os._exit(status)


def _handle(number: int, frame: Any) -> None:
    if not _running:
        leave(STATUS[number])
    raise interrupts.TerminatedError if number == signal.SIGTERM else KeyboardInterrupt


def _wait(reading: int) -> None:
    while number := os.read(reading, 1):
        status = STATUS.get(number[0])
        if status is not None:
            if not _handled.wait(PATIENCE) and interrupts.saves() and (status == 143 or interrupts.TEMPORARY):
                _handled.wait(TO_SAVE)
            if not _handled.is_set():
                leave(status)
            time.sleep(TO_SAY)
            os._exit(status)
