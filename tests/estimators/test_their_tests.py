"""scikit-learn's own tests of its estimators, run with ours in their place.

They come from the installed scikit-learn: its test modules are loaded here once more, under another name, with our
classes for theirs. `make test-sklearn-bits` runs them with `engine="exact"` too.
"""

import importlib.util
import inspect
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("sklearn", minversion="1.8")

from sklearn import linear_model, model_selection, neural_network

from tinynet_fast.sklearn import (
    GridSearchCV,
    MLPClassifier,
    MLPRegressor,
    RandomizedSearchCV,
    SGDClassifier,
    SGDRegressor,
)

SEARCHES = GridSearchCV, RandomizedSearchCV
OURS = {each.__name__: each for each in (SGDClassifier, SGDRegressor, MLPClassifier, MLPRegressor, *SEARCHES)}
PACKAGES = linear_model, neural_network, model_selection
NOT_OURS = re.compile("OneClass|ocsvm|[hH]alving")
# Tests of searches that take seconds, or compare all attributes with those of a class without `shared_`.
LEFT_OUT = re.compile(
    "test_(n_features_in|search_with_2d|.*weight_equivalence|array_api|.*issue_29074|custom_run_search)"
)
ENGINES = ["fast", "exact"] if os.environ.get("TINYNET_FAST_BITS") == "full" else ["fast"]

# They expect warnings where they say so, and leave others alone.
pytestmark = pytest.mark.filterwarnings("ignore")


def loaded(package: ModuleType, name: str) -> ModuleType:
    """A test module of `package`, loaded with our classes."""
    path = Path(package.__file__).parent / "tests" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"their_{name}", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # pickle looks for its classes there
    mixed = ModuleType(package.__name__)
    mixed.__dict__.update(vars(package), **{name: OURS[name] for name in OURS.keys() & vars(package).keys()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytest, "mark", pytest.MarkGenerator(_ispytest=True))  # one that takes marks we don't know
        for patched in PACKAGES:
            for each in OURS.keys() & vars(patched).keys():
                patch.setattr(patched, each, OURS[each])
        spec.loader.exec_module(module)
    for attribute, value in list(vars(module).items()):
        if value is package:
            setattr(module, attribute, mixed)
    return module


def about_ours(test) -> bool:
    """Whether a test makes one of our classes; of its parameters only those stay that do."""
    kept = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args
            values = [value for value in values if not NOT_OURS.search(repr(value))]
            mark = pytest.mark.parametrize(names, values, **mark.kwargs).mark
        if mark.name in ("parametrize", "skipif", "xfail"):
            kept.append(mark)
    test.pytestmark = kept
    text = inspect.getsource(test)
    ours = any(f"{name}(" in text or f"{name}," in text or f"{name}]" in text for name in OURS)
    return ours and not NOT_OURS.search(test.__name__)


def collect():
    for package, name in [(linear_model, "test_sgd"), (neural_network, "test_mlp"), (model_selection, "test_search")]:
        for attribute, value in vars(loaded(package, name)).items():
            if attribute.startswith("test_") and about_ours(value) and not LEFT_OUT.match(attribute):
                yield f"{name}__{attribute[5:]}", value


globals().update(collect())


@pytest.fixture
def global_random_seed():
    """A fixture of scikit-learn's, with the seed that it has if the environment does not say another."""
    return 42


@pytest.fixture(autouse=True, params=ENGINES)
def engine(request, monkeypatch):
    """SGDClassifier has this engine if nothing is said."""
    if request.param != "fast":
        monkeypatch.setitem(SGDClassifier.__init__.__kwdefaults__, "engine", request.param)


def test_they_are_all_here():
    names = [name for name in globals() if re.match("test_(sgd|mlp|search)__", name)]
    assert len(names) >= 150
