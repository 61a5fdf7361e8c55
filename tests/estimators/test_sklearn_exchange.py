"""Ours and scikit-learn's estimators exchanged: parameters, requests for metadata, pickles, states, memory maps."""

import copy
import inspect
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.8")

import joblib
from bits_run import same
from sklearn import linear_model, neural_network
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.utils import get_tags

from tinynet_fast import sklearn as ours

X, Y = load_iris(return_X_y=True)
OTHERS = np.random.RandomState(1).permutation(150)
GIVEN = {"random_state": 0, "max_iter": 5}
LEARNED = ("coef_", "intercept_", "coefs_", "intercepts_")
PAIRS = [
    (linear_model.SGDClassifier, ours.SGDClassifier),
    (linear_model.SGDRegressor, ours.SGDRegressor),
    (neural_network.MLPClassifier, ours.MLPClassifier),
]
pairs = pytest.mark.parametrize(("theirs", "mine"), PAIRS, ids=lambda each: each.__module__ + "." + each.__name__)
linear = pytest.mark.parametrize(("theirs", "mine"), PAIRS[:2], ids=lambda each: each.__module__ + "." + each.__name__)
averages = pytest.mark.parametrize("average", [False, True, 40])
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def parameters(model):
    """The learned arrays by name; those of a network are in lists."""
    return {
        name: value for name, value in vars(model).items() if name in ("coef_", "intercept_", "coefs_", "intercepts_")
    }


def pickled(model):
    return pickle.loads(pickle.dumps(model))


@pairs
def test_parameters_are_the_same_but_for_the_engine(theirs, mine):
    ref, comp = theirs().get_params(), mine().get_params()
    assert comp.pop("engine", "fast") == "fast"
    if "class_weight" not in ref:  # scikit-learn's networks have none
        assert comp.pop("class_weight", None) is None
    assert comp == ref
    assert list(inspect.signature(mine).parameters)[: len(ref)] == list(inspect.signature(theirs).parameters)
    kinds = [each.kind for each in inspect.signature(mine).parameters.values()]
    assert kinds[: len(ref)] == [each.kind for each in inspect.signature(theirs).parameters.values()]


@pairs
def test_parameters_can_be_handed_over_both_ways(theirs, mine):
    changed = theirs(random_state=3, max_iter=7, tol=0.01, early_stopping=True, n_iter_no_change=2)
    engine = {"engine": "strict"} if "engine" in mine().get_params() else {}
    comp = mine(**engine).set_params(**changed.get_params())
    own = {"class_weight": None} if "class_weight" in mine().get_params() else {}
    assert comp.get_params() == own | changed.get_params() | engine
    known = theirs().get_params()
    back = theirs().set_params(**{name: value for name, value in comp.get_params().items() if name in known})
    assert back.get_params() == changed.get_params()
    if engine:
        with pytest.raises(ValueError, match=r"Invalid parameter '(engine|class_weight)'"):
            theirs().set_params(**comp.get_params())


@pairs
def test_it_is_one_of_theirs(theirs, mine):
    assert isinstance(mine(), theirs)
    assert mine.__name__ == theirs.__name__
    assert type(clone(mine())) is mine
    assert get_tags(mine()) == get_tags(theirs())
    public = {name for name in dir(theirs()) if not name.startswith("_")}
    assert public <= set(dir(mine()))
    assert mine.__name__ in mine()._repr_html_()


@pairs
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score", "predict"])
def test_methods_take_what_theirs_take(theirs, mine, method):
    ref, comp = (inspect.signature(getattr(each, method)).parameters for each in (theirs, mine))
    assert list(comp)[: len(ref)] == list(ref)
    assert [each.default for each in list(comp.values())[: len(ref)]] == [each.default for each in ref.values()]
    new = list(comp.values())[len(ref) :]
    assert all(each.kind is each.KEYWORD_ONLY and each.default is None for each in new)
    request = f"set_{method}_request"
    assert hasattr(mine, request) == hasattr(theirs, request)


@pairs
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
def test_a_copy_goes_on_from_the_same_state(theirs, mine, copied):
    model = mine(**GIVEN).fit(X, Y)
    comp = copied(model)
    assert type(comp) is mine
    model.partial_fit(X[OTHERS], Y[OTHERS])
    before = comp.predict(X)
    comp.partial_fit(X[OTHERS], Y[OTHERS])
    assert same(model.predict(X), comp.predict(X))
    assert before.shape == (150,)
    for name, value in parameters(model).items():
        assert all(same(a, b) for a, b in zip(value, parameters(comp)[name], strict=True))


