"""Files larger than memory: how fast `open_source` reads rows, and how fast `train_neuron` trains on them for an epoch.

Both are compared with a bare read of the file by a library. The rows are generated into a temporary folder, and what is
read is compared with them before anything is timed. pyarrow has two threads. Peak memory is measured in fresh
processes, for n and for 2n rows.
"""

import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
from pyarrow import ipc

from tinynet_fast.proof.bench.measure import race
from tinynet_fast.rows.datasets import pass_fail_blocks
from tinynet_fast.rows.formats import open_source
from tinynet_fast.training.neuron import train_neuron

THREADS = 2
CSV_SHARE = 10  # a CSV file has a tenth of the rows
SCAN_BATCH = 65_536


def generate(folder, n, d, dtype):
    """Write the same rows as Parquet, IPC and .npy, and the first tenth of them as CSV. Labels are in the column y."""
    names = [f"x{j}" for j in range(d)]
    schema = pa.schema([*((name, pa.from_numpy_dtype(dtype)) for name in names), ("y", pa.int64())])
    array = np.lib.format.open_memmap(folder / "rows.npy", "w+", dtype, (n, d + 1))
    with (
        pq.ParquetWriter(folder / "rows.parquet", schema) as parquet,
        ipc.new_file(str(folder / "rows.arrow"), schema) as arrow,
        arrow_csv.CSVWriter(folder / "rows.csv", schema) as text,
    ):
        start = 0
        for X, y in pass_fail_blocks(n, d, dtype=dtype):
            columns = [np.ascontiguousarray(column) for column in X.T]
            table = pa.table([*columns, y.astype(np.int64)], schema=schema)
            parquet.write_table(table)
            arrow.write_table(table)
            text.write_table(table.slice(0, max(n // CSV_SHARE - start, 0)))
            array[start : start + len(y), :d], array[start : start + len(y), d] = X, y
            start += len(y)
    array.flush()


def target(path):
    """The column of labels, as `open_source` takes it for this file."""
    return -1 if path.suffix == ".npy" else "y"


def ours(path):
    """Read every chunk and only count its rows."""
    rows = 0
    for chunk in open_source(path, target(path)).chunks():
        rows += len(chunk.X)
    return rows


def train(path):
    """Train one epoch, by a whole call."""
    return train_neuron(path, target(path), epochs=1, learning_rate=0.01)


def check_weights(path, d, dtype):
    """End the run if training on the file gives other weights than training on the same rows in memory."""
    result = train(path)
    blocks = list(pass_fail_blocks(result.rows, d, dtype=dtype))
    X, y = np.concatenate([X for X, _ in blocks]), np.concatenate([y for _, y in blocks])
    memory, streamed = train_neuron(X, y, epochs=1, learning_rate=0.01).model, result.model
    if not (np.array_equal(memory.weights, streamed.weights) and memory.bias == streamed.bias):
        raise SystemExit(f"{path.name}: other weights than in memory: not timed")


def exhaust(batches):
    for _ in batches:
        pass


def read_npy(path, rows=16_384):
    table = np.load(path, mmap_mode="r")
    with path.open("rb", buffering=0) as file:
        file.seek(128)
        while len(np.fromfile(file, table.dtype, rows * table.shape[1])):
            pass


def peers(path):
    """Bare reads of a file, by name. The README shows the first."""
    if path.suffix == ".parquet":
        return {
            "iter_batches": lambda: exhaust(pq.ParquetFile(path, pre_buffer=False).iter_batches(SCAN_BATCH)),
            "dataset scan": lambda: exhaust(arrow_dataset.dataset(path).to_batches()),
        }
    if path.suffix == ".csv":
        return {
            "read_csv": lambda: arrow_csv.read_csv(path),
            "open_csv": lambda: exhaust(arrow_csv.open_csv(path)),
        }
    if path.suffix == ".arrow":
        return {"dataset scan": lambda: exhaust(arrow_dataset.dataset(path, format="ipc").to_batches())}
    return {"fromfile": lambda: read_npy(path)}


def check_equal(path, d, dtype):
    """End the run if the rows that are read are not those that were written."""
    blocks, X, y = open_source(path, target(path)).chunks(), [], []
    for chunk in blocks:
        X.append(chunk.X)
        y.append(chunk.y)
        if sum(map(len, y)) >= SCAN_BATCH:
            break
    blocks.close()
    X, y = np.concatenate(X), np.concatenate(y)
    ref_X, ref_y = next(pass_fail_blocks(SCAN_BATCH, d, dtype=dtype))
    n = min(len(X), len(ref_X))
    if not (np.array_equal(X[:n].astype(dtype), ref_X[:n]) and np.array_equal(y[:n], ref_y[:n])):
        raise SystemExit(f"{path.name}: other rows than were written: not timed")


def high_water():
    """Peak memory in MB. On Linux not from `getrusage`, which also counts what the parent held when it forked."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report_memory(path):
    """Print this process's peak memory in MB before the file is read, and after. For a fresh process."""
    from tinynet_fast.kernels.fast.columns import put_columns

    pa.set_cpu_count(THREADS)
    put_columns([np.ones(9)] * 9, np.ones((9, 9)), 0)  # loads the kernels
    before = high_water()
    train(Path(path))
    print(before, high_water())


def memory(path):
    """Peak memory in MB of a fresh process, after it imported what reading needs, and after it trained on the file."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import files; files.report_memory(sys.argv[2])"
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(path)]
    return [float(word) for word in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


def one_file(path, larger, d, dtype):
    """Nanoseconds per row of reading, training and the peers, and peak memory for n and for 2n rows."""
    check_equal(path, d, dtype)
    check_weights(path, d, dtype)
    rows = ours(path)
    runs = {"train_neuron": lambda: train(path), "open_source": lambda: ours(path)} | peers(path)
    remarks = {"train_neuron": "an epoch", "open_source": "reads only"} | dict.fromkeys(peers(path), "reads only")
    name = f"{path.name}, {rows:,} x {d}"
    options = {"shape": (rows, d), "unit": "ns a row", "scale": 1e9 / rows, "remark": remarks}
    seen = race(name, runs, 3, **options)
    (before, small), (_, large) = memory(path), memory(larger)
    peak = {"imports": before, "n": small, "2n": large}
    return replace(seen, facts={"megabytes": path.stat().st_size / 1e6, "peak_memory_mb": peak})


def measure(size):
    pa.set_cpu_count(THREADS)
    n, d, dtype = size.rows(1_000_000, 4_000_000), 16, "float64"
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as larger:
        generate(Path(folder), n, d, dtype)
        generate(Path(larger), 2 * n, d, dtype)
        for name in ("rows.parquet", "rows.csv", "rows.arrow", "rows.npy"):
            yield "files, an epoch", one_file(Path(folder) / name, Path(larger) / name, d, dtype)
