"""Cold start in fresh processes: imports, and the first fit with an empty and with a warm cache. Also memory."""

import os
import subprocess
import sys
import tempfile

from tinynet_fast.kernels.compiler import native
from tinynet_fast.proof.bench.measure import Result, figure

CLOCK = "import time; start = time.perf_counter()\n"
COMPILED_BY = 'import os; os.environ["TINYNET_FAST_NATIVE"] = "{}"\n'  # "0" by Numba, "1" in the library
TELL = "\nprint(time.perf_counter() - start)"
DATA = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.standard_normal((1000, {features})); y = (X[:, 0] > 0).astype(int)
"""
OURS = "from tinynet_fast import train_neuron; train_neuron(X, y, learning_rate=0.001, epochs=1)"
THEIRS = (
    "from sklearn.linear_model import SGDClassifier; SGDClassifier(loss='log_loss', max_iter=1, tol=None).fit(X, y)"
)
PYTORCH = """
import torch
net = torch.nn.Linear({features}, 1, dtype=torch.float64)
step = torch.optim.SGD(net.parameters(), lr=0.001)
torch.nn.BCEWithLogitsLoss()(net(torch.from_numpy(X)), torch.from_numpy(y.astype(float))[:, None]).backward()
step.step()
"""
MEMORY = """
from tinynet_fast import train_neuron
from tinynet_fast.rows.datasets import make_pass_fail
def peak():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
rows = make_pass_fail({rows}, 2)
train_neuron(rows.X[:1000], rows.y[:1000], learning_rate=0.001, epochs=1)
with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
    file.write("5")  # resets the peak
before = peak()
train_neuron(rows.X, rows.y, learning_rate=0.001, epochs=1)
print(peak() - before)
"""


def fresh(code, cache):
    """Run the code in a new process. Returns the number that it prints."""
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise ImportError(done.stderr)
    return float(done.stdout)


def timed(code, features=2):
    """The code with a clock around it. NumPy and the rows are loaded before the clock starts."""
    return DATA.format(features=features) + CLOCK + code.format(features=features) + TELL


def several(name, codes, rounds, cache):
    """Milliseconds of each code, in turns. Libraries that are not installed are left out."""
    values, missing = {who: [] for who in codes}, []
    for turn in range(rounds + 1):
        for who, code in codes.items():
            if who in missing:
                continue
            try:
                seconds = fresh(code, cache)
            except ImportError:
                missing.append(who)
                continue
            if turn:
                values[who].append(seconds * 1e3)
    figures = [figure(who, seen) for who, seen in values.items() if seen]
    return Result(name, 1000, 2, "ms", figures, missing=missing)


def measure(size):
    with tempfile.TemporaryDirectory() as cache:
        imports = {"tinynet_fast": "import tinynet_fast", "NumPy": "import numpy", "Numba": "import numba"}
        imports |= {"scikit-learn": "from sklearn.linear_model import SGDClassifier", "PyTorch": "import torch"}
        codes = {who: CLOCK + code + TELL for who, code in imports.items()}
        yield "cold start, fresh process", several("importing", codes, size.rounds, cache)
        fits = {"tinynet_fast, warm cache": OURS, "scikit-learn": THEIRS, "PyTorch, one batch": PYTORCH}
        codes = {who: COMPILED_BY.format(0) + timed(code) for who, code in fits.items()}
        if native.library() is not None:
            codes["tinynet_fast, compiled ahead"] = COMPILED_BY.format(1) + timed(OURS)
        yield "cold start, fresh process", several("import and first fit, 1,000 x 2", codes, size.rounds, cache)
    seconds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as empty:
            seconds.append(fresh(COMPILED_BY.format(0) + timed(OURS), empty) * 1e3)
    compiled = [figure("tinynet_fast, empty cache", seconds)]
    yield "cold start, fresh process", Result("import, compile and first fit, 1,000 x 2", 1000, 2, "ms", compiled)
    if not os.access("/proc/self/clear_refs", os.W_OK):
        return  # the peak cannot be reset here, so the peak of one call cannot be measured
    with tempfile.TemporaryDirectory() as cache:
        for n in (1_000_000, size.rows(4_000_000, 50_000_000)):
            fresh(MEMORY.format(rows=1000), cache)  # compiles the kernels
            extra = [fresh(MEMORY.format(rows=n), cache) for _ in range(3)]
            yield "memory beyond the rows", Result(f"{n:,} x 2", n, 2, "MB", [figure("tinynet_fast", extra)])
