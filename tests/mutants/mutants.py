"""Put small mistakes into the package, one at a time, and see whether a test notices: `make test-mutants`.

The mistakes (mutants) are a sample, the same for the same seed. Each is written into a copy of this tree. Then only
tests that run its line are run, the fastest first, until one fails. A mutant survives if all pass. Kernels run as plain
Python. Which test runs which line is recorded in `build/mutants`; this takes some minutes for a new tree, and less if
only test files changed. With `--only` and `--tests`, a part of the tests looks at a part of the package. It takes less
time, and what survives may be caught by the other tests.

Some mutants change nothing that matters: a shortcut less, say. `equivalent.toml` lists them with reasons. An entry with
`elsewhere` does matter, but only the tests named there can notice it: they need a cluster, or run other processes.
Entries are found by their code and not by line numbers. Constants that only decide how much is done at a time have a
list by name. The exit status is 1 if too few of the others are caught.
"""

import argparse
import json
import os
import queue
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path

from code_changes import Mutant, mutants, sample
from coverage_record import DOCTESTS, KERNELS, PLUGIN, ROOT, SECONDS, Record, copy_tree, environment, record
from forks import Forks

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


class Copy:
    """A copy of the tree, with mistakes in it one at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.tree = copy_tree(folder)
        self.forks = {plain: Forks(self.tree, environment(self.tree, plain)) for plain in (False, True)}
        self.count = 0

    def catches(self, mutant: Mutant, chosen: list[str]) -> bool:
        """Whether one of the tests fails with the mutant."""
        path, plain = self.tree / mutant.key[0], mutant.key[0].startswith(KERNELS)
        source, when = path.read_bytes(), path.stat()
        path.write_bytes(mutant.apply(source))
        self.count += 1
        os.utime(path, (self.count, self.count))  # bytecode of another mutant has another time
        try:
            return any(self.fails(part, plain) for part in (chosen[:FIRST], chosen[FIRST:]) if part)
        finally:
            path.write_bytes(source)
            os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))  # its compiled file is up to date again

    def fails(self, chosen: list[str], plain: bool) -> bool:
        """Whether a test fails, or cannot be run any more."""
        tests = self.tree.parent / "tests.json"
        tests.write_text(json.dumps(chosen))
        files = dict.fromkeys(test.partition("::")[0] for test in chosen)
        forks = self.forks[plain]
        status = forks.pytest(*PLUGIN, "-x", *files, timeout=6 * SECONDS, MUTANTS_TESTS=str(tests))
        return status not in (0, 5)  # 5: none of the tests is there

    def close(self) -> None:
        for forks in self.forks.values():
            forks.close()


def main() -> int:
    options = argparse.ArgumentParser(description="Put small mistakes into the package and see which tests notice.")
    options.add_argument("-n", type=int, default=120, help="how many mutants")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--only", nargs="+", default=[""], help="modules whose path has one of these in it")
    options.add_argument(
        "--tests", nargs="+", default=["tests/", DOCTESTS], help="record and run those in these folders"
    )
    chosen = options.parse_args()
    kernels, others = (record(plain, chosen.workers, chosen.tests) for plain in (True, False))
    paths = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.glob("tinynet_fast/**/*.py"))}
    left_out = LEFT_OUT + [path for library, part in NEEDS.items() if not find_spec(library) for path in part]
    sources = {name: path.read_bytes() for name, path in paths.items() if not name.startswith(tuple(left_out))}
    found = {module: mutants(module, source) for module, source in sources.items()}
    known = {module: kernels if module.startswith(KERNELS) else others for module in found}
    unread = [module for module in found if found[module] and module not in known[module].tests]
    print(f"left out: {', '.join(left_out)}; no test here runs a line of:", ", ".join(unread) or "nothing")
    found = {module: all_ for module, all_ in found.items() if module not in unread}
    found = {module: all_ for module, all_ in found.items() if any(part in module for part in chosen.only)}
    lines = {module: len(sources[module].splitlines()) for module in found}
    return report(sample(found, lines, chosen.n, chosen.seed), found, known, chosen.workers)


def equivalent() -> tuple[dict[tuple[str, ...], str], set[tuple[str, str]]]:
    """Return the keys in `equivalent.toml`, with the tests elsewhere, and its constants: pairs of module and name."""
    entries = tomllib.loads(EQUIVALENT.read_text())
    fields = ("module", "function", "statement", "change")
    listed = {tuple(entry[field] for field in fields): entry.get("elsewhere", "") for entry in entries["mutant"]}
    return listed, {(module, name) for module, names in entries["sizes"].items() for name in names.split()}


def assigned(key: tuple[str, ...]) -> tuple[str, str] | None:
    """The module and the names that a statement outside functions assigns."""
    module, function, statement, _ = key
    return None if function else (module, statement.partition(" = ")[0].strip("()").replace(", ", ","))


def report(drawn: list[Mutant], found: dict[str, list[Mutant]], known: dict[str, Record], workers: int) -> int:
    listed, names = equivalent()
    elsewhere = {key for key, tests in listed.items() if tests}
    all_keys = {mutant.key for all_ in found.values() for mutant in all_}
    for key in (key for key in listed.keys() - all_keys if key[0] in found):
        print("equivalent.toml lists what is not there any more:", *key, sep="\n  ")
    for module, name in sorted(names - {assigned(key) for key in all_keys}):
        if module in found:
            print("equivalent.toml lists what is not there any more:", module, name, sep="\n  ")
    listed |= dict.fromkeys((key for key in all_keys if assigned(key) in names), "")
    matter = [mutant for mutant in drawn if mutant.key not in listed]
    copies: queue.Queue[Copy] = queue.Queue()

    def run(mutant: Mutant) -> bool:
        tree = copies.get()
        try:
            noticed = bool(chosen := known[mutant.key[0]].choose(mutant)) and tree.catches(mutant, chosen)
        finally:
            copies.put(tree)
        module, function, _, change = mutant.key
        print("caught  " if noticed else f"SURVIVED {len(chosen)} tests:", module, function, change, flush=True)
        if not noticed:
            print(f"[[mutant]]\n{mutant}", flush=True)
        return noticed

    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as pool, ExitStack() as stack:
        for k in range(workers):
            copies.put(stack.enter_context(closing(first := Copy(Path(name, str(k))))))
        for plain, seconds in {module.startswith(KERNELS): record.seconds for module, record in known.items()}.items():
            if seconds and first.fails(sorted(seconds, key=seconds.__getitem__)[:FIRST], plain):
                print(first.forks[plain].log.read_text(errors="replace"), "Tests fail without a mistake.", sep="\n")
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
