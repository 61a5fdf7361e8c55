"""The commands that prove: `trace` one step number by number, `validate` every engine against the reference, and
`reproduce` a model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table
from typer import Argument, Option

from tinynet_fast.cli.options import AsJson, DropMissing, Encoding, Jobs, LabelledRows, ModelFile, Separator, takes
from tinynet_fast.cli.rows import naming, one_or_all
from tinynet_fast.cli.streams import SafeConsole
from tinynet_fast.cli.support import plain_console
from tinynet_fast.tables.labelled import Labeller
from tinynet_fast.tables.options import TableOptions
from tinynet_fast.tables.rows import Encoded, read


@dataclass
class TraceOptions:
    """The options of `trace`: those of `run_trace`, and how to print."""

    model: Annotated[Path | None, Argument(help="A model file (default: a tutorial's first step).")] = None
    data: Annotated[Path | None, Argument(help="A file with the model's inputs and the true labels or numbers.")] = None
    target: Annotated[str | None, Option(help="The column with these (default: the model's).")] = None
    row: Annotated[int, Option(help="The data row to learn from, counted from 1.")] = 1
    rows: Annotated[int, Option(help="How many rows make a network's batch.")] = 1
    learning_rate: Annotated[float | None, Option(help="Default: 0.1; a network 0.15; numbers 0.01.")] = None
    network: Annotated[bool, Option("--network", help="The tutorial's network instead of the neuron.")] = False
    output: Annotated[str | None, Option(help="linear: learn a number, an exam's score. Without a model.")] = None
    loss: Annotated[str | None, Option(help="What the step makes smaller, such as huber. Without a model.")] = None
    delta: Annotated[float | None, Option(help="Of --loss huber (default: 1).")] = None
    quantile: Annotated[float | None, Option(help="Of --loss quantile (default: 0.5).")] = None
    gamma: Annotated[float | None, Option(help="Of --loss focal (default: 2).")] = None
    torch: Annotated[bool, Option("--torch", help="Show PyTorch's gradients beside ours.")] = False
    drop_missing: DropMissing = False
    separator: Separator = None
    encoding: Encoding = None
    as_json: AsJson = False


@takes(TraceOptions)
def trace(asked: TraceOptions) -> None:
    """Show one training step, number by number, to compare with loss.backward()."""
    from tinynet_fast.proof.trace_run import run_trace  # here, because other commands start faster without it

    step = run_trace(**{name: value for name, value in vars(asked).items() if name != "as_json"})
    if asked.as_json:
        print(json.dumps(step.to_json(), indent=1))
    else:
        SafeConsole(highlight=False, emoji=False).print(step)  # the step escapes the names in it


def validate(
    data: Annotated[Path | None, Option(help="A file with your own rows, to compare on as well.")] = None,
    target: Annotated[str | None, Option(help="The column of that file with the labels.")] = None,
    drop_missing: DropMissing = False,
    separator: Separator = None,
    encoding: Encoding = None,
    deep: Annotated[bool, Option("--deep", help="Run twenty times as many problems.")] = False,
    portable: Annotated[
        bool, Option("--portable", help="Compare digests of engine=portable with those of every machine instead.")
    ] = False,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Run every engine against the reference on this machine; exit status 0 only if every promise is kept."""
    if portable:
        if data is not None or target is not None or deep:
            raise ValueError("--portable trains on rows of its own, once: leave --data, --target and --deep out")
        _validate_portable(as_json)
        return
    from tinynet_fast.proof.validate import validate as run_validation  # here, as in `trace`

    X = y = None
    if data is not None:
        if target is None:
            raise ValueError("--data needs --target, the column with the labels")
        X, y = _own_rows(data, target, drop_missing, separator, encoding)
    elif target is not None:
        raise ValueError("--target needs --data, the file with the rows")
    with SafeConsole(stderr=True).status("") as status, naming(str(data)):
        seen = run_validation(X, y, deep=deep, progress=status.update, n_jobs=jobs)
    if as_json:
        print(json.dumps(seen.to_json(), indent=1))
    else:
        _print(seen)
    if not seen.kept:
        raise typer.Exit(1)


def _validate_portable(as_json: bool) -> None:
    """Print the digests of engine="portable"; exit status 1 if they are not those of every machine."""
    from tinynet_fast.proof.portable import overall, validate_portable

    with SafeConsole(stderr=True).status("") as status:
        seen = validate_portable(status.update)
    if as_json:
        print(json.dumps(seen.to_json(), indent=1))
    else:
        console = plain_console()
        for name, found in seen.digests.items():
            said = "" if found == seen.known.get(name) else f"  DIFFERENT: {seen.known.get(name)}"
            console.print(f"{found[:16]}  {name}{said}", soft_wrap=True)
        for name, value in seen.facts.items():
            console.print(f"{name}: {value}", soft_wrap=True)
        same = "the same as on every machine" if seen.kept else f"NOT that of other machines, {overall(seen.known)}"
        console.print(f"all {len(seen.digests)}: {seen.digest}: {same}", soft_wrap=True)
    if not seen.kept:
        raise typer.Exit(1)


def reproduce(
    model: ModelFile,
    data: LabelledRows,
    target: Annotated[
        str | None, Option(help="The column of the labels or numbers (default: what was learned).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model of --engine portable again, as its file says, and compare; exit status 0 only if it is the same."""
    from tinynet_fast.models import load
    from tinynet_fast.proof.reproduce import reproduce as train_again  # here, as in `trace`

    fitted = load(model)
    with naming(str(data[0])):
        found = train_again(fitted, one_or_all(data), target)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
    else:
        plain_console().print(str(found), soft_wrap=True)
    if not found.kept:
        raise typer.Exit(1)


def _own_rows(
    data: Path, target: str, drop_missing: bool, separator: str | None, encoding: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a table as `train` makes numbers of them, and their labels."""
    asked = TableOptions(missing="drop" if drop_missing else "fill")
    table, column = read(data, target, separator, encoding, drop_missing=drop_missing)
    assert table is not None
    labeller = Labeller(asked)
    rows = labeller(table, column)
    if rows.labels is None:
        raise ValueError(f"{data}: column {target!r} has numbers, and validate compares neurons of labels")
    encoded = Encoded(rows, asked, labeller.reading())
    return encoded.X, rows.truth


def _print(seen: Any) -> None:
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
