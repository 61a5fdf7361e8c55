"""Checks of options, and the console, that several commands share."""

import glob
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinynet_fast import plots
from tinynet_fast.cli.streams import SafeConsole
from tinynet_fast.models import Model
from tinynet_fast.models.files import check_folder
from tinynet_fast.models.outputs import MARGIN


def plain_console() -> SafeConsole:
    """A console that prints brackets in names as they are."""
    return SafeConsole(highlight=False, markup=False, emoji=False)


def check_two_answers(fitted: Model, word: str) -> None:
    """ValueError if the model has no probabilities of two labels. `word` names what needs these."""
    if fitted.numbers:
        raise ValueError(f"{word} is for models of two labels; this one predicts numbers")
    if fitted.output == MARGIN:
        raise ValueError(f"{word} is for probabilities, and this model, trained with loss='hinge', has none")
    if len(fitted.labels) > 2:
        raise ValueError(f"{word} is for models of two labels; this one knows {len(fitted.labels)}")


def numbers(text: str, option: str, kind: type) -> list[Any]:
    """Numbers with commas between them, as `kind`; ValueError that names the option."""
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} {text}: numbers with commas between them are needed") from None


def value_of(text: str) -> Any:
    """The value of an option that is given as text: a number, true, false, a list of these, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def one_of(names: Iterable[str]) -> str:
    """Names for a sentence: "a, b or c"."""
    *first, last = names
    return f"{', '.join(first)} or {last}"


def model_file(data: Path) -> Path:
    """The default path of a model: the data's name in this folder, or model.json if that name is a pattern or empty."""
    stem = data.name.split(".")[0]
    named = stem not in ("", "-") and not (glob.has_magic(data.name) and not data.exists())
    return Path(f"{stem}.model.json" if named else "model.json")


def check_not_input(destination: Path | None, data: Path) -> None:
    """ValueError if `destination` is the file `data` itself."""
    if destination is not None and destination.is_file() and data.is_file() and destination.samefile(data):
        raise ValueError(f"{destination}: that is the data itself; name another file to write to")


def check_destinations(written: dict[str, Path | None], data: list[Path]) -> None:
    """ValueError, before anything is computed, if a file cannot be written or would replace another one.

    The keys of `written` say what each file is.
    """
    seen: dict[Path, str] = {}
    for what, path in written.items():
        if path is None:
            continue
        for file in data:
            check_not_input(path, file)
        check_folder(path)
        if what == "the picture":
            plots.check_name(path)
        if what == "the page" and path.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"{path}: a page is written as .html; name the file so")
        if path.resolve() in seen:
            raise ValueError(f"{path}: that is where {seen[path.resolve()]} goes; name another file")
        seen[path.resolve()] = what
