"""`tinynet-fast train`: on rows in memory, or on rows that are read during training."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from typer import Argument, Option

from tinynet_fast import plots
from tinynet_fast.cli.options import DropMissing, Features, HeldOut, Seed, Standardize, takes
from tinynet_fast.cli.rows import check_labels, names_of, naming, open_rows
from tinynet_fast.cli.support import check_destinations, model_file, numbers, one_of, plain_console
from tinynet_fast.kernels.reference import ACTIVATIONS, OPTIMIZERS
from tinynet_fast.models import Model, Neuron
from tinynet_fast.rows.blocks import split_rows, standardisation
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import Source
from tinynet_fast.rows.formats.cells import infer
from tinynet_fast.rows.index_columns import warn_of_row_numbers
from tinynet_fast.rows.kept import WholeTable, read_whole
from tinynet_fast.rows.messages import printable
from tinynet_fast.rows.stream import HoldOut, StreamRows
from tinynet_fast.training.mlp import MOST_LABELS, train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.raw_inputs import warn_of_lost_digits
from tinynet_fast.training.result import TrainingResult

FEWEST_ROWS_TO_SPLIT = 20  # if there are fewer, rows are only held out if --validation is given
SHARE = 0.2  # of the rows that are held out
SHOWN_EPOCHS = 10


@dataclass
class TrainOptions:
    """The command's options, checked. `for_trainer` are those that the trainer takes."""

    data: Annotated[list[Path], Argument(help="Files of one kind (CSV, Parquet, Arrow, .npy, svmlight), or a pattern.")]
    target: Annotated[str, Option(help="The column to learn: it has two labels, or more for a network.")]
    features: Features = None
    hidden: Annotated[str | None, Option(help="A network's hidden units: 8, or 16,8 (default: one neuron).")] = None
    activation: Annotated[str, Option(help=f"For hidden units: {one_of(ACTIVATIONS)}.")] = "sigmoid"
    learning_rate: Annotated[
        str | None, Option(help="A number, or for one neuron auto (default: 0.1; 0.15 for a network).")
    ] = None
    epochs: Annotated[int | None, Option(help="Default: 100; 1000 for a network.")] = None
    batch_size: Annotated[int | None, Option(help="Rows in a network's update (default: all).")] = None
    optimizer: Annotated[str | None, Option(help=f"For a network: {one_of(OPTIMIZERS)} (default: sgd).")] = None
    momentum: Annotated[float | None, Option(help="For a network's sgd; 0.9 is usual.")] = None
    dropout: Annotated[float | None, Option(help="Share of hidden units that are left out for each row.")] = None
    l2: Annotated[float | None, Option(help="The penalty on large weights.")] = None
    schedule: Annotated[str | None, Option(help="How the learning rate changes: constant, invscaling or cosine.")] = (
        None
    )
    plot: Annotated[Path | None, Option(help="Write a picture of the loss by epoch, .png or .svg.")] = None
    engine: Annotated[str, Option(help="fast, strict, numpy or reference.")] = "fast"
    jobs: Annotated[int | None, Option(help="Threads for one neuron; -1 for all cores (default: 1).")] = None
    standardize: Standardize = True
    shuffle: Annotated[
        bool | None, Option(help="A new order of rows each epoch; of streamed rows by blocks (default: not streamed).")
    ] = None
    validation: HeldOut = None
    patience: Annotated[int | None, Option(help="Stop after this many epochs without a lower validation loss.")] = None
    seed: Seed = 0
    labels: Annotated[str | None, Option(help="The labels, with commas; the last of two is learned.")] = None
    stream: Annotated[bool, Option("--stream", help="Read rows while training, even if they fit in memory.")] = False
    drop_missing: DropMissing = False
    checkpoint: Annotated[Path | None, Option(help="A file from which a stopped run can continue.")] = None
    checkpoint_seconds: Annotated[float, Option(help="Seconds from one checkpoint to the next.")] = 30.0
    resume: Annotated[bool, Option(help="Continue from the checkpoint if it exists.")] = True
    quiet: Annotated[bool, Option("--quiet", help="Print nothing but warnings and errors.")] = False
    model: Annotated[Path | None, Option(help="The file to write (default: DATA.model.json or model.json).")] = None
    destination: Path = field(init=False)
    layers: list[int] | None = field(init=False)
    for_trainer: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.destination = self.model or model_file(self.data[0])
        self.layers = None if self.hidden is None else numbers(self.hidden, "--hidden", int)
        if self.layers is not None and min(self.layers) < 1:
            raise ValueError(f"--hidden {self.hidden}: a hidden layer has at least one unit")
        if self.optimizer in OPTIMIZERS and self.optimizer != "sgd" and self.momentum is not None:
            raise ValueError("--momentum is for --optimizer sgd: leave one of them out")
        network = self._given("batch_size", "optimizer", "momentum", "dropout")
        if self.activation != "sigmoid":
            network["activation"] = self.activation
        if self.layers is None and network:
            option = next(iter(network)).replace("_", "-")
            raise ValueError(f"--{option} is for networks: name the hidden units with --hidden")
        given = self._given("epochs", "l2", "schedule")
        if self.layers is not None and self.jobs is not None:
            raise ValueError("--jobs is for one neuron: leave it out, or leave --hidden out")
        if self.jobs is not None:
            given["n_jobs"] = self.jobs
        if self.learning_rate is not None:
            given["learning_rate"] = _rate_or_auto(self.learning_rate)
        if self.layers is not None and self.learning_rate == "auto":
            raise ValueError("--learning-rate auto is for one neuron: give a number, or leave --hidden out")
        written = {"the model": self.destination, "the picture": self.plot, "the checkpoint": self.checkpoint}
        check_destinations(written, self.data)
        self.for_trainer = network | given | {"engine": self.engine, "patience": self.patience, "seed": self.seed}
        if self.checkpoint is not None:
            self.for_trainer |= self._given("checkpoint", "checkpoint_seconds", "resume")

    def _given(self, *names: str) -> dict[str, Any]:
        """The options with these names that were given."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def known(self) -> np.ndarray | None:
        """The labels that were named, as numbers if all of them are numbers."""
        return None if self.labels is None else infer(names_of(self.labels, "--labels"))

    def run(self) -> tuple[TrainingResult[Any], list[str]]:
        """Train; return the result and lines to print. Rows that do not fit in memory are streamed."""
        source = open_rows(self.data, self.target, self.features, self.drop_missing)
        table = None if self.stream else read_whole(source, limited=True)
        return train_streamed(self, source) if table is None else train_in_memory(self, table)

    def train(self, X: Any, y: Any, **options: Any) -> TrainingResult[Any]:
        """Call the trainer with the command's options and these."""
        options |= self.for_trainer | {"progress": not self.quiet}
        if self.known is not None:
            options["labels"] = self.known
        if self.layers is None:
            return train_neuron(X, y, **options)
        return train_mlp(X, y, hidden=self.layers, **options)


