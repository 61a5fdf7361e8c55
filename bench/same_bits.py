"""Check that a restructuring changes no bit: `make same-bits BASE=<revision>` trains some 1,900 problems twice.

BASE is unpacked into a temporary folder and has its own Numba cache. One process for each version trains every problem
of `bits/` through public names, and keeps digests of all results: weights, losses, predictions, files, warnings, texts.
Every digest has to be the same. `--write` keeps the digests of one version in a file, and `--against` compares with
such a file, on the same machine with the same versions of NumPy, Numba and other packages. Differences in the texts of
errors are listed; with `--errors` they are a failure too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from trees import ROOT, environment, unpack

WORKER = Path(__file__).parent / "same_bits_worker.py"
ERRORS = "errors/"  # the names of problems that record errors begin with this
HASHES = {"PYTHONHASHSEED": "0"}
MOST_SHOWN = 200  # characters of a text that differs


def recorded(folder, only):
    """Run the worker for a tree. Returns what it recorded of every problem."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "recorded.json"
        own = environment(folder, Path(place) / "cache", "0") | HASHES
        command = [sys.executable, str(WORKER), str(folder), str(file), only]
        started = time.perf_counter()
        done = subprocess.run(command, env=own, cwd=folder, check=False)
        if done.returncode:
            raise SystemExit(f"same_bits: the process of {folder} ended with {done.returncode}")
        kept = json.loads(file.read_text(encoding="utf-8"))
    seconds = time.perf_counter() - started
    print(f"{len(kept['problems'])} problems in {seconds:.0f} s, compiling included", file=sys.stderr)
    return kept


def recorded_revision(revision, only):
    """Record a revision, or the files that are here if it is None."""
    if revision is None:
        return recorded(ROOT, only)
    with tempfile.TemporaryDirectory() as folder:
        unpack(revision, folder)
        return recorded(folder, only)


def first_difference(ref, comp):
    """Say in words where two fields differ. Each field is [kind, digest, first values]."""
    if ref[0] != comp[0]:
        return f"{ref[0]} was {shown(ref)} and {comp[0]} is {shown(comp)}"
    for place, (a, b) in enumerate(zip(ref[2], comp[2], strict=False)):
        if repr(a) != repr(b):
            return f"{ref[0]}, [{place}]: was {shortened(a, b)} and is {shortened(b, a)}"
    return f"{ref[0]}: beyond the first {len(ref[2])} values"


def shown(field):
    return shortened(field[2], None)


def shortened(value, other):
    """A value as text. A long text begins a little before the first character that differs from `other`."""
    text = repr(value)
    if len(text) <= MOST_SHOWN:
        return text
    pairs = enumerate(zip(text, repr(other), strict=False))
    start = max(next((i for i, (a, b) in pairs if a != b), 0) - MOST_SHOWN // 4, 0)
    return f"...{text[start : start + MOST_SHOWN]}..."


def differences(ref, comp):
    """One line for each field in which two records of a problem differ."""
    for place in sorted({*ref, *comp}):
        if place not in ref or place not in comp:
            yield f"{place}: only in the {'newer' if place in comp else 'older'}"
        elif ref[place][:2] != comp[place][:2]:
            yield f"{place}: {first_difference(ref[place], comp[place])}"


def compare(base, head, allow_new):
    """(group, name, lines that say what differs) of each problem."""
    old, new = base["problems"], head["problems"]
    for name in sorted({*old, *new, *base["unknown"], *head["unknown"]}):
        group = "/".join(name.split("/")[:2])
        if name in old and name in new:
            yield group, name, list(differences(old[name], new[name]))
        elif name in new:
            said = base["unknown"].get(name, "not recorded")
            yield group, name, [] if allow_new else [f"only in the newer ({said}): see --allow-new"]
        else:
            yield group, name, [f"not in the newer: {head['unknown'].get(name, 'no such problem')}"]


def check_machine(base, head):
    """End if the two were not recorded with the same CPU and packages."""
    other = [f"{key} was {value} and is {head[key]}" for key, value in base.items() if head.get(key) != value]
    if other:
        raise SystemExit(
            f"same_bits: recorded on another machine or with other packages, so bits may differ: {'; '.join(other)}"
        )


def report(found, problems):
    """Print a table of groups and every difference. Returns how many problems differ, and how many texts of errors.

    `problems` are those of the newer version. Those that ended in an error are listed: they test less than they should.
    """
    groups: dict[str, list[bool]] = {}
    for group, _, lines in found:
        groups.setdefault(group, []).append(not lines)
    table = Table("group", "problems", "equal")
    for group, equal in groups.items():
        table.add_row(group, str(len(equal)), str(sum(equal)))
    table.add_row("all", str(len(found)), str(sum(not lines for _, _, lines in found)))
    console = Console(highlight=False, markup=False, width=max(Console().width, 120))
    console.print(table)
    for _, name, lines in found:
        if lines:
            console.print("\n  ".join([name, *lines]), soft_wrap=True)
    ended = [name for name, found in problems.items() if "error" in found]
    if ended:
        console.print(f"these ended in an error: {', '.join(ended)}", soft_wrap=True)
    differing = [name for _, name, lines in found if lines]
    texts = sum(name.startswith(ERRORS) for name in differing)
    return len(differing) - texts, texts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "revision", nargs="?", help="a git revision, to compare with the files here, to write, or to compare"
    )
    parser.add_argument(
        "--write", type=Path, help="write the digests of the revision, or of the files here, to this file"
    )
    parser.add_argument("--against", type=Path, help="compare the revision, or the files here, with this file")
    parser.add_argument("--allow-new", action="store_true", help="allow problems that only the newer version knows")
    parser.add_argument("--errors", action="store_true", help="fail if texts of errors differ")
    parser.add_argument("--only", default="", help="only problems whose name contains this")
    arguments = parser.parse_args()
    if arguments.write and arguments.against:
        parser.error("--write and --against are for two runs")
    if arguments.write:
        arguments.write.write_text(json.dumps(recorded_revision(arguments.revision, arguments.only)), encoding="utf-8")
        return
    if arguments.against:
        base = json.loads(arguments.against.read_text(encoding="utf-8"))
        head = recorded_revision(arguments.revision, arguments.only)
        for part in ("problems", "unknown"):
            base[part] = {name: each for name, each in base[part].items() if arguments.only in name}
    elif arguments.revision:
        base, head = (recorded_revision(each, arguments.only) for each in (arguments.revision, None))
    else:
        parser.error("name a revision, --write or --against")
    check_machine(base["machine"], head["machine"])
    bits, texts = report(list(compare(base, head, arguments.allow_new)), head["problems"])
    print(f"{bits} problems differ, and {texts} texts of errors")
    if bits or (texts and arguments.errors):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
