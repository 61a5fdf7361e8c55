"""How good `train` is on tables as people have them, beside scikit-learn: `make bench-tables`.

Each table of `tables_data.py` is cut into five stratified folds. Each contender learns from four of them with its
defaults, and its log loss on the fifth counts. scikit-learn's models have their usual pipelines. Prints the tables,
and writes them into bench/results and into the page of the site.
"""

import argparse
import os
import sys
import time
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pages
import tables_data
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from tables_page import HIDDEN, LINEAR, MLP, NETWORK, NEURON, PAGE, TREES, mean, page, with_blocks

from tinynet_fast import train
from tinynet_fast.proof.bench.machine import machine, slug

RESULTS = pages.ROOT / "bench" / "results"
FOLDS = 5
FEWEST = 1e-15  # a probability of 0 would cost infinitely much; scikit-learn's log_loss had this limit


def is_number(frame, name):
    return frame[name].dtype.kind in "biuf"


def scaled(frame, model):
    """The usual pipeline of a model that needs standardised numbers and no gaps."""
    numbers = [name for name in frame if is_number(frame, name)]
    texts = [name for name in frame if name not in numbers]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), texts),
    )
    return make_pipeline(columns, model)


def trees(frame, kind=HistGradientBoostingClassifier):
    texts = [name for name in frame if not is_number(frame, name)]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=255)
    columns = make_column_transformer((codes, texts), remainder="passthrough", verbose_feature_names_out=False)
    columns.set_output(transform="pandas")
    return make_pipeline(columns, kind(categorical_features=texts, random_state=0))


class Ours:
    """`train` with nothing but the table and its column of labels. The folds judge it, so it holds no rows out."""

    def __init__(self, **options):
        self.options = options

    def fit(self, frame, labels):
        self.model = train(frame.assign(**{labels.name: labels}), labels.name, validation=0, **self.options).model
        self.classes_ = np.asarray(self.model.labels)
        return self

    def predict_proba(self, frame):
        p = self.model.predict_proba(frame)
        return np.column_stack([1.0 - p, p]) if p.ndim == 1 else p


CONTENDERS = {
    NEURON: lambda frame: Ours(),
    LINEAR: lambda frame: scaled(frame, LogisticRegression(max_iter=1000)),
    NETWORK: lambda frame: Ours(hidden=HIDDEN),
    MLP: lambda frame: scaled(frame, MLPClassifier((HIDDEN,), random_state=0)),
    TREES: trees,
}


@dataclass
class Score:
    """What one contender reached on one table, a value for each fold."""

    losses: list[float] = field(default_factory=list)
    hits: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, probabilities, classes, labels, seconds):
        truth = np.searchsorted(classes, labels)
        rows = np.arange(len(truth))
        self.losses.append(float(-np.log(np.maximum(probabilities[rows, truth], FEWEST)).mean()))
        self.hits.append(float((probabilities.argmax(axis=1) == truth).mean()))
        self.seconds.append(seconds)

    def to_json(self):
        means = {"log_loss": mean(self.losses), "accuracy": mean(self.hits), "seconds": mean(self.seconds)}
        return means | {"log_losses": [round(loss, 6) for loss in self.losses]}


def measure(load, seeds):
    """The scores of all contenders on one table, by their names, and the table's size."""
    frame, target = load()
    labels = frame.pop(target)
    scores = {name: Score() for name in CONTENDERS}
    for seed in seeds:
        folds = StratifiedKFold(min(FOLDS, labels.value_counts().min()), shuffle=True, random_state=seed)
        for trained, judged in folds.split(frame, labels):
            for name, make in CONTENDERS.items():
                start = time.perf_counter()
                model = make(frame).fit(frame.iloc[trained], labels.iloc[trained])
                seconds = time.perf_counter() - start
                p = model.predict_proba(frame.iloc[judged])
                scores[name].add(p, model.classes_, labels.iloc[judged].to_numpy(), seconds)
    rows, columns = frame.shape
    return {"rows": rows, "columns": columns, "scores": {name: score.to_json() for name, score in scores.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many times the rows are dealt to folds")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="only these tables")
    parser.add_argument("--output", type=Path, help="the results file (default: the day and the CPU, in bench/results)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    facts = machine()
    day = datetime.now(UTC).date().isoformat()
    path = arguments.output or RESULTS / f"tables-{day}-{slug(facts)}.json"
    groups = []
    for group in (tables_data.TWO, tables_data.MORE):
        found = {}
        for name, load in group.items():
            if not arguments.only or name in arguments.only:
                found[name] = measure(load, seeds)
                figures = "  ".join(f"{who} {score['log_loss']:.4f}" for who, score in found[name]["scores"].items())
                print(f"{name}: {figures}", file=sys.stderr, flush=True)
        groups.append(found)
    load = round(os.getloadavg()[2], 1)  # of the last quarter of an hour
    document = {"machine": facts, "load": load, "folds": FOLDS, "seeds": list(seeds)}
    document |= {"two": groups[0], "more": groups[1]}
    pages.write(document, page(document), path)
    if not arguments.only and arguments.output is None:
        pages.update(PAGE, with_blocks, path)


if __name__ == "__main__":
    main()