@dataclass
class Split:
    """A table's rows, split into those to train on and those held out. Mean and scale are of the rows to train on."""

    table: WholeTable
    held: np.ndarray  # (n,) bool
    share: float
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, table: WholeTable, share: float | None, seed: int, standardize: bool) -> "Split":
        """Hold out a share of the rows. If `share` is None: a fifth, or none of fewer than 20 rows.

        Rows with a missing value take part in the draw. So the same rows are held out whatever columns are used.
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
        """The rows as they were read, and their labels."""
        chosen = self.held if held else ~self.held
        return self.table.X[chosen], self.table.y[chosen]

    def scaled(self, held: bool) -> tuple[np.ndarray, np.ndarray]:
        """The rows as they are trained on, standardised, and their labels."""
        X, y = self.raw(held)
        X -= self.mean  # in place, because the rows may take a good part of the memory
        X /= self.scale
        return X, y

    @property
    def validation(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The rows held out, standardised, and their labels; None if there are none."""
        return self.scaled(held=True) if self.held.any() else None


def train_in_memory(asked: TrainOptions, table: WholeTable) -> tuple[TrainingResult[Any], list[str]]:
    """Train on rows that were read whole: shuffled unless --no-shuffle is given."""
    check_labels(table, asked.target, MOST_LABELS if asked.layers else 2, asked.known)
    warn_of_row_numbers(table.names, table.X)
    split = Split.of(table, asked.validation, asked.seed, asked.standardize)
    if asked.patience is not None and not split.held.any():
        raise ValueError("--patience watches rows that are held out: give --validation a share of the rows")
    with naming(table.source.place):
        result = asked.train(*split.scaled(held=False), shuffle=asked.shuffle is not False, validation=split.validation)
    fitted = result.model.for_raw_inputs(split.mean, split.scale)
    warn_of_lost_digits(fitted, split.mean, table.names)
    fitted.features = table.names
    fitted.training |= {"target": asked.target, "standardize": asked.standardize, "validation": split.share}
    if table.dropped:
        fitted.training["dropped_rows"] = table.dropped
    said = [
        _scores(name, len(y), fitted.loss(X, y), fitted.score(X, y))
        for name, (X, y) in (("training", split.raw(held=False)), ("validation", split.raw(held=True)))
        if len(y)
    ]
    return result, said + _said_of_dropped(asked, table.dropped)


