"""Numbers on Dask: arrays, frames and files, one target or several, and predictions. Workers are threads here."""

import numpy as np
import pytest
from shard_cluster import ON_A_CLUSTER, dask_modules, same

import tinynet_fast

distributed, da, dd, pd = dask_modules()
import dask  # noqa: E402

from tinynet_fast import dask as on_dask  # noqa: E402

pytestmark = ON_A_CLUSTER
draw = np.random.default_rng(5)
X = draw.normal(size=(1200, 3))
PAIRS = X @ draw.normal(size=(3, 2)) + draw.normal(size=(1200, 2))
NAMES = ["a", "b", "c"]
FRAME = pd.DataFrame(X, columns=NAMES).assign(price=PAIRS[:, 0], rent=PAIRS[:, 1])
LINEAR = {"output": "linear", "learning_rate": 0.01}


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def arrays(y, cuts=(500, 0, 300, 400)):
    return da.from_array(X, chunks=(cuts, 3)), da.from_array(y, chunks=(cuts, *y.shape[1:]))


@pytest.mark.parametrize("y", [PAIRS[:, 0], PAIRS[:, :1], PAIRS], ids=["one", "one column", "two"])
@pytest.mark.parametrize("more", [{}, {"standardize": True, "standardize_y": True, "loss": "huber", "average": True}])
def test_arrays_of_numbers(client, y, more):
    comp = on_dask.train_neuron(*arrays(y), client=client, **LINEAR, **more)
    same(comp, tinynet_fast.train_neuron(X, y, epochs=1, **LINEAR, **more))
    options = {"output": "linear", "seed": 0, "batch_size": 16}
    ref = tinynet_fast.train_mlp(X, y, epochs=1, **options)
    same(on_dask.train_mlp(*arrays(y), client=client, mode="chain", **options), ref)
    with pytest.raises(ValueError, match="X has 1200 rows and y has 1100 numbers"):
        on_dask.train_neuron(arrays(y)[0], da.from_array(y[:1100], chunks=100), client=client, **LINEAR)


@pytest.mark.parametrize("y", ["price", ["rent", "price"]], ids=str)
def test_columns_of_frames_and_of_files(client, tmp_path, y):
    frame = dd.from_pandas(FRAME, npartitions=5, sort=False)
    frame.to_parquet(tmp_path, write_index=False)
    ref = tinynet_fast.train_neuron(FRAME, y, epochs=1, **LINEAR)
    assert ref.model.targets == ([y] if isinstance(y, str) else y)
    for rows in (frame, frame.persist(), tmp_path):
        comp = on_dask.train_neuron(rows, y, client=client, **LINEAR)
        same(comp, ref)
        assert (comp.model.features, comp.model.targets) == (ref.model.features, ref.model.targets)
        few = on_dask.train_neuron(rows, y, features=["c", "a"], client=client, **LINEAR)
        same(few, tinynet_fast.train_neuron(FRAME, y, features=["c", "a"], epochs=1, **LINEAR))
    average = {"mode": "average", "syncs": 3, "standardize_y": True, **LINEAR}
    same(
        on_dask.train_neuron(tmp_path, y, client=client, **average),
        on_dask.train_neuron(frame, y, client=client, **average),
    )
    held = FRAME[:100], y
    comp = on_dask.train_neuron(frame, y, client=client, validation=held, **LINEAR)
    ref = tinynet_fast.train_neuron(FRAME, y, epochs=1, validation=held, **LINEAR)
    np.testing.assert_array_equal(comp.validation_loss_history, ref.validation_loss_history)


def test_a_target_that_is_in_the_names_of_folders(client, tmp_path):
    frame = FRAME.assign(year=np.repeat([2019.0, 2020.0, 2021.0], 400))
    dd.from_pandas(frame, npartitions=6, sort=False).to_parquet(tmp_path, partition_on="year", write_index=False)
    options = LINEAR | {"standardize_y": True}
    comp = on_dask.train_neuron(tmp_path, "year", client=client, features=NAMES, **options)
    same(comp, tinynet_fast.train_neuron(tmp_path, "year", epochs=1, features=NAMES, **options))
    several = on_dask.train_neuron(tmp_path, ["year", "rent"], client=client, features=NAMES, **options)
    same(several, tinynet_fast.train_neuron(tmp_path, ["year", "rent"], epochs=1, features=NAMES, **options))


def parts(*frames):
    """A frame of these partitions, without checks of what they hold."""
    return dd.from_delayed([dask.delayed(frame) for frame in frames], meta=FRAME[:0], verify_meta=False)


