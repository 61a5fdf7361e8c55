"""`sweep_mlp`: many networks in one pass over the rows, also cross-validated.

What is trained is in `sweep_mlp_networks.py`, and the passes are in `network_passes.py`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_fast.models.layers import check_activation
from tinynet_fast.models.outputs import ONE_VS_REST
from tinynet_fast.training.checks import (
    check_at_least_zero,
    check_flag,
    check_one_of,
    check_rate,
    check_seed,
    check_share,
    check_whole,
)
from tinynet_fast.training.float32 import check_dtype
from tinynet_fast.training.losses import choose_loss
from tinynet_fast.training.mlp import MOST_LABELS, check_output
from tinynet_fast.training.network_start import check_hidden
from tinynet_fast.training.optimizer import NETWORK_SCHEDULES
from tinynet_fast.training.options import check_of_targets, check_portable, checked
from tinynet_fast.training.reading import may_stream
from tinynet_fast.training.sweep import folds_of, several
from tinynet_fast.training.sweep_mlp_networks import Networks
from tinynet_fast.training.sweep_mlp_result import MLPSweepResult
from tinynet_fast.training.targets import ClassWeight

# The options that may be lists, with their checks; combinations are numbered so that the last changes fastest.
LISTS: dict[str, Any] = {
    "learning_rate": check_rate,
    "momentum": check_share,
    "l2": check_at_least_zero,
    "weight_decay": check_at_least_zero,
    "schedule": lambda name, value: check_one_of(name, value, NETWORK_SCHEDULES),
    "power_t": check_at_least_zero,
    "beta_1": check_share,
    "beta_2": check_share,
    "epsilon": check_at_least_zero,
    "dropout": check_share,
    "seed": lambda name, value: check_seed(value),
}


def sweep_mlp(
    X: Any,
    y: Any,
    *,
    hidden: Any = (4,),
    activation: str = "sigmoid",
    learning_rate: Any = 0.15,
    epochs: int = 1000,
    batch_size: int | None = None,
    optimizer: str = "sgd",
    momentum: Any = 0.0,
    nesterov: bool = False,
    beta_1: Any = 0.9,
    beta_2: Any = 0.999,
    epsilon: Any = 1e-8,
    l2: Any = 0.0,
    weight_decay: Any = 0.0,
    dropout: Any = 0.0,
    noise: float = 0.0,
    mixup: float = 0.0,
    schedule: Any = "constant",
    power_t: Any = 0.5,
    output: str | None = None,
    loss: str | None = None,
    delta: float = 1.0,
    quantile: float = 0.5,
    gamma: float = 2.0,
    sample_weight: Any = None,
    class_weight: Any = None,
    standardize_y: bool = False,
    weights: Any = None,
    biases: Any = None,
    init: str = "normal",
    init_scale: float = 0.3,
    shuffle: bool | str = False,
    seed: Any = None,
    folds: Any = None,
    validation: Any = None,
    engine: str = "fast",
    dtype: Any = "float64",
    features: Sequence[str] | None = None,
    labels: Any = None,
    standardize: bool = False,
    checkpoint: Any = None,
    checkpoint_seconds: float = 30.0,
    resume: bool = True,
    n_jobs: int | None = None,
) -> MLPSweepResult:
    """Train a network for every combination of options, side by side.

    Each is trained as `train_mlp` would train it, with the same updates in the same order, and ends with the weights
    that it has alone, to the engine's promise (1e-12, norm-wise, for "fast").

    Parameters
    ----------
    X, y, activation, epochs, batch_size, optimizer, nesterov, noise, mixup, loss, delta, quantile, gamma, \
