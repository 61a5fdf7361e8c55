"""Train on damaged Arrow files, one after the other, and print what came of each: run by `test_arrow_damaged.py`.

It is a process of its own because a crash would take the tests with it.
"""

import io
import random
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from mutations import damage_bytes
from pyarrow import ipc

from tinynet_fast import train_neuron


def content(kind, seed):
    """An undamaged file: text or dictionary labels, missing values, small batches, compressed or not."""
    rng = np.random.default_rng(seed)
    label = pa.array(["pass" if value else "fail" for value in rng.integers(0, 2, 1000)])
    label = label.dictionary_encode() if seed % 3 == 1 else label
    a = rng.standard_normal(1000)
    gaps = pa.array(a, mask=rng.random(1000) < 0.1) if seed % 3 == 2 else pa.array(a)
    table = pa.table({"a": gaps, "b": rng.standard_normal(1000).astype(np.float32), "c": rng.integers(0, 5, 1000)})
    table = table.append_column("y", label)
    options = ipc.IpcWriteOptions(compression=[None, "lz4", "zstd"][seed // 3 % 3])
    file = io.BytesIO()
    with (ipc.new_stream if kind == "arrows" else ipc.new_file)(file, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=300)
    return file.getvalue()


def main(kind, start, stop, folder):
    originals = [content(kind, seed) for seed in range(9)]
    path = Path(folder) / f"rows.{kind}"
    for k in range(start, stop):
        print("at", k, flush=True)
        path.write_bytes(damage_bytes(random.Random(k), originals[k % 9]))
        try:
            result = train_neuron(path, "y", epochs=2, drop_missing=k % 2 == 1, labels=["fail", "pass"])
        except (ValueError, OSError) as error:
            clear = "rows." in str(error) and len(str(error)) < 500
            print("refused" if clear else f"unclear {error}", flush=True)
        else:
            print("trained" if np.isfinite(result.model.weights).all() else "not finite", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
