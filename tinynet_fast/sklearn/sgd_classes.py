"""All classes of an `SGDClassifier`: the rows, seed and rate of each. `sgd_training.py` trains one class."""

from bisect import bisect_left
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from scipy.sparse import issparse
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from tinynet_fast.kernels import exact
from tinynet_fast.kernels.engines import FAST, row_limit
from tinynet_fast.sklearn.callbacks import Epochs
from tinynet_fast.sklearn.scores import held_out_score
from tinynet_fast.sklearn.sgd_exact import Exact, ExactFirst, options_of
from tinynet_fast.sklearn.sgd_options import SGDOptions
from tinynet_fast.sklearn.sgd_shared_pass import SharedPass, can_share
from tinynet_fast.sklearn.sgd_sparse import SparseClass, SparseTable
from tinynet_fast.sklearn.sgd_training import ClassArrays, DenseTable, OneClass
from tinynet_fast.sklearn.sgd_weights import Weights, is_averaged
from tinynet_fast.sklearn.validation import Validation, log_probabilities
from tinynet_fast.training.draws import seeded
from tinynet_fast.training.loop import finish, run_epochs
from tinynet_fast.training.rate_search import auto_rate
from tinynet_fast.training.result import RateSearch
from tinynet_fast.training.schedules import Schedule

LARGEST_INT = np.iinfo(np.int32).max
# On shuffled rows the exact kernels are faster than the fast ones if there are at least WIDE inputs (64 inputs: 1.1 to
# 1.3 times), or at most FEW_VALUES values (1,000 rows of 16 inputs: 1.5 times; 100,000 rows: 0.9 times).
WIDE, FEW_VALUES = 48, 500_000


@dataclass
class Data:
    """The rows that an estimator is trained on."""

    X: Any
    labels: np.ndarray
    codes: np.ndarray  # the numbers of their classes
    sample_weight: np.ndarray | None

    def held_out(self, model: Any) -> np.ndarray:
        """(n,) bool: the rows that early stopping holds out."""
        counted = np.ones(len(self.codes), bool) if self.sample_weight is None else self.sample_weight > 0
        return np.asarray(model._make_validation_split(self.labels, sample_mask=counted))

    def validation(self, held: np.ndarray) -> Validation:
        """The rows held out."""
        weight = None if self.sample_weight is None else self.sample_weight[held]
        return Validation(self.X[held], self.codes[held], weight)


@dataclass
class Start:
    """Where the training of one class begins."""

    arrays: ClassArrays
    positive: int  # the code of the class
    weights: tuple[float, float]  # how much a row of the class counts, and any other row
    seed: int
    held: np.ndarray | None  # (n,) bool: rows held out
    rate: float | None = None  # for ``learning_rate="auto"``


def random_state_of(seed: Any) -> np.random.RandomState:
    """scikit-learn's `check_random_state`. If `seed` is a number, draw from it as from `seeded`."""
    return seeded(int(seed)) if isinstance(seed, (int, np.integer)) else check_random_state(seed)


def starts_of(model: Any, data: Data, learned: Weights, class_weight: np.ndarray, holds_out: bool) -> list[Start]:
    """Where each class begins. Random numbers are drawn in the same order as in scikit-learn."""
    k = len(learned.coef)
    held = data.held_out(model) if holds_out and k > 1 else None
    random_state = random_state_of(model.random_state)
    seeds = random_state.randint(LARGEST_INT, size=k) if k > 1 else [random_state]
    starts: list[Start] = []
    for i, seed in enumerate(seeds):
        own = random_state_of(seed)
        own.randint(1, LARGEST_INT)  # scikit-learn draws a seed here that it does not use
        held = data.held_out(model) if holds_out and k == 1 else held
        positive = i if k > 1 else 1
        weights = float(class_weight[positive]), 1.0 if k > 1 else float(class_weight[0])
        arrays = ClassArrays(learned.coef[i], learned.intercept[i : i + 1], learned.means[i], learned.paid[i])
        starts.append(Start(arrays, positive, weights, own.randint(LARGEST_INT), held))
    return starts


def find_rates(model: Any, data: Data, starts: list[Start], max_iter: int) -> None:
    """Give each class its rate for ``learning_rate="auto"``: that of an earlier call, or one that is searched for."""
    searches = getattr(model, "rate_search_", None)
    if searches is None:
        searches = [search_rate(model, data, start, max_iter) for start in starts]
    for start, search in zip(starts, searches, strict=True):
        start.rate = search.learning_rate
    model.rate_search_ = searches
    model.eta0_ = np.array([search.learning_rate for search in searches])


