"""What the commands of `cli.py` share: checks that name the file and line, tables, files that are written whole."""

import csv
import glob
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tinynet_fast.data.arrays import listed
from tinynet_fast.data.files import Table as CsvTable
from tinynet_fast.data.files import TableError, read_csv
from tinynet_fast.data.labels import refuse_measurements
from tinynet_fast.data.sources import is_source
from tinynet_fast.modelfile import atomic_file, check_folder
from tinynet_fast.models import MLP, Neuron
from tinynet_fast.scoring import open_for, predict_file, scores, write_csv
from tinynet_fast.training.run import TrainingResult

SHOWN_EPOCHS, SHOWN_FLIPS = 10, 50
LARGE_FILE = 1 << 24  # bytes of a CSV file from which on it is read in blocks


def print_validation(seen: Any) -> None:
    shown = Table("engine", "case", "rows", "ulps", "difference", "promise", "verdict")
    for v in seen.verdicts:
        promise = "bit for bit" if v.promise == 0.0 else f"{v.promise:.0e}"
        verdict = "kept" if v.kept else "BROKEN"
        shown.add_row(v.engine, v.case, f"{v.rows:,}", f"{v.ulps:,}", f"{v.difference:.1e}", promise, verdict)
    console = plain_console()
    console.print(shown)
    for name, value in seen.facts.items():
        console.print(f"{name}: {value}", soft_wrap=True)
    broken = [f"{v.engine}: {v.case}" for v in seen.verdicts if not v.kept]
    console.print("\n".join(["broken promises:", *broken]) if broken else "every promise is kept", soft_wrap=True)


def answers(fitted: Neuron | MLP, X: Any, limit: float) -> tuple[list[float], list[Any]]:
    """A probability and a label a row: of the second label of two, of the most probable one of more."""
    probabilities = fitted.predict_proba(X)
    if probabilities.ndim == 2:
        return probabilities.max(axis=1).tolist(), fitted.labels[probabilities.argmax(axis=1)].tolist()
    return probabilities.tolist(), fitted.labels[(probabilities >= limit).astype(np.intp)].tolist()


def check_two_answers(fitted: Neuron | MLP, word: str) -> None:
    if len(fitted.labels) > 2:
        raise ValueError(f"{word} is for models of two labels; this one knows {len(fitted.labels)}")


def read_rows(
    data: Path, target: str, features: str | None, most_labels: int = 2
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """A CSV file to learn from: the names of the inputs, their matrix, and the labels."""
    table = read_csv(data)
    labels = table.labels(target)
    names = [name for name in table.columns if name != target]
    if features is not None:
        names = [name.strip() for name in features.split(",")]
    if len(set(names)) != len(names):
        raise ValueError(f"--features {features}: a column is named twice")
    if target in names or not names:
        raise TableError(f"{data}: name at least one feature beside the target {target!r}")
    X = table.matrix(names)
    check_labels(table, target, labels, most=most_labels)
    return names, X, labels


def check_labels(table: CsvTable, target: str, labels: np.ndarray, most: int = 2) -> None:
    low, high = labels[0], labels[np.argmax(labels != labels[0])]
    if low == high:
        raise TableError(
            f"{table.path}, column {target!r}: every row has the label {low}; rows of two labels are needed"
        )
    third = (labels != low) & (labels != high)
    if third.any() and most == 2:
        row = int(np.argmax(third))
        both = " and ".join(sorted((str(low), str(high))))
        place = f"{table.where(row)}, column {target!r}"
        raise TableError(
            f"{place}: {labels[row]} is a third label, beside {both}: keep the rows of two, or train a network"
        )
    refuse_measurements(np.unique(labels), len(labels), f"{table.path}, column {target!r},")


def true_side(table: CsvTable, target: str, fitted: Neuron | MLP) -> np.ndarray:
    """Which rows have the model's second label; TableError, naming the line, for a label that it does not know."""
    actual, labels = table.labels(target), fitted.labels
    if (actual.dtype.kind == "U") != (labels.dtype.kind == "U"):
        actual, labels = actual.astype(str), labels.astype(str)  # text here and numbers in training, or the reverse
    unknown = (actual != labels[0]) & (actual != labels[1])
    if unknown.any():
        row = int(np.argmax(unknown))
        label, known = actual[row].item(), f"{labels[0].item()!r} and {labels[1].item()!r}"
        raise TableError(f"{table.where(row)}, column {target!r}: unknown label {label!r}; the model knows {known}")
    return actual == labels[1]


def print_flips(
    console: Console, fitted: Neuron | MLP, limits: list[float], probability: np.ndarray, truth: np.ndarray
) -> None:
    sides = np.stack([probability >= limit for limit in limits])
    flips = np.flatnonzero(sides.min(axis=0) != sides.max(axis=0))
    console.print(f"{len(flips):,} of {len(truth):,} rows change sides" + (":" if len(flips) else ""))
    if len(flips):
        shown = Table("row", "probability", "actual", *(f"at {limit:g}" for limit in limits))
        for i in flips[:SHOWN_FLIPS]:
            labels = [str(fitted.labels[int(side)]) for side in (truth[i], *sides[:, i])]
            shown.add_row(str(i + 1), f"{probability[i]:.4f}", *labels)
        console.print(shown)
        if len(flips) > SHOWN_FLIPS:
            console.print(f"and {len(flips) - SHOWN_FLIPS:,} more")


def print_training(console: Console, result: TrainingResult[Any], neuron: bool) -> None:
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


def plain_console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)  # a name may hold brackets


