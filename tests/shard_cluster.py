"""A cluster without one: shards are arrays of this process, and what would travel is packed all the same."""

import os
import pickle
import shutil
import sys
from itertools import pairwise

import numpy as np
import pytest
from compare import parameters

from tinynet_fast.cluster.readers import ArrayNumbers, ArrayReader, array_labels
from tinynet_fast.cluster.state import pack, unpack
from tinynet_fast.cluster.tasks import Share, in_turn, work

# A real cluster must not hang, and libraries that are not ours may warn of their own threads, files and sockets.
ON_A_CLUSTER = [pytest.mark.usefixtures("in_time"), pytest.mark.filterwarnings("ignore")]


def dask_modules():
    """`distributed`, `dask.array`, `dask.dataframe` and `pandas`; where one is missing the tests are skipped."""
    names = ("distributed", "dask.array", "dask.dataframe", "pandas")
    return [pytest.importorskip(name, reason=f"{name} is not installed") for name in names]


def need_spark():
    """Skip the tests of a module where PySpark, what it needs, or Java is missing."""
    for name in ("pyspark", "pyarrow", "pandas"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("Spark runs on Java, and there is no java on the path", allow_module_level=True)


def spark_session(master, settings=()):
    """A session on this computer, with more settings if they are given."""
    from pyspark.sql import SparkSession

    usual = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(master)
    for name, value in (usual | dict(settings)).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def same(comp, ref):
    """Bit for bit."""
    np.testing.assert_array_equal(parameters(comp), parameters(ref))


def travelled(task, blocks, share):
    task, share = pickle.loads(pickle.dumps((task, share)))
    return unpack(pack(work(task, blocks, share)))


class LocalShards:
    """Shards cut from arrays at `cuts`; `order` is the order in which they are worked on, whatever their order is.

    `numbers` says that `y` holds numbers to learn, and not labels.
    """

    names = target_names = None
    groups = divisible = True

    def __init__(self, X, y, cuts, order=None, numbers=False):
        edges = [0, *cuts, len(X)]
        self.parts = [(X[a:b], y[a:b]) for a, b in pairwise(edges)]
        self.n_features, self.order = X.shape[1], order
        self.dtype = "float32" if X.dtype == np.float32 else "float64"
        self.n_targets = 0 if not numbers else 1 if np.ndim(y) == 1 else np.shape(y)[1]

    def labels(self, task):
        read = ArrayNumbers(self.n_targets) if self.n_targets else array_labels
        return [travelled(task, read(Share(i), y), Share(i)) for i, (_, y) in enumerate(self.parts)]

    def each(self, task, groups):
        answers = {}
        for i in sorted(range(len(groups)), key=None if self.order is None else self.order):
            answers[i] = self.one(task, groups[i])
        return [answers[i] for i in range(len(groups))]

    def one(self, task, group, after=()):
        return in_turn(group, lambda share: self.do(task, share))

    def do(self, task, share):
        """Do a task on one share."""
        read = ArrayReader(self.n_features, self.dtype, self.n_targets)
        return travelled(task, read(share, *self.parts[share.shard]), share)


class CountingShards(LocalShards):
    """Counts the rows whose inputs are read."""

    read = 0

    def do(self, task, share):
        self.read += share.rows
        return super().do(task, share)
