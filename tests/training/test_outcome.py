"""There is a warning with cause and remedy if a model learned nothing, and none if it is useful."""

import warnings

import numpy as np
import pytest
from tables import write

from tinynet_fast import Neuron, TrainingWarning, train_mlp, train_neuron
from tinynet_fast.errors import rounded_down
from tinynet_fast.rows.datasets import height_weight, quiz_and_attendance, study_and_sleep, study_hours
from tinynet_fast.training.look import look
from tinynet_fast.training.losses import choose_loss
from tinynet_fast.training.outcome import StreamSample, _places

SHARES = "worse than always answering the labels' shares"
SAME = "the same answer for every row"


@pytest.fixture(scope="module")
def cancer():
    datasets = pytest.importorskip("sklearn.datasets", reason="the table is scikit-learn's")
    return datasets.load_breast_cancer(return_X_y=True)


@pytest.fixture
def table():
    """5,000 rows of 3 inputs. The first input decides on the label, with noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5000, 3))
    return X, (X[:, 0] + rng.standard_normal(5000) > 0).astype(int)


def warnings_of(train, *arguments, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = train(*arguments, **options)
    assert all(issubclass(warning.category, TrainingWarning) for warning in caught)
    assert {warning.filename for warning in caught} <= {__file__}  # the line that called, not one of the package
    return result, [str(warning.message) for warning in caught]


def one_warning(train, *arguments, **options):
    result, (message,) = warnings_of(train, *arguments, **options)
    return result, message


def blocks(X, y, rows=400):
    return lambda: ((X[i : i + rows], y[i : i + rows]) for i in range(0, len(X), rows))


def test_raw_inputs_of_a_neuron(cancer, engine):
    X, y = cancer
    options = {"epochs": 5} if engine in ("numpy", "reference") else {}
    result, message = one_warning(train_neuron, X, y, engine=engine, **options)
    assert result.model.loss(X, y) > 100.0
    assert SHARES in message
    assert "0.6603" in message  # the entropy of 212 and 357 of 569 rows
    assert "Steps overshoot" in message
    assert "standardize=True" in message
    safe = 8.0 / np.max((X * X).sum(axis=1) + 1.0)
    assert f"learning_rate={rounded_down(safe, 2)} is safe too" in message
    assert warnings_of(train_neuron, X, y, engine=engine, standardize=True, **options)[1] == []


def test_raw_inputs_of_a_network(cancer):
    X, y = cancer
    _, message = one_warning(train_mlp, X, y, seed=0)
    assert SAME in message
    assert "standardize=True" in message
    assert warnings_of(train_mlp, X, y, seed=0, standardize=True)[1] == []


def test_a_rate_that_is_too_large(cancer):
    X, y = cancer
    _, message = one_warning(train_neuron, X, y, standardize=True, learning_rate=1000)
    assert "standardize" not in message
    safe = float(message.partition("use learning_rate=")[2].partition(",")[0])
    assert warnings_of(train_neuron, X, y, standardize=True, learning_rate=safe)[1] == []


@pytest.mark.parametrize("streamed", [False, True])
def test_rows_sorted_by_label(table, streamed):
    X, y = table
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    options = {"epochs": 3, "labels": [0, 1]}
    rows = (blocks(X, y),) if streamed else (X, y)
    _, message = one_warning(train_neuron, *rows, **options)
    assert "sorted by label" in message
    assert ("in the file" if streamed else "shuffle=True") in message
    assert warnings_of(train_neuron, X, y, shuffle=True, seed=0, **options)[1] == []


def test_many_labels_in_order():
    rng = np.random.default_rng(1)
    y = np.repeat(np.arange(5), 200)
    X = rng.standard_normal((1000, 5)) + 3.0 * np.eye(5)[y]
    options = {"hidden": (8,), "epochs": 2, "batch_size": 1, "seed": 0, "learning_rate": 0.5}
    _, message = one_warning(train_mlp, X, y, **options)
    assert "sorted by label" in message
    assert warnings_of(train_mlp, X, y, shuffle=True, **options)[1] == []


def test_labels_that_nothing_tells_apart():
    rng = np.random.default_rng(2)
    _, message = one_warning(train_neuron, rng.standard_normal((2000, 20)), rng.integers(0, 2, 2000))
    assert SHARES in message
    assert "these inputs do not tell the labels apart" in message


def test_a_rate_that_is_too_small(table):
    _, message = one_warning(train_neuron, *table, epochs=1, learning_rate=1e-9)
    assert SAME in message
    assert "more epochs" in message


def test_tiny_inputs(table):
    X, y = table
    _, message = one_warning(train_neuron, X * 1e-6, y, epochs=3)
    assert "inputs are small" in message
    assert warnings_of(train_neuron, X * 1e-6, y, epochs=3, standardize=True)[1] == []


def test_sparse_rows(table):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = table
    _, message = one_warning(train_neuron, sparse.csr_matrix(X * 1000.0), y)
    assert "largest magnitude" in message
    assert "standardize=True" not in message
    assert warnings_of(train_neuron, sparse.csr_matrix(X), y)[1] == []


def test_a_stream_that_is_read_once(table):
    X, y = table
    _, message = one_warning(train_neuron, blocks(X * 1000.0, y)(), labels=[0, 1], epochs=1)
    assert "Steps overshoot" in message
    assert "learning_rate=0" not in message  # no rate is known without another pass


def test_squared_error_is_judged_by_squared_error(table):
    X, y = table
    assert warnings_of(train_neuron, X, y, loss="squared_error", epochs=5)[1] == []
    _, message = one_warning(train_neuron, X * 1000.0, y, loss="squared_error", epochs=5)
    assert "its squared error is" in message
    assert "0.25" in message  # the squared error of always answering one half


def test_sample_weights_count_in_both_losses(table):
    X, y = table
    weights = np.where(y == 1, 9.0, 0.0) + 1e-9
    result, messages = warnings_of(train_neuron, X, y, sample_weight=weights, epochs=2)
    assert messages == []  # it answers 1 nearly always, and so do the weighted shares
    assert result.model.loss(X, y) > np.log(2.0)


@pytest.mark.parametrize("make", [study_hours, study_and_sleep, quiz_and_attendance, height_weight])
@pytest.mark.parametrize("epochs", [1, 50])
def test_never_on_the_tutorials_tables(make, epochs):
    rows = make()
    assert warnings_of(train_neuron, rows.X, rows.y, epochs=epochs)[1] == []
    assert warnings_of(train_mlp, rows.X, rows.y, epochs=epochs, seed=0)[1] == []


def test_a_rare_label_is_no_reason():
    """One row of 500 has the other label, so the first look sees two such rows or none."""
    rng = np.random.default_rng(3)
    y = (rng.random(100_000) < 0.002).astype(int)
    X = rng.standard_normal((100_000, 2)) + 2.0 * y[:, np.newaxis]
    assert warnings_of(train_neuron, X, y, learning_rate=0.01, epochs=2)[1] == []


@pytest.mark.parametrize("seed", range(4))
def test_never_of_useful_networks(seed):
    """Networks with a rare label, or after one epoch whose first batches were bad, are not warned about."""
    rng = np.random.default_rng(seed)
    y = (rng.random(4000) < 0.05).astype(int)
    X = rng.standard_normal((4000, 3))
    X[:, 0] += 1.2 * y
    options = {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 32, "seed": seed, "shuffle": True}
    result, messages = warnings_of(train_mlp, X, y, hidden=(6,), epochs=4, **options)
    share = y.mean()
    assert result.model.loss(X, y) < -(share * np.log(share) + (1.0 - share) * np.log1p(-share))
    assert messages == []
    X = rng.standard_normal((2000, 10)) * 4.0
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    options = {"activation": "relu", "init": "he", "learning_rate": 0.01, "batch_size": 32, "seed": seed}
    result, messages = warnings_of(train_mlp, X, y, hidden=(32,), epochs=1, **options)
    assert result.model.loss(X, y) < 0.6
    assert messages == []


@pytest.mark.parametrize("share", [0.002, 0.01, 0.05])
@pytest.mark.parametrize("train", [train_neuron, train_mlp])
def test_a_rare_label_does_not_hide_a_useless_model(share, train):
    rng = np.random.default_rng(0)
    y = (rng.random(20_000) < share).astype(int)
    X = rng.standard_normal((20_000, 4)) * [1.0, 50.0, 1000.0, 3.0]
    X[:, 0] += 3.0 * y
    options = (
        {"epochs": 2} if train is train_neuron else {"epochs": 1, "batch_size": 1, "learning_rate": 10.0, "seed": 0}
    )
    result, message = one_warning(train, X, y, **options)
    assert result.model.loss(X, y) > -(share * np.log(share) + (1.0 - share) * np.log1p(-share))
    assert "standardize=True" in message


def test_rows_without_a_weight_are_not_judged():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 3)) * 1000.0
    y = (X[:, 0] > 1000.0 * rng.standard_normal(20_000)).astype(int)
    weights = (np.arange(20_000) < 200).astype(float)
    _, message = one_warning(train_neuron, X, y, sample_weight=weights, epochs=2)
    assert "on 200 of its own rows" in message


def test_a_rate_that_is_named_as_safe_is_safe():
    for rate in 10.0 ** np.random.default_rng(0).uniform(-9, 3, 2000):
        for digits in (2, 3):
            assert 0.9 * rate < float(rounded_down(rate, digits)) <= rate


def test_what_a_look_measures():
    """By hand, on two rows of each label: logits of ln 3 and -ln 3 are probabilities of 3/4 and 1/4."""
    neuron = Neuron(weights=[np.log(3.0)])
    X, codes = np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([1, 1, 0, 0])
    seen = look(neuron, [(X, codes, None)], choose_loss())
    assert seen.loss == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)
    assert seen.loss_of_constant == pytest.approx(np.log(2.0))
    assert seen.spread == pytest.approx(0.5)
    seen = look(neuron, [(X, codes, np.array([3.0, 0.0, 0.0, 1.0]))], choose_loss("squared_error"))
    assert seen.loss == pytest.approx(0.25**2)
    assert seen.loss_of_constant == pytest.approx(0.75 * 0.25)


@pytest.mark.parametrize("n", [1, 1000, 1024, 1025, 5000, 10**6])
def test_places_are_spread_and_have_no_period(n):
    places = np.arange(n)[_places(n, 1024)]
    assert len(places) == min(n, 1024)
    assert np.all(np.diff(places) >= 0)
    if n > 5000:
        assert np.max(np.diff(places)) < 2 * n / 1024
        assert set(np.unique(places % 6)) == set(range(6))


def test_a_stream_keeps_few_rows_of_all_of_it():
    sample = StreamSample()
    for start in range(0, 1000 * 50, 50):
        sample.add(np.arange(start, start + 50.0)[:, np.newaxis], np.ones(50))
    kept = np.concatenate([X[:, 0] for X, _, _ in sample.parts])
    assert len(sample.parts) < StreamSample.PARTS
    assert kept.min() < 1000
    assert kept.max() > 45_000


def test_the_command_line_says_it_in_one_line(run, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2)) * 1000.0
    path = write(
        tmp_path / "raw.csv", ["a", "b", "y"], [(*row, int(row[0] + 500 * rng.normal() > 0)) for row in X.tolist()]
    )
    exact = ["--learning-rate", "0.1", "--l2", "0", "--no-average", "--epochs", "100"]
    status, _, err = run("train", path, "--target", "y", "--no-standardize", "--quiet", *exact)
    assert status == 0
    assert err.startswith("tinynet-fast: warning: the model is worse than")
    assert err.count("\n") == 1
    assert run("train", path, "--target", "y", "--quiet")[2] == ""


def test_a_label_of_rows_without_weight_is_left_out_of_the_judgment():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 3)), rng.integers(0, 3, 300)
    model = train_mlp(X, y, hidden=4, seed=0).model
    seen = look(model, [(X, y, (y < 2).astype(float))], choose_loss())
    assert seen.loss == pytest.approx(model.loss(X[y < 2], y[y < 2]))
    shares = np.bincount(y[y < 2]) / (y < 2).sum()
    assert seen.loss_of_constant == pytest.approx(-shares @ np.log(shares))
