"""Tools around scikit-learn take the estimators as they take its own. `make test-tools` installs all these tools."""

import numpy as np
import pytest
from compare import needs_numba
from segment_runs import always, largest_rate, pass_fail

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinynet_fast.sklearn import MLPClassifier, SGDClassifier, SGDRegressor
from tinynet_fast.training import block_segments

SGD = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05, max_iter=20, tol=None, random_state=0)
MLP = MLPClassifier((8,), learning_rate_init=0.05, max_iter=20, tol=0.0, random_state=0)
models = pytest.mark.parametrize("model", [SGD, MLP], ids=lambda model: type(model).__name__)
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)

X, Y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
TWO = Y < 2  # rows of two classes
LABELS = np.array(["low", "high", "middle"])[Y]


@models
@pytest.mark.parametrize("options", [{}, {"engine": "strict"}, {"learning_rate": "auto"}], ids=str)
def test_skops(model, options):
    """A model is saved without pickle. To read it one trusts our class, and the search for a rate or the solver."""
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    if "learning_rate" in options and model is MLP:
        options = {"solver": "sgd"}
    ref = make_pipeline(StandardScaler(), clone(model).set_params(**options)).fit(X, LABELS)
    data = io.dumps(ref)
    kind = type(model)
    asked = {f"{kind.__module__}.{kind.__name__}"}
    if model is MLP:
        solver = "SGDOptimizer" if "solver" in options else "AdamOptimizer"
        asked.add(f"sklearn.neural_network._stochastic_optimizers.{solver}")
    elif "learning_rate" in options:
        asked.add("tinynet_fast.training.result.RateSearch")
    assert set(io.get_untrusted_types(data=data)) == asked
    comp = io.loads(data, trusted=sorted(asked))
    np.testing.assert_array_equal(comp.predict_proba(X), ref.predict_proba(X))
    assert comp.predict(X).tolist() == ref.predict(X).tolist()
    for whole in (comp, ref):
        whole[-1].partial_fit(X, LABELS)
    np.testing.assert_array_equal(comp.predict_proba(X), ref.predict_proba(X))


def test_skops_keeps_a_regression():
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    ref = SGDRegressor(average=True, random_state=0).fit(X, Y)
    comp = io.loads(io.dumps(ref), trusted=["tinynet_fast.sklearn.sgd_regressor.SGDRegressor"])
    for model in (comp, ref):
        model.partial_fit(X, Y)
    np.testing.assert_array_equal(comp.predict(X), ref.predict(X))


@needs_numba
def test_skops_keeps_a_certificate():
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    rows, labels = pass_fail(40_000, 2, seed=1)
    rows = np.clip(rows, -1.5, 1.5)
    options = {"learning_rate": "constant", "penalty": None, "shuffle": False, "tol": None, "max_iter": 2}
    with always(block_segments, {"LEAST_ROWS": 256, "MEASURED": 0.2}):
        ref = SGDClassifier(loss="log_loss", eta0=0.6 * largest_rate(rows), **options).fit(rows, labels)
    data = io.dumps(ref)
    comp = io.loads(data, trusted=io.get_untrusted_types(data=data))
    assert comp.certificate_ == ref.certificate_ is not None


def test_shap_explains_a_linear_model():
    """The values of a row and the base value add up to the row's sum; each is weight times distance from the mean."""
    shap = pytest.importorskip("shap", reason="shap is not installed: make test-tools")
    model = clone(SGD).fit(X[TWO], Y[TWO])
    values = shap.LinearExplainer(model, shap.maskers.Independent(X[TWO], max_samples=len(X)))(X[TWO])
    np.testing.assert_allclose(values.values, (X[TWO] - X[TWO].mean(axis=0)) * model.coef_[0], rtol=1e-9, atol=1e-9)
    total = values.values.sum(axis=1) + values.base_values
    np.testing.assert_allclose(total, model.decision_function(X[TWO]), rtol=1e-9, atol=1e-9)


@models
def test_shap_explains_probabilities(model):
    shap = pytest.importorskip("shap", reason="shap is not installed: make test-tools")
    model = clone(model).fit(X, Y)
    values = shap.Explainer(model.predict_proba, X[::6], seed=0)(X[:5])
    total = values.values.sum(axis=1) + values.base_values
    np.testing.assert_allclose(total, model.predict_proba(X[:5]), rtol=0.0, atol=1e-6)


@models
def test_optuna_searches_and_prunes(model):
    optuna = pytest.importorskip("optuna", reason="optuna is not installed: make test-tools")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        tried = clone(model).set_params(alpha=trial.suggest_float("alpha", 1e-6, 1e3, log=True))
        for epoch in range(5):
            trial.report(tried.partial_fit(X[::2], Y[::2], classes=np.unique(Y)).score(X[1::2], Y[1::2]), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return cross_val_score(tried, X, Y, cv=3).mean()

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=0), pruner=optuna.pruners.MedianPruner(4)
    )
    study.optimize(objective, n_trials=12)
    assert study.best_value > 0.9
    assert study.best_params["alpha"] < 10.0
    assert any(trial.state == optuna.trial.TrialState.PRUNED for trial in study.trials)


@models
def test_imbalanced_learn(model):
    """Its samplers in pipelines, and its ensembles of our estimator, find more rows of a rare class."""
    pytest.importorskip("imblearn", reason="imbalanced-learn is not installed: make test-tools")
    from imblearn.ensemble import BalancedBaggingClassifier
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline as resampled

    rng = np.random.default_rng(0)
    rare = np.r_[np.zeros(950, dtype=int), np.ones(50, dtype=int)]
    rows = rng.standard_normal((1000, 3)) + rare[:, np.newaxis]

    def found(whole):
        return np.mean(whole.fit(rows, rare).predict(rows)[rare == 1])

    plain = found(clone(model))
    assert found(resampled(StandardScaler(), RandomOverSampler(random_state=0), clone(model))) > plain + 0.2
    bagging = BalancedBaggingClassifier(clone(model), n_estimators=3, random_state=0)
    assert found(bagging) > found(BaggingClassifier(clone(model), n_estimators=3, random_state=0)) + 0.2


@models
def test_mlxtend(model):
    pytest.importorskip("mlxtend", reason="mlxtend is not installed: make test-tools")
    from mlxtend.classifier import EnsembleVoteClassifier, StackingClassifier
    from mlxtend.evaluate import bias_variance_decomp
    from mlxtend.feature_selection import SequentialFeatureSelector

    noise = np.random.default_rng(0).standard_normal((len(X), 2))
    search = SequentialFeatureSelector(clone(model), k_features=3, cv=3).fit(np.c_[noise, X[:, [6, 9, 12]]], Y)
    assert search.k_feature_idx_ == (2, 3, 4)
    for whole in (
        EnsembleVoteClassifier([clone(model), clone(model).set_params(random_state=1)], voting="soft"),
        StackingClassifier([clone(model)], meta_classifier=clone(SGD), use_probas=True),
    ):
        assert whole.fit(X, Y).score(X, Y) > 0.95
    rows, labels = load_iris(return_X_y=True)
    loss, *_ = bias_variance_decomp(
        clone(model), rows[::2], labels[::2], rows[1::2], labels[1::2], loss="0-1_loss", num_rounds=3, random_seed=0
    )
    assert 0.0 <= loss < 0.5
