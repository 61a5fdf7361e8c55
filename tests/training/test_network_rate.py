"""`learning_rate="auto"` of `train_mlp`: the rate that is found trains well, also on badly scaled rows."""

import numpy as np
import pytest
from compare import flat, with_any_option

from tinynet_fast import train_mlp
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.training import network_rate
from tinynet_fast.training.network_rate import _best

RNG = np.random.default_rng(0)
X = RNG.standard_normal((1200, 3))
Y = (X[:, 0] * X[:, 1] + 0.3 * RNG.standard_normal(1200) > 0).astype(int)
NUMBERS = np.sin(2.0 * X[:, 0]) + X[:, 1]
OPTIONS = {"hidden": (6,), "activation": "tanh", "seed": 1}


def judged(y, scale, **options):
    """The loss on other rows with a rate that was found, and that of the best of some rates."""
    rows, others, loss = (X[:900] * scale, y[:900]), (X[900:] * scale, y[900:]), []
    found = train_mlp(*rows, learning_rate="auto", **(OPTIONS | options))
    for rate in np.geomspace(1e-7, 10.0, 9):
        try:
            loss.append(train_mlp(*rows, learning_rate=rate, **(OPTIONS | options)).model.loss(*others))
        except ArithmeticError:
            continue
    return found, found.model.loss(*others), min(loss)


@pytest.mark.filterwarnings("ignore::tinynet_fast.TrainingWarning")
@pytest.mark.parametrize("scale", [1.0, 1000.0, np.array([1000.0, 1.0, 0.03])])
@pytest.mark.parametrize(
    ("y", "options"),
    [
        (Y, {"epochs": 150}),
        (Y, {"epochs": 10, "batch_size": 32, "shuffle": True, "optimizer": "adam"}),
        (NUMBERS, {"epochs": 150, "output": "linear"}),
        (1000.0 * NUMBERS + 5000.0, {"epochs": 10, "batch_size": 32, "output": "linear"}),
    ],
)
def test_the_rate_that_is_found_is_nearly_the_best(y, options, scale):
    """Training on targets in the thousands is chaotic: last bits decide on a factor from 0.8 to 2.1. So it is judged by
    the median of rows that differ in last bits."""
    raw = abs(y).max() > 100.0
    seen = [judged(y, scale * (1.0 + 1e-14 * k), **options) for k in range(5 if raw else 1)]
    assert np.median([loss / best for _, loss, best in seen]) < (2.0 if raw else 1.15)
    found = seen[0][0]
    search = found.rate_search
    assert found.learning_rate == search.learning_rate == found.model.training["learning_rate"]
    assert found.learning_rate in search.rates
    assert len(search.rates) == len(search.losses) in (24, 32)
    assert f"of {len(search.rates)} rates from" in search.reason


@with_any_option
def test_the_rate_depends_on_data_and_seed_alone(engine, tmp_path):
    options = OPTIONS | {"epochs": 3, "hidden": (2,)}
    rows = X[:40], Y[:40]
    fast = train_mlp(*rows, learning_rate="auto", **options)
    np.random.seed(5)
    own = train_mlp(*rows, learning_rate="auto", engine=engine, **options)
    assert own.learning_rate == fast.learning_rate
    ref = train_mlp(*rows, learning_rate=fast.learning_rate, engine=engine, **options)
    np.testing.assert_array_equal(flat(own.model), flat(ref.model), strict=True)
    frame = tmp_path / "rows.npy"
    np.save(frame, np.column_stack(rows))
    assert train_mlp(frame, -1, learning_rate="auto", **options).rate_search.rows == 40


@pytest.mark.parametrize(
    "more",
    [
        {"class_weight": "balanced"},
        {"standardize": True, "validation": 0.3},
        {"noise": 0.1, "dropout": 0.2},
        {"loss": "focal"},
        {"schedule": "cosine", "optimizer": "rmsprop"},
        {"momentum": 0.9, "nesterov": True, "l2": 0.01},
    ],
)
def test_with_other_options(more):
    result = train_mlp(X, Y, **(OPTIONS | {"learning_rate": "auto", "epochs": 30, "batch_size": 50} | more))
    assert result.model.score(X, Y) > 0.75
    assert np.isfinite(result.rate_search.losses).any()


def test_rates_are_judged_on_rows_held_out(monkeypatch):
    """The rows trained on and the rows that judge have nothing in common."""
    trained, seen = [], []

    def kept(X, codes, *more, **options):
        trained.append(X)
        return Rows(X, codes, *more, **options)

    from tinynet_fast.models import MLP

    measure = MLP.mean_loss
    monkeypatch.setattr(network_rate, "Rows", kept)
    monkeypatch.setattr(MLP, "mean_loss", lambda self, X, y: (seen.append(X), measure(self, X, y))[1])
    train_mlp(X[:200], Y[:200], learning_rate="auto", epochs=1, **OPTIONS)
    rows = np.concatenate([trained[0], seen[0]])
    assert (len(trained[0]), len(seen[0])) == (150, 50)
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(X[:200], axis=0))


def test_many_rows_are_not_all_searched():
    rows = RNG.standard_normal((40_000, 3))
    y = (rows[:, 0] > 0).astype(int)
    search = train_mlp(rows, y, learning_rate="auto", epochs=2, batch_size=64, **OPTIONS).rate_search
    assert 3000 <= search.rows <= 8192
    assert search.epochs == 2


def test_a_resumed_run_keeps_its_rate(tmp_path):
    options = OPTIONS | {"epochs": 5, "checkpoint": tmp_path / "c.json", "learning_rate": "auto"}
    first = train_mlp(X, Y, **options)
    more = train_mlp(X, Y, **(options | {"epochs": 9}))
    assert more.learning_rate == first.learning_rate
    np.testing.assert_array_equal(more.rate_search.losses, first.rate_search.losses)
    assert "log loss" in more.rate_search.reason
    with pytest.raises(ValueError, match=r"learning_rate was 'auto' and is 0\.1"):
        train_mlp(X, Y, **(options | {"learning_rate": 0.1}))


def test_rates_near_one_that_diverged_are_left_out_if_training_goes_on_for_longer():
    rates, losses = np.array([0.1, 1.0, 1.5, 3.0]), np.array([0.9, 0.6, 0.5, np.nan])
    assert _best(rates, losses, shorter=False) == 1.5
    assert _best(rates, losses, shorter=True) == 1.0
    assert _best(rates[2:], losses[2:], shorter=True) == 1.5


def test_inputs_that_are_too_large():
    with pytest.raises(ValueError, match="too large for any learning rate: standardise"):
        train_mlp(X * 1e200, Y, learning_rate="auto", **OPTIONS)
    with pytest.raises(ValueError, match="learning_rate is 'fast'; a finite number above 0"):
        train_mlp(X, Y, learning_rate="fast", **OPTIONS)
