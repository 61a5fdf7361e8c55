"""The progress bar. Imported only where one is asked for, because rich takes longer to import than NumPy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(epochs: int) -> Iterator[Callable[[int, float], None]]:
    """A bar on stderr; the function it gives takes the number of epochs done and the last one's loss."""
    columns = (
        TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.6g}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=epochs, loss=float("nan"))
        yield lambda done, loss: bar.update(task, completed=done, loss=loss)
