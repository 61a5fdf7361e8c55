"""`sweep`: every model is as `train_neuron` trains it; cross-validation, threads, bad input."""

import numpy as np
import pytest
from compare import distance, flat
from ctrl_c import ended_by_ctrl_c
from hypothesis import given
from hypothesis import strategies as st
from problems import SEEDS, one_order, one_type
from rich.console import Console
from shard_cluster import LocalShards

from tinynet_fast import Neuron, sweep, train_neuron
from tinynet_fast.cluster.sweep import fold_of_rows
from tinynet_fast.cluster.train import sweep as sweep_shards
from tinynet_fast.rows.datasets import make_pass_fail, study_hours
from tinynet_fast.training import many_neurons
from tinynet_fast.training import sweep as module

ROWS = make_pass_fail(3000, 4, seed=3)
RATES = [0.001, 0.01, 0.05]
ARRAYS = ["weights", "biases", "loss_history", "progressive_loss", "held_out_history", "held_out_loss"]


def parameters(result):
    return np.column_stack([result.weights, result.biases])


def same_bits(comp, ref):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(comp, name), getattr(ref, name), strict=True)
    assert comp.best == ref.best


@given(SEEDS, st.data())
def test_every_model_is_a_run_of_train_neuron(seed, data):
    rng = np.random.default_rng(seed)
    n, d = data.draw(st.integers(4, 80)), data.draw(st.integers(1, 30))
    X = one_type(rng, rng.standard_normal((n, d)), data.draw(st.sampled_from(["float64", "float32", "int8", "bool"])))
    X = one_order(X, data.draw(st.sampled_from(["C", "F", "strided", "reversed"])))
    y = np.arange(n) % 2
    rates = (8.0 / ((X.astype(float) ** 2).sum(axis=1).max() + 1.0) * rng.random(3) ** 3 + 1e-9).tolist()
    options = {
        "epochs": data.draw(st.integers(1, 3)),
        "shuffle": data.draw(st.booleans()),
        "seed": 5,
        "sample_weight": rng.random(n) if data.draw(st.booleans()) else None,
        "weights": rng.standard_normal(d),
        "bias": 0.3,
    }
    engine = data.draw(st.sampled_from(["strict", "fast", "reference"]))
    result = sweep(X, y, learning_rate=rates, l2=[0.0, 0.01], average=[False, True], **options)
    for i, rate in enumerate(np.repeat(rates, 4).tolist()):
        chosen = {"l2": [0.0, 0.0, 0.01, 0.01][i % 4], "average": i % 2 == 1}
        ref = train_neuron(X, y, learning_rate=rate, **chosen, **options, engine=engine)
        assert distance(parameters(result)[i], flat(ref.model)) <= 1e-12
        np.testing.assert_allclose(result.loss_history[:, i], ref.loss_history, rtol=1e-11, atol=1e-13)
        assert (result.learning_rate[i], result.l2[i], result.average[i]) == (rate, *chosen.values())


def test_the_tutorials_answer():
    X, y, _ = study_hours()
    result = sweep(X, y, learning_rate=[0.01, 0.1, 0.5], weights=0.1, epochs=1000)
    assert parameters(result)[1] == pytest.approx([4.3018685464211535, -10.50801155978499], rel=1e-12)
    assert result.loss_history[[0, 100, 200, 900], 1] == pytest.approx([1.0155, 0.2670, 0.1557, 0.0291], abs=5e-5)


def test_progressive_loss_is_of_rows_before_they_are_learned():
    X, y = ROWS.X[:50], ROWS.y[:50]
    comp = sweep(X, y, learning_rate=0.1).progressive_loss
    model, total = Neuron(weights=np.zeros(4)), 0.0
    for i in range(50):
        total += model.mean_loss(X[i : i + 1], y[i : i + 1].astype(int))
        z = model.decision_function(X[i : i + 1])
        nudge = 0.1 * (1 / (1 + np.exp(-z)) - y[i])
        model.weights, model.bias = model.weights - nudge * X[i], model.bias - float(nudge[0])
    assert comp == pytest.approx(np.array([[total / 50]]), rel=1e-12)


def test_starts_of_their_own():
    rng = np.random.default_rng(0)
    weights, bias = rng.standard_normal((2, 4)), rng.standard_normal(2)
    result = sweep(ROWS.X, ROWS.y, learning_rate=[0.01, 0.02], weights=weights, bias=bias)
    for i in range(2):
        ref = train_neuron(
            ROWS.X, ROWS.y, learning_rate=result.learning_rate[i], epochs=1, weights=weights[i], bias=bias[i]
        )
        assert distance(parameters(result)[i], flat(ref.model)) <= 1e-12


