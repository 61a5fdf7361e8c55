"""Files larger than memory: how fast `open_source` gives rows and `train_neuron` trains on them for an epoch, against
pyarrow's own scan with nothing done to it.

Rows are generated into a temporary folder; what is read is compared with them before anything is timed. pyarrow has
two threads. Peak memory is that of a fresh process for n and for 2n rows. `python bench/files.py --help`
"""

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from measure import machine, one_thread, peak_memory, take_turns

one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.csv as arrow_csv  # noqa: E402
import pyarrow.dataset as arrow_dataset  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from pyarrow import ipc  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from tinynet_fast.data.datasets import pass_fail_blocks  # noqa: E402
from tinynet_fast.data.sources import open_source  # noqa: E402
from tinynet_fast.training.neuron import train_neuron  # noqa: E402

THREADS = 2
CSV_SHARE = 10  # a CSV file has a tenth of the rows
SCAN_BATCH = 65_536


def generate(folder, n, d, dtype):
    """The same rows as Parquet, IPC and .npy, and the first tenth of them as CSV; with the labels in the column y."""
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


def ours(path):
    """Every chunk, with nothing done to it."""
    rows = 0
    for chunk in open_source(path, -1 if path.suffix == ".npy" else "y").chunks():
        rows += len(chunk.X)
    return rows


def train(path):
    """One epoch, with all that goes with it."""
    return train_neuron(path, -1 if path.suffix == ".npy" else "y", epochs=1, learning_rate=0.01)


def check_weights(path, d, dtype):
    """End the run where training on the file gives other weights than on the same rows in memory."""
    rows = train(path).rows
    blocks = list(pass_fail_blocks(rows, d, dtype=dtype))
    X, y = np.concatenate([X for X, _ in blocks]), np.concatenate([y for _, y in blocks])
    memory, streamed = train_neuron(X, y, epochs=1, learning_rate=0.01).model, train(path).model
    if not (np.array_equal(memory.weights, streamed.weights) and memory.bias == streamed.bias):
        raise SystemExit(f"{path.name}: other weights than in memory: not timed")


def exhaust(batches):
    for _ in batches:
        pass


def read_npy(path, rows=16_384):
    width, item = np.load(path, mmap_mode="r").shape[1], np.load(path, mmap_mode="r").dtype
    with path.open("rb", buffering=0) as file:
        file.seek(128)
        while len(np.fromfile(file, item, rows * width)):
            pass


def peers(path):
    """Plain reads of a file, by name: the first is the measure."""
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
    """End the run where the rows read are not those that were written."""
    blocks, X, y = open_source(path, -1 if path.suffix == ".npy" else "y").chunks(), [], []
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
    """Peak memory in MB. Not `getrusage`'s where there is another: that counts what the parent held when it forked."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    return peak_memory()


def report_memory(path):
    """For a fresh process: its peak memory in MB before the file is read, and after."""
    from tinynet_fast.kernels.columns import put_columns

    pa.set_cpu_count(THREADS)
    put_columns([np.ones(9)] * 9, np.ones((9, 9)), 0)  # which loads the kernels
    before = high_water()
    train(Path(path))
    print(before, high_water())


def memory(path):
    """Peak memory of a fresh process that has only imported what reading takes, and of one that has read, in MB."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import files; files.report_memory(sys.argv[2])"
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(path)]
    return [float(word) for word in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


def measure(n, d, dtype, rounds):
    results = []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as larger:
        generate(Path(folder), n, d, dtype)
        generate(Path(larger), 2 * n, d, dtype)
        for name in ("rows.parquet", "rows.csv", "rows.arrow", "rows.npy"):
            path = Path(folder) / name
            check_equal(path, d, dtype)
            check_weights(path, d, dtype)
            runs = {"open_source": lambda path=path: ours(path), "train_neuron": lambda path=path: train(path)}
            runs |= peers(path)
            rows = ours(path)
            seconds = take_turns(runs, rounds)
            (before, small), (_, large) = memory(path), memory(Path(larger) / name)
            results.append(
                {
                    "file": name,
                    "rows": rows,
                    "features": d,
                    "dtype": dtype,
                    "megabytes": path.stat().st_size / 1e6,
                    "ns_a_row": {who: value / rows * 1e9 for who, value in seconds.items()},
                    "peak_memory": {"imports": before, "n": small, "2n": large},
                }
            )
    return results


def show(console, results):
    table = Table(
        "file", "who", "ns a row", "MB/s", "reading has of its speed", "training has", "peak MB: imports, n, 2n rows"
    )
    for result in results:
        cost = result["ns_a_row"]
        place, peak = f"{result['file']}, {result['rows']:,} x {result['features']}", result["peak_memory"]
        for who, ns in cost.items():
            speed = result["megabytes"] / result["rows"] / ns * 1e9
            own = who in ("open_source", "train_neuron")
            ratios = [("" if own else f"{ns / cost[name]:.0%}") for name in ("open_source", "train_neuron")]
            shown = ", ".join(f"{value:.0f}" for value in peak.values()) if who == "train_neuron" else ""
            table.add_row(place, who, f"{ns:.1f}", f"{speed:,.0f}", *ratios, shown)
            place = ""
    console.print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000, help="in Parquet, IPC and .npy; a tenth in CSV")
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the figures to this file too")
    arguments = parser.parse_args()
    pa.set_cpu_count(THREADS)
    results = measure(arguments.rows, arguments.features, arguments.dtype, arguments.rounds)
    facts = machine() | {"pyarrow": pa.__version__, "pyarrow_threads": THREADS}
    console = Console(highlight=False, width=140)
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()) + "; medians")
    show(console, results)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": facts, "files": results}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
