"""Numbers on Spark: frames and files, one target or several, and predictions beside the rows."""

import numpy as np
import pytest
from shard_cluster import ON_A_CLUSTER, LocalShards, need_spark, same, spark_session

import tinynet_fast

need_spark()
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
from pyspark.sql import functions as f  # noqa: E402

from tinynet_fast import spark as on_spark  # noqa: E402
from tinynet_fast.cluster.train import neuron  # noqa: E402

pytestmark = ON_A_CLUSTER
draw = np.random.default_rng(5)
X = draw.normal(size=(1200, 3))
PAIRS = X @ draw.normal(size=(3, 2)) + draw.normal(size=(1200, 2))
NAMES = ["a", "b", "c"]
FRAME = pd.DataFrame(X, columns=NAMES).assign(price=PAIRS[:, 0], rent=PAIRS[:, 1])
LINEAR = {"output": "linear", "learning_rate": 0.01}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    spark = spark_session("local[2]", {"spark.local.dir": str(tmp_path_factory.mktemp("spark"))})
    yield spark
    spark.stop()


def rows_of(session, folder, *frames):
    """A frame with a partition for each of these, which are files in the folder."""
    whole = None
    for i, frame in enumerate(frames):
        frame.to_parquet(folder / f"{i}.parquet", index=False)
        part = session.read.parquet(str(folder / f"{i}.parquet"))
        whole = part if whole is None else whole.union(part)
    return whole


@pytest.mark.parametrize("y", ["price", ["rent", "price"]], ids=str)
def test_columns_of_frames_and_of_files(session, tmp_path, y):
    rows = rows_of(session, tmp_path, FRAME[:500], FRAME[500:])
    ref = tinynet_fast.train_neuron(FRAME, y, epochs=1, **LINEAR)
    average = {"mode": "average", "syncs": 3, "standardize_y": True, **LINEAR}
    names = [y] if isinstance(y, str) else y
    numbers = FRAME[y].to_numpy()
    inputs = FRAME[[name for name in FRAME if name not in names]].to_numpy()
    merged = neuron(LocalShards(inputs, numbers, [500], numbers=True), **average)
    for source in (rows, tmp_path):
        comp = on_spark.train_neuron(source, y, **LINEAR)
        same(comp, ref)
        assert (comp.model.features, comp.model.targets) == (ref.model.features, names)
        same(on_spark.train_neuron(source, y, **average), merged)
    few = {"features": ["c", "a"], "standardize": True, "standardize_y": True, **LINEAR}
    same(on_spark.train_neuron(rows, y, **few), tinynet_fast.train_neuron(FRAME, y, epochs=1, **few))
    options = {"output": "linear", "seed": 0, "batch_size": 16}
    ref = tinynet_fast.train_mlp(FRAME, y, epochs=1, **options)
    same(on_spark.train_mlp(rows, y, mode="chain", **options), ref)


def test_what_is_wrong_names_the_place(session, tmp_path):
    gap, endless = FRAME[600:].copy(), FRAME[600:].copy()
    gap.iloc[70, 4] = np.nan
    endless.iloc[7, 3] = np.inf
    both = ["price", "rent"]
    for wrong, words in (
        (gap, "partition 1, row 70, column 'rent': the value is missing: fill it or drop the row$"),
        (endless, "partition 1, row 7, column 'price': inf is not finite"),
    ):
        with pytest.raises(ValueError, match=words):
            on_spark.train_neuron(rows_of(session, tmp_path, FRAME[:600], wrong), both, **LINEAR)
    rows = rows_of(session, tmp_path, FRAME)
    nulls = rows.withColumn("rent", f.when(f.col("rent") < f.lit(float(FRAME["rent"].max())), f.col("rent")))
    place = int(FRAME["rent"].argmax())
    with pytest.raises(ValueError, match=f"partition 0, row {place}, column 'rent': the value is missing"):
        on_spark.train_neuron(nulls, both, **LINEAR)
    with pytest.raises(ValueError, match="column 'rent': the column holds string, no numbers"):
        on_spark.train_neuron(rows.withColumn("rent", f.lit("dear")), both, **LINEAR)
    with pytest.raises(ValueError, match="no column 'cost'"):
        on_spark.train_neuron(rows, ["price", "cost"], **LINEAR)
    with pytest.raises(ValueError, match=r"partition 0, row \d+, column 'rent' is -.*: loss='poisson' learns counts"):
        on_spark.train_neuron(rows, "rent", loss="poisson", **LINEAR)


def test_predictions_of_numbers(session, tmp_path):
    two = tinynet_fast.train_neuron(FRAME, ["price", "rent"], **LINEAR).model
    rows = rows_of(session, tmp_path, FRAME[:500], FRAME[500:])
    comp = on_spark.predict(two, rows).toArrow()
    assert comp.column_names == [*FRAME, "prediction_price", "prediction_rent"]
    assert comp.schema.field("prediction_rent").type == pa.float64()
    given = np.column_stack([comp[name] for name in comp.column_names[-2:]])
    np.testing.assert_array_equal(given, two.predict(X))
    single = tinynet_fast.train_neuron(FRAME[[*NAMES, "price"]], "price", **LINEAR).model
    comp = on_spark.predict(single, rows).toArrow()
    np.testing.assert_array_equal(comp["prediction"], single.predict(X))
    score = on_spark.udf(single)
    given = rows.select(score(*NAMES).alias("p")).toArrow()["p"]
    np.testing.assert_array_equal(given, single.predict(X))
    for model in (single, two):
        with pytest.raises(ValueError, match="the model predicts numbers, which have no probabilities: use predict"):
            on_spark.predict_proba(model, rows)
    with pytest.raises(ValueError, match="a column holds one number a row, and the model predicts 2 numbers: predict"):
        on_spark.udf(two)
    with pytest.raises(ValueError, match="the frame has a column 'prediction_rent' already"):
        on_spark.predict(two, rows.withColumn("prediction_rent", f.lit(1.0)))
    margin = tinynet_fast.train_neuron(X, (X[:, 0] > 0.0).astype(int), loss="hinge").model
    for function in (on_spark.udf, lambda model: on_spark.predict_proba(model, rows.select(*NAMES))):
        with pytest.raises(ValueError, match="the model was trained with loss='hinge'"):
            function(margin)
    comp = on_spark.predict(margin, rows.select(*NAMES)).toArrow()
    np.testing.assert_array_equal(comp["prediction"], margin.predict(X))
