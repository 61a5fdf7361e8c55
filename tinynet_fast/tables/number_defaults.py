"""Finds options with which a table of numbers is learned well: one neuron or a network, and their penalty and rate.

The prior, and the rule by which rows held out decide, are those of `defaults.py`. The neuron with the least squared
error and a penalty is known without training: it is ridge regression (Hoerl and Kennard, Technometrics 12, 1970). So
its solution judges all penalties, and the rate is one whose training comes close to it. Measured on 19 tables with
learning rates from 3 to 30 % of the longest steps that are stable: the penalised loss is at most 0.4 % above the least.
"""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingDivergedError, TrainingWarning
from tinynet_fast.rows.sampling import drawn_rows
from tinynet_fast.tables.defaults import (
    FEWEST_EPOCHS,
    FOLDS,
    MOST_EPOCHS,
    NETWORK_ROWS,
    NEURON_ROWS,
    NOT_SEARCHED,
    VALUES,
    VISITS,
    Found,
    SearchRows,
    chosen,
    dealt,
    held_out,
    is_number,
    kept_as_usual,
    network_options,
    sampled,
)
from tinynet_fast.training.losses import LINEAR, ChosenLoss, choose_loss
from tinynet_fast.training.mlp import train_mlp
from tinynet_fast.training.neuron import train_neuron

HIDDEN = (32,)  # units of the network that is tried beside one neuron
PENALTIES = np.geomspace(1e-2, 1e4, 25)
# On 19 tables, 25 times each, R squared was 0.01 larger than with 1.0 on average, and never less by more than 0.003.
USUAL = 10.0**0.5
ERRORS = 0.5  # standard errors by which another penalty must be better; with 1.0, two tables lost 0.003 and 0.02
RATES = np.geomspace(1e-3, 1.0, 7)  # as shares of 2 / (the mean squared length of rows + 1)
START = 4  # the rate that is tried first
WIDEST = 1 << 10  # inputs up to which ridge regression is solved on all rows of the search; else on as many rows
SHAPES = ("delta", "quantile", "gamma")
# What a neuron may have so that ridge regression says what it learns.
OF_RIDGE = {"learning_rate", "l2", "average", "epochs", "shuffle", "seed", "engine", "n_jobs", "output", "loss"}
OF_NEURONS = {"learning_rate", "average", "l1", "power_t"}  # no network is tried if one of these is given


def find_number_options(
    X: np.ndarray,
    y: np.ndarray,
    hidden: tuple[int, ...] | None = None,
    given: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Found:
    """Find options of `train_neuron`, or of `train_mlp` if they name `hidden`, with output="linear" for these rows.

    Parameters
    ----------
    X : (n, n_features)
        The rows as they will be trained on: numbers standardised, levels 0 or 1, without missing values.
    y : (n,) float64
    hidden : tuple of int, optional
        The units of each hidden layer; () for one neuron. If it is left out, one neuron is taken, or a network of 32
        hidden units if its loss on rows held out is lower by more than a standard error.
    given : dict, optional
        Options of the trainer that must stay as they are.
    seed : int
        Deals rows to folds, and is the trainer's seed.
    """
    given = dict(given or {})
    loss = choose_loss(given.get("loss"), LINEAR, **{name: given[name] for name in SHAPES if name in given})
    given |= {"output": LINEAR, "standardize_y": given.get("standardize_y", not loss.is_of_counts)}
    if given["standardize_y"]:
        y = (y - y.mean()) / (y.std() or 1.0)
    rows = _rows(X, y, seed, NETWORK_ROWS if hidden else NEURON_ROWS, loss)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", TrainingWarning)  # training on all rows will say what there is to say
        if hidden:
            return network_options(rows, tuple(hidden), given, seed)
        neuron = _neuron(rows, given, seed)
        if hidden is not None or rows.folds < 2 or given.keys() & OF_NEURONS:
            return neuron
        return _better(_rows(X, y, seed, NETWORK_ROWS, loss), neuron, given, seed)


def _rows(X: np.ndarray, y: np.ndarray, seed: int, most: int, loss: ChosenLoss) -> SearchRows:
    """Draw rows if there are too many, and deal them to folds at random."""
    in_all, every, same = len(y), len(y) // most, np.zeros(len(y), np.intp)
    if every > 1:
        drawn = drawn_rows(in_all, every, same.__getitem__, 1)
        X, y, same = X[drawn], y[drawn], same[drawn]
    folds = min(FOLDS, len(y))
    return SearchRows(X, y, None, dealt(same, folds, seed), folds, in_all, 0, loss)


def _better(rows: SearchRows, neuron: Found, given: dict[str, Any], seed: int) -> Found:
    """The neuron, or a network if its loss on rows held out is lower by more than a standard error.

    The network is first tried with the usual penalty, and its own is found only if it is better.
    """
    usual = network_options(replace(rows, in_all=len(rows)), HIDDEN, given | {"l2": USUAL / len(rows)}, seed).options
    losses = held_out(train_mlp, rows, usual)
    gain = _losses_of_neuron(rows, neuron.options) - losses
    error = float(gain.std(ddof=1)) / np.sqrt(len(gain)) * np.sqrt(1.0 + rows.folds / (rows.folds - 1.0))
    ours, theirs = float(np.mean(losses)), float(np.mean(losses + gain))
    compared = f"{rows.words} {ours:.4g} in {rows.folds}-fold cross-validation, and {theirs:.4g} without hidden units"
    if not gain.mean() > error:
        return Found(
            neuron.options, f"one neuron, because a network is not clearly better ({compared}); {neuron.reason}"
        )
    found = network_options(rows, HIDDEN, given, seed)
    return Found(
        found.options, f"a network of {HIDDEN[0]} hidden units, because it is better ({compared}); {found.reason}"
    )


# --- one neuron -------------------------------------------------------------------------------------------------------


def _neuron(rows: SearchRows, given: dict[str, Any], seed: int) -> Found:
    """Options of one neuron: its penalty by ridge regression, and the best of some rates."""
    assert rows.loss is not None
    n, d = rows.X.shape
    visits = min(VISITS, VALUES // d)
    epochs = int(np.clip(visits // rows.in_all, FEWEST_EPOCHS, MOST_EPOCHS))
    options: dict[str, Any] = {"epochs": epochs, "shuffle": True, "seed": seed, "average": True} | given
    if given.get("schedule", "constant") != "constant":
        del options["average"]
    reason = "l2 or l1 was given" if given.keys() & {"l2", "l1"} else kept_as_usual(USUAL)
    if not given.keys() & {"l2", "l1"}:
        penalty = USUAL
        if rows.folds > 1:
            penalty, reason = chosen(rows, PENALTIES, _ridge_losses(rows, PENALTIES), USUAL, ERRORS, "squared error")
        options["l2"] = penalty / rows.in_all
    if given.get("schedule") == "optimal":
        return Found(options, "schedule='optimal' uses no learning rate; " + reason)
    if is_number(given.get("learning_rate")):
        return Found(options, f"the learning rate was given; {reason}{sampled(rows)}")
    searched = options | {"epochs": min(int(np.clip(visits // n, FEWEST_EPOCHS, MOST_EPOCHS)), options["epochs"])}
    searched["l2"] = options.get("l2", 0.0) * rows.in_all / n
    rate, tried = _best_rate(rows, searched)
    options["learning_rate"] = rate
    return Found(options, f"learning_rate={rate:.4g}, the best of {tried}; {reason}{sampled(rows)}")


def _best_rate(rows: SearchRows, options: dict[str, Any]) -> tuple[float, int]:
    """The rate with the least penalised loss of all rows, and how many were tried: from one on, while they improve."""
    longest = 2.0 / (float(np.einsum("ij,ij->", rows.X, rows.X)) / len(rows) + 1.0)
    asked = {name: value for name, value in options.items() if name not in NOT_SEARCHED}
    every, found = np.ones(len(rows), bool), {}

    def loss(place: int) -> float:
        if place not in found:
            found[place] = np.inf
            try:
                model = train_neuron(**(rows.part(every) | asked | {"learning_rate": longest * RATES[place]})).model
                squared = 2.0 if rows.loss is not None and rows.loss.name == "squared_error" else 1.0
                penalty = 0.5 * asked["l2"] * float(model.weights @ model.weights)
                found[place] = float(rows.losses(model, every).mean()) / squared + penalty
            except TrainingDivergedError:
                pass
        return found[place]

    place = START
    for step in (-1, 1):
        while 0 <= place + step < len(RATES) and loss(place + step) < loss(place):
            place += step
        if place != START:
            break
    if not np.isfinite(found[place]):
        raise ValueError("every learning rate diverges: standardise the inputs")
    return longest * float(RATES[place]), len(found)


def _losses_of_neuron(rows: SearchRows, options: dict[str, Any]) -> np.ndarray:
    """The loss of each row under the neuron that was trained without its fold."""
    assert rows.loss is not None
    penalty = options.get("l2", 0.0) * rows.in_all
    if rows.loss.name == "squared_error" and options.keys() <= OF_RIDGE | NOT_SEARCHED:
        return _ridge_losses(rows, np.array([penalty]))[0]
    return held_out(train_neuron, rows, options | {"l2": penalty / len(rows)})


def _ridge_losses(rows: SearchRows, penalties: np.ndarray) -> np.ndarray:
    """(penalties, rows): the squared error of each row under ridge regression without its fold.

    The bias has no penalty. With more than `WIDEST` inputs, each fold learns from as many rows at most.
    """
    losses = np.empty((len(penalties), len(rows)))
    for f in range(rows.folds):
        there = rows.fold == f
        learned = np.flatnonzero(~there)[: None if rows.X.shape[1] <= WIDEST else WIDEST]
        X, y = rows.X[learned], rows.y[learned]
        middle, mean = X.mean(axis=0), float(y.mean())
        U, size, V = np.linalg.svd(X - middle, full_matrices=False)
        part = (rows.X[there] - middle) @ V.T
        shrunk = size / (size**2 + penalties[:, np.newaxis] * len(learned) / len(rows))
        losses[:, there] = ((shrunk * (U.T @ (y - mean))) @ part.T + mean - rows.y[there]) ** 2
    return losses
