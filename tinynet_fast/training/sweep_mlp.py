"""`sweep_mlp`: many networks in one pass over the rows, also cross-validated. The passes are in `network_passes.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import FAST
from tinynet_fast.models import MLP
from tinynet_fast.models.layers import check_activation
from tinynet_fast.rows.blocks import Rows, picked
from tinynet_fast.training.checkpoints import Checkpoint
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
from tinynet_fast.training.losses import LINEAR, ChosenLoss, choose_loss
from tinynet_fast.training.many_neurons import ALL_ROWS
from tinynet_fast.training.mlp import MOST_LABELS, check_output, check_total_weight, choose_network_engine
from tinynet_fast.training.network_passes import train_networks
from tinynet_fast.training.network_plan import NetworkPlan, Trained
from tinynet_fast.training.network_start import check_hidden, first_parameters, network_sizes
from tinynet_fast.training.optimizer import NETWORK_SCHEDULES, Optimizer
from tinynet_fast.training.options import Options, check_of_targets, check_portable, checked, measure
from tinynet_fast.training.reading import may_stream
from tinynet_fast.training.sweep import folds_of, several
from tinynet_fast.training.sweep_checkpoint import SweepCheckpoint
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
OF_OPTIMIZER = ("momentum", "l2", "weight_decay", "schedule", "power_t", "beta_1", "beta_2", "epsilon")


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
    X, y, activation, epochs, batch_size, optimizer, nesterov, noise, mixup, output, loss, delta, quantile, gamma, \
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
    dtype : {"float64"}
        Networks of float32 are not trained side by side: train each with `train_mlp`.
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
    Networks of one shape train in one pass over the rows if the engine is "fast", the loss is the log loss or the
    squared error of numbers, and there is no `noise` or `mixup`. All others train one after the other; `side_by_side`
    and `engines` of the result say which. Networks whose rows are in the same order share more of the work: without
    `shuffle`, or with the same seed.

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
    if check_dtype(dtype) != np.float64:
        raise ValueError("sweep_mlp trains networks of float64: leave dtype out, or train each with train_mlp")
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
    chosen = choose_loss(loss, check_output(output), delta=delta, quantile=quantile, gamma=gamma)
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


@dataclass
class Networks:
    """The networks of a sweep: what they share, checked, and the values of the options in which they differ."""

    asked: Options
    loss: ChosenLoss
    values: dict[str, list[Any]]
    activation: str
    batch_size: int | None
    optimizer: str
    nesterov: bool
    start: tuple[Any, Any, str, float]
    augment: tuple[float, float]
    class_weight: ClassWeight | None
    standardize: tuple[bool, bool]

    def swept(self, fold_of_row: np.ndarray | None, n_folds: int) -> MLPSweepResult:
        """Train and judge all networks. The rows of folds are those of `folds_of`."""
        asked = self.asked
        combinations = [dict(zip(self.values, each, strict=True)) for each in product(*self.values.values())]
        folds = np.arange(ALL_ROWS, n_folds)
        rows = [self._rows(None if f == ALL_ROWS else np.flatnonzero(fold_of_row != f)) for f in folds]
        check_total_weight(asked)
        plans = [self._plan(combination, options) for combination in combinations for options in rows]
        saved = self._checkpoint(plans, fold_of_row)
        trained = train_networks(plans, asked.threads, saved)
        fold = np.tile(folds, len(combinations))

        def make(i: int) -> MLP:
            return plans[i].model(trained.parameters[i], {"fold": int(fold[i]), "engine": plans[i].options.engine.name})

        result = MLPSweepResult(
            options={name: [each[name] for each in combinations for _ in folds] for name in self.values},
            tried=[name for name, given in self.values.items() if len(given) > 1],
            combination=np.arange(len(plans)) // len(folds),
            fold=fold,
            loss_history=trained.losses,
            held_out_loss=self._held_out(make, trained, fold, fold_of_row),
            diverged=trained.diverged(range(len(plans))),
            side_by_side=trained.side_by_side,
            engines=trained.engines,
            best=None,
            labels=np.empty(0) if asked.numbers else asked.labels,
            output=LINEAR if asked.numbers else "",
            features=asked.features,
            epochs=asked.epochs,
            seconds=trained.seconds,
            make=make,
        )
        result.judge()
        return result

    def _rows(self, kept: np.ndarray | None) -> Options:
        """The options with the rows of these numbers: weighted, and standardised, as if they were all."""
        rows = self.asked.in_memory
        index = rows.index if kept is None else kept
        own = replace(
            self.asked,
            rows=Rows(rows.X, rows.codes, index, rows.sample_weight),
            recorded=dict(self.asked.recorded),
            validation=None,
            validation_loss=None,
            checkpoint=None,
        )
        if self.class_weight is not None:
            self.class_weight.weigh(own)
        if own.engine is FAST and (kept is not None or self.class_weight is not None):
            blocks = own.in_memory.blocks(4096)
            own.largest = max(FAST.row_bound(X, weights) for X, _, weights in blocks)
        measure(own, *self.standardize, False, None)
        return own

    def _plan(self, values: dict[str, Any], options: Options) -> NetworkPlan:
        """The network with these values of options, on the rows of `options`."""
        own = replace(options, seed=values["seed"], recorded=dict(options.recorded))
        own.augment_rows(*self.augment, self.batch_size)
        if values["schedule"] == "cosine":
            own.recorded["epochs_in_all"] = own.epochs
        n_labels = 0 if own.numbers else len(own.labels)
        sizes = network_sizes(own.rows.n_features, list(values["hidden"]), n_labels, self.loss.name, own.n_targets)
        weights, biases, init, init_scale = self.start
        start = first_parameters(weights, biases, sizes, init, init_scale, own.seed, own.engine.is_portable)
        choose_network_engine(own, start, sizes, self.loss)
        steps = Optimizer(
            values["learning_rate"],
            self.optimizer,
            nesterov=self.nesterov,
            **{name: values[name] for name in OF_OPTIMIZER},
        )
        return NetworkPlan(own, start, sizes, self.activation, steps, self.batch_size, self.loss, values["dropout"])

    def _held_out(self, make: Any, trained: Trained, fold: np.ndarray, fold_of_row: np.ndarray | None) -> np.ndarray:
        """The mean loss of each network on the rows that it holds out, or on the validation rows."""
        judge, rows = self.asked.validation_loss, self.asked.in_memory
        losses = np.full(len(fold), np.nan)
        parts: dict[int, Any] = {}
        for f in range(int(fold.max()) + 1):
            held = np.flatnonzero(fold_of_row == f)
            parts[f] = picked(rows.X, held), rows.codes[held]
        for i in np.flatnonzero(~trained.diverged(range(len(fold)))):
            if fold[i] != ALL_ROWS:
                losses[i] = make(i).mean_loss(*parts[fold[i]])
            elif judge is not None:
                losses[i] = judge(make(i))
        return losses

    def _checkpoint(self, plans: list[NetworkPlan], fold_of_row: np.ndarray | None) -> SweepCheckpoint | None:
        """The sweep's checkpoint, if one is asked for."""
        file: Checkpoint | None = self.asked.checkpoint
        if file is None:
            return None
        import hashlib  # 2 ms, which only checkpoints need

        seen = hashlib.blake2b(digest_size=16)
        for plan in plans:
            seen.update(plan.start.tobytes())
        if fold_of_row is not None:
            seen.update(fold_of_row.tobytes())
        shared = {
            "trainer": "sweep_mlp",
            "epochs": self.asked.epochs,
            "activation": self.activation,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
            "nesterov": self.nesterov,
            **self.loss.options(),
            "noise": self.augment[0],
            "mixup": self.augment[1],
            "standardize": self.standardize[0],
            "standardize_y": self.standardize[1],
            "class_weight": [plan.options.recorded.get("class_weight") for plan in plans[:1]],
            "starts and folds": seen.hexdigest(),
            "shuffle": str(self.asked.shuffle),
            "seed": self.asked.seed,
            "validation": self.asked.validation,
            "labels": None if self.asked.labels is None else self.asked.labels.tolist(),
            "features": self.asked.features,
        }
        return SweepCheckpoint(
            file,
            shared | {f"{k} tried": v for k, v in self.values.items()},
            self.asked.in_memory,
            self.asked.engine.name,
        )