# --- cross-validation -------------------------------------------------------------------------------------------------


def test_folds_are_models_trained_without_their_rows():
    fold_of_row = np.random.default_rng(1).integers(0, 3, 3000)
    options = {"learning_rate": [0.01, 0.1], "l2": 1e-3, "average": [False, True], "epochs": 2}
    result = sweep(ROWS.X, ROWS.y, folds=fold_of_row, **options)
    assert result.fold.tolist() == [-1, 0, 1, 2] * 4
    assert result.combination.tolist() == np.repeat(range(4), 4).tolist()
    for i in range(len(result)):
        kept = fold_of_row != result.fold[i]
        chosen = {"learning_rate": result.learning_rate[i], "l2": 1e-3, "average": bool(result.average[i])}
        ref = train_neuron(ROWS.X[kept], ROWS.y[kept], epochs=2, **chosen)
        assert distance(parameters(result)[i], flat(ref.model)) <= 1e-12
        np.testing.assert_allclose(result.loss_history[:, i], ref.loss_history, rtol=1e-11)
        if result.fold[i] >= 0:
            assert result.held_out_loss[i] == pytest.approx(ref.model.loss(ROWS.X[~kept], ROWS.y[~kept]), rel=1e-11)
            assert 0.3 < result.held_out_history[1, i] < 0.8
        else:
            assert np.isnan(result.held_out_loss[i])
            assert np.isnan(result.held_out_history[:, i]).all()
    scores = np.nanmean(result.held_out_loss.reshape(4, 4), axis=1)
    np.testing.assert_array_equal(result.scores(), scores)
    assert result.best == 4 * np.argmin(scores)


def test_folds_are_dealt_evenly_from_the_seed():
    X, y = ROWS.X[:101], np.arange(101) < 11
    result = sweep(X, y, folds=5, seed=7)
    rows = type("Rows", (), {"codes": y, "sample_weight": None, "__len__": lambda self: 101})()
    options = type("Options", (), {"rows": rows, "in_memory": rows, "seed": 7, "numbers": False})
    fold_of_row, k = module.folds_of(5, options)
    assert k == 5
    for label, least, most in ((True, 2, 3), (False, 18, 18)):
        counts = np.bincount(fold_of_row[y == label].astype(int), minlength=5)
        assert least <= counts.min() <= counts.max() <= most
    same_bits(sweep(X, y, folds=fold_of_row.astype(int)), result)
    assert sweep(X, y, folds=5).seed is not None


