"""Threads that share jobs: answers in order, the caller works too, and an error ends the work."""

import threading
from time import sleep

import pytest

from tinynet_fast.rows.team import Team


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_answers_are_in_the_order_of_the_jobs(threads, count):
    with Team(threads) as team:
        for _ in range(3):
            assert team.map(lambda k: k * k, range(count)) == [k * k for k in range(count)]


@pytest.mark.parametrize("threads", [2, 3])
def test_all_threads_work_and_the_caller_is_one_of_them(threads):
    seen, all_here = set(), threading.Barrier(threads, timeout=60)

    def work(k):
        seen.add(threading.get_ident())
        all_here.wait()

    with Team(threads) as team:
        team.map(work, range(threads))
    assert len(seen) == threads
    assert threading.get_ident() in seen


def test_one_thread_starts_no_others():
    before = threading.active_count()
    with Team(1) as team:
        team.map(lambda k: k, range(5))
        assert threading.active_count() == before


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_error_ends_the_work(kind, threads):
    done = []

    def work(k):
        if k == 3:
            raise kind("the fourth job")
        sleep(0.001)
        done.append(k)

    with Team(threads) as team:
        with pytest.raises(kind, match="the fourth job"):
            team.map(work, range(1000))
        assert len(done) < 50
        assert team.map(lambda k: k, range(3)) == [0, 1, 2]
