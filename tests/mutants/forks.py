"""Pytest in forks of a process that has imported the large libraries: each run starts some seconds sooner.

`Forks` starts this file as a program. It reads a JSON line for each run and answers with the exit status of pytest. The
package and the tests are imported in the forks alone.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

LIBRARIES = (  # not Hypothesis: pytest warns if its plugin is there already
    "numpy", "scipy.sparse", "scipy.stats", "numba", "pandas", "pyarrow.csv", "pyarrow.dataset", "pyarrow.parquet",
    "sklearn.linear_model", "sklearn.model_selection", "sklearn.neural_network",
)  # fmt: skip


class Forks:
    """A process for a copy of the tree. A run that takes too long counts as failed."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.log = folder.parent / "log"
        one_thread = {"OPENBLAS_NUM_THREADS": "1"}  # threads do not survive a fork
        self.process = subprocess.Popen(
            [sys.executable, __file__], cwd=folder, env=os.environ | one_thread | environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def pytest(self, *arguments: str, timeout: float, **environment: str) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([arguments, environment, timeout, str(self.log)]), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


def fork(arguments: list[str], environment: dict[str, str], log: str) -> int:
    """Start pytest in a fork, with a session of its own; return the process id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        with open(log, "wb") as file:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.environ |= environment
        import pytest

        status = int(pytest.main(arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def main() -> None:
    for library in LIBRARIES:
        with contextlib.suppress(ImportError):
            import_module(library)
    for line in sys.stdin:
        arguments, environment, seconds, log = json.loads(line)
        pid = fork(arguments, environment, log)
        late = threading.Timer(seconds, kill, [pid])
        late.start()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        late.cancel()
        kill(pid)  # what the tests started, and what still runs
        print(1 if status < 0 else status, flush=True)


if __name__ == "__main__":
    main()
