"""The package: what is imported when, which module may import which, and installations that are read-only."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tinynet_fast

PACKAGE = Path(tinynet_fast.__file__).parent
LEVELS = [
    "kernels",
    "rows",
    "markup",
    "columns",
    "models",
    "scoring",
    "training",
    "cluster",
    "dask",
    "spark",
    "plots",
    "tables",
    "datasets",
    "sklearn",
    "proof",
    "cli",
]
ANYONE = {"_version", "errors"}  # LEVELS has lower ones first


def run(code, **options):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, **options).stdout


def test_importing_brings_no_heavy_library():
    loaded = json.loads(run("import sys, json, tinynet_fast; print(json.dumps(list(sys.modules)))"))
    heavy = {
        "numba",
        "llvmlite",
        "sklearn",
        "scipy",
        "matplotlib",
        "pyarrow",
        "rich",
        "typer",
        "torch",
        "pandas",
        "dask",
        "distributed",
        "pyspark",
        "onnx",
    }
    assert not heavy & {name.partition(".")[0] for name in loaded}


def test_every_name_is_there():
    for name in tinynet_fast.__all__:
        assert getattr(tinynet_fast, name) is not None
        assert name in dir(tinynet_fast)
    with pytest.raises(AttributeError, match="no attribute 'train_forest'"):
        _ = tinynet_fast.train_forest


def test_predicting_and_the_plain_engines_need_no_numba():
    run(
        "import sys; sys.modules['numba'] = None\n"
        "from tinynet_fast import Neuron, train_neuron, train_mlp\n"
        "assert Neuron(weights=[2.0], bias=-5.0).predict([1, 4]).tolist() == [0, 1]\n"
        "for engine in ('reference', 'numpy'):\n"
        "    train_neuron([1, 2], [0, 1], engine=engine); train_mlp([1, 2], [0, 1], epochs=2, engine=engine)"
    )


def level(module):
    """A module's place in the order of imports. All files of a folder have the same place."""
    part = module.removeprefix("tinynet_fast").strip(".").partition(".")[0]
    return None if part in ANYONE else LEVELS.index(part)


@cache
def package_imports():
    """Each module, and the modules of the package that it imports: at the top, in functions, for types."""
    paths = {".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts): p for p in PACKAGE.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): ast.parse(p.read_text(encoding="utf-8")) for name, p in paths.items()}
    found = {}
    for name, tree in modules.items():
        named = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                named |= (inside & modules.keys()) or {node.module}
        found[name] = sorted(named & modules.keys())
    return found


def test_imports_point_down():
    for module, named in package_imports().items():
        if module in ("tinynet_fast", "tinynet_fast.__main__") or level(module) is None:
            continue
        for name in named:
            below = level(name)
            assert below is None or below <= level(module), f"{module} imports {name}"


def test_imports_make_no_circle():
    graph = TopologicalSorter(package_imports())
    graph.prepare()  # CycleError, which names the circle


TRAIN = """
import sys
import tomllib
sys.path[:] = {path!r}
import tinynet_fast
assert tinynet_fast.__file__.startswith({package!r})
r = tinynet_fast.train_neuron([1, 2, 3, 4], [0, 0, 1, 1], weights=0.1, epochs=1000, engine="strict")
assert r.model.weights[0] == 4.3018685464211535, r.model.weights
n = tinynet_fast.train_mlp([1, 2, 3, 4], [0, 0, 1, 1], epochs=3, engine="strict")
print("trained")
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_read_only_installation_without_a_home(tmp_path):
    """There is no place for a cache: the package's folder and the home folder cannot be written to."""
    home, place = tmp_path / "home", tmp_path / "installed"
    home.mkdir()
    shutil.copytree(PACKAGE, place / "tinynet_fast", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (home, place, *place.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    environment = {k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR")}
    code = TRAIN.format(package=str(place), path=[str(place), *sys.path])
    command = [sys.executable, "-S", "-c", code]  # -S: an editable installation's hook would come first
    if os.geteuid() == 0:  # root may write anywhere unless it gives that right up
        if shutil.which("setpriv") is None:
            pytest.skip("running as root, and there is no setpriv to give up its rights")
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    try:
        done = subprocess.run(command, env=environment | {"HOME": str(home)}, capture_output=True, text=True, cwd="/")
        assert (done.stdout, done.returncode) == ("trained\n", 0), done.stderr
        assert not list(tmp_path.rglob("*.nb?"))
        assert not list(tmp_path.rglob("__pycache__"))
    finally:
        for path in (home, place, *place.rglob("*")):
            path.chmod(0o755)


def test_the_extra_for_spark_has_what_spark_itself_does_not_bring():
    """`pyspark` alone brings neither fsspec nor pandas, which it needs for functions of Arrow batches."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = " ".join(project["optional-dependencies"]["spark"])
    assert "pyspark[sql]" in extra
    assert "fsspec" in extra
