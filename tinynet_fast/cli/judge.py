"""The commands that judge: `lab` learning rates, `threshold` thresholds, `plot` a model, all on rows of any format."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from typer import Argument, Option

from tinynet_fast import plots
from tinynet_fast.cli.options import (
    DropMissing,
    Encoding,
    Exclude,
    Features,
    HeldOut,
    LabelledRows,
    ModelFile,
    Seed,
    Separator,
    Standardize,
    TrueLabels,
    takes,
)
from tinynet_fast.cli.rows import names_of, naming, one_or_all, rows_for
from tinynet_fast.cli.support import check_destinations, check_two_answers, numbers, one_of, plain_console
from tinynet_fast.kernels.reference import ACTIVATIONS, OPTIMIZERS
from tinynet_fast.models import Model, check_threshold, load
from tinynet_fast.rows.formats.base import target_name
from tinynet_fast.rows.kept import WholeTable
from tinynet_fast.rows.messages import printable
from tinynet_fast.tables.evaluate import codes_of, evaluate, known_target, numbers_of
from tinynet_fast.tables.labelled import Labeller
from tinynet_fast.tables.options import TableOptions
from tinynet_fast.tables.rows import Encoded, read
from tinynet_fast.tables.split import held_rows
from tinynet_fast.training.progress import waiting
from tinynet_fast.training.sweep import sweep
from tinynet_fast.training.sweep_mlp import sweep_mlp
from tinynet_fast.training.sweep_mlp_result import MLPSweepResult
from tinynet_fast.training.sweep_result import SweepResult

SHOWN_FLIPS = 50


class Picture(StrEnum):
    """What `plot` draws."""

    boundary = "boundary"
    calibration = "calibration"
    confusion = "confusion"
    contributions = "contributions"
    precision_recall = "precision-recall"
    predictions = "predictions"
    residuals = "residuals"
    roc = "roc"
    thresholds = "thresholds"


OF_REPORTS: dict[Picture, Any] = {
    Picture.calibration: plots.calibration_curve,
    Picture.confusion: plots.confusion,
    Picture.precision_recall: plots.precision_recall,
    Picture.predictions: plots.predictions,
    Picture.residuals: plots.residuals,
    Picture.roc: plots.roc,
    Picture.thresholds: plots.thresholds,
}


def threshold(
    model: ModelFile,
    data: LabelledRows,
    target: TrueLabels,
    compare: Annotated[str, Option(help="Thresholds, with commas.")] = "0.5,0.6",
    drop_missing: DropMissing = False,
    separator: Separator = None,
    encoding: Encoding = None,
) -> None:
    """Compare thresholds: which rows change sides, and the accuracy, precision and recall of each threshold."""
    fitted = load(model)
    check_two_answers(fitted, "threshold")
    limits = [check_threshold(t) for t in numbers(compare, "--compare", float)]
    table = rows_for(fitted, data, target, drop_missing=drop_missing, separator=separator, encoding=encoding)
    truth = codes_of(fitted, table.y, _place_in(table, target)) == 1
    with naming(data[0]):
        probability = fitted.predict_proba(table.X)
    console = plain_console()
    _print_flips(console, fitted, limits, probability, truth, table.rows)
    metrics = Table("threshold", "accuracy", "precision", "recall", "predicted " + str(fitted.labels[1]))
    for limit in limits:
        passed = probability >= limit
        right, called, there = (passed & truth).sum(), passed.sum(), truth.sum()
        shares = [(passed == truth).mean(), right / called if called else None, right / there if there else None]
        shown = ("undefined" if share is None else f"{share:.4f}" for share in shares)
        metrics.add_row(f"{limit:g}", *shown, f"{called:,}")
    console.print(metrics)


def _print_flips(
    console: Console,
    fitted: Model,
    limits: list[float],
    probability: np.ndarray,
    truth: np.ndarray,
    rows: np.ndarray,
) -> None:
    """Print the rows whose predicted label depends on the threshold. `rows` are their numbers in the file, from 0."""
    sides = np.stack([probability >= limit for limit in limits])
    flips = np.flatnonzero(sides.min(axis=0) != sides.max(axis=0))
    console.print(f"{len(flips):,} of {len(truth):,} rows change sides" + (":" if len(flips) else ""))
    if len(flips):
        shown = Table("row", f"P({fitted.labels[1]})", "actual", *(f"at {limit:g}" for limit in limits))
        for i in flips[:SHOWN_FLIPS]:
            labels = [printable(str(fitted.labels[int(side)])) for side in (truth[i], *sides[:, i])]
            shown.add_row(str(rows[i] + 1), f"{probability[i]:.4f}", *labels)
        console.print(shown)
        if len(flips) > SHOWN_FLIPS:
            console.print(f"and {len(flips) - SHOWN_FLIPS:,} more")


@dataclass
class LabOptions:
    """The command's options."""

    data: Annotated[list[Path], Argument(help="Files as for train.")]
    target: Annotated[str, Option(help="The column to learn, or a condition on it, such as 'G3>=10'.")]
    features: Features = None
    exclude: Exclude = None
    learning_rate: Annotated[str, Option(help="The rates to try, with commas.")] = "0.01,0.1,0.5"
    l2: Annotated[str, Option(help="Penalties to try, with commas.")] = "0"
    hidden: Annotated[str | None, Option(help="Try networks with these hidden units: 8, or 16,8.")] = None
    activation: Annotated[str, Option(help=f"For hidden units: {one_of(ACTIVATIONS)}.")] = "sigmoid"
    batch_size: Annotated[int | None, Option(help="Rows in a network's update (default: all).")] = None
    optimizer: Annotated[str, Option(help=f"For networks: {one_of(OPTIMIZERS)}.")] = "sgd"
    seeds: Annotated[int, Option(min=1, help="For networks: how many first weights to try for each rate.")] = 1
    epochs: Annotated[int, Option(help="Passes over the rows.")] = 100
    folds: Annotated[int | None, Option(help="Judge by cross-validation with this many folds.")] = None
    validation: HeldOut = None
    standardize: Standardize = True
    shuffle: Annotated[bool, Option(help="A new order of rows in each epoch.")] = True
    seed: Seed = 0
    drop_missing: DropMissing = False
    separator: Separator = None
    encoding: Encoding = None
    output: Annotated[Path | None, Option(help="A picture to write: loss by epoch, .png or .svg.")] = None

    def __post_init__(self) -> None:
        if self.folds is not None and self.validation:
            raise ValueError("--folds and --validation are two ways to judge the rates: give one of them")
        check_destinations({"the picture": self.output}, self.data)
        self.tried: dict[str, Any] = {
            "learning_rate": numbers(self.learning_rate, "--learning-rate", float),
            "l2": numbers(self.l2, "--l2", float),
        }
        for name in ("activation", "batch_size", "optimizer", "seeds"):
            if self.hidden is None and getattr(self, name) != LabOptions.__dataclass_fields__[name].default:
                raise ValueError(f"--{name.replace('_', '-')} is for networks: name the hidden units with --hidden")
        if self.hidden is not None:
            named = {"activation": self.activation, "batch_size": self.batch_size, "optimizer": self.optimizer}
            self.tried |= {"hidden": numbers(self.hidden, "--hidden", int), **named}

    def swept(self, X: np.ndarray, codes: np.ndarray, held_out: Any) -> SweepResult | MLPSweepResult:
        """Train all models."""
        shared: dict[str, Any] = {"epochs": self.epochs, "folds": self.folds, "validation": held_out}
        shared |= {"shuffle": self.shuffle} | self.tried
        if self.hidden is None:
            return sweep(X, codes, seed=self.seed, **shared)
        return sweep_mlp(X, codes, seed=[(self.seed + k) % 2**32 for k in range(self.seeds)], **shared)


