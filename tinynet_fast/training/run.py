"""The one loop over epochs and blocks that all trainers share. What an update does is in the kernels."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from tinynet_fast.data.arrays import (
    Rows,
    as_float,
    as_matrix,
    as_sample_weight,
    check_finite,
    encode_known,
    encode_labels,
    feature_names,
    split_rows,
)
from tinynet_fast.errors import TrainingDivergedError
from tinynet_fast.kernels.engines import Engine, resolve
from tinynet_fast.models import Model

if TYPE_CHECKING:
    from tinynet_fast.training.rate import RateSearch

M_co = TypeVar("M_co", bound=Model, covariant=True)


STABILITY_BOUND = 8.0  # a step cannot overshoot while step * (|x|^2 + 1) is at most this: the sigmoid's slope is <= 1/4
LARGEST_SUM = 1e4  # sums that start larger lose more digits, in whatever order, than the promise allows
FAR_OUT = 1e100  # parameters that start larger may overflow at any rate


@dataclass(frozen=True)
class Epoch(Generic[M_co]):
    """What a callback is given after an epoch.

    Attributes
    ----------
    epoch : int
        Its number, from 0.
    loss : float
        Its entry in `loss_history`.
    validation_loss : float or None
        Mean cross-entropy of the validation rows after the epoch, in nats a row.
    model : Neuron or MLP
        The model as it is after the epoch; a copy, yours to keep.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    model: M_co


@dataclass(frozen=True)
class TrainingResult(Generic[M_co]):
    """What training returns.

    Attributes
    ----------
    model : Neuron or MLP
    loss_history : (epochs,) float64 array
        For a neuron the sum of squared errors of each epoch, for a network its mean cross-entropy, or mean squared
        error where that is the loss; each row is measured before its update.
    validation_loss_history : (epochs,) float64 array, or None without validation rows
        Mean cross-entropy of the validation rows after each epoch, in nats a row.
    engine : str
        The engine that really ran.
    epochs : int
        How many epochs ran; fewer than asked for after early stopping.
    best_epoch : int or None
        With `patience`, the epoch whose weights the model has; else None.
    seed : int or None
        The seed that was used or drawn, where anything was random: pass it again to repeat the run.
    seconds : float
        Wall time of training, without compiling, checking and searching for a rate.
    rate_search : RateSearch or None
        With `learning_rate="auto"`, the rates that were tried and what each came to.
    """

    model: M_co
    loss_history: np.ndarray
    validation_loss_history: np.ndarray | None
    engine: str
    epochs: int
    best_epoch: int | None
    seed: int | None
    seconds: float
    rate_search: "RateSearch | None" = None


class Trainee(Protocol[M_co]):
    """What is being trained, as the loop sees it: parameters that blocks of rows change."""

    batch_size: int | None  # rows in an update, where an epoch's blocks must not cut them
    block_rows: int
    learning_rate: float
    repeats: bool  # whether an epoch does what the one before did, so that one call may run several

    def train(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, losses: Any) -> None:
        """One pass over a block of rows for each slot of `losses`."""

    def end_epoch(self) -> None:
        """Bring in what is left of the epoch."""

    def epoch_loss(self, total: np.ndarray, rows: int) -> np.ndarray:
        """The history's entry for the rows' summed loss."""

    def parameters(self) -> np.ndarray:
        """A copy of all parameters, flat."""

    def restore(self, parameters: np.ndarray) -> None:
        """Go back to parameters that `parameters` gave."""

    def options(self) -> dict[str, Any]:
        """How it is trained, for the model's file."""

    def model(self) -> M_co:
        """A model with the parameters as they are now."""

    def safe_learning_rate(self, rows: Rows) -> float:
        """A rate at which these rows cannot make the parameters run away; 0.0 where there is none."""


@dataclass
class Plan:
    """The options that every trainer has, checked, and the rows they concern."""

    rows: Rows
    labels: np.ndarray
    features: list[str] | None
    engine: Engine
    epochs: int
    shuffle: bool
    seed: int | None
    validation: tuple[np.ndarray, np.ndarray] | None
    patience: int | None
    callback: Callable[[Epoch[Any]], Any] | None
    progress: bool
    largest: float = np.inf  # for the fast engine: the largest sample weight * (|x|^2 + 1) among the rows

    def order(self, epoch: int) -> np.ndarray | None:
        """The order of rows in an epoch, drawn from the seed and the epoch alone; None for the order they came in."""
        return np.random.default_rng([self.seed or 0, epoch]).permutation(len(self.rows)) if self.shuffle else None


