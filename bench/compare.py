"""Two versions of this package in turns: `make bench-compare BASE=<revision>`, before a change lands.

BASE is unpacked into a temporary folder with a Numba cache of its own; a process for each version runs the problems of
`worker.py` in turns, so that both meet the same machine. The ratio of each round counts: their median, and how far they
spread. Weights are compared as well. Instructions would tell without noise: where `perf stat` can count them, the
instructions that a version takes for one more run are compared too; where it can't, the output says so.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
ROOT = HERE.parent
WORKER = HERE / "worker.py"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
COUNTER = "instructions:u"
NOTICED = 0.02  # a ratio nearer to 1 is not called a change, however steady it is


class Version:
    """A process that runs problems with one version of the package."""

    def __init__(self, folder, cache):
        self.environment = os.environ | dict.fromkeys(THREADS, "1")
        self.environment |= {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, str(WORKER)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=self.environment, cwd=folder)

    def ask(self, **asked):
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the process ended"}

    def instructions(self, name, scale):
        """How many instructions one more run of a problem takes, counted over two processes; None where none can."""
        counts = []
        for seconds in ([0.0], [0.0, 0.0]):
            lines = "".join(json.dumps({"run": name, "seconds": s, "scale": scale}) + "\n" for s in seconds)
            command = ["perf", "stat", "-x,", "-e", COUNTER, sys.executable, str(WORKER)]
            done = subprocess.run(
                command, input=lines, capture_output=True, text=True, env=self.environment, check=False
            )
            found = [line.split(",")[0] for line in done.stderr.splitlines() if COUNTER in line]
            if not found or not found[0].isdigit():
                return None
            counts.append(int(found[0]))
        return counts[1] - counts[0]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def can_count():
    """Whether this machine lets `perf stat` count instructions."""
    if shutil.which("perf") is None:
        return False
    done = subprocess.run(["perf", "stat", "-x,", "-e", COUNTER, "true"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stderr.split(",")[0].isdigit()


def unpack(revision, folder):
    """The tree of a revision, in a folder."""
    made = subprocess.run(["git", "-C", ROOT, "archive", revision], capture_output=True, check=False)
    if made.returncode:
        raise SystemExit(f"bench-compare: {made.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", folder], input=made.stdout, check=True)


def weights_of(answer):
    return np.frombuffer(base64.b64decode(answer["weights"]))


def compare(name, base, head, rounds, seconds, scale):
    """Base's and head's seconds in each round and how far the weights are apart; or what went wrong with one."""
    asked = {"run": name, "scale": scale}
    first = [version.ask(**asked, seconds=0.0, weights=True) for version in (base, head)]  # which compiles as well
    for who, answer in zip(("base", "head"), first, strict=True):
        if "error" in answer:
            return {"error": f"{who}: {answer['error']}"}
    comp, ref = weights_of(first[1]), weights_of(first[0])
    apart = float(np.linalg.norm(comp - ref) / max(np.linalg.norm(ref), 1e-300)) if len(comp) == len(ref) else np.inf
    times = []
    for turn in range(rounds + 1):
        order = (base, head) if turn % 2 else (head, base)  # neither is always the second
        found = {id(version): version.ask(**asked, seconds=seconds)["seconds"] for version in order}
        if turn:
            times.append((found[id(base)], found[id(head)]))
    return {"times": np.array(times), "apart": apart}


def verdict(ratios):
    """The median ratio, its quartiles, and what to call it: the quartiles agree that it is not 1, or it is noise."""
    low, median, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    word = "SLOWER" if low > 1 + NOTICED else "faster" if high < 1 - NOTICED else ""
    return median, low, high, word


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="a git revision, compared with the files as they are here")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.05, help="of a turn, at least")
    parser.add_argument("--only", default="", help="the problems whose name has this in it")
    parser.add_argument("--scale", type=int, default=1, help="divide the rows by this")
    arguments = parser.parse_args()
    sys.path.insert(0, str(HERE))
    from worker import PROBLEMS

    counts = can_count()
    table = Table("problem", "base, ms", "here, ms", "here / base", "quartiles", "instructions", "weights apart", "")
    slower = []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as caches:
        unpack(arguments.base, folder)
        versions = Version(folder, f"{caches}/base"), Version(ROOT, f"{caches}/head")
        try:
            for name in PROBLEMS:
                if arguments.only not in name:
                    continue
                seen = compare(name, *versions, arguments.rounds, arguments.seconds, arguments.scale)
                if "error" in seen:
                    table.add_row(name, *[""] * 6, seen["error"])
                    continue
                median, low, high, word = verdict(seen["times"][:, 1] / seen["times"][:, 0])
                taken = [version.instructions(name, arguments.scale) for version in versions] if counts else [None]
                counted = f"{taken[1] / taken[0]:.4f}" if all(taken) else ""
                base, head = np.median(seen["times"], axis=0) * 1e3
                cells = f"{base:.3f}", f"{head:.3f}", f"{median:.3f}", f"{low:.3f} to {high:.3f}", counted
                table.add_row(name, *cells, f"{seen['apart']:.0e}" if seen["apart"] else "0", word)
                slower += [name] if word == "SLOWER" else []
        finally:
            for version in versions:
                version.close()
    console = Console(highlight=False, width=max(Console().width, 120))
    console.print(table)
    if not counts:
        console.print("instructions: perf stat can't count them here; times alone, the least of each turn")
    console.print(f"slower beyond the noise: {', '.join(slower) or 'none'}", soft_wrap=True)


if __name__ == "__main__":
    main()
