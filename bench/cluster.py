"""Measure training on clusters: the log loss of averaging, rows per second, and the cost of a sync.

Also measures the time until the log loss is within 0.1 % of the least, against sequential `partial_fit` and, in
`cluster_spark.py`, against Spark ML. Each worker generates the rows of its shards, and they stay there. Run
`make bench-cluster`, or `python bench/cluster.py --help`; `cluster_page.py` then writes docs/cluster.md.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import family  # noqa: F401 - first: it sets one thread for all libraries
import numpy as np
from cluster_chain import chain
from cluster_rows import FEATURES, NEAR, least_loss, write_files
from cluster_spark import against_spark, small_partitions
from rich.console import Console

from tinynet_fast import dask as on_dask
from tinynet_fast import train_neuron
from tinynet_fast.proof.bench.machine import machine, slug
from tinynet_fast.rows.datasets import make_pass_fail

SHARDS, SYNCS = (8, 64), (1, 4, 16)
RATE = 0.05  # for runs in which only the time matters
console = Console(stderr=True)


def rows_between(start, stop):
    """Rows [start, stop) of the table, with y as the last column. They are cut from blocks of 65,536 rows."""
    size, parts = 65_536, []
    for block in range(start // size, -(-stop // size)):
        low, high = max(start - block * size, 0), min(stop - block * size, size)
        X, y = next(_block(block))
        parts.append(np.column_stack([X[low:high], y[low:high]]))
    return np.concatenate(parts)


def _block(block):
    """Block number `block` of `pass_fail_blocks`, without making the blocks before it."""
    from tinynet_fast.rows.datasets import _true_neuron

    weights, bias = _true_neuron(FEATURES, 0)
    rng = np.random.default_rng([0, block])
    X = rng.standard_normal((65_536, FEATURES))
    yield X, (rng.random(65_536) < 1.0 / (1.0 + np.exp(-(X @ weights + bias)))).astype(np.float64)


def on_workers(client, n, shards):
    """Put the first `n` rows on the workers as dask arrays X and y, with the same number of shards on each worker.

    Dask itself put five of eight shards on one of two workers, so that the other worker had to wait.
    """
    import dask.array as da
    from distributed import wait

    workers, parts = sorted(client.nthreads()), []
    for i, (low, high) in enumerate(pairwise([n * i // shards for i in range(shards + 1)])):
        here = {"workers": [workers[i * len(workers) // shards]], "pure": False}
        rows = client.submit(rows_between, low, high, **here)
        X, y = client.submit(_inputs, rows, **here), client.submit(_labels, rows, **here)
        wait([X, y])
        parts.append((da.from_delayed(X, (high - low, FEATURES), float), da.from_delayed(y, (high - low,), float)))
        del rows
    X, y = client.persist([da.concatenate([X for X, _ in parts]), da.concatenate([y for _, y in parts])])
    wait([X, y])
    return X, y


def _inputs(rows):
    return np.ascontiguousarray(rows[:, :-1])


def _labels(rows):
    return rows[:, -1].copy()


def start(n):
    """Start a cluster of n worker processes with one thread each. Returns the cluster and its client."""
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)
    cluster = LocalCluster(n_workers=n, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0)
    return cluster, Client(cluster)


def losses(n):
    """Log loss on all rows after one epoch, for each number of shards and syncs, and for one machine."""
    rows = make_pass_fail(n, FEATURES)
    alone = train_neuron(rows.X, rows.y, learning_rate="auto", epochs=1, average=True)
    options = {"learning_rate": alone.rate_search.learning_rate, "epochs": 1, "average": True}
    result = {
        "learning_rate": options["learning_rate"],
        "least": least_loss(rows.X, rows.y),
        "one_machine": alone.model.loss(rows.X, rows.y),
        "averaged": [],
    }
    result["one_machine_ns_a_row"] = alone.seconds / n * 1e9
    cluster, client = start(2)
    for shards in SHARDS:
        X, y = on_workers(client, n, shards)
        for syncs in SYNCS:
            for averaged in (True, False):
                given = options | {"average": averaged}
                found = on_dask.train_neuron(X, y, client=client, mode="average", syncs=syncs, **given)
                loss = found.model.loss(rows.X, rows.y)
                entry = {"shards": shards, "syncs": syncs, "average": averaged, "log_loss": loss}
                result["averaged"].append(entry | {"seconds": found.seconds})
                console.print(entry, f"{loss / result['one_machine'] - 1:+.5%}")
        if shards == SHARDS[0]:
            chain = on_dask.train_neuron(X, y, client=client, **options)
            result["chain_is_bit_for_bit"] = bool((chain.model.weights == alone.model.weights).all())
            result["chain_ns_a_row"] = chain.seconds / n * 1e9
        del X, y
    last = train_neuron(rows.X, rows.y, **(options | {"average": False}))
    result["one_machine_last_weights"] = last.model.loss(rows.X, rows.y)
    client.close()
    cluster.close()
    return result


def sorted_rows(n):
    """Log loss with the worst shards: rows are sorted by an important input, so every shard has other rows."""
    rows = make_pass_fail(n, FEATURES)
    X, y = rows.X, rows.y
    order = np.argsort(X[:, int(np.argmax(np.abs(rows.weights)))], kind="stable")
    shuffled = train_neuron(X, y, learning_rate="auto", epochs=1, average=True)
    options = {"learning_rate": shuffled.rate_search.learning_rate, "epochs": 1, "average": True}
    X, y = np.ascontiguousarray(X[order]), y[order]
    result = {"rows": n, "least": least_loss(X, y), "averaged": []}
    result["shuffled_one_machine"] = shuffled.model.loss(X, y)
    result["sorted_one_machine"] = train_neuron(X, y, **options).model.loss(X, y)
    cluster, client = start(2)
    import dask.array as da

    X_parts, y_parts = da.from_array(X, chunks=(n // 8, FEATURES)), da.from_array(y, chunks=n // 8)
    X_parts, y_parts = client.persist([X_parts, y_parts])
    for syncs in (*SYNCS, 64):
        found = on_dask.train_neuron(X_parts, y_parts, client=client, mode="average", syncs=syncs, **options)
        result["averaged"].append({"syncs": syncs, "log_loss": found.model.loss(X, y)})
        console.print(result["averaged"][-1], result["sorted_one_machine"])
    client.close()
    cluster.close()
    return result


def throughput(n, rounds):
    """Seconds of an epoch on rows in the workers' memory, for one worker and for two, and the cost of a sync."""
    result = {"rows": n, "seconds": {}, "least_seconds": {}, "labels_seconds": {}}
    held = {k: start(k) for k in (1, 2)}
    tables = {k: on_workers(client, n, 8) for k, (_, client) in held.items()}
    options = {"learning_rate": RATE, "average": True, "mode": "average"}
    for syncs in (1, 4, 64):
        times = {1: [], 2: []}
        whole = {1: [], 2: []}
        for turn in range(rounds + 1):
            for k, (_, client) in held.items():
                began = time.perf_counter()
                found = on_dask.train_neuron(*tables[k], client=client, syncs=syncs, **options)
                if turn:
                    times[k].append(found.seconds)
                    whole[k].append(time.perf_counter() - began - found.seconds)
        result["seconds"][syncs] = {k: median(t) for k, t in times.items()}
        result["least_seconds"][syncs] = {k: min(t) for k, t in times.items()}
        result["labels_seconds"][syncs] = {k: median(t) for k, t in whole.items()}
        console.print(syncs, result["seconds"][syncs], result["labels_seconds"][syncs])
    result["empty_round_seconds"] = {k: empty_round(client) for k, (_, client) in held.items()}
    result["two_processes"] = two_processes(n // 4)
    result["load_average"] = os.getloadavg()[0]
    for cluster, client in held.values():
        client.close()
        cluster.close()
    return result


def nothing(number):
    """A task without work, for a worker."""


def empty_round(client):
    """The median seconds of eight tasks that do nothing."""
    times = []
    for _ in range(40):
        began = time.perf_counter()
        client.gather(client.map(nothing, range(8), pure=False))
        times.append(time.perf_counter() - began)
    return median(times)


ALONE = """
import sys, time
sys.path.insert(0, {folder!r})
from tinynet_fast import train_neuron
from tinynet_fast.rows.datasets import make_pass_fail
rows = make_pass_fail({n}, 16)
train_neuron(rows.X[:1000], rows.y[:1000], epochs=1, average=True)
sys.stdin.readline()
print(min(train_neuron(rows.X, rows.y, epochs=1, average=True, learning_rate=0.005).seconds for _ in range(3)))
"""


def two_processes(n):
    """The most that two cores can gain: seconds of the same loop in one process, and in two independent processes."""
    import subprocess

    def run(k):
        code = ALONE.format(n=n, folder=str(Path(__file__).parent))
        command = [sys.executable, "-c", code]
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(k)
        ]
        return max(float(process.communicate("\n")[0]) for process in running)

    one, two = run(1), run(2)
    return {"one": one, "two": two, "speedup": 2.0 * one / two}