def exact_class(model: Any, data: Data, options: np.ndarray, start: Start, validation: Validation | None) -> Exact:
    """The class as scikit-learn trains it."""
    X, own = data.X, options.copy()
    own[[exact.POSITIVE, exact.NEGATIVE]], own[exact.SEED] = start.weights, start.seed
    own[exact.ETA0] = own[exact.ETA0] if start.rate is None else start.rate
    y = np.ones(len(data.codes), X.dtype)
    y[data.codes != start.positive] = 0.0 if model.loss == "log_loss" else -1.0
    neuron = Exact(X, y, data.sample_weight, start.held, own, start.arrays, model.t_, int(model.verbose))
    if start.held is not None:
        weight = np.ones(len(y), X.dtype) if data.sample_weight is None else data.sample_weight
        neuron.score = held_out_score(model, start.held, X, y, weight, classes=np.array([-1, 1], X.dtype))
    elif validation is not None and model.early_stopping:
        score = score_of(validation.X, validation.codes == start.positive, validation.weight)
        neuron.score = lambda w, b: score(neuron.parameters(False)[:-1], b)
    return neuron


def own_class(
    model: Any, table: DenseTable | SparseTable, options: SGDOptions, start: Start, validation: Validation | None
) -> OneClass:
    """The class as our kernels train it."""
    if start.rate is not None:
        options = replace(options, eta0=start.rate, schedule=Schedule(start.rate))
    make: Any = SparseClass if isinstance(table, SparseTable) else OneClass
    row = int(model.t_) - 1
    neuron: OneClass = make(table, options, start.arrays, start.positive, start.weights, row, start.seed, start.held)
    if validation is not None and model.early_stopping:
        neuron.score = score_of(validation.X, validation.codes == start.positive, validation.weight)
    return neuron


def needs_exact(model: Any, data: Data, class_weight: np.ndarray, max_iter: int, holds_out: bool) -> bool:
    """Whether the exact kernels train every epoch: the user asks for them, or the fast ones cannot train as asked."""
    if model.engine != "fast":
        return bool(model.engine == "exact")
    (n, d), weight = data.X.shape, data.sample_weight
    if model.loss != "log_loss" or model.penalty not in ("l2", None) or not model.fit_intercept or model.verbose:
        return True
    # scikit-learn rounds each weight to the dtype of the rows, and scores weights that lack their scale.
    if data.X.dtype != np.float64 or holds_out:
        return True
    # Differences in rounding grow with steps up the gradient, and with rates that rise.
    if class_weight.min() < 0.0 or (weight is not None and weight.min() < 0.0) or model.power_t < 0.0:
        return True
    # scikit-learn's means of weights lose digits to its scale, which falls to exp(-shrinking) before it is reset.
    shrinking = model.eta0 * model.alpha * n * max_iter if model.penalty and model.learning_rate != "optimal" else 0.0
    # The fast kernels first copy shuffled rows in their new order. This pays for narrow rows that fit into no cache.
    gathered = model.shuffle and not issparse(data.X) and (d >= WIDE or n * d < FEW_VALUES)
    return bool((model.average and shrinking > 12.0) or gathered)


def fast_from(neuron: OneClass) -> int:
    """After how many epochs no step of a class can overshoot any more, so that fast kernels can go on; -1: never."""
    if neuron.choose_engine() is FAST:
        return 0
    n, most, schedule = neuron.table.X.shape[0], neuron.options.max_iter, neuron.options.schedule
    if schedule.is_constant or not neuron.has_fast_kernel:
        return -1

    def is_safe(epochs: int) -> bool:
        rate = schedule.rate(neuron.row + epochs * n)
        return neuron.table.largest <= row_limit(0.0, rate * neuron.heaviest)

    epochs = bisect_left(range(most), True, key=is_safe)
    return epochs if 0 < epochs < most else -1


def neurons_to_train(
    model: Any,
    data: Data,
    learned: Weights,
    class_weight: np.ndarray,
    max_iter: int,
    tol: float | None,
    validation: Validation | None,
    whole: bool,
) -> tuple[list[Any], Validation | None]:
    """The neurons that `model` trains, one for each class against the rest, and the rows that are not trained on.

    With early stopping, the rows that are not trained on decide when to stop. `whole` is False for `partial_fit`.
    """
    holds_out = model.early_stopping and validation is None
    starts = starts_of(model, data, learned, class_weight, holds_out)
    if (held := starts[0].held) is not None:
        validation = data.validation(held)
    if model.learning_rate == "auto":
        find_rates(model, data, starts, max_iter)
    theirs = options_of(model, data.X, max_iter, tol)
    if needs_exact(model, data, class_weight, max_iter, holds_out):
        return [exact_class(model, data, theirs, start, validation) for start in starts], validation
    options = SGDOptions.of(model, max_iter, tol)
    lazily = issparse(data.X) or (
        whole and model.average and options.penalties.l1 > 0.0
    )  # of both only sparse kernels know scikit-learn's mean
    make: Any = SparseTable if lazily else DenseTable
    table = make(data.X, data.codes, data.sample_weight, options)
    ours = [own_class(model, table, options, start, validation) for start in starts]
    if model.engine == "strict":
        return list(ours), validation
    epochs = [fast_from(neuron) for neuron in ours]
    if can_share(ours) and any(epochs):
        epochs = [-1] * len(ours)
    neurons: list[Any] = []
    for start, neuron, first in zip(starts, ours, epochs, strict=True):
        if first == 0:
            neurons.append(neuron)
            continue
        their = exact_class(model, data, theirs, start, validation)
        neurons.append(their if first < 0 else ExactFirst(their, neuron, first))
    return neurons, validation


