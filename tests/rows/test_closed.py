"""What is read in part is closed, and not left to the garbage collector.

Threads may be reading ahead, and files are open. If Python closes a generator while it destroys it, a Ctrl-C that comes
at that moment is lost, and Python prints "Exception ignored".
"""

import ast
import importlib
import inspect
import pkgutil
import sys
import textwrap
from contextlib import closing, suppress
from functools import cache, wraps
from itertools import islice

import numpy as np
import pytest

import tinynet_fast
from tinynet_fast import evaluate, sweep, train, train_mlp, train_neuron
from tinynet_fast.rows.formats import base, open_raw, open_source, records
from tinynet_fast.rows.stream import StreamRows
from tinynet_fast.rows.stream_targets import StreamLabels
from tinynet_fast.scoring import predict_file

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

ROOMS = ("rows", "columns", "scoring", "sklearn.stream", "cluster.readers", "training")
ROWS = 6000
KINDS = ["csv", "csv without pyarrow", "parquet", "arrow", "arrows", "npy", "svmlight"]


@cache
def has_to_be_closed(function):
    """Whether a generator function yields within `with` or `try ... finally`, and so has something to do at its end."""
    if not inspect.isgeneratorfunction(function) or hasattr(function, "__wrapped__"):
        return False
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With) or getattr(node, "finalbody", None)]
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for block in blocks for node in ast.walk(block))


class Watched:
    """A generator that notes its name in `dropped` if it is destroyed after it was begun and before it ended."""

    def __init__(self, generator, name, dropped):
        self.generator, self.name, self.dropped, self.begun, self.over = generator, name, dropped, False, False

    def __iter__(self):
        return self

    def __next__(self):
        self.begun = True
        try:
            return next(self.generator)
        except BaseException:
            self.over = True
            raise

    def send(self, value):
        assert value is None
        return next(self)

    def throw(self, *error):
        self.over = True
        return self.generator.throw(*error)

    def close(self):
        self.over = True
        self.generator.close()

    def __del__(self):
        if self.begun and not self.over:
            self.dropped.append(self.name)


@pytest.fixture
def dropped(monkeypatch):
    """The names of generators that were dropped; all that have to be closed are watched."""
    found = []

    def watched(function, name):
        @wraps(function)
        def make(*arguments, **options):
            return Watched(function(*arguments, **options), name, found)

        return make

    rooms = tuple(f"tinynet_fast.{room}" for room in ROOMS)
    named = [each.name for each in pkgutil.walk_packages(tinynet_fast.__path__, "tinynet_fast.")]
    modules = [importlib.import_module(name) for name in named if name.startswith(rooms)]
    functions = {}
    for module in modules:
        own = [each for each in vars(module).values() if getattr(each, "__module__", None) == module.__name__]
        for each in own:
            for name, part in vars(each).items() if inspect.isclass(each) else ():
                if inspect.isfunction(part) and has_to_be_closed(part):
                    monkeypatch.setattr(each, name, watched(part, f"{each.__name__}.{name}"))
            if inspect.isfunction(each) and has_to_be_closed(each):
                functions[each] = watched(each, each.__name__)
    for module in [each for name, each in sys.modules.items() if name.startswith("tinynet_fast")]:
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value in functions:
                monkeypatch.setattr(module, name, functions[value])
    assert {"in_order", "read_ahead", "one_ahead"} <= {function.__name__ for function in functions}
    return found


@pytest.fixture(params=KINDS)
def paths(request, tmp_path, monkeypatch):
    """Three files in many pieces: a good one, one with a missing value in its middle, and one with three labels."""
    monkeypatch.setattr(base, "CHUNK_BYTES", 1 << 12)
    monkeypatch.setattr(records.CsvBytes.pieces, "__defaults__", (1 << 13,))  # the size of a piece
    kind = request.param
    if kind == "csv without pyarrow":
        monkeypatch.setattr(records, "has_pyarrow", lambda: False)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, 3))
    y = (X[:, 0] > rng.standard_normal(ROWS)).astype(float)
    bad, three = X.copy(), y.copy()
    bad[ROWS // 2, 1] = np.nan
    three[ROWS // 4 :: 7] = 2.0
    return kind, [_save(tmp_path / name, kind, *rows) for name, *rows in (("a", X, y), ("b", bad, y), ("c", X, three))]


def _save(path, kind, X, y):
    values = np.column_stack([X, y])
    table = pa.table({name: values[:, j] for j, name in enumerate(["u", "v", "w", "y"])})
    path = path.with_suffix("." + kind.split()[0])
    if path.suffix == ".csv":
        np.savetxt(path, values, delimiter=",", header="u,v,w,y", comments="", fmt="%.6g")
        path.write_text(path.read_text().replace("nan", ""))
    elif path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=500)
    elif path.suffix == ".arrow":
        feather.write_feather(table, path, chunksize=500, compression="uncompressed")
    elif path.suffix == ".arrows":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=500)
    elif path.suffix == ".npy":
        np.save(path, values)
    else:
        lines = [f"{label:g} " + " ".join(f"{j}:{x:.6g}" for j, x in enumerate(row)) for *row, label in values.tolist()]
        path.write_text("\n".join(lines) + "\n")
    return path


def test_a_dropped_generator_is_noticed(dropped):
    """The check itself can fail."""
    from tinynet_fast.rows import ahead

    begun = ahead.in_order([int, int, int], 1)
    next(begun)
    del begun
    closed = ahead.in_order([int, int, int], 1)
    next(closed)
    closed.close()
    assert list(ahead.in_order([int, int], 1)) == [0, 0]
    assert dropped == ["in_order"]


@pytest.mark.filterwarnings("ignore")
def test_everything_is_closed(paths, dropped, tmp_path):
    """Whatever ends early: reading some rows, a second label, a mistake in the middle, a callback that raises."""
    kind, (good, bad, three) = paths
    named = kind not in ("npy", "svmlight")
    target = "y" if named else 3 if kind == "npy" else None
    stream = {"learning_rate": 0.1}
    model = train_neuron(good, target, epochs=1, **stream).model

    def stop(epoch):
        raise StopAsked

    source = open_source(good, target)
    with closing(source.chunks()) as chunks:
        assert len(list(islice(chunks, 2))) == 2
    assert source.where(ROWS // 2)
    rows = StreamRows(open_source(good, target), StreamLabels(np.array([0.0, 1.0])), None)
    rows.some(100)
    calls = [
        lambda: train_neuron(three, target, epochs=1, **stream),
        lambda: train_neuron(bad, target, epochs=1, **stream),
        lambda: train_neuron(bad, target, epochs=1),
        lambda: train_neuron(good, target, epochs=3, callback=stop, **stream),
        lambda: train_mlp(bad, target, hidden=2, epochs=1, **stream),
        lambda: train_neuron(good, target, epochs=1, validation=0.2, **stream),
        lambda: predict_file(model, bad, tmp_path / "p.csv"),
        lambda: predict_file(model, good, tmp_path / "p.csv", n_jobs=2),
        lambda: evaluate(model, bad, target),
        lambda: evaluate(model, bad, target, n_jobs=2),
        lambda: sweep(bad, target, learning_rate=[0.1, 0.2], epochs=1),
    ]
    if named:
        calls += [lambda: train(bad, "y")]
        with closing(open_raw(good).raw_blocks()) as blocks:
            next(blocks)
    failed = 0
    for call in calls:
        with suppress(ValueError, StopAsked):
            call()
            failed -= 1
        failed += 1
    assert failed >= 7
    assert dropped == []


class StopAsked(Exception):
    """What a callback raises."""
