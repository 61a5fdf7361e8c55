"""All families of benchmarks: `make bench` (quick), `make bench-full`, or `python bench/run.py --help`.

Nothing is timed that was not shown equal, or whose difference is not stated beside the figure. Writes one results file,
the same as Markdown, and pictures, into bench/results; prints the tables.
"""

import argparse
import importlib
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import family  # first: it holds NumPy's BLAS to one thread
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tinynet_fast.modelfile import atomic_file
from tinynet_fast.proof.bench import core, show
from tinynet_fast.proof.bench.floors import measure_floors
from tinynet_fast.proof.bench.machine import machine, slug

RESULTS = Path(__file__).parent / "results"
FAMILIES = ("neuron", "network", "prediction", "sweep", "log_loss", "estimators", "files", "start")
QUICK_ROUNDS, ROUNDS = 5, 9


def measure(names, size, console):
    """Results by family's title, in the order in which they come."""
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


def write(document, path):
    """The results file, and beside it the same as Markdown and the pictures."""
    with atomic_file(path, "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    tables = [show.markdown(title, core.results_of(document, title)) for title in document["families"]]
    with atomic_file(path.with_suffix(".md"), "w") as file:
        file.write("\n".join([f"# Benchmarks of {path.stem}\n", show.facts(document) + "\n", *tables]))
    try:
        import pictures
    except ImportError as error:
        print(f"no pictures: {error}", file=sys.stderr)
        return [path]
    return [path, *pictures.draw(document, path)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rows, problems and rounds: about an hour, 4 GB")
    parser.add_argument("--rounds", type=int, help=f"default: {QUICK_ROUNDS}, or {ROUNDS} of a full run")
    parser.add_argument("--only", choices=FAMILIES, action="append", help="these families alone, into the same file")
    parser.add_argument("--output", type=Path, help="the results file (default: the day and the CPU, in bench/results)")
    arguments = parser.parse_args()
    facts, console = machine(), Console(highlight=False, soft_wrap=False)
    today = datetime.now(UTC).date().isoformat()
    path = arguments.output or RESULTS / f"{today}-{slug(facts)}.json"
    start = time.perf_counter()
    floors = measure_floors()
    rounds = arguments.rounds or (ROUNDS if arguments.full else QUICK_ROUNDS)
    size = family.Size(arguments.full, rounds, floors)
    found = measure(arguments.only or FAMILIES, size, console)
    document = core.document(found, floors)
    if arguments.only and path.exists():  # the other families stay, each with its day
        before = json.loads(path.read_text(encoding="utf-8"))
        document["families"] = before["families"] | document["families"]
    show.print_document(console, document)
    path.parent.mkdir(exist_ok=True)
    for written in write(document, path):
        console.print(f"written: {written}", soft_wrap=True)
    console.print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except family.NotEqualError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
