"""Rows keep the numbers that they have in their files, also if others are left out: hold-out and order go by them."""

import json

import numpy as np
import pytest
from compare import parameters

from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.rows.blocks import Order
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.stream import HoldOut
from tinynet_fast.training.checkpoints import _checksum

pa = pytest.importorskip("pyarrow", reason="pyarrow reads the files")
from pyarrow import csv, parquet  # noqa: E402

N = 3000
ROWS = make_pass_fail(N, 3)
Y = ROWS.y.astype(np.int64)
GAPS = ROWS.X.copy()
GAPS[np.random.default_rng(1).random(GAPS.shape) < 0.1] = np.nan


@pytest.fixture(params=["csv", "parquet"])
def files(request, tmp_path, small):
    """The rows in three files, which are read a few rows at a time."""
    small(2000)
    paths = []
    for i, part in enumerate(np.split(np.arange(N), [500, 507])):
        table = pa.table({**{f"x{j}": GAPS[part, j] for j in range(3)}, "y": Y[part]})
        path = tmp_path / f"{i}.{request.param}"
        (csv.write_csv if request.param == "csv" else parquet.write_table)(table, path)
        paths.append(path)
    return paths


@pytest.mark.parametrize("columns", [[0], [0, 1], [1, 2], [0, 1, 2]])
def test_the_rows_held_out_do_not_depend_on_the_columns_read(files, columns):
    kept = np.isfinite(GAPS[:, columns]).all(axis=1)
    held = HoldOut(0.1, 0).held(0, N)
    names = [f"x{j}" for j in columns]
    options = {"epochs": 2, "drop_missing": True, "features": names, "validation": 0.1, "seed": 0}
    comp = train_neuron(files, "y", **options)
    trained, tested = kept & ~held, kept & held
    validation = (GAPS[tested][:, columns], Y[tested])
    ref = train_neuron(GAPS[trained][:, columns], Y[trained], epochs=2, validation=validation)
    np.testing.assert_array_equal(parameters(comp), parameters(ref))
    np.testing.assert_allclose(comp.validation_loss_history, ref.validation_loss_history, rtol=1e-13)
    assert (comp.rows, comp.dropped_rows) == (trained.sum(), N - kept.sum())


def test_blocks_of_rows_are_shuffled_by_their_numbers(files, monkeypatch):
    if files[0].suffix == ".csv":
        pytest.skip("a CSV file is read in one order")
    monkeypatch.setattr(Order, "BLOCK_VALUES", 3 * 256)
    kept, held = np.isfinite(GAPS).all(axis=1), HoldOut(0.2, 7).held(0, N)
    order = Order(7, by_blocks=True).permutation(N, 3, 0)
    order = order[(kept & ~held)[order]]
    comp = train_neuron(files, "y", epochs=1, drop_missing=True, shuffle="blocks", validation=0.2, seed=7)
    ref = train_neuron(GAPS[order], Y[order], epochs=1)
    np.testing.assert_array_equal(parameters(comp), parameters(ref))
    assert (comp.rows, comp.dropped_rows) == (len(order), N - kept.sum())


def test_all_rows_of_the_first_chunks_are_missing(tmp_path, small):
    small(100)
    X = ROWS.X.copy()
    X[:40] = np.nan
    np.save(tmp_path / "rows.npy", np.column_stack([X, Y]))
    for options in ({}, {"standardize": True}, {"learning_rate": "auto"}):
        comp = train_neuron(tmp_path / "rows.npy", -1, drop_missing=True, epochs=2, **options)
        ref = train_neuron(X[40:], Y[40:], epochs=2, **options)
        np.testing.assert_array_equal(parameters(comp), parameters(ref))
    comp = train_mlp(tmp_path / "rows.npy", -1, drop_missing=True, epochs=1, batch_size=7, seed=0)
    ref = train_mlp(X[40:], Y[40:], epochs=1, batch_size=7, seed=0)
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history)


def test_a_strange_label_is_named_by_its_row(tmp_path):
    X, y = ROWS.X[:50].copy(), Y[:50].copy()
    X[:30:3, 0] = np.nan
    y[40] = 7
    np.save(tmp_path / "rows.npy", np.column_stack([X, y]))
    with pytest.raises(TableError, match=r"rows\.npy, row 41: the label 7\.0 is not among 0\.0, 1\.0"):
        train_neuron(tmp_path / "rows.npy", -1, drop_missing=True, labels=[0.0, 1.0])


def test_a_checkpoint_of_rows_that_were_numbered_otherwise_is_refused(files, tmp_path):
    path = tmp_path / "c.json"
    options = {"drop_missing": True, "validation": 0.1, "seed": 0, "checkpoint": path}
    train_neuron(files, "y", epochs=1, **options)
    content = json.loads(path.read_text().replace('"hash of all rows"', '"hash"'))
    del content["checksum"]
    path.write_text(json.dumps(content | {"checksum": _checksum(content)}))
    with pytest.raises(ValueError, match="held_out was 'hash' and is 'hash of all rows'"):
        train_neuron(files, "y", epochs=2, **options)
