"""Real Spark: threads of one process, and worker processes as on a cluster. Every test ends, or fails, in time."""

import os
import signal
import subprocess
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from segment_runs import settings_of
from shard_cluster import ON_A_CLUSTER, LocalShards, need_spark, same, spark_session

import tinynet_fast
from tinynet_fast.cluster import segments
from tinynet_fast.cluster.tasks import LabelsTask, Share
from tinynet_fast.cluster.train import neuron
from tinynet_fast.rows.datasets import make_pass_fail

need_spark()
import pyarrow as pa  # noqa: E402
from pyarrow import parquet  # noqa: E402

from tinynet_fast import spark as on_spark  # noqa: E402

pytestmark = ON_A_CLUSTER
ROWS = make_pass_fail(30_000, 4)
Y = ROWS.y.astype(np.int64)
NAMES = [f"x{j}" for j in range(4)]
CUTS = [3500, 3600, 14_000, 23_000]
MASTERS = ["local[2]", "local-cluster[2,1,1024]"]
AVERAGE = {"mode": "average", "syncs": 3, "epochs": 2, "learning_rate": 0.05, "average": True}


@pytest.fixture(scope="module", params=MASTERS)
def session(request, tmp_path_factory):
    here = os.path.dirname(__file__)
    paths = os.path.dirname(os.path.dirname(tinynet_fast.__file__)), here, os.path.dirname(here)
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    settings = {
        "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"],
        "spark.local.dir": str(tmp_path_factory.mktemp("spark")),
        "spark.sql.files.openCostInBytes": str(1 << 30),  # a partition for each file
        "spark.sql.files.maxPartitionBytes": str(1 << 30),
    }
    spark = spark_session(request.param, settings)
    yield spark
    spark.stop()


def frame(session, folder, X=ROWS.X, y=Y, cuts=CUTS):
    """A frame of one partition for each part, in order: Spark puts the largest files first."""
    table = pa.table({**{name: X[:, j] for j, name in enumerate(NAMES)}, "y": y})
    edges = [0, *cuts, len(X)]
    frames = []
    for i, (a, b) in enumerate(pairwise(edges)):
        path = folder / f"part{i}.parquet"
        parquet.write_table(table.slice(a, b - a), path)
        frames.append(session.read.parquet(str(path)))
    whole = frames[0]
    for other in frames[1:]:
        whole = whole.union(other)
    return whole


def test_chain_and_average_are_the_bits_of_everywhere(session, tmp_path):
    rows = frame(session, tmp_path)
    assert rows.rdd.getNumPartitions() == 5
    same(on_spark.train_neuron(rows, "y"), tinynet_fast.train_neuron(ROWS.X, Y, epochs=1))
    ref = neuron(LocalShards(ROWS.X, Y, CUTS), **AVERAGE)
    comp = on_spark.train_neuron(rows, "y", **AVERAGE)
    same(comp, ref)
    assert comp.model.features == NAMES
    files = [str(tmp_path / f"part{i}.parquet") for i in range(5)]
    same(on_spark.train_neuron(files, "y"), tinynet_fast.train_neuron(ROWS.X, Y, epochs=1))
    same(on_spark.train_neuron(f"{tmp_path}/*.parquet", "y", **AVERAGE), ref)


def test_a_chain_in_segments_has_the_bits_of_everywhere(session, tmp_path):
    """Also of small files, which one task reads in turn. A task has only one partition of a frame."""
    options = {"learning_rate": 0.25, "epochs": 2}
    with settings_of(segments, LEAST_ROWS=256, MEASURED=0.2, LEAST_SEGMENTS=2):
        for cuts in ([10_000, 20_000], [10_000, 10_100, 20_000, 20_030]):
            rows = frame(session, tmp_path, cuts=cuts)
            ref = neuron(LocalShards(ROWS.X, Y, cuts), **options)
            assert ref.certificate.segments == 6
            files = [str(tmp_path / f"part{i}.parquet") for i in range(len(cuts) + 1)]
            for given in (files, rows.cache()) if len(cuts) == 2 else (files,):
                comp = on_spark.train_neuron(given, "y", **options)
                same(comp, ref)
                assert comp.certificate == ref.certificate
        in_turn = on_spark.train_neuron(rows, "y", **options)
    assert in_turn.certificate is None
    same(in_turn, tinynet_fast.train_neuron(ROWS.X, Y, **options))


