"""Threads that work ahead of who takes what they make: rows are read while those before them are trained on."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

AHEAD = 3  # chunks that wait to be trained on
POLL_SECONDS = 0.05  # how often a waiting thread looks whether the other is still there
T = TypeVar("T")


def read_ahead(chunks: Iterator[Any]) -> Generator[Any, None, None]:
    """The chunks, read in a thread of their own, a few ahead. Closing this ends the thread, and then the chunks."""
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
    """What the tasks return, in their order, while a few of those to come are worked on. Closing it ends the work.

    Whoever does not need all of it has to close it: left to the garbage collector, it would swallow a Ctrl-C.
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


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, of which the next is made in a thread while one is used."""
    with ThreadPoolExecutor(1, "tinynet_fast-read") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