sample_weight, class_weight, standardize_y, weights, biases, init, init_scale, shuffle, engine, features, labels, \
standardize
        As for `train_mlp`, but rows in memory. `weights` and `biases` are where all networks start.
    hidden : sequence of int, or list of these
        Units in each hidden layer, of one shape or of several: ``[(4,), (8, 4)]``. Networks of different shapes are
        trained shape by shape.
    learning_rate, momentum, l2, weight_decay, power_t, beta_1, beta_2, epsilon, dropout : float or list of float
    schedule : str or list of str
    seed : int or list of int, optional
        Options as for `train_mlp`: one value, or a list of values to try. All combinations are trained. They are
        numbered so that `seed` changes fastest, then `dropout`, `epsilon`, `beta_2`, `beta_1`, `power_t`, `schedule`,
        `weight_decay`, `l2`, `momentum`, `learning_rate`, and `hidden` last.
    output : {None, "linear", "one_vs_rest"}
        As for `train_mlp`. With "one_vs_rest" and more than two labels, there is a network for each label, of the shape
        and with the options that are asked for. It is what `train_mlp` gives for ``y == label`` with the same seed and
        sample weights; `class_weight` counts all labels. The model is a `OneVsRest`.
    dtype : {"float64", "float32"}
        As for `train_mlp`. Networks of float32 train one after the other.
    folds : int or (n,) ints, optional
        Cross-validation: every combination is trained on all rows, and once more without each fold, as if the rows of
        the fold were not there (batches, order, means and class weights are of the rows that are left). A number deals
        the rows at random, by the first seed, to that many folds, with each label spread evenly. An array gives the
        fold of each row, from 0.
    validation : (X, y) or float, optional
        Rows to judge the networks by, or the fraction of rows to hold out for that, drawn by the first seed; the
        networks are then trained on the other rows. Not together with `folds`.
    checkpoint, checkpoint_seconds, resume
        As for `train_mlp`: a stopped sweep goes on and ends with the same bits. `epochs` cannot be raised.
    n_jobs : int, optional
        How many threads train: 1 if left out; -1 for as many as there are cores. Results do not depend on it.

    Returns
    -------
    MLPSweepResult
        The loss history of each network, held-out losses, `best`, `models`, `table()`, and `ensemble(k)`: one model
        that predicts with the mean of the k best.

    Raises
    ------
    ValueError
        As for `train_mlp`; for an empty list, a list where one value is needed, and folds that leave no row of a label
        to train on. A network that diverges raises nothing: `diverged` says so.

    Notes
    -----
    Networks of one shape train in one pass over the rows if the engine is "fast", they are float64, the loss is the log
    loss or the squared error of numbers, and there is no `noise` or `mixup`. All others train one after the other;
    `side_by_side` and `engines` of the result say which. Networks whose rows are in the same order share more of the
    work: without `shuffle`, or with the same seed. Networks of all `folds` train in one pass if few share a fold.

    Like `sweep`, it issues no `TrainingWarning` for a network that learned nothing of use: look at its held-out loss.

    Examples
    --------
    >>> from tinynet_fast import sweep_mlp
    >>> X, y = [[-2, -7], [5, 20], [3, 12], [-7, -20]], [0, 1, 1, 0]
    >>> result = sweep_mlp(X, y, hidden=(4,), learning_rate=[0.01, 0.15], seed=[1, 2, 3], epochs=500)
    >>> result
    MLPSweepResult(6 networks, best: learning_rate=0.15, seed=1)
    >>> result.ensemble(3).predict(X)
    array([0, 1, 1, 0])
    """
    check_activation(activation)
    kind = check_dtype(dtype)
    lists = {
        "learning_rate": learning_rate,
        "momentum": momentum,
        "l2": l2,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "power_t": power_t,
        "beta_1": beta_1,
        "beta_2": beta_2,
        "epsilon": epsilon,
        "dropout": dropout,
    }
    values: dict[str, list[Any]] = {"hidden": shapes(hidden)}
    values |= {name: several(name, given, LISTS[name]) for name, given in lists.items()}
    seeds = None if seed is None else several("seed", seed, LISTS["seed"])
    if may_stream(X):
        raise ValueError("sweep_mlp reads its rows again and again from memory: read them first, or fewer of them")
    if folds is not None and validation is not None:
        raise ValueError("folds and validation are two ways to judge the networks: give one of them")
    classes = isinstance(output, str) and output == ONE_VS_REST
    of = check_output(None if classes else output)
    chosen = choose_loss(loss, of, delta=delta, quantile=quantile, gamma=gamma)
    check_of_targets(chosen, labels, class_weight, standardize_y)
    standardize = check_flag("standardize", standardize)
    noise, mixup = check_at_least_zero("noise", noise), check_at_least_zero("mixup", mixup)
    random_start = weights is None or max(*values["dropout"], noise, mixup) > 0.0
    asked = checked(
        X,
        y,
        loss=chosen,
        epochs=epochs,
        shuffle=shuffle,
        seed=None if seeds is None else seeds[0],
        random_start=random_start or (folds is not None and np.ndim(folds) == 0),
        validation=validation,
        engine=engine,
        sample_weight=sample_weight,
        most_labels=MOST_LABELS,
        features=features,
        labels=labels,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        resume=resume,
        n_jobs=n_jobs,
    )
    check_portable(asked, noise=noise, mixup=mixup)
    values["seed"] = [asked.seed] if seeds is None else seeds
    networks = Networks(
        asked,
        chosen,
        values,
        activation=activation,
        batch_size=None if batch_size is None else check_whole("batch_size", batch_size),
        optimizer=optimizer,
        nesterov=check_flag("nesterov", nesterov),
        start=(weights, biases, init, check_rate("init_scale", init_scale)),
        augment=(noise, mixup),
        class_weight=None if class_weight is None else ClassWeight(class_weight),
        standardize=(standardize, standardize_y),
        dtype=kind,
        one_vs_rest=classes and len(asked.labels) > 2,
    )
    return networks.swept(*folds_of(folds, asked))


def shapes(hidden: Any) -> list[tuple[int, ...]]:
    """The hidden layers of each shape that is asked for; ValueError if there is none, or if one makes no sense."""
    inside = [hasattr(each, "__iter__") for each in hidden] if hasattr(hidden, "__iter__") else []
    if not any(inside):
        return [tuple(check_hidden(hidden))]
    if not all(inside):
        raise ValueError(f"hidden is {hidden!r}; one shape, such as (8, 4), or a list of shapes is needed")
    return [tuple(check_hidden(each)) for each in hidden]