def test_predictions_stay_in_the_frame(session, tmp_path):
    rows = frame(session, tmp_path)
    model = tinynet_fast.Neuron(weights=[0.5, -1.0, 2.0, 0.1], bias=0.3, features=NAMES, labels=np.array(["no", "yes"]))
    scored = on_spark.predict(model, on_spark.predict_proba(model, rows))
    assert scored.columns == [*NAMES, "y", "probability", "prediction"]
    table = scored.toArrow()
    np.testing.assert_allclose(table["probability"].to_numpy(), model.predict_proba(ROWS.X), rtol=1e-13)
    assert table["prediction"].to_pylist() == model.predict(ROWS.X).tolist()
    score = on_spark.udf(model)
    column = rows.select(score(*NAMES).alias("p")).toArrow()["p"].to_numpy()
    np.testing.assert_allclose(column, model.predict_proba(ROWS.X), rtol=1e-13)
    for labels in ([3, 7], [0.5, 1.5], [False, True]):
        model.labels = np.array(labels)
        assert on_spark.predict(model, rows).toArrow()["prediction"].to_pylist() == model.predict(ROWS.X).tolist()


def test_a_missing_input_of_a_prediction_is_named(session, tmp_path):
    X = ROWS.X.copy()
    X[14_005, 2] = np.nan
    model = tinynet_fast.Neuron(weights=[0.5, -1.0, 2.0, 0.1], bias=0.3, features=NAMES)
    rows = frame(session, tmp_path, X).coalesce(5)
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "3")  # so that it is not in the first batch
    try:
        with pytest.raises(Exception, match="partition 3, row 5, column 'x2': the value is missing") as raised:
            on_spark.predict_proba(model, rows).collect()
    finally:
        session.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert "drop_missing" not in str(raised.value)


def test_nothing_is_left_on_the_client(session, tmp_path):
    rows, folder = frame(session, tmp_path), session.sparkContext._temp_dir
    before = os.listdir(folder)
    on_spark.train_neuron(rows, "y", learning_rate="auto")
    on_spark.train_neuron(rows, "y", **AVERAGE)
    assert os.listdir(folder) == before


def test_rows_that_the_client_holds(session):
    """Spark's optimizer must not cut such rows on the client, where all of them are partition 0."""
    columns = [list(map(float, column)) for column in ROWS.X.T]
    rows = session.createDataFrame(list(zip(*columns, Y.tolist(), strict=True))[:3000], [*NAMES, "y"])
    table = session.createDataFrame(rows.toArrow())
    assert "LocalTableScan" in table._jdf.queryExecution().executedPlan().toString()
    n = [len(part) for part in table.rdd.glom().collect()]
    ref = neuron(LocalShards(ROWS.X[:3000], Y[:3000], np.cumsum(n)[:-1].tolist()), **AVERAGE)
    same(on_spark.train_neuron(table, "y", **AVERAGE), ref)


def test_empty_and_one_class_partitions(session, tmp_path):
    order = np.argsort(Y, kind="stable")
    X, y, zeros = ROWS.X[order], Y[order], int((Y == 0).sum())
    rows = frame(session, tmp_path, X, y, [100, 100, zeros])
    same(on_spark.train_neuron(rows, "y", engine="strict"), tinynet_fast.train_neuron(X, y, epochs=1, engine="strict"))
    ref = neuron(LocalShards(X, y, [100, 100, zeros]), **AVERAGE)
    same(on_spark.train_neuron(rows, "y", **AVERAGE), ref)


def test_nan_is_named(session, tmp_path):
    X = ROWS.X.copy()
    X[3605, 2] = np.nan
    with pytest.raises(ValueError, match=r"partition 2, row 5, column 'x2': the value is missing: .*drop the row$"):
        on_spark.train_neuron(frame(session, tmp_path, X), "y")


def test_a_missing_label_is_named(session, tmp_path):
    rows = frame(session, tmp_path)
    longest = f"(select max(x0) from parquet.`{tmp_path}/part2.parquet`)"
    rows = rows.selectExpr(*NAMES, f"if(x0 = {longest}, null, y) y")
    shard = int(np.argmax(ROWS.X[3600:14_000, 0]))
    with pytest.raises(ValueError, match=f"partition 2, row {shard}, column 'y': the value is missing"):
        on_spark.train_neuron(rows, "y")


