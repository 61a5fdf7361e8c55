"""Compare `tinynet_fast.spark` with Spark ML's LogisticRegression on one Spark session with two threads.

They take turns, and each trains until its log loss is within 0.1 % of the least. Also measures the time that Spark
itself needs to hand over rows, or to run an empty job.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import family  # noqa: F401 - first: it sets one thread for all libraries
from cluster_rows import FEATURES, NEAR, least_loss, write_files

from tinynet_fast import Neuron
from tinynet_fast import spark as on_spark
from tinynet_fast.rows.datasets import make_pass_fail

FILES = 4
NAMES = [f"x{j}" for j in range(FEATURES)]


def start():
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    settings = {"ui.enabled": "false", "driver.memory": "16g", "ui.showConsoleProgress": "false"}
    # One partition per file, as on a cluster. By default Spark would cut files into partitions of 128 MB.
    settings |= {"sql.files.maxPartitionBytes": str(1 << 40), "sql.files.openCostInBytes": str(1 << 40)}
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(f"spark.{name}", value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def received(batches):
    """Count the rows, on an executor, and do nothing else."""
    import pyarrow as pa

    yield pa.RecordBatch.from_pydict({"rows": pa.array([sum(batch.num_rows for batch in batches)], pa.int32())})


def seconds_of(work, turns=5):
    """The median seconds of `turns` calls, after one call that is not counted."""
    times = []
    for _ in range(turns + 1):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times[1:])


def logistic_regression(vectors, iterations):
    from pyspark.ml.classification import LogisticRegression

    model = LogisticRegression(labelCol="y", maxIter=iterations, regParam=0.0).fit(vectors)
    return Neuron(weights=model.coefficients.toArray(), bias=model.intercept)


def ours(rows, syncs):
    options = {"mode": "average", "syncs": syncs, "learning_rate": "auto", "average": True}
    return on_spark.train_neuron(rows, "y", **options).model


def against_spark(n, turns, say):
    """Measure both. Returns the results in the form in which `cluster.py` writes them."""
    from pyspark.ml.feature import VectorAssembler

    session, rows = start(), make_pass_fail(n, FEATURES)
    with tempfile.TemporaryDirectory() as folder:
        write_files(folder, rows, FILES)
        target, files = NEAR * least_loss(rows.X, rows.y), f"{folder}/*.parquet"
        frame = session.read.parquet(folder).cache()
        frame.count()
        assembler = VectorAssembler(inputCols=NAMES, outputCol="features")
        vectors = assembler.transform(frame).select("features", "y").cache()
        vectors.count()
        logistic_regression(vectors, 1)
        iterations, tries = 0, []
        while iterations < 20 and (not tries or tries[-1]["log_loss"] > target):
            iterations += 1
            began = time.perf_counter()
            model = logistic_regression(vectors, iterations)
            seconds = time.perf_counter() - began
            tries.append({"who": "Spark ML, cached vectors", "iterations": iterations, "seconds": seconds})
            tries[-1]["log_loss"] = model.loss(rows.X, rows.y)
            say(tries[-1])
        last = tries.pop()

        def from_files():
            read = assembler.transform(session.read.parquet(folder)).select("features", "y")
            return logistic_regression(read, iterations)

        contenders = {
            ("tinynet_fast, cached frame", "syncs", 1): lambda: ours(frame, 1),
            ("tinynet_fast, files", "syncs", 1): lambda: ours(files, 1),
            ("tinynet_fast, files", "syncs", 4): lambda: ours(files, 4),
            ("Spark ML, cached vectors", "iterations", iterations): lambda: logistic_regression(vectors, iterations),
            ("Spark ML, files", "iterations", iterations): from_files,
        }
        assert last["iterations"] == iterations
        times = {name: [] for name in contenders}
        models = {}
        for turn in range(turns + 1):
            for name, work in contenders.items():
                began = time.perf_counter()
                models[name] = work()
                if turn:
                    times[name].append(time.perf_counter() - began)
                say({"turn": turn, "who": name, "seconds": time.perf_counter() - began})
        for (who, what, k), seconds in times.items():
            loss = models[who, what, k].loss(rows.X, rows.y)
            tries.append({"who": who, what: k, "seconds": median(seconds), "log_loss": loss})
            say(tries[-1])
        result = {"rows": n, "target": target, "tries": tries}
        handed = seconds_of(lambda: frame.mapInArrow(received, "rows int").collect(), 3)
        numbers = session.range(0, FILES, 1, FILES).mapInArrow(received, "rows int")
        result["receive_ns_a_row"] = handed / n * 1e9
        result["empty_job_seconds"] = seconds_of(numbers.collect)
    session.stop()
    return result


def small_partitions(count=50):
    """Seconds that a nearly empty partition costs: in a chain, in an average, and for Spark alone."""
    from pyspark.sql import functions

    session = start()
    rows = session.range(0, 1000 * count, 1, count)
    frame = rows.select(
        *(functions.randn(j).alias(name) for j, name in enumerate(NAMES)),
        (functions.rand(FEATURES) > 0.5).cast("double").alias("y"),
    ).cache()
    frame.count()

    def epoch(**options):
        """Seconds of an epoch, without the pass over the labels."""
        options |= {"learning_rate": 0.01, "epochs": 4, "engine": "strict"}
        return on_spark.train_neuron(frame, "y", **options).seconds / options["epochs"]

    epoch(mode="average")  # loads the kernels
    result = {"count": count, "chain_seconds": epoch(mode="chain") / count}
    result["average_seconds"] = epoch(mode="average", average=True) / count
    numbers = session.range(0, count, 1, count).mapInArrow(received, "rows int")
    result["empty_seconds"] = seconds_of(numbers.collect) / count
    session.stop()
    return result
