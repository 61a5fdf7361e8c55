"""`SGDClassifier` in segments: the weights of rows in turn, the same bits for any number of threads."""

from contextlib import nullcontext

import numpy as np
import pytest
from compare import distance, needs_numba
from segment_runs import EPOCHS, always, largest_rate, pass_fail

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from samples import flat
from sklearn import linear_model

from tinynet_fast.sklearn import SGDClassifier
from tinynet_fast.training import block_segments, junctions, segments

BLOCKS = {"LEAST_ROWS": 256, "MEASURED": 0.2}
X, Y = pass_fail(40_000, 2, seed=1)
X = np.clip(X, -1.5, 1.5)  # so that rates can be large, and two runs soon meet
RATE = 0.6 * largest_rate(X)
PLAIN = {
    "shuffle": False,
    "penalty": None,
    "learning_rate": "constant",
    "eta0": RATE,
    "tol": None,
    "max_iter": 3,
    "random_state": 0,
}
VALIDATION = {"X_val": X[:500], "y_val": Y[:500]}
WEIGHTS = np.random.default_rng(0).random(len(X))


def in_segments(rows=X, labels=Y, part=block_segments, fit=None, **options):
    with always(part, BLOCKS if part is block_segments else EPOCHS):
        return SGDClassifier(loss="log_loss", **{**PLAIN, **options}).fit(rows, labels, **(fit or {}))


def in_turn(rows=X, labels=Y, fit=None, **options):
    model = SGDClassifier(loss="log_loss", **{**PLAIN, **options}, engine="strict").fit(rows, labels, **(fit or {}))
    assert model.certificate_ is None
    return model


def assert_in_turn(model, rows=X, labels=Y, **options):
    ref = in_turn(rows, labels, **options)
    assert distance(flat(model), flat(ref)) <= 1e-12
    assert (model.n_iter_, model.t_, model.engine_) == (ref.n_iter_, ref.t_, "fast")


@needs_numba
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": "invscaling", "power_t": 0.2},
        {"class_weight": {0.0: 0.5, 1.0: 0.8}},
        {"fit": {"sample_weight": WEIGHTS}},
        {"fit": {"coef_init": np.full((1, 2), 2.0), "intercept_init": -1.0}},
        {"early_stopping": True, "tol": 1e-3, "max_iter": 30, "fit": VALIDATION},
        {"learning_rate": "adaptive", "early_stopping": True, "tol": 1e-3, "max_iter": 300, "fit": VALIDATION},
        {"fit": VALIDATION},
        {"learning_rate": "adaptive"},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_blocks(options, monkeypatch):
    """Several blocks an epoch, the last of which is short."""
    monkeypatch.setattr(block_segments, "BLOCK_ROWS", 16_384)
    model = in_segments(**options)
    assert model.certificate_.segments >= 8
    assert model.certificate_.bound <= 5e-13
    assert_in_turn(model, **options)


def test_float32_is_not_trained_in_segments():
    """scikit-learn rounds each weight to float32, and segments do not."""
    rows = X.astype(np.float32)
    model = in_segments(rows)
    assert model.certificate_ is None
    assert model.engine_ == "exact"
    ref = linear_model.SGDClassifier(loss="log_loss", **PLAIN).fit(rows, Y)
    np.testing.assert_array_equal(flat(model), flat(ref))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"penalty": "l2", "alpha": 0.01},
        {"class_weight": {0.0: 0.5, 1.0: 0.8}},
        {"fit": {"sample_weight": WEIGHTS[:150]}},
        {"fit": {"coef_init": np.full((1, 2), 2.0), "intercept_init": -1.0}},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_epochs(options):
    rows, labels = X[:150], Y[:150]
    options = {"max_iter": 150, **options}
    model = in_segments(rows, labels, segments, **options)
    assert model.certificate_.segments >= 8
    assert model.certificate_.bound <= 5e-13
    assert_in_turn(model, rows, labels, **options)


def test_epochs_of_long_blocks():
    with always(block_segments, BLOCKS):
        model = in_segments(part=segments, max_iter=20)
    assert model.certificate_.segments >= 16
    assert_in_turn(model, max_iter=20)


def test_gaps_that_are_too_wide_are_trained_again():
    rows = X.copy()
    rows[20_000:] *= 1e-3  # rows that hardly change anything: the burn-in that was measured is too short
    model = in_segments(rows, max_iter=1)
    assert model.certificate_.rows_again > 1000
    assert_in_turn(model, rows, max_iter=1)


@pytest.mark.parametrize("options", [{}, {"max_iter": 20}], ids=lambda options: " ".join(options) or "plain")
def test_threads_change_no_bit(options, monkeypatch):
    monkeypatch.setattr(junctions, "MORE_SECONDS", 100.0)  # as many segments as there can be
    part = segments if options.get("max_iter") else block_segments
    models = [in_segments(part=part, n_jobs=n_jobs, **options) for n_jobs in (None, 1, 2, 3, -1)]
    assert models[0].certificate_.segments >= (16 if part is segments else 50)
    for model in models[1:]:
        np.testing.assert_array_equal(flat(model), flat(models[0]))
        assert model.certificate_ == models[0].certificate_


def test_what_is_not_trained_in_segments():
    """Whatever looks at the objective of each row, has no kernel, or has no proof."""
    negative = np.where(np.arange(len(X)) % 50, 1.0, -0.5)
    for options in (
        {"tol": 1e-3, "max_iter": 2, "n_iter_no_change": 5},
        {"shuffle": True},
        {"early_stopping": True, "tol": 0.1},
        {"penalty": "l1"},
        {"penalty": "l2"},
        {"average": True},
        {"fit_intercept": False},
        {"engine": "strict"},
        {"eta0": 2.0 * largest_rate(X)},
        {"learning_rate": "optimal", "alpha": 1e-4},  # whose first steps overshoot
        {"learning_rate": "optimal", "alpha": 0.5},  # whose rate soon is too small
        {"fit": {"sample_weight": negative}},
        {"class_weight": {1.0: -0.1}},
    ):
        with pytest.warns() if "tol" in options else nullcontext():
            assert in_segments(**options).certificate_ is None, options
    for options in ({"penalty": "l2", "shuffle": True}, {"learning_rate": "invscaling"}):
        model = in_segments(X[:150], Y[:150], segments, **{"max_iter": 150, **options})
        assert model.certificate_ is None
    assert in_segments(labels=np.arange(len(X)) % 3).certificate_ is None
    with always(block_segments, BLOCKS):
        model = SGDClassifier(loss="log_loss", **PLAIN).partial_fit(X, Y, classes=[0.0, 1.0])
    assert model.certificate_ is None


def test_the_validation_loss_is_that_of_each_epoch():
    """Epochs are not trained together if something looks at each of them."""
    rows, labels, fit = X[:150], Y[:150], {"X_val": X[200:250], "y_val": Y[200:250]}
    model = in_segments(rows, labels, segments, fit=fit, max_iter=30)
    ref = in_turn(rows, labels, fit=fit, max_iter=30)
    assert model.certificate_ is None
    np.testing.assert_allclose(model.validation_loss_curve_, ref.validation_loss_curve_, rtol=1e-12)
