"""Processes that answer questions, one after the other: for scripts whose imports take longer than what they do."""

import subprocess
import sys
from contextlib import contextmanager


class Child:
    """A script that reads lines from its standard input, and ends its answer to each with the line "done"."""

    def __init__(self, script, folder, **options):
        self.errors = open(folder / "errors.txt", "w+")  # noqa: SIM115 - closed when the process has ended
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(script)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, **options,
        )  # fmt: skip

    def ask(self, *words):
        """Send a line. Gives the lines of the answer, and how the process ended if it did."""
        print(*words, file=self.process.stdin, flush=True)
        lines = []
        for line in self.process.stdout:
            if line == "done\n":
                return lines, None
            lines.append(line.rstrip("\n"))
        return lines, self.end()

    def end(self):
        self.process.stdin.close()
        status = self.process.wait()
        self.process.stdout.close()
        self.errors.seek(0)
        said = self.errors.read()
        self.errors.close()
        return f"exit status {status}: {said[-2000:]}"


@contextmanager
def asked(script, folder, **options):
    """A function that asks a child. If the child ends, the next question goes to a new one."""
    child = None

    def ask(*words):
        nonlocal child
        child = child or Child(script, folder, **options)
        lines, ended = child.ask(*words)
        child = None if ended else child
        return lines, ended

    yield ask
    if child:
        assert child.end().startswith("exit status 0")
