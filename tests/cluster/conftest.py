"""A Dask cluster of worker processes, one for each module that asks for it."""

import pytest
from shard_cluster import dask_modules


@pytest.fixture(scope="module")
def cluster():
    distributed, *_ = dask_modules()
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    distributed, *_ = dask_modules()
    with distributed.Client(cluster) as client:
        yield client
