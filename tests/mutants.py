"""Put small mistakes into the package, one at a time, and see whether a test notices: `make test-mutants`.

The mistakes (mutants) are a sample, the same for the same seed. Each is written into a copy of this tree, and only tests
that run its line are run, the fastest first, until one fails. A mutant survives if all pass. Kernels run as plain
Python. Which test runs which line is recorded once for a tree, into `build/mutants`; this takes some minutes.

Some mutants change nothing that matters: a shortcut less, say. `equivalent_mutants.toml` lists them with reasons. They
are found by their code and not by line numbers. The exit status is 1 if too few of the others are caught.
"""

import argparse
import ast
import contextlib
import copy
import hashlib
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import coverage

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENT = ROOT / "tests/equivalent_mutants.toml"
LEFT_OUT = ("kernels/compiler/simd_llvm.py", "kernels/compiler/simd_numba.py")  # plain Python never runs their code
# Planted mistakes are found in the code of the kernels, so any change of these lines would make their tests fail.
# The tests of faults run other processes, whose lines are not recorded, and take long.
TESTS = ["-k", "not mistake", "--ignore=tests/kernels/test_planted.py", "--ignore=tests/faults"]
SECONDS = 90.0  # tests of one mutant, by the times recorded
FIRST = 20  # tests in the first round, which spares most mutants the second
ENOUGH = 0.98  # the share of mutants that must be caught

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
SWAPS = COMPARISONS | OPERATORS | {ast.And: ast.Or, ast.Or: ast.And}


# --- mutants ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """One change: `source[start:stop]` (bytes of the module) becomes `text`. `key` says which it is, without lines."""

    key: tuple[str, str, str, str]  # module, function, the first line of the statement, the change
    lines: range | None  # tests that run one of these lines may notice; None stands for the whole module
    start: int
    stop: int
    text: str

    def __str__(self) -> str:
        names = ("module", "function", "statement", "change")
        return "\n".join(f"{name} = {json.dumps(part)}" for name, part in zip(names, self.key, strict=True))

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.stop :]