def train_streamed(asked: TrainOptions, source: Source) -> tuple[TrainingResult[Any], list[str]]:
    """Train on rows that need not fit in memory: in the order of the file, or by blocks with --shuffle."""
    share = SHARE if asked.validation is None else asked.validation or None
    shuffle = "blocks" if asked.shuffle else False
    result = asked.train(source, None, standardize=asked.standardize, shuffle=shuffle, validation=share)
    result.model.training |= {"target": asked.target, "validation": asked.validation}
    said = [f"{result.rows:,} rows trained on in each epoch, read in the order of the file"]
    if source.repeatable:
        hold_out = None if share is None else HoldOut(share, result.seed or 0)
        rows = source.as_sparse() if isinstance(result.model, Neuron) else source
        said += _streamed_scores(StreamRows(rows, result.model.labels, hold_out), result.model)
    return result, said + _said_of_dropped(asked, result.dropped_rows)


def _streamed_scores(rows: StreamRows, model: Model) -> list[str]:
    """Read the rows once more, for their log loss and accuracy."""
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


def _said_of_dropped(asked: TrainOptions, dropped: int) -> list[str]:
    return [f"{dropped:,} rows left out for a missing value"] if asked.drop_missing else []


@takes(TrainOptions)
def train(asked: TrainOptions) -> None:
    """Train on files, print the loss as it falls, and write the model.

    Rows of up to 256 MB (as float64, such as 1,000,000 rows of 32 inputs) are read whole, whatever their format. More
    rows are read while they are trained on, in the order of the file.
    """
    result, said = asked.run()
    result.model.save(asked.destination)
    said.append(f"model: {asked.destination}")
    if asked.plot is not None:
        plots.save(plots.loss_curves(result), asked.plot)
        said.append(f"picture: {asked.plot}")
    if not asked.quiet:
        _print_result(asked, result, said)


def _print_result(asked: TrainOptions, result: TrainingResult[Any], said: list[str]) -> None:
    """Print the losses, which label is learned, and the lines in `said`."""
    console = plain_console()
    if result.rate_search is not None:
        console.print(result.rate_search.reason)
    _print_history(console, result, neuron=asked.hidden is None)
    labels = [printable(str(label)) for label in result.model.labels.tolist()]  # on one line each
    if len(labels) == 2:
        learned = f"the model gives P({labels[1]}), the probability of {labels[1]}; the other label is {labels[0]}"
    else:
        learned = f"the model gives a probability for each of {', '.join(labels)}"
    for line in [learned, *said]:
        console.print(line, soft_wrap=True)


def _print_history(console: Console, result: TrainingResult[Any], neuron: bool) -> None:
    shown = Table("epoch", "sum of squared errors" if neuron else "mean cross-entropy")
    if result.validation_loss_history is not None:
        shown.add_column("validation log loss")
    for epoch in np.unique(np.linspace(0, result.epochs - 1, SHOWN_EPOCHS).round().astype(int)):
        row = [str(epoch), f"{result.loss_history[epoch]:.6g}"]
        if result.validation_loss_history is not None:
            row.append(f"{result.validation_loss_history[epoch]:.6g}")
        shown.add_row(*row)
    console.print(shown)
    best = "" if result.best_epoch is None else f", weights of epoch {result.best_epoch}"
    console.print(f"engine {result.engine}, {result.epochs:,} epochs in {result.seconds:.3f} s{best}")
    if result.certificate is not None:
        console.print(result.certificate.meaning, soft_wrap=True)


def _rate_or_auto(text: str) -> float | str:
    """A learning rate as a number, or "auto" as it is."""
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise ValueError(f"--learning-rate {text}: a number, or auto, is needed") from None
