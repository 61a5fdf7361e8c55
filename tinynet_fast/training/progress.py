"""The progress of training, on stderr: a bar on a terminal, a line every few seconds elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Timer
from time import perf_counter
from typing import Any

from tinynet_fast.rows.blocks import Rows, is_streamed
from tinynet_fast.training.options import Options

LINE_SECONDS = 5.0
WAIT_SECONDS = 1.0  # what is done sooner shows nothing


@contextmanager
def waiting(shown: bool, text: str) -> Iterator[Callable[[str], None]]:
    """Show a text on a terminal while something runs that has no bar. Yields a function that changes the text."""
    if not (shown and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console  # as in `Progress`

    status = Console(stderr=True, markup=False, emoji=False).status(text)
    timer = Timer(WAIT_SECONDS, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda new: status.update(new)
    finally:
        timer.cancel()
        timer.join()
        status.stop()


class Progress:
    """A context. `rows` is called after each block, `epoch` after each epoch."""

    def __init__(self, options: Options, epochs_done: int, position: int) -> None:
        self.options = options
        self.count = options.rows.count
        source = options.rows.source if is_streamed(options.rows) else None
        self.bytes: float | None = None  # the size of all rows, as they are stored
        if source is not None:
            self.bytes = source.size_bytes
        elif isinstance(options.rows, Rows):
            self.bytes = float(options.rows.count * options.rows.X.dtype.itemsize * options.rows.n_features)
        self.first = epochs_done * (self.count or 0) + position
        self.seen, self.loss = self.first, float("nan")
        self.started = self.last_line = perf_counter()
        self.stack, self.bar, self.task = ExitStack(), None, None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            # rich takes longer to import than NumPy, and only a bar needs it.
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = TextColumn("{task.fields[text]}"), BarColumn()
            bar: Any = Bar(*columns, console=Console(stderr=True))
            self.bar = self.stack.enter_context(bar)
            self.task = bar.add_task("", total=1.0, text="")
        return self

    def __exit__(self, *error: Any) -> None:
        self.stack.close()

    def rows(self, epoch: int, position: int, epochs: int, total: float) -> None:
        """`position` rows of `epoch` are done, with the summed loss `total`; `epochs` epochs run at once."""
        self.count = self.options.rows.count
        self.seen = max(epoch * (self.count or 0) + position * epochs, self.seen)
        if self.count is None:
            self.seen = position
        self._show(epoch, total / max(position, 1))

    def epoch(self, done: int, loss: float) -> None:
        """`done` epochs are done; `loss` is the last one's entry in the history."""
        self.count = self.options.rows.count
        self.seen = done * (self.count or 0)
        self._show(done - 1, None, loss, last=done == self.options.epochs)

    def _show(self, epoch: int, mean: float | None, loss: float | None = None, last: bool = False) -> None:
        now = perf_counter()
        if self.bar is None and now - self.last_line < LINE_SECONDS and not (last and self.last_line > self.started):
            return
        seconds = max(now - self.started, 1e-9)
        speed = (self.seen - self.first) / seconds
        words = [f"epoch {epoch + 1}/{self.options.epochs}", f"{speed:,.0f} rows/s"]
        if self.bytes and self.count:
            words.append(f"{speed * self.bytes / self.count / 1e6:,.0f} MB/s")
        words.append(f"loss {loss:.6g}" if loss is not None else f"loss so far {mean:.6g} a row")
        share = None
        if self.count:
            left = self.count * self.options.epochs - self.seen
            share = self.seen / (self.count * self.options.epochs)
            words.append(f"{_clock(left / max(speed, 1e-9))} left")
        text = ", ".join(words)
        if self.bar is not None:
            self.bar.update(self.task, completed=share or 0.0, text=text)
        else:
            self.last_line = now
            print(text, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    whole = round(min(seconds, 1e7))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
