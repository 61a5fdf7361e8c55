"""The benchmarks from outside: `tinynet-fast bench`, and the scripts of the folder bench. No test depends on a time."""

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_benchmarks import ROWS, SMALL_NETWORKS, _short_turns, wrong  # noqa: F401 - a fixture that every test uses

from tinynet_fast.kernels.compiler import native
from tinynet_fast.proof.bench import core, measure, network, neuron
from tinynet_fast.proof.bench.floors import Floors
from tinynet_fast.proof.bench.measure import Contender


@pytest.fixture
def small_core(monkeypatch):
    problems = [(core.NEURON, lambda: replace(neuron.neuron_problem(ROWS, 2), more=1))]
    monkeypatch.setattr(core, "core_problems", lambda quick: [*problems, (core.NETWORK, lambda: SMALL_NETWORKS[0])])
    monkeypatch.setattr(core, "measure_floors", lambda: Floors(20.0, 4.0))
    monkeypatch.setattr(core, "NEURONS", neuron.CONTENDERS[:3])
    monkeypatch.setattr(core, "NETWORKS", network.CONTENDERS[:2])


@pytest.mark.usefixtures("small_core")
def test_command(run, tmp_path):
    status, out, err = run("bench", "--quick", "--json", "b.json")
    assert (status, err) == (0, "")
    for words in ("one neuron, an epoch", "300 x 2", "plain @njit loop", "floor: the chain", "2-4-1", "20.0 GB/s"):
        assert words in out
    seen = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    assert [figure.who for figure in core.results_of(seen, core.NEURON)[0].figures] == [
        "fast",
        "strict",
        "plain @njit loop",
    ]
    status, out, _ = run("bench", "--json", "-")
    assert (status, list(json.loads(out)["families"])) == (0, [core.NEURON, core.NETWORK])
    status, out, _ = run("bench", "--json")  # as `validate --json`
    assert (status, list(json.loads(out)["families"])) == (0, [core.NEURON, core.NETWORK])
    assert run("bench", "--json", "nowhere/b.json")[0] == 2


@pytest.mark.usefixtures("small_core")
def test_command_with_a_wrong_contender(run, monkeypatch, tmp_path):
    monkeypatch.setattr(core, "NEURONS", (neuron.CONTENDERS[0], Contender("planted", wrong, 1e-12)))
    status, out, err = run("bench", "--quick", "--json", "b.json")
    assert (status, out) == (1, "")
    assert "planted has weights" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("small_core")
def test_command_interrupted(run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "take_turns", interrupt)
    status, out, err = run("bench")
    assert (status, out) == (130, "")
    assert "interrupted" in err


@pytest.fixture
def bench(monkeypatch):
    """A module of the folder bench."""
    folder = Path(__file__).parents[2] / "bench"
    monkeypatch.syspath_prepend(folder)
    return folder, importlib.import_module


def test_two_versions_are_compared(bench, tmp_path):
    """This version is compared with itself, and with one that learns something else and lacks a problem."""
    folder, module = bench
    versions = module("versions")
    head = versions.Version(folder.parent, os.environ.get("NUMBA_CACHE_DIR", ""), "0")
    other = tmp_path / "tinynet_fast"
    other.mkdir()
    (other / "__init__.py").write_text(
        "import numpy as np\n"
        "class R: pass\n"
        "def train_neuron(X, y, **options):\n"
        "    r = R(); r.model = R(); r.model.weights = np.ones(X.shape[1]); r.model.bias = 0.0; return r\n",
        encoding="utf-8",
    )
    base = versions.Version(tmp_path, tmp_path / "cache", "0")
    try:
        same = versions.compare("neuron, 2 features", head, head, 2, 0.0, 1000)
        assert same["apart"] == 0.0
        assert same["times"].shape == (2, 2)
        assert (same["times"] > 0.0).all()
        assert versions.compare("neuron, 2 features", base, head, 1, 0.0, 1000)["apart"] > 0.1
        missing = versions.compare("network, 2-4-1, full batch", base, head, 1, 0.0, 1000)
        assert missing["error"].startswith("base: ImportError")
        assert "error" in head.ask(run="no such problem", seconds=0.0)
    finally:
        head.close()
        base.close()


def test_a_change_must_show_in_every_pair_of_processes(bench):
    verdict = bench[1]("versions").verdict

    def pair(ratio):
        return np.array([[1.0, ratio * wobble] for wobble in (0.99, 1.0, 1.01)])

    assert verdict([pair(1.1), pair(1.2)])[3] == "SLOWER"
    assert verdict([pair(1.1), pair(1.0)])[3] == ""
    assert verdict([pair(0.9), pair(0.8)])[3] == "faster"
    assert verdict([pair(1.1), pair(1.2)])[1:3] == pytest.approx((1.1, 1.2))


def test_the_suite_ends_at_a_difference_and_writes_nothing(bench, tmp_path):
    """`bench/run.py` with a wrong contender: exit status 1, one line, no file."""
    folder, _ = bench
    code = (
        "import sys, runpy; sys.path.insert(0, sys.argv[1]); import family\n"
        "from tinynet_fast.proof.bench import floors, measure, neuron\n"
        "floors.measure_floors = lambda: floors.Floors(20.0, 4.0)\n"
        "right, make = neuron.CONTENDERS[0].make, neuron.neuron_problem\n"
        "wrong = lambda problem: lambda epochs: right(problem)(epochs) * (1 + 1e-9)\n"
        "neuron.CONTENDERS = (measure.Contender('planted', wrong, 1e-12),)\n"
        "neuron.neuron_problem = lambda rows, features: make(200, features)\n"
        "sys.argv[:] = ['run.py', '--only', 'neuron', '--output', sys.argv[2]]\n"
        "runpy.run_path(sys.path[0] + '/run.py', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "results.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder.parent)
    assert done.returncode == 1
    assert "planted has weights 1.0e-09 from the plain loop's" in done.stderr
    assert not list(tmp_path.iterdir())


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = sys.modules["llvmlite"] = None
from tinynet_fast.cli import app
from tinynet_fast.proof.bench import core, measure
measure.LEAST_TURN, measure.TRIES, measure.CHECKED_VALUES = 0.0, 1, 200  # as in tests of this process
# PyTorch takes longer to import than all others together, and asks nothing of Numba.
core.NEURONS, core.NETWORKS = ([c for c in table if c.needs != "torch"] for table in (core.NEURONS, core.NETWORKS))
core.core_problems = lambda quick: [
    (core.NEURON, lambda: core.neuron_problem(600, 2)),
    (core.NETWORK, lambda: core.network_problem("full batch", 300, (2, 4, 1), more=2)),
]
sys.argv = ["tinynet-fast", "bench", "--quick"]
app.main()
"""


@pytest.mark.parametrize("library", ["0", "1"])
def test_the_command_without_numba(library):
    """With and without the compiled library. Contenders that need Numba are left out and named."""
    own = os.environ | {"TINYNET_FAST_NATIVE": library, "NUMBA_DISABLE_JIT": "0", "COLUMNS": "120"}
    command = [sys.executable, "-W", "error", "-c", WITHOUT_NUMBA]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.replace("│", " ").split()) for line in done.stdout.splitlines()]
    assert "plain @njit loop not installed: skipped" in lines
    assert ("fast not installed: skipped" in lines) == (library == "0" or native.library() is None)
    assert any(line.startswith("NumPy, a row at a time ") for line in lines)
    assert lines[-1].startswith("The floors are not known: Numba")
