"""Threads that work ahead: the next rows are read while the rows before them are trained on."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

AHEAD = 3  # chunks that may wait to be trained on
POLL_SECONDS = 0.05  # how often the reading thread checks, while it waits, whether the chunks are still wanted
T = TypeVar("T")


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
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

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
    """Yield what the tasks return, in their order, while threads work on the next tasks. Closing this ends the work.

    Close it if you do not need all results: if the garbage collector does that, a Ctrl-C can be lost.
    """
    pool, waiting = ThreadPoolExecutor(workers, "tinynet_fast-read"), deque()  # type: ignore[var-annotated]
    try:
        for task in tasks:
            waiting.append(pool.submit(task))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def one_ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """Yield the items. While one is used, a thread makes the next. Closing this closes the items."""
    with closing(items), ThreadPoolExecutor(1, "tinynet_fast-read") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