@takes(LabOptions)
def lab(asked: LabOptions) -> None:
    """The learning-rate lab: train one neuron for each rate, all in one pass, and show which rate is best.

    With --hidden, train a network for each rate. Rows are read, held out, standardised and shuffled as in `train`. The
    best rate has the least log loss on the rows held out.
    """
    options = TableOptions(
        features=None if asked.features is None else names_of(asked.features, "--features"),
        exclude=() if asked.exclude is None else names_of(asked.exclude, "--exclude"),
        missing="drop" if asked.drop_missing else "fill",
        standardize=asked.standardize,
        seed=asked.seed,
    )
    table, column = read(
        one_or_all(asked.data), asked.target, asked.separator, asked.encoding, drop_missing=asked.drop_missing
    )
    assert table is not None
    with naming(table.place):
        labeller = Labeller(options)
        rows = labeller(table, column)
        if rows.labels is None or (len(rows.labels) > 2 and asked.hidden is None):
            found = "numbers" if rows.labels is None else f"{len(rows.labels)} labels"
            what = "labels" if rows.labels is None and asked.hidden is not None else "two labels"
            raise ValueError(f"column {asked.target!r} has {found}: the lab is for {what}")
        held = held_rows(rows.strata, 0 if asked.folds is not None else asked.validation, asked.seed)
        trained, judged = rows.part(~held), rows.part(held)
        encoded = Encoded(trained, options, labeller.reading())
        held_out = (encoded.others(judged)[0], judged.truth) if len(judged) else None
        with waiting(True, "training ..."):
            result = asked.swept(encoded.X, trained.truth, held_out)
    if asked.output is not None:  # before anything is printed, because printing may fail
        plots.save(plots.learning_rates(result), asked.output)
    console = plain_console()
    console.print(result.table())
    console.print(_best(result, several=len(asked.tried["l2"]) > 1, held=len(judged)))
    if asked.output is not None:
        console.print(f"picture: {asked.output}", soft_wrap=True)


