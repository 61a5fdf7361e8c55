"""The progress of training: a bar on a terminal, one line that changes in a notebook, else a line every few seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Timer
from time import perf_counter
from typing import Any

from tinynet_fast.markup.elements import text as escaped
from tinynet_fast.rows.blocks import Rows, is_streamed
from tinynet_fast.training.options import Options

LINE_SECONDS, CELL_SECONDS = 5.0, 0.2  # between two lines, and between two changes of a notebook's line
WAIT_SECONDS = 1.0  # what is done sooner shows nothing


@contextmanager
def waiting(shown: bool, text: str) -> Iterator[Callable[[str], None]]:
    """Show a text on a terminal or in a notebook while something runs that has no bar.

    Yields a function that changes the text.
    """
    if shown and in_notebook():
        cell, started = Cell(text), perf_counter()
        try:
            yield cell.show
        finally:
            cell.end(f"{text.removesuffix(' ...')}: {perf_counter() - started:.2g} s")
        return
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


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this. Its stderr is no terminal, but it can change what it has shown."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Cell:
    """A line below a notebook's cell that is changed in place."""

    def __init__(self, text: str) -> None:
        from IPython.display import display  # it is there: a notebook's kernel runs this

        self.handle: Any = display(self._shown(text), raw=True, display_id=True)

    def show(self, text: str, share: float | None = None) -> None:
        """Change the text, and the bar before it; without a share of the work, the bar only says that there is some."""
        done = "" if share is None else f' value="{share:.4f}"'
        self.handle.update(self._shown(text, f'<progress aria-label="training"{done}></progress> '), raw=True)

    def end(self, text: str) -> None:
        """Leave a text without a bar."""
        self.handle.update(self._shown(text), raw=True)

    @staticmethod
    def _shown(text: str, bar: str = "") -> dict[str, str]:
        return {"text/plain": text, "text/html": f"<div>{bar}{escaped(text)}</div>"}


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
        self.cell: Cell | None = None
        self.latest: tuple[int, float | None, float | None] | None = None  # what `_show` was given

    def __enter__(self) -> "Progress":
        if in_notebook():
            self.cell = Cell("training ...")
        elif sys.stderr.isatty():
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
        if self.cell is not None:
            done = "training" if self.latest is None else self._words(*self.latest, perf_counter(), ended=True)[0]
            self.cell.end(done + ("; stopped" if error[0] else ""))

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
        now, self.latest = perf_counter(), (epoch, mean, loss)
        wait = CELL_SECONDS if self.cell is not None else LINE_SECONDS
        if self.bar is None and now - self.last_line < wait and not (last and self.last_line > self.started):
            return
        text, share = self._words(epoch, mean, loss, now)
        if self.bar is not None:
            self.bar.update(self.task, completed=share or 0.0, text=text)
            return
        self.last_line = now
        if self.cell is not None:
            self.cell.show(text, share)
        else:
            print(text, file=sys.stderr, flush=True)

    def _words(
        self, epoch: int, mean: float | None, loss: float | None, now: float, ended: bool = False
    ) -> tuple[str, float | None]:
        """What is done, how fast, and the loss; and which share of the work is done, if that is known."""
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
            words += [] if ended else [f"{_clock(left / max(speed, 1e-9))} left"]
        return ", ".join([*words, *([f"{seconds:.2g} s"] if ended else [])]), share


def _clock(seconds: float) -> str:
    whole = round(min(seconds, 1e7))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
