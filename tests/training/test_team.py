"""Threads that share jobs: answers in order, the caller works too, and an error ends the work."""

import threading
from time import sleep

import pytest

from tinynet_fast.rows import team as teams
from tinynet_fast.rows.team import Team, threads_for


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


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_answers_one_by_one_are_in_the_order_of_the_jobs(threads, count):
    with Team(threads) as team:
        for _ in range(3):
            assert list(team.in_order(lambda k: sleep(k % 3 * 0.0005) or k * k, iter(range(count)))) == [
                k * k for k in range(count)
            ]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_jobs_are_taken_when_there_is_room_for_them(threads):
    taken = []
    with Team(threads) as team:
        answers = team.in_order(abs, (taken.append(k) or k for k in range(1000)))
        assert [next(answers) for _ in range(10)] == list(range(10))
        assert len(taken) <= 11 + 2 * threads
        answers.close()


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_error_is_raised_when_it_is_the_jobs_turn(threads):
    def work(k):
        if k == 5:
            raise ValueError("the sixth job")
        return k

    with Team(threads) as team:
        answers = team.in_order(work, range(1000))
        assert [next(answers) for _ in range(5)] == list(range(5))
        with pytest.raises(ValueError, match="the sixth job"):
            next(answers)


def test_the_caller_works_while_the_first_answer_is_not_there():
    """The only other thread does the first job until the last one is done, which the caller does."""
    last, here = threading.Event(), threading.get_ident()

    def work(k):
        if threading.get_ident() != here:
            assert last.wait(60)
        elif k == 3:
            last.set()
        return k

    with Team(2) as team:
        assert list(team.in_order(work, range(4))) == list(range(4))


def test_what_was_begun_is_told_to_end():
    ended, begun = threading.Event(), threading.Event()

    def work(k):
        begun.set()
        return ended.wait(60)

    def jobs():
        yield 0
        assert begun.wait(60)
        raise ValueError("no more jobs")

    with Team(2) as team, pytest.raises(ValueError, match="no more jobs"):
        list(team.in_order(work, jobs(), ended.set))
    assert ended.is_set()


@pytest.mark.parametrize("n_jobs", [None, 1, 2, 16, -1])
def test_a_team_has_no_more_threads_than_there_are_cores(n_jobs, monkeypatch):
    monkeypatch.setattr(teams, "cores", lambda: 3)
    expected = {None: 1, 1: 1, 2: 2, 16: 3, -1: 3}[n_jobs]
    assert threads_for(n_jobs) == expected
    with Team.of(n_jobs) as team:
        assert team.threads == expected
        with Team.of(n_jobs) as inner:  # what another team has is taken
            assert inner.threads == max(1, min(expected, 3 - expected))