def partial_fit_block(model, X, y):
    """Train on one block, on a worker, as dask_ml's Incremental does."""
    model.partial_fit(X, y, classes=[0.0, 1.0])
    return model


def against_partial_fit(n):
    """Time until the log loss is within 0.1 % of the least: ours, all counted, and partial_fit block by block."""
    from sklearn.linear_model import SGDClassifier

    rows = make_pass_fail(n, FEATURES)
    target = NEAR * least_loss(rows.X, rows.y)
    cluster, client = start(2)
    X, y = on_workers(client, n, 8)
    result = {"rows": n, "target": target, "tries": []}
    for syncs in (1, 4):
        times = []
        for _ in range(4):  # the first run loads the kernels and is not counted
            began = time.perf_counter()
            found = on_dask.train_neuron(
                X, y, client=client, mode="average", syncs=syncs, learning_rate="auto", average=True
            )
            times.append(time.perf_counter() - began)
        loss = found.model.loss(rows.X, rows.y)
        result["tries"].append({"who": "tinynet_fast", "syncs": syncs, "seconds": median(times[1:]), "log_loss": loss})
        console.print(result["tries"][-1])
    for name, options in (
        (
            "partial_fit, averaged, our rate",
            {"learning_rate": "constant", "eta0": found.model.training["learning_rate"], "average": True},
        ),
        ("partial_fit, its defaults", {}),
    ):
        options = {"alpha": 0.0} | options if options else {}
        model, began = SGDClassifier(loss="log_loss", random_state=0, **options), time.perf_counter()
        for a, b in zip(X.to_delayed().ravel(), y.to_delayed().ravel(), strict=True):
            model = client.submit(partial_fit_block, model, *client.compute([a, b]), pure=False)
        model = model.result()
        seconds = time.perf_counter() - began
        from tinynet_fast import Neuron

        loss = Neuron(weights=model.coef_[0], bias=model.intercept_[0]).loss(rows.X, rows.y)
        result["tries"].append({"who": name, "seconds": seconds, "log_loss": loss})
        console.print(result["tries"][-1])
    client.close()
    cluster.close()
    return result


