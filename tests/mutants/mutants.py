"""Put small mistakes into the package, one at a time, and see whether a test notices: `make test-mutants`.

The mistakes (mutants) are a sample, the same for the same seed. Each is written into a copy of this tree. Then only
tests that run its line are run, the fastest first, until one fails. A mutant survives if all pass. Kernels run as plain
Python. Which test runs which line is recorded in `build/mutants`; this takes some minutes for a new tree, and less if
only test files changed.

Some mutants change nothing that matters: a shortcut less, say. `equivalent.toml` lists them with reasons. An entry with
`elsewhere` does matter, but only the tests named there can notice it: they need a cluster, or run other processes.
Entries are found by their code and not by line numbers. The exit status is 1 if too few of the others are caught.
"""

import argparse
import json
import os
import queue
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from code_changes import Mutant, mutants, sample
from coverage_record import KERNELS, ROOT, SECONDS, Record, copy_tree, pytest_in, record

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
# Plain Python runs little of the compiler, and only other processes, of which nothing is recorded, run `signals`.
LEFT_OUT = [KERNELS + "compiler", "tinynet_fast/cli/signals.py"]
NEEDS = {  # libraries without which the tests of modules are skipped
    "dask": ["tinynet_fast/dask.py", "tinynet_fast/cluster/dask"],
    "pyspark": ["tinynet_fast/spark.py", "tinynet_fast/cluster/spark"],
    "fsspec": ["tinynet_fast/cluster/readers.py"],
    "torch": ["tinynet_fast/proof/trace_torch.py"],
}
FIRST = 20  # tests in the first round, which spares most mutants the second
ENOUGH = 0.98  # the share of mutants that must be caught


def caught(mutant: Mutant, chosen: list[str], tree: Path) -> bool:
    """Whether one of the tests fails with the mutant in a copy of the tree."""
    path, plain = tree / mutant.key[0], mutant.key[0].startswith(KERNELS)
    source, when = path.read_bytes(), path.stat()
    path.write_bytes(mutant.apply(source))
    try:
        return any(run_tests(part, tree, plain) for part in (chosen[:FIRST], chosen[FIRST:]) if part)
    finally:
        path.write_bytes(source)
        os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))  # its compiled file is up to date again


def run_tests(chosen: list[str], tree: Path, plain: bool) -> bool:
    """Whether a test fails, or cannot be run any more."""
    (tree.parent / "tests.json").write_text(json.dumps(chosen))
    files = dict.fromkeys(test.partition("::")[0] for test in chosen)
    status = pytest_in(tree, plain, "-x", *files, timeout=6 * SECONDS, MUTANTS_TESTS=str(tree.parent / "tests.json"))
    return status not in (0, 5)  # 5: none of the tests is there


def main() -> int:
    options = argparse.ArgumentParser(description="Put small mistakes into the package and see which tests notice.")
    options.add_argument("-n", type=int, default=120, help="how many mutants")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--only", default="", help="modules whose path has this in it")
    chosen = options.parse_args()
    kernels, others = record(True, chosen.workers), record(False, chosen.workers)
    paths = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.glob("tinynet_fast/**/*.py"))}
    left_out = LEFT_OUT + [path for library, part in NEEDS.items() if not find_spec(library) for path in part]
    sources = {name: path.read_bytes() for name, path in paths.items() if not name.startswith(tuple(left_out))}
    found = {module: mutants(module, source) for module, source in sources.items()}
    known = {module: kernels if module.startswith(KERNELS) else others for module in found}
    unread = [module for module in found if found[module] and module not in known[module].tests]
    print(f"left out: {', '.join(left_out)}; no test here runs a line of:", ", ".join(unread) or "nothing")
    found = {module: all_ for module, all_ in found.items() if module not in unread and chosen.only in module}
    lines = {module: len(sources[module].splitlines()) for module in found}
    return report(sample(found, lines, chosen.n, chosen.seed), found, known, chosen.workers)


def report(drawn: list[Mutant], found: dict[str, list[Mutant]], known: dict[str, Record], workers: int) -> int:
    entries = tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])
    listed = {(e["module"], e["function"], e["statement"], e["change"]): e.get("elsewhere", "") for e in entries}
    elsewhere = {key for key, tests in listed.items() if tests}
    keys = {mutant.key for all_ in found.values() for mutant in all_}
    for key in (key for key in listed.keys() - keys if key[0] in found):
        print("equivalent.toml lists what is not there any more:", *key, sep="\n  ")
    matter = [mutant for mutant in drawn if mutant.key not in listed]
    trees: queue.Queue[Path] = queue.Queue()

    def run(mutant: Mutant) -> bool:
        tree = trees.get()
        try:
            noticed = bool(chosen := known[mutant.key[0]].choose(mutant)) and caught(mutant, chosen, tree)
        finally:
            trees.put(tree)
        module, function, _, change = mutant.key
        print("caught  " if noticed else f"SURVIVED {len(chosen)} tests:", module, function, change, flush=True)
        if not noticed:
            print(f"[[mutant]]\n{mutant}", flush=True)
        return noticed

    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as pool:
        for k in range(workers):
            Path(name, str(k)).mkdir()
            trees.put(copy_tree(Path(name, str(k))))
        for plain, seconds in {module.startswith(KERNELS): record.seconds for module, record in known.items()}.items():
            if run_tests(sorted(seconds, key=seconds.__getitem__)[:FIRST], Path(name, "0/tree"), plain):
                print(Path(name, "0/log").read_text(errors="replace"), "Tests fail without a mistake.", sep="\n")
                return 2
        results = list(pool.map(run, matter))
    share = sum(results) / max(len(results), 1)
    others = [mutant.key in elsewhere for mutant in drawn if mutant.key in listed]
    print(f"\n{len(drawn)} mutants: {sum(results)} caught, {len(results) - sum(results)} survived, "
          f"{others.count(False)} do not matter, {others.count(True)} for tests that cannot run here; "
          f"{share:.1%} caught of those that matter here")  # fmt: skip
    return int(share < ENOUGH)


if __name__ == "__main__":
    sys.exit(main())
