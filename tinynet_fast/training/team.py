"""Threads that share a list of jobs; the thread that asks is one of them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class Team:
    """`threads` threads, until the end of the `with` block.

    The caller works too. If it only waited, its core would be free, and Linux may need milliseconds to move another
    thread there.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._others: Executor | None = None

    def __enter__(self) -> Self:
        if self.threads > 1:
            from concurrent.futures import ThreadPoolExecutor  # 3 ms, which one thread does not need

            self._others = ThreadPoolExecutor(self.threads - 1)
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._others is not None:
            self._others.shutdown()
            self._others = None

    def map(self, work: Callable[[Job], Answer], jobs: Iterable[Job]) -> list[Answer]:
        """The answers to all jobs, in their order. After an error, jobs that were not begun are left out."""
        jobs = list(jobs)
        if self._others is None or len(jobs) < 2:
            return [work(job) for job in jobs]
        answers: list[Any] = [None] * len(jobs)
        left = iter(range(len(jobs)))  # which a thread asks for its next job

        def drain() -> None:
            try:
                for k in left:
                    answers[k] = work(jobs[k])
            finally:
                for _ in left:  # after an error, the other threads stop too
                    pass

        others = [self._others.submit(drain) for _ in range(min(self.threads, len(jobs)) - 1)]
        try:
            drain()
        finally:
            for other in others:
                other.exception()  # waits
        for other in others:
            other.result()
        return answers
