"""A real Dask cluster: worker processes of their own, some of which are killed. Every test ends, or fails, in time."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from compare import parameters
from shard_cluster import ON_A_CLUSTER, dask_modules, same

import tinynet_fast
from tinynet_fast.rows.datasets import make_pass_fail

distributed, da, dd, pd = dask_modules()
from tinynet_fast import dask as on_dask  # noqa: E402
from tinynet_fast.cluster import dask_shards  # noqa: E402

pytestmark = ON_A_CLUSTER
ROWS = make_pass_fail(60_000, 8)
Y = ROWS.y.astype(np.int64)
CUTS = (7000, 100, 9000, 0, 20_000, 13_900, 10_000)  # rows of shards: unequal, and one has none


def workers(client, n):
    client.cluster.scale(n)
    deadline = time.monotonic() + 40
    while len(client.nthreads()) != n:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def arrays(cuts=CUTS, X=ROWS.X, y=Y):
    return da.from_array(X, chunks=(cuts, X.shape[1])), da.from_array(y, chunks=(cuts,))


AVERAGE = {"mode": "average", "syncs": 3, "epochs": 2, "learning_rate": 0.05, "average": True}


@pytest.fixture(scope="module")
def average():
    """The parameters that one worker alone finds."""
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster,
        distributed.Client(cluster) as client,
    ):
        return on_dask.train_neuron(*arrays(), client=client, **AVERAGE)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_any_number_of_workers(client, average, n):
    workers(client, n)
    for options in ({"epochs": 2}, {"engine": "strict", "schedule": "invscaling"}, {"learning_rate": 90.0}):
        ref = tinynet_fast.train_neuron(ROWS.X, Y, **{"epochs": 1, **options})
        comp = on_dask.train_neuron(*arrays(), client=client, **options)
        same(comp, ref)
        assert comp.engine == ref.engine.partition("/")[0]
    same(on_dask.train_neuron(*arrays(), client=client, **AVERAGE), average)
    workers(client, 2)


def kill_while_training(client, times, killed):
    """SIGKILL a worker in the middle of a shard, several times. (The cluster starts new workers instead.)"""
    while len(killed) < times:
        busy = {address for address, keys in client.processing().items() if keys}
        time.sleep(0.1)
        busy &= {address for address, keys in client.processing().items() if keys}
        if busy:
            address = min(busy)
            pid = client.run(os.getpid, workers=[address], on_error="ignore").get(address)
            if pid is not None and pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)


@pytest.mark.parametrize("options", [{"mode": "average", "epochs": 2}, {"mode": "chain"}])
@pytest.mark.parametrize("times", [1, 2])
def test_workers_killed_in_the_middle_of_a_shard(client, options, times):
    """The reference takes a second a shard. It has the bits of `strict`, which runs without kills."""
    workers(client, 2)
    shards = arrays((150_000,) * 2, np.tile(ROWS.X, (5, 1)), np.tile(Y, 5))
    ref, killed = on_dask.train_neuron(*shards, client=client, engine="strict", **options), []
    with distributed.Client(client.scheduler.address) as other:
        thread = threading.Thread(target=kill_while_training, args=(other, times, killed))
        thread.start()
        comp = on_dask.train_neuron(*shards, client=client, engine="reference", **options)
        thread.join(20)
    assert len(killed) == times
    same(comp, ref)


def test_a_worker_that_joins_late(client, average):
    workers(client, 1)
    timer = threading.Timer(0.2, client.cluster.scale, (3,))
    timer.start()
    comp = on_dask.train_neuron(*arrays(), client=client, **AVERAGE)
    timer.join()
    same(comp, average)
    workers(client, 2)


def test_two_jobs_at_once(client, average):
    answers = {}

    def train(name):
        with distributed.Client(client.scheduler.address) as other:
            answers[name] = on_dask.train_neuron(*arrays(), client=other, **AVERAGE)

    threads = [threading.Thread(target=train, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    same(answers["a"], average)
    same(answers["b"], average)


def test_the_client_that_is_given_is_the_one_that_waits(cluster, average):
    """The client is not the default one, or there is none."""
    with distributed.Client(cluster, set_as_default=False) as client:
        same(on_dask.train_neuron(*arrays(), client=client, **AVERAGE), average)
        with distributed.LocalCluster(n_workers=0, dashboard_address=None) as other, distributed.Client(other):
            same(on_dask.train_neuron(*arrays(), client=client, **AVERAGE), average)


def test_no_worker_is_an_error_and_no_hang(monkeypatch):
    monkeypatch.setattr(dask_shards, "PATIENCE", 0.5)
    monkeypatch.setattr(dask_shards, "POLL_SECONDS", 0.2)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(TimeoutError, match="no worker for"),
    ):
        on_dask.train_neuron(*arrays(), client=client)


def timed_out(block):
    if len(block):
        raise TimeoutError("the store gave no answer")
    return block


@pytest.mark.parametrize("mode", ["chain", "average"])
def test_a_timeout_while_reading_is_an_error_and_no_hang(client, mode):
    X, y = arrays()
    with pytest.raises(TimeoutError, match="the store gave no answer"):
        on_dask.train_neuron(X.map_blocks(timed_out, dtype=float), y, client=client, mode=mode)


def slowly(block):
    time.sleep(0.7)
    return block


def no_task_is_left(client):
    deadline = time.monotonic() + 10
    while client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("mode", ["chain", "average"])
def test_nothing_is_left_on_the_cluster(client, monkeypatch, mode):
    """Nothing goes on there either while the traceback of an interrupted run is kept."""
    X, y = arrays()
    on_dask.train_neuron(X, y, client=client, mode=mode)
    assert no_task_is_left(client)
    wait, calls = distributed.wait, []

    def interrupted(futures, timeout):
        calls.append(len(futures))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return wait(futures, timeout=timeout)

    monkeypatch.setattr(distributed, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt) as kept:
        on_dask.train_neuron(X.map_blocks(slowly, dtype=float), y, client=client, mode=mode, epochs=2)
    assert no_task_is_left(client)
    assert kept.tb is not None


def test_more_workers_than_shards(client):
    workers(client, 2)
    same(
        on_dask.train_neuron(*arrays((60_000,)), client=client, mode="average"),
        tinynet_fast.train_neuron(ROWS.X, Y, epochs=1),
    )


def test_a_shard_of_one_class_and_an_empty_one(client):
    order = np.argsort(Y[:20_000], kind="stable")
    X, y = ROWS.X[:20_000][order], Y[:20_000][order]
    zeros = int((y == 0).sum())
    shards = arrays((zeros, 0, len(y) - zeros), X, y)
    same(on_dask.train_neuron(*shards, client=client), tinynet_fast.train_neuron(X, y, epochs=1))
    assert np.isfinite(parameters(on_dask.train_neuron(*shards, client=client, mode="average"))).all()
    with pytest.raises(ValueError, match="needs a partition with rows of both labels"):
        on_dask.train_neuron(*shards, client=client, learning_rate="auto")


@pytest.mark.parametrize("mode", ["chain", "average"])
def test_a_shard_with_nan_is_named(client, mode):
    X = ROWS.X.copy()
    X[7105, 3] = np.nan
    with pytest.raises(ValueError, match="partition 2, row 5, column 3: the value is missing"):
        on_dask.train_neuron(*arrays(X=X), client=client, mode=mode)


def test_labels(client):
    with pytest.raises(ValueError, match="y holds the labels 0, 1, 7"):
        on_dask.sweep(*arrays(y=np.where(np.arange(60_000) == 8000, 7, Y)), client=client)
    with pytest.raises(ValueError, match=r"partition 2, row 900: .* is 7, an unknown label"):
        on_dask.train_neuron(*arrays(y=np.where(np.arange(60_000) == 8000, 7, Y)), client=client, labels=[0, 1])
    with pytest.raises(ValueError, match="one label only"):
        on_dask.train_neuron(*arrays(y=np.zeros(60_000)), client=client)
    text = on_dask.train_neuron(*arrays(y=np.where(Y, "pass", "fail")), client=client)
    assert text.model.labels.tolist() == ["fail", "pass"]
    same(text, tinynet_fast.train_neuron(ROWS.X, Y, epochs=1))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parquet")
    low = 0
    for i, n in enumerate(n for n in CUTS if n):
        frame = pd.DataFrame(ROWS.X[low : low + n], columns=[f"x{j}" for j in range(8)])
        frame["y"] = Y[low : low + n]
        frame.to_parquet(folder / f"part{i}.parquet", row_group_size=1000)
        low += n
    return folder


def test_parquet_and_frames(client, files, average):
    ref = tinynet_fast.train_neuron(ROWS.X, Y, epochs=1)
    for X in (f"{files}/*.parquet", dd.read_parquet(files)):
        same(on_dask.train_neuron(X, "y", client=client), ref)
        comp = on_dask.train_neuron(X, "y", client=client, **AVERAGE)
        same(comp, average)
        assert comp.model.features == [f"x{j}" for j in range(8)]


def test_paths_that_are_no_text(client, files):
    ref = on_dask.train_neuron(f"{files}/*.parquet", "y", client=client)
    same(on_dask.train_neuron(files / "*.parquet", "y", client=client), ref)
    same(on_dask.train_neuron(sorted(files.glob("*.parquet")), "y", client=client), ref)


def test_other_columns_of_a_frame_do_not_travel(client):
    frame = dd.from_pandas(pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "z": "text", "y": [0, 0, 1, 1]}), npartitions=2)
    shards = dask_shards._frame(frame, "y", client, ["x"], numbers=False)
    assert [list(part.compute().columns) for (part,) in shards.data] == [["x", "y"], ["x", "y"]]
    same(
        on_dask.train_neuron(frame, "y", client=client, features=["x"]),
        tinynet_fast.train_neuron([1, 2, 3, 4], [0, 0, 1, 1], epochs=1),
    )


def test_a_missing_label_is_named(client, tmp_path):
    frame = pd.DataFrame(ROWS.X[:100], columns=[f"x{j}" for j in range(8)])
    frame["y"] = pd.array(Y[:100], dtype="Int64")
    frame.loc[60, "y"] = pd.NA
    frame.to_parquet(tmp_path / "part.parquet")
    with pytest.raises(ValueError, match="partition 1, row 10, column 'y': the value is missing"):
        on_dask.train_neuron(dd.from_pandas(frame, npartitions=2), "y", client=client)
    with pytest.raises(ValueError, match=r"part\.parquet, row 61, column 'y': the value is missing"):
        on_dask.train_neuron(f"{tmp_path}/*.parquet", "y", client=client)


def test_standardised_and_auto(client, files):
    ref = tinynet_fast.train_neuron(ROWS.X * 3.0 + 1.0, Y, epochs=1, standardize=True)
    shards = arrays(X=ROWS.X * 3.0 + 1.0)
    same(on_dask.train_neuron(*shards, client=client, standardize=True), ref)
    comp = on_dask.train_neuron(
        *shards, client=client, standardize=True, mode="average", learning_rate="auto", average=True, syncs=4
    )
    assert comp.rate_search.rows == 7000
    assert comp.model.loss(ROWS.X * 3.0 + 1.0, Y) < 1.001 * ref.model.loss(ROWS.X * 3.0 + 1.0, Y)


def test_sweep(client):
    options = {"learning_rate": [0.01, 0.05, 0.2], "l2": [0.0, 1e-3]}
    ref = tinynet_fast.sweep(ROWS.X, Y, **options)
    comp = on_dask.sweep(*arrays(), client=client, mode="chain", **options)
    np.testing.assert_array_equal(comp.weights, ref.weights)
    folded = on_dask.sweep(*arrays(), client=client, folds=3, **options)
    assert folded.weights.shape == (24, 8)
    assert np.isfinite(folded.held_out_loss[folded.fold >= 0]).all()
    assert folded.best_model.loss(ROWS.X, Y) < 1.05 * ref.best_model.loss(ROWS.X, Y)


def test_network(client):
    result = on_dask.train_mlp(*arrays(), client=client, hidden=(8,), syncs=16, epochs=3, seed=1, learning_rate=0.5)
    single = tinynet_fast.train_mlp(ROWS.X, Y, hidden=(8,), batch_size=32, epochs=3, seed=1, learning_rate=0.5)
    assert result.model.loss(ROWS.X, Y) < 1.02 * single.model.loss(ROWS.X, Y)


def test_prediction_is_lazy_and_stays_on_the_workers(client, files, average):
    model = average.model
    X, _ = arrays()
    lazy = on_dask.predict_proba(model, X)
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute(), model.predict_proba(ROWS.X), rtol=1e-13)
    frame = dd.read_parquet(files)
    model.features = [f"x{j}" for j in range(8)]
    np.testing.assert_array_equal(on_dask.predict(model, frame).compute().to_numpy(), model.predict(ROWS.X))


def test_a_row_that_cannot_be_predicted_is_named(client):
    X = ROWS.X.copy()
    X[30_003, 1] = np.nan
    rows, model = da.from_array(X, chunks=(30_000, -1)), tinynet_fast.Neuron(weights=np.ones(8), bias=0.0)
    with pytest.raises(ValueError, match=r"partition 1: X\[3, 1\]"):
        on_dask.predict(model, rows).compute()
    frame = dd.from_dask_array(rows, columns=[f"x{j}" for j in range(8)])
    with pytest.raises(ValueError, match=r"partition 1: X\[3, 'x1'\]"):
        on_dask.predict_proba(model, frame).compute()


def test_an_asynchronous_client_is_refused(client):
    async def asked():
        async with distributed.Client(client.scheduler.address, asynchronous=True, set_as_default=False) as other:
            on_dask.train_neuron(*arrays(), client=other)

    with pytest.raises(ValueError, match="the client is asynchronous, and training waits"):
        asyncio.run(asked())


def test_what_is_refused(client):
    shards = arrays()
    for options, words in (
        ({"shuffle": True}, "shuffle is not for rows on a cluster"),
        ({"sample_weight": 1}, "sample_weight is not"),
        ({"mode": "ring"}, "no mode 'ring'"),
        ({"syncs": 4}, "use mode='average'"),
        ({"mode": "average", "l1": 0.1}, "use mode='chain'"),
        ({"validation": 0.1}, "pass \\(X, y\\)"),
    ):
        with pytest.raises(ValueError, match=words):
            on_dask.train_neuron(*shards, client=client, **options)
    with pytest.raises(ValueError, match="a dask array, a dask frame or paths"):
        on_dask.train_neuron(ROWS.X, Y, client=client)
    with pytest.raises(ValueError, match=r"y is a Series.*y\.to_dask_array\(\)"):
        on_dask.train_neuron(shards[0], dd.from_pandas(pd.Series(Y), npartitions=7), client=client)
    with pytest.raises(ValueError, match=r"a column 0 whose name is not text: frame\.rename\(columns=str\)"):
        on_dask.train_neuron(dd.from_pandas(pd.DataFrame(ROWS.X).assign(y=Y), npartitions=2), "y", client=client)
    with pytest.raises(ValueError, match="storage_options are for paths"):
        on_dask.train_neuron(*shards, client=client, storage_options={"anon": True})
    with pytest.raises(TypeError, match="no option 'speed'"):
        on_dask.train_neuron(*shards, client=client, speed=1)


def test_the_benchmark_runs(tmp_path):
    """On a few rows: two clusters, a sync's cost, files."""
    script, results = Path(__file__).parents[2] / "bench" / "cluster.py", tmp_path / "results.json"
    options = ["--rows", "8000", "--rounds", "1", "--only", "throughput", "chain", "parquet", "--json", str(results)]
    done = subprocess.run([sys.executable, str(script), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(results.read_text(encoding="utf-8"))
    assert set(found["throughput"]["seconds"]) == {"1", "4", "64"}
    assert found["chain"]["off_one_machine"] <= 1e-12
    assert found["parquet"]["core_ns_a_row"] > 0.0