def test_columns_of_any_type_and_name(session, tmp_path):
    """Inputs of double or float come as one list a row; a dot in a name does not mean a field."""
    rows = frame(session, tmp_path)
    whole = np.round(ROWS.X * 10.0)
    mixed = rows.selectExpr("cast(round(x0 * 10) as int) as `a.b`", "cast(x1 as float) x1", "x2", "y as `la.bel`")
    X = np.column_stack([whole[:, 0], ROWS.X[:, 1].astype(np.float32), ROWS.X[:, 2]])
    comp = on_spark.train_neuron(mixed, "la.bel")
    same(comp, tinynet_fast.train_neuron(X, Y, epochs=1))
    assert comp.model.features == ["a.b", "x1", "x2"]
    floats = rows.selectExpr("cast(x0 as float) as `a.b`", "cast(x1 as float) x1", "y as `la.bel`")
    ref = tinynet_fast.train_neuron(ROWS.X[:, :2].astype(np.float32), Y, epochs=1)
    same(on_spark.train_neuron(floats, "la.bel"), ref)
    hole = rows.selectExpr("x0", "if(monotonically_increasing_id() = 5, null, x1) `x.1`", "y")
    with pytest.raises(ValueError, match=r"partition 0, row 5, column 'x\.1': the value is missing"):
        on_spark.train_neuron(hole, "y")


def processes(batches):
    for _ in batches:
        pass
    yield pa.RecordBatch.from_pydict({"process": pa.array([os.getpid()])})


def test_python_processes_are_kept(session, tmp_path):
    """If a task leaves rows unread, Spark ends its process, and the next task waits a second for a new one."""
    frame(session, tmp_path)
    numbers = session.range(0, 8, 1, 2)
    before = {row["process"] for row in numbers.mapInArrow(processes, "process bigint").collect()}
    on_spark.train_neuron(f"{tmp_path}/*.parquet", "y", **AVERAGE | {"learning_rate": "auto"})
    after = {row["process"] for row in numbers.mapInArrow(processes, "process bigint").collect()}
    assert before & after


def test_sweep_network_and_standardised(session, tmp_path):
    rows = frame(session, tmp_path).cache()
    ref = neuron(LocalShards(ROWS.X, Y, CUTS), mode="average", standardize=True, learning_rate="auto")
    same(on_spark.train_neuron(rows, "y", mode="average", standardize=True, learning_rate="auto"), ref)
    found = on_spark.sweep(rows, "y", learning_rate=[0.01, 0.1], folds=2)
    assert np.isfinite(found.held_out_loss[found.fold >= 0]).all()
    network = on_spark.train_mlp(rows, "y", syncs=2, seed=1, learning_rate=0.5)
    assert network.model.loss(ROWS.X, Y) < 0.6


def test_what_is_refused(session, tmp_path):
    rows = frame(session, tmp_path)
    with pytest.raises(ValueError, match="a Spark frame or paths"):
        on_spark.train_neuron(ROWS.X, "y")
    with pytest.raises(ValueError, match="no column 'z'"):
        on_spark.train_neuron(rows, "z")
    with pytest.raises(ValueError, match="shuffle is not for rows on a cluster"):
        on_spark.train_neuron(rows, "y", shuffle=True)
    with pytest.raises(ValueError, match=r"column 'y': it holds list<.*>: use numbers, booleans or text"):
        on_spark.train_neuron(rows.selectExpr("x0", "array(y) y"), "y")
    three = tinynet_fast.MLP(weights=[np.ones((4, 3))], biases=[np.zeros(3)], labels=np.arange(3))
    with pytest.raises(ValueError, match="the model knows 3 labels: predict"):
        on_spark.udf(three)


def test_a_partition_that_is_gone(session, tmp_path):
    """If Spark cuts a frame anew for each pass, a chain may reach a partition that no longer exists."""
    cluster = on_spark.SparkShards(frame(session, tmp_path), "y", None)
    with pytest.raises(ValueError, match="partition 9: it is no longer there: cache the frame"):
        cluster.one(LabelsTask(), [Share(9, 0, 5)])


def test_a_killed_executor(session, tmp_path):
    """Spark starts a new executor and repeats its tasks. (Threads of one process have no executor to lose.)"""
    if session.sparkContext.master.startswith("local["):
        pytest.skip("no executor process in this mode")
    rows = frame(session, tmp_path)
    options = {"mode": "average", "engine": "reference", "epochs": 6}
    killed = []

    def kill():
        time.sleep(1.5)
        found = subprocess.run(
            ["pgrep", "-f", "-P", str(os.getpid()), "java"], capture_output=True, text=True
        ).stdout.split()
        tree = (
            found and subprocess.run(["pgrep", "-P", found[0], "java"], capture_output=True, text=True).stdout.split()
        )
        if tree:
            os.kill(int(tree[0]), signal.SIGKILL)
            killed.append(tree[0])

    thread = threading.Thread(target=kill)
    thread.start()
    comp = on_spark.train_neuron(rows, "y", **options)
    thread.join()
    assert killed
    same(comp, neuron(LocalShards(ROWS.X, Y, CUTS), mode="average", engine="strict", epochs=6))
