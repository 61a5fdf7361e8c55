"""Options that several commands share, and a way to give a command all its options as one object."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, TypeVar

from typer import Argument, Option

T = TypeVar("T")

ModelFile = Annotated[Path, Argument(help="A model file.")]
LabelledRows = Annotated[list[Path], Argument(help="Files with the model's inputs and the true labels.")]
TrueLabels = Annotated[str, Option(help="The column with the true labels.")]
Features = Annotated[
    str | None, Option(help='Columns to learn from, with commas; "a, b" in quotes is one name (default: all others).')
]
Standardize = Annotated[bool, Option(help="Train on (x - mean) / deviation; the model takes raw inputs.")]
HeldOut = Annotated[float | None, Option(help="Share of rows to hold out (default: 0.2; 0 below 20 rows).")]
Seed = Annotated[int, Option(min=0, max=2**32 - 1, help="For everything random: rows held out, their order, weights.")]
DropMissing = Annotated[bool, Option("--drop-missing", help="Leave out rows with a missing value.")]
Exclude = Annotated[str | None, Option(help="Columns to leave out, with commas.")]
LevelColumns = Annotated[
    str | None, Option(help="Columns whose numbers are names, such as postcodes, with commas: each value is a level.")
]
Hashed = Annotated[
    str | None, Option("--hash", help="Columns of very many levels, and into how many inputs each goes: city=64.")
]
Missing = Annotated[str, Option(help="Missing values: fill, drop (the row) or refuse.")]
Gaps = Annotated[str | None, Option(help='Texts for a missing value, with commas (beside "", NA, NaN, null, ?).')]
Positive = Annotated[str | None, Option(help="The label whose probability is learned.")]
Separator = Annotated[str | None, Option(help="Between a CSV file's cells: , ; | or tab (default: found by looking).")]
Decimal = Annotated[str | None, Option(help="The decimal mark, . or , (default: found by looking).")]
Encoding = Annotated[str | None, Option(help="Of a CSV file, such as latin-1 (default: UTF-8, or found by its mark).")]
Jobs = Annotated[int | None, Option(help="Threads; -1 for all cores (default: 1). The answers are the same.")]
AsJson = Annotated[bool, Option("--json", help="Print JSON.")]


def takes(kind: type[T]) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Make a command of a function that takes one object: the fields of the dataclass `kind` become its options."""

    def decorate(run: Callable[[T], None]) -> Callable[..., None]:
        @wraps(run)
        def command(**given: Any) -> None:
            run(kind(**given))

        command.__signature__ = signature(kind)  # type: ignore[attr-defined]
        return command

    return decorate
