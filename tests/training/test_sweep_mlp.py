"""`sweep_mlp`: every network is as `train_mlp` trains it; folds, ensembles, checkpoints, bad input."""

import numpy as np
import pytest
from compare import assert_keeps, flat
from hypothesis import given, settings
from hypothesis import strategies as st
from mlp_sweeps import FEW, X, Y, same_bits
from problems import SEEDS
from rich.console import Console

from tinynet_fast import TrainingDivergedError, load, sweep_mlp, train_mlp
from tinynet_fast.kernels import engines
from tinynet_fast.training import network_passes

pytestmark = pytest.mark.usefixtures("few_networks_together")

FOLD_BY_FOLD, TOGETHER = np.inf, 0.0  # what `network_passes.SURELY` makes of folds
warns = pytest.mark.filterwarnings("ignore::tinynet_fast.TrainingWarning")  # of `train_mlp`: networks that learn little


def alone(result, i, options, rows=(X, Y), fold=None, **more):
    """The run of `train_mlp` that the i-th network stands for, and its rows."""
    own = options | {name: values[i] for name, values in result.options.items()} | more
    kept = slice(None) if fold is None or result.fold[i] < 0 else fold != result.fold[i]
    if own.get("sample_weight") is not None:
        own["sample_weight"] = own["sample_weight"][kept]
    return train_mlp(rows[0][kept], rows[1][kept], **own)


def assert_all_alike(result, options, rows=(X, Y), fold=None, promise=1e-12, **more):
    for i in range(len(result)):
        ref = alone(result, i, options, rows, fold, **more)
        assert_keeps(promise, flat(result.models[i]), flat(ref.model))
        assert_keeps(promise, result.loss_history[:, i], ref.loss_history)
        if fold is not None and result.fold[i] >= 0:
            held = fold == result.fold[i]
            assert result.held_out_loss[i] == pytest.approx(ref.model.loss(rows[0][held], rows[1][held]), rel=1e-10)
        else:
            assert np.isnan(result.held_out_loss[i])


@st.composite
def sweeps(draw):
    """Options of a sweep: some are lists."""
    optimizer = draw(st.sampled_from(["sgd", "adam", "rmsprop"]))
    options = {
        "hidden": draw(st.sampled_from([(3,), (9, 2), [(2,), (3, 2)]])),
        "activation": draw(st.sampled_from(["sigmoid", "tanh", "relu"])),
        "optimizer": optimizer,
        "learning_rate": draw(st.sampled_from([0.01, [0.01, 0.1], [0.01, 0.02, 0.3]])),
        "seed": draw(st.sampled_from([5, [1, 2], list(range(5))])),
        "l2": draw(st.sampled_from([0.0, [0.0, 0.1]])),
        "schedule": draw(st.sampled_from(["constant", ["cosine", "invscaling"]])),
        "dropout": draw(st.sampled_from([0.0, 0.0, 0.3])),
        "batch_size": draw(st.sampled_from([None, 1, 7])),
        "epochs": draw(st.integers(1, 3)),
        "shuffle": draw(st.sampled_from([False, True, "blocks"])),
        "standardize": draw(st.booleans()),
        "class_weight": draw(st.sampled_from([None, "balanced"])),
    }
    if optimizer == "rmsprop":
        options["epsilon"] = [1e-8, 1e-3]
    if optimizer == "sgd":
        options["momentum"] = draw(st.sampled_from([0.0, [0.0, 0.9]]))
    if optimizer == "adam":
        options["beta_2"] = draw(st.sampled_from([0.999, [0.9, 0.99]]))
    return options


