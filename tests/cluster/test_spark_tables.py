"""Tables on Spark: names with dots, columns by name, files and their order, other and stopped sessions."""

import threading

import numpy as np
import pytest
from shard_cluster import ON_A_CLUSTER, need_spark, same, spark_session

import tinynet_fast
from tinynet_fast import TrainingWarning
from tinynet_fast.rows.datasets import make_pass_fail

need_spark()
import pandas as pd  # noqa: E402
from pyspark.sql import functions as f  # noqa: E402

from tinynet_fast import spark as on_spark  # noqa: E402

pytestmark = ON_A_CLUSTER
ROWS = make_pass_fail(600, 3)
Y = ROWS.y.astype(np.int64)
NAMES = ["a", "b", "c"]
FRAME = pd.DataFrame(ROWS.X, columns=NAMES).assign(y=Y)


@pytest.fixture(scope="module")
def session():
    session = spark_session("local[1]")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def rows(session):
    return session.createDataFrame(FRAME).coalesce(1).cache()


@pytest.fixture(scope="module")
def model():
    return tinynet_fast.train_neuron(FRAME[NAMES], Y).model


def test_names_with_dots_and_backticks(rows):
    odd = rows.toDF("a.x", "b`q", "c d", "y.")
    result = on_spark.train_neuron(odd, "y.")
    same(result, tinynet_fast.train_neuron(ROWS.X, Y, epochs=1))
    scored = on_spark.predict(result.model, on_spark.predict_proba(result.model, odd))
    assert scored.columns == ["a.x", "b`q", "c d", "y.", "probability", "prediction"]
    table = scored.toArrow()
    np.testing.assert_allclose(table["probability"].to_numpy(), result.model.predict_proba(ROWS.X), rtol=1e-13)
    np.testing.assert_array_equal(table["prediction"].to_numpy(), result.model.predict(ROWS.X))
    np.testing.assert_array_equal(table["a.x"].to_numpy(), ROWS.X[:, 0])
    few = on_spark.train_neuron(odd, "y.", features=["b`q"], mode="average", syncs=2)
    assert few.model.features == ["b`q"]


def test_columns_of_predictions_are_found_by_name(rows, model):
    mixed = rows.select("c", f.lit("text").alias("z"), "b", "y", "a")
    table = on_spark.predict(model, mixed).toArrow()
    assert table.column_names == ["c", "z", "b", "y", "a", "prediction"]
    np.testing.assert_array_equal(table["prediction"].to_numpy(), model.predict(ROWS.X))
    renamed = on_spark.predict(model, rows.toDF("p", "q", "r", "y"), features=["p", "q", "r"]).toArrow()
    np.testing.assert_array_equal(renamed["prediction"].to_numpy(), model.predict(ROWS.X))


def test_files_in_natural_order_and_folders_that_are_columns(session, tmp_path):
    years = np.repeat([2019, 2020, 2021], 200)
    for i, part in enumerate(np.split(np.arange(600), 12)):
        folder = tmp_path / f"year={years[part[0]]}"
        folder.mkdir(exist_ok=True)
        table = FRAME.iloc[part].set_index(pd.Index(-part, name="customer"))  # an index, not an input
        table.to_parquet(folder / f"part.{i}.parquet")
    (tmp_path / "_SUCCESS").touch()
    FRAME[:0].to_parquet(tmp_path / "year=2019/part.99.parquet")
    options = {"learning_rate": 1e-7, "epochs": 2}
    ref = tinynet_fast.train_neuron(np.column_stack([ROWS.X, years]), Y, **options)
    comp = on_spark.train_neuron(tmp_path, "y", **options)
    same(comp, ref)
    assert comp.model.features == [*NAMES, "year"]
    read = session.read.parquet(str(tmp_path)).drop("customer")
    predicted = on_spark.predict_proba(comp.model, read).toArrow()
    assert predicted.column_names == [*NAMES, "y", "year", "probability"]


def test_an_index_that_pandas_wrote_is_no_input(session, tmp_path):
    FRAME.set_index(np.random.default_rng(0).permutation(600)).to_parquet(tmp_path / "a.parquet")
    read = session.read.parquet(str(tmp_path / "a.parquet"))
    assert "__index_level_0__" in read.columns
    assert on_spark.train_neuron(read, "y").model.features == NAMES
    unnamed = tinynet_fast.train_neuron(ROWS.X, Y).model
    predicted = on_spark.predict(unnamed, read.drop("y")).toArrow()["prediction"].to_numpy()
    np.testing.assert_array_equal(predicted, unnamed.predict(ROWS.X))


