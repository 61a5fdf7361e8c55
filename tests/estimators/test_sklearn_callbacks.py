"""scikit-learn's callbacks: what they are told of each epoch, and that they can stop training."""

import numpy as np
import pytest

pytest.importorskip("sklearn.callback", reason="no scikit-learn, or one before 1.9, which has no callbacks")

from scipy.sparse import csr_array
from sklearn import callback
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinynet_fast.sklearn import MLPClassifier, SGDClassifier

X, Y = make_classification(300, 6, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
MODELS = [
    SGDClassifier(loss="log_loss", max_iter=5, tol=None, random_state=0),
    SGDClassifier(loss="log_loss", max_iter=5, tol=None, random_state=0, average=True, engine="strict"),
    MLPClassifier((5,), max_iter=5, random_state=0),
]
models = pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{type(model).__name__}, {model.engine}")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Recorder:
    """Records all calls; stops after epoch `stop`."""

    def __init__(self, stop=None):
        self.stop, self.told = stop, []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.told.append(("begin", context.task_name, context.task_id, context.max_subtasks))
        assert X is not None
        assert y is not None

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.told.append(("end", context.task_name, context.task_id, fitted_estimator, X, y, metadata))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop

    def fitted(self):
        return [each[3] for each in self.told if each[:2] == ("end", "epoch")]


def probabilities(model):
    return model.predict_proba(X)


@models
def test_they_are_told_of_each_epoch(model):
    weight = np.random.default_rng(0).random(300)
    recorder = Recorder()
    comp = clone(model).set_callbacks(recorder).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(
        probabilities(comp), probabilities(clone(model).fit(X, Y, sample_weight=weight))
    )  # a callback that does not stop changes nothing
    told = recorder.told
    assert told[:2] == ["setup", ("begin", "fit", 0, 5)]
    assert told[-1] == "teardown"
    assert [each[:3] for each in told[2:-2]] == [(w, "epoch", k) for k in range(5) for w in ("begin", "end")]
    assert told[-2][:3] == ("end", "fit", 0)
    for each in told[3:-1]:
        if each[0] == "end":
            assert each[4] is X
            assert each[5] is Y
            assert each[6]["sample_weight"] is weight
    for epochs, fitted in enumerate(recorder.fitted(), 1):
        ref = clone(model).set_params(max_iter=epochs).fit(X, Y, sample_weight=weight)
        np.testing.assert_array_equal(probabilities(fitted), probabilities(ref))
        assert fitted.n_iter_ == ref.n_iter_ == epochs
        assert fitted.t_ == ref.t_
    np.testing.assert_array_equal(probabilities(told[-2][3]), probabilities(comp))


@models
def test_they_can_stop_it(model):
    recorder = Recorder(stop=2)
    comp = clone(model).set_callbacks(recorder).fit(X, Y)
    ref = clone(model).set_params(max_iter=2).fit(X, Y)
    assert comp.n_iter_ == len(recorder.fitted()) == 2
    np.testing.assert_array_equal(probabilities(comp), probabilities(ref))


@models
def test_a_fit_that_stops_by_itself_begins_no_other_epoch(model):
    recorder = Recorder()
    comp = clone(model).set_params(max_iter=500, tol=0.05).set_callbacks(recorder).fit(X, Y)
    assert comp.n_iter_ < 500
    assert sum(each[0] == "begin" for each in recorder.told) == comp.n_iter_ + 1


@models
def test_partial_fit_is_one_epoch(model):
    recorder = Recorder()
    comp = clone(model).set_callbacks(recorder)
    for _ in range(2):
        comp.partial_fit(X, Y, classes=[0, 1, 2])
    names = ["setup", ("begin", "fit"), ("begin", "epoch"), ("end", "epoch"), ("end", "fit"), "teardown"]
    assert [each if isinstance(each, str) else each[:2] for each in recorder.told] == names * 2


@models
def test_a_fit_that_fails_tears_down(model):
    recorder = Recorder()
    with pytest.raises(ValueError, match=r"[Ss]caling input data|scale the inputs"), np.errstate(all="ignore"):
        clone(model).set_params(alpha=0.0, learning_rate="constant", **rate(model)).set_callbacks(recorder).fit(
            X * 1e150, Y
        )
    assert recorder.told[0] == "setup"
    assert recorder.told[-1] == "teardown"


def rate(model):
    return {"learning_rate_init": 1e300, "solver": "sgd"} if hasattr(model, "solver") else {"eta0": 1e300}


@models
def test_scikit_learns_own(model, capsys):
    """scikit-learn's monitor of scores, alone and in a pipeline, and its progress bar."""
    pytest.importorskip("rich", reason="rich is not installed")
    monitor = callback.ScoringMonitor(scoring="accuracy")
    clone(model).set_callbacks(monitor, callback.ProgressBar()).fit(X, Y)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert scores == [clone(model).set_params(max_iter=k).fit(X, Y).score(X, Y) for k in range(1, 6)]
    assert f"{type(model).__name__} - fit" in capsys.readouterr().out
    make_pipeline(StandardScaler(), clone(model)).set_callbacks(callback.ProgressBar(None)).fit(X, Y)
    printed = capsys.readouterr().out
    assert "Pipeline - fit" in printed
    assert type(model).__name__ in printed


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match="callbacks must be instances"):
        SGDClassifier(loss="log_loss").set_callbacks(print)


@pytest.mark.parametrize("engine", ["fast", "strict", "exact"])
@pytest.mark.parametrize("average", [False, True])
def test_models_of_sparse_rows_after_each_epoch_are_those_of_dense_rows(average, engine):
    """While a model is trained on sparse rows, its weights and means are kept in parts."""
    seen = []
    for rows in (X, csr_array(X)):
        recorder = Recorder()
        options = {"average": average, "alpha": 0.01, "max_iter": 3, "tol": None, "random_state": 0}
        # With an intercept, scikit-learn takes other steps for sparse rows.
        SGDClassifier(loss="log_loss", fit_intercept=False, engine=engine, **options).set_callbacks(recorder).fit(
            rows, Y
        )
        seen.append([np.column_stack([each.coef_, each.intercept_]) for each in recorder.fitted()])
    assert len(seen[0]) == len(seen[1]) == 3
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-9)
