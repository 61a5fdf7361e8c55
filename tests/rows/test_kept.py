"""Files whose rows fit in memory are parsed once: the same weights as streamed rows, and any order of rows."""

import gzip

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow", reason="pyarrow reads the files")
from pyarrow import csv, feather, parquet  # noqa: E402

from tinynet_fast import train_mlp, train_neuron  # noqa: E402
from tinynet_fast.rows import kept, stream  # noqa: E402
from tinynet_fast.rows.datasets import make_pass_fail  # noqa: E402
from tinynet_fast.rows.formats import Source, base, open_source  # noqa: E402

NAMES = ["a", "b", "c"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """300 rows in files of each format, in chunks of about 20 rows."""
    monkeypatch.setattr(base, "CHUNK_BYTES", 500)
    rows = make_pass_fail(300, 3, seed=3)
    y = np.array(["fail", "pass"])[rows.y.astype(int)]
    table = pa.table({**{name: rows.X[:, j] for j, name in enumerate(NAMES)}, "y": y})
    csv.write_csv(table, tmp_path / "d.csv")
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress((tmp_path / "d.csv").read_bytes()))
    parquet.write_table(table, tmp_path / "d.parquet", row_group_size=70)
    feather.write_feather(table, tmp_path / "d.arrow", chunksize=70)
    return tmp_path, rows.X, y


@pytest.fixture
def parses(monkeypatch):
    """Counts how often a source is read."""
    count, chunks = [], Source.chunks

    def counted(self, *arguments):
        count.append(arguments)
        return chunks(self, *arguments)

    monkeypatch.setattr(Source, "chunks", counted)
    return count


def same(ref, comp):
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history)
    np.testing.assert_array_equal(comp.validation_loss_history, ref.validation_loss_history)
    for a, b in zip(numbers(ref.model), numbers(comp.model), strict=True):
        np.testing.assert_array_equal(b, a)


def numbers(model):
    parts = [*model.weights, *model.biases] if hasattr(model, "biases") else [model.weights, model.bias]
    return [np.asarray(part) for part in parts]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "arrow"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"validation": 0.2, "seed": 3},
        {"standardize": True},
        {"standardize": True, "validation": 0.2, "seed": 1, "patience": 2},
        {"schedule": "cosine"},
        {"drop_missing": True, "standardize": True},
    ],
)
def test_the_bits_of_streamed_rows_from_one_pass(files, parses, monkeypatch, ending, options):
    folder, _, _ = files
    comp = train_neuron(folder / f"d.{ending}", "y", epochs=6, **options)
    labels = int("drop_missing" in options)  # the pass that finds the labels
    assert len(parses) == 1 + labels
    monkeypatch.setattr(kept, "MEMORY_BYTES", 0)
    ref = train_neuron(folder / f"d.{ending}", "y", epochs=6, **options)
    assert len(parses) >= 6 + 1 + labels
    same(ref, comp)


@pytest.mark.parametrize("options", [{}, {"validation": 0.3}, {"standardize": True, "validation": 0.3}])
def test_shuffled_blocks_are_those_of_streamed_rows(files, monkeypatch, options):
    from tinynet_fast.rows.blocks import Order

    folder, _, _ = files
    monkeypatch.setattr(Order, "BLOCK_VALUES", 3 * 64)
    options = options | {"shuffle": "blocks", "seed": 5, "epochs": 4}
    comp = train_neuron(folder / "d.parquet", "y", **options)
    from_csv = train_neuron(folder / "d.csv", "y", **options)
    monkeypatch.setattr(kept, "MEMORY_BYTES", 0)
    same(train_neuron(folder / "d.parquet", "y", **options), comp)
    same(comp, from_csv)
    with pytest.raises(ValueError, match="shuffle='blocks' reads blocks in any order"):
        train_neuron(folder / "d.csv", "y", **options)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "arrow"])
def test_shuffled_rows_are_in_the_order_of_rows_in_memory(files, monkeypatch, ending):
    folder, X, y = files
    same(
        train_neuron(X, y, shuffle=True, seed=4, epochs=5, standardize=True),
        train_neuron(folder / f"d.{ending}", "y", shuffle=True, seed=4, epochs=5, standardize=True),
    )
    options = {"hidden": 3, "shuffle": True, "seed": 4, "epochs": 5, "batch_size": 16}
    same(train_mlp(X, y, **options), train_mlp(folder / f"d.{ending}", "y", **options))
    held = stream.HoldOut(0.25, 4).held(0, 300)
    comp = train_neuron(folder / f"d.{ending}", "y", shuffle=True, seed=4, epochs=5, validation=0.25)
    same(train_neuron(X[~held], y[~held], shuffle=True, seed=4, epochs=5, validation=(X[held], y[held])), comp)
    monkeypatch.setattr(kept, "MEMORY_BYTES", 300 * 3 * 8 - 1)
    with pytest.raises(ValueError, match="shuffle=True asks for all rows in memory"):
        train_neuron(folder / f"d.{ending}", "y", shuffle=True)
    monkeypatch.setattr(kept, "MEMORY_BYTES", 300 * 3 * 8)
    train_neuron(folder / f"d.{ending}", "y", shuffle=True)


