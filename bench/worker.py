"""Run one version of the package for `versions.py`, which sends lines of JSON: {"run": name} gives seconds and weights.

The folder of that version is first on the path. This uses only the public trainers, so that it works with older
versions too. If a version cannot run a problem, the answer is {"error": ...}.
"""

import base64
import json
import mmap
import sys
import time

import numpy as np
from trees import check_version


def placed(array):
    """A copy at the start of a page, whatever the version did to the memory before: its place changes the times."""
    copy = np.frombuffer(mmap.mmap(-1, array.nbytes), array.dtype).reshape(array.shape)
    copy[:] = array
    return copy


def rows(n, d, dtype=np.float64):
    rng = np.random.default_rng(0)
    X = placed(rng.standard_normal((n, d)).astype(dtype))
    return X, (X[:, 0] > rng.standard_normal(n)).astype(np.float64)


def neuron(n, d, epochs=4, dtype=np.float64, least=50, **options):
    def make(scale):
        from tinynet_fast import train_neuron

        X, y = rows(max(n // scale, least), d, dtype)

        def run():
            model = train_neuron(X, y, learning_rate=0.001, epochs=epochs, **options).model
            return np.append(model.weights, model.bias)

        return run

    return make


def network(n, d, hidden, epochs=2, least=50, **options):
    def make(scale):
        from tinynet_fast import train_mlp

        X, y = rows(max(n // scale, least), d)

        def run():
            model = train_mlp(X, y, hidden=hidden, epochs=epochs, seed=0, **options).model
            return np.concatenate([np.ravel(w) for w in model.weights])

        return run

    return make


def sweep_of(n, d, models):
    def make(scale):
        from tinynet_fast import sweep

        X, y = rows(max(n // scale, 50), d)
        return lambda: sweep(X, y, learning_rate=np.geomspace(1e-4, 1e-2, models)).weights.ravel()

    return make


def prediction(n, d):
    def make(scale):
        from tinynet_fast import Neuron

        X, _ = rows(max(n // scale, 50), d)
        model = Neuron(weights=np.linspace(-0.5, 0.5, d), bias=0.1)
        return lambda: model.predict_proba(X)[:: max(len(X) // 1000, 1)]

    return make


def sparse(n, d, stored, **options):
    def make(scale):
        import scipy.sparse as sp

        from tinynet_fast.sklearn import SGDClassifier

        rng = np.random.default_rng(0)
        few = max(n // scale, 50)
        places = np.sort(rng.integers(0, d, (few, stored)), axis=1).ravel()
        X = sp.csr_matrix((rng.standard_normal(few * stored), places, np.arange(few + 1) * stored), shape=(few, d))
        X.sum_duplicates()
        y = (np.arange(few) % 2).astype(int)
        return lambda: (
            SGDClassifier(loss="log_loss", max_iter=3, tol=None, random_state=0, **options).fit(X, y).coef_[0]
        )

    return make


PROBLEMS = {
    "neuron, 1 feature": neuron(300_000, 1),
    "neuron, 2 features": neuron(300_000, 2),
    "neuron, 16 features": neuron(200_000, 16),
    "neuron, 64 features": neuron(50_000, 64),
    "neuron, 256 features": neuron(20_000, 256),
    "neuron, 64 features, float32": neuron(50_000, 64, dtype=np.float32),
    "neuron, strict, 16 features": neuron(100_000, 16, engine="strict"),
    "neuron, l2 and averaged, 16 features": neuron(200_000, 16, l2=1e-4, average=True),
    "neuron, shuffled, 16 features": neuron(100_000, 16, shuffle=True, seed=0),
    "network, 2-4-1, full batch": network(100_000, 2, (4,)),
    "network, 16-32-1, full batch": network(50_000, 16, (32,)),
    "network, 16-32-16-1, batches of 32": network(20_000, 16, (32, 16), batch_size=32),
    "sweep, 32 rates, 16 features": sweep_of(50_000, 16, 32),
    "prediction, 2 features": prediction(1_000_000, 2),
    "prediction, 64 features": prediction(100_000, 64),
    "sparse, 50 values a row": sparse(40_000, 10_000, 50),
    "small: train_neuron, 4 rows, an epoch": neuron(4, 1, epochs=1, least=4),
    "small: train_neuron, 200 x 8, an epoch": neuron(200, 8, epochs=1),
    "small: train_mlp, 4 rows, an epoch": network(4, 1, (4,), epochs=1, least=4),
}


def answer(asked, ready):
    """Seconds of the fastest run of this turn, and its weights (base64) if they are asked for."""
    name, scale = asked["run"], asked.get("scale", 1)
    if name not in ready:
        ready[name] = PROBLEMS[name](scale)
    times, start = [], time.perf_counter()
    while not times or time.perf_counter() - start < asked["seconds"]:
        before = time.perf_counter()
        learned = ready[name]()
        times.append(time.perf_counter() - before)
    found = {"seconds": min(times)}
    if asked.get("weights"):
        found["weights"] = base64.b64encode(np.asarray(learned, np.float64).tobytes()).decode()
    return found


def main():
    check_version(sys.argv[1])
    out, ready = sys.stdout, {}
    sys.stdout = sys.stderr  # so that nothing a version prints is taken for an answer
    for line in sys.stdin:
        try:
            found = answer(json.loads(line), ready)
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), file=out, flush=True)


if __name__ == "__main__":
    main()