def test_against_scikit_learn():
    """With the same folds and the same way to judge, the scores are those of GridSearchCV."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    model_selection = pytest.importorskip("sklearn.model_selection")
    fold_of_row = np.arange(3000) % 5
    search = model_selection.GridSearchCV(
        linear_model.SGDClassifier(
            loss="log_loss", alpha=1e-3, learning_rate="constant", shuffle=False, tol=None, max_iter=3
        ),
        {"eta0": RATES},
        scoring="neg_log_loss",
        cv=model_selection.PredefinedSplit(fold_of_row),
    ).fit(ROWS.X, ROWS.y)
    result = sweep(ROWS.X, ROWS.y, learning_rate=RATES, l2=1e-3, folds=fold_of_row, epochs=3)
    assert result.scores() == pytest.approx(-search.cv_results_["mean_test_score"], rel=1e-9)
    assert result.learning_rate[result.best] == search.best_params_["eta0"]
    best = np.append(search.best_estimator_.coef_, search.best_estimator_.intercept_)
    assert distance(parameters(result)[result.best], best) <= 1e-9


def test_validation_rows_judge_the_models():
    X, y, rates = ROWS.X[:900], ROWS.y[:900], [1e-4, 0.05, 0.2, 1e308]
    held = ROWS.X[900:1200], ROWS.y[900:1200]
    result = sweep(X, y, learning_rate=rates, epochs=3, validation=held)
    refs = [train_neuron(X, y, learning_rate=rate, epochs=3).model.loss(*held) for rate in rates[:3]]
    np.testing.assert_allclose(result.held_out_loss[:3], refs, rtol=1e-10)
    assert np.isnan(result.held_out_loss[3])
    assert result.best == np.argmin(refs)
    assert result.judged_on_other_rows
    assert not sweep(X, y, learning_rate=rates).judged_on_other_rows
    np.testing.assert_array_equal(result.weights, sweep(X, y, learning_rate=rates, epochs=3).weights)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_share_of_the_rows_judges_the_models(shuffle):
    weights = np.random.default_rng(0).uniform(0.5, 2.0, 3000)
    options = {"epochs": 2, "shuffle": shuffle, "seed": 4, "sample_weight": weights, "validation": 0.25}
    result = sweep(ROWS.X, ROWS.y, learning_rate=[0.01, 0.1], **options)
    for i, rate in enumerate((0.01, 0.1)):
        ref = train_neuron(ROWS.X, ROWS.y, learning_rate=rate, **options)
        assert distance(parameters(result)[i], flat(ref.model)) <= 1e-12
        assert result.held_out_loss[i] == pytest.approx(ref.validation_loss_history[-1], rel=1e-10)
    with pytest.raises(ValueError, match="folds and validation are two ways to judge"):
        sweep(ROWS.X, ROWS.y, folds=3, validation=0.2)


# --- threads, blocks, divergence --------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 30])
def test_threads_and_blocks_change_no_bit(monkeypatch, d):
    rows = make_pass_fail(1000, d)
    options = {"learning_rate": np.geomspace(1e-3, 1e-2, 7), "l2": [0.0, 0.1], "average": [False, True]}
    options |= {"folds": 3, "seed": 1, "epochs": 2, "shuffle": True, "sample_weight": np.random.rand(1000)}
    ref = sweep(rows.X, rows.y, **options)
    for n_jobs in (2, 3, 40, -1):
        same_bits(sweep(rows.X, rows.y, **options, n_jobs=n_jobs), ref)
    monkeypatch.setattr(many_neurons, "MOST_ROWS", 37)
    comp = sweep(rows.X, rows.y, **options, n_jobs=2)
    np.testing.assert_allclose(comp.held_out_loss, ref.held_out_loss, rtol=1e-13)  # summed by NumPy, block by block
    for name in set(ARRAYS) - {"held_out_loss"}:
        np.testing.assert_array_equal(getattr(comp, name), getattr(ref, name), strict=True)


def test_a_model_that_diverges_is_alone_in_it():
    rates = [0.01, 1e308, 0.02, 100.0]
    result = sweep(ROWS.X, ROWS.y, learning_rate=rates)
    assert result.diverged.tolist() == [False, True, False, False]
    assert result.unstable.tolist() == [False, True, False, True]
    assert result.models[1] is None
    assert result.best in (0, 2)
    for i, k in enumerate([0, 2]):
        alone = sweep(ROWS.X, ROWS.y, learning_rate=[0.01, 0.02])
        np.testing.assert_array_equal(parameters(result)[k], parameters(alone)[i], strict=True)
    none = sweep(ROWS.X, ROWS.y, learning_rate=[1e308, 1.5e308])
    assert none.best is none.best_model is None
    assert "diverged" in text(none.table())
    remarks = [line.split()[-2] for line in text(result.table()).splitlines() if "e+308" in line or "100 " in line]
    assert remarks == ["diverged", "unstable"]
    folds = sweep(ROWS.X, ROWS.y, learning_rate=[0.01, 0.02, 1e308], folds=2, seed=0)
    shown = text(folds.table())
    assert shown.count("diverged") == 1
    for i in (0, 3):  # of each combination the model of all rows, then one for each fold
        held_out = folds.held_out_loss[i + 1 : i + 3]
        assert f"{held_out.mean():.6f} ± {held_out.std():.6f}" in shown


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_interrupt(n_jobs):
    """Ctrl-C stops within 0.2 s."""
    rows = make_pass_fail(200_000, 8)
    sweep(rows.X[:100], rows.y[:100], learning_rate=np.geomspace(1e-4, 1e-3, 32), n_jobs=n_jobs)
    with ended_by_ctrl_c(within=0.5):
        sweep(rows.X, rows.y, learning_rate=np.geomspace(1e-4, 1e-3, 32), epochs=10_000, n_jobs=n_jobs)


# --- the result -------------------------------------------------------------------------------------------------------


def text(table):
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table)
    console.file.close()
    return console.export_text()


def test_models_and_table(tmp_path):
    labels = np.where(ROWS.y == 1, "pass", "fail")
    result = sweep(ROWS.X, labels, learning_rate=RATES, epochs=2)
    assert len(result) == len(result.models) == 3
    assert result.best == np.argmin(result.progressive_loss[-1])
    model = result.best_model
    np.testing.assert_array_equal(model.weights, result.weights[result.best])
    assert model.training["learning_rate"] == result.learning_rate[result.best]
    assert set(model.predict(ROWS.X[:50])) == {"pass", "fail"}
    model.save(tmp_path / "best.json")
    shown = text(result.table())
    assert "best" in shown
    for rate in RATES:
        assert f"{rate:g} " in shown
    assert "±" in text(sweep(ROWS.X, labels, folds=2, seed=0).table())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": []}, "learning_rate is empty: give at least one"),
        ({"learning_rate": [0.1, -1.0]}, r"learning_rate\[1\] is -1.0; a finite number above 0"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; a finite number above 0"),
        ({"l2": [0.1, np.nan]}, r"l2\[1\] is .*nan.*; a finite number of at least 0"),
        ({"average": [True, 2]}, r"average\[1\] is 2; True or False"),
        ({"epochs": 0}, "epochs is 0"),
        ({"folds": 1}, "folds is 1; a whole number of at least 2"),
        ({"folds": 5}, "folds is 5 and X has 4 rows"),
        ({"folds": [0, 1, 2]}, "for each of the 4 rows the number of its fold"),
        ({"folds": [0, 1, 3, 1]}, "none left out"),
        ({"folds": [0, 0, 0, 0]}, "at least two folds"),
        ({"folds": [0, 1, 2, 10**12]}, "none left out"),
        ({"folds": [0, 0, 1, 1]}, "without fold 0 one label is left"),
        ({"folds": [0.5, 1, 2, 3]}, "the number of its fold"),
        ({"weights": [1.0, 2.0]}, r"weights has shape \(2,\) and bias \(\)"),
        ({"weights": "none"}, "weights and bias are numbers"),
        ({"bias": np.inf}, "holds NaN or infinity"),
        ({"bias": [0.0, 1.0]}, r"for bias one number or \(1,\)"),
        ({"n_jobs": 0}, "n_jobs is 0; a whole number of at least 1"),
        ({"n_jobs": -2}, "n_jobs is -2"),
        ({"n_jobs": True}, "n_jobs is True"),
        ({"seed": -1}, "seed is -1"),
        ({"sample_weight": [1.0]}, "sample_weight has shape"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        sweep([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1], **options)


def test_bad_rows():
    with pytest.raises(ValueError, match=r"X\[1, 0\] is NaN"):
        sweep([1.0, np.nan], [0, 1])
    with pytest.raises(ValueError, match="one label only"):
        sweep([1.0, 2.0], [1, 1])


@pytest.mark.parametrize(("n", "d", "folds"), [(30_011, 10, 5), (20_011, 200, 3)])
def test_no_figure_depends_on_the_number_of_threads(n, d, folds):
    """The rows make several blocks, and the blocks depend on the number of threads."""
    rows = make_pass_fail(n, d, seed=1)
    options = {"learning_rate": np.geomspace(1e-4, 1e-2, 17), "l2": [0.0, 1e-4], "average": [False, True]}
    ref = sweep(rows.X, rows.y, folds=folds, seed=0, **options)
    for n_jobs in (2, 3, 5, 8):
        same_bits(sweep(rows.X, rows.y, folds=folds, seed=0, n_jobs=n_jobs, **options), ref)


def test_folds_are_judged_by_rows_that_they_were_not_trained_on():
    """Each fold's loss is that of a neuron trained on the other rows, measured on the fold's rows."""
    rows = make_pass_fail(3000, 3)
    X, y, options = rows.X[:120], rows.y[:120].astype(np.int64), {"learning_rate": 0.5, "epochs": 3}
    comp = sweep_shards(LocalShards(X, y, [50]), **(options | {"learning_rate": [0.5]}), folds=3, seed=0, mode="chain")
    fold = fold_of_rows(0, len(X), 3, 0)
    for k in range(3):
        model = train_neuron(X[fold != k], y[fold != k], **options).model
        loss = model.loss(X[fold == k], y[fold == k])
        assert abs(loss - model.loss(X[fold != k], y[fold != k])) > 1e-3  # the other rows would give another loss
        assert comp.held_out_loss[1 + k] == pytest.approx(loss, rel=1e-9)