def changes(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """What can be changed about this node: pairs of a node and the node that takes its place."""
    new = copy.copy(node)
    match node:
        case ast.Compare(left, ops, others):
            for k, op in enumerate(ops):
                yield node, ast.Compare(left, [*ops[:k], SWAPS[type(op)](), *ops[k + 1 :]], others)
        case ast.BinOp() | ast.BoolOp() if type(node.op) in SWAPS:
            new.op = SWAPS[type(node.op)]()
            yield node, new
        case ast.UnaryOp(op=ast.Not()):
            yield node, node.operand
        case ast.Constant() if type(node.value) is int:
            yield node, ast.Constant(node.value + 1)
        case ast.Slice():
            for bound in (node.lower, node.upper):
                if bound is not None and not isinstance(bound, ast.Constant):
                    yield bound, ast.BinOp(bound, ast.Add(), ast.Constant(1))
        case ast.AugAssign():
            yield node, ast.Pass()
            if type(node.op) in SWAPS:
                new.op = SWAPS[type(node.op)]()
                yield node, new
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, ast.Pass()
        case ast.If(body=[ast.Return() | ast.Continue() | ast.Break()], orelse=[]):
            yield node.test, ast.Constant(False)


def other_defaults(arguments: ast.arguments) -> Iterator[tuple[ast.AST, ast.AST]]:
    for default in (*arguments.defaults, *arguments.kw_defaults):
        match default:
            case ast.Constant(bool(value)):
                yield default, ast.Constant(not value)
            case ast.Constant(int(value) | float(value)):
                yield default, ast.Constant(value + 1)
            case ast.Constant(str(value)):
                yield default, ast.Constant(value + "x")


def mutants(module: str, source: bytes) -> list[Mutant]:
    """Every mutant of a module."""
    found: list[Mutant] = []
    starts = [0, *accumulate(len(line) for line in source.splitlines(keepends=True))]

    def add(old, new, name, lines, statement):
        start, stop = starts[old.lineno - 1] + old.col_offset, starts[old.end_lineno - 1] + old.end_col_offset
        text = ast.unparse(new) if isinstance(new, ast.stmt) else f"({ast.unparse(new)})"
        key = module, name, first_line(statement), f"{first_line(old)} -> {first_line(new)}"
        found.append(Mutant(key, lines, start, stop, text))

    def visit(node, name, function, statement):
        """`name` is the function's, with its classes; `statement` is the smallest around the node."""
        children = ast.iter_child_nodes(node)
        statement = node if isinstance(node, ast.stmt) else statement
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name, children = f"{name}.{node.name}".lstrip("."), node.body
        if isinstance(node, ast.FunctionDef):
            function = node
            for old, new in other_defaults(node.args):
                add(old, new, name, range(node.body[0].lineno, node.end_lineno + 1), node)
        elif isinstance(node, ast.AnnAssign):
            children = [node.value] if node.value else []
        elif isinstance(node, ast.JoinedStr):  # what is in it has no position of its own before Python 3.12
            return
        for old, new in changes(node):
            add(old, new, name, range(old.lineno, old.end_lineno + 1) if function else None, statement)
        for child in children:
            visit(child, name, function, statement)

    visit(ast.parse(source), "", None, None)
    return found


def first_line(node: ast.AST) -> str:
    lines = ast.unparse(node).split("\n")
    return next((line for line in lines if not line.startswith("@")), "")


def sample(found: dict[str, list[Mutant]], lines: dict[str, int], n: int, seed: int) -> list[Mutant]:
    """Draw n mutants. A module is drawn by its number of lines, then one of its mutants."""
    draw, left, chosen = random.Random(seed), {module: list(all_) for module, all_ in found.items()}, []
    while len(chosen) < n and (modules := [module for module in left if left[module]]):
        module = draw.choices(modules, [lines[module] for module in modules])[0]
        chosen.append(left[module].pop(draw.randrange(len(left[module]))))
    return chosen


# --- which test runs which line ---------------------------------------------------------------------------------------


@dataclass
class Record:
    """Seconds of each test that passes, and for each module which tests run which line."""

    seconds: dict[str, float]
    tests: dict[str, dict[int, set[str]]]

    def choose(self, mutant: Mutant) -> list[str]:
        """Tests that can notice: those that run the lines, then the others in their files. The fastest come first.

        What a fixture of a whole file runs is recorded for the first test only, therefore the others.
        """
        by_line = self.tests.get(mutant.key[0], {})
        lines = by_line if mutant.lines is None else mutant.lines
        sure = {test for line in lines for test in by_line.get(line, ())} & self.seconds.keys()
        files = {test.partition("::")[0] for test in sure}
        maybe = {test for test in self.seconds if test.partition("::")[0] in files} - sure
        chosen = sorted(sure, key=self.seconds.__getitem__) + sorted(maybe, key=self.seconds.__getitem__)
        total = list(accumulate(self.seconds[test] for test in chosen))
        return [test for test, end in zip(chosen, total, strict=True) if end <= SECONDS] or chosen[:1]


def copy_tree(folder: Path) -> Path:
    """A copy of the tree in a folder, and beside it what makes Python import it whatever is installed."""
    unwanted = (".*", "build", "dist", "__pycache__", "*.so", "*.dylib", "spark-warehouse")
    shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*unwanted))
    (folder / "first").mkdir()
    (folder / "first/sitecustomize.py").write_text(
        "import sys, importlib.machinery\nsys.meta_path.insert(0, importlib.machinery.PathFinder)\n"
    )
    return folder / "tree"


