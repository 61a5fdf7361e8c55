"""`tinynet-fast train`: on rows in memory, or on rows that are read while they are trained on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.cli.rows import check_labels, names_of, naming, open_rows
from tinynet_fast.cli.support import plain_console, print_training
from tinynet_fast.models import Model, Neuron
from tinynet_fast.rows.blocks import split_rows, standardisation
from tinynet_fast.rows.files import TableError, as_column
from tinynet_fast.rows.formats import Source
from tinynet_fast.rows.index_columns import warn_of_row_numbers
from tinynet_fast.rows.messages import printable
from tinynet_fast.rows.stream import HoldOut, StreamRows
from tinynet_fast.rows.whole import WholeTable, read_whole
from tinynet_fast.training.mlp import MOST_LABELS, train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.raw_inputs import warn_of_lost_digits
from tinynet_fast.training.result import TrainingResult

FEWEST_ROWS_TO_SPLIT = 20  # below that nothing is held out unless --validation asks for it
SHARE = 0.2  # of the rows that are held out


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
    def known(self) -> np.ndarray | None:
        """The labels that were named, as numbers if all of them are."""
        return None if self.labels is None else as_column(names_of(self.labels, "--labels")).values

    def run(self) -> tuple[TrainingResult[Any], list[str]]:
        """Train; the result, and what else there is to say. Rows that do not fit in memory are streamed."""
        source = open_rows(self.data, self.target, self.features, self.drop_missing)
        table = None if self.stream else read_whole(source, limited=True)
        return train_streamed(self, source) if table is None else train_in_memory(self, table)

    def train(self, X: Any, y: Any, **options: Any) -> TrainingResult[Any]:
        options |= self.options | {"seed": self.seed, "progress": not self.quiet}
        if self.known is not None:
            options["labels"] = self.known
        if self.hidden is None:
            return train_neuron(X, y, **options)
        return train_mlp(X, y, hidden=self.hidden, **options)


@dataclass
class Split:
    """A table's rows to learn from and rows held out, standardised by the mean and scale of the rows to learn from."""

    table: WholeTable
    held: np.ndarray  # (n,) bool
    share: float
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, table: WholeTable, share: float | None, seed: int, standardize: bool) -> "Split":
        """Hold out a share of the rows: a fifth, or none of fewer than 20 rows, if `share` is None.

        The file's rows are drawn, also those that are left out for a missing value: other columns hold out the same
        rows.
        """
        if share is None:
            share = SHARE if len(table) >= FEWEST_ROWS_TO_SPLIT else 0.0
        held = np.zeros(table.n_rows, bool)
        if share:
            held[split_rows(table.n_rows, share, seed)[1]] = True
        held, d = held[table.rows], table.X.shape[1]
        split = cls(table, held, share, np.zeros(d), np.ones(d))
        X, y = split.raw(held=False)
        if len(np.unique(y)) < len(np.unique(table.y)):
            raise TableError(
                f"{table.source.place}: with --seed {seed} every row of a label is held out: use another, or "
                "--validation 0"
            )
        if standardize:
            split.mean, split.scale = standardisation(X, table.names)
        return split

    def raw(self, held: bool) -> tuple[np.ndarray, np.ndarray]:
        """The rows as they came, and their labels."""
        chosen = self.held if held else ~self.held
        return self.table.X[chosen], self.table.y[chosen]

    def scaled(self, held: bool) -> tuple[np.ndarray, np.ndarray]:
        """The rows as they are trained on, and their labels."""
        X, y = self.raw(held)
        X -= self.mean  # in place, because the rows may take a good part of the memory
        X /= self.scale
        return X, y

    @property
    def validation(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The rows held out, as they are trained on; None if there are none."""
        return self.scaled(held=True) if self.held.any() else None


def train_in_memory(job: Job, table: WholeTable) -> tuple[TrainingResult[Any], list[str]]:
    """Train on rows that were read whole: shuffled unless --no-shuffle is given."""
    check_labels(table, job.target, MOST_LABELS if job.hidden else 2, job.known)
    warn_of_row_numbers(table.names, table.X)
    split = Split.of(table, job.validation, job.seed, job.standardize)
    if job.options["patience"] is not None and not split.held.any():
        raise ValueError("--patience watches rows that are held out: give --validation a share of the rows")
    with naming(table.source.place):
        result = job.train(*split.scaled(held=False), shuffle=job.shuffle is not False, validation=split.validation)
    fitted = result.model.for_raw_inputs(split.mean, split.scale)
    warn_of_lost_digits(fitted, split.mean, table.names)
    fitted.features = table.names
    fitted.training |= {"target": job.target, "standardize": job.standardize, "validation": split.share}
    if table.dropped:
        fitted.training["dropped_rows"] = table.dropped
    said = [
        _scores(name, len(y), fitted.loss(X, y), fitted.score(X, y))
        for name, (X, y) in (("training", split.raw(held=False)), ("validation", split.raw(held=True)))
        if len(y)
    ]
    return result, said + _said_of_dropped(job, table.dropped)


def train_streamed(job: Job, source: Source) -> tuple[TrainingResult[Any], list[str]]:
    """Train on rows that need not fit in memory: in the order of the file, or by blocks with --shuffle."""
    share = SHARE if job.validation is None else job.validation or None
    result = job.train(
        source,
        None,
        standardize=job.standardize,
        shuffle="blocks" if job.shuffle else False,
        validation=share,
    )
    result.model.training |= {"target": job.target, "validation": job.validation}
    said = [f"{result.rows:,} rows trained on in each epoch, read in the order of the file"]
    if source.repeatable:
        hold_out = None if share is None else HoldOut(share, result.seed or 0)
        rows = source.as_sparse() if isinstance(result.model, Neuron) else source
        said += _streamed_scores(StreamRows(rows, result.model.labels, hold_out), result.model)
    return result, said + _said_of_dropped(job, result.dropped_rows)


def _streamed_scores(rows: StreamRows, model: Model) -> list[str]:
    """Log loss and accuracy of rows that are read once more."""
    totals = {"training": np.zeros(3), "validation": np.zeros(3)}
    for pieces in rows.split_pieces():
        for total, piece in zip(totals.values(), pieces, strict=True):
            if piece is not None and len(piece[1]):
                X, codes = piece
                right = np.count_nonzero(model.predict(X) == model.labels[codes])
                total += np.array([len(codes), model.mean_cross_entropy(X, codes) * len(codes), right])
    return [_scores(name, int(n), loss / n, right / n) for name, (n, loss, right) in totals.items() if n]


def _scores(name: str, rows: int, loss: float, accuracy: float) -> str:
    return f"{name}: {rows:,} rows, log loss {loss:.4f}, accuracy {accuracy:.4f}"


def _said_of_dropped(job: Job, dropped: int) -> list[str]:
    return [f"{dropped:,} rows left out for a missing value"] if job.drop_missing else []


def print_result(job: Job, result: TrainingResult[Any], said: list[str]) -> None:
    """Print the history, which label is learned, and what else there is to say."""
    console = plain_console()
    if result.rate_search is not None:
        console.print(result.rate_search.reason)
    print_training(console, result, neuron=job.hidden is None)
    labels = [printable(str(label)) for label in result.model.labels.tolist()]  # on one line each
    if len(labels) == 2:
        learned = f"the model gives P({labels[1]}), the probability of {labels[1]}; the other label is {labels[0]}"
    else:
        learned = f"the model gives a probability for each of {', '.join(labels)}"
    for line in [learned, *said]:
        console.print(line, soft_wrap=True)
