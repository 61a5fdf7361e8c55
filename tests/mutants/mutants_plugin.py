"""A pytest plugin of `mutants.py`. It records which test runs which lines, or runs a list of tests in its order.

To record, MUTANTS_RECORD names a folder: coverage goes to files there, and results to `tests.json`. To run a list,
MUTANTS_TESTS names a JSON file of test names. In both cases a test that takes too long fails.
"""

import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import coverage
import pytest
from hypothesis import HealthCheck, settings

RECORD = os.environ.get("MUTANTS_RECORD", "")
LIMIT = 90.0 if os.environ.get("NUMBA_DISABLE_JIT") != "1" else 10.0 if RECORD else 30.0  # seconds of CPU for a test
TESTS = os.environ.get("MUTANTS_TESTS", "")
CLOCKS = {signal.ITIMER_PROF: signal.SIGPROF, signal.ITIMER_REAL: signal.SIGALRM}

lines = None
results = {}
settings.register_profile(
    "mutants", max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)


class TooLongError(BaseException):
    """A test takes too long. Hypothesis would search for a smaller example if this were an Exception."""


def late(signum, frame):
    raise TooLongError(f"not done after {LIMIT} s")


@contextmanager
def in_time():
    limits = {signal.ITIMER_PROF: LIMIT, signal.ITIMER_REAL: 6 * LIMIT}  # other processes may use the CPU meanwhile
    for clock, seconds in limits.items():
        signal.signal(CLOCKS[clock], late)
        signal.setitimer(clock, seconds, LIMIT)  # again and again, for whoever catches it
    try:
        yield
    finally:
        for clock in limits:
            signal.setitimer(clock, 0)


if RECORD:  # from here on, before anything imports the package
    lines = coverage.Coverage(
        data_file=f"{RECORD}/lines", data_suffix=True, source=[str(Path.cwd() / "tinynet_fast")], config_file=False
    )
    lines.set_option("run:disable_warnings", ["no-data-collected"])  # in a process that only hands out tests
    lines.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    if lines:
        lines.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        if lines:
            lines.switch_context("")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    with in_time():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    with in_time():
        return (yield)


def pytest_runtest_logreport(report):
    passed, seconds = results.get(report.nodeid, (True, 0.0))
    skipped = report.skipped or hasattr(report, "wasxfail")
    results[report.nodeid] = (passed and report.passed and not skipped, seconds + report.duration)


def pytest_collection_modifyitems(items):
    if TESTS:
        place = {name: k for k, name in enumerate(json.loads(Path(TESTS).read_text()))}
        items[:] = sorted((item for item in items if item.nodeid in place), key=lambda item: place[item.nodeid])


def pytest_sessionfinish(session):
    if not RECORD:
        return
    lines.stop()
    lines.save()
    if not hasattr(session.config, "workerinput"):  # the process that has the reports of all
        passed = {name: seconds for name, (passed, seconds) in results.items() if passed}
        Path(RECORD, "tests.json").write_text(json.dumps(passed))
