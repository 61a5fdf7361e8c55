"""How good `train` is on tables whose target is a number, beside scikit-learn: `make bench-tables` runs this too.

Each table of `tables_data.NUMBERS` is cut into five folds. Each contender learns from four of them with its defaults,
and its R squared on the fifth counts. Prints the page, and writes it and the results into bench/results.
"""

import argparse
import os
import sys
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pages
import tables_data
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from tables import FOLDS, RESULTS, scaled, trees

from tinynet_fast import train
from tinynet_fast.proof.bench.machine import machine, slug

OURS, NEURON, RIDGE, MLP, TREES = "train", "train, hidden=()", "RidgeCV", "MLPRegressor", "HistGradientBoosting"
WORSE = 0.01  # of R squared


class Ours:
    """`train` with nothing but the table and its column of numbers. The folds judge it, so it holds no rows out."""

    def __init__(self, **options):
        self.options = options

    def fit(self, frame, y):
        table = frame.assign(**{y.name: y})
        self.model = train(table, y.name, output="linear", validation=0, **self.options).model
        return self

    def predict(self, frame):
        return self.model.predict(frame)


CONTENDERS = {
    OURS: lambda frame: Ours(),
    NEURON: lambda frame: Ours(hidden=()),
    RIDGE: lambda frame: scaled(frame, RidgeCV()),
    MLP: lambda frame: scaled(frame, MLPRegressor(hidden_layer_sizes=(32,), random_state=0)),
    TREES: lambda frame: trees(frame, HistGradientBoostingRegressor),
}


def measure(load, seeds):
    """R squared and seconds of all contenders on each fold of one table, and the table's size."""
    frame, target = load()
    y = frame.pop(target)
    found = {name: {"r2": [], "seconds": []} for name in CONTENDERS}
    for seed in seeds:
        for trained, judged in KFold(FOLDS, shuffle=True, random_state=seed).split(frame):
            for name, make in CONTENDERS.items():
                start = time.perf_counter()
                model = make(frame).fit(frame.iloc[trained], y.iloc[trained])
                found[name]["seconds"].append(time.perf_counter() - start)
                r2 = r2_score(y.iloc[judged], model.predict(frame.iloc[judged]))
                found[name]["r2"].append(round(float(r2), 6))
    return {"rows": len(frame), "columns": frame.shape[1], "scores": found}


def line(tables, ours, theirs):
    """How two contenders compare: the means, and the tables on which ours is worst, with standard errors."""
    worse, means = [], [[], []]
    for name, table in tables.items():
        pair = np.array([table["scores"][who]["r2"] for who in (ours, theirs)])
        for mean, values in zip(means, pair, strict=True):
            mean.append(values.mean())
        less, error = pair[1] - pair[0], np.std(pair[1] - pair[0], ddof=1) / np.sqrt(pair.shape[1])
        if less.mean() > WORSE:
            worse.append(f"{name} {-less.mean():+.3f} ± {error:.3f}")
    higher = sum(a > b for a, b in zip(*means, strict=True))
    words = f"{np.mean(means[0]):.3f}, {theirs} {np.mean(means[1]):.3f}; higher on {higher} of {len(tables)} tables"
    return f"- {ours}: mean R squared {words}; more than {WORSE} below it: {', '.join(worse) or 'none'}"


def page(document):
    """The Markdown file beside the results."""
    tables = document["tables"]
    head = ["table", "rows", "columns", *CONTENDERS]
    lines = [
        f"# Tables of numbers, {document['machine']['cpu']}\n",
        f"R squared. Each model learns with its defaults from four of {document['folds']} folds and is judged on the "
        f"other. Seeds that dealt the rows to folds: {', '.join(map(str, document['seeds']))}. After ±: the standard "
        "error of the difference, over the folds.\n",
        *(line(tables, *pair) for pair in ((OURS, RIDGE), (NEURON, RIDGE), (OURS, MLP), (OURS, TREES))),
        "",
        f"| {' | '.join(head)} |",
        "|" + " --- |" * len(head),
    ]
    for name, table in tables.items():
        values = [f"{np.mean(table['scores'][who]['r2']):.3f}" for who in CONTENDERS]
        lines.append(f"| {name} | {table['rows']:,} | {table['columns']} | {' | '.join(values)} |")
    seconds = [
        f"{np.median([s for t in tables.values() for s in t['scores'][who]['seconds']]):.2f}" for who in CONTENDERS
    ]
    lines.append(f"| median seconds (load {document['load']}) | | | {' | '.join(seconds)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many times the rows are dealt to folds")
    parser.add_argument("--only", action="append", help="only these tables")
    parser.add_argument("--output", type=Path, help="the results file (default: the day and the CPU, in bench/results)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    facts, seeds, tables = machine(), range(arguments.seeds), {}
    day = datetime.now(UTC).date().isoformat()
    for name, load in tables_data.NUMBERS.items():
        if not arguments.only or name in arguments.only:
            tables[name] = measure(load, seeds)
            figures = "  ".join(f"{who} {np.mean(score['r2']):.3f}" for who, score in tables[name]["scores"].items())
            print(f"{name}: {figures}", file=sys.stderr, flush=True)
    load = round(os.getloadavg()[2], 1)  # of the last quarter of an hour
    document = {"machine": facts, "load": load, "folds": FOLDS, "seeds": list(seeds), "tables": tables}
    pages.write(document, page(document), arguments.output or RESULTS / f"number-tables-{day}-{slug(facts)}.json")


if __name__ == "__main__":
    main()
