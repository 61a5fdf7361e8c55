"""Rows of one label are refused from every source, before a model is returned or written."""

import numpy as np
import pytest
from shard_cluster import LocalShards
from tables import write

from tinynet_fast import sweep, train_mlp, train_neuron
from tinynet_fast.cluster.train import network, neuron
from tinynet_fast.cluster.train import sweep as sweep_shards
from tinynet_fast.rows.formats import base
from tinynet_fast.rows.sampling import row_hashes
from tinynet_fast.training import run
from tinynet_fast.training.checkpoints import Checkpoint

N = 200
A = np.random.default_rng(0).normal(size=N)
X = np.c_[A, A[::-1]]
ONE = np.zeros(N, dtype=np.int64)
ONE[3] = 1
HELD, KEPT = (next(seed for seed in range(99) if (row_hashes(seed, 3, 4)[0] < 2**63) == held) for held in (True, False))
LEFT = f"validation=0.5 with seed={HELD} leaves no row of a label: change the seed"


def blocks(y, size=64):
    return lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, N, size))


def table(tmp_path, suffix, y):
    rows = [(repr(float(a)), int(b)) for a, b in zip(A, y, strict=True)]
    if suffix == ".csv":
        return write(tmp_path / "d.csv", ["a", "y"], rows)
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    parquet.write_table(pa.table({"a": A, "y": y}), tmp_path / "d.parquet", row_group_size=32)
    return tmp_path / "d.parquet"


@pytest.mark.parametrize("train", [train_neuron, train_mlp])
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"labels": (0, 1)}, {"epochs": 1}], ids=str)
def test_a_hold_out_that_leaves_one_label(train, options, tmp_path):
    options = {"epochs": 3, "validation": 0.5, "seed": HELD, **options}
    seen = []
    for rows in ((blocks(ONE),), (table(tmp_path, ".csv", ONE), "y"), (table(tmp_path, ".parquet", ONE), "y")):
        with pytest.raises(ValueError, match=LEFT):
            train(*rows, callback=seen.append, **options)
    assert not seen
    assert train(blocks(ONE), **options | {"seed": KEPT}).epochs == options["epochs"]
    memory = next(s for s in range(99) if 3 in np.random.default_rng([s, 2**32]).permutation(N)[: N // 2])
    with pytest.raises(ValueError, match=f"validation=0.5 with seed={memory} leaves no row of a label"):
        train(X, ONE, **options | {"seed": memory})


def test_in_any_order_and_with_auto(tmp_path):
    path = table(tmp_path, ".parquet", ONE)
    for options in ({"shuffle": "blocks"}, {"learning_rate": "auto"}, {"schedule": "cosine"}):
        with pytest.raises(ValueError, match=LEFT):
            train_neuron(path, "y", validation=0.5, seed=HELD, **options)
        train_neuron(path, "y", validation=0.5, seed=KEPT, **options)


def test_a_label_of_three():
    y = np.arange(N) % 2
    y[3] = 2
    with pytest.raises(ValueError, match=LEFT):
        train_mlp(blocks(y), validation=0.5, seed=HELD, epochs=2)
    assert len(train_mlp(blocks(y), validation=0.5, seed=KEPT, epochs=2).model.labels) == 3


def test_nothing_is_written(tmp_path, run, refused):
    """Of rows that are streamed. Of a table in memory, the only row of a label is never held out."""
    table(tmp_path, ".parquet", ONE)
    args = ["train", "d.parquet", "--target", "y", "--validation", "0.5", "--seed", HELD, "--model", "m.json"]
    said = refused(*args, "--stream")
    assert "every row of a label is held out" in said or "leaves no row of a label" in said
    assert run(*args, "--epochs", "2")[0] == 0


@pytest.mark.parametrize("train", [train_neuron, train_mlp])
def test_named_labels_that_no_row_has(train):
    zeros = np.zeros(N, dtype=np.int64)
    for rows in ((X, zeros), (blocks(zeros),)):
        with pytest.raises(ValueError, match="no row has the label 1: leave it out of labels"):
            train(*rows, labels=(0, 1), epochs=2)
    with pytest.raises(ValueError, match="no row has the label 1: leave it out of labels"):
        train_neuron(blocks(zeros)(), labels=(0, 1), epochs=1)
    for shards in (neuron, network, sweep_shards):
        with pytest.raises(ValueError, match="no row has the label 1: leave it out of labels"):
            shards(LocalShards(X, zeros, [50]), labels=(0, 1))


def test_a_run_that_is_resumed_within_an_epoch_has_seen_the_rows_before(tmp_path):
    """The one row of the second label comes before the place where the run was stopped."""
    path, options = table(tmp_path, ".parquet", ONE), {"epochs": 1, "engine": "strict"}
    ref = train_neuron(path, "y", **options)
    checkpoint = tmp_path / "c.json"

    def stop(self, epoch, position, k, loss):
        if position > 3:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.Progress, "rows", stop)
        patch.setattr(base, "CHUNK_BYTES", 1024)
        with pytest.raises(KeyboardInterrupt):
            train_neuron(path, "y", checkpoint=checkpoint, checkpoint_seconds=0, progress=True, **options)
    assert 3 < Checkpoint(checkpoint, 0, True).found["state"]["rows"] < N
    comp = train_neuron(path, "y", checkpoint=checkpoint, **options)
    np.testing.assert_array_equal(comp.model.weights, ref.model.weights)


@pytest.mark.parametrize("train", [train_neuron, train_mlp, sweep])
def test_sample_weights_that_leave_one_label(train):
    y = (A > 0) * 1
    with pytest.raises(ValueError, match="sample_weight is 0 except for rows of one label, 1: training needs rows"):
        train(X, y, sample_weight=y * 1.0, epochs=1)
    one = ONE * 1.0 + (np.arange(N) % 2)
    one[3] = 0.0
    with pytest.raises(ValueError, match="sample_weight is 0 except for rows of one label, 0"):
        train(X, ONE, sample_weight=one, epochs=1)


def test_sample_weights_and_a_hold_out_that_leave_one_label():
    y = (A > 0) * 1
    weights = np.where(y == 0, 1.0, 0.0)
    weights[np.argmax(y)] = 1.0  # one row of the second label has a weight
    refusals = 0
    for seed in range(8):
        try:
            train_neuron(X, y, sample_weight=weights, validation=0.5, seed=seed, epochs=1)
        except ValueError as error:
            assert "sample_weight is 0 except for rows of one label, 0" in str(error)  # noqa: PT017
            refusals += 1
    assert 0 < refusals < 8


def test_folds_that_leave_one_label():
    weights = np.ones(N)
    y = (A > 0) * 1
    folds = np.arange(N) % 2
    weights[(y == 1) & (folds == 0)] = 0.0
    with pytest.raises(ValueError, match="without fold 1 one label is left"):
        sweep(X, y, folds=folds, sample_weight=weights)
    with pytest.raises(ValueError, match=r"without fold \d one label is left to train on"):
        sweep(X, ONE, folds=3, seed=0)
    with pytest.raises(ValueError, match=r"without fold \d one label is left"):
        sweep_shards(LocalShards(X, ONE, [50]), folds=3, seed=0)
