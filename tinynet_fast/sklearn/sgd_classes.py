"""All classes of an `SGDClassifier`: the rows, seed and rate of each. `sgd_training.py` trains one class."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from tinynet_fast.sklearn.callbacks import Epochs
from tinynet_fast.sklearn.sgd_shared_pass import SharedPass, can_share
from tinynet_fast.sklearn.sgd_sparse import SparseClass, SparseTable
from tinynet_fast.sklearn.sgd_training import ClassArrays, DenseTable, OneClass, SGDOptions
from tinynet_fast.sklearn.validation import Validation, log_probabilities
from tinynet_fast.training.loop import finish, run_epochs
from tinynet_fast.training.rate_search import auto_rate
from tinynet_fast.training.result import RateSearch
from tinynet_fast.training.schedules import Schedule

LARGEST_INT = np.iinfo(np.int32).max


def start_classes(model: Any, n_features: int, coef_init: Any, intercept_init: Any) -> None:
    """Give `model` the starting weights of all classes."""
    k = len(model.classes_) if len(model.classes_) > 2 else 1
    coef, intercept = np.zeros((k, n_features)), np.zeros(k)
    for name, given, table in (("coef_init", coef_init, coef), ("intercept_init", intercept_init, intercept)):
        if given is not None:
            values = np.asarray(given, dtype=np.float64)
            if values.size != table.size or (k > 1 and values.shape != table.shape):
                raise ValueError(f"Provided {name} has shape {values.shape}; {table.shape} fits this dataset.")
            table[:] = values.reshape(table.shape)
    model.coef_, model.intercept_ = coef, intercept
    model._standard_coef, model._standard_intercept = coef, intercept
    model._means, model._paid = np.zeros((k, n_features + 1)), np.zeros((k, n_features + 1))


def classes_to_train(
    model: Any,
    table: DenseTable | SparseTable,
    class_weight: np.ndarray,
    options: SGDOptions,
    validation: Validation | None,
) -> tuple[list[OneClass], Validation | None]:
    """The neurons that `model` trains, one for each class against the rest, and the rows that are not trained on.

    Random numbers are drawn in the same order as in scikit-learn. With early stopping, the rows that are not trained on
    decide when to stop. With ``learning_rate="auto"`` each class has its rate in `model.rate_search_`; if that does not
    exist yet, the rates are searched for.
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
    made, found = [], []
    for i, own in enumerate(states):
        own.randint(1, LARGEST_INT)  # scikit-learn draws a seed here that it does not use
        held = held_out(model, table) if splits and k == 1 else held
        positive = i if k > 1 else 1
        weights = float(class_weight[positive]), 1.0 if k > 1 else float(class_weight[0])
        arrays = ClassArrays(
            model._standard_coef[i], model._standard_intercept[i : i + 1], model._means[i], model._paid[i]
        )
        own_options = options
        if automatic:
            label = model.classes_[positive]
            found.append(
                searches[i] if searches else search_rate(table, arrays, options, positive, weights, held, label)
            )
            own_options = replace(options, eta0=found[-1].learning_rate, schedule=Schedule(found[-1].learning_rate))
        make: Any = SparseClass if isinstance(table, SparseTable) else OneClass
        seed = own.randint(LARGEST_INT)
        made.append(make(table, own_options, arrays, positive, weights, int(model.t_) - 1, seed, held))
        if held is not None and validation is None:
            weight = None if table.sample_weight is None else table.sample_weight[held]
            validation = Validation(table.X[held], table.codes[held], weight)
        if validation is not None and model.early_stopping:
            made[-1].score = score_of(validation.X, validation.codes == positive, validation.weight)
    if automatic:
        model.rate_search_ = found
        model.eta0_ = np.array([search.learning_rate for search in found])
    return made, validation


def search_rate(
    table: DenseTable | SparseTable,
    arrays: ClassArrays,
    options: SGDOptions,
    positive: int,
    weights: tuple[float, float],
    held: np.ndarray | None,
    label: Any,
) -> RateSearch:
    """Search for the rate of one class, on the rows that are trained on, from its starting weights."""
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
    start: dict[str, Any] = {"weights": arrays.weights, "bias": float(arrays.bias[0]), "sample_weight": weight}
    penalties: dict[str, Any] = {"l2": options.penalties.l2, "average": bool(options.penalties.average_from)}
    return auto_rate(table.X[rows], y.astype(np.uint8), epochs=options.max_iter, **penalties, **start)


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
    """A function of a class's weights and bias: their accuracy on the rows that are held out."""
    return lambda w, b: float(np.average((X @ w + b > 0.0) == y, weights=weight))


@dataclass
class Observer:
    """After an epoch of all classes: measures the rows that are not trained on, and calls the callbacks."""

    model: Any
    classes: list[OneClass]
    rows: int  # that are trained on, or counted as such, in an epoch
    epochs: Epochs
    validation: Validation | None

    def as_if_done(self, ran: int) -> dict[str, Any]:
        """The attributes that the model would have if epoch `ran` were the last."""
        t = self.model.t_ + ran * self.rows
        averaged = bool(self.model.average and self.model.average <= t - 1.0)
        parameters = np.array([each.parameters(averaged) for each in self.classes])
        coef, intercept = np.ascontiguousarray(parameters[:, :-1]), parameters[:, -1].copy()
        return {"coef_": coef, "intercept_": intercept, "n_iter_": ran, "t_": t}

    def epoch_ended(self, ran: int) -> bool:
        """Look at the model after epoch `ran`. Returns whether training is to stop here."""
        if self.validation is not None:
            now = self.as_if_done(ran)
            self.validation.add(log_probabilities(self.validation.X @ now["coef_"].T + now["intercept_"], True))
        return self.epochs.end(lambda: self.as_if_done(ran))


def run(table: DenseTable | SparseTable, classes: list[OneClass], n_jobs: int | None, observer: Observer | None) -> int:
    """Train all classes. Returns the largest number of epochs that any class needed.

    Classes that cannot share a pass over the rows are trained separately. If there is an observer, they wait for each
    other after each epoch.
    """
    runs: list[Any] = list(classes)
    if isinstance(table, DenseTable) and can_share(table, classes):
        runs = [SharedPass(table, classes)]
    if observer is None and len(runs) == 1:
        return int(runs[0].run())
    with Parallel(n_jobs=n_jobs if len(runs) > 1 else None, require="sharedmem") as pool:
        if observer is None:
            return max(pool(delayed(each.run)() for each in runs))
        going = [each.loop() for each in runs]

        def one_pass(done: int) -> int:
            nonlocal going
            observer.epochs.begin()
            ends = pool(delayed(next)(loop) for loop in going)
            going = [loop for loop, (_, last) in zip(going, ends, strict=True) if not last]
            return 1

        def ended(done: int, last: bool) -> bool:
            return observer.epoch_ended(done) or not going

        ran = finish(run_epochs(one_pass, classes[0].options.max_iter, [ended]))
    for each in runs:
        each.settle()
    return ran