def plan(
    X: Any,
    y: Any,
    *,
    epochs: int,
    shuffle: bool,
    seed: int | None,
    random_start: bool,
    validation: Any,
    patience: int | None,
    engine: str,
    kernel: str,
    progress: bool,
    callback: Callable[[Epoch[Any]], Any] | None,
    sample_weight: Any = None,
    most_labels: int = 2,
) -> Plan:
    """Check data and options before anything is computed; ValueError names what is wrong, where, and the remedy."""
    resolved = resolve(engine, kernel)
    epochs = check_whole("epochs", epochs)
    check_flag("shuffle", shuffle)
    check_flag("progress", progress)
    if callback is not None and not callable(callback):
        raise ValueError(f"callback is {callback!r}; a function that takes an Epoch is needed")
    if patience is not None:
        patience = check_whole("patience", patience)
        if validation is None:
            raise ValueError("patience watches the validation loss: pass validation=(X, y), or a fraction to hold out")
    if seed is not None:
        seed = check_whole("seed", seed, least=0)
        if seed >= 2**32:
            raise ValueError(f"seed is {seed}; a number below 2**32 is needed")
    is_fraction = isinstance(validation, (int, float, np.number)) and not isinstance(validation, bool)
    if seed is None and (shuffle or random_start or is_fraction):
        seed = int(np.random.SeedSequence().generate_state(1)[0])

    matrix = as_matrix(X)
    row_weights = as_sample_weight(sample_weight, len(matrix))
    largest = _largest_row(matrix, row_weights, resolved) if resolved.name == "fast" else np.inf
    if not np.isfinite(largest):
        check_finite(matrix)
    codes, labels = encode_labels(y, len(matrix), most=most_labels)
    result = Plan(
        rows=Rows(matrix, codes, sample_weight=row_weights),
        labels=labels,
        features=feature_names(X),
        engine=resolved,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        validation=None,
        patience=patience,
        callback=callback,
        progress=progress,
        largest=largest,
    )
    if is_fraction:
        trained, held = split_rows(len(matrix), validation, seed or 0)
        if not np.bincount(codes[trained], minlength=len(labels)).all():
            raise ValueError(f"validation={validation} with seed={seed} leaves no row of a label: change the seed")
        result.rows = Rows(matrix, codes, trained, row_weights)
        if result.rows.total_weight == 0.0:
            raise ValueError(f"validation={validation} with seed={seed} leaves no row with a weight: change the seed")
        result.validation = matrix[held], codes[held]
    elif validation is not None:
        result.validation = _check_validation(validation, matrix.shape[1], labels)
    return result


def _largest_row(X: np.ndarray, sample_weight: np.ndarray | None, engine: Engine) -> float:
    """The largest sample weight * (|x|^2 + 1); infinity where a row is not finite. One reading of the rows for both."""
    size, one = engine.block_rows(X.shape[1], X.shape[1]), np.ones(1)
    largest = 0.0
    for start in range(0, len(X), size):
        part = slice(start, start + size)
        weights = one if sample_weight is None else sample_weight[part]
        with np.errstate(over="ignore"):  # a long double may be too large for a float64; it counts as infinite
            block = engine.rows(X[part])
        largest = max(largest, engine.kernels.row_bound(block, weights))
    return largest


