"""Measure the chain on Dask: shards in segments, with one worker and with two, in turn, and many small partitions."""

import os
import time
from statistics import median

import numpy as np
from cluster_rows import FEATURES

from tinynet_fast import dask as on_dask
from tinynet_fast import train_neuron
from tinynet_fast.cluster import segments
from tinynet_fast.rows.datasets import make_pass_fail

RATE, SHARDS = 0.05, 16
PARTITIONS, PARTITION_ROWS = 200, 100


def chain(n, rounds, start, on_workers):
    """Seconds of one epoch in segments and in turn, how far the weights are from one machine's, small partitions."""
    held = {k: start(k) for k in (1, 2)}
    tables = {k: on_workers(client, n, SHARDS) for k, (_, client) in held.items()}
    least = segments.LEAST_SEGMENTS
    runs = {"two workers": (2, least), "one worker": (1, least), "one worker, in turn": (1, SHARDS + 1)}
    times, found = {name: [] for name in runs}, {}
    for _ in range(rounds + 1):  # the first round loads the kernels and is not counted
        for name, (k, segments.LEAST_SEGMENTS) in runs.items():
            found[name] = on_dask.train_neuron(*tables[k], client=held[k][1], learning_rate=RATE)
            times[name].append(found[name].seconds)
    segments.LEAST_SEGMENTS, certificate = least, found["two workers"].certificate
    result = {
        "rows": n,
        "shards": SHARDS,
        "seconds": {name: median(t[1:]) for name, t in times.items()},
        "least_seconds": {name: min(t[1:]) for name, t in times.items()},
        "certificate": certificate and vars(certificate),  # few rows are trained in turn
        "same_bits": bool((found["one worker"].model.weights == found["two workers"].model.weights).all()),
        "load_average": os.getloadavg()[0],
        "small": small_partitions(held[2][1], rounds),
    }
    for cluster, client in held.values():
        client.close()
        cluster.close()
    del tables
    rows = make_pass_fail(n, FEATURES)
    alone = train_neuron(rows.X, rows.y, learning_rate=RATE, epochs=1, engine="strict").model
    comp, ref = (np.append(model.weights, model.bias) for model in (found["two workers"].model, alone))
    result["off_one_machine"] = float(np.linalg.norm(comp - ref) / np.linalg.norm(ref))
    return result


def small_partitions(client, rounds):
    """Milliseconds of a partition of 100 rows in a chain: persisted, or computed from an array of the client."""
    import dask.array as da

    rows, found = make_pass_fail(PARTITIONS * PARTITION_ROWS, 4), {}
    table = da.from_array(rows.X, chunks=(PARTITION_ROWS, 4)), da.from_array(rows.y, chunks=PARTITION_ROWS)
    for name in ("computed", "persisted"):
        given = table if name == "computed" else client.persist(list(table))
        epochs, whole = [], []
        for _ in range(rounds):
            began = time.perf_counter()
            epochs.append(on_dask.train_neuron(*given, client=client).seconds)
            whole.append(time.perf_counter() - began)
        found[name] = {"epoch": median(epochs) / PARTITIONS * 1e3, "whole": median(whole) / PARTITIONS * 1e3}
    return found
