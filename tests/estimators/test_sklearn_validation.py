"""`X_val` and `y_val`: the loss curve of rows that are not trained on, and early stopping by them."""

from itertools import product

import numpy as np
import pytest
from compare import distance
from samples import drawn, flat

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier as TheirMLP
from sklearn.neural_network import _multilayer_perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinynet_fast.sklearn import MLPClassifier, SGDClassifier
from tinynet_fast.training.loop import Tolerance


def rows(n=200, d=4, classes=2, seed=0):
    """Rows, labels and sample weights; the last quarter is for validation."""
    X, y, rng = drawn(n, d, classes, seed)
    part = slice(n - n // 4, n)
    weight = rng.random(n)
    trained = slice(0, n - n // 4)
    labels = np.array(["no", "yes", "perhaps"])[y]
    return (X[trained], labels[trained]), {"X_val": X[part], "y_val": labels[part]}, weight[trained], weight[part]


def models(**options):
    sgd = {"random_state": 0, "tol": None, "alpha": 0.01} | options
    yield SGDClassifier(loss="log_loss", **sgd)
    yield SGDClassifier(loss="log_loss", average=60, engine="strict", **sgd)
    yield SGDClassifier(loss="log_loss", average=True, penalty="l1", **sgd)
    yield MLPClassifier((5,), random_state=0, learning_rate_init=0.01, tol=1e-9, **options)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("classes", [2, 3])
def test_the_curve_is_the_log_loss_after_each_epoch(classes):
    """Measuring the validation rows changes no bit of the weights."""
    for model, weighted in product(models(max_iter=4), (False, True)):
        trained, given, weight, weight_val = rows(classes=classes)
        weights = {"sample_weight": weight} if weighted else {}
        own = weight_val if weighted else None
        comp = clone(model).fit(*trained, **weights, **given, sample_weight_val=own)
        assert len(comp.validation_loss_curve_) == comp.n_iter_ == 4
        for epochs, loss in enumerate(comp.validation_loss_curve_, 1):
            ref = clone(model).set_params(max_iter=epochs).fit(*trained, **weights)
            assert ref.validation_loss_curve_ is None
            probabilities = ref.predict_proba(given["X_val"])
            expected = log_loss(given["y_val"], probabilities, sample_weight=own, labels=ref.classes_)
            assert loss == pytest.approx(expected, rel=1e-12)
        np.testing.assert_array_equal(flat(comp), flat(ref))


@pytest.mark.parametrize("average", [False, True])
def test_sparse_rows_have_a_curve(average):
    trained, given, _, _ = rows(classes=3)
    options = {"random_state": 0, "tol": None, "average": average, "penalty": "elasticnet", "alpha": 0.02}
    comp = SGDClassifier(loss="log_loss", max_iter=3, **options).fit(
        sp.csr_matrix(trained[0]), trained[1], X_val=sp.csr_matrix(given["X_val"]), y_val=given["y_val"]
    )
    for epochs, loss in enumerate(comp.validation_loss_curve_, 1):
        ref = SGDClassifier(loss="log_loss", max_iter=epochs, **options).fit(sp.csr_matrix(trained[0]), trained[1])
        assert loss == pytest.approx(log_loss(given["y_val"], ref.predict_proba(given["X_val"])), rel=1e-9)
    assert distance(flat(comp), flat(ref)) == 0.0


def test_classes_that_stop_earlier_stay_as_they_are():
    trained, given, _, _ = rows(classes=3)
    model = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=0.05, alpha=0.01, n_iter_no_change=2, random_state=0
    )
    ref, comp = clone(model).fit(*trained), clone(model).fit(*trained, **given)
    np.testing.assert_array_equal(flat(comp), flat(ref))
    assert comp.n_iter_ == ref.n_iter_ == len(comp.validation_loss_curve_)
    side_by_side = clone(model).set_params(n_jobs=2).fit(*trained, **given)
    assert side_by_side.validation_loss_curve_ == comp.validation_loss_curve_
    np.testing.assert_array_equal(flat(side_by_side), flat(ref))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_network_stops_where_scikit_learns_would(classes, monkeypatch):
    """scikit-learn's, with our rows held out instead of its own. (Its version 1.8 fails if labels are words.)"""
    (X, labels), given, weight, weight_val = rows(400, classes=classes)
    names = np.unique(labels)
    trained = X, np.searchsorted(names, labels)
    given["y_val"] = np.searchsorted(names, given["y_val"])
    options = {"early_stopping": True, "n_iter_no_change": 3, "tol": 1e-3, "random_state": 2}
    options |= {"hidden_layer_sizes": (6,), "learning_rate_init": 0.02}
    comp = MLPClassifier(**options).fit(*trained, weight, **given, sample_weight_val=weight_val)
    splits = trained[0], given["X_val"], trained[1], given["y_val"], weight, weight_val

    def split(X, y, *weights, **_):
        codes = [np.searchsorted(comp.classes_, part)[:, np.newaxis] for part in (splits[2], splits[3])]
        if y.shape[1] > 1:
            codes = [(part == np.arange(y.shape[1])).astype(int) for part in codes]
        return *splits[:2], *codes, *(splits[4:] if weights else ())

    monkeypatch.setattr(_multilayer_perceptron, "train_test_split", split)
    ref = TheirMLP(**options).fit(*trained, weight)
    assert 1 < comp.n_iter_ == ref.n_iter_ < 200
    assert comp.validation_scores_ == pytest.approx(ref.validation_scores_, rel=1e-12)
    assert comp.best_validation_score_ == pytest.approx(ref.best_validation_score_, rel=1e-12)
    assert distance(flat(comp), flat(ref)) <= 1e-8
    assert len(comp.validation_loss_curve_) == comp.n_iter_


@pytest.mark.parametrize("classes", [2, 3])
def test_sgd_stops_by_the_accuracy_of_the_rows_given(classes):
    """The accuracy is that of each class against the rest, and every row of `X` is trained on."""
    trained, given, _, weight_val = rows(400, classes=classes)
    options = {"learning_rate": "constant", "eta0": 0.01, "random_state": 0, "shuffle": False}
    stop = {"early_stopping": True, "tol": 1e-3, "n_iter_no_change": 3}
    comp = SGDClassifier(loss="log_loss", **options, **stop).fit(*trained, **given, sample_weight_val=weight_val)
    epochs_of_classes = []
    for k in range(classes) if classes > 2 else [1]:
        y, y_val = trained[1] == comp.classes_[k], given["y_val"] == comp.classes_[k]
        watch, epochs, stopped = Tolerance(tol=1e-3, patience=3), 0, False
        while not stopped:
            epochs += 1
            alone = SGDClassifier(loss="log_loss", **options, max_iter=epochs, tol=None).fit(trained[0], y)
            predicted = alone.predict(given["X_val"])
            stopped = watch.stops(-accuracy_score(y_val, predicted, sample_weight=weight_val))
        row = k if classes > 2 else 0
        own = np.append(comp.coef_[row], comp.intercept_[row])
        assert distance(own, flat(alone)) <= 1e-12
        epochs_of_classes.append(epochs)
    assert comp.n_iter_ == max(epochs_of_classes) == len(comp.validation_loss_curve_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_rows_held_out_have_a_curve_too():
    trained, _, _, _ = rows()
    for model in models(max_iter=3, early_stopping=True):
        comp = model.fit(*trained)
        assert len(comp.validation_loss_curve_) == 3
        assert all(0.0 < loss < 2.0 for loss in comp.validation_loss_curve_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_goes_on_with_the_networks_curve():
    trained, given, _, _ = rows()
    model = MLPClassifier((3,), max_iter=2, warm_start=True, random_state=0)
    assert len(model.fit(*trained, **given).validation_loss_curve_) == 2
    assert len(model.fit(*trained, **given).validation_loss_curve_) == 4
    assert model.validation_scores_ is None


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_pipeline_transforms_them_as_it_does_the_rows():
    trained, given, _, _ = rows()
    for model in models(max_iter=3):
        scaler = StandardScaler().fit(trained[0])
        ref = clone(model).fit(
            scaler.transform(trained[0]), trained[1], X_val=scaler.transform(given["X_val"]), y_val=given["y_val"]
        )
        with config_context(enable_metadata_routing=True):
            routed = clone(model).set_fit_request(X_val=True, y_val=True)
            pipeline = make_pipeline(StandardScaler(), routed, transform_input=["X_val"]).fit(*trained, **given)
        assert pipeline[-1].validation_loss_curve_ == ref.validation_loss_curve_


def test_what_is_refused():
    trained, given, _, weight_val = rows()
    X_val, y_val = given["X_val"], given["y_val"]
    for model in (SGDClassifier(loss="log_loss"), MLPClassifier()):
        for bad, message in (
            ({"X_val": X_val}, "y_val is missing"),
            ({"y_val": y_val}, "X_val is missing"),
            ({"sample_weight_val": weight_val}, "X_val is missing"),
            ({"X_val": X_val[:, :2], "y_val": y_val}, "X_val, y_val: X has 2 features"),
            ({"X_val": X_val[1:], "y_val": y_val}, "X_val, y_val: .*inconsistent"),
            ({"X_val": np.where(X_val > 1.0, np.nan, X_val), "y_val": y_val}, "X_val, y_val: .*NaN"),
            ({"X_val": X_val, "y_val": np.where(np.arange(50) == 3, "?", y_val)}, r"y_val\[3\] is \?, which is not"),
            (given | {"sample_weight_val": np.full(50, -1.0)}, "must add up to more than 0"),
        ):
            with pytest.raises(ValueError, match=message):
                model.fit(*trained, **bad)
