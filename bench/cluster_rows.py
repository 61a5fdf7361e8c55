"""Shared by the benchmarks of clusters: write the rows as Parquet files, and find the least log loss."""

from pathlib import Path

import numpy as np

FEATURES = 16
NEAR = 1.001  # a log loss of at most this many times the least is near enough


def least_loss(X, y):
    """The least mean log loss that a neuron can have on the rows, by Newton's method, block by block."""
    w = np.zeros(FEATURES + 1)
    for _ in range(8):
        gradient, hessian, loss = np.zeros(len(w)), np.zeros((len(w), len(w))), 0.0
        for low in range(0, len(X), 1 << 16):
            rows = np.column_stack([X[low : low + (1 << 16)], np.ones(len(X[low : low + (1 << 16)]))])
            z = rows @ w
            p = 1.0 / (1.0 + np.exp(-z))
            label = y[low : low + (1 << 16)]
            loss += float(np.sum(np.logaddexp(0.0, z) - label * z))
            gradient += rows.T @ (p - label)
            hessian += (rows * (p * (1.0 - p))[:, None]).T @ rows
        w -= np.linalg.solve(hessian, gradient)
    return loss / len(X)


def write_files(folder, rows, files):
    """Write the rows to Parquet files. Returns the number of bytes per row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    edges = [len(rows.X) * i // files for i in range(files + 1)]
    for i in range(files):
        part = slice(edges[i], edges[i + 1])
        columns = {f"x{j}": rows.X[part, j] for j in range(FEATURES)}
        pq.write_table(pa.table({**columns, "y": rows.y[part]}), Path(folder) / f"part{i}.parquet")
    return sum(path.stat().st_size for path in Path(folder).glob("*.parquet")) / len(rows.X)
