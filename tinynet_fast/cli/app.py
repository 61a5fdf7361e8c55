"""The command line: `tinynet-fast`, or `python -m tinynet_fast`. It reads, asks the library, and prints.

Whatever is wrong with the input is one line on stderr and exit status 2. Ctrl-C is exit status 130, SIGTERM 143.
"""

import json
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
from tinynet_fast.cli.judge import lab, plot, threshold
from tinynet_fast.cli.rows import DROP, FEATURES, all_rows, check_labels, naming, one_line, open_rows
from tinynet_fast.cli.signals import WORDS, command_runs, handled, said_last
from tinynet_fast.cli.streams import SafeConsole, never_fail
from tinynet_fast.cli.support import (
    check_destinations,
    check_not_input,
    check_two_answers,
    is_one_row,
    model_file,
    numbers,
    predict_files,
    predict_row,
    print_validation,
    rate_or_auto,
)
from tinynet_fast.cli.train import Job, print_result
from tinynet_fast.errors import TrainingDivergedError, TrainingWarning
from tinynet_fast.models import check_threshold, load
from tinynet_fast.rows.messages import printable
from tinynet_fast.scoring import check_output


class _OneLineErrors(TyperGroup):
    """Turns what a command raises into a line on stderr and an exit status."""

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
        except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            _fail(f"{name}{error.strerror or error}", 2)
        except MemoryError:
            _fail("not enough memory for this many rows, columns or units", 2)
        except (ValueError, TrainingDivergedError, ImportError) as error:
            _fail(str(error), 2)


def _warn(message: Warning | str, *_: Any) -> None:
    """Print a warning as one line on stderr, without the place in the code that Python would add."""
    print(f"tinynet-fast: warning: {one_line(str(message))}", file=sys.stderr)


def _fail(message: str, status: int) -> NoReturn:
    print(f"tinynet-fast: {one_line(message)}", file=sys.stderr)
    raise typer.Exit(status)


