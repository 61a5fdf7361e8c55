"""What `mutants.py` needs: a record of which test runs which line, and pytest in copies of the tree."""

import hashlib
import json
import os
import shutil
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
# Most tests of faults run other processes, whose lines are not recorded, and take long.
PROCESSES = {f"tests/faults/test_{name}.py" for name in ("data_damaged", "interrupts", "kills", "processes")}
# Planted mistakes are found in the code of the kernels, so any change of these lines would make their tests fail.
PLANTED = "tests/kernels/test_planted.py"
OTHERS = ["-k", "not mistake"]
DOCTESTS = "tinynet_fast"  # the folder with the examples in docstrings
PLUGIN = ["-p", "mutants_plugin", "-p", "no:cacheprovider", "-W", "ignore::RuntimeWarning"]
SECONDS = 90.0  # tests of one mutant, by the times recorded


@dataclass
class Record:
    """Seconds of each test that passes, and for each module which tests run which line."""

    seconds: dict[str, float]
    tests: dict[str, dict[int, set[str]]]

    def choose(self, mutant: Mutant) -> list[str]:
        """Tests that can notice: those that run the lines, then the others in their files. The fastest come first.

        What a fixture of a whole file runs is recorded for the first test only, so the others count, too. If no test
        runs the lines, they may run when the module is imported, so all tests of the module count.
        """
        by_line = self.tests.get(mutant.key[0], {})
        sure: set[str] = set()
        for lines in (mutant.lines or by_line, by_line):
            sure = sure or {test for line in lines for test in by_line.get(line, ())} & self.seconds.keys()
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


def environment(tree: Path, plain: bool) -> dict[str, str]:
    """What makes Python import the package and the tests of a copy of the tree."""
    path = os.pathsep.join(map(str, (tree, tree / "tests", tree / "tests/mutants", tree.parent / "first")))
    own = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "", "NUMBA_DISABLE_JIT": str(int(plain))}
    return own | {"HYPOTHESIS_PROFILE": "mutants"}


def pytest_in(tree: Path, plain: bool, *arguments: str, **more: str) -> None:
    """Run pytest in a copy of the tree. Its output is in the file `log` beside the copy."""
    with open(tree.parent / "log", "wb") as log:
        subprocess.run(
            [sys.executable, "-m", "pytest", *PLUGIN, *arguments], cwd=tree,
            env=os.environ | environment(tree, plain) | more, stdout=log, stderr=log, check=False,
        )  # fmt: skip


def record(plain: bool, workers: int, folders: list[str]) -> Record:
    """Run the tests in these folders once and record.

    What was recorded for a test file is read again until the file, the package, or what test files share changes.
    """
    files = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("tests/**/*.py"))]
    tests = {path for path in files if path.rpartition("/")[2].startswith("test_")}
    package = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("tinynet_fast/**/*.py"))]
    shared = digest(*package, *(path for path in files if path not in tests and not path.startswith("tests/mutants/")))
    if plain:
        tests = {path for path in tests if path.startswith("tests/kernels/") and path != PLANTED}
        tests.add("tests/proof/test_benchmarks.py")
    folder = ROOT / "build/mutants" / ("plain" if plain else "compiled")
    places = {file: folder / f"{shared}-{digest(file)}.json" for file in sorted(tests - PROCESSES)}
    if not plain:
        places[DOCTESTS] = folder / f"{shared}.json"
    for place in set(folder.glob("*.json")) - set(places.values()):  # of other trees
        place.unlink()
    places = {file: place for file, place in places.items() if file.startswith(tuple(folders))}
    missing = defaultdict(list)
    for file, place in places.items():
        if not place.exists():
            missing[file.rpartition("/")[0]].append(file)
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in missing.items():  # a folder at a time, so that an interrupt loses little
        print(
            f"recording which test runs which line ({folder.name}, {name or 'examples'}, {len(part)} files)", flush=True
        )
        record_some({file: places[file] for file in part}, plain, workers, folder / "log")
    return joined([json.loads(place.read_text()) for place in places.values()])


def record_some(places: dict[str, Path], plain: bool, workers: int, log: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        tree = copy_tree(Path(name))
        (Path(name) / "record").mkdir()
        how = [*(OTHERS if plain else []), f"-n{workers}", "--dist=loadfile"]
        pytest_in(tree, plain, *how, *places, MUTANTS_RECORD=f"{name}/record")
        shutil.copy(tree.parent / "log", log)
        store(Path(name, "record"), places)
        for path in (tree / KERNELS).glob("**/*.nb?"):  # compiled just now
            place = ROOT / path.relative_to(tree)
            place.parent.mkdir(exist_ok=True)
            shutil.copy2(path, place)


def digest(*files: str) -> str:
    found = hashlib.sha256()
    for file in files:
        found.update((ROOT / file).read_bytes())
    return found.hexdigest()[:16]


def file_of(test: str) -> str:
    file = test.partition("::")[0]
    return DOCTESTS if file.startswith(DOCTESTS + "/") else file


def store(recorded: Path, places: dict[str, Path]) -> None:
    """Write what was recorded for each test file into a file of its own."""
    lines: dict[str, dict] = {file: defaultdict(lambda: defaultdict(list)) for file in places}
    for path in recorded.glob("lines.*"):
        data = coverage.CoverageData(str(path))
        data.read()
        for file in data.measured_files():
            module = file[file.rindex("/tree/") + len("/tree/") :]
            for line, contexts in data.contexts_by_lineno(file).items():
                for test in filter(None, contexts):
                    lines[file_of(test)][module][line].append(test)
    seconds: dict[str, dict[str, float]] = {file: {} for file in places}
    for test, time in json.loads((recorded / "tests.json").read_text()).items():
        seconds[file_of(test)][test] = time
    for file, place in places.items():
        place.write_text(json.dumps({"seconds": seconds[file], "tests": lines[file]}))


def joined(parts: list[dict]) -> Record:
    whole = Record({}, defaultdict(lambda: defaultdict(set)))
    for part in parts:
        whole.seconds |= part["seconds"]
        for module, lines in part["tests"].items():
            for line, tests in lines.items():
                whole.tests[module][int(line)].update(tests)
    return whole
