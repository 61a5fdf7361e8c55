"""Tables on Dask: files and their order, columns by name, partitions that lack something. Workers are threads here."""

import numpy as np
import pytest
from shard_cluster import ON_A_CLUSTER, dask_modules, same

import tinynet_fast
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.rows.files import TableError

distributed, da, dd, pd = dask_modules()
import dask  # noqa: E402

from tinynet_fast import dask as on_dask  # noqa: E402

pytestmark = ON_A_CLUSTER
ROWS = make_pass_fail(1200, 3)
Y = ROWS.y.astype(np.int64)
FRAME = pd.DataFrame(ROWS.X, columns=["a", "b", "c"]).assign(y=Y)
AVERAGE = {"mode": "average", "syncs": 2, "epochs": 2, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def model():
    return tinynet_fast.train_neuron(FRAME[["a", "b", "c"]], Y).model


def parts(*frames, like=FRAME):
    """A frame of these partitions, without checks of what they hold."""
    return dd.from_delayed([dask.delayed(frame) for frame in frames], meta=like[:0], verify_meta=False)


@pytest.mark.parametrize("options", [{}, {"standardize": True}, AVERAGE])
def test_twelve_parts_in_one_order_by_path_as_a_frame_and_in_memory(client, tmp_path, options):
    """The frame with the index that Dask writes, which is not an input."""
    dd.from_pandas(FRAME.set_index(np.arange(1200)), npartitions=12).to_parquet(tmp_path / "rows", write_index=True)
    (tmp_path / "rows/_SUCCESS").touch()
    names = sorted(path.name for path in (tmp_path / "rows").glob("*.parquet"))
    assert names.index("part.10.parquet") < names.index("part.2.parquet")
    comp = on_dask.train_neuron(tmp_path / "rows", "y", client=client, **options)
    assert comp.model.features == ["a", "b", "c"]
    same(comp, on_dask.train_neuron(dd.read_parquet(tmp_path / "rows"), "y", client=client, **options))
    same(comp, on_dask.train_neuron(f"{tmp_path}/rows/*.parquet", "y", client=client, **options))
    if options is not AVERAGE:
        ref = tinynet_fast.train_neuron(ROWS.X, Y, epochs=1, **options)
        same(comp, ref)
        same(tinynet_fast.train_neuron(tmp_path / "rows", "y", epochs=1, **options), ref)


def test_twelve_parts_in_folders_that_are_columns(client, tmp_path):
    frame = FRAME.assign(year=np.repeat([2019, 2020, 2021], 400))
    dd.from_pandas(frame, npartitions=12, sort=False).to_parquet(tmp_path, partition_on="year", write_index=False)
    read = dd.read_parquet(tmp_path)
    options = {"learning_rate": 1e-7, "epochs": 2}
    ref = tinynet_fast.train_neuron(frame[["a", "b", "c", "year"]].to_numpy(np.float64), Y, **options)
    for X in (tmp_path, f"{tmp_path}/**/*.parquet", read):
        comp = on_dask.train_neuron(X, "y", client=client, **options)
        same(comp, ref)
        assert comp.model.features == ["a", "b", "c", "year"]
    same(tinynet_fast.train_neuron(tmp_path, "y", **options), ref)
    few = on_dask.train_neuron(tmp_path, "y", client=client, features=["year", "a"], **options)
    same(few, tinynet_fast.train_neuron(tmp_path, "y", features=["year", "a"], **options))
    labelled = {"features": ["a"], "epochs": 1, "seed": 0, "mode": "chain"}
    same(
        on_dask.train_mlp(tmp_path, "year", client=client, **labelled),
        on_dask.train_mlp(read, "year", client=client, **labelled),
    )
    predicted = on_dask.predict_proba(comp.model, read).compute().to_numpy()
    np.testing.assert_array_equal(predicted, comp.model.predict_proba(frame[["a", "b", "c", "year"]]))


def test_an_index_that_pandas_wrote(client, tmp_path):
    for i in range(2):
        part = FRAME[600 * i : 600 * i + 600].set_index(pd.Index(np.arange(600)[::-1] * 1e6, name="customer"))
        part.to_parquet(tmp_path / f"{i}.parquet")
    comp = on_dask.train_neuron(tmp_path, "y", client=client)
    assert comp.model.features == ["a", "b", "c"]
    same(comp, tinynet_fast.train_neuron(ROWS.X, Y, epochs=1))


def test_columns_of_predictions_are_found_by_name(client, model):
    ref = model.predict(ROWS.X)
    frame = dd.from_pandas(FRAME.assign(text="x")[["y", "c", "text", "b", "a"]], npartitions=3)
    np.testing.assert_array_equal(on_dask.predict(model, frame).compute(), ref)
    np.testing.assert_array_equal(on_dask.predict_proba(model, frame).compute(), model.predict_proba(ROWS.X))
    unnamed = tinynet_fast.train_neuron(ROWS.X, Y).model
    np.testing.assert_array_equal(on_dask.predict(unnamed, frame[["a", "b", "c"]]).compute(), ref)
    one = tinynet_fast.train_neuron(FRAME[["a"]], Y).model
    alone = one.predict(ROWS.X[:, 0])
    np.testing.assert_array_equal(on_dask.predict(one, frame["a"]).compute(), alone)
    np.testing.assert_array_equal(on_dask.predict(one, da.from_array(ROWS.X[:, 0], chunks=100)).compute(), alone)


def test_validation_is_found_by_name(client):
    frame = dd.from_pandas(FRAME, npartitions=3)
    ref = on_dask.train_neuron(frame, "y", client=client, validation=(ROWS.X, Y)).validation_loss_history
    for X in (FRAME[["c", "b", "a"]], FRAME.assign(other=1.0)):
        comp = on_dask.train_neuron(frame, "y", client=client, validation=(X, Y)).validation_loss_history
        np.testing.assert_array_equal(comp, ref)
    with pytest.raises(ValueError, match="validation X has no column 'b', which X has; it has a, c, y"):
        on_dask.train_neuron(frame, "y", client=client, validation=(FRAME.drop(columns="b"), Y))


def test_partitions_without_rows_need_no_columns(client, model):
    ref = tinynet_fast.train_neuron(ROWS.X, Y, epochs=1)
    nothing = pd.DataFrame()
    for frames in ([FRAME[:700], nothing, FRAME[700:]], [nothing, FRAME, nothing], [FRAME[:0], FRAME]):
        frame = parts(*frames)
        same(on_dask.train_neuron(frame, "y", client=client), ref)
        same(on_dask.train_neuron(frame, "y", client=client, standardize=True, **AVERAGE), _parted(frames))
        np.testing.assert_array_equal(on_dask.predict(model, frame).compute(), model.predict(ROWS.X))
    with pytest.raises(ValueError, match="the partitions have no rows"):
        on_dask.train_neuron(parts(nothing, FRAME[:0]), "y", client=client)


def _parted(frames):
    """The result is that of the same rows in memory: partitions without rows change nothing."""
    from shard_cluster import LocalShards

    from tinynet_fast.cluster.train import neuron

    cuts = np.cumsum([len(frame) for frame in frames if len(frame)])[:-1].tolist()
    return neuron(LocalShards(ROWS.X, Y, cuts), standardize=True, **AVERAGE)


def test_files_without_rows_are_skipped(client, tmp_path):
    FRAME[:0].to_parquet(tmp_path / "part.0.parquet", index=False)  # its columns have the type null or object
    pd.DataFrame().to_parquet(tmp_path / "part.1.parquet")
    FRAME[:500].to_parquet(tmp_path / "part.2.parquet", index=False)
    FRAME[:0].astype(object).to_parquet(tmp_path / "part.3.parquet", index=False)
    FRAME[500:].to_parquet(tmp_path / "part.10.parquet", index=False)
    same(on_dask.train_neuron(tmp_path, "y", client=client), tinynet_fast.train_neuron(ROWS.X, Y, epochs=1))
    with pytest.raises(TableError, match=r"part\.0\.parquet: no rows: at least one is needed"):
        on_dask.train_neuron([tmp_path / "part.0.parquet", tmp_path / "part.1.parquet"], "y", client=client)


def test_a_partition_that_is_not_like_the_others_is_named(client, model):
    lacking = parts(FRAME[:300], FRAME[300:].drop(columns="b"))
    for options in ({}, AVERAGE):
        with pytest.raises(TableError, match="partition 1: no column 'b'; it has a, c, y"):
            on_dask.train_neuron(lacking, "y", client=client, **options)
        with pytest.raises(TableError, match=r"partition 1, row 1, column 'b': the column holds .*string, no n"):
            on_dask.train_neuron(parts(FRAME[:300], FRAME[300:].assign(b="x")), "y", client=client, **options)
    with pytest.raises(TableError, match="partition 1: no column 'y'; it has a, b, c"):
        on_dask.train_neuron(parts(FRAME[:300], FRAME[300:].drop(columns="y")), "y", client=client)
    with pytest.raises(ValueError, match=r"partition \d: no column 'b'; it has a, c, y"):
        on_dask.predict(model, lacking).compute()


def test_categories_of_numbers_are_numbers(client):
    X = np.column_stack([ROWS.X[:, 0], np.arange(1200) % 3])
    frame = pd.DataFrame({"a": X[:, 0], "k": pd.Categorical(np.arange(1200) % 3), "y": Y})
    comp = on_dask.train_neuron(dd.from_pandas(frame, npartitions=2), "y", client=client)
    same(comp, tinynet_fast.train_neuron(X, Y, epochs=1))


def closed():
    with distributed.Client(processes=False, n_workers=0, dashboard_address=None, set_as_default=False) as client:
        pass
    return client


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m, d: on_dask.predict(m, d[["a", "c"]]),
            "the frame has no column 'b', which the model has; it has a, c",
        ),
        (lambda m, d: on_dask.predict(m, d["a"]), "X is a Series; a dask array or frame is needed"),
        (lambda m, d: on_dask.predict(m, d[["a", "b", "c"]].to_dask_array()[:, :2]), r"X has shape .*; \(n, 3\), the"),
        (lambda m, d: on_dask.predict(m, d["a"].to_dask_array()), r"X has shape .*; \(n, 3\), the model's inputs"),
        (lambda m, d: on_dask.predict(m, FRAME), "X is a DataFrame; a dask array or frame is needed"),
        (lambda m, d: on_dask.predict(m, d, threshold=3), "threshold is 3"),
        (lambda m, d: on_dask.predict("model.json", d), "model is a str; a Neuron or an MLP is needed"),
        (lambda m, d: on_dask.predict_proba(None, d), "model is a NoneType"),
        (lambda m, d: on_dask.train_neuron(d, "y", features="a"), "features: a list of column names"),
        (lambda m, d: on_dask.train_neuron(d, "y", features=[0]), "features: a list of column names"),
        (lambda m, d: on_dask.train_neuron(d, "y", client="tcp://localhost"), "client is a str"),
        (lambda m, d: on_dask.train_neuron(d, "y", client=closed()), "the client is closed"),
        (lambda m, d: on_dask.train_neuron("none://a.parquet", "y"), "none://a.parquet: .*not known"),
        (lambda m, d: on_dask.train_neuron("rows.csv", "y"), "workers read Parquet files only"),
        (lambda m, d: on_dask.train_mlp(d, "y", hidden=None), "hidden is None; the units of each hidden layer"),
    ],
)
def test_mistakes_are_named(client, model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model, dd.from_pandas(FRAME, npartitions=2))


def test_a_frame_of_other_width_for_a_model_without_names(client):
    unnamed = tinynet_fast.train_neuron(ROWS.X, Y).model
    with pytest.raises(ValueError, match="the frame has 4 columns where the model has 3 inputs"):
        on_dask.predict(unnamed, dd.from_pandas(FRAME, npartitions=2))
