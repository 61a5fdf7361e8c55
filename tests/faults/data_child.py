"""Train on damaged files, one after the other, and print what came of each.

`test_data_damaged.py` runs this as a process of its own, because a crash would take the tests with it. A line on the
standard input asks for cases of one format: the format, the first number, the number after the last, and a folder.
Each case prints "at" and its number first, and then what `outcomes.py` says of it, the seconds and the megabytes.
After the cases of a line comes the word "done".
"""

import random
import sys
import zlib
from functools import partial
from pathlib import Path

import numpy as np
from csv_table import read_csv
from data_formats import ORIGINALS, PACKED, damaged, in_memory, original
from outcomes import judged
from sklearn.datasets import load_svmlight_file

from tinynet_fast import train_neuron
from tinynet_fast.rows.formats import open_source


def try_cases(kind, start, stop, folder):
    path, case = Path(folder) / f"rows.{kind}", train(kind)
    for seed in range(ORIGINALS):
        check_undamaged(kind, path, seed, case)
    for k in range(start, stop):
        print("at", k, flush=True)
        draw = random.Random(f"{kind} {k}")
        path.write_bytes(damaged(draw, kind, draw.randrange(ORIGINALS)))
        said, seconds, megabytes = judged(lambda k=k: case(path, k), path.name)
        if said == "trained":
            said = another_way(kind, path)
        print(f"{said}\n= {seconds:.3f} {megabytes:.1f}", flush=True)
    print("done", flush=True)


def train(kind):
    """The function that trains case `k` on the file at a path."""

    def case(path, k):
        y = {"npy": -1, "svm": None}.get(kind, "y")
        labels = None if k % 4 < 2 else (0, 1) if y != "y" else ("fail", "pass")
        return train_neuron(path, y, epochs=2, drop_missing=k % 2 == 1, labels=labels).model

    return case


def check_undamaged(kind, path, seed, case):
    """The weights from an undamaged file are those of its rows in memory. This also compiles what is needed."""
    path.write_bytes(original(kind, seed))
    ref = train_neuron(*in_memory(kind, seed), epochs=2).model
    for k in (1, 3):
        comp = case(path, k)
        assert [*comp.weights, comp.bias] == [*ref.weights, ref.bias], f"{kind} {seed}: other weights than in memory"


def another_way(kind, path):
    """ "trained" if the rows of a file that trained are those that other readers find in it; else what differs.

    CSV files are read whole, by pyarrow and by the csv module; .npy and svmlight files by NumPy and scikit-learn. The
    csv module may refuse what pyarrow takes (a cell such as ""1), and readers of packed files what others unpack.
    """
    y = {"npy": -1, "svm": None}.get(kind, "y")
    try:
        blocks = list(open_source(path, y).chunks())
    except ValueError:  # without missing values left out
        return "trained"
    X, labels = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("X", "y"))
    for name, read in readers(kind).items():
        try:
            ref, ref_labels = read(path)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            if name == "the csv module":
                continue
            return f"{name} finds no rows: {str(error)[:200]!r}"
        if not np.array_equal(X, ref) or labels.tolist() != ref_labels.tolist():
            return f"other rows than {name} finds: {X.shape}, {ref.shape}"
    return "trained"


def readers(kind):
    """Other readers of a format: functions that give rows and labels."""

    def whole_csv(path, by_csv=False):
        table = read_csv(path, by_csv)
        return table.matrix([name for name in table.columns if name != "y"]), table.labels("y")

    def numpy(path):
        values = np.load(path)
        return values.reshape(len(values), -1)[:, :-1], values.reshape(len(values), -1)[:, -1]

    def sklearn(path):
        X, y = load_svmlight_file(path)
        return X.toarray(), y

    if kind in ("csv", "tsv", *PACKED):
        return {"read_csv": whole_csv, "the csv module": partial(whole_csv, by_csv=True)}
    return {"NumPy": numpy} if kind == "npy" else {"scikit-learn": sklearn} if kind == "svm" else {}


if __name__ == "__main__":
    for line in sys.stdin:
        kind, start, stop, folder = line.rstrip("\n").split(" ", 3)
        try_cases(kind, int(start), int(stop), folder)