@warns
@settings(max_examples=25)
@given(SEEDS, sweeps(), st.data())
def test_every_network_is_a_run_of_train_mlp(seed, options, data):
    rng = np.random.default_rng(seed)
    n, labels = data.draw(st.integers(16, 40)), data.draw(st.sampled_from([2, 2, 3]))
    rows = rng.standard_normal((n, data.draw(st.integers(1, 4)))), np.arange(n) % labels
    fold = np.arange(n) // labels % data.draw(st.integers(2, 3)) if data.draw(st.booleans()) else None
    if data.draw(st.booleans()):
        options["sample_weight"] = rng.integers(0, 3, n) * 0.5 + (np.arange(n) < 2 * labels * 3)
    if labels == 2:
        options["loss"] = data.draw(st.sampled_from(["log_loss", "squared_error"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_passes, "SURELY", data.draw(st.sampled_from([FOLD_BY_FOLD, TOGETHER])))
        result = sweep_mlp(*rows, folds=fold, **options)
    assert_all_alike(result, options, rows, fold)
    assert result.side_by_side.all() == (len(result) > 1 and result.side_by_side.any())


def test_every_engine_keeps_its_promise(engine):
    rows, fold = (X[:30], Y[:30]), np.arange(30) % 2
    options = FEW | {"hidden": (2,), "batch_size": 8, "shuffle": True, "momentum": 0.5}
    result = sweep_mlp(*rows, folds=fold, engine=engine, **options)
    promise = engines.ENGINES[engine].promise
    for i in range(len(result)):
        ref = alone(result, i, options, rows, fold, engine="reference")
        assert_keeps(promise, flat(result.models[i]), flat(ref.model))
        assert_keeps(promise, result.loss_history[:, i], ref.loss_history)
    assert result.engine == engine
    assert result.side_by_side.all() == (engine == "fast")


def test_numbers_of_several_targets():
    y = np.column_stack([X[:, 0] * X[:, 1], 50.0 + 3.0 * X[:, 2]])
    options = FEW | {"hidden": (3,), "output": "linear", "standardize": True, "standardize_y": True, "shuffle": True}
    fold = np.arange(600) % 2
    result = sweep_mlp(X, y, folds=fold, **options)
    assert result.side_by_side.all()
    assert_all_alike(result, options, (X, y), fold)
    assert result.best_model.predict(X).shape == (600, 2)


@warns
@pytest.mark.parametrize(
    "more",
    [
        {"noise": 0.1, "standardize": True},
        {"mixup": 0.2, "batch_size": 50},
        {"loss": "focal"},
        {"engine": "strict"},
        {"weights": [np.full((3, 2), 1e6), np.ones((2, 1))]},
    ],
)
def test_what_the_kernel_does_not_take_is_trained_one_by_one(more):
    options = {"hidden": (2,), "learning_rate": [0.05, 0.5], "seed": 1, "epochs": 2} | more
    result = sweep_mlp(X, Y, **options)
    assert not result.side_by_side.any()
    for i in range(2):
        ref = alone(result, i, options)
        np.testing.assert_array_equal(flat(result.models[i]), flat(ref.model), strict=True)
        assert str(result.engines[i]) == str(ref.engine)


def test_without_a_kernel_and_if_they_are_large_networks_are_trained_one_by_one(monkeypatch):
    from tinynet_fast.training import network_plan

    options = {"hidden": (2,), "epochs": 2, "seed": [1, 2]}
    together = sweep_mlp(X, Y, **options)
    assert together.side_by_side.all()
    for name, value in (("has_kernel", lambda: False), ("MOST_PARAMETERS", 10)):
        with monkeypatch.context() as patch:
            patch.setattr(network_plan, name, value)
            result = sweep_mlp(X, Y, **options)
        assert not result.side_by_side.any()
        for i in range(2):
            np.testing.assert_array_equal(flat(result.models[i]), flat(alone(together, i, options).model))


def test_orders_of_many_networks_do_not_take_much_memory(monkeypatch):
    options = {"hidden": (2,), "epochs": 2, "seed": list(range(10)), "shuffle": True, "learning_rate": [0.1, 0.2]}
    ref = sweep_mlp(X[:60], Y[:60], **options)
    monkeypatch.setattr(network_passes, "MOST_PLACES", 60 * 8)
    comp = sweep_mlp(X[:60], Y[:60], **options)
    for a, b in zip(comp.models, ref.models, strict=True):
        assert_keeps(1e-12, flat(a), flat(b))


def parts(monkeypatch, **options):
    """How many networks each call of the kernels trains in turn."""
    found, parts_of = [], network_passes.parts_of
    with monkeypatch.context() as patch:
        patch.setattr(network_passes, "parts_of", lambda plans: found.extend(parts_of(plans)) or found)
        sweep_mlp(X, Y, **({"hidden": (9,), "epochs": 1, "seed": 1} | options))
    return [len(part) for part in found]


def test_few_networks_train_one_after_the_other(monkeypatch):
    """A group of eight takes as long as about five networks alone, or two if a batch is one row."""
    monkeypatch.setattr(network_passes, "ALONE", 0.2)
    sizes = [parts(monkeypatch, seed=list(range(k)), batch_size=32) for k in (1, 2, 4, 5, 8, 10, 13)]
    assert sizes == [[1], [1] * 2, [1] * 4, [5], [8], [8, 1, 1], [13]]
    assert [parts(monkeypatch, seed=list(range(k)), batch_size=1) for k in (1, 2, 3)] == [[1], [2], [3]]
    assert parts(monkeypatch, folds=5, batch_size=32) == [1] * 6
    assert parts(monkeypatch, folds=5, batch_size=32, learning_rate=[0.1, 0.2]) == [1] * 12
    assert parts(monkeypatch, folds=5, batch_size=32, learning_rate=[0.1, 0.2, 0.3, 0.4], hidden=(16, 16)) == [24]
    assert parts(monkeypatch, folds=5, batch_size=1, learning_rate=[0.1, 0.2]) == [12]


def test_folds_train_together_if_few_networks_share_one(monkeypatch):
    few, many = [0.1, 0.2], np.geomspace(0.01, 0.1, 8)
    assert parts(monkeypatch, learning_rate=few, folds=5, batch_size=32) == [12]
    assert parts(monkeypatch, learning_rate=few, folds=5, batch_size=32, shuffle=True, standardize=True) == [12]
    assert parts(monkeypatch, learning_rate=many, folds=5, batch_size=32) == [8] * 6
    assert parts(monkeypatch, folds=5, batch_size=1) == [6]
    assert parts(monkeypatch, learning_rate=few, folds=5, hidden=[(9,), (3, 2)], batch_size=32) == [12, 12]
    monkeypatch.setattr(network_passes, "MOST_COPIED", 6 * X.size - 1)
    assert parts(monkeypatch, learning_rate=few, folds=5, batch_size=32, standardize=True) == [2] * 6
    assert parts(monkeypatch, learning_rate=few, folds=5, batch_size=32) == [12]  # which copy no table
    monkeypatch.setattr(network_passes, "MOST_PLACES", 8 * len(X))
    assert parts(monkeypatch, learning_rate=few, folds=5, batch_size=32) == [8, 4]


@warns
@pytest.mark.parametrize("batch_size", [None, 1, 25, 40, 55])
def test_folds_of_different_sizes(batch_size, monkeypatch):
    """Without fold 0, 30 rows are left, without the others 50 and 40: batches end elsewhere, or are fewer."""
    monkeypatch.setattr(network_passes, "SURELY", TOGETHER)
    fold, rows = np.repeat([0, 2, 1], [30, 20, 10]), (X[:60], Y[:60])
    options = {"hidden": (9,), "seed": [1, 2], "epochs": 3, "schedule": ["cosine", "constant"], "momentum": 0.5}
    options |= {"batch_size": batch_size, "learning_rate": 0.2}
    result = sweep_mlp(*rows, folds=fold, **options)
    assert result.side_by_side.all()
    assert_all_alike(result, options, rows, fold)


def test_engines_are_told():
    options = {"hidden": (2,), "epochs": 2, "learning_rate": [0.1, 0.2, 0.3], "seed": 1}
    result = sweep_mlp(X, Y, weights=[np.full((3, 2), 1e6), np.ones((2, 1))], **options)
    assert result.engine == "strict"
    result = sweep_mlp(X, Y, **options)
    result.engines[1] = "strict/jit"
    name = str(result.engines[0])
    assert result.engine == f"{name} for 2, strict/jit for 1"


def test_one_network_is_trained_by_itself():
    result = sweep_mlp(X, Y, epochs=2, seed=1)
    assert not result.side_by_side.any()
    np.testing.assert_array_equal(flat(result.best_model), flat(train_mlp(X, Y, epochs=2, seed=1).model))


def test_a_seed_is_drawn_only_if_something_is_random():
    """With weights that are given, that is which rows a fold holds out, and not if the folds are given, too."""
    options = {"weights": [np.full((3, 2), 0.1), np.ones((2, 1))], "hidden": (2,), "epochs": 2}
    result = sweep_mlp(X, Y, folds=2, **options)
    assert isinstance(result.seed[0], int)
    again = sweep_mlp(X, Y, folds=2, seed=[result.seed[0]], **options)
    np.testing.assert_array_equal(again.held_out_loss, result.held_out_loss)
    assert sweep_mlp(X, Y, **options).seed == [None]
    assert sweep_mlp(X, Y, folds=np.arange(len(Y)) % 2, **options).seed[0] is None


@warns
def test_folds_are_dealt_from_the_first_seed_and_the_best_is_judged_by_them():
    result = sweep_mlp(X, Y, hidden=(3,), learning_rate=[1e-4, 0.5], seed=[7, 8], folds=3, epochs=30)
    assert result.fold.tolist() == [-1, 0, 1, 2] * 4
    assert result.combination.tolist() == np.repeat(range(4), 4).tolist()
    assert result.options["seed"] == [7] * 4 + [8] * 4 + [7] * 4 + [8] * 4
    scores = np.nanmean(result.held_out_loss.reshape(4, 4), axis=1)
    np.testing.assert_allclose(result.scores(), scores)
    assert result.best == 4 * np.argmin(scores)
    assert result.learning_rate[result.best] == 0.5
    again = sweep_mlp(X, Y, hidden=(3,), learning_rate=0.5, seed=[7], folds=3, epochs=30)
    np.testing.assert_allclose(again.held_out_loss, result.held_out_loss[8:12], rtol=1e-12)
    best = train_mlp(X, Y, hidden=(3,), learning_rate=0.5, seed=result.seed[result.best], epochs=30).model
    assert_keeps(1e-12, flat(result.best_model), flat(best))


def test_validation_rows_judge():
    options = FEW | {"hidden": (3,), "epochs": 20}
    given = sweep_mlp(X[:400], Y[:400], validation=(X[400:], Y[400:]), **options)
    for i, model in enumerate(given.models):
        assert given.held_out_loss[i] == pytest.approx(model.loss(X[400:], Y[400:]), rel=1e-12)
    assert given.best == np.argmin(given.held_out_loss)
    share = sweep_mlp(X, Y, validation=0.25, **options)
    ref = train_mlp(X, Y, validation=0.25, hidden=(3,), epochs=20, seed=1, learning_rate=0.5)
    assert_keeps(1e-12, flat(share.models[3]), flat(ref.model))
    assert share.held_out_loss[3] == pytest.approx(ref.validation_loss_history[-1], rel=1e-10)


def test_a_network_that_diverges_does_not_disturb_the_others():
    y, rates = X @ [1.0, 2.0, 3.0], [0.01, 1e3, 0.02, 50.0]
    options = {"hidden": (3,), "activation": "identity", "output": "linear", "epochs": 40, "seed": 1}
    for batch_size in (None, 100):  # several epochs a call, and one
        result = sweep_mlp(X, y, learning_rate=rates, batch_size=batch_size, folds=np.arange(600) % 2, **options)
        assert result.diverged[::3].tolist() == [False, True, False, True]
        assert [result.models[3 * i] is None for i in range(4)] == [False, True, False, True]
        for i in (1, 3):
            with pytest.raises(TrainingDivergedError) as told:
                train_mlp(X, y, learning_rate=rates[i], batch_size=batch_size, **options)
            assert np.isfinite(result.loss_history[:, 3 * i]).sum() == told.value.epoch
            assert np.isnan(result.loss_history[told.value.epoch :, 3 * i]).all()
            assert np.isnan(result.scores()[i])
        ref = sweep_mlp(X, y, learning_rate=[0.01, 0.02], batch_size=batch_size, **options)
        for i, k in ((0, 0), (6, 1)):
            np.testing.assert_array_equal(flat(result.models[i]), flat(ref.models[k]), strict=True)
        assert result.best in (0, 6)
    assert [row["remark"] for row in result.rows()].count("diverged") == 2
    with pytest.raises(ValueError, match="k is 3, and 2 of the 4 combinations did not diverge"):
        result.ensemble(3)
    strict = sweep_mlp(X, y, learning_rate=rates, engine="strict", **options)
    assert strict.diverged.tolist() == [False, True, False, True]
    np.testing.assert_array_equal(np.isfinite(strict.loss_history), np.isfinite(result_of_all(y, rates, options)))
    assert sweep_mlp(X, y, learning_rate=[1e3, 1e4], **options).best is None


def result_of_all(y, rates, options):
    return sweep_mlp(X, y, learning_rate=rates, **options).loss_history


def test_ensemble_is_the_mean_of_the_best(tmp_path):
    names = np.where(Y == 1, "pass", "fail")
    result = sweep_mlp(X, names, hidden=[(3,), (2, 2)], folds=2, **(FEW | {"epochs": 60}))
    best = np.argsort(result.scores())[:4] * 3
    both = result.ensemble(4)
    ref = np.mean([result.models[i].predict_proba(X) for i in best], axis=0)
    np.testing.assert_allclose(both.predict_proba(X), ref, rtol=1e-13)
    assert both.training["trainer"] == "train_mlp"  # what all members share
    both.save(tmp_path / "m.json")
    np.testing.assert_array_equal(load(tmp_path / "m.json").predict_proba(X), both.predict_proba(X))
    assert set(both.predict(X)) == {"pass", "fail"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": True, "batch_size": 64},
        {"dropout": 0.2, "batch_size": 64},
        {"folds": 3, "batch_size": 64, "optimizer": "adam"},
    ],
)
def test_no_figure_depends_on_the_number_of_threads(options, monkeypatch):
    monkeypatch.setattr(network_passes, "SURELY", TOGETHER)
    monkeypatch.setattr(engines, "BLOCK_SECONDS", 1e-6)
    options = {"learning_rate": np.geomspace(0.01, 1.0, 9), "seed": [1, 2], "epochs": 2} | options
    ref = sweep_mlp(X, Y, **options)
    for n_jobs in (2, 3):
        same_bits(sweep_mlp(X, Y, n_jobs=n_jobs, **options), ref)


# --- the result, and bad input ----------------------------------------------------------------------------------------


def test_table_and_words():
    result = sweep_mlp(X, Y, hidden=[(3,), (2, 2)], **FEW)
    assert len(result) == len(result.models) == 12
    best = result.name(result.best)
    assert repr(result) == f"MLPSweepResult(12 networks, best: {best})"
    assert best.startswith("hidden=")
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(result.table())
    console.file.close()
    shown = console.export_text()
    for words in ("hidden", "learning rate", "seed", "2-2", "0.05", "best", "log loss"):
        assert words in shown
    assert "3 folds" in repr(sweep_mlp(X, Y, folds=3, seed=1, epochs=1))
    model = result.best_model
    assert model.training["seed"] == result.seed[result.best]
    assert model.training["trainer"] == "train_mlp"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": []}, "learning_rate is empty: give at least one"),
        ({"seed": []}, "seed is empty"),
        ({"learning_rate": [0.1, -1.0]}, r"learning_rate\[1\] is -1.0; a finite number above 0"),
        ({"learning_rate": "auto"}, "learning_rate is 'auto'; a finite number above 0"),
        ({"learning_rate": [[0.1]]}, r"learning_rate\[0\] is \[0.1\]"),
        ({"momentum": [0.5, 1.0]}, r"momentum\[1\] is 1.0"),
        ({"momentum": [0.0, 0.5], "optimizer": "adam"}, "momentum is an option of 'sgd'"),
        ({"seed": [1, -1]}, "seed is -1"),
        ({"seed": [1, 2.5]}, "seed is 2.5"),
        ({"schedule": ["constant", "optimal"]}, "there is no schedule"),
        ({"epsilon": [0.0]}, "epsilon is 0"),
        ({"dropout": [0.1, 1.5]}, r"dropout\[1\] is 1.5"),
        ({"hidden": [(4,), 8]}, r"one shape, such as \(8, 4\), or a list of shapes"),
        ({"hidden": [(4,), (0,)]}, "a hidden layer's width is 0"),
        ({"hidden": ()}, "hidden is empty"),
        ({"batch_size": [1, 2]}, r"batch_size is \[1, 2\]"),
        ({"epochs": [1, 2]}, r"epochs is \[1, 2\]"),
        ({"optimizer": ["sgd"]}, "there is no optimizer"),
        ({"activation": ["relu", "tanh"]}, "there is no activation"),
        ({"loss": ["log_loss"]}, "there is no loss"),
        ({"nesterov": [True]}, r"nesterov is \[True\]"),
        ({"engine": ["fast"]}, "there is no engine"),
        ({"folds": 1}, "folds is 1; a whole number of at least 2"),
        ({"folds": 7}, "folds is 7 and X has 6 rows"),
        ({"folds": [0, 0, 0, 1, 1, 1]}, "without fold 0 one label is left"),
        ({"folds": 2, "validation": 0.5}, "give one of them"),
        ({"standardize_y": True}, "standardize_y is for numbers"),
        ({"standardize": 1}, "standardize is 1; True or False"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"weights": [np.ones((1, 3)), np.ones((3, 1))]}, "weights are those of a 1-3-1 network"),
        ({"sample_weight": [1.0]}, "sample_weight has shape"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        sweep_mlp([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0, 0, 0, 1, 1, 1], **({"epochs": 1} | options))


def test_bad_rows(tmp_path):
    with pytest.raises(ValueError, match=r"X\[1, 0\] is NaN"):
        sweep_mlp([1.0, np.nan], [0, 1])
    with pytest.raises(ValueError, match="again and again from memory"):
        sweep_mlp(tmp_path / "rows.csv", "y")
    with pytest.raises(ValueError, match="without fold 1 no row of 2 is left"):
        sweep_mlp(np.arange(6.0), [0, 1, 2, 0, 1, 1], folds=[0, 0, 1, 1, 1, 0])