def search_rate(model: Any, data: Data, start: Start, max_iter: int) -> RateSearch:
    """Search for the rate of one class, on the rows that are trained on, from its starting weights."""
    rows = slice(None) if start.held is None else ~start.held
    y, weights, given = data.codes[rows] == start.positive, start.weights, data.sample_weight
    if y.all() or not y.any():
        raise ValueError(
            f"learning_rate='auto' is found from the first call's rows, and they are all of class "
            f"{model.classes_[start.positive]} or all of others: pass more of them, shuffled"
        )
    weight = None if weights == (1.0, 1.0) and given is None else np.where(y, *weights)
    if weight is not None and given is not None:
        weight = weight * given[rows]
    arrays = start.arrays
    begin: dict[str, Any] = {"weights": arrays.weights, "bias": float(arrays.bias[0]), "sample_weight": weight}
    penalties: dict[str, Any] = {"l2": model.alpha if model.penalty else 0.0, "average": bool(model.average)}
    return auto_rate(data.X[rows], y.astype(np.uint8), epochs=max_iter, **penalties, **begin)


def score_of(X: Any, y: np.ndarray, weight: np.ndarray | None) -> Callable[[np.ndarray, float], float]:
    """A function of a class's weights and bias: their accuracy on the rows that are held out."""
    return lambda w, b: float(np.average((X @ w + b > 0.0) == y, weights=weight))


@dataclass
class Observer:
    """After an epoch of all classes: measures the rows that are not trained on, and calls the callbacks."""

    model: Any
    classes: list[Any]
    rows: int  # of an epoch, as `t_` counts them
    max_iter: int
    dtype: Any  # of the weights
    epochs: Epochs
    validation: Validation | None

    def as_if_done(self, ran: int) -> dict[str, Any]:
        """The attributes that the model would have if epoch `ran` were the last."""
        t = self.model.t_ + ran * self.rows
        averaged = is_averaged(self.model, t)
        parameters = np.array([each.parameters(averaged) for each in self.classes])
        coef, intercept = parameters[:, :-1].astype(self.dtype), parameters[:, -1].copy()
        return {"coef_": coef, "intercept_": intercept, "n_iter_": ran, "t_": t}

    def epoch_ended(self, ran: int) -> bool:
        """Look at the model after epoch `ran`. Returns whether training is to stop here."""
        if self.validation is not None and self.model.loss == "log_loss":
            now = self.as_if_done(ran)
            self.validation.add(log_probabilities(self.validation.X @ now["coef_"].T + now["intercept_"]))
        return self.epochs.end(lambda: self.as_if_done(ran))


def run(classes: list[Any], n_jobs: int | None, observer: Observer | None) -> int:
    """Train all classes. Returns the largest number of epochs that any class needed.

    Classes that cannot share a pass over the rows are trained separately. If there is an observer, they wait for each
    other after each epoch.
    """
    runs: list[Any] = [SharedPass(classes)] if can_share(classes) else list(classes)
    alone = len(runs) == 1 or effective_n_jobs(n_jobs) == 1  # a call of a pool takes longer than a short epoch
    with nullcontext() if alone else Parallel(n_jobs=n_jobs, require="sharedmem") as pool:

        def answers(calls: list[Callable[[], Any]]) -> list[Any]:
            return [call() for call in calls] if pool is None else list(pool(delayed(call)() for call in calls))

        if observer is None:
            return int(max(answers([each.run for each in runs])))
        going = [each.loop() for each in runs]

        def one_pass(done: int) -> int:
            nonlocal going
            observer.epochs.begin()
            ends = answers([loop.__next__ for loop in going])
            going = [loop for loop, (_, last) in zip(going, ends, strict=True) if not last]
            return 1

        def ended(done: int, last: bool) -> bool:
            return observer.epoch_ended(done) or not going

        ran = finish(run_epochs(one_pass, observer.max_iter, [ended]))
    for each in runs:
        each.settle()
    return ran
