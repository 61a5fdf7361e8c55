"""Processes that solve the battery of `validate` beside this one, with the engines that are plain Python.

Most of the time of `validate` is spent in the reference and in `numpy`, whose loops over rows hold Python's lock, so
threads do not make them faster. Each process makes the battery for itself, which takes 0.1 s, and is asked for cases by
their numbers. It needs no Numba, which takes long to import. It is not forked, so threads and locks of this process do
not matter. Arrays come back as their bytes in hexadecimal: the text of a NaN does not have all its bits.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import numpy as np

from tinynet_fast.errors import TrainingWarning
from tinynet_fast.kernels.engines import NUMPY, REFERENCE
from tinynet_fast.proof.battery import battery
from tinynet_fast.proof.problems import Problem, Solutions, can_solve

INTERPRETED = (REFERENCE, NUMPY)  # what other processes solve with
# With the modules that this process would find: they need not be those of the folder that it works in.
START = "import sys; sys.path[:] = sys.argv[2:]; from tinynet_fast.proof.solvers import serve; serve(int(sys.argv[1]))"


def interpreted_solutions(problems: Sequence[Problem]) -> dict[str, Solutions]:
    """What each of these engines makes of the problems that it can solve, by the engine's name."""
    chosen = [engine for engine in INTERPRETED if can_solve(engine, problems[0])]
    return {engine.name: [problem.solve(engine) for problem in problems] for engine in chosen}


class Solvers:
    """A process for each thread that asks, but for the thread that made this: it is told to solve by itself.

    Parameters
    ----------
    turns : int
        How often the battery is repeated.
    """

    def __init__(self, turns: int) -> None:
        self.turns, self.home, self.own = turns, threading.get_ident(), threading.local()
        self.lock, self.processes, self.closed = threading.Lock(), list[Any](), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes at once. Threads that wait for one get an error."""
        with self.lock:
            self.closed = True
            for process in self.processes:
                process.kill()
        for process in self.processes:
            process.wait()
            with suppress(OSError):  # of what was not sent
                process.stdin.close()
            process.stdout.close()

    def solve(self, number: int) -> dict[str, Solutions]:
        """The solutions of the battery's case with this number; {} if this thread has to find them by itself.

        That is so for the thread that made this, and if a process cannot be started or has ended.
        """
        if threading.get_ident() == self.home or getattr(self.own, "lost", False):
            return {}
        try:
            process = self._process()
            process.stdin.write(f"{number}\n".encode())
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
        except (OSError, ValueError):
            if self.closed:
                raise RuntimeError("validate was ended") from None
            self.own.lost = True
            return {}
        return {name: [(_array(p), _array(losses)) for p, losses in each] for name, each in found.items()}

    def _process(self) -> Any:
        if getattr(self.own, "process", None) is None:
            if not sys.executable or getattr(sys, "frozen", False):
                raise OSError("there is no Python to start")
            with self.lock:
                if self.closed:
                    raise OSError("validate was ended")
                self.own.process = subprocess.Popen(
                    [sys.executable, "-c", START, str(self.turns), *sys.path],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
                self.processes.append(self.own.process)
        return self.own.process


def serve(turns: int) -> None:
    """Solve the cases of the battery whose numbers stand on standard input, rising, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides
    asked, cases, place = _lines_of(os.dup(0)), battery(turns), -1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        while True:
            number = int(asked.get())
            while place < number:
                (_, problems, _), place = next(cases), place + 1
            found = interpreted_solutions(problems)
            as_text = {name: [[_text(p), _text(losses)] for p, losses in each] for name, each in found.items()}
            print(json.dumps(as_text), flush=True)


def _text(array: np.ndarray) -> str:
    return np.ascontiguousarray(array, dtype=np.float64).tobytes().hex()


def _array(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text))


def _lines_of(descriptor: int) -> Any:
    """A queue with the lines that come. This process ends with them, also in the middle of a case."""
    from queue import Queue

    lines: Queue[str] = Queue()

    def read() -> None:
        with open(descriptor, encoding="ascii") as file:
            for line in file:
                lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines
