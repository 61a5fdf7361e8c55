"""Finds options with which a table is learned well, by cross-validation. `train_neuron` and `train_mlp` do the
training.

All models have the same prior: each weight of a standardised input comes from a normal distribution, and `penalty` is
1 / its variance, so that l2 is penalty / rows (MacKay, A practical Bayesian framework for backpropagation networks,
1992). The penalty does not depend on the number of rows, so it can be found on some of them. Each model is trained
until its weights hardly move any more, and held-out rows decide about the penalty: it is the usual one unless they
show by more than a standard error that another one is better (Breiman and others, Classification and Regression
Trees, 1984, section 3.4.3). Without this rule, chance decides on tables of some hundred rows.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingDivergedError, TrainingWarning
from tinynet_fast.kernels.engines import STABILITY_BOUND
from tinynet_fast.kernels.vectorized import predicted, row_loss
from tinynet_fast.rows.sampling import drawn_rows
from tinynet_fast.tables.options import ONE_VS_REST
from tinynet_fast.training.checks import is_auto
from tinynet_fast.training.losses import LINEAR, ChosenLoss
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.neuron import train_neuron
from tinynet_fast.training.sweep import sweep

PENALTIES = np.geomspace(1e-2, 1e2, 9)
USUAL_NEURON, USUAL_NETWORK = 1.0, 10.0**0.5  # scikit-learn's LogisticRegression has 1.0 too
FOLDS = 5
NEURON_ROWS, NETWORK_ROWS = 1 << 14, 1 << 12  # a search uses every k-th row, so that at least this many are left
VISITS, VALUES = 1 << 18, 1 << 24  # rows, and numbers in them, that a neuron is trained on, over all epochs
UPDATES, SOFTMAX_UPDATES, BATCH = 2500, 5000, 32  # of networks with and without hidden units
FEWEST_EPOCHS, MOST_EPOCHS = 5, 500
RATES = np.geomspace(1e-4, 1.0, 9)  # as shares of the rate at which a step on a row of mean length cannot overshoot
RATE_OF = {"adam": 0.01, "rmsprop": 0.003, "adagrad": 0.05, "sgd": 0.05}
SOFTMAX_RATE = 3.0  # times as much without hidden units: then the loss is convex
SWEPT = {"learning_rate", "l2", "average", "epochs", "shuffle", "seed", "engine", "n_jobs"}  # what a sweep can have
TOO_FEW = "a label has too few rows to hold any out"
NOT_SEARCHED = {
    "validation",
    "patience",
    "progress",
    "callback",
    "checkpoint",
    "checkpoint_seconds",
    "resume",
    "standardize_y",
}


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    options : dict
        Options of `train_neuron`, or of `train_mlp` if they name `hidden`; those that were given are among them.
    reason : str
        One line on what was tried and why these were kept.
    """

    options: dict[str, Any]
    reason: str


@dataclass(frozen=True)
class SearchRows:
    """The rows of a search with their codes or numbers, the fold of each, and how many rows there are in all."""

    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    fold: np.ndarray
    folds: int
    in_all: int
    n_labels: int
    loss: ChosenLoss | None = None  # of numbers

    def __len__(self) -> int:
        return len(self.y)

    def part(self, chosen: np.ndarray) -> dict[str, Any]:
        """Some of the rows, as arguments of a trainer, and what they are to learn."""
        weight = None if self.sample_weight is None else self.sample_weight[chosen]
        learned = {"labels": np.arange(self.n_labels)} if self.loss is None else {"output": LINEAR}
        return {"X": self.X[chosen], "y": self.y[chosen], "sample_weight": weight} | learned

    def losses(self, model: Any, chosen: np.ndarray) -> np.ndarray:
        """The loss of some of the rows under a model: log loss of labels, or the loss of numbers."""
        X, y = self.X[chosen], self.y[chosen]
        if self.loss is None:
            return np.asarray(-np.log(np.maximum(model.label_probabilities(X)[np.arange(len(y)), y], 1e-300)))
        z = model.checked_logits(X)
        return np.asarray(row_loss(z, predicted(z, self.loss.code), y, self.loss.code, self.loss.shape))

    @property
    def words(self) -> str:
        """What the losses are called."""
        return "log loss" if self.loss is None else f"{self.loss.name.replace('_', ' ')} (in deviations)"

    def mean(self, losses: np.ndarray) -> Any:
        """The mean over the rows, by what they count."""
        return np.average(losses, axis=-1, weights=self.sample_weight)


def find_options(
    X: np.ndarray,
    codes: np.ndarray,
    n_labels: int,
    hidden: tuple[int, ...] = (),
    given: Mapping[str, Any] | None = None,
    seed: int = 0,
    sample_weight: np.ndarray | None = None,
) -> Found:
    """Find options of `train_neuron` (two labels, or output="one_vs_rest") or of `train_mlp` for these rows.

    Parameters
    ----------
    X : (n, n_features)
        The rows as they will be trained on: numbers standardised, levels 0 or 1, without missing values.
    codes : (n,) ints
        The label of each row, from 0.
    n_labels : int
    hidden : tuple of int
        The units of each hidden layer; () for none.
    given : dict, optional
        Options of the trainer that must stay as they are.
    seed : int
        Deals rows to folds, and is the trainer's seed.
    sample_weight : (n,), optional
        What rows count for, in training and in judging.
    """
    given = dict(given or {})
    network = bool(hidden) or (n_labels > 2 and given.get("output") != ONE_VS_REST)
    rows = search_rows(X, codes, n_labels, seed, sample_weight, NETWORK_ROWS if network else NEURON_ROWS)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", TrainingWarning)  # training on all rows will say what there is to say
        if network:
            return network_options(rows, tuple(hidden), given, seed)
        return _neuron(rows, given, seed)


def search_rows(
    X: np.ndarray, codes: np.ndarray, n_labels: int, seed: int, sample_weight: np.ndarray | None, most: int
) -> SearchRows:
    """Draw rows if there are too many, and deal them to folds, with each label spread evenly."""
    every, in_all = len(codes) // most, len(codes)
    if every > 1:
        drawn = drawn_rows(in_all, every, codes.__getitem__, n_labels)
        X, codes = X[drawn], codes[drawn]
        sample_weight = None if sample_weight is None else sample_weight[drawn]
    counted = codes if sample_weight is None else codes[sample_weight > 0.0]
    counts = np.bincount(counted, minlength=n_labels)
    folds = min(FOLDS, int(counts[counts > 0].min()))
    kind = codes if sample_weight is None else 2 * codes.astype(np.intp) + (sample_weight > 0.0)
    return SearchRows(X, codes, sample_weight, dealt(kind, folds, seed), folds, in_all, n_labels)