app = typer.Typer(cls=_OneLineErrors, add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    """Run the command line and exit: 0 when done, 2 with a line on stderr for bad input, 130 after Ctrl-C, 143 after
    SIGTERM."""
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
    except Exception as error:  # an option that is unknown, missing or no number: one line as well
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
    version: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Train small models on an ordinary CPU: the tutorial's loop at the speed of the hardware, to the same weights."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def demo() -> None:
    """The tutorials' two problems, then the same loop on a million rows against plain Python."""
    from tinynet_fast.cli.demo import run_demo

    if not run_demo(SafeConsole(highlight=False)):
        raise typer.Exit(1)


@app.command()
def train(
    data: Annotated[list[Path], Argument(help="CSV, Parquet, Arrow, .npy, svmlight: files of one kind, or a pattern.")],
    target: Annotated[str, Option(help="The column to learn: two labels; for a network two or more.")],
    features: Annotated[str | None, FEATURES] = None,
    hidden: Annotated[str | None, Option(help="A network's hidden units: 8, or 16,8 (default: one neuron).")] = None,
    activation: Annotated[str, Option(help="For hidden units: sigmoid, tanh or relu.")] = "sigmoid",
    learning_rate: Annotated[
        str | None, Option(help="A number, or for one neuron auto (default: 0.1; 0.15 for a network).")
    ] = None,
    epochs: Annotated[int | None, Option(help="Default: 100; 1000 for a network.")] = None,
    batch_size: Annotated[int | None, Option(help="Rows in a network's update (default: all).")] = None,
    optimizer: Annotated[str | None, Option(help="For a network: sgd or adam (default: sgd).")] = None,
    momentum: Annotated[float | None, Option(help="For a network's sgd; 0.9 is usual.")] = None,
    dropout: Annotated[float | None, Option(help="Share of hidden units that each row leaves out.")] = None,
    l2: Annotated[float | None, Option(help="The penalty on large weights.")] = None,
    schedule: Annotated[str | None, Option(help="Of learning rates: constant, invscaling or cosine.")] = None,
    plot: Annotated[Path | None, Option(help="A picture of the loss by epoch to write, .png or .svg.")] = None,
    engine: Annotated[str, Option(help="fast, strict, numpy or reference.")] = "fast",
    standardize: Annotated[bool, Option(help="Train on (x - mean) / deviation; the model takes raw inputs.")] = True,
    shuffle: Annotated[
        bool | None, Option(help="A new order of rows in each epoch; of streamed rows by blocks (default: in memory).")
    ] = None,
    validation: Annotated[
        float | None, Option(help="Share of rows to hold out (default: 0.2; 0 below 20 rows).")
    ] = None,
    patience: Annotated[int | None, Option(help="Stop after this many epochs without a lower validation loss.")] = None,
    seed: Annotated[
        int, Option(min=0, max=2**32 - 1, help="For the hold-out, the order of rows and a network's first weights.")
    ] = 0,
    labels: Annotated[str | None, Option(help="The labels, with commas; the last of two is learned.")] = None,
    stream: Annotated[bool, Option("--stream", help="Read the rows while training, however few they are.")] = False,
    drop_missing: Annotated[bool, DROP] = False,
    checkpoint: Annotated[Path | None, Option(help="A file to go on from after whatever stops this run.")] = None,
    checkpoint_seconds: Annotated[float, Option(help="How often it is written.")] = 30.0,
    resume: Annotated[bool, Option(help="Go on from the checkpoint, if it is there.")] = True,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing but warnings and errors.")] = False,
    model: Annotated[Path | None, Option(help="Where it goes (default: here, DATA.model.json or model.json).")] = None,
) -> None:
    """Train on files, print the loss as it falls, and write the model.

    Rows of up to 256 MB (as float64, such as 1,000,000 rows of 32 inputs) are read whole, whatever their format. More
    rows are read while they are trained on, in the order of the file.
    """
    destination = model or model_file(data[0])
    layers = numbers(hidden, "--hidden", int) if hidden is not None else None
    if layers is not None and min(layers) < 1:
        raise ValueError(f"--hidden {hidden}: a hidden layer has at least one unit")
    if optimizer == "adam" and momentum is not None:
        raise ValueError("--momentum is for --optimizer sgd: leave one of them out")
    named = {"batch_size": batch_size, "optimizer": optimizer, "momentum": momentum, "dropout": dropout}
    options: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if activation != "sigmoid":
        options["activation"] = activation
    if layers is None and options:
        option = next(iter(options)).replace("_", "-")
        raise ValueError(f"--{option} is for networks: name the hidden units with --hidden")
    rate = rate_or_auto(learning_rate)
    if layers is not None and rate == "auto":
        raise ValueError("--learning-rate auto is for one neuron: give a number, or leave --hidden out")
    written = {"the model": destination, "the picture": plot, "the checkpoint": checkpoint}
    check_destinations(written, data)
    given = {"learning_rate": rate, "epochs": epochs, "l2": l2, "schedule": schedule}
    options |= {name: value for name, value in given.items() if value is not None}
    options |= {"engine": engine, "patience": patience}
    if checkpoint is not None:
        options |= {"checkpoint": checkpoint, "checkpoint_seconds": checkpoint_seconds, "resume": resume}
    job = Job(
        data=data,
        target=target,
        features=features,
        hidden=layers,
        labels=labels,
        standardize=standardize,
        shuffle=shuffle,
        validation=validation,
        seed=seed,
        stream=stream,
        drop_missing=drop_missing,
        quiet=quiet,
        options=options,
    )
    result, said = job.run()
    result.model.save(destination)
    said.append(f"model: {destination}")
    if plot is not None:
        from tinynet_fast import plots

        plots.save(plots.loss_curves(result), plot)
        said.append(f"picture: {plot}")
    if not quiet:
        print_result(job, result, said)


@app.command()
def predict(
    model: Annotated[Path, Argument(help="A model file.")],
    data: Annotated[
        list[str],
        Argument(help="Files (CSV, Parquet, Arrow, .npy), or one row as name=value for each input."),
    ],
    threshold: Annotated[float | None, Option(help="The model's own, 0.5 unless set, if absent.")] = None,
    output: Annotated[
        Path | None, Option(help="A file to write, CSV or .parquet; CSV to standard output if absent.")
    ] = None,
    drop_missing: Annotated[
        bool, Option("--drop-missing", help="Leave rows with a missing value out; the others keep their numbers.")
    ] = False,
    formulas: Annotated[
        bool, Option("--formulas", help="Write a label such as =1+2 to CSV as it is, and not with a ' before it.")
    ] = False,
) -> None:
    """Probability and label: of each row of files of any size, or of the one row given as study_hours=2.5."""
    fitted = load(model)
    if threshold is not None:
        check_two_answers(fitted, "--threshold")
    limit = check_threshold(fitted.threshold if threshold is None else threshold)
    if output is not None:
        check_output(output)
    if is_one_row(fitted, data):
        predict_row(fitted, data, output, limit, formulas)
        return
    marks = "=./*?[-"  # of a file's name, a pattern or name=value; "-" is standard input
    strange = [word for word in data if not (os.path.exists(word) or any(mark in word for mark in marks))]
    if strange:
        raise ValueError(f"{strange[0]}: neither a file nor name=value, which is how one row is given")
    check_not_input(output, Path(data[0]))
    predict_files(fitted, data, output, threshold, drop_missing, formulas)


app.command()(threshold)
app.command()(lab)
app.command()(plot)


@app.command()
def trace(
    model: Annotated[Path | None, Argument(help="A model file (default: a tutorial's first step).")] = None,
    data: Annotated[Path | None, Argument(help="A file with the model's inputs and the true labels.")] = None,
    target: Annotated[str | None, Option(help="The column with the true labels (default: the model's).")] = None,
    row: Annotated[int, Option(help="The data row to learn from, from 1.")] = 1,
    rows: Annotated[int, Option(help="How many rows make a network's batch.")] = 1,
    learning_rate: Annotated[float | None, Option(help="Default: 0.1; 0.15 for a network.")] = None,
    network: Annotated[bool, Option("--network", help="The height and weight network instead of the neuron.")] = False,
    torch: Annotated[bool, Option("--torch", help="Show PyTorch's gradients beside ours.")] = False,
    drop_missing: Annotated[bool, DROP] = False,
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """One training step, number by number: what to compare with loss.backward()."""
    from tinynet_fast.proof.trace_run import run_trace

    step = run_trace(
        model=model,
        data=data,
        target=target,
        row=row,
        rows=rows,
        learning_rate=learning_rate,
        network=network,
        torch=torch,
        drop_missing=drop_missing,
    )
    if as_json:
        print(json.dumps(step.to_json(), indent=1))
    else:
        SafeConsole(highlight=False, emoji=False).print(step)  # which escapes the names in it


@app.command()
def validate(
    data: Annotated[Path | None, Option(help="A file with rows of your own to run as well.")] = None,
    target: Annotated[str | None, Option(help="The column with its labels.")] = None,
    drop_missing: Annotated[bool, DROP] = False,
    deep: Annotated[bool, Option("--deep", help="Twenty times as many problems.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run every engine against the reference on this machine; exit status 0 only if every promise is kept."""
    from tinynet_fast.proof.validate import validate as run_validation

    X = y = None
    if data is not None:
        if target is None:
            raise ValueError("--data needs --target, the column with the labels")
        table = all_rows(open_rows([data], target, drop_missing=drop_missing))
        check_labels(table, target)
        X, y = table.X, table.y
    elif target is not None:
        raise ValueError("--target needs --data, the file with the rows")
    with SafeConsole(stderr=True).status("") as status, naming(str(data)):
        seen = run_validation(X, y, deep=deep, progress=status.update)
    if as_json:
        print(json.dumps(seen.to_json(), indent=1))
    else:
        print_validation(seen)
    if not seen.kept:
        raise typer.Exit(1)


@app.command()
def warmup() -> None:
    """Compile now what would else be compiled when first called: for images, and for folders that become read-only."""
    from tinynet_fast.cli.warmup import warm_up

    warm_up(SafeConsole(highlight=False))


app.command()(bench)
