"""`tinynet-fast predict`: for files of any size, or for one row that is given as name=value for each input."""

import glob
import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from typer import Argument, Option

from tinynet_fast.cli.options import Encoding, Jobs, ModelFile, Separator
from tinynet_fast.cli.streams import Late, hold_data
from tinynet_fast.cli.support import check_not_input, check_two_answers, plain_console
from tinynet_fast.models import Model, load
from tinynet_fast.models.files import check_folder
from tinynet_fast.rows.formats.registry import format_of
from tinynet_fast.rows.messages import listed, printable
from tinynet_fast.rows.tables import Table, Texts
from tinynet_fast.rows.team import check_jobs
from tinynet_fast.scoring import (
    Scores,
    check_output,
    open_for,
    predict_file,
    scored,
    scores,
    value_columns,
    write_csv,
    write_scores,
)
from tinynet_fast.training.progress import waiting

SHOWN_LABELS = 10


def predict(
    model: ModelFile,
    data: Annotated[
        list[str],
        Argument(help="Files (CSV, Parquet, Arrow, .npy), or one row as name=value for each input."),
    ],
    threshold: Annotated[
        float | None, Option(help="Least probability for the second label (default: the model's own, usually 0.5).")
    ] = None,
    output: Annotated[
        Path | None, Option(help="A file to write, CSV or .parquet (default: CSV to standard output).")
    ] = None,
    drop_missing: Annotated[
        bool, Option("--drop-missing", help="Leave out rows with a missing value; the others keep their numbers.")
    ] = False,
    separator: Separator = None,
    encoding: Encoding = None,
    formulas: Annotated[
        bool, Option("--formulas", help="Write labels such as =1+2 to CSV unchanged (default: with a ' before them).")
    ] = False,
    jobs: Jobs = None,
) -> None:
    """Predict probability and label, or the number, for the rows of files of any size, or for one row given as
    study_hours=2.5.
    """
    fitted = load(model)
    if threshold is not None:
        check_two_answers(fitted, "--threshold")
    limit = fitted.limit(threshold)
    check_jobs(jobs)
    if output is not None:
        check_output(output)
    if _is_one_row(fitted, data):
        _predict_row(fitted, data, output, limit, formulas)
        return
    marks = "=./*?[-"  # in the name of a file, a pattern or name=value; "-" is standard input
    strange = [word for word in data if not (os.path.exists(word) or any(mark in word for mark in marks))]
    if strange:
        raise ValueError(f"{strange[0]}: neither a file nor name=value, which is how one row is given")
    check_not_input(output, Path(data[0]))
    files: Any = data[0] if len(data) == 1 else [Path(word) for word in data]
    if output is None:
        source = open_for(fitted, files, drop_missing=drop_missing, separator=separator, encoding=encoding)
        hold_data([str(label) for label in fitted.labels.tolist()] + value_columns(fitted))
        out = Late()
        write_csv(scores(fitted, source, threshold, n_jobs=jobs), fitted, out, formulas)
        out.finish()
        return
    with waiting(True, "predicting ...") as say:
        rows = predict_file(
            fitted,
            files,
            output,
            threshold=threshold,
            drop_missing=drop_missing,
            formulas=formulas,
            separator=separator,
            encoding=encoding,
            progress=lambda done: say(f"{done:,} rows predicted"),
            n_jobs=jobs,
        )
    plain_console().print(f"{rows:,} predictions: {output}", soft_wrap=True)


def _feature_names(fitted: Model) -> list[str]:
    return fitted.read_columns or [f"x{j}" for j in range(fitted.n_features)]


def _is_one_row(fitted: Model, words: list[str]) -> bool:
    """Whether the words are one row, name=value for each input, and not files, folders or patterns."""
    names = _feature_names(fitted)
    return all("=" in word and (word.rpartition("=")[0] in names or not _is_data(word)) for word in words) and not (
        os.path.isfile(words[0])
    )


def _is_data(word: str) -> bool:
    return os.path.exists(word) or glob.has_magic(word) or format_of(word) is not None


def _given(fitted: Model, words: list[str]) -> dict[str, str]:
    """The text of each value of one row; ValueError that names the word that is wrong."""
    names = _feature_names(fitted)
    given: dict[str, str] = {}
    for word in words:
        name, _, value = word.rpartition("=")
        if name not in names:
            raise ValueError(f"{word}: the model has no input {name!r}; it has {listed(names)}")
        if name in given:
            raise ValueError(f"{word}: {name!r} is given twice")
        given[name] = value
    missing = [name for name in names if name not in given]
    if missing:
        nothing = "" if fitted.columns is None else " (name= if it is missing)"
        raise ValueError(f"no value for {listed(missing)}: give every input as name=value{nothing}")
    return given


class _OneRow(Table):
    """One row whose cells are named as they were given."""

    def cell(self, i: int, name: str) -> str:
        column = self.columns[name]
        return f"{name}={''.join(column.texts)}" if isinstance(column, Texts) else name


def _one_row(fitted: Model, words: list[str]) -> Any:
    """One row in the form that the model takes; ValueError that names the word that is wrong."""
    given = _given(fitted, words)
    if fitted.columns is not None:
        return fitted.columns.encode(
            _OneRow({name: Texts.of([text]) for name, text in given.items()}, 1, str, "the row")
        )
    row = []
    for name in _feature_names(fitted):
        word = f"{name}={given[name]}"
        try:
            row.append(float(given[name]))
        except ValueError:
            raise ValueError(f"{word}: {given[name]!r} is not a number") from None
        if not np.isfinite(row[-1]):
            raise ValueError(f"{word}: a finite number is needed")
    return [row]


def _predict_row(fitted: Model, words: list[str], output: Path | None, limit: float, formulas: bool) -> None:
    """Predict one row and print or write the result."""
    one = scored(fitted, _one_row(fitted, words), np.array([1]), limit)
    if output is not None:
        check_folder(output)
        write_scores([one], fitted, output, formulas)
        plain_console().print(f"1 prediction: {output}", soft_wrap=True)
        return
    plain_console().print(_shown(fitted, one), soft_wrap=True)


def _shown(fitted: Model, one: Scores) -> str:
    """The prediction of one row, for a person to read, on one line."""
    names, values = value_columns(fitted), one.values[0]
    if one.codes is None:
        numbers = [f"{value:.6g}" for value in values]
        return (
            numbers[0]
            if len(names) == 1
            else ", ".join(f"{printable(name)} = {number}" for name, number in zip(names, numbers, strict=True))
        )
    labels = [printable(str(label)) for label in fitted.labels.tolist()]
    predicted, what = int(one.codes[0]), names[0].partition("(")[0]
    if what == "margin" and len(values) == 1:
        return f"{labels[predicted]}: margin({labels[1]}) = {values[0]:.4f}"
    if len(values) == 1:
        values = np.array([1.0 - values[0], values[0]])
    order = [predicted, *(code for code in np.argsort(-values, kind="stable") if code != predicted)]
    shown = ", ".join(f"{what}({labels[code]}) = {values[code]:.4f}" for code in order[:SHOWN_LABELS])
    return f"{labels[predicted]}: {shown}"
