"""The command line: `tinynet-fast`, or `python -m tinynet_fast`. Here are the commands' names and how they end.

Bad input ends in one line on stderr and exit status 2. Ctrl-C ends with exit status 130, SIGTERM with 143.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer import Argument, Option
from typer.core import TyperGroup

from tinynet_fast._version import __version__
from tinynet_fast.cli.bench import bench
from tinynet_fast.cli.evaluate import evaluate
from tinynet_fast.cli.judge import lab, plot, threshold
from tinynet_fast.cli.predict import predict
from tinynet_fast.cli.prove import reproduce, trace, validate
from tinynet_fast.cli.rows import one_line
from tinynet_fast.cli.signals import WORDS, command_runs, handled, said_last
from tinynet_fast.cli.streams import SafeConsole, never_fail
from tinynet_fast.cli.train import train
from tinynet_fast.errors import TrainingDivergedError, TrainingWarning
from tinynet_fast.rows.messages import printable


class _OneLineErrors(TyperGroup):
    """Turns an exception of a command into one line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        command_runs()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", TrainingWarning)
                warnings.showwarning = _warn  # type: ignore[assignment]
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            status = handled(interrupt)
            _fail(f"{WORDS[status]}; {interrupt.args[0] if interrupt.args else said_last()}", status)
        except BrokenPipeError:  # the reader (`head`, for example) has stopped reading
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            _fail(f"{name}{error.strerror or error}", 2)
        except MemoryError:
            _fail("not enough memory for this many rows, columns or units", 2)
        except (ValueError, TrainingDivergedError, ImportError) as error:
            _fail(str(error), 2)


def _warn(message: Warning | str, *_: Any) -> None:
    """Print a warning as one line on stderr, without the line of code that Python would add."""
    print(f"tinynet-fast: warning: {one_line(str(message))}", file=sys.stderr)


def _fail(message: str, status: int) -> NoReturn:
    print(f"tinynet-fast: {one_line(message)}", file=sys.stderr)
    raise typer.Exit(status)


app = typer.Typer(cls=_OneLineErrors, add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    """Run the command line and exit with status 0, 2 for bad input, 130 after Ctrl-C, or 143 after SIGTERM."""
    never_fail()
    try:
        status = app(prog_name="tinynet-fast", standalone_mode=False) or 0
        sys.stdout.flush()
        sys.exit(status)
    except OSError as error:  # of standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        print(f"tinynet-fast: standard output: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:  # an unknown, missing or wrong option: also one line
        explain = getattr(error, "format_message", None)
        if explain is None:
            raise
        said = " ".join(explain().split()).replace("Value error, ", "")
        print(f"tinynet-fast: {printable(said)} (try --help)", file=sys.stderr)
        sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tinynet-fast {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Train small models on an ordinary CPU: the tutorial's loop at the hardware's speed, with the same weights."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def demo() -> None:
    """Show the tutorials' two problems, then race the same loop against plain Python on a million rows."""
    from tinynet_fast.cli.demo import run_demo  # here, because other commands start faster without it

    if not run_demo(SafeConsole(highlight=False)):
        raise typer.Exit(1)


def sample(
    output: Annotated[Path, Argument(help="The CSV file to write.")] = Path("students.csv"),
) -> None:
    """Write a table of 500 students, made up for these commands, with texts and missing values among them."""
    from tinynet_fast.tables.sample import write_sample  # here, as in `demo`

    print(f"{write_sample(output):,} rows: {output}")


def warmup(
    jobs: Annotated[int, Option(help="Processes that share the work; -1 for one on each core.")] = -1,
) -> None:
    """Compile now what would otherwise be compiled at the first call: for images and read-only folders."""
    from tinynet_fast.cli.warmup import warm_up  # here, as in `demo`

    warm_up(SafeConsole(highlight=False), jobs)


for command in (
    demo,
    sample,
    train,
    predict,
    evaluate,
    threshold,
    lab,
    plot,
    trace,
    validate,
    reproduce,
    warmup,
    bench,
):
    app.command()(command)
