"""What `mutants.py` needs: a record of which test runs which line, and pytest in copies of the tree."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import coverage
from code_changes import Mutant

ROOT = Path(__file__).resolve().parents[2]
KERNELS = "tinynet_fast/kernels/"  # their lines can be recorded only if they run as plain Python
# Planted mistakes are found in the code of the kernels, so any change of these lines would make their tests fail.
# Most tests of faults run other processes, whose lines are not recorded, and take long.
PROCESSES = [f"--ignore=tests/faults/test_{name}.py" for name in ("data_damaged", "interrupts", "kills", "processes")]
TESTS = {  # by whether kernels run as plain Python
    True: [
        "-k",
        "not mistake",
        "--ignore=tests/kernels/test_planted.py",
        "tests/kernels",
        "tests/proof/test_benchmarks.py",
    ],
    False: PROCESSES,
}
SECONDS = 90.0  # tests of one mutant, by the times recorded


@dataclass
class Record:
    """Seconds of each test that passes, and for each module which tests run which line."""

    seconds: dict[str, float]
    tests: dict[str, dict[int, set[str]]]

    def choose(self, mutant: Mutant) -> list[str]:
        """Tests that can notice: those that run the lines, then the others in their files. The fastest come first.

        What a fixture of a whole file runs is recorded for the first test only, so the others count, too.
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
    unwanted = (".*", "build", "dist", "spark-warehouse")  # compiled kernels are wanted
    shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*unwanted))
    (folder / "first").mkdir()
    (folder / "first/sitecustomize.py").write_text(
        "import sys, importlib.machinery\nsys.meta_path.insert(0, importlib.machinery.PathFinder)\n"
    )
    return folder / "tree"


def pytest_in(tree: Path, plain: bool, *arguments: str, timeout: float | None = None, **environment: str) -> int:
    """Run pytest in a copy of the tree; returns its exit status, or 1 if it takes too long."""
    path = os.pathsep.join(map(str, (tree, tree / "tests", tree / "tests/mutants", tree.parent / "first")))
    own = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_DISABLE_JIT": str(int(plain))}
    own["HYPOTHESIS_PROFILE"] = "mutants"
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


def record(plain: bool, workers: int) -> Record:
    """Run the tests once and record, or read what was recorded for the same tree."""
    digest = hashlib.sha256()
    for path in sorted([*ROOT.glob("tinynet_fast/**/*.py"), *ROOT.glob("tests/**/*.py")]):
        if path.parent != Path(__file__).parent:
            digest.update(path.read_bytes())
    folder = ROOT / "build/mutants" / digest.hexdigest()[:16] / ("plain" if plain else "compiled")
    if not (folder / "tests.json").exists():
        print(f"recording which test runs which line ({folder.name}); this takes some minutes", flush=True)
        for old in [*folder.parent.parent.glob("*"), folder]:  # records of other trees, and one that is not complete
            if old != folder.parent:
                shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as name:
            tree = copy_tree(Path(name))
            pytest_in(tree, plain, *TESTS[plain], f"-n{workers}", "--dist=loadfile", MUTANTS_RECORD=str(folder))
            shutil.copy(tree.parent / "log", folder / "log")
            for path in (tree / KERNELS).glob("**/*.nb?"):  # compiled just now
                shutil.copy2(path, ROOT / path.relative_to(tree))
    return Record(json.loads((folder / "tests.json").read_text()), lines_of_tests(folder))


def lines_of_tests(folder: Path) -> dict[str, dict[int, set[str]]]:
    tests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in folder.glob("lines.*"):
        data = coverage.CoverageData(str(path))
        data.read()
        for file in data.measured_files():
            module = file[file.rindex("/tree/") + len("/tree/") :]
            for line, contexts in data.contexts_by_lineno(file).items():
                tests[module][line].update(filter(None, contexts))
    return tests
