"""`tinynet-fast train`: on a table in memory, or on rows that are read while they are trained on."""

import glob
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.cli_support import naming, plain_console, print_training, read_rows
from tinynet_fast.data.files import TableError, as_column
from tinynet_fast.data.rows import split_rows, standardisation
from tinynet_fast.training.mlp import MOST_LABELS, train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.raw_inputs import warn_of_lost_digits
from tinynet_fast.training.run import TrainingResult

FEWEST_ROWS_TO_SPLIT = 20  # below that nothing is held out unless --validation asks for it
MOST_BYTES_IN_MEMORY = 100_000_000  # of one CSV file; a larger one is streamed


@dataclass
class Job:
    """What `train` was asked for."""

    data: list[Path]
    target: str
    features: str | None
    hidden: list[int] | None
    labels: str | None
    standardize: bool
    shuffle: bool | None
    validation: float | None
    seed: int
    stream: bool
    drop_missing: bool
    quiet: bool
    options: dict[str, Any] = field(default_factory=dict)  # for the trainer, as they are

    @property
    def streams(self) -> bool:
        """Whether rows are read while they are trained on: always but for one CSV file that is easily held."""
        (first, *others) = self.data
        if self.stream or self.drop_missing or others or first.suffix.lower() != ".csv":
            return True
        return first.stat().st_size > MOST_BYTES_IN_MEMORY if first.is_file() else glob.has_magic(str(first))

    def train(self, X: Any, y: Any, **options: Any) -> TrainingResult[Any]:
        options |= self.options | {"seed": self.seed, "progress": not self.quiet}
        if self.labels is not None:
            options["labels"] = as_column([text.strip() for text in self.labels.split(",")]).values
        if self.hidden is None:
            return train_neuron(X, y, **options)
        return train_mlp(X, y, hidden=self.hidden, **options)


def train_streamed(job: Job) -> tuple[TrainingResult[Any], list[str]]:
    """Train on rows that need not fit in memory; the result, and what is to be said of it beside its history."""
    sources: Any = job.data[0] if len(job.data) == 1 else job.data
    svmlight = job.data[0].suffix.lower() in (".svm", ".svmlight", ".libsvm")
    target: Any = None if svmlight else job.target
    if job.data[0].suffix.lower() == ".npy":  # the labels' file, or the number of the column that holds them
        try:
            target = int(job.target)
        except ValueError:
            target = Path(job.target)
    result = job.train(
        sources,
        target,
        features=None if job.features is None else [name.strip() for name in job.features.split(",")],
        standardize=job.standardize,
        drop_missing=job.drop_missing,
        shuffle="blocks" if job.shuffle else False,
        validation=0.2 if job.validation is None else job.validation or None,
    )
    result.model.training |= {"target": job.target, "validation": job.validation}
    said = [f"{result.rows:,} rows trained on in each epoch"]
    if job.drop_missing:
        said.append(f"{result.dropped_rows:,} rows left out for a missing value")
    return result, said


def train_in_memory(job: Job) -> tuple[TrainingResult[Any], list[str]]:
    """Train on one CSV file that is read whole."""
    (data,) = job.data
    names, X, labels = read_rows(data, job.target, job.features, most_labels=MOST_LABELS if job.hidden else 2)
    validation = job.validation
    if validation is None:
        validation = 0.2 if len(X) >= FEWEST_ROWS_TO_SPLIT else 0.0
    trained, held = split_rows(len(X), validation, job.seed) if validation else (np.arange(len(X)), np.arange(0))
    parts = {"training": (X[trained], labels[trained]), "validation": (X[held], labels[held])}
    X_train, y_train = parts["training"]
    X_held, y_held = parts["validation"]
    if len(np.unique(y_train)) < len(np.unique(labels)):
        raise TableError(
            f"{data}: with --seed {job.seed} every row of a label is held out: use another, or --validation 0"
        )
    d = X.shape[1]
    mean, scale = standardisation(X_train, names) if job.standardize else (np.zeros(d), np.ones(d))
    with naming(str(data)):
        result = job.train(
            (X_train - mean) / scale,
            y_train,
            shuffle=job.shuffle is not False,
            validation=((X_held - mean) / scale, y_held) if len(held) else None,
        )
    fitted = result.model.for_raw_inputs(mean, scale)
    warn_of_lost_digits(fitted, mean, names)
    fitted.features = names
    fitted.training |= {"target": job.target, "standardize": job.standardize, "validation": validation}
    said = [
        f"{name}: {len(y):,} rows, log loss {fitted.loss(X, y):.4f}, accuracy {fitted.score(X, y):.4f}"
        for name, (X, y) in parts.items()
        if len(y)
    ]
    return result, said


def print_result(job: Job, result: TrainingResult[Any], said: list[str]) -> None:
    """Print the history, and what else there is to say."""
    console = plain_console()
    if result.rate_search is not None:
        console.print(result.rate_search.reason)
    print_training(console, result, neuron=job.hidden is None)
    for line in said:
        console.print(line)
