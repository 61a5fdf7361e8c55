"""Runs to kill: all ways to train with a checkpoint, and the command line. See `kills_child.py`."""

import os
import sys

import numpy as np
from mutations import count

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.cli import app
from tinynet_fast.models import files
from tinynet_fast.rows import kept
from tinynet_fast.rows.blocks import Order
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.rows.files import has_pyarrow
from tinynet_fast.rows.formats import base, records
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.training.checkpoints import Checkpoint

N = 1500
EPOCHS = count(20, 60)  # with two checkpoints each: kills come at one of the first six
ROWS = make_pass_fail(N, 3)
X, Y = ROWS.X, ROWS.y.astype(np.int64)
CLASSES = Y + (X[:, 0] > np.median(X[:, 0]))
OLD = b"the old file\n"


def small_blocks():
    """Blocks of a few rows, never kept in memory: checkpoints are then written in the middle of epochs."""
    base.CHUNK_BYTES = 300 * 8 * 4
    kept.MEMORY_BYTES = 0
    Order.BLOCK_VALUES = 3 * 300
    records.CsvBytes.pieces.__defaults__ = (1 << 14,)


def fill(folder):
    """The files to train on."""
    table = np.column_stack([X, Y])
    np.save(folder / "rows.npy", table)
    np.savetxt(folder / "rows.csv", table, delimiter=",", header="a,b,c,y", comments="", fmt="%.17g")
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return
    pq.write_table(pa.table(dict(zip("abcy", table.T, strict=True))), folder / "rows.parquet", row_group_size=400)


def sparse_rows():
    stored = np.abs(X) > 0.5
    starts = np.concatenate([[0], np.cumsum(stored.sum(axis=1))]).astype(np.int64)
    return CSR(X[stored], np.nonzero(stored)[1].astype(np.int32), starts, np.arange(N), X.shape[1])


def parameters(result):
    """The bits of a model and its history."""
    model = result.model
    parts = [model.weights, model.bias] if hasattr(model, "bias") else [*model.weights, *model.biases]
    parts += [
        result.loss_history,
        *([] if result.validation_loss_history is None else [result.validation_loss_history]),
    ]
    return (
        b"".join(np.ascontiguousarray(part, np.float64).tobytes() for part in parts)
        + repr((result.best_epoch, result.epochs, result.seed)).encode()
    )


def neuron(*rows, **options):
    return lambda folder, **more: parameters(train_neuron(*(rows or (X, Y)), **(options | more)))


def network(*rows, **options):
    return lambda folder, **more: parameters(train_mlp(*(rows or (X, Y)), seed=3, **(options | more)))


def file(name, train, **options):
    target = -1 if name.endswith("npy") else "y"
    return lambda folder, **more: parameters(train(folder / name, target, seed=1, **(options | more)))


def command(*arguments, output):
    """The command line, whose result is the file that it writes."""

    def run(folder, checkpoint=None, checkpoint_seconds=0, **more):
        os.chdir(folder)
        sys.argv = ["tinynet-fast", *arguments]
        if checkpoint is not None and arguments[0] == "train":
            sys.argv += ["--checkpoint", str(checkpoint), "--checkpoint-seconds", "0"]
        stdout, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
        try:
            app.main()
        except SystemExit as status:
            if status.code:
                raise RuntimeError(f"exit status {status.code}") from None
        finally:
            sys.stdout.close()
            sys.stdout = stdout
        return (folder / output).read_bytes()

    run.output = output
    return run


ADAM = {"optimizer": "adam", "learning_rate": 0.01}
SCALED = ADAM | {"standardize": True}
TRAIN = ("train", "rows.csv", "--target", "y", "--seed", "1", "--quiet", "--model", "out.json")
JOBS = {
    "neuron": neuron(epochs=EPOCHS, callback=lambda epoch: False),
    "shuffled, averaged, validated": neuron(
        epochs=EPOCHS, shuffle=True, seed=2, average=True, validation=0.3, patience=EPOCHS
    ),
    "cosine, strict": neuron(epochs=EPOCHS, schedule="cosine", engine="strict", shuffle=True, seed=1),
    "l1 and l2": neuron(epochs=EPOCHS, l1=1e-4, l2=1e-3, shuffle=True, seed=4),
    "rate searched for": neuron(epochs=EPOCHS, learning_rate="auto", shuffle=True, seed=4, engine="strict"),
    "sparse": neuron(sparse_rows(), Y, epochs=EPOCHS, shuffle=True, seed=2),
    "CSV": file("rows.csv", train_neuron, epochs=8, standardize=True, validation=0.3),
    "Parquet": file("rows.parquet", train_neuron, epochs=10, shuffle="blocks"),
    ".npy": file("rows.npy", train_neuron, epochs=12, standardize=True, validation=0.2),
    "network": network(epochs=EPOCHS, callback=lambda epoch: False),
    "Adam, dropout, batches": network(epochs=EPOCHS, batch_size=100, dropout=0.2, shuffle=True, **ADAM),
    "network from a file": file("rows.npy", train_mlp, epochs=12, batch_size=70, validation=0.2, **SCALED),
    "softmax": network(X, CLASSES, epochs=EPOCHS, batch_size=64, shuffle=True),
    "train": command(*TRAIN, "--epochs", "10", "--learning-rate", "0.1", "--l2", "0", output="out.json"),
    "train, streamed": command(*TRAIN, "--epochs", "5", "--stream", "--hidden", "4", output="out.json"),
    "predict": command("predict", "model.json", "rows.csv", "--output", "out.csv", output="out.csv"),
    "predict, Parquet": command("predict", "model.json", "rows.csv", "--output", "out.parquet", output="out.parquet"),
}  # fmt: skip


def without(name):
    """What is missing for this job, or None."""
    if "Parquet" not in name or has_pyarrow():
        return None
    return "pyarrow"


def plant(mistake):
    """Make the package do what it must not, so that it is seen that the test would tell."""
    from tinynet_fast.training import checkpoints

    if mistake == "in place":

        def in_place(path, mode="w"):
            return files._buffered(files._Raw(str(path), "w", path), mode)

        checkpoints.atomic_file = in_place
    elif mistake == "left over":
        files.remove_left_over = checkpoints.remove_left_over = lambda *arguments: None
    elif mistake == "bits":
        write = Checkpoint.write

        def rounded(self, state, **options):
            trained = {name: array.astype(np.float32).astype(float) for name, array in state["trained"].items()}
            write(self, state | {"trained": trained}, **options)

        Checkpoint.write = rounded
    else:
        raise ValueError(mistake)