def pytest_in(tree: Path, *arguments: str, timeout: float | None = None, **environment: str) -> int:
    """Run pytest in a copy of the tree; returns its exit status, or 1 if it takes too long."""
    path = os.pathsep.join(map(str, (tree, tree / "tests", tree.parent / "first")))
    own = {"PYTHONPATH": path, "NUMBA_DISABLE_JIT": "1", "HYPOTHESIS_PROFILE": "mutants", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "mutants_plugin", "-p", "no:cacheprovider", *arguments]
    with open(tree.parent / "log", "wb") as log:
        process = subprocess.Popen(
            [*command, "-W", "ignore::RuntimeWarning"], cwd=tree, env=os.environ | own | environment, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return 1
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def record(workers: int) -> Record:
    """Run all tests once and record, or read what was recorded for the same tree."""
    digest = hashlib.sha256()
    for path in sorted([*ROOT.glob("tinynet_fast/**/*.py"), *ROOT.glob("tests/**/*.py")]):
        digest.update(path.read_bytes())
    folder = ROOT / "build/mutants" / digest.hexdigest()[:16]
    if not (folder / "tests.json").exists():
        print("recording which test runs which line; this takes some minutes", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as name:
            tree = copy_tree(Path(name))
            pytest_in(tree, *TESTS, f"-n{workers}", "--dist=loadfile", MUTANTS_RECORD=str(folder))
            shutil.copy(tree.parent / "log", folder / "log")
    seconds = json.loads((folder / "tests.json").read_text())
    tests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in folder.glob("lines.*"):
        data = coverage.CoverageData(str(path))
        data.read()
        for file in data.measured_files():
            module = file[file.rindex("/tree/") + len("/tree/") :]
            for line, contexts in data.contexts_by_lineno(file).items():
                tests[module][line].update(filter(None, contexts))
    return Record(seconds, tests)


# --- running ----------------------------------------------------------------------------------------------------------


def caught(mutant: Mutant, chosen: list[str], tree: Path) -> bool:
    """Whether one of the tests fails with the mutant in a copy of the tree."""
    path = tree / mutant.key[0]
    source, when = path.read_bytes(), path.stat()
    path.write_bytes(mutant.apply(source))
    try:
        return any(run_tests(part, tree) for part in (chosen[:FIRST], chosen[FIRST:]) if part)
    finally:
        path.write_bytes(source)
        os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))  # its compiled file is up to date again


def run_tests(chosen: list[str], tree: Path) -> bool:
    """Whether a test fails, or cannot be run any more."""
    (tree.parent / "tests.json").write_text(json.dumps(chosen))
    files = dict.fromkeys(test.partition("::")[0] for test in chosen)
    return pytest_in(tree, "-x", *files, timeout=6 * SECONDS, MUTANTS_TESTS=str(tree.parent / "tests.json")) != 0


def main() -> int:
    options = argparse.ArgumentParser(description="Put small mistakes into the package and see which tests notice.")
    options.add_argument("-n", type=int, default=120, help="how many mutants")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--only", default="", help="modules whose path has this in it")
    chosen = options.parse_args()
    known = record(chosen.workers)
    paths = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.glob("tinynet_fast/**/*.py"))}
    sources = {name: path.read_bytes() for name, path in paths.items() if not name.endswith(LEFT_OUT)}
    found = {module: mutants(module, source) for module, source in sources.items()}
    unread = [module for module in found if found[module] and not known.tests.get(module)]
    print("no test here runs a line of:", ", ".join(unread) or "nothing")
    found = {module: all_ for module, all_ in found.items() if module not in unread and chosen.only in module}
    lines = {module: len(sources[module].splitlines()) for module in found}
    return report(sample(found, lines, chosen.n, chosen.seed), found, known, chosen.workers)


def report(drawn: list[Mutant], found: dict[str, list[Mutant]], known: Record, workers: int) -> int:
    entries = tomllib.loads(EQUIVALENT.read_text())["mutant"]
    equivalent = {(e["module"], e["function"], e["statement"], e["change"]) for e in entries}
    keys = {mutant.key for all_ in found.values() for mutant in all_}
    for key in (key for key in equivalent - keys if key[0] in found):
        print("equivalent_mutants.toml lists what is not there any more:", *key, sep="\n  ")
    matter = [mutant for mutant in drawn if mutant.key not in equivalent]
    trees: queue.Queue[Path] = queue.Queue()

    def run(mutant: Mutant) -> bool:
        tree = trees.get()
        try:
            noticed = bool(chosen := known.choose(mutant)) and caught(mutant, chosen, tree)
        finally:
            trees.put(tree)
        if not noticed:
            print(f"\nsurvived {len(chosen)} tests:\n{mutant}", flush=True)
        return noticed

    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as pool:
        for k in range(workers):
            Path(name, str(k)).mkdir()
            trees.put(copy_tree(Path(name, str(k))))
        if run_tests(sorted(known.seconds, key=known.seconds.__getitem__)[:FIRST], Path(name, "0/tree")):
            print(Path(name, "0/log").read_text(errors="replace"), "Tests fail without a mistake.", sep="\n")
            return 2
        results = list(pool.map(run, matter))
    share = sum(results) / max(len(results), 1)
    print(f"\n{len(drawn)} mutants: {sum(results)} caught, {len(results) - sum(results)} survived, "
          f"{len(drawn) - len(matter)} do not matter; {share:.1%} caught of those that matter")  # fmt: skip
    return int(share < ENOUGH)


if __name__ == "__main__":
    sys.exit(main())
