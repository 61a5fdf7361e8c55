"""The commands that judge: `lab` learning rates, `threshold` thresholds, `plot` a model, all on rows of any format."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from rich.table import Table
from typer import Argument, Option

from tinynet_fast.cli.rows import DROP, FEATURES, all_rows, check_labels, naming, open_rows, rows_for, true_side
from tinynet_fast.cli.support import check_not_input, check_two_answers, numbers, plain_console, print_flips
from tinynet_fast.cli.train import Split
from tinynet_fast.models import check_threshold, load
from tinynet_fast.models.files import check_folder
from tinynet_fast.rows.index_columns import warn_of_row_numbers
from tinynet_fast.training.sweep import sweep
from tinynet_fast.training.sweep_result import SweepResult


class Picture(StrEnum):
    """What `plot` draws."""

    boundary = "boundary"
    calibration = "calibration"
    thresholds = "thresholds"


def threshold(
    model: Annotated[Path, Argument(help="A model file.")],
    data: Annotated[list[Path], Argument(help="Files with the model's inputs and the true labels.")],
    target: Annotated[str, Option(help="The column with the true labels.")],
    compare: Annotated[str, Option(help="Thresholds, with commas.")] = "0.5,0.6",
    drop_missing: Annotated[bool, DROP] = False,
) -> None:
    """Compare thresholds: which rows change sides, and accuracy, precision and recall at each."""
    fitted = load(model)
    check_two_answers(fitted, "threshold")
    limits = [check_threshold(t) for t in numbers(compare, "--compare", float)]
    table = rows_for(fitted, data, target, drop_missing)
    truth = true_side(table, target, fitted)
    with naming(data[0]):
        probability = fitted.predict_proba(table.X)
    console = plain_console()
    print_flips(console, fitted, limits, probability, truth, table.rows)
    metrics = Table("threshold", "accuracy", "precision", "recall", "predicted " + str(fitted.labels[1]))
    for limit in limits:
        passed = probability >= limit
        right, called, there = (passed & truth).sum(), passed.sum(), truth.sum()
        shares = [(passed == truth).mean(), right / called if called else None, right / there if there else None]
        shown = ("undefined" if share is None else f"{share:.4f}" for share in shares)
        metrics.add_row(f"{limit:g}", *shown, f"{called:,}")
    console.print(metrics)


def lab(
    data: Annotated[list[Path], Argument(help="Files as for train.")],
    target: Annotated[str, Option(help="The column to learn: two labels.")],
    features: Annotated[str | None, FEATURES] = None,
    learning_rate: Annotated[str, Option(help="The rates to try, with commas.")] = "0.01,0.1,0.5",
    l2: Annotated[str, Option(help="Penalties to try, with commas.")] = "0",
    epochs: Annotated[int, Option(help="Passes over the rows.")] = 100,
    folds: Annotated[int | None, Option(help="Judge by cross-validation with this many folds.")] = None,
    validation: Annotated[
        float | None, Option(help="Share of rows to hold out and judge by (default: 0.2; 0 below 20 rows).")
    ] = None,
    standardize: Annotated[bool, Option(help="Train on (x - mean) / deviation.")] = True,
    shuffle: Annotated[bool, Option(help="A new order of rows in each epoch.")] = True,
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="For the hold-out, the folds and the order of rows.")] = 0,
    drop_missing: Annotated[bool, DROP] = False,
    output: Annotated[Path | None, Option(help="A picture to write: loss by epoch, .png or .svg.")] = None,
) -> None:
    """The learning-rate lab: one neuron for each rate, all in one pass, with its loss, and which was best.

    Rows are read, held out, standardised and shuffled as `train` does it. Best is the rate with the least log loss of
    the rows held out.
    """
    if folds is not None and validation:
        raise ValueError("--folds and --validation are two ways to judge the rates: give one of them")
    if output is not None:
        from tinynet_fast import plots

        plots.check_name(output)
        check_not_input(output, data[0])
        check_folder(output)
    rates, penalties = numbers(learning_rate, "--learning-rate", float), numbers(l2, "--l2", float)
    table = all_rows(open_rows(data, target, features, drop_missing))
    check_labels(table, target)
    warn_of_row_numbers(table.names, table.X)
    split = Split.of(table, 0.0 if folds is not None else validation, seed, standardize)
    with naming(data[0]):
        result = sweep(
            *split.scaled(held=False),
            learning_rate=rates,
            l2=penalties,
            epochs=epochs,
            folds=folds,
            validation=split.validation,
            shuffle=shuffle,
            seed=seed,
        )
    if output is not None:  # before anything is printed, which may fail
        plots.save(plots.learning_rates(result), output)
    console = plain_console()
    console.print(result.table())
    console.print(_best(result, several=len(penalties) > 1, held=int(split.held.sum())))
    if output is not None:
        console.print(f"picture: {output}", soft_wrap=True)


def _best(result: SweepResult, several: bool, held: int) -> str:
    """Which rate is best, and how it was judged. `several` says whether there are several penalties."""
    if result.best is None:
        return "every rate diverged: try smaller ones"
    penalty = f", l2 {result.l2[result.best]:g}" if several else ""
    if held:
        judged = f"log loss of {held:,} rows held out"
    elif result.judged_on_other_rows:
        judged = "held-out log loss"
    else:
        judged = "log loss of rows as they came, in the last epoch: none was held out"
    return f"best: learning rate {result.learning_rate[result.best]:g}{penalty} (by {judged})"


def plot(
    kind: Annotated[Picture, Argument(help="What to draw.")],
    model: Annotated[Path, Argument(help="A model file.")],
    data: Annotated[list[Path], Argument(help="Files with the model's inputs and the true labels.")],
    target: Annotated[str, Option(help="The column with the true labels.")],
    output: Annotated[Path, Option(help="The picture to write, .png or .svg.")],
    drop_missing: Annotated[bool, DROP] = False,
) -> None:
    """A picture of a model: boundary (one or two inputs), calibration, or thresholds."""
    from tinynet_fast import plots

    plots.check_name(output)
    check_not_input(output, data[0])
    check_folder(output)
    fitted = load(model)
    check_two_answers(fitted, "a picture")
    table = rows_for(fitted, data, target, drop_missing)
    truth = fitted.labels[true_side(table, target, fitted).astype(np.intp)]
    draw: Any = {
        "boundary": plots.decision_boundary,
        "calibration": plots.calibration_curve,
        "thresholds": plots.thresholds,
    }
    with naming(data[0]):
        plots.save(draw[kind.value](fitted, table.X, truth), output)
    plain_console().print(f"picture: {output}", soft_wrap=True)
