"""Finds options with which a table of numbers is learned well: one neuron or a network, and their penalty and rate.

The prior and the rule by which held-out rows decide are those of `defaults.py`. Of squared errors, the neuron that a
penalty gives is known without training: it is ridge regression (Hoerl and Kennard, Technometrics 12, 1970). So all
penalties are judged by its solution, and a learning rate is good if the neuron comes close to it.
"""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.errors import TrainingDivergedError, TrainingWarning
from tinynet_fast.rows.sampling import drawn_rows
from tinynet_fast.tables.defaults import (
    BATCH,
    FEWEST_EPOCHS,
    FOLDS,
    MOST_EPOCHS,
    NETWORK_ROWS,
    NEURON_ROWS,
    NOT_SEARCHED,
    TOO_FEW,
    USUAL_NEURON,
    VALUES,
    VISITS,
    Found,
    SearchRows,
    dealt,
    held_out,
    is_number,
    network,
    rates_for,
    sampled,
    slow_neuron,
)
from tinynet_fast.training.losses import LINEAR, ChosenLoss, choose_loss
from tinynet_fast.training.neuron import train_neuron

HIDDEN = (32,)  # units of the network that is tried beside one neuron
PENALTIES = np.geomspace(1e-2, 1e4, 25)
STEEPEST = 1.0  # the second derivative of half the squared error: a step on a row of length 1 may be 2
WIDEST = 1 << 10  # columns, or else rows, of which ridge regression is solved: 0.1 s for each fold
SHAPES = ("delta", "quantile")
OF_RIDGE = {"learning_rate", "l2", "average", "epochs", "shuffle", "seed", "engine", "n_jobs", "loss", "standardize_y"}


def find_number_options(
    X: np.ndarray,
    y: np.ndarray,
    hidden: tuple[int, ...] | None = None,
    given: Mapping[str, Any] | None = None,
    seed: int = 0,
    sample_weight: np.ndarray | None = None,
) -> Found:
    """Find options of `train_neuron`, or of `train_mlp` with `hidden`, with output="linear" for these rows.

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
    sample_weight : (n,), optional
        What rows count for, in training and in judging.
    """
    given = dict(given or {})
    loss = choose_loss(given.get("loss"), LINEAR, **{name: given[name] for name in SHAPES if name in given})
    given |= {"output": LINEAR, "standardize_y": given.get("standardize_y", loss.name != "poisson")}
    if given["standardize_y"]:
        y = (y - y.mean()) / (y.std() or 1.0)
    few = _rows(X, y, seed, sample_weight, NETWORK_ROWS, loss)
    many = few if hidden else _rows(X, y, seed, sample_weight, NEURON_ROWS, loss)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", TrainingWarning)  # training on all rows will say what there is to say
        if hidden:
            return network(few, tuple(hidden), given, seed)
        found = _neuron(many, dict(given), seed)
        if hidden is not None or few.folds < 2:
            return found
        return _better(few, found, given, seed)


def _rows(
    X: np.ndarray, y: np.ndarray, seed: int, sample_weight: np.ndarray | None, most: int, loss: ChosenLoss
) -> SearchRows:
    """Draw rows if there are too many, and deal them to folds, with small and large numbers spread evenly."""
    in_all, every = len(y), len(y) // most
    if every > 1:
        drawn = drawn_rows(in_all, every, lambda part: np.zeros(len(y), np.intp)[part], 1)
        X, y = X[drawn], y[drawn]
        sample_weight = None if sample_weight is None else sample_weight[drawn]
    folds = min(FOLDS, len(y) if sample_weight is None else int(np.count_nonzero(sample_weight)))
    return SearchRows(X, y, sample_weight, dealt(np.zeros(len(y), np.intp), folds, seed), folds, in_all, 0, loss)


def _better(rows: SearchRows, neuron: Found, given: dict[str, Any], seed: int) -> Found:
    """The neuron, or a network if it is clearly better on rows held out."""
    if given.keys() & {"l1", "average", "learning_rate", "n_jobs"}:
        return neuron  # these are of one neuron, or are for it
    found = network(rows, HIDDEN, given, seed)
    options = found.options | {"epochs": min(found.options["epochs"], MOST_EPOCHS)}
    return neuron if options is None else found


# --- one neuron -------------------------------------------------------------------------------------------------------


def _neuron(rows: SearchRows, given: dict[str, Any], seed: int) -> Found:
    n, d = rows.X.shape
    visits = min(VISITS, VALUES // d)
    options: dict[str, Any] = {
        "epochs": int(np.clip(visits // rows.in_all, FEWEST_EPOCHS, MOST_EPOCHS)),
        "shuffle": True,
        "seed": seed,
        "average": True,
    } | given
    assert rows.loss is not None
    plain = rows.loss.name == "squared_error" and not given.keys() - OF_RIDGE - NOT_SEARCHED - {"output", *SHAPES}
    return options, visits, n, plain
