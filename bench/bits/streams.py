"""Rows that are read while they are trained on, frames, and runs that stop and go on from a checkpoint."""

from functools import cache, partial
from pathlib import Path

import numpy as np

from bits.rows import named, predictions, sparse_table, table

NAMES = ["a", "b", "c", "d"]
SOURCES = ("csv", "csv.gz", "tsv", "npy", "parquet", "feather", "svmlight", "folder", "pattern", "blocks", "function")
NEURON_OPTIONS = [
    {},
    {"engine": "strict"},
    {"standardize": True},
    {"validation": 0.2, "seed": 3},
    {"shuffle": "blocks", "seed": 3},
    {"shuffle": True, "seed": 3},
    {"learning_rate": "auto"},
    {"schedule": "cosine", "l2": 0.01, "average": True},
    {"learning_rate": 5.0},
    {"loss": "squared_error"},
    {"l1": 0.001},
    {"drop_missing": True, "gaps": True},
    {"drop_missing": True, "gaps": True, "validation": 0.2, "seed": 3, "standardize": True},
]
NETWORK_OPTIONS = [
    {},
    {"batch_size": 32, "standardize": True},
    {"batch_size": 32, "shuffle": "blocks", "validation": 0.2},
    {"batch_size": 32, "optimizer": "adam", "learning_rate": 0.01, "dropout": 0.2},
    {"engine": "strict", "batch_size": 50},
]


@cache
def rows(n, gaps):
    """Four columns and their labels; with `gaps` a twentieth of the values is missing."""
    X, y = table(n, len(NAMES), seed=11)
    if gaps:
        X[np.random.default_rng(0).random(X.shape) < 0.05] = np.nan
    return X, y


def csv(path, X, y, comma=","):
    """Rows as text, with a label in words and nothing where a value is missing."""
    import gzip

    cells = [["" if np.isnan(x) else repr(x) for x in row] for row in X.tolist()]
    lines = [comma.join([*NAMES, "label"])]
    lines += [comma.join([*row, "yes" if label else "no"]) for row, label in zip(cells, y, strict=True)]
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


def arrow(X, y):
    import pyarrow as pa

    columns = {name: pa.array(X[:, i], from_pandas=True) for i, name in enumerate(NAMES)}
    return pa.table(columns | {"label": pa.array(["yes" if label else "no" for label in y])})


