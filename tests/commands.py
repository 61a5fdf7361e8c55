"""Commands one after another in one process of their own, where importing the package for each would take the time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Done(NamedTuple):
    """How a command ended, and the bytes that it wrote."""

    status: int
    out: bytes
    err: bytes


def run_in_child(folder, commands):
    """Run these command lines in one new process, with standard output and standard error in files."""
    command = [sys.executable, "-P", __file__, json.dumps(commands)]  # -P: modules of tests are not in its way
    subprocess.run(command, cwd=folder, check=True)
    found = []
    for i, status in enumerate(json.loads((folder / "statuses.json").read_text())):
        out, err = (folder / f"{i}.{name}" for name in ("out", "err"))
        found.append(Done(status, out.read_bytes(), err.read_bytes()))
    for path in (folder / "statuses.json", *folder.glob("[0-9]*.out"), *folder.glob("[0-9]*.err")):
        path.unlink()
    return found


def _child(commands):
    from tinynet_fast.cli.app import main

    ours, statuses = {name: getattr(sys, name) for name in ("stdout", "stderr")}, []
    for i, arguments in enumerate(commands):
        for descriptor, (name, stream) in enumerate(ours.items(), 1):
            with open(f"{i}.{name[3:]}", "wb") as file:
                os.dup2(file.fileno(), descriptor)
            # A stream as it is at the start of a process: commands change its encoding.
            fresh = open(descriptor, "w", encoding=stream.encoding, errors=stream.errors, closefd=False)  # noqa: SIM115
            setattr(sys, name, fresh)
        sys.argv = ["tinynet-fast", *arguments]
        try:
            main()
        except SystemExit as end:
            statuses.append(end.code or 0)
        sys.stdout.flush()
        sys.stderr.flush()
    Path("statuses.json").write_text(json.dumps(statuses))


if __name__ == "__main__":
    _child(json.loads(sys.argv[1]))