def _best(result: SweepResult | MLPSweepResult, several: bool, held: int) -> str:
    """Say which rate is best, and how it was judged. `several` is True if there are several penalties."""
    if result.best is None:
        return "every rate diverged: try smaller ones"
    if held:
        judged = f"log loss of {held:,} rows held out"
    elif result.judged_on_other_rows:
        judged = "held-out log loss"
    else:
        judged = "log loss of rows as they came, in the last epoch: none was held out"
    if isinstance(result, MLPSweepResult):
        return f"best: {result.name(result.best)} (by {judged})"
    penalty = f", l2 {result.l2[result.best]:g}" if several else ""
    return f"best: learning rate {result.learning_rate[result.best]:g}{penalty} (by {judged})"


def plot(
    kind: Annotated[Picture, Argument(help="What to draw.")],
    model: ModelFile,
    data: LabelledRows,
    output: Annotated[Path, Option(help="The picture to write, .png or .svg.")],
    target: Annotated[str | None, Option(help="The column with the true labels (default: what was learned).")] = None,
    drop_missing: DropMissing = False,
    separator: Separator = None,
    encoding: Encoding = None,
) -> None:
    """Draw a picture of a model and rows with known labels or numbers. A boundary is drawn for one or two inputs."""
    check_destinations({"the picture": output}, data)
    fitted = load(model)
    with naming(data[0]):
        reading = {"drop_missing": drop_missing, "separator": separator, "encoding": encoding}
        plots.save(_drawn(kind, fitted, data, target, reading), output)
    plain_console().print(f"picture: {output}", soft_wrap=True)


def _place_in(table: WholeTable, column: str | None) -> Callable[[int], str]:
    return lambda i: f"{table.where(i)}, {target_name(column)}"


def _drawn(kind: Picture, fitted: Any, data: list[Path], target: str | None, reading: dict[str, Any]) -> Any:
    """The axes with the picture."""
    if kind in OF_REPORTS:
        return OF_REPORTS[kind](evaluate(fitted, one_or_all(data), target, **reading))
    if kind is Picture.contributions and plots.can_show_weights(fitted):
        return plots.contributions(fitted)
    if kind is Picture.boundary and not fitted.numbers:
        check_two_answers(fitted, "a boundary")
    column = target or known_target(fitted, data)
    table = rows_for(fitted, data, column, **reading)
    place = _place_in(table, column)
    y = numbers_of(fitted, table.y, place) if fitted.numbers else fitted.labels[codes_of(fitted, table.y, place)]
    draw: Any = plots.decision_boundary if kind is Picture.boundary else plots.contributions
    return draw(fitted, table.X, y)
