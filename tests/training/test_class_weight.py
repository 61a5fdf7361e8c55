"""class_weight: the weights are scikit-learn's, and a run has the bits of one with these sample weights."""

import numpy as np
import pytest
from tables import write

from tinynet_fast import sweep, train_neuron
from tinynet_fast.training.options import checked

ROWS = 600
BASE = {"shuffle": False, "seed": None, "random_start": False, "validation": None, "engine": "fast", "epochs": 1}


@pytest.fixture(scope="module")
def rows():
    """600 rows of three inputs, and labels of which one in six is 1."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((ROWS, 3))
    return X, (X[:, 0] + 0.5 * rng.standard_normal(ROWS) > 1.0).astype(int)


def blocks(X, y, size=77):
    return lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, len(X), size))


def same(ref, comp):
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history)
    np.testing.assert_array_equal(comp.model.weights, ref.model.weights)
    np.testing.assert_array_equal(comp.model.bias, ref.model.bias)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 0.5, 1: 7.0}, {1: 3.0}, {True: 2.5, False: 1.0}])
def test_weights_are_those_of_scikit_learn(class_weight, rows):
    utils = pytest.importorskip("sklearn.utils.class_weight", reason="the formula is scikit-learn's")
    X, y = rows
    ref = utils.compute_sample_weight(class_weight, y)
    comp = checked(X, y, class_weight=class_weight, **BASE)
    np.testing.assert_allclose(comp.rows.sample_weight, ref, rtol=1e-15)
    assert comp.largest == pytest.approx(np.max(ref * ((X * X).sum(axis=1) + 1.0)))
    by_label = utils.compute_class_weight(class_weight, classes=np.array([0, 1]), y=y)
    np.testing.assert_allclose(comp.recorded["class_weight"], by_label, rtol=1e-15)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 6.0}])
def test_the_model_is_that_of_scikit_learn(class_weight, rows):
    """Its SGDClassifier, rows in turn at a constant rate, multiplies steps by the same weights."""
    linear = pytest.importorskip("sklearn.linear_model", reason="the estimator is scikit-learn's")
    X, y = rows
    ref = linear.SGDClassifier(
        loss="log_loss",
        alpha=0.0,
        penalty=None,
        learning_rate="constant",
        eta0=0.05,
        shuffle=False,
        max_iter=3,
        tol=None,
        class_weight=class_weight,
    ).fit(X, y)
    comp = train_neuron(X, y, learning_rate=0.05, epochs=3, class_weight=class_weight).model
    np.testing.assert_allclose(comp.weights, ref.coef_[0], rtol=1e-9)
    np.testing.assert_allclose(comp.bias, ref.intercept_[0], rtol=1e-9)


WAYS = {
    "plain": {},
    "averaged": {"average": True, "l2": 1e-3},
    "strict": {"engine": "strict"},
    "overshooting": {"learning_rate": 2.0},
    "falling": {"learning_rate": 3.0, "schedule": "invscaling", "epochs": 5},
    "cosine": {"schedule": "cosine", "epochs": 3},
    "hinge": {"loss": "hinge", "learning_rate": 0.01},
    "auto": {"learning_rate": "auto", "epochs": 5},
    "shuffled": {"shuffle": True, "seed": 5},
    "standardised": {"standardize": True},
}


@pytest.mark.filterwarnings("ignore::tinynet_fast.TrainingWarning")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("class_weight", ["balanced", {0: 0.25, 1: 3.0}])
def test_a_run_is_that_with_sample_weights(way, class_weight, rows, tmp_path):
    X, y = rows
    options = {"epochs": 4} | WAYS[way]
    counts = np.bincount(y)
    by_label = ROWS / (2.0 * counts) if class_weight == "balanced" else np.array([0.25, 3.0])
    ref = train_neuron(X, y, sample_weight=by_label[y], **options)
    comp = train_neuron(X, y, class_weight=class_weight, **options)
    same(ref, comp)
    assert comp.engine == ref.engine
    assert comp.model.training["class_weight"] == by_label.tolist()
    if way != "shuffled":
        streamed = train_neuron(blocks(X, y), class_weight=class_weight, **options)
        if way == "auto":
            assert streamed.rate_search.learning_rate == comp.rate_search.learning_rate
        same(ref, streamed)
    table = write(tmp_path / "d.csv", ["a", "b", "c", "y"], [(*x, int(t)) for x, t in zip(X.tolist(), y, strict=True)])
    same(ref, train_neuron(table, "y", class_weight=class_weight, **options))


def test_sample_weights_and_weights_of_labels_are_multiplied(rows):
    X, y = rows
    own = np.random.default_rng(0).random(ROWS)
    ref = train_neuron(X, y, sample_weight=own * np.array([0.25, 3.0])[y], epochs=3)
    same(ref, train_neuron(X, y, sample_weight=own, class_weight={0: 0.25, 1: 3.0}, epochs=3))


def test_steps_that_overshoot_only_with_the_weights_are_left_to_strict(rows):
    X, y = rows
    largest = np.max((X * X).sum(axis=1) + 1.0)
    options = {"learning_rate": 4.0 / largest, "epochs": 2}
    assert train_neuron(X, y, **options).engine.startswith("fast")
    for given in ((X, y), (blocks(X, y),)):
        result = train_neuron(*given, class_weight={0: 1.0, 1: 50.0}, **options)
        assert result.engine.startswith("strict")


def test_held_out_rows_do_not_count(rows):
    X, y = rows
    options = {"validation": 0.3, "seed": 3, "epochs": 2, "class_weight": "balanced"}
    memory, stream = train_neuron(X, y, **options), train_neuron(blocks(X, y), **options)
    from tinynet_fast.rows.blocks import split_rows
    from tinynet_fast.rows.stream import HoldOut

    for result, trained in ((memory, split_rows(ROWS, 0.3, 3)[0]), (stream, ~HoldOut(0.3, 3).held(0, ROWS))):
        counts = np.bincount(y[trained])
        assert result.model.training["class_weight"] == (counts.sum() / (2.0 * counts)).tolist()


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [-1.0, 3.0], [7, 11]])
def test_labels_of_every_kind(labels, rows):
    X, y = rows
    given = np.array(labels)[y]
    ref = train_neuron(X, y, class_weight={1: 4.0}, epochs=2)
    same(ref, train_neuron(X, given, class_weight={labels[1]: 4.0}, epochs=2))
    same(ref, train_neuron(X, given, class_weight={np.array(labels)[1]: 4.0}, epochs=2))
    same(ref, train_neuron(blocks(X, given), class_weight={labels[1]: 4.0}, epochs=2))


@pytest.mark.parametrize("output", [None, "one_vs_rest"])
def test_three_labels(output, rows):
    utils = pytest.importorskip("sklearn.utils.class_weight", reason="the formula is scikit-learn's")
    X, _ = rows
    y = np.digitize(X[:, 0], [-0.5, 1.0])
    ref = train_neuron(X, y, sample_weight=utils.compute_sample_weight("balanced", y), output=output, epochs=2)
    comp = train_neuron(X, y, class_weight="balanced", output=output, epochs=2)
    np.testing.assert_allclose(comp.model.weights, ref.model.weights, rtol=1e-12)
    assert comp.model.training["class_weight"] == pytest.approx((ROWS / (3.0 * np.bincount(y))).tolist())


def test_a_sweep(rows):
    X, y = rows
    by_label = ROWS / (2.0 * np.bincount(y))
    options = {"learning_rate": [0.01, 0.1], "epochs": 2, "folds": 3, "seed": 1}
    ref = sweep(X, y, sample_weight=by_label[y], **options)
    comp = sweep(X, y, class_weight="balanced", **options)
    np.testing.assert_array_equal(comp.weights, ref.weights)
    np.testing.assert_array_equal(comp.held_out_loss, ref.held_out_loss)
    held = sweep(X, y, class_weight={1: 3.0}, learning_rate=0.1, validation=0.3, seed=1)
    assert held.models[0].training.get("class_weight", [1.0, 3.0]) == [1.0, 3.0]


def test_a_checkpoint_of_other_weights_is_refused(rows, tmp_path):
    X, y = rows
    for k, given in enumerate([(X, y), (write(tmp_path / "d.csv", ["a", "b", "c", "y"], np.c_[X, y].tolist()), "y")]):
        path = tmp_path / f"{k}.json"
        train_neuron(*given, class_weight="balanced", epochs=2, checkpoint=path)
        ref = train_neuron(*given, class_weight="balanced", epochs=4)
        same(ref, train_neuron(*given, class_weight="balanced", epochs=4, checkpoint=path))
        for other in (None, {1: 2.0}):
            with pytest.raises(ValueError, match="a checkpoint of another run: class_weight was"):
                train_neuron(*given, class_weight=other, epochs=4, checkpoint=path)


def test_rows_that_can_be_read_once(rows):
    X, y = rows
    once = {"labels": (0, 1), "epochs": 1}
    same(
        train_neuron(X, y, class_weight={1: 4.0}, epochs=1),
        train_neuron(blocks(X, y)(), class_weight={1: 4.0}, **once),
    )
    with pytest.raises(ValueError, match="class_weight='balanced' counts the labels before training, and these rows"):
        train_neuron(blocks(X, y)(), class_weight="balanced", **once)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("equal", "class_weight is 'equal'; 'balanced' is needed, or a dict from label to weight"),
        ([1.0, 2.0], r"class_weight is \[1.0, 2.0\]; 'balanced' is needed"),
        ({0: 1.0, 2: 3.0}, "class_weight has the label 2, which no row has; the labels are 0, 1: correct it"),
        ({"1": 3.0}, "class_weight has the label '1', which no row has"),
        ({1: -1.0}, r"class_weight\[1\] is -1.0; a finite number of at least 0"),
        ({1: float("nan")}, r"class_weight\[1\] is nan; a finite number"),
        ({1: "2"}, r"class_weight\[1\] is '2'; a finite number"),
        ({1: 0.0}, "class_weight is 0 for all labels except 0: training needs rows of two labels"),
        ({0: 0.0, 1: 0}, "class_weight is 0 for all labels: training needs"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_refused(class_weight, message, streamed, rows):
    X, y = rows
    with pytest.raises(ValueError, match=message):
        train_neuron(*((blocks(X, y),) if streamed else (X, y)), class_weight=class_weight, epochs=1)


def test_products_that_are_too_large_or_leave_one_label(rows):
    X, y = rows
    with pytest.raises(ValueError, match=r"sample_weight\[0\] times its class_weight is too large"):
        train_neuron(X, y, class_weight={0: 1e300}, sample_weight=np.full(ROWS, 1e300))
    three = np.digitize(X[:, 0], [-0.5, 1.0])
    with pytest.raises(ValueError, match="sample_weight times class_weight is 0 except for rows of one label, 1"):
        train_neuron(X, three, class_weight={0: 0.0}, sample_weight=(three < 2).astype(float))
