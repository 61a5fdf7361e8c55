"""`tinynet-fast train`: calls `tinynet_fast.train`. Rows that do not fit in memory are read while training."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from rich.console import Console
from typer import Argument, Option

from tinynet_fast import plots
from tinynet_fast.cli.options import (
    Decimal,
    DropMissing,
    Encoding,
    Exclude,
    Features,
    Gaps,
    Hashed,
    HeldOut,
    LevelColumns,
    Missing,
    Positive,
    Seed,
    Separator,
    Standardize,
    takes,
)
from tinynet_fast.cli.rows import buckets, names_of, naming, one_or_all, open_rows
from tinynet_fast.cli.streamed import train_streamed
from tinynet_fast.cli.support import check_destinations, model_file, numbers, one_of, plain_console, value_of
from tinynet_fast.kernels.point_functions import LOSSES
from tinynet_fast.kernels.reference import ACTIVATIONS, OPTIMIZERS
from tinynet_fast.models import Model
from tinynet_fast.rows.formats.cells import infer
from tinynet_fast.rows.team import check_jobs
from tinynet_fast.tables.options import LABELS, MISSING, NUMBERS, OUTPUTS, TableOptions
from tinynet_fast.tables.page import write_page
from tinynet_fast.tables.rows import read
from tinynet_fast.tables.summary import learned, print_summary
from tinynet_fast.tables.train import train as train_table

FOR_NETWORKS = ("activation", "batch_size", "optimizer", "momentum", "dropout", "mixup", "dtype")
OF_LOSSES = ("loss", "delta", "quantile", "gamma", "standardize_y")
LOSSES_OF = {of: one_of(name for name in losses if name != "hinge") for of, losses in LOSSES.items()}


@dataclass
class TrainOptions:
    """The command's options, checked. `for_trainer` are those that the trainer takes."""

    data: Annotated[list[Path], Argument(help="Files of one kind (CSV, Parquet, Arrow, .npy, svmlight), or a pattern.")]
    target: Annotated[str, Option(help="The column to learn, labels or numbers, or a condition, such as 'G3>=10'.")]
    positive: Positive = None
    features: Features = None
    exclude: Exclude = None
    levels: LevelColumns = None
    hashed: Hashed = None
    missing: Missing = "fill"
    drop_missing: DropMissing = False
    na: Gaps = None
    separator: Separator = None
    decimal: Decimal = None
    encoding: Encoding = None
    hidden: Annotated[
        str | None, Option(help="A network's hidden units: 8, or 16,8; 0 for none (default: found for numbers; none).")
    ] = None
    activation: Annotated[str | None, Option(help=f"For hidden units: {one_of(ACTIVATIONS)}.")] = None
    learning_rate: Annotated[str | None, Option(help="A number, or auto: found by trying some (default: found).")] = (
        None
    )
    epochs: Annotated[int | None, Option(help="Passes over the rows (default: found).")] = None
    average: Annotated[bool | None, Option(help="Use the mean of the weights after each row (default: found).")] = None
    batch_size: Annotated[int | None, Option(help="Rows in a network's update.")] = None
    optimizer: Annotated[str | None, Option(help=f"For a network: {one_of(OPTIMIZERS)}.")] = None
    momentum: Annotated[float | None, Option(help="For a network's sgd; 0.9 is usual.")] = None
    dropout: Annotated[float | None, Option(help="Share of hidden units that are left out for each row.")] = None
    mixup: Annotated[float | None, Option(help="Mix rows of a network's batch in shares from Beta(MIXUP, MIXUP).")] = (
        None
    )
    noise: Annotated[float | None, Option(help="Noise on each input, in its standard deviations; 0.1 is usual.")] = None
    l2: Annotated[float | None, Option(help="The penalty on large weights (default: found).")] = None
    schedule: Annotated[str | None, Option(help="How the learning rate changes: constant, invscaling or cosine.")] = (
        None
    )
    class_weight: Annotated[
        str | None, Option(help="balanced: the rows of each label count the same in total; or no=1,yes=5.")
    ] = None
    output: Annotated[
        str | None, Option(help=f"What is learned: {one_of(OUTPUTS)} (default: the target decides; linear: numbers).")
    ] = None
    loss: Annotated[
        str | None, Option(help=f"Of labels: {LOSSES_OF['labels']}. Of numbers: {LOSSES_OF['linear']}.")
    ] = None
    delta: Annotated[float | None, Option(help="For --loss huber: the error from which on it counts less.")] = None
    quantile: Annotated[float | None, Option(help="For --loss quantile: which one, such as 0.9.")] = None
    gamma: Annotated[float | None, Option(help="For --loss focal: how much less rows count that are right.")] = None
    standardize_y: Annotated[
        bool | None, Option(help="Train on (number - mean) / deviation (default: yes, for numbers but counts).")
    ] = None
    option: Annotated[
        list[str] | None, Option("--set", help="Any other option of the trainers, as name=value (several times).")
    ] = None
    plot: Annotated[Path | None, Option(help="Write a picture of the loss by epoch, .png or .svg.")] = None
    report: Annotated[Path | None, Option(help="Write a page about the model and the rows held out, .html.")] = None
    engine: Annotated[
        str, Option(help="fast, strict, portable (the same bits on every machine), numpy or reference.")
    ] = "fast"
    dtype: Annotated[str | None, Option(help="For a network's numbers: float64 (default) or float32.")] = None
    jobs: Annotated[int | None, Option(help="Threads that train; -1 for all cores (default: 1).")] = None
    standardize: Standardize = True
    shuffle: Annotated[
        bool | None,
        Option(help="A new order of rows each epoch; for streamed rows by blocks (default: yes, but no if streamed)."),
    ] = None
    validation: HeldOut = None
    refit: Annotated[bool, Option(help="After judging, train again on all rows with the same options.")] = True
    patience: Annotated[int | None, Option(help="Stop after this many epochs without a lower validation loss.")] = None
    seed: Seed = 0
    labels: Annotated[str | None, Option(help="The labels, with commas; the last of two is learned.")] = None
    stream: Annotated[bool, Option("--stream", help="Read rows while training, even if they fit in memory.")] = False
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
        self.layers = [] if self.layers == [0] else self.layers
        if self.layers and min(self.layers) < 1:
            raise ValueError(f"--hidden {self.hidden}: a hidden layer has at least one unit")
        if self.optimizer in OPTIMIZERS and self.optimizer != "sgd" and self.momentum is not None:
            raise ValueError("--momentum is for --optimizer sgd: leave one of them out")
        self.missing = "drop" if self.drop_missing else self.missing
        if self.missing not in MISSING:
            raise ValueError(f"--missing {self.missing}: {one_of(MISSING)} is needed")
        named = ("noise", "epochs", "l2", "schedule", "average", "patience", "shuffle")
        given = self._given(*FOR_NETWORKS, *OF_LOSSES, *named)
        check_jobs(self.jobs)
        if self.jobs is not None:
            given["n_jobs"] = self.jobs
        if self.learning_rate is not None:
            given["learning_rate"] = _rate_or_auto(self.learning_rate)
        if self.layers is not None:
            given["hidden"] = self.layers
        if self.checkpoint is not None:
            given |= self._given("checkpoint", "checkpoint_seconds", "resume")
        self.for_trainer = given | self._others() | {"engine": self.engine}
        check_destinations(
            {
                "the model": self.destination,
                "the picture": self.plot,
                "the page": self.report,
                "the checkpoint": self.checkpoint,
            },
            self.data,
        )

    def _given(self, *names: str) -> dict[str, Any]:
        """The options with these names that were given."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _others(self) -> dict[str, Any]:
        """The options of the trainers that `--set` names."""
        found = {}
        for text in self.option or []:
            name, equals, value = text.partition("=")
            if not equals or not name.isidentifier():
                raise ValueError(f"--set {text}: a name and a value are needed, such as --set beta_1=0.8")
            own = {"n_jobs": "jobs"}.get(name, name)
            if own in self.__dataclass_fields__:
                raise ValueError(f"--set {text}: {_option(own)} is the option for this")
            found[name] = value_of(value)
        return found

    @property
    def known(self) -> np.ndarray | None:
        """The labels that were named, as numbers if all of them are numbers."""
        return None if self.labels is None else infer(names_of(self.labels, "--labels"))

    @property
    def weights(self) -> Any:
        """The class weights: "balanced", or a weight for each label."""
        if self.class_weight is None or self.class_weight == "balanced":
            return self.class_weight
        pairs = [part.rpartition("=") for part in names_of(self.class_weight, "--class-weight")]
        try:
            return {name: float(weight) for name, _, weight in pairs}
        except ValueError:
            raise ValueError(
                f"--class-weight {self.class_weight}: balanced, or a weight for each label, such as no=1,yes=5"
            ) from None

    def for_table(self) -> dict[str, Any]:
        """The options that say how the table is read and judged."""
        lists = {name: getattr(self, name) for name in ("features", "exclude", "levels", "na")}
        found: dict[str, Any] = {name: names_of(text, f"--{name}") for name, text in lists.items() if text is not None}
        if self.known is not None:
            found["labels"] = self.known
        return found | {
            "positive": self.positive,
            "hashed": buckets(self.hashed),
            "missing": self.missing,
            "decimal": self.decimal,
            "standardize": self.standardize,
            "class_weight": self.weights,
            "output": self.output,
            "validation": self.validation,
            "refit": self.refit,
            "seed": self.seed,
            "progress": not self.quiet,
        }

    def for_stream(self) -> dict[str, Any]:
        """The options of the trainers that say what streamed rows are to learn."""
        found: dict[str, Any] = {"class_weight": self.weights, "labels": self.known}
        if isinstance(self.weights, dict):  # keyed by the labels as they are in the rows: numbers, if all are numbers
            found["class_weight"] = dict(zip(infer(list(self.weights)).tolist(), self.weights.values(), strict=True))
        TableOptions(labels=self.known, class_weight=self.weights, output=self.output, loss=self.loss)  # checks them
        if self.output not in (None, LABELS):
            found["output"] = self.output
        return {name: value for name, value in found.items() if value is not None}


@takes(TrainOptions)
def train(asked: TrainOptions) -> None:
    """Train on a table as it is, judge the model on rows held out, and write the model.

    Options that are not given are chosen on the rows. Rows of up to 256 MB (as float64, such as 1,000,000 rows of 32
    numbers) are read whole, whatever their format. More rows are read while they are trained on, in the order of the
    file; their columns have to be numbers, and numbers are learned only with --output linear.
    """
    console = plain_console()
    files = one_or_all(asked.data)
    table, target = None, asked.target
    if not asked.stream:
        table, target = read(
            files, asked.target, asked.separator, asked.encoding, limited=True, drop_missing=asked.missing == "drop"
        )
    if table is None:
        _streamed(asked, console)
        return
    options = asked.for_table() | asked.for_trainer
    with naming(table.place):
        result = train_table(table, target, **options)
    written = save(asked, result.model, result.training)
    if asked.report is not None:
        rows = (table, target) if table.named else ()
        result.save_report(asked.report, *rows)
        written.append(f"page: {asked.report}")
    if not asked.quiet:
        print_summary(console, result, written, str(asked.data[0]), asked.destination)


def _streamed(asked: TrainOptions, console: Console) -> None:
    """Train on rows that do not fit in memory, and print how it went."""
    for name in ("positive", "exclude", "levels", "hashed", "na", "separator", "decimal", "encoding"):
        if getattr(asked, name) is not None:
            raise ValueError(
                f"{_option(name)} is for rows that fit in memory, and these are read while they are trained on"
            )
    numbers = asked.output == NUMBERS
    source = open_rows(asked.data, asked.target, asked.features, asked.missing == "drop", numbers)
    options = asked.for_trainer | {"standardize": asked.standardize, "seed": asked.seed, "progress": not asked.quiet}
    options |= asked.for_stream()
    result, report = train_streamed(source, options, asked.target, asked.validation)
    written = save(asked, result.model, result)
    if asked.report is not None:
        write_page(asked.report, report, result.model, result)
        written.append(f"page: {asked.report}")
    if asked.quiet:
        return
    dropped = f", {result.dropped_rows:,} left out for a missing value" if result.dropped_rows else ""
    order = "by blocks in random order" if asked.shuffle else "in the order of the file"
    console.print(f"{result.rows:,} rows trained on in each epoch, read {order}{dropped}")
    if result.rate_search is not None:
        console.print(result.rate_search.reason, soft_wrap=True)
    console.print(f"the model gives {learned(result.model)}", soft_wrap=True)
    console.print(f"engine {result.engine}, {result.epochs:,} epochs in {result.seconds:.3f} s")
    if report is not None:
        console.print(report.scores())
    for line in written:
        console.print(line, soft_wrap=True)


def save(asked: TrainOptions, model: Model, result: Any) -> list[str]:
    """Write the model and its picture; return lines that say so."""
    model.save(asked.destination)
    written = [f"model: {asked.destination}"]
    if asked.plot is not None:
        plots.save(plots.loss_curves(result), asked.plot)
        written.append(f"picture: {asked.plot}")
    return written


def _option(name: str) -> str:
    """The name of a field of `TrainOptions` on the command line."""
    return f"--{'hash' if name == 'hashed' else name.replace('_', '-')}"


def _rate_or_auto(text: str) -> float | str:
    """A learning rate as a number, or "auto" as it is."""
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise ValueError(f"--learning-rate {text}: a number, or auto, is needed") from None