def dealt(kind: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Deal rows to folds, with each kind of rows spread evenly: (n,) from 0."""
    order = np.argsort(kind[shuffled := np.random.default_rng(seed).permutation(len(kind))], kind="stable")
    fold = np.empty(len(kind), np.intp)
    fold[shuffled[order]] = np.arange(len(kind)) % max(folds, 1)
    return fold


# --- one neuron -------------------------------------------------------------------------------------------------------


def _neuron(rows: SearchRows, given: dict[str, Any], seed: int) -> Found:
    n, d = rows.X.shape
    visits = min(VISITS, VALUES // d)
    options: dict[str, Any] = {
        "epochs": int(np.clip(visits // rows.in_all, FEWEST_EPOCHS, MOST_EPOCHS)),
        "shuffle": True,
        "seed": seed,
    }
    if given.keys() - SWEPT - NOT_SEARCHED or given.get("average", True) not in (True, False):
        return slow_neuron(rows, options | given, given)
    options |= {"average": True} | given
    if given.keys() >= {"learning_rate", "l2"}:
        return Found(options, "the learning rate and l2 were given")
    epochs = int(np.clip(visits // n, FEWEST_EPOCHS, MOST_EPOCHS))
    epochs = min(epochs, options["epochs"]) if "epochs" in given else epochs
    many = {
        "epochs": epochs,
        "average": options["average"],
        "shuffle": bool(options["shuffle"]),
        "seed": seed,
        "n_jobs": given.get("n_jobs"),
    }
    usual = given["l2"] * rows.in_all if "l2" in given else USUAL_NEURON
    if is_number(given.get("learning_rate")):
        rate, reason = given["learning_rate"], "the learning rate was given"
    else:
        rates = rates_for(rows.X)
        rate = options["learning_rate"] = _best_rate(rows, rates, usual, many)
        reason = f"learning_rate={rate:.4g}, the best of {len(rates)}"
    if "l2" in given:
        return Found(options, f"{reason}; l2 was given{sampled(rows)}")
    penalty, judged = USUAL_NEURON, kept_as_usual(USUAL_NEURON)
    if rows.folds > 1:
        losses = _losses_of_neurons(rows, rate, PENALTIES, many)
        penalty, judged = chosen(rows, PENALTIES, losses, USUAL_NEURON)
    options["l2"] = penalty / rows.in_all
    return Found(options, f"{reason}; {judged}{sampled(rows)}")


def is_number(value: Any) -> bool:
    return value is not None and not isinstance(value, str)


def rates_for(X: np.ndarray) -> np.ndarray:
    return RATES * STABILITY_BOUND / (float(np.einsum("ij,ij->", X, X)) / len(X) + 1.0)


def _best_rate(rows: SearchRows, rates: np.ndarray, penalty: float, many: dict[str, Any]) -> float:
    """The rate that makes the penalised loss of all rows least."""
    weight = rows.sample_weight
    swept = sweep(rows.X, rows.y, learning_rate=rates, l2=penalty / len(rows), sample_weight=weight, **many)
    losses = _log_losses(swept.weights, swept.biases, rows.X, rows.y)
    total = np.average(losses, axis=1, weights=weight) + 0.5 * swept.l2 * (swept.weights**2).sum(axis=1)
    total[swept.diverged | ~np.isfinite(total)] = np.inf
    if not np.isfinite(total).any():
        raise ValueError("every learning rate diverges: standardise the inputs")
    return float(rates[total.argmin()])


def _losses_of_neurons(rows: SearchRows, rate: float, penalties: np.ndarray, many: dict[str, Any]) -> np.ndarray:
    """(penalties, rows): the log loss of each row under the neuron that was trained without its fold."""
    l2, weight, losses = penalties / len(rows), rows.sample_weight, np.empty((len(penalties), len(rows)))
    swept = sweep(rows.X, rows.y, learning_rate=rate, l2=l2, folds=rows.fold, sample_weight=weight, **many)
    for f in range(rows.folds):
        there, models = rows.fold == f, np.flatnonzero(swept.fold == f)
        part = _log_losses(swept.weights[models], swept.biases[models], rows.X[there], rows.y[there])
        losses[:, there] = np.where(np.isfinite(part), part, np.inf)
    return losses


def _log_losses(weights: np.ndarray, biases: np.ndarray, X: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(models, rows): the log loss of each row under each neuron."""
    z = weights @ X.T + biases[:, np.newaxis]
    return np.logaddexp(0.0, np.where(codes == 1, -z, z))


# --- networks, a softmax of the inputs, and neurons with options that `sweep` does not have ---------------------------


def network_options(rows: SearchRows, hidden: tuple[int, ...], given: dict[str, Any], seed: int) -> Found:
    """Options of a network; the penalty is found, unless it was given."""
    optimizer, activation = given.get("optimizer", "adam"), given.get("activation", "relu")
    size, updates = given.get("batch_size", BATCH) or rows.in_all, UPDATES if hidden else SOFTMAX_UPDATES
    options: dict[str, Any] = {
        "hidden": hidden,
        "activation": activation,
        "init": "glorot" if activation in ("sigmoid", "tanh") or not hidden else "he",
        "optimizer": optimizer,
        "learning_rate": RATE_OF.get(optimizer, RATE_OF["adam"]) * (1.0 if hidden else SOFTMAX_RATE),
        "schedule": "constant" if "patience" in given else "cosine",
        "batch_size": BATCH,
        "epochs": epochs_for(rows.in_all, size, updates),
        "shuffle": True,
        "seed": seed,
    } | given
    if given.keys() & {"l2", "weight_decay"}:
        return Found(options, "l2 or weight_decay was given, and the other options are the usual ones")
    epochs = min(epochs_for(len(rows), size, updates), options["epochs"] if "epochs" in given else MOST_EPOCHS)
    tried = options | {"epochs": epochs}
    if is_auto(options["learning_rate"]) and rows.folds > 1:  # one search for all penalties
        every = rows.part(np.ones(len(rows), dtype=bool))
        usual = {"l2": (USUAL_NETWORK if hidden else USUAL_NEURON) / len(rows)}
        asked = {name: value for name, value in (tried | usual).items() if name not in NOT_SEARCHED}
        tried["learning_rate"] = train_mlp(**(every | asked)).learning_rate

    def losses_of(penalty: float) -> np.ndarray:
        return held_out(train_mlp, rows, tried | {"l2": penalty / len(rows)})

    return climbed(rows, options, losses_of, USUAL_NETWORK if hidden else USUAL_NEURON)


def epochs_for(rows: int, size: int, updates: int) -> int:
    """Return the number of epochs in which `updates` updates are made, but not fewer or more than the limits."""
    return int(np.clip(-(-updates * min(size, rows) // rows), FEWEST_EPOCHS, MOST_EPOCHS))


def slow_neuron(rows: SearchRows, options: dict[str, Any], given: dict[str, Any]) -> Found:
    """Options of a neuron that `sweep` cannot train: the usual penalty, and a rate that held-out rows decide about."""
    if not given.keys() & {"l2", "l1"}:
        options["l2"] = USUAL_NEURON / rows.in_all
    if given.get("schedule") == "optimal":
        return Found(options, "schedule='optimal' uses no learning rate")
    if is_number(given.get("learning_rate")):
        return Found(options, "the learning rate was given")
    rates = rates_for(rows.X)[::2]
    options["learning_rate"] = float(rates[len(rates) // 2])
    if rows.folds < 2:
        return Found(options, f"learning_rate={options['learning_rate']:.4g}: {TOO_FEW}")
    losses = [held_out(train_neuron, rows, options | {"learning_rate": rate}) for rate in rates.tolist()]
    tried = [float(rows.mean(loss)) for loss in losses]
    options["learning_rate"] = float(rates[int(np.argmin(tried))])
    best = f"the best of {len(rates)} in {rows.folds}-fold cross-validation"
    return Found(options, f"learning_rate={options['learning_rate']:.4g}, {best}{sampled(rows)}")


def climbed(
    rows: SearchRows, options: dict[str, Any], losses_of: Callable[[float], np.ndarray], usual_penalty: float
) -> Found:
    """Choose l2: from the usual penalty on, walk along the penalties while the held-out loss falls."""
    if rows.folds < 2:
        options["l2"] = usual_penalty / rows.in_all
        return Found(options, kept_as_usual(usual_penalty))
    start = int(np.argmin(np.abs(np.log(PENALTIES / usual_penalty))))
    losses = {start: losses_of(PENALTIES[start])}

    for step in (1, -1):
        place = start
        while 0 <= place + step < len(PENALTIES):
            losses[place + step] = losses_of(PENALTIES[place + step])
            if rows.mean(losses[place + step]) >= rows.mean(losses[place]):
                break
            place += step
        if place != start:
            break  # the other side is worse
    places = sorted(losses)
    penalty, judged = chosen(rows, PENALTIES[places], np.array([losses[p] for p in places]), usual_penalty)
    options["l2"] = penalty / rows.in_all
    return Found(options, judged + sampled(rows))


def held_out(trainer: Callable[..., Any], rows: SearchRows, options: dict[str, Any]) -> np.ndarray:
    """The loss of each row under the model that was trained without its fold; inf if one diverged."""
    losses = np.full(len(rows), np.inf)
    asked = {name: value for name, value in options.items() if name not in NOT_SEARCHED}
    for f in range(rows.folds):
        there = rows.fold == f
        try:
            model = trainer(**(rows.part(~there) | asked)).model
        except TrainingDivergedError:
            return losses
        losses[there] = rows.losses(model, there)
    return losses


# --- the choice -------------------------------------------------------------------------------------------------------


def chosen(
    rows: SearchRows,
    penalties: np.ndarray,
    losses: np.ndarray,
    usual_penalty: float,
    errors: float = 1.0,
    name: str | None = None,
) -> tuple[float, str]:
    """The penalty nearest to the usual one that held-out rows cannot tell from the best one; and why, in words.

    They tell two apart if the losses differ by more than `errors` standard errors. `name` is what the losses are
    called.
    """
    usual = int(np.argmin(np.abs(np.log(penalties / usual_penalty))))
    weight = np.ones(len(rows)) if rows.sample_weight is None else rows.sample_weight
    means = np.average(losses, axis=1, weights=weight)
    more = losses - losses[means.argmin()]
    with np.errstate(invalid="ignore"):
        mean = np.average(more, axis=1, weights=weight)
        error = np.sqrt(np.sum((weight * (more - mean[:, np.newaxis])) ** 2, axis=1)) / weight.sum()
        error *= errors * np.sqrt(1.0 + rows.folds / (rows.folds - 1.0))
        alike = np.flatnonzero(mean <= error)
    chosen = int(alike[np.argmin(np.abs(alike - usual))]) if len(alike) else usual
    within = f"in {rows.folds}-fold cross-validation"
    if chosen == usual:
        words = f"l2 = {usual_penalty:.3g} / rows as usual, because no other is clearly better {within}"
    else:
        beside = f"{means[chosen]:.4g} {within}, and {means[usual]:.4g} with the usual {usual_penalty:.3g} / rows"
        words = f"l2 = {penalties[chosen]:.3g} / rows, because its {name or rows.words} is {beside}"
    return float(penalties[chosen]), words


def kept_as_usual(penalty: float) -> str:
    return f"l2 = {penalty:.3g} / rows as usual: {TOO_FEW}"


def sampled(rows: SearchRows) -> str:
    return "" if len(rows) == rows.in_all else f"; found on {len(rows):,} of {rows.in_all:,} rows"