def rate_or_auto(text: str | None) -> float | str | None:
    """A learning rate, or "auto", which is for the trainer to take."""
    try:
        return text if text in (None, "auto") else float(text)
    except ValueError:
        raise ValueError(f"--learning-rate {text}: a number, or auto, is needed") from None


def numbers(text: str, option: str, kind: type) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} {text}: numbers with commas between them are needed") from None


def feature_names(fitted: Neuron | MLP) -> list[str]:
    return fitted.features or [f"x{j}" for j in range(fitted.n_features)]


def one_row(fitted: Neuron | MLP, words: list[str]) -> list[float]:
    names = feature_names(fitted)
    given: dict[str, float] = {}
    for word in words:
        name, _, value = word.rpartition("=")
        if name not in names:
            raise ValueError(f"{word}: the model has no input {name!r}; it has {listed(names)}")
        if name in given:
            raise ValueError(f"{word}: {name!r} is given twice")
        try:
            given[name] = float(value)
        except ValueError:
            raise ValueError(f"{word}: {value!r} is not a number") from None
        if not np.isfinite(given[name]):
            raise ValueError(f"{word}: a finite number is needed")
    missing = [name for name in names if name not in given]
    if missing:
        raise ValueError(f"no value for {listed(missing)}: give every input as name=value")
    return [given[name] for name in names]


def check_not_input(destination: Path | None, data: Path) -> None:
    if destination is not None and destination.is_file() and data.is_file() and destination.samefile(data):
        raise ValueError(f"{destination}: that is the data itself; name another file to write to")


def check_destinations(written: dict[str, Path | None], data: list[Path]) -> None:
    """ValueError, before anything is computed, where a file cannot be written or would replace another."""
    seen: dict[Path, str] = {}
    for what, path in written.items():
        if path is None:
            continue
        for file in data:
            check_not_input(path, file)
        check_folder(path)
        if what == "the picture":
            from tinynet_fast import plots

            plots.check_name(path)
        if path.resolve() in seen:
            raise ValueError(f"{path}: that is where {seen[path.resolve()]} goes; name another file")
        seen[path.resolve()] = what


def is_streamed(data: list[str]) -> bool:
    """Whether `predict` reads these files in blocks: all but one small CSV file, which needs no library."""
    path = Path(data[0])
    if len(data) > 1 or (glob.has_magic(data[0]) and not path.exists()):
        return True
    if not path.is_file() or not is_source([data[0]]):
        return False
    large = path.stat().st_size >= LARGE_FILE and importlib.util.find_spec("pyarrow") is not None
    return large or path.suffix.lower() != ".csv"


def predict_files(fitted: Neuron | MLP, data: list[str], output: Path | None, threshold: float | None) -> None:
    """Predictions for files of any size and format, block by block."""
    if output is not None:
        rows = predict_file(fitted, data, output, threshold=threshold)
        plain_console().print(f"{rows:,} predictions: {output}", soft_wrap=True)
        return
    source = open_for(fitted, data)
    write_csv(scores(fitted, source, threshold), fitted.labels, sys.stdout)
    source.check_unchanged()


def write_predictions(output: Path | None, probabilities: list[float], labels: list[Any]) -> None:
    with whole_file(output) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "probability", "prediction"])
        writer.writerows((n, repr(p), label) for n, (p, label) in enumerate(zip(probabilities, labels, strict=True), 1))
    if output:
        plain_console().print(f"{len(labels):,} predictions: {output}", soft_wrap=True)


@contextmanager
def whole_file(path: Path | None) -> Iterator[Any]:
    """Standard output, or a file that appears whole or not at all."""
    if path is None:
        yield sys.stdout
        return
    with atomic_file(path) as file:
        yield file


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Put the file's name before an error that the library raises about arrays."""
    try:
        yield
    except TableError:
        raise
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
