"""What the commands of `cli.py` share: checks of options, tables that are printed, files that are written whole."""

import glob
import os
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tinynet_fast.cli.streams import Late, SafeConsole, hold_data
from tinynet_fast.models import MLP, Neuron
from tinynet_fast.models.files import check_folder
from tinynet_fast.rows.arrays import listed
from tinynet_fast.rows.formats.paths import format_of
from tinynet_fast.rows.messages import printable
from tinynet_fast.scoring import open_for, predict_file, scored, scores, write_csv, write_scores
from tinynet_fast.training.result import TrainingResult

SHOWN_EPOCHS, SHOWN_FLIPS, SHOWN_LABELS = 10, 50, 10


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


def check_two_answers(fitted: Neuron | MLP, word: str) -> None:
    if len(fitted.labels) > 2:
        raise ValueError(f"{word} is for models of two labels; this one knows {len(fitted.labels)}")


def print_flips(
    console: Console,
    fitted: Neuron | MLP,
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
    return SafeConsole(highlight=False, markup=False, emoji=False)  # a name may hold brackets


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


def is_one_row(fitted: Neuron | MLP, words: list[str]) -> bool:
    """Whether words are one row, name=value for each input, and not files, folders or patterns."""
    names = feature_names(fitted)
    return all("=" in word and (word.rpartition("=")[0] in names or not _is_data(word)) for word in words) and not (
        os.path.isfile(words[0])
    )


def _is_data(word: str) -> bool:
    return os.path.exists(word) or glob.has_magic(word) or format_of(word) is not None


def model_file(data: Path) -> Path:
    """Where a model goes by default: a file here with the data's name, or model.json if that is no plain name."""
    stem = data.name.split(".")[0]
    named = stem not in ("", "-") and not (glob.has_magic(data.name) and not data.exists())
    return Path(f"{stem}.model.json" if named else "model.json")


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


def predict_files(
    fitted: Neuron | MLP,
    data: list[str],
    output: Path | None,
    threshold: float | None,
    drop_missing: bool,
    formulas: bool,
) -> None:
    """Predictions for files of any size and format, block by block."""
    files: Any = data[0] if len(data) == 1 else [Path(word) for word in data]
    if output is not None:
        rows = predict_file(fitted, files, output, threshold=threshold, drop_missing=drop_missing, formulas=formulas)
        plain_console().print(f"{rows:,} predictions: {output}", soft_wrap=True)
        return
    source = open_for(fitted, files, drop_missing=drop_missing)
    hold_data([str(label) for label in fitted.labels.tolist()])
    out = Late()
    write_csv(scores(fitted, source, threshold), fitted.labels, out, formulas)
    out.finish()


def predict_row(fitted: Neuron | MLP, words: list[str], output: Path | None, limit: float, formulas: bool) -> None:
    """The prediction for one row, which is given as name=value for each input."""
    one = scored(fitted, [one_row(fitted, words)], np.array([1]), limit)
    labels = [printable(str(label)) for label in fitted.labels.tolist()]  # on one line each
    if output is None:
        probabilities = one.probabilities[0]
        if len(labels) == 2:
            probabilities = np.array([1.0 - probabilities[0], probabilities[0]])
        predicted = int(one.codes[0])
        order = [predicted, *(code for code in np.argsort(-probabilities, kind="stable") if code != predicted)]
        shown = ", ".join(f"P({labels[code]}) = {probabilities[code]:.4f}" for code in order[:SHOWN_LABELS])
        plain_console().print(f"{labels[predicted]}: {shown}", soft_wrap=True)
        return
    check_folder(output)
    write_scores([one], fitted.labels, output, formulas)
    plain_console().print(f"1 prediction: {output}", soft_wrap=True)
