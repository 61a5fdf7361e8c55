"""Threads that share a list of jobs; the thread that asks is one of them. Also how many threads there is room for."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

POLL_SECONDS = 0.05  # how often a thread that waits looks for Ctrl-C
Job = TypeVar("Job")
Answer = TypeVar("Answer")

_lock = threading.Lock()
_busy = 0  # threads of this process that belong to teams


def _forked() -> None:
    """A child of a process has none of its parent's teams, and the lock may have been taken when it was made."""
    global _lock, _busy
    _lock, _busy = threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def cores() -> int:
    """The cores that this process may use: those that the system allows it, in joblib and Dask its share of them.

    A task of Dask has one thread of its worker. A process of joblib has as many as joblib allows the libraries in it,
    by OMP_NUM_THREADS: the cores divided by the processes, unless `inner_max_num_threads` says otherwise.
    """
    # `os.process_cpu_count` does the same from Python 3.13 on.
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    dask = sys.modules.get("distributed.worker")  # imported in every process that runs tasks of Dask
    if dask is not None and hasattr(dask.thread_state, "execution_state"):
        return 1
    loky = sys.modules.get("joblib.externals.loky.process_executor")
    if loky is not None and loky._CURRENT_DEPTH > 0:
        share = os.environ.get("OMP_NUM_THREADS", "1")
        return max(1, min(found, int(share) if share.isdecimal() else 1))
    return found


def check_jobs(n_jobs: Any) -> int:
    """How many threads `n_jobs` asks for: 1 for None, one for each core that may be used for -1."""
    if n_jobs is None:
        return 1
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, (int, np.integer)) or not (n_jobs == -1 or n_jobs >= 1):
        raise ValueError(f"n_jobs is {n_jobs!r}; a whole number of at least 1 is needed, or -1 for all cores")
    return cores() if n_jobs == -1 else int(n_jobs)


def threads_for(n_jobs: Any) -> int:
    """How many threads to use for `n_jobs`: as `check_jobs`, but no more than there are cores."""
    threads = check_jobs(n_jobs)
    return threads if threads == 1 else min(threads, cores())


class Team:
    """`threads` threads, until the end of the `with` block.

    The caller works too. If it only waited, its core would be free, and Linux may need milliseconds to move another
    thread there.

    Parameters
    ----------
    threads : int
    most : int, optional
        There are no more threads than this, less those of the process's other teams: for jobs that wait for each other.
    """

    def __init__(self, threads: int = 1, most: int | None = None) -> None:
        self.threads, self.most = threads, most
        self._others: Executor | None = None
        self._process = 0

    @classmethod
    def of(cls, n_jobs: Any) -> Self:
        """The threads that `n_jobs` asks for; with those of the process's other teams no more than there are cores."""
        threads = threads_for(n_jobs)
        return cls(threads, None if threads == 1 else cores())

    def __enter__(self) -> Self:
        global _busy
        with _lock:
            if self.most is not None:
                self.threads = max(1, min(self.threads, self.most - _busy))
            _busy += self.threads
        self._start()
        return self

    def _start(self) -> None:
        """Make the other threads: in this process, which may be a child of the one where the team was made."""
        if self.threads > 1:
            from concurrent.futures import ThreadPoolExecutor  # 3 ms, which one thread does not need

            self._others, self._process = ThreadPoolExecutor(self.threads - 1), os.getpid()

    def __exit__(self, *exception: Any) -> None:
        global _busy
        with _lock:
            _busy = max(_busy - self.threads, 0)
        if self._others is not None:
            if self._process == os.getpid():
                self._others.shutdown()
            self._others = None

    def map(self, work: Callable[[Job], Answer], jobs: Iterable[Job]) -> list[Answer]:
        """The answers to all jobs, in their order. After an error, jobs that were not begun are left out."""
        jobs = list(jobs)
        if self._others is None or len(jobs) < 2:
            return [work(job) for job in jobs]
        if self._process != os.getpid():
            self._start()
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

    def in_order(
        self, work: Callable[[Job], Answer], jobs: Iterable[Job], end: Callable[[], Any] | None = None
    ) -> Generator[Answer, None, None]:
        """Yield the answers to all jobs, in their order, while threads work on the next jobs.

        Jobs are taken from `jobs` when there is room for them. The caller does what no other thread has begun while it
        waits. An error is raised when it is the job's turn. Close the generator if you do not need all answers: that
        waits for the jobs that were begun, after a call of `end`, which may make them end sooner. (If the garbage
        collector closes it, a Ctrl-C can be lost.)
        """
        if self._others is None:
            yield from map(work, jobs)
            return
        if self._process != os.getpid():
            self._start()
        yield from answers_in_order(self._others, work, jobs, 2 * self.threads, helps=True, end=end)


def answers_in_order(
    pool: "Executor",
    work: Callable[[Job], Answer],
    jobs: Iterable[Job],
    most: int,
    *,
    helps: bool,
    end: Callable[[], Any] | None = None,
) -> Generator[Answer, None, None]:
    """As `Team.in_order`: by the threads of `pool`, and the caller if it `helps`; no more than `most` jobs wait."""
    coming: deque[_Coming[Any, Any]] = deque()
    try:
        for job in jobs:
            coming.append(_Coming(pool, work, job))
            if len(coming) > most:
                yield _first(coming, helps)
        while coming:
            yield _first(coming, helps)
    finally:
        for each in coming:
            each.future.cancel()
        if coming and end is not None:
            end()
        for each in coming:
            if not each.future.cancelled():
                each.future.exception()  # waits


class _Coming(Generic[Job, Answer]):
    """The answer to a job, which some thread works out."""

    def __init__(self, pool: "Executor", work: Callable[[Job], Answer], job: Job) -> None:
        self.work, self.job = work, job
        self.future: Future[Answer] = pool.submit(work, job)

    def is_taken(self) -> bool:
        """Whether this thread took the job and has done it, because no other thread had begun it."""
        if self.future.done() or not self.future.cancel():
            return False
        self.future = type(self.future)()
        try:
            self.future.set_result(self.work(self.job))
        except Exception as error:
            self.future.set_exception(error)
        return True


def _first(coming: "deque[_Coming[Any, Answer]]", helps: bool) -> Answer:
    """Take the first answer. If this thread `helps`, it works on it, or else on the next ones, until it is there."""
    first = coming[0]
    while helps and not first.future.done():
        if not any(each.is_taken() for each in coming):
            break
    answer = _result(first.future)
    coming.popleft()
    return answer


def _result(future: "Future[Answer]") -> Answer:
    """Wait for an answer, a little at a time: on Windows, Ctrl-C does not end a wait."""
    while not future.done():
        with suppress(TimeoutError):
            return future.result(POLL_SECONDS)
    return future.result()