def _check_validation(validation: Any, n_features: int, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise ValueError(f"validation is a {type(validation).__name__}; (X, y) or a fraction is needed")
    matrix = as_matrix(validation[0], "validation X")
    if matrix.shape[1] != n_features:
        raise ValueError(f"validation X has {matrix.shape[1]} columns where X has {n_features}: pass the same inputs")
    check_finite(matrix, "validation X")
    return matrix, encode_known(validation[1], labels, len(matrix), "validation y")


def check_whole(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int; ValueError where it is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} is {value!r}; a whole number of at least {least} is needed")
    return int(value)


def check_flag(name: str, value: Any) -> None:
    """ValueError where `value` is not True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} is {value!r}; True or False is needed")


def check_rate(name: str, value: Any) -> float:
    """`value` as a float; ValueError where it is not a finite number above 0."""
    number = as_float(value)
    if number is None or not 0 < number < np.inf:
        raise ValueError(f"{name} is {value!r}; a finite number above 0 is needed")
    return number


def stable_rate(rows: Rows, bound: float, start: np.ndarray) -> float:
    """The rate at which rate * (|x|**2 + 1) is `bound` for the longest row x.

    0.0 where that is too small for a float, and where the parameters start so large that they overflow at any rate.
    """
    if np.max(np.abs(start)) > FAR_OUT:
        return 0.0
    largest = max(1.0, *(float(np.abs(X.astype(np.float64)).max()) for X, _, _ in rows.blocks(1 << 12)))
    norm = max(float(((X / largest) ** 2).sum(axis=1).max()) for X, _, _ in rows.blocks(1 << 12))  # cannot overflow
    return bound / largest / largest / (norm + 1.0 / largest / largest)


def run(trainee: Trainee[M_co], plan: Plan) -> TrainingResult[M_co]:
    """Train: every epoch, every block, in order; then validation, early stopping, callback and progress."""
    rows, own = plan.rows, plan.engine.own
    losses_so_far: list[np.ndarray] = []
    validation_losses: list[float] = []
    best_loss, best_epoch, best = np.inf, None, None
    # Rows that fit one block train for several epochs a call, where nobody wants to see the epochs between.
    watched = plan.shuffle or plan.validation or plan.callback
    together = 1 if watched or not trainee.repeats else max(1, trainee.block_rows // len(rows))

    trainee.train(rows.X[:0], np.empty(0), None, own(np.zeros(1)))  # compiles, where there is something to compile
    done, stop, seconds, last_loss = 0, False, 0.0, 0.0
    with _progress(plan) as show:
        while done < plan.epochs and not stop:
            k = min(together, plan.epochs - done)
            before = trainee.parameters() if k > 1 else None
            started = perf_counter()
            totals = np.zeros(k)
            for X, y, sample_weight in rows.blocks(trainee.block_rows, plan.order(done), trainee.batch_size):
                losses = own(totals)
                trainee.train(X, y, sample_weight, losses)
                totals = np.asarray(losses, dtype=np.float64)
            trainee.end_epoch()
            seconds += perf_counter() - started
            if not (np.isfinite(trainee.parameters()).all() and np.isfinite(totals).all()):
                if before is None:
                    raise TrainingDivergedError(done, trainee.learning_rate, trainee.safe_learning_rate(rows))
                trainee.restore(before)  # and look for the epoch one by one
                together = 1
                continue
            losses_so_far.append(trainee.epoch_loss(totals, len(rows)))
            last_loss = float(losses_so_far[-1][-1])
            done += k
            validation_loss = None
            if plan.validation:
                validation_loss = trainee.model().mean_cross_entropy(*plan.validation)
                validation_losses.append(validation_loss)
                if plan.patience and validation_loss < best_loss:
                    best_loss, best_epoch, best = validation_loss, done - 1, trainee.parameters()
                since = done - 1 - (-1 if best_epoch is None else best_epoch)
                stop = plan.patience is not None and since >= plan.patience
            if plan.callback:
                stop = bool(plan.callback(Epoch(done - 1, last_loss, validation_loss, trainee.model()))) or stop
            show(done, last_loss)

    if best is not None:
        trainee.restore(best)
    model = trainee.model()
    model.training |= trainee.options() | {
        "shuffle": bool(plan.shuffle),
        "seed": plan.seed,
        "engine": plan.engine.name,
        "epochs": done,
        "best_epoch": best_epoch,
        "rows": len(rows),
        "final_loss": last_loss,
    }
    return TrainingResult(
        model=model,
        loss_history=np.concatenate(losses_so_far),
        validation_loss_history=np.array(validation_losses) if plan.validation else None,
        engine=plan.engine.name,
        epochs=done,
        best_epoch=best_epoch,
        seed=plan.seed,
        seconds=seconds,
    )


def _progress(plan: Plan) -> Any:
    """A context that gives a function to call after each epoch: a progress bar on stderr, or nothing."""
    if not plan.progress:
        return nullcontext(lambda done, loss: None)
    from tinynet_fast.training.progress import progress_bar

    return progress_bar(plan.epochs)
