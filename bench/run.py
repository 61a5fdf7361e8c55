"""Run all families of benchmarks: `make bench` (quick), `make bench-full`, or `python bench/run.py --help`.

A contender is timed only after its result was shown to be equal; otherwise its difference stands beside its figure.
Prints the tables, and writes a results file, the tables in Markdown, and pictures into bench/results.
"""

import argparse
import importlib
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import family  # first: it limits NumPy's BLAS to one thread
import render
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tinynet_fast.proof.bench import core, show
from tinynet_fast.proof.bench.floors import Floors, measure_floors
from tinynet_fast.proof.bench.machine import machine, slug

RESULTS = Path(__file__).parent / "results"
FAMILIES = ("neuron", "network", "prediction", "sweep", "log_loss", "estimators", "small", "files", "start")
QUICK_ROUNDS, ROUNDS = 5, 9


def measure(names, size, console):
    """The results of each family by its title, in the order in which they were measured."""
    found = {}
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            start = time.perf_counter()
            try:
                module = importlib.import_module(name)
            except ImportError as error:
                console.print(f"{name}: {error}: skipped")
                continue
            progress.update(task, description=name)
            for title, result in module.measure(size):
                found.setdefault(title, []).append(result)
                progress.update(task, description=f"{name}: {title}: {result.problem}")
            progress.advance(task)
            console.print(f"{name}: {time.perf_counter() - start:.0f} s")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rows, problems and rounds: about an hour, 4 GB")
    parser.add_argument("--rounds", type=int, help=f"default: {QUICK_ROUNDS}, or {ROUNDS} in a full run")
    parser.add_argument(
        "--only", choices=FAMILIES, action="append", help="measure only these families; the others in the file stay"
    )
    parser.add_argument("--output", type=Path, help="the results file (default: the day and the CPU, in bench/results)")
    arguments = parser.parse_args()
    if family.TOO_LATE:
        sys.exit("bench: NumPy was imported before it could be limited to one thread")
    facts, console = machine(), Console(highlight=False, soft_wrap=False)
    today = datetime.now(UTC).date().isoformat()
    path = arguments.output or RESULTS / f"{today}-{slug(facts)}.json"
    start = time.perf_counter()
    floors = measure_floors()
    rounds = arguments.rounds or (ROUNDS if arguments.full else QUICK_ROUNDS)
    size = family.Size(arguments.full, rounds, floors)
    found = measure(arguments.only or FAMILIES, size, console)
    document = core.document(found, floors)
    if arguments.only and path.exists():  # the other families stay, each with its date
        before = json.loads(path.read_text(encoding="utf-8"))
        document["families"] = before["families"] | document["families"]
        document["machine"] = before["machine"] | document["machine"]  # with peers that are not here now
        document["floors"] = floors.or_lower(Floors(**before["floors"])).to_json()
    show.print_document(console, document)
    path.parent.mkdir(exist_ok=True)
    for written in render.write(document, path):
        console.print(f"written: {written}", soft_wrap=True)
    console.print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    family.run(main)
