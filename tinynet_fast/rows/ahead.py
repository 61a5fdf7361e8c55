"""Threads that work ahead: the next rows are read while the rows before them are trained on."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from operator import call
from typing import Any, TypeVar

from tinynet_fast.rows.team import POLL_SECONDS, answers_in_order

AHEAD = 3  # chunks that may wait to be trained on
READING = "tinynet_fast-read"  # the beginning of the names of threads in pools that read
T = TypeVar("T")


def close(items: Any) -> None:
    """Close a generator. Other iterators, such as those of pyarrow, may have nothing to close."""
    end = getattr(items, "close", None)
    if end is not None:
        end()


def read_ahead(chunks: Iterator[Any]) -> Generator[Any, None, None]:
    """Yield the chunks, which a thread reads a few ahead. Closing this ends the thread and closes the chunks."""
    waiting: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(AHEAD)
    closed = threading.Event()

    def put(item: Any, error: BaseException | None = None) -> None:
        while not closed.is_set():
            try:
                waiting.put((item, error), timeout=POLL_SECONDS)
                break
            except queue.Full:
                continue

    def read() -> None:
        try:
            for chunk in chunks:
                put(chunk)
                if closed.is_set():
                    break
            put(None)
        except BaseException as error:
            put(None, error)
        finally:
            close(chunks)

    reader = threading.Thread(target=read, name="tinynet_fast reader", daemon=True)
    reader.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        closed.set()
        reader.join()


def in_order(tasks: Iterable[Callable[[], T]], workers: int) -> Generator[T, None, None]:
    """Yield what the tasks return, in their order, while threads work on the next ones.

    Close this if you do not need all results, which ends the work. If the garbage collector closes it, a Ctrl-C can be
    lost.
    """
    with ThreadPoolExecutor(workers, READING) as pool:
        yield from answers_in_order(pool, call, tasks, workers + 1, helps=False)


def one_ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """Yield the items. While one is used, a thread makes the next. Closing this closes the items."""
    with closing(items), ThreadPoolExecutor(1, READING) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