@linear
@averages
@pytest.mark.parametrize("form", [np.float64, np.float32])
@pytest.mark.parametrize("here_first", [True, False], ids=["from here to there", "from there to here"])
def test_a_state_can_be_handed_over_both_ways(theirs, mine, average, form, here_first):
    given = GIVEN | {"average": average, "learning_rate": "invscaling", "eta0": 0.05, "penalty": "elasticnet"}
    ref = theirs(**given).fit(X.astype(form), Y)
    exact = {"engine": "exact"} if mine is ours.SGDClassifier else {}
    comp = mine(**given, **exact).fit(X.astype(form), Y)
    other = theirs(**given) if here_first else mine(**given, **exact)
    state = pickled(vars(comp if here_first else ref))
    vars(other).update({name: value for name, value in state.items() if name != "engine"})
    assert same(ref.predict(X), other.predict(X))
    for model in (ref, other):
        model.partial_fit(X[OTHERS].astype(form), Y[OTHERS])
        model.partial_fit(X[:20].astype(form), Y[:20])
    for name, value in parameters(ref).items():
        assert same(value, parameters(other)[name])
    assert same(ref.t_, other.t_)


@pytest.fixture
def mapped(tmp_path):
    """Saves a model with joblib and loads it with its arrays memory-mapped, read-only or copied on writing."""

    def mapped(model, mode):
        joblib.dump(model, tmp_path / "model")
        return joblib.load(tmp_path / "model", mmap_mode=mode), (tmp_path / "model").read_bytes()

    return mapped


@pairs
@averages
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_memory_mapped_models_train_on(theirs, mine, average, method, mapped, tmp_path):
    """scikit-learn writes into the map here, which ends the process."""
    given = GIVEN | {"warm_start": True} | ({} if mine is ours.MLPClassifier else {"average": average})
    model = mine(**given).fit(X, Y)
    comp, saved = mapped(model, "r")
    assert same(model.predict(X), comp.predict(X))
    for each in (model, comp):
        getattr(each, method)(X[OTHERS], Y[OTHERS])
    for name, value in parameters(model).items():
        assert all(same(np.array(a), np.array(b)) for a, b in zip(value, parameters(comp)[name], strict=True))
    assert (tmp_path / "model").read_bytes() == saved


@linear
@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_arrays_to_start_from_are_not_written_to(theirs, mine, averaged, classes):
    """scikit-learn trains in them, even in read-only ones."""
    few = classes if mine is ours.SGDClassifier else 2
    rows, labels = X[few > Y], Y[few > Y]
    start = (
        np.random.RandomState(4).randn(few if few > 2 else 1, 4),
        np.random.RandomState(5).randn(few if few > 2 else 1),
    )
    kept = [part.copy() for part in start]
    ref = theirs(**GIVEN, average=averaged).fit(rows, labels, coef_init=kept[0].copy(), intercept_init=kept[1].copy())
    for part in start:
        part.setflags(write=False)
    comp = mine(**GIVEN, average=averaged)
    comp.fit(rows, labels, coef_init=start[0], intercept_init=start[1])
    assert all(map(same, start, kept))
    assert same(comp.predict(rows), ref.predict(rows))
    coef = comp.coef_.copy()
    comp.partial_fit(rows, labels)
    assert not same(coef, comp.coef_)
    assert all(map(same, start, kept))


@pairs
def test_memory_mapped_models_train_anew(theirs, mine, mapped):
    model = mine(**GIVEN).fit(X, Y)
    comp, _ = mapped(model, "r")
    comp.fit(X[OTHERS], Y[OTHERS])
    assert same(comp.predict(X), model.fit(X[OTHERS], Y[OTHERS]).predict(X))


@pairs
def test_models_that_are_copied_on_writing_train_on(theirs, mine, mapped, tmp_path):
    model = mine(**GIVEN).fit(X, Y)
    comp, saved = mapped(model, "c")
    comp.partial_fit(X[OTHERS], Y[OTHERS])
    assert same(comp.predict(X), model.partial_fit(X[OTHERS], Y[OTHERS]).predict(X))
    assert (tmp_path / "model").read_bytes() == saved
