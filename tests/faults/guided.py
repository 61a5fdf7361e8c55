"""Damage that is guided by coverage: atheris changes files so that lines of the readers are reached that were not.

    pip install atheris  # Linux and macOS
    python tests/faults/guided.py model 60  # for 60 seconds; instead of model: checkpoint, csv, npy, svmlight

It ends with a traceback, and the file that did it, if anything but a clear error or a finite model comes of a file.
"""

import json
import os
import sys
import tempfile
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np

try:
    import atheris
except ImportError:
    atheris = None
with nullcontext() if atheris is None else atheris.instrument_imports(include=["tinynet_fast"]):
    from tinynet_fast import MLP, Neuron, load, train_mlp, train_neuron
    from tinynet_fast.training.checkpoints import _checksum

X = np.random.default_rng(0).standard_normal((40, 3))
Y = (X[:, 0] > 0).astype(int)
ENDINGS = {"model": "json", "checkpoint": "json", "csv": "csv", "npy": "npy", "svmlight": "svm"}


def model(path):
    found = load(path)
    assert np.isfinite(found.predict_proba(np.zeros((2, found.n_features)))).all()
    found.save(path.with_suffix(".again"))
    assert load(path.with_suffix(".again")).labels.tolist() == found.labels.tolist()


def checkpoint(path):
    """Also with a checksum that is right, because no change would get past it."""
    try:
        content = json.loads(path.read_bytes())
        content.pop("checksum", None)
        path.write_text(json.dumps(content | {"checksum": _checksum(content)}))
    except (ValueError, AttributeError, TypeError, RecursionError):  # not JSON, or no object: it is tried as it is
        pass
    finite(train_mlp(X, Y, hidden=(2,), epochs=2, batch_size=16, seed=0, engine="numpy", checkpoint=path))


def rows(path, y):
    finite(train_neuron(path, y, epochs=1, learning_rate=1e-6, engine="numpy"))


def finite(result):
    parts = [*result.model.weights] if isinstance(result.model, MLP) else [result.model.weights]
    assert all(np.isfinite(part).all() for part in parts)


DOORS = {
    "model": model,
    "checkpoint": checkpoint,
    "csv": lambda path: rows(path, "y"),
    "npy": lambda path: rows(path, -1),
    "svmlight": lambda path: rows(path, None),
}


def first_files(kind, folder):
    """Undamaged files to begin with."""
    path = folder / f"first.{ENDINGS[kind]}"
    if kind == "model":
        Neuron(weights=[0.5, -1.0], labels=["fail", "pass"], features=["a", "b"]).save(path)
        MLP(weights=[np.ones((2, 3)), np.ones((3, 1))], biases=[np.zeros(3), np.zeros(1)]).save(folder / "second.json")
    elif kind == "checkpoint":
        train_mlp(X, Y, hidden=(2,), epochs=1, batch_size=16, seed=0, engine="numpy", checkpoint=path)
    elif kind == "npy":
        np.save(path, np.column_stack([X, Y])[:5])
    elif kind == "csv":
        path.write_text('a,"b",y\n1,2.5,pass\n-3e2,,fail\n"4","5",pass\n')
    else:
        path.write_text("1 1:0.5 3:2 # a comment\n0 2:1e3\n1 qid:1 1:-1\n")


def main(kind, seconds):
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))  # in memory
    corpus = folder / "corpus"
    corpus.mkdir()
    first_files(kind, corpus)
    path = folder / f"rows.{ENDINGS[kind]}"

    def try_one(data):
        path.write_bytes(data)
        try:
            DOORS[kind](path)
        except (ValueError, ArithmeticError) as error:  # the second: TrainingDivergedError
            message = str(error)
            assert len(message) < 500 + len(str(path)), message
            assert message.isprintable(), message

    warnings.simplefilter("ignore")
    limits = [f"-max_total_time={seconds}", "-max_len=4000", "-timeout=5", "-rss_limit_mb=2048", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(corpus)], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
