"""A table whose target is a number: what decides that, the model, its report, and the file that keeps it."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, r2_score, root_mean_squared_error

from tinynet_fast import MLP, Neuron, evaluate, load, train, train_mlp, train_neuron
from tinynet_fast.columns import Target
from tinynet_fast.errors import TrainingWarning
from tinynet_fast.tables import metrics, number_defaults
from tinynet_fast.tables.number_defaults import find_number_options
from tinynet_fast.tables.number_report import NumberReport

QUICK = {"learning_rate": 0.02, "l2": 0.01, "epochs": 20}  # nothing to search


def houses(n=120, seed=0):
    rng = np.random.default_rng(seed)
    size, city = rng.normal(100.0, 20.0, n).round(1), rng.choice(["a", "b", "c"], n)
    price = 3.0 * size + np.select([city == "b", city == "c"], [50.0, -30.0], 0.0) + rng.normal(0.0, 20.0, n)
    return {"size": size, "city": city.tolist(), "price": price.round(2)}


@pytest.fixture(scope="module")
def result():
    return train(houses(), "price", **QUICK)


# --- what decides -----------------------------------------------------------------------------------------------------


def test_a_column_of_many_numbers_is_learned_as_numbers(result):
    assert isinstance(result.model, Neuron)
    assert result.model.output == "linear"
    assert result.model.target == Target("price", numbers=True)
    assert result.options["standardize_y"]
    assert re.fullmatch(
        r"'price' holds 1\d\d different numbers, which are learned as numbers; to learn them as labels, name them all "
        r"\(labels=\), or learn a condition such as 'price>=[\d.]+'",
        result.decided,
    )
    assert "learned as numbers" in " ".join(str(result).split())
    assert result.report.r2.value > 0.8


def test_conditions_labels_and_options_of_labels_stay_labels():
    table = houses()
    assert train(table, "price>=300", **QUICK).model.labels.tolist() == ["price<300", "price>=300"]
    assert train(table, "city", epochs=2, l2=0.01).model.labels.tolist() == ["a", "b", "c"]
    table["rooms"] = [1 + i % 5 for i in range(120)]  # few whole numbers
    found = train(table, "rooms", epochs=2, l2=0.01)
    assert (found.model.labels.tolist(), found.decided) == ([1, 2, 3, 4, 5], "")
    for options in ({"output": "labels"}, {"class_weight": "balanced"}, {"loss": "log_loss"}, {"loss": "focal"}):
        with pytest.raises(ValueError, match="look like measurements"):
            train(table, "price", **options)
    every = sorted(set(table["price"].tolist()))
    assert len(train(table, "price", labels=every, epochs=1, l2=0.1, validation=0).model.labels) == len(every)


@pytest.mark.parametrize("options", [{"output": "linear"}, {"loss": "huber"}, {"standardize_y": True}])
def test_few_numbers_are_learned_as_numbers_if_asked_for(options):
    table = houses()
    table["rooms"] = [1 + i % 5 for i in range(120)]
    found = train(table, "rooms", **QUICK, **options)
    assert (found.model.output, found.decided) == ("linear", "")


def test_numbers_that_are_written_as_people_write_them():
    table = houses()
    rows = {name: list(map(str, column)) for name, column in table.items()}
    rows["price"] = [f"{price:,.2f}".translate(str.maketrans(",.", ".,")) for price in 10.0 * table["price"]]
    rows["size"] = [text.replace(".", ",") for text in rows["size"]]
    found = train(rows, "price", **QUICK)
    plain = train(table | {"price": 10.0 * table["price"]}, "price", **QUICK)
    assert found.model.target.numbers
    np.testing.assert_allclose(found.model.weights, plain.model.weights, rtol=1e-12)
    assert found.model.score(rows, None) == pytest.approx(plain.model.score(table, 10.0 * table["price"]), rel=1e-9)


def test_numbers_without_names_and_an_array_of_them():
    table = houses()
    y = 2.0 * table["size"] + 1.0
    found = train(np.stack([table["size"], table["price"]], axis=1), y, **QUICK)
    assert found.model.output == "linear"
    assert found.decided.startswith("the target holds ")
    assert train(table | {"price": y}, y.tolist(), output="linear", **QUICK).report.r2.value > 0.9


def test_one_against_the_rest_and_weights_of_labels():
    table = houses()
    found = train(table, "city", output="one_vs_rest", epochs=3, learning_rate=0.01, class_weight="balanced")
    assert (found.model.output, found.model.labels.tolist()) == ("one_vs_rest", ["a", "b", "c"])
    assert found.report.rows == 24


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"output": "linear", "labels": [1, 2]}, "labels is for labels, and output='linear' learns numbers"),
        ({}, {"output": "linear", "positive": "a"}, "positive is for labels"),
        ({}, {"output": "linear", "class_weight": "balanced"}, "class_weight is for labels"),
        ({}, {"output": "numbers"}, "output='numbers': 'labels', 'linear'"),
        ({}, {"loss": "hinge"}, "loss='hinge' learns no probabilities"),
        ({}, {"loss": "log_loss", "output": "linear"}, "loss='log_loss' is for labels"),
        ({}, {"loss": "huber", "output": "labels"}, "look like measurements|loss='huber' is for numbers"),
        ({"price": [*houses()["price"][:-1], np.nan]}, {}, r"'price'.*: the number is missing: fill it"),
        ({"price": [*map(str, houses()["price"][:-1]), "abc"]}, {}, "'price'.*'abc' is not a number"),
        ({"price": [*houses()["price"][:-1], np.inf]}, {}, "infinite"),
        ({"price": houses()["city"]}, {"output": "linear"}, "'price'.* is not a number"),
        ({"price": -houses()["price"]}, {"loss": "poisson", **QUICK}, "poisson"),
    ],
)
def test_tables_of_numbers_that_are_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        train(houses() | change, "price", **options)


def test_missing_numbers_may_be_dropped():
    table = houses()
    table["price"][7] = np.nan
    found = train(table, "price", missing="drop", **QUICK)
    assert (found.rows, found.dropped) == (119, 1)


def test_a_number_that_never_changes():
    with pytest.warns(TrainingWarning, match="in every row"):
        found = train(houses() | {"price": [5.0] * 120}, "price", output="linear", **QUICK)
    assert found.report.r2.value is None
    assert "all rows have the same number" in str(found.report)


# --- the options ------------------------------------------------------------------------------------------------------


def test_the_options_give_the_same_weights(result):
    """`train_neuron` with the options in the result, on the same standardised rows."""
    model, table = result.model, houses()
    X = model.columns.encode_rows(table)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    mean[1:], scale[1:] = 0.0, 1.0
    comp = train_neuron((X - mean) / scale, table["price"], **result.options).model.for_raw_inputs(mean, scale)
    np.testing.assert_allclose(model.weights, comp.weights, rtol=1e-12)
    assert model.bias == pytest.approx(comp.bias, rel=1e-12)


def test_the_neuron_is_nearly_ridge_regression():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5))
    y = 100.0 + 10.0 * (X @ [1.0, -2.0, 0.5, 0.0, 3.0] + rng.standard_normal(300))
    found = find_number_options(X, y, ())
    comp = train_neuron(X, y, **found.options).model
    ref = Ridge(alpha=found.options["l2"] * 300).fit(X, y)
    np.testing.assert_allclose(comp.weights, ref.coef_, rtol=0.01, atol=0.1)
    assert r2_score(y, comp.predict(X)) == pytest.approx(r2_score(y, ref.predict(X)), abs=1e-4)


def test_ridge_losses_are_scikit_learns():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((60, 4)), rng.standard_normal(60)
    rows = number_defaults._rows(X, y, 0, 1000, number_defaults.choose_loss(None, "linear"))
    losses = number_defaults._ridge_losses(rows, np.array([0.5, 7.0]))
    for k, penalty in enumerate((0.5, 7.0)):
        for f in range(rows.folds):
            there = rows.fold == f
            share = np.mean(~there)
            ref = Ridge(alpha=penalty * share).fit(X[~there], y[~there]).predict(X[there])
            np.testing.assert_allclose(losses[k, there], (ref - y[there]) ** 2, rtol=1e-9)


@pytest.mark.parametrize("loss", [None, "huber"])
def test_the_penalty_of_a_neuron_is_that_of_all_rows(loss):
    """Of a sample, a neuron is trained with the l2 that gives it the same share of the loss."""
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((60, 4)), rng.standard_normal(60)
    rows = number_defaults._rows(X, y, 0, 1000, number_defaults.choose_loss(loss, "linear"))
    rows = replace(rows, in_all=3 * len(rows))
    options = {"learning_rate": 0.01, "epochs": 3, "output": "linear"} | ({"loss": loss} if loss else {})
    losses = number_defaults._losses_of_neuron(rows, options | {"l2": 7.0 / rows.in_all})
    if loss is None:
        ref = number_defaults._ridge_losses(rows, np.array([7.0]))[0]
    else:
        ref = number_defaults.held_out(train_neuron, rows, options | {"l2": 7.0 / len(rows)})
    np.testing.assert_allclose(losses, ref, rtol=1e-12)


def test_a_network_is_taken_if_it_is_clearly_better():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2.0, 2.0, (200, 1))
    curved = find_number_options(X, X[:, 0] ** 2 + 0.1 * rng.standard_normal(200), given={"epochs": 60})
    assert curved.options["hidden"] == number_defaults.HIDDEN
    assert curved.reason.startswith("a network of 32 hidden units, because it is better")
    straight = find_number_options(X, X[:, 0] + 0.5 * rng.standard_normal(200), given={"epochs": 60})
    assert "hidden" not in straight.options
    assert straight.reason.startswith("one neuron, because a network is not clearly better")
    assert "hidden" not in find_number_options(X, X[:, 0] ** 2, (), {"epochs": 60}).options
    assert "hidden" not in find_number_options(X, X[:, 0] ** 2, given={"l1": 0.1, "epochs": 60}).options
    threads = find_number_options(X, X[:, 0] ** 2, given={"n_jobs": 1, "epochs": 60})
    assert threads.options["hidden"] == number_defaults.HIDDEN


def test_hidden_units_are_used_if_named():
    found = train(houses(), "price", hidden=4, epochs=30, l2=0.01)
    assert isinstance(found.model, MLP)
    assert found.model.output == "linear"
    assert found.report.r2.value > 0.5


def test_what_was_given_stays():
    X = np.random.default_rng(0).standard_normal((80, 2))
    given = {"learning_rate": 0.01, "l2": 0.5, "epochs": 7, "loss": "quantile", "quantile": 0.9}
    found = find_number_options(X, X[:, 0], (), given)
    assert found.options.items() >= given.items()
    assert (
        find_number_options(X, np.exp(X[:, 0]), (), {"loss": "poisson", "epochs": 5}).options["standardize_y"] is False
    )
    assert "learning_rate" not in find_number_options(X, X[:, 0], (), {"schedule": "optimal", "l2": 0.1}).options


@pytest.mark.parametrize("rows", [2, 3])
def test_very_few_rows(rows):
    table = {"x": list(range(rows)), "y": [0.5 * i for i in range(rows)]}
    assert np.isfinite(train(table, "y", output="linear").model.predict({"x": 1.0})).all()


# --- the report -------------------------------------------------------------------------------------------------------


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    y = 5.0 + rng.standard_normal(50)
    predictions = y + 0.3 * rng.standard_normal(50)
    report = NumberReport.of(predictions, y, 4.0, ("quantile", 0.9), "price")
    assert report.r2.value == pytest.approx(r2_score(y, predictions), rel=1e-12)
    assert report.mae.value == pytest.approx(mean_absolute_error(y, predictions), rel=1e-12)
    assert report.rmse.value == pytest.approx(root_mean_squared_error(y, predictions), rel=1e-12)
    assert report.loss.value == pytest.approx(mean_pinball_loss(y, predictions, alpha=0.9), rel=1e-12)
    same = np.full(50, 4.0)
    assert report.baseline.r2 == pytest.approx(r2_score(y, same), rel=1e-12)
    assert report.baseline.mae == pytest.approx(mean_absolute_error(y, same), rel=1e-12)
    assert report.baseline.loss == pytest.approx(mean_pinball_loss(y, same, alpha=0.9), rel=1e-12)
    assert report.errors[0.5] == pytest.approx(np.median(y - predictions), rel=1e-12)
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["rows"] == 50
    assert repr(report).startswith("NumberReport(50 rows, R squared 0.")
    assert max(map(len, str(report).splitlines())) <= 80


def test_intervals_hold_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    hits = np.zeros(3)
    for _ in range(400):
        signal = rng.standard_normal(200)
        y = signal + 0.5 * rng.standard_normal(200)
        report = NumberReport.of(signal, y)
        truths = 1.0 - 0.25 / 1.25, 0.5 * np.sqrt(2.0 / np.pi), 0.5
        for k, score in enumerate((report.r2, report.mae, report.rmse)):
            hits[k] += score.low <= truths[k] <= score.high
    assert (np.abs(hits / 400 - 0.95) < 0.04).all(), hits


def test_large_numbers_do_not_overflow():
    y = np.array([1e200, -1e200, 2e200, 0.0])
    report = NumberReport.of(0.9 * y, y)
    assert report.r2.value == pytest.approx(r2_score(y / 1e200, 0.9 * y / 1e200))
    assert report.rmse.value == pytest.approx(1e199 * np.sqrt(1.5))
    assert np.isfinite(report.baseline.rmse)


def test_notes():
    y = np.arange(20.0)
    assert "of no use" in NumberReport.of(30.0 - y, y).notes[0]
    assert "may be chance" in NumberReport.of(y.mean() + 0.01 * np.cos(y), y).notes[0]
    assert NumberReport.of(y, y, 9.0).notes == ()
    assert "quantile" in NumberReport.of(y, y, 9.0, ("quantile", 0.9)).notes[0]
    assert "knows the mean of these rows" in NumberReport.of(y, y).notes[-1]


@pytest.mark.parametrize(
    ("predictions", "y", "message"),
    [
        ([], [], "at least one"),
        ([1.0], [1.0, 2.0], "one number a row"),
        ([[1.0, 2.0]], [[1.0, 2.0]], "one number a row"),
        ([np.inf], [1.0], "the prediction of row 0 is not finite"),
        ([1.0], [np.nan], "the true number of row 0 is not finite"),
    ],
)
def test_reports_that_are_refused(predictions, y, message):
    with pytest.raises(ValueError, match=message):
        NumberReport.of(np.array(predictions), np.array(y))


def test_a_report_of_one_row():
    report = NumberReport.of(np.array([1.0]), np.array([2.0]))
    assert (report.r2.value, report.mae.value, report.mae.low) == (None, 1.0, None)
    assert "undefined" in str(report)


def test_counts_are_judged_by_their_loss():
    y = np.array([0.0, 3.0, 1.0])
    means = np.array([0.5, 2.0, 1.5])
    report = NumberReport.of(means, y, 1.0, ("poisson", 0.0))
    assert report.loss.value == pytest.approx(np.mean(means - y * np.log(means)))
    assert metrics.r_squared(y, means).value == pytest.approx(r2_score(y, means))


# --- evaluate, pages, files -------------------------------------------------------------------------------------------


def test_evaluate(result, tmp_path):
    table = houses(60, 1)
    report = evaluate(result.model, table)
    assert report.r2.value == pytest.approx(result.model.score(table, None), rel=1e-12)
    assert report.baseline.of_training_rows
    assert report.baseline.mean == pytest.approx(houses()["price"].mean())
    assert evaluate(result.model, table, table["price"]).to_json() == report.to_json()
    lines = ["size,city,price", *(f"{s!r},{c},{p!r}" for s, c, p in zip(*map(list, table.values()), strict=True))]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines).replace("np.float64(", "").replace(")", "") + "\n")
    assert evaluate(result.model, path).r2.value == pytest.approx(report.r2.value, rel=1e-12)
    with pytest.raises(ValueError, match="is a condition, which has labels: for numbers, name the column 'price'"):
        evaluate(result.model, table, "price>=300")
    table["price"][3] = np.nan
    with pytest.raises(ValueError, match="the number is missing"):
        evaluate(result.model, table)
    assert evaluate(result.model, table, drop_missing=True).rows == 59


def test_evaluate_models_without_tables(tmp_path):
    X = np.random.default_rng(0).standard_normal((50, 2))
    y = X @ [1.0, 2.0]
    model = train_neuron(X, y, output="linear", loss="huber", delta=0.5, learning_rate=0.05, epochs=5, seed=0).model
    report = evaluate(model, X, y)
    assert report.loss.value == pytest.approx(model.loss(X, y), rel=1e-12)
    assert not report.baseline.of_training_rows
    np.savetxt(tmp_path / "d.csv", np.column_stack([X, y]), "%.17g", ",", header="x0,x1,y", comments="")
    named = train_neuron(tmp_path / "d.csv", "y", output="linear", learning_rate=0.05, epochs=5).model
    assert evaluate(named, tmp_path / "d.csv", "y").r2.value == pytest.approx(named.score(X, y), rel=1e-12)
    two = train_neuron(X, np.stack([y, -y], axis=1), output="linear", learning_rate=0.05, epochs=2).model
    with pytest.raises(ValueError, match=r"predicts 2: use model\.score"):
        evaluate(two, X, np.stack([y, -y], axis=1))


def test_the_page(result, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    result.save_report(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "How well is price predicted?" in text
    assert "R squared" in text
    assert "predictions are off by" in text
    assert text.count("<figure>") == 4
    assert "Confusion" not in text


def test_models_of_numbers_are_saved_with_their_target(result, tmp_path):
    path, table = tmp_path / "m.json", houses(30, 2)
    result.model.save(path)
    again = load(path)
    assert again.target == result.model.target
    np.testing.assert_array_equal(again.predict(table), result.model.predict(table))
    assert evaluate(again, table).to_json() == evaluate(result.model, table).to_json()


@pytest.mark.parametrize(
    "target",
    [
        {"name": "price", "test": ">=", "value": "3", "positive": None, "numbers": True},
        {"name": "price", "test": None, "value": None, "positive": "a", "numbers": True},
        {"name": "price", "test": None, "value": None, "positive": None, "numbers": 1},
    ],
)
def test_targets_that_are_refused(target):
    with pytest.raises(ValueError, match="labels and numbers"):
        Target.from_json(target)


def test_files_whose_target_does_not_fit_the_output(result, tmp_path):
    result.model.save(tmp_path / "m.json")
    found = json.loads((tmp_path / "m.json").read_text())
    found["target"] = {"name": "price", "test": None, "value": None, "positive": None}
    (tmp_path / "m.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match=r"m\.json"):
        load(tmp_path / "m.json")


def test_two_numbers_in_a_network_are_scored(tmp_path):
    X = np.random.default_rng(0).standard_normal((40, 2))
    model = train_mlp(X, X, output="linear", hidden=(3,), epochs=2, learning_rate=0.01, seed=0).model
    with pytest.raises(ValueError, match="predicts 2"):
        evaluate(model, X, X)
