"""Rows of any format for the commands to read, checks of labels, and messages with the command line's names."""

import csv
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinynet_fast.models import Model
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import Source, open_source, target_in
from tinynet_fast.rows.formats.number_targets import open_numbers
from tinynet_fast.rows.kept import WholeTable, read_whole
from tinynet_fast.rows.messages import printable
from tinynet_fast.scoring import open_for

# How the library's messages name options: at the start, or in a remedy.
OPTION = re.compile(
    r"^(learning_rate|epochs|activation|batch_size|optimizer|momentum|dropout|noise|mixup|l2|patience|validation|"
    r"labels|folds|average|checkpoint_seconds|seed|separator|encoding|features|class_weight|missing|decimal|positive|"
    r"output|loss|delta|quantile|gamma|standardize_y)"
    r"(?= is |=| names | gives | watches |: |\[\d+\])"
)
ABOUT_OPTIONS = re.compile(
    r"there is no (engine|activation|optimizer|schedule|option) |\w+ is for (networks|one neuron): "
)
WORDS = {
    "use output='linear' (of train_neuron and train_mlp)": "use --output linear",
    "name them all with labels=": "name them all with --labels",
    "(labels=)": "(--labels)",
    "encoding='latin-1', on the command line --encoding latin-1": "--encoding latin-1",
    "resume=False (--no-resume)": "--no-resume",
    "with labels=": "with --labels",
    "so keep the rows of two labels": (
        "so keep the rows of two labels, or name hidden units with --hidden; numbers need --output linear"
    ),
    "separator is for CSV files, and this": "--separator is for CSV files, and this",
    "encoding is for CSV files, and this": "--encoding is for CSV files, and this",
    "levels is for tables": "--levels is for tables",
    "hashed is for tables": "--hash is for tables",
    "leave it out of labels": "leave it out of --labels",
    "n_jobs is": "--jobs is",
    "leave hidden out": "leave --hidden out",
    "with hidden=": "with --hidden",
    "(exclude=)": "(--exclude)",
    "one with decimal=": "one with --decimal",
    "which exclude names": "which --exclude names",
    "which levels names": "which --levels names",
    "which hashed names": "which --hash names",
    " (target)": " with --target",
    "pass validation=(X, y), or a fraction to hold out": "give --validation a share of the rows to hold out",
    "name the columns that it was trained on (features=[...])": "give a file with the model's inputs and nothing else",
}
COLUMNS = re.compile(r"\b(exclude|levels|na|features)=\[('[^']*'|\"[^\"]*\")\]")
BUCKETS = re.compile(r"\bhashed=\{'([^']*)': (\d+)\}")
CHOICE = re.compile(r"\b(output|loss|missing|decimal|positive|separator|encoding|validation)='([^']*)'")
FLAG = re.compile(r"\b(drop_missing|standardize_y|standardize|shuffle)=(?:True|'blocks')")


def names_of(text: str, option: str) -> list[str]:
    """Split a list of names at its commas. A name with a comma is put in double quotes, as in CSV."""
    try:
        (names,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        raise ValueError(
            f"{option} {text}: names with commas between them are needed; put a name that has a comma in double quotes"
        ) from None
    names = [name.strip() for name in names]
    if not all(names):
        raise ValueError(f"{option} {text}: a name is empty: give names with commas between them")
    repeated = [name for i, name in enumerate(names) if name in names[:i]]
    if repeated:
        raise ValueError(f"{option} {text}: {repeated[0]!r} is named twice")
    return names


def buckets(text: str | None) -> dict[str, int]:
    """Columns and numbers of inputs, from "city=64,street=128"."""
    found = {}
    for part in [] if text is None else names_of(text, "--hash"):
        name, _, count = part.rpartition("=")
        if not name or not count.isdecimal():
            raise ValueError(f"--hash {text}: a column and a number of inputs are needed, such as city=64")
        found[name] = int(count)
    return found


def open_rows(data: list[Path], target: str, features: str | None, drop_missing: bool, numbers: bool) -> Source:
    """Open files to learn from: the labels, or if asked for the numbers, and the columns in `features` (default: all
    others).
    """
    names = None if features is None else names_of(features, "--features")
    if names is not None and target in names:
        raise TableError(
            f"--features {features}: name at least one feature beside the target {target!r}, and not the target"
        )
    opened = open_numbers if numbers else open_source
    return opened(one_or_all(data), target_in(data[0], target), features=names, drop_missing=drop_missing)


def rows_for(fitted: Model, data: list[Path], target: str | None, **reading: Any) -> WholeTable:
    """Read all rows of files with a model's inputs and the true labels; `reading` are more options of `open_for`."""
    y = None if target is None else target_in(data[0], target)
    return all_rows(open_for(fitted, one_or_all(data), y=y, dense=True, **reading))


def all_rows(source: Source) -> WholeTable:
    """Read all rows, even if they are many."""
    whole = read_whole(source)
    assert whole is not None
    return whole


def one_or_all(data: list[Path]) -> Any:
    return data[0] if len(data) == 1 else data


@contextmanager
def naming(place: Any) -> Iterator[None]:
    """Put the file's name before the library's messages, except for those that have it or are about an option."""
    try:
        yield
    except TableError:
        raise
    except ValueError as error:
        said = str(error)
        whole = said.startswith(f"{place}") or OPTION.match(said) or ABOUT_OPTIONS.match(said)
        raise ValueError(said if whole else f"{place}: {said}") from None


def one_line(message: str) -> str:
    """A message of the library as one printable line, with options named as on the command line."""
    line = " ".join(message.split())
    for theirs, ours in WORDS.items():
        line = line.replace(theirs, ours)
    line = re.sub(COLUMNS, lambda found: f"--{found[1]} {found[2]}", line)
    line = re.sub(BUCKETS, lambda found: f"--hash {shlex.quote(found[1] + '=' + found[2])}", line)
    line = re.sub(CHOICE, lambda choice: f"--{choice[1]} {shlex.quote(choice[2])}", line)
    line = re.sub(FLAG, lambda flag: f"--{flag[1].replace('_', '-')}", line)
    return printable(re.sub(OPTION, lambda option: f"--{option[1].replace('_', '-')}", line, count=1))
