"""A real Dask cluster: chains in segments, and small partitions that are one task."""

import threading
from itertools import pairwise

import numpy as np
from compare import distance, flat
from segment_runs import settings_of
from shard_cluster import ON_A_CLUSTER, LocalShards, dask_modules, same
from test_dask import CUTS, ROWS, Y, arrays, kill_while_training, workers

import tinynet_fast

distributed, _, dd, pd = dask_modules()
from tinynet_fast import dask as on_dask  # noqa: E402
from tinynet_fast.cluster import dask_shards, segments  # noqa: E402
from tinynet_fast.cluster.train import neuron  # noqa: E402

pytestmark = ON_A_CLUSTER
SEGMENTS = {"LEAST_ROWS": 256, "MEASURED": 0.2, "LEAST_SEGMENTS": 2}


def test_a_chain_in_segments_does_not_depend_on_the_workers(client, tmp_path):
    """The bits of shards that are in this process, for persisted parts and for files, with any number of workers."""
    X, y, cuts = np.tile(ROWS.X, (3, 1)), np.tile(Y, 3), tuple(3 * n for n in CUTS)
    options, edges = {"learning_rate": 0.15, "epochs": 2}, np.cumsum(cuts)[:-1].tolist()
    table = pd.DataFrame(X, columns=[f"x{j}" for j in range(8)]).assign(y=y)
    for i, (low, high) in enumerate(pairwise([0, *edges, len(y)])):
        table[low:high].to_parquet(tmp_path / f"part{i}.parquet", row_group_size=1000, index=False)
    strict = tinynet_fast.train_neuron(X, y, engine="strict", **options)
    with settings_of(segments, **SEGMENTS):
        ref = neuron(LocalShards(X, y, edges), **options)
        assert distance(flat(ref.model), flat(strict.model)) <= 1e-12
        assert ref.certificate.segments == 10
        for n in (1, 2, 3):
            workers(client, n)
            frame = dd.read_parquet(tmp_path).persist()
            for given in (client.persist(list(arrays(cuts, X, y))), (f"{tmp_path}/*.parquet", "y"), (frame, "y")):
                comp = on_dask.train_neuron(*given, client=client, **options)
                same(comp, ref)
                np.testing.assert_array_equal(comp.loss_history, ref.loss_history)
                assert comp.certificate == ref.certificate
    workers(client, 2)


def test_a_collection_that_is_not_persisted_is_trained_in_turn(client):
    with settings_of(segments, **SEGMENTS):
        result = on_dask.train_neuron(*arrays(), client=client)
    assert result.certificate is None
    same(result, tinynet_fast.train_neuron(ROWS.X, Y, epochs=1))


def test_workers_killed_while_segments_are_trained(client):
    cuts, options, killed = (150_000,) * 4, {"learning_rate": 0.15, "epochs": 16}, []
    workers(client, 2)
    X, y = np.tile(ROWS.X, (10, 1)), np.tile(Y, 10)
    ref = neuron(LocalShards(X, y, np.cumsum(cuts)[:-1].tolist()), **options)
    assert ref.certificate.segments == 4 * 16
    shards = client.persist(list(arrays(cuts, X, y)))
    with distributed.Client(client.scheduler.address) as other:
        thread = threading.Thread(target=kill_while_training, args=(other, 1, killed))
        thread.start()
        comp = on_dask.train_neuron(*shards, client=client, **options)
        thread.join(20)
    assert len(killed) == 1
    same(comp, ref)


def test_small_partitions_are_one_task(client):
    """A partition in a chain takes less than 10 ms here; a task for each took 36 to 88."""
    cuts = (100,) * 200
    shards = arrays(cuts, ROWS.X[:20_000], Y[:20_000])
    ref = tinynet_fast.train_neuron(ROWS.X[:20_000], Y[:20_000], epochs=1)
    for given in (shards, client.persist(list(shards))):
        cluster = dask_shards.dask_cluster(*given, client, None, None)
        calls, one = [], cluster.one
        cluster.one = lambda task, group, after=(), one=one, calls=calls: calls.append(len(group)) or one(task, group)
        same(neuron(cluster), ref)
        assert calls == [200]
