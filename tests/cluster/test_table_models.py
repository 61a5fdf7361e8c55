"""Models of a person's table on Dask and Spark: raw columns by name, with texts and gaps."""

import numpy as np
import pytest
from shard_cluster import ON_A_CLUSTER, dask_modules, need_spark, spark_session

from tinynet_fast import train
from tinynet_fast.tables.sample import NAMES, students

distributed, da, dd, pd = dask_modules()
need_spark()
pytestmark = ON_A_CLUSTER

ROWS = students()
FRAME = pd.DataFrame({name: [row[j] or None for row in ROWS] for j, name in enumerate(NAMES)})
FRAME["study_hours"] = FRAME["study_hours"].astype(float)
FRAME["sleep"] = FRAME["sleep"].astype(float)


@pytest.fixture(scope="module")
def model():
    return train(FRAME, "result", learning_rate=0.05, epochs=3, l2=0.001, validation=0).model


def test_dask(model):
    from tinynet_fast import dask as on_dask

    frame = dd.from_pandas(FRAME[[*reversed(NAMES)]], npartitions=3)
    np.testing.assert_allclose(on_dask.predict_proba(model, frame).compute(), model.predict_proba(FRAME), rtol=1e-13)
    assert on_dask.predict(model, frame).compute().tolist() == model.predict(FRAME).tolist()
    with pytest.raises(ValueError, match="the frame has no column 'sleep', which the model has"):
        on_dask.predict(model, frame.drop(columns=["sleep"]))


@pytest.fixture(scope="module")
def session():
    spark = spark_session("local[2]", {})
    yield spark
    spark.stop()


def test_spark(model, session):
    from tinynet_fast import spark as on_spark

    frame = session.createDataFrame(FRAME.astype(object).where(FRAME.notna(), None))
    probability = model.predict_proba(FRAME)
    found = on_spark.predict_proba(model, frame).toPandas()["probability"].to_numpy()
    np.testing.assert_allclose(np.sort(found), np.sort(probability), rtol=1e-13)
    score = on_spark.udf(model)
    column = score(*(frame[name] for name in model.columns.names)).alias("p")
    found = frame.select(column).toPandas()["p"].to_numpy()
    np.testing.assert_allclose(np.sort(found), np.sort(probability), rtol=1e-13)
    assert sorted(row["prediction"] for row in on_spark.predict(model, frame).collect()) == sorted(model.predict(FRAME))
    strange = session.createDataFrame([("x", 7.0, "80%", "East", "no")], list(NAMES[:-1]))
    with pytest.raises(Exception, match=r"partition \d+, row 0, column 'study_hours': 'x' is not a number"):
        on_spark.predict(model, strange).collect()