def test_functions_are_called_in_each_epoch(files):
    _, X, y = files
    calls = []

    def blocks():
        calls.append(1)
        return iter([(X[:100], y[:100]), (X[100:], y[100:])])

    train_neuron(blocks, epochs=3)
    assert len(calls) >= 4
    with pytest.raises(ValueError, match="shuffle=True asks for all rows in memory"):
        train_neuron(blocks, epochs=3, shuffle=True)


def test_one_epoch_keeps_nothing(files, monkeypatch):
    """Memory stays flat if rows are read once."""
    folder, _, _ = files

    def refuse(*_):
        raise AssertionError("kept")

    monkeypatch.setattr(kept.Kept, "add", refuse)
    train_neuron(folder / "d.parquet", "y", epochs=1)
    with pytest.raises(AssertionError, match="kept"):
        train_neuron(folder / "d.parquet", "y", epochs=2)


def test_files_that_change(files, parses):
    """Rows that were read are the file's as it was; a file that changed before is refused."""
    folder, _, _ = files
    path = folder / "d.csv"

    def change(epoch):
        path.write_text("a,b,c,y\n1,2,3,pass\n")

    ref = train_neuron(folder / "d.parquet", "y", epochs=3)
    same(ref, train_neuron(path, "y", epochs=3, callback=change))
    source = open_source(folder / "d.arrow", "y")
    (folder / "d.arrow").write_bytes((folder / "d.parquet").read_bytes())
    with pytest.raises(ValueError, match=r"d\.arrow: "):
        train_neuron(source, epochs=3, labels=["fail", "pass"])


@pytest.mark.parametrize("shuffle", [False, True, "blocks"])
@pytest.mark.parametrize("standardize", [False, True])
def test_a_checkpoint_from_the_middle_of_an_epoch(files, shuffle, standardize):
    folder, _, _ = files
    options = {"epochs": 6, "shuffle": shuffle, "seed": 2, "validation": 0.2, "standardize": standardize}
    ref = train_neuron(folder / "d.parquet", "y", **options)
    from tinynet_fast.training.checkpoints import Checkpoint

    class Stop(Exception):
        pass

    for after in (2, 5, 9):
        path, write, count = folder / f"{after}.json", Checkpoint.write, []

        def stopped(self, *arguments, after=after, write=write, count=count, **named):
            write(self, *arguments, **named)
            count.append(1)
            if len(count) == after:
                raise Stop

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Checkpoint, "write", stopped)
            with pytest.raises(Stop):
                train_neuron(folder / "d.parquet", "y", checkpoint=path, checkpoint_seconds=0, **options)
        same(ref, train_neuron(folder / "d.parquet", "y", checkpoint=path, **options))


def test_sorted_rows_that_are_kept_can_be_shuffled(tmp_path):
    """The remedy for a file whose rows are in memory is the one for rows in memory."""
    from tinynet_fast.errors import TrainingWarning

    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(-0.3, 1.0, (400, 2)), rng.normal(0.3, 1.0, (400, 2))])
    np.save(tmp_path / "x.npy", X)
    y = np.repeat([0, 1], 400)
    with pytest.warns(TrainingWarning, match="sorted by label.*: use shuffle=True"):
        train_neuron(tmp_path / "x.npy", y, epochs=5, learning_rate=0.5)


def test_sparse_rows_are_kept_while_their_values_fit(tmp_path, parses, monkeypatch):
    """A stored value takes the memory of two numbers, with its column."""
    path = tmp_path / "d.svm"
    path.write_text("".join(f"{k % 2} {1 + k % 9}:{k}.5\n" for k in range(200)))
    monkeypatch.setattr(base, "CHUNK_BYTES", 500)
    for memory, times in [(200 * 2 * 8, 1), (200 * 2 * 8 - 1, 3)]:
        monkeypatch.setattr(kept, "MEMORY_BYTES", memory)
        parses.clear()
        train_neuron(path, epochs=3, learning_rate=1e-6)
        assert len(parses) == times