@pytest.mark.filterwarnings("always")
def test_a_column_that_counts_the_rows_is_named(session):
    rows = session.createDataFrame(FRAME.assign(id=np.arange(600))).coalesce(1)
    with pytest.warns(TrainingWarning, match=r"the input 'id' looks like a row number.*features \(a, b, c\)"):
        on_spark.train_neuron(rows, "y", standardize=True)


def in_another_thread(call):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    thread.join(100)
    return answers[0]


def test_paths_from_another_thread(session, tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet", index=False)
    comp = in_another_thread(lambda: on_spark.train_neuron(tmp_path / "a.parquet", "y"))
    same(comp, tinynet_fast.train_neuron(ROWS.X, Y, epochs=1))


def test_validation_is_found_by_name(rows):
    ref = on_spark.train_neuron(rows, "y", validation=(ROWS.X, Y)).validation_loss_history
    for X in (FRAME[["c", "b", "a"]], FRAME):
        np.testing.assert_array_equal(on_spark.train_neuron(rows, "y", validation=(X, Y)).validation_loss_history, ref)


def test_columns_that_spark_does_not_turn_into_arrow(rows):
    times = rows.withColumn("at", f.current_timestamp()).withColumn("months", f.expr("interval 1 month"))
    ref = tinynet_fast.train_neuron(ROWS.X, Y, epochs=1)
    same(on_spark.train_neuron(times, "y", features=NAMES), ref)
    with pytest.raises(ValueError, match=r"column 'at': the column holds timestamp.*, no numbers"):
        on_spark.train_neuron(times.drop("months"), "y")
    with pytest.raises(ValueError, match="column 'months': the column holds interval month, no numbers"):
        on_spark.train_neuron(times, "y", features=["a", "months"])
    with pytest.raises(ValueError, match="column 'months': it holds interval month: use numbers or text"):
        on_spark.train_neuron(times, "months", features=["a"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m, d: on_spark.predict(m, d.drop("b")),
            "the frame has no column 'b', which the model has; it has a, c",
        ),
        (lambda m, d: on_spark.predict(m, d.select("a", "b", "c", "c")), "several columns named 'c'"),
        (lambda m, d: on_spark.predict(m, d.select("a", "b", "c", "y", "y")), "several columns named 'y'"),
        (lambda m, d: on_spark.predict(m, FRAME), "frame is a DataFrame; a Spark frame is needed"),
        (lambda m, d: on_spark.predict(m, "rows.parquet"), "frame is a str; a Spark frame is needed"),
        (lambda m, d: on_spark.predict("model.json", d), "model is a str; a Neuron or an MLP"),
        (lambda m, d: on_spark.udf(None), "model is a NoneType"),
        (lambda m, d: on_spark.predict(m, d, features="abc"), "features: a list of column names"),
        (lambda m, d: on_spark.predict(m, d, features=["a"]), "the frame has 1 columns where the model has 3 inputs"),
        (lambda m, d: on_spark.predict(m, d, features=["a", "b", "z"]), "the frame has no column 'z'; it has a, b, c"),
        (lambda m, d: on_spark.train_neuron(d, "y", features="a"), "features: a list of column names"),
        (lambda m, d: on_spark.train_neuron(d, "y", features=[d.a]), "features: a list of column names"),
        (lambda m, d: on_spark.train_neuron(d, d.y), "y is a Column; for a frame it is the name"),
    ],
)
def test_mistakes_are_named(rows, model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model, rows)


def test_a_session_that_was_stopped(session, rows, model, tmp_path):
    """The last test of this file: it stops the session."""
    FRAME.to_parquet(tmp_path / "a.parquet", index=False)
    session.stop()
    for call in (lambda: on_spark.train_neuron(rows, "y"), lambda: on_spark.predict(model, rows)):
        with pytest.raises(ValueError, match="the frame's Spark session was stopped: start one"):
            call()
    for call in (lambda: on_spark.train_neuron(tmp_path / "a.parquet", "y"), lambda: on_spark.udf(model)):
        with pytest.raises(ValueError, match=r"there is no Spark session|the Spark session was stopped"):
            call()
    new = spark_session("local[1]")
    try:
        with pytest.raises(ValueError, match="the frame's Spark session was stopped"):
            on_spark.train_neuron(rows, "y")
        same(on_spark.train_neuron(tmp_path / "a.parquet", "y"), tinynet_fast.train_neuron(ROWS.X, Y, epochs=1))
    finally:
        new.stop()
