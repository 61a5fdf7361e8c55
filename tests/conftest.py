"""Shared by all tests: Hypothesis profiles, the engines, the command line, and sources in small pieces."""

import gc
import os
import signal
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from tables import write

# What a shell starts in the background ignores Ctrl-C, and so would the runs that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# With all modules of tests in one process, collecting garbage as often as Python does took a tenth of their time.
gc.set_threshold(100_000, 20, 100)

# Quick by default; `pytest --hypothesis-profile=deep` looks much longer.
_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("quick", max_examples=75, derandomize=True, **_common)
settings.register_profile("few", max_examples=25, derandomize=True, **_common)
settings.register_profile("deep", max_examples=10_000, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

from tinynet_fast.kernels.compiler.jit import no_copies  # noqa: E402
from tinynet_fast.kernels.engines import ENGINES  # noqa: E402


def pytest_collection_finish():
    """What was imported is there to stay: it is never looked at again for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command line in a folder of its own; gives exit status, standard output and standard error."""
    from tinynet_fast.cli import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tinynet-fast", *map(str, arguments)])
        with pytest.raises(SystemExit) as info:
            app.main()
        captured = capsys.readouterr()
        return info.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture(autouse=True, scope="module")
def no_copies_for_kernels(request):
    """Tests of kernels compile those for rows of float32; for few rows, trainers copy them to float64."""
    with no_copies() if "kernels" in request.path.parts else nullcontext():
        yield


@pytest.fixture
def own_rows_only(monkeypatch):
    """`validate` with the rows that it is given alone: its own battery takes ten seconds, and has tests of its own."""
    monkeypatch.setattr("tinynet_fast.proof.validate.battery", lambda turns: iter(()))


@pytest.fixture
def refused(run, tmp_path):
    """Runs a command that has to fail: status 2, a line on stderr, nothing on stdout, no file written or changed."""

    def refused(*arguments):
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("tinynet-fast: ")
        assert err.count("\n") == 1
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        return err

    return refused


@pytest.fixture
def students(tmp_path):
    """Sixty rows of hours and whether they were enough, as CSV."""
    hours = np.random.default_rng(0).uniform(0, 5, 60)
    rows = [(repr(float(h)), "pass" if h > 2.5 else "fail") for h in hours]
    return write(tmp_path / "students.csv", ["study_hours", "result"], rows)


@pytest.fixture
def small(monkeypatch):
    """Chunks and pieces of a few rows, so that small data has many."""
    from tinynet_fast.rows.formats import base, records

    def cut(chunk_bytes, piece_bytes=None):
        monkeypatch.setattr(base, "CHUNK_BYTES", chunk_bytes)
        monkeypatch.setattr(records.CsvBytes.pieces, "__defaults__", (piece_bytes or chunk_bytes,))

    return cut


@pytest.fixture(params=["pyarrow", "no pyarrow"])
def maybe_pyarrow(request, monkeypatch):
    """With pyarrow, and as if it were not installed."""
    if request.param == "no pyarrow":
        from tinynet_fast.rows.formats import records

        monkeypatch.setattr(records, "has_pyarrow", lambda: False)
        monkeypatch.setattr("tinynet_fast.rows.formats.folders.has_pyarrow", lambda: False)
    else:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")


@pytest.fixture
def in_time():
    """A test that is not done after two minutes fails: a cluster must not hang."""

    def late(signum, frame):
        raise TimeoutError("not done after 120 s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def few_networks_together():
    """Sweeps train even two networks side by side, though one after the other would be faster."""
    from tinynet_fast.training import network_passes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_passes, "ALONE", 10.0)
        yield


@pytest.fixture(scope="module")
def cluster():
    """A Dask cluster of two worker processes."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.Client(cluster) as client:
        yield client
