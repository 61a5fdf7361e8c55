"""The command `bench`: the core of the benchmarks, for people who have the package without its repository."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typer import Argument, Option

from tinynet_fast.cli.options import AsJson
from tinynet_fast.cli.streams import SafeConsole
from tinynet_fast.cli.support import plain_console
from tinynet_fast.models.files import atomic_file, check_folder

QUICK_ROUNDS, ROUNDS = 3, 7


def bench(
    quick: Annotated[
        bool, Option("--quick", help="Use a fifth of the rows and three rounds: less than a minute.")
    ] = False,
    as_json: AsJson = False,
    output: Annotated[Path | None, Argument(help="A file to write the results to as JSON.")] = None,
) -> None:
    """Time our engines, the plain loop, NumPy and other libraries in turns; exit status 1 if results are not equal."""
    # Here, because other commands start faster without them.
    from tinynet_fast.proof.bench.core import core_problems, run_core
    from tinynet_fast.proof.bench.measure import NotEqualError
    from tinynet_fast.proof.bench.show import print_document

    to_file = output if output != Path("-") else None  # older versions wrote `--json FILE`, or - for standard output
    if to_file is not None:
        check_folder(to_file)
    problems = core_problems(quick)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    terminal = SafeConsole(stderr=True)
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        task = progress.add_task("", total=len(problems) + 1, completed=-1)

        def tell(doing: str) -> None:
            progress.update(task, description=doing, advance=1)

        try:
            seen = run_core(problems, QUICK_ROUNDS if quick else ROUNDS, tell)
        except NotEqualError as error:
            progress.stop()
            print(f"tinynet-fast: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
    if to_file is not None:
        with atomic_file(to_file, "w") as file:
            json.dump(seen, file, indent=1)
            file.write("\n")
    if as_json and to_file is None:
        print(json.dumps(seen, indent=1))
    else:
        print_document(plain_console(), seen)