def written(kind, n, gaps=False):
    """(X, y) for a trainer: rows as a source of this kind, whose files are written the first time."""
    X, y = rows(n, gaps)
    path = Path(f"rows-{n}{'-gaps' if gaps else ''}.{kind}")
    if kind in ("blocks", "function"):
        cuts = sorted({7, n // 3, n // 3 + 1, n - 5})
        parts = list(zip(np.split(X, cuts), np.split(y, cuts), strict=True))
        return (iter(parts) if kind == "blocks" else lambda: iter(parts)), None
    if kind in ("folder", "pattern"):
        path.mkdir(exist_ok=True)
        for number, part in enumerate(np.array_split(np.arange(n), 11)):
            csv(path / f"part.{number}.csv", X[part], y[part])
        return (path if kind == "folder" else f"{path}/part.*.csv"), "label"
    if not path.exists():
        WRITERS[kind](path, X, y)
    return path, {"svmlight": None, "npy": -1}.get(kind, "label")


def write_parquet(path, X, y):
    import pyarrow.parquet as pq

    pq.write_table(arrow(X, y), path, row_group_size=max(len(X) // 4, 100))


def write_feather(path, X, y):
    import pyarrow.feather as feather

    feather.write_feather(arrow(X, y), str(path), chunksize=max(len(X) // 3, 100))


def write_svmlight(path, X, y):
    lines = [
        f"{label} " + " ".join(f"{i + 1}:{x!r}" for i, x in enumerate(row) if x > -0.5)
        for label, row in zip(y.tolist(), X.tolist(), strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


WRITERS = {
    "csv": csv,
    "csv.gz": csv,
    "tsv": partial(csv, comma="\t"),
    "npy": lambda path, X, y: np.save(path, np.column_stack([X, y])),
    "parquet": write_parquet,
    "feather": write_feather,
    "svmlight": write_svmlight,
}


def streamed(kind, n=700, gaps=False, network=False, **options):
    """Train on a source. Blocks that can be read once only get one epoch and their labels."""
    import tinynet_fast

    X, y = written(kind, n, gaps)
    options = {"epochs": 1 if kind == "blocks" else 3} | options
    if kind == "blocks":
        options["labels"] = [0, 1]
    if network:
        options = {"hidden": (5,), "seed": 4} | options
    result = (tinynet_fast.train_mlp if network else tinynet_fast.train_neuron)(X, y, **options)
    return {"result": result, "probabilities": result.model.predict_proba(rows(n, False)[0][:200])}


def framed(kind, network=False, **options):
    """Train on a frame and predict one with other columns among its own, in another order."""
    import pandas as pd
    import polars as pl

    from tinynet_fast import train_mlp, train_neuron

    X, y = rows(300, False)
    make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": lambda columns: arrow(X, y)}[kind]
    columns = {name: X[:, i] for i, name in enumerate(NAMES)}
    frame = make(columns | {"label": np.where(y, "yes", "no")})
    turned = make({"other": y, **{name: columns[name] for name in reversed(NAMES)}})
    options = {"epochs": 3} | ({"hidden": (4,), "seed": 4} if network else {}) | options
    result = (train_mlp if network else train_neuron)(frame, "label", **options)
    return {
        "result": result,
        "turned": result.model.predict_proba(turned),
        "row": result.model.predict_proba(dict(zip(NAMES, X[0].tolist(), strict=True))),
        "labels": result.model.predict(frame),
    }


def series():
    """One input as a Series, and one row as a Series with names."""
    import pandas as pd

    from tinynet_fast import train_neuron

    X, y = rows(300, False)
    one = train_neuron(pd.Series(X[:, 0], name="a"), pd.Series(y), epochs=3)
    frame = pd.DataFrame(X, columns=NAMES)
    result = train_neuron(frame, pd.Series(np.where(y, 2.5, -1.0)), epochs=3)
    return {"one": one, "result": result, "row": result.model.predict_proba(frame.iloc[3])}


def many_columns(kind, dtype, n=9000, d=13):
    """Columns of Arrow that are turned into rows by a kernel, eight at a time and one at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tinynet_fast import train_neuron

    X, y = table(n, d, dtype=dtype)
    frame = pa.table({f"x{i}": X[:, i] for i in range(d)} | {"label": y})
    path = Path(f"columns.{np.dtype(dtype).name}.{kind}")
    if kind == "parquet":
        pq.write_table(frame, path)
    result = train_neuron(path if kind == "parquet" else frame, "label", epochs=2, learning_rate=0.01)
    return {"result": result, "probabilities": result.model.predict_proba(X[:100])}


def predicted(kind, dtype):
    """Predictions of many rows, which are made by the compiled kernels."""
    if kind.startswith("sparse"):
        from tinynet_fast import train_neuron

        places = np.int64 if kind.endswith("int64") else np.int32
        X, y = sparse_table(30_000, 50, 20, dtype=dtype, places=places)
        return predictions(train_neuron(X[:500], y[:500], epochs=2).model, X, y)
    X, y = table(140_000, 4, dtype=dtype)
    model = in_memory(network=kind == "network").model
    return predictions(model, X, y) | {"with a threshold": model.predict(X, threshold=0.3)}


def resumed(make, **options):
    """Stop in the middle, go on from the checkpoint; and once more for more epochs."""
    path = Path("run.ckpt.json")
    path.unlink(missing_ok=True)
    if options.pop("by_error", False):
        first = interrupted(make, path, options)
    else:
        first = make(checkpoint=path, checkpoint_seconds=0, callback=lambda epoch: epoch.epoch == 2, **options)
    second = make(checkpoint=path, checkpoint_seconds=0, **options)
    return {"first": first, "second": second, "whole": make(**options)}


def interrupted(make, path, options):
    """A run that an error in its callback ends; the checkpoint is what was written before."""

    def fail(epoch):
        if epoch.epoch == 2:
            raise RuntimeError("stopped here")

    try:
        make(checkpoint=path, checkpoint_seconds=0, callback=fail, **options)
    except RuntimeError as error:
        return str(error)
    return "not stopped"


class Failing:
    """Makes iterators of 120,000 rows in ten blocks; the third fails before its last block, and no other one does."""

    def __init__(self):
        self.made = 0

    def __call__(self):
        self.made += 1
        return self.blocks(fails=self.made == 3)

    def blocks(self, fails):
        X, y = rows(120_000, False)
        for number, part in enumerate(np.split(np.arange(len(y)), 10)):
            if fails and number == 9:
                raise RuntimeError("stopped here")
            yield X[part], y[part]


def resumed_in_an_epoch(**options):
    """An error in the rows ends a run in the middle of an epoch; it goes on from the block before."""
    from tinynet_fast import train_neuron

    path, source = Path("run.ckpt.json"), Failing()
    path.unlink(missing_ok=True)
    make = partial(train_neuron, source, labels=[0, 1], learning_rate=0.01, epochs=3, **options)
    try:
        make(checkpoint=path, checkpoint_seconds=0)
    except RuntimeError as error:
        stopped = str(error)
    return {"stopped": stopped, "second": make(checkpoint=path, checkpoint_seconds=0), "whole": make()}


def in_memory(network=False, **options):
    from tinynet_fast import train_mlp, train_neuron

    X, y = rows(600, False)
    if network:
        return train_mlp(X, y, hidden=(6,), epochs=8, seed=2, **options)
    return train_neuron(X, y, epochs=8, **options)


def scored(kind, network, output, **options):
    """`predict_file`, whose output is recorded as it is: text, or the columns of a Parquet file."""
    import pyarrow.parquet as pq

    from tinynet_fast.scoring import predict_file

    model = in_memory(network=network, standardize=True).model
    model.features = None if kind in ("npy", "blocks", "function", "svmlight") else NAMES
    X, _ = written(kind, 700)
    if kind == "npy":
        X = Path("only-X.npy")
        np.save(X, rows(700, False)[0])
    count = predict_file(model, X, output, **options)
    text = pq.read_table(output).to_pydict() if output.endswith("parquet") else Path(output).read_text(encoding="utf-8")
    return {"count": count, "output": text, "memory": predictions(model, *rows(100, False))}


def problems():
    for options in NEURON_OPTIONS:
        for kind in SOURCES:
            if allowed(kind, options):
                yield f"stream/neuron, {kind}/{named(options)}", partial(streamed, kind, **options)
    for options in NETWORK_OPTIONS:
        for kind in filter(partial(allowed, options=options), ("csv", "npy", "parquet", "svmlight", "function")):
            yield f"stream/network, {kind}/{named(options)}", partial(streamed, kind, network=True, **options)
    for kind in ("csv", "npy", "parquet", "feather", "function"):
        yield f"stream/neuron, {kind}/120,000 rows", partial(streamed, kind, 120_000, epochs=2, learning_rate=0.01)
    for kind in ("npy", "parquet"):
        shuffled = {"shuffle": "blocks", "validation": 0.1, "seed": 1, "average": True, "epochs": 2}
        yield f"stream/neuron, {kind}/120,000 rows, {named(shuffled)}", partial(streamed, kind, 120_000, **shuffled)
    for kind in ("pandas", "polars", "arrow"):
        for options in ({}, {"network": True}, {"features": ["c", "a", "b", "d"]}, {"standardize": True}):
            yield f"frames/{kind}/{named(options)}", partial(framed, kind, **options)
    yield "frames/pandas/series", series
    for dtype in (np.float64, np.float32):
        for kind in ("parquet", "table"):
            yield f"frames/many columns/{kind}, {dtype.__name__}", partial(many_columns, kind, dtype)
        for kind in ("neuron", "network", "sparse", "sparse, int64"):
            yield f"prediction/many rows/{kind}, {dtype.__name__}", partial(predicted, kind, dtype)
    yield from checkpoints()
    for kind in ("csv", "parquet", "npy", "function", "svmlight"):
        for network in (False, True):
            who = "network" if network else "neuron"
            yield f"predict_file/{who}/{kind} to csv", partial(scored, kind, network, "out.csv")
        yield f"predict_file/neuron/{kind} to parquet", partial(scored, kind, False, "out.parquet", threshold=0.3)


def allowed(kind, options):
    """Whether a trainer takes such a source with these options: blocks are read once, svmlight has no gaps."""
    if kind == "blocks" and {"validation", "shuffle", "standardize", "schedule"} & set(options):
        return False
    if kind == "blocks" and options.get("learning_rate") == "auto":
        return False
    if kind == "function" and "shuffle" in options:
        return False
    return not (options.get("gaps") and kind == "svmlight")


def checkpoints():
    """Runs in memory and from files that stop after the third epoch."""
    cases = [{}, {"shuffle": True, "seed": 1}, {"average": 50, "l2": 0.01}, {"schedule": "invscaling"}]
    cases += [{"l1": 0.001}, {"validation": 0.2, "seed": 1, "patience": 3}, {"standardize": True}]
    for engine in ("fast", "strict", "numpy", "reference"):
        for options in cases if engine in ("fast", "strict") else cases[:2]:
            name = f"checkpoint/neuron/{engine}, {named(options)}"
            yield name, partial(resumed, in_memory, engine=engine, **options)
    cases = [{}, {"batch_size": 50, "shuffle": True}, {"batch_size": 50, "optimizer": "adam", "learning_rate": 0.01}]
    cases += [{"batch_size": 50, "momentum": 0.9, "dropout": 0.2}, {"batch_size": 50, "validation": 0.2, "patience": 3}]
    for options in cases:
        yield f"checkpoint/network/{named(options)}", partial(resumed, partial(in_memory, network=True), **options)
    yield "checkpoint/network/after an error", partial(resumed, partial(in_memory, network=True), by_error=True)
    yield "checkpoint/neuron/after an error", partial(resumed, in_memory, by_error=True)
    for options in ({}, {"engine": "strict"}, {"average": True, "l2": 0.001}):
        yield f"checkpoint/in an epoch/{named(options)}", partial(resumed_in_an_epoch, **options)
    for kind in ("csv", "npy", "parquet"):
        make = partial(checkpointed_file, kind)
        yield f"checkpoint/files/{kind}", partial(resumed, make)
        yield f"checkpoint/files/{kind}, validation", partial(resumed, make, validation=0.2, seed=1, standardize=True)


def checkpointed_file(kind, **options):
    from tinynet_fast import train_neuron

    return train_neuron(*written(kind, 700), epochs=6, **options)