def from_parquet(n, rounds):
    """Nanoseconds per row of an epoch that a worker reads from Parquet files, with the pass over the labels."""
    with tempfile.TemporaryDirectory() as folder:
        size = write_files(folder, make_pass_fail(n, FEATURES), 8)
        cluster, client = start(1)
        options = {"client": client, "mode": "average", "average": True, "learning_rate": RATE}
        whole, labels, cores = [], [], []
        for _ in range(rounds + 1):
            began, busy = time.perf_counter(), busy_seconds(client)
            found = on_dask.train_neuron(f"{folder}/*.parquet", "y", **options)
            whole.append(time.perf_counter() - began)
            labels.append(whole[-1] - found.seconds)
            cores.append(busy_seconds(client) - busy)
        client.close()
        cluster.close()
    result = {"rows": n, "bytes_a_row": size, "core_ns_a_row": median(cores[1:]) / n * 1e9}
    result |= {"ns_a_row": median(whole[1:]) / n * 1e9, "labels_ns_a_row": median(labels[1:]) / n * 1e9}
    console.print(result)
    return result


def busy_seconds(client):
    """CPU seconds that the workers have used, over all threads."""
    return sum(client.run(time.process_time).values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--turns", type=int, default=3, help="turns of the comparison with Spark ML")
    parts = ["losses", "sorted", "throughput", "chain", "partial_fit", "parquet", "spark", "partitions"]
    parser.add_argument("--only", nargs="*", default=parts)
    parser.add_argument("--json", type=Path, help="the results file (default: the day and the CPU, in bench/results)")
    given, facts = parser.parse_args(), machine()
    path = given.json or Path(__file__).parent / "results" / f"cluster-{datetime.now(UTC).date()}-{slug(facts)}.json"
    measured = {
        "losses": lambda: losses(given.rows),
        "sorted": lambda: sorted_rows(given.rows // 10),
        "throughput": lambda: throughput(given.rows, given.rounds),
        "chain": lambda: (
            chain(given.rows, given.rounds, start, on_workers) | {"cpu": facts.get("cpu", "an unknown CPU")}
        ),
        "partial_fit": lambda: against_partial_fit(given.rows),
        "parquet": lambda: from_parquet(given.rows // 5, given.rounds),
        "spark": lambda: against_spark(given.rows, given.turns, console.print),
        "partitions": small_partitions,
    }
    results = {"rows": given.rows, "machine": facts}
    if path.exists():  # parts that are not measured now are kept
        results = json.loads(path.read_text(encoding="utf-8")) | results
    for name in given.only:
        console.rule(name)
        results[name] = measured[name]()
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
