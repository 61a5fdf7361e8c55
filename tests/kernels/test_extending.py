"""docs/extending.md is true: its changes, applied to a copy of the package, add an activation to every engine."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tinynet_fast
from tinynet_fast.kernels.compiler.jit import UNCOMPILED

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
BLOCK = re.compile(r"^```diff (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The engines against each other, and the specification's gradient against finite differences of a loss in NumPy.
TRAIN = """
import sys, importlib.machinery
sys.meta_path.insert(0, importlib.machinery.PathFinder)  # before that of an editable installation
sys.path.insert(0, sys.argv[1])
import numpy as np
import tinynet_fast
assert tinynet_fast.__file__.startswith(sys.argv[1]), tinynet_fast.__file__
from tinynet_fast import load, train_mlp

rng = np.random.default_rng(0)
X, y = rng.standard_normal((20, 3)), (np.arange(20) % 2)
weights = [rng.standard_normal((3, 5)), rng.standard_normal((5, 1))]
biases = [rng.standard_normal(5), rng.standard_normal(1)]

def flat(model):
    return np.concatenate([np.ravel(part) for layer in zip(model.weights, model.biases) for part in layer])

def train(engine, rate, epochs):
    options = {"hidden": (5,), "activation": "softsign", "weights": weights, "biases": biases}
    result = train_mlp(X, y, engine=engine, learning_rate=rate, epochs=epochs, **options)
    assert result.engine == engine, result.engine
    return result

def mean_loss(parameters):
    w1, b1, w2, b2 = np.split(parameters, [15, 20, 25])
    z = X @ w1.reshape(3, 5) + b1
    z = z / (1 + np.abs(z)) @ w2 + b2
    return np.mean(np.log1p(np.exp(np.where(y == 1, -z, z))))

ref = train("reference", 0.1, 30)
for engine in sys.argv[2:]:
    comp = train(engine, 0.1, 30)
    distance = np.linalg.norm(flat(comp.model) - flat(ref.model)) / np.linalg.norm(flat(ref.model))
    assert distance <= (0.0 if engine == "strict" else 1e-12), (engine, distance)

start = np.concatenate([weights[0].ravel(), biases[0], weights[1].ravel(), biases[1]])
gradient = (start - flat(train("reference", 0.01, 1).model)) / 0.01
for k, step in enumerate(1e-6 * np.eye(len(start))):
    slope = (mean_loss(start + step) - mean_loss(start - step)) / 2e-6
    assert abs(gradient[k] - slope) <= 1e-7, (k, gradient[k], slope)
ref.model.save(sys.argv[1] + "/model.json")
assert load(sys.argv[1] + "/model.json").activation == "softsign"
"""


def apply(block, path):
    """Replace the lines of a diff that are not added by those that are not removed; they must be there exactly once."""
    lines = block.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
    after = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
    text = path.read_text()
    assert text.count(before) == 1, f"docs/extending.md no longer fits {path.name}: {before}"
    path.write_text(text.replace(before, after))


@pytest.fixture
def extended(tmp_path):
    """A copy of the package that was changed as the page says."""
    shutil.copytree(
        Path(tinynet_fast.__file__).parent,
        tmp_path / "tinynet_fast",
        ignore=shutil.ignore_patterns("__pycache__", "libtinynet_fast.*"),
    )
    blocks = BLOCK.findall(PAGE.read_text())
    assert len({file for file, _ in blocks}) <= 3
    for file, block in blocks:
        apply(block, tmp_path / file)
    return tmp_path


def run(folder, *engines, uncompiled):
    environment = {"NUMBA_DISABLE_JIT": str(int(uncompiled)), "PATH": "", "NUMBA_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-P", "-W", "ignore::RuntimeWarning", "-c", TRAIN, str(folder), *engines]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore")
def test_the_page_adds_an_activation_to_every_engine(extended):
    run(extended, "numpy", "strict", "fast", uncompiled=True)


@pytest.mark.skipif(UNCOMPILED, reason="its process compiles whatever is said to this one: `make test` runs it")
def test_strict_has_it_compiled(extended):
    pytest.importorskip("numba", reason="Numba compiles")
    run(extended, "strict", uncompiled=False)