def test_what_is_wrong_names_the_place(client, tmp_path):
    gap, text, endless = FRAME[600:].copy(), FRAME[600:].copy(), FRAME[600:].copy()
    gap.iloc[70, 4] = np.nan
    endless.iloc[7, 3] = np.inf
    text["rent"] = "dear"
    both, train = ["price", "rent"], on_dask.train_neuron
    for wrong, words in (
        (gap, "partition 1, row 70, column 'rent': the value is missing: fill it or drop the row$"),
        (endless, "partition 1, row 7, column 'price': inf is not finite"),
        (text, "partition 1, row 1, column 'rent': the column holds .*string, no numbers"),
        (FRAME[600:].drop(columns="rent"), "partition 1: no column 'rent'; it has a, b, c, price"),
    ):
        with pytest.raises(ValueError, match=words):
            train(parts(FRAME[:600], wrong), both, client=client, **LINEAR)
    gap.to_parquet(tmp_path / "a.parquet", index=False)
    with pytest.raises(ValueError, match=r"a.parquet, row 71, column 'rent': the value is missing"):
        train(tmp_path / "a.parquet", both, client=client, **LINEAR)
    whole = dd.from_pandas(FRAME, npartitions=2)
    for rows in (whole, tmp_path / "a.parquet"):
        with pytest.raises(ValueError, match="no column 'cost'"):
            train(rows, ["price", "cost"], client=client, **LINEAR)
        with pytest.raises(ValueError, match="y names the column 'rent' twice"):
            train(rows, ["rent", "rent"], client=client, **LINEAR)
        with pytest.raises(ValueError, match="features: 'rent' is the target"):
            train(rows, both, features=["a", "rent"], client=client, **LINEAR)
        with pytest.raises(ValueError, match=r"y is a list; for .* it is the name of the column of labels"):
            train(rows, both, client=client)
        with pytest.raises(ValueError, match=r"y is a int; for .* it is the name of the column of numbers"):
            train(rows, 3, client=client, **LINEAR)
    with pytest.raises(ValueError, match="it has no column beside the target"):
        train(whole[both], both, client=client, **LINEAR)
    y = PAIRS.copy()
    y[700, 1] = np.nan
    with pytest.raises(ValueError, match=r"partition 2, y\[200, 1\] is missing"):
        train(*arrays(y), client=client, **LINEAR)


def test_predictions_of_numbers(client):
    one = tinynet_fast.train_neuron(FRAME[[*NAMES, "price"]], "price", **LINEAR).model
    two = tinynet_fast.train_neuron(FRAME, ["price", "rent"], **LINEAR).model
    counts = tinynet_fast.train_neuron(FRAME[NAMES], np.round(np.abs(PAIRS[:, 0])), loss="poisson", **LINEAR).model
    rows = dd.from_pandas(FRAME, npartitions=4, sort=False)
    for model in (one, counts):
        comp = on_dask.predict(model, rows)
        assert (comp.name, comp.dtype) == ("prediction", np.float64)
        np.testing.assert_array_equal(comp.compute(), model.predict(X))
        np.testing.assert_array_equal(on_dask.predict(model, arrays(PAIRS)[0]).compute(), model.predict(X))
    comp = on_dask.predict(two, rows)
    assert list(comp.columns) == ["prediction_price", "prediction_rent"]
    np.testing.assert_array_equal(comp.compute(), two.predict(X))
    lazy = on_dask.predict(two, arrays(PAIRS)[0])
    assert lazy.shape == (1200, 2)
    np.testing.assert_array_equal(lazy.compute(), two.predict(X))
    empty = parts(FRAME[:600], FRAME[:0], FRAME[600:])
    np.testing.assert_array_equal(on_dask.predict(two, empty).compute(), two.predict(X))
    for model in (one, two, counts):
        with pytest.raises(ValueError, match="the model predicts numbers, which have no probabilities: use predict"):
            on_dask.predict_proba(model, rows)
        with pytest.raises(ValueError, match="a threshold is for two labels"):
            on_dask.predict(model, rows, 0.3)


def test_predictions_of_margins_and_of_several_labels(client):
    y = (X[:, 0] > 0.0).astype(int)
    margin = on_dask.train_neuron(*arrays(y), client=client, loss="hinge").model
    np.testing.assert_array_equal(on_dask.predict(margin, arrays(y)[0]).compute(), margin.predict(X))
    with pytest.raises(ValueError, match="the model was trained with loss='hinge'"):
        on_dask.predict_proba(margin, arrays(y)[0])
    y = np.argmax(X, axis=1)
    for output in (None, "one_vs_rest"):
        comp = on_dask.train_neuron(*arrays(y), client=client, output=output)
        same(comp, tinynet_fast.train_neuron(X, y, epochs=1, output=output))
        lazy = on_dask.predict_proba(comp.model, arrays(y)[0])
        np.testing.assert_array_equal(lazy.compute(), comp.model.predict_proba(X))
