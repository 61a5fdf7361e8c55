"""All classes of an `SGDClassifier`: the rows, seed and rate of each. How one is trained: `sgd_training.py`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from tinynet_fast.sklearn.callbacks import Epochs
from tinynet_fast.sklearn.sgd_lanes import Together, can_share
from tinynet_fast.sklearn.sgd_sparse import SparseFit, SparseTable
from tinynet_fast.sklearn.sgd_training import Fit, Rule, State, Table
from tinynet_fast.sklearn.validation import Validation, log_probabilities
from tinynet_fast.training.rate_search import RateSearch, auto_rate
from tinynet_fast.training.schedules import Schedule

LARGEST_INT = np.iinfo(np.int32).max


def fits_of(
    model: Any, table: Table | SparseTable, class_weight: np.ndarray, rule: Rule, validation: Validation | None
) -> tuple[list[Fit], Validation | None]:
    """What `model` is to fit, one class against the rest each, and the rows that are not trained on.

    Random numbers are drawn where scikit-learn draws them.

    Where rows are held out or `validation` is given and the model stops early, those decide. With
    ``learning_rate="auto"`` each class has the rate that `model.rate_search_` has for it; where that is not there
    yet, the rates are searched.
    """
    if not model.average:
        model._standard_coef = np.require(model.coef_, np.float64, ["C", "W"])
        model._standard_intercept = np.require(model.intercept_, np.float64, ["C", "W"])
    k = len(model._standard_coef)
    splits = validation is None and model.early_stopping
    held = held_out(model, table) if splits and k > 1 else None
    random_state = check_random_state(model.random_state)
    states = list(map(check_random_state, random_state.randint(LARGEST_INT, size=k))) if k > 1 else [random_state]
    automatic = model.learning_rate == "auto"
    searches = getattr(model, "rate_search_", []) if automatic else []
    fits, found = [], []
    for i, own in enumerate(states):
        own.randint(1, LARGEST_INT)  # seeds what scikit-learn does not use
        held = held_out(model, table) if splits and k == 1 else held
        positive = i if k > 1 else 1
        weights = float(class_weight[positive]), 1.0 if k > 1 else float(class_weight[0])
        state = State(model._standard_coef[i], model._standard_intercept[i : i + 1], model._means[i], model._paid[i])
        own_rule = rule
        if automatic:
            label = model.classes_[positive]
            found.append(searches[i] if searches else search_rate(table, state, rule, positive, weights, held, label))
            own_rule = replace(rule, eta0=found[-1].learning_rate, schedule=Schedule(found[-1].learning_rate))
        make: Any = SparseFit if isinstance(table, SparseTable) else Fit
        seed = own.randint(LARGEST_INT)
        fits.append(make(table, own_rule, state, positive, weights, int(model.t_) - 1, seed, held))
        if held is not None and validation is None:
            weight = None if table.sample_weight is None else table.sample_weight[held]
            validation = Validation(table.X[held], table.codes[held], weight)
        if validation is not None and model.early_stopping:
            fits[-1].score = score_of(validation.X, validation.codes == positive, validation.weight)
    if automatic:
        model.rate_search_ = found
        model.eta0_ = np.array([search.learning_rate for search in found])
    return fits, validation


def search_rate(
    table: Table | SparseTable,
    state: State,
    rule: Rule,
    positive: int,
    weights: tuple[float, float],
    held: np.ndarray | None,
    label: Any,
) -> RateSearch:
    """The rate for one class, on the rows that are trained on, from the weights that training starts with."""
    rows = slice(None) if held is None else ~held
    y = table.codes[rows] == positive
    if y.all() or not y.any():
        raise ValueError(
            f"learning_rate='auto' is found from the first call's rows, and they are all of class {label} or all of "
            "others: pass more of them, shuffled"
        )
    weight = None if weights == (1.0, 1.0) and table.sample_weight is None else np.where(y, *weights)
    if weight is not None and table.sample_weight is not None:
        weight = weight * table.sample_weight[rows]
    start: dict[str, Any] = {"weights": state.weights, "bias": float(state.bias[0]), "sample_weight": weight}
    penalties: dict[str, Any] = {"l2": rule.penalties.l2, "average": bool(rule.penalties.average_from)}
    return auto_rate(table.X[rows], y.astype(np.uint8), epochs=rule.max_iter, **penalties, **start)


def held_out(model: Any, table: Any) -> np.ndarray:
    """(n,) bool: the rows that early stopping holds out."""
    split = StratifiedShuffleSplit(test_size=model.validation_fraction, random_state=model.random_state)
    _, held = next(split.split(np.zeros((len(table.codes), 1)), table.codes))
    if table.sample_weight is not None and not table.sample_weight[held].any():
        raise ValueError("The sample weights for validation set are all zero, consider using a different random state.")
    mask = np.zeros(len(table.codes), dtype=bool)
    mask[held] = True
    return mask


def score_of(X: Any, y: np.ndarray, weight: np.ndarray | None) -> Callable[[np.ndarray, float], float]:
    """The accuracy on rows held out of a class's weights and bias."""
    return lambda w, b: float(np.average((X @ w + b > 0.0) == y, weights=weight))


@dataclass
class Observer:
    """Who looks on at the epochs of all classes: the rows that are not trained on, and the callbacks."""

    model: Any
    fits: list[Fit]
    rows: int  # that are trained on, or counted as such, in an epoch
    epochs: Epochs
    validation: Validation | None

    def as_if_done(self, ran: int) -> dict[str, Any]:
        """The attributes that the model would have were epoch `ran` the last."""
        t = self.model.t_ + ran * self.rows
        averaged = bool(self.model.average and self.model.average <= t - 1.0)
        parameters = np.array([fit.parameters(averaged) for fit in self.fits])
        coef, intercept = np.ascontiguousarray(parameters[:, :-1]), parameters[:, -1].copy()
        return {"coef_": coef, "intercept_": intercept, "n_iter_": ran, "t_": t}

    def epoch_ended(self, ran: int) -> bool:
        """Looks at the model after epoch `ran`; whether training is to stop here."""
        if self.validation is not None:
            now = self.as_if_done(ran)
            self.validation.add(log_probabilities(self.validation.X @ now["coef_"].T + now["intercept_"], True))
        return self.epochs.end(lambda: self.as_if_done(ran))


def run(table: Table | SparseTable, fits: list[Fit], n_jobs: int | None, observer: Observer | None) -> int:
    """All epochs of all classes; gives back how many the class took that took most.

    Classes that cannot share a pass over the rows run by themselves, unless somebody looks on: then all wait for each
    other after each epoch.
    """
    going: list[Any] = [Together(table, fits)] if isinstance(table, Table) and can_share(table, fits) else list(fits)
    if observer is None and len(going) == 1:
        return going[0].run()
    with Parallel(n_jobs=n_jobs if len(going) > 1 else None, require="sharedmem") as pool:
        if observer is None:
            return max(pool(delayed(fit.run)() for fit in fits))
        every, ran, stop = going, 0, False
        while going and not stop:
            observer.epochs.begin()
            more = pool(delayed(fit.epoch)() for fit in going)
            going = [fit for fit, goes_on in zip(going, more, strict=True) if goes_on]
            ran += 1
            stop = observer.epoch_ended(ran)
    for fit in every:
        fit.settle()
    return ran
