"""Compare the speed of two versions of this package: `make bench-compare BASE=<revision>`, before a change lands.

`make bench-native` compares the kernels in the library with those that Numba compiles from the same source.

BASE is unpacked into a temporary folder and has its own Numba cache. One process for each version runs the problems of
`worker.py`. The two take turns, so that both meet the same state of the machine, and the ratio of each round counts.
The place of a process's arrays in memory changes its times by a few percent for as long as it lives. So there are
several pairs of processes, and only a change that every pair shows is called a change. Weights are compared as well.
Counts of instructions have no noise: if `perf stat` can count them, those of one more run are compared too; if not, the
output says so.
"""

import argparse
import base64
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from trees import ROOT, environment, unpack
from worker import PROBLEMS

from tinynet_fast.kernels.compiler import native
from tinynet_fast.proof.bench.measure import distance

WORKER = Path(__file__).parent / "worker.py"
COUNTER = "instructions:u"
NOTICED = 0.02  # a ratio closer to 1 than this is never called a change


class Version:
    """A process that runs problems with one version of the package."""

    def __init__(self, folder, cache, native):
        command, pipe, own = (
            [sys.executable, str(WORKER), str(folder)],
            subprocess.PIPE,
            environment(folder, cache, native),
        )
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=own, cwd=folder)

    def ask(self, **asked):
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the process ended"}

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def instructions(folder, cache, native, name, scale):
    """The number of instructions of one run of a problem, from two processes; None if they cannot be counted."""
    counts = []
    for seconds in ([0.0], [0.0, 0.0]):
        asked = "".join(json.dumps({"run": name, "seconds": s, "scale": scale}) + "\n" for s in seconds)
        command = ["perf", "stat", "-x,", "-e", COUNTER, sys.executable, str(WORKER), str(folder)]
        own = environment(folder, cache, native)
        done = subprocess.run(command, input=asked, capture_output=True, text=True, env=own, cwd=folder, check=False)
        found = [line.split(",")[0] for line in done.stderr.splitlines() if COUNTER in line]
        if not found or not found[0].isdigit():
            return None
        counts.append(int(found[0]))
    return counts[1] - counts[0]


def can_count():
    """Whether this machine lets `perf stat` count instructions."""
    if shutil.which("perf") is None:
        return False
    done = subprocess.run(["perf", "stat", "-x,", "-e", COUNTER, "true"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stderr.split(",")[0].isdigit()


def weights_of(answer):
    return np.frombuffer(base64.b64decode(answer["weights"]))


def compare(name, base, head, rounds, seconds, scale):
    """The seconds of both versions in each round, and how far their weights are apart; or the error of one version."""
    asked = {"run": name, "scale": scale}
    first = [version.ask(**asked, seconds=0.0, weights=True) for version in (base, head)]  # compiles the kernels too
    for who, answer in zip(("base", "head"), first, strict=True):
        if "error" in answer:
            return {"error": f"{who}: {answer['error']}"}
    comp, ref = weights_of(first[1]), weights_of(first[0])
    apart = distance(comp, ref) if len(comp) == len(ref) else np.inf
    times = []
    for turn in range(rounds + 1):
        order = (base, head) if turn % 2 else (head, base)  # so that neither is always second
        found = {id(version): version.ask(**asked, seconds=seconds)["seconds"] for version in order}
        if turn:
            times.append((found[id(base)], found[id(head)]))
    return {"times": np.array(times), "apart": apart}


def verdict(pairs):
    """The median ratio over all rounds, the smallest and the largest median of a pair, and a word for it."""
    medians = [float(np.median(times[:, 1] / times[:, 0])) for times in pairs]
    low, high = min(medians), max(medians)
    together = np.concatenate(pairs)
    word = "SLOWER" if low > 1 + NOTICED else "faster" if high < 1 - NOTICED else ""
    return float(np.median(together[:, 1] / together[:, 0])), low, high, word


def run_pair(trees, names, arguments):
    """The result of `compare` for each problem, from a new pair of processes."""
    versions = [Version(*tree) for tree in trees]
    try:
        return {n: compare(n, *versions, arguments.rounds, arguments.seconds, arguments.scale) for n in names}
    finally:
        for version in versions:
            version.close()


def lines(names, pairs, count):
    """A line of the table for each problem."""
    for name in names:
        seen = [pair[name] for pair in pairs]
        failed = [found["error"] for found in seen if "error" in found]
        if failed:
            yield name, *[""] * 6, failed[0]
            continue
        ratio, low, high, word = verdict([found["times"] for found in seen])
        base, here = np.median(np.concatenate([found["times"] for found in seen]), axis=0) * 1e3
        apart = seen[0]["apart"]
        cells = f"{base:.3f}", f"{here:.3f}", f"{ratio:.3f}", f"{low:.3f} to {high:.3f}", count(name)
        yield name, *cells, f"{apart:.0e}" if apart else "0", word


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", nargs="?", help="a git revision, to compare with the files here")
    parser.add_argument(
        "--native", action="store_true", help="compare Numba's kernels with the library's, both from here"
    )
    parser.add_argument("--pairs", type=int, default=3, help="pairs of processes")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each pair")
    parser.add_argument("--seconds", type=float, default=0.05, help="the least seconds of a turn")
    parser.add_argument("--only", default="", help="only problems whose name contains this")
    parser.add_argument("--scale", type=int, default=1, help="divide the rows by this")
    arguments = parser.parse_args()
    names = [name for name in PROBLEMS if arguments.only in name]
    counts = can_count()
    table = Table("problem", "base, ms", "here, ms", "here / base", "by pair", "instructions", "weights apart", "")
    if arguments.native == bool(arguments.base):
        parser.error("name a revision, or --native")
    if arguments.native and native.library() is None:
        raise SystemExit("bench-compare: there is no library here: make native")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as caches:
        trees = (ROOT, f"{caches}/base", "0"), (ROOT, f"{caches}/head", "1")
        if not arguments.native:
            unpack(arguments.base, folder)
            trees = (folder, f"{caches}/base", "0"), (ROOT, f"{caches}/head", "0")
        pairs = [run_pair(trees, names, arguments) for _ in range(arguments.pairs)]

        def count(name):
            both = [instructions(*where, name, arguments.scale) for where in trees] if counts else [None]
            return f"{both[1] / both[0]:.4f}" if all(both) else ""

        found = list(lines(names, pairs, count))
    for cells in found:
        table.add_row(*cells)
    console = Console(highlight=False, width=max(Console().width, 120))
    console.print(table)
    if not counts:
        console.print("instructions: perf stat cannot count them here, so only times are compared")
    slower = [cells[0] for cells in found if cells[-1] == "SLOWER"]
    console.print(f"slower in every pair: {', '.join(slower) or 'none'}", soft_wrap=True)


if __name__ == "__main__":
    main()
