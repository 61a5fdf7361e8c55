"""The trainers on shards: options checked, the engine chosen, then the loop of `drive.py`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import Job, restore
from tinynet_fast.cluster.learners import NetworkLearner, NeuronLearner
from tinynet_fast.cluster.loop import Cluster, Shards, search_rate, survey_shards, train
from tinynet_fast.cluster.sweep import HeldOutTask, LanesLearner, LanesTrainee, check_folds, held_counts
from tinynet_fast.cluster.tasks import checked
from tinynet_fast.kernels.engines import resolve
from tinynet_fast.models import MLP, Neuron
from tinynet_fast.models.layers import check_activation
from tinynet_fast.rows.arrays import as_float
from tinynet_fast.training.mlp import MOST_LABELS, first_parameters, longest_unit
from tinynet_fast.training.neuron import first_weights, largest_for_fast
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.plan import (
    Plan,
    check_flag,
    check_rate,
    check_seed,
    check_validation,
    check_whole,
    given_labels,
)
from tinynet_fast.training.result import Epoch, TrainingResult
from tinynet_fast.training.run import LARGEST_SUM
from tinynet_fast.training.schedules import LOSSES, Penalties, Schedule, check_at_least_zero
from tinynet_fast.training.sweep import checked_flag, several, swept
from tinynet_fast.training.sweep import first_weights as first_lanes
from tinynet_fast.training.sweep_result import ALL_ROWS, SweepResult

REMEDIES = {
    "shuffle": "shards are visited in their order: shuffle the rows once, where they are written",
    "sample_weight": "rows of shards count alike: repeat a row that counts twice, or train on one machine",
    "checkpoint": "an engine does a lost task again by itself: keep `result.model` from a callback, and start from it",
    "progress": "the engine shows the progress of its tasks: look at its dashboard",
    "drop_missing": "drop the rows in the frame: frame.dropna()",
    "dropout": "it is not drawn alike on shards: use l2 or weight_decay",
    "n_jobs": "each shard is a task, and the engine says how many run at once",
}


def refuse(options: dict[str, Any]) -> None:
    """One sentence for the first option that single-machine training has and shards have not."""
    for name in options:
        if name in REMEDIES:
            raise ValueError(f"{name} is not for rows on a cluster: {REMEDIES[name]}")
        raise TypeError(f"there is no option {name!r}: the docstring names those there are")


def neuron(
    cluster: Cluster,
    *,
    mode: str = "chain",
    syncs: int = 1,
    learning_rate: float | str = 0.1,
    epochs: int = 1,
    weights: Any = 0.0,
    bias: float = 0.0,
    l2: float = 0.0,
    l1: float = 0.0,
    schedule: str = "constant",
    power_t: float = 0.5,
    average: bool | int = False,
    loss: str = "log_loss",
    validation: Any = None,
    patience: int | None = None,
    engine: str = "fast",
    callback: Callable[[Epoch[Neuron]], Any] | None = None,
    labels: Any = None,
    standardize: bool = False,
    **others: Any,
) -> TrainingResult[Neuron]:
    """`train_neuron` on the shards of a cluster; the front ends say what that is."""
    refuse(others)
    penalties = Penalties(l2, l1, average, loss)
    if mode == "average" and (penalties.l1 or penalties.average_from > 1):
        what = "l1" if penalties.l1 else "average from a row on"
        raise ValueError(f"{what} counts the rows that came before, in one order: use mode='chain'")
    search = isinstance(learning_rate, str) and learning_rate == "auto"
    if search and (schedule != "constant" or not penalties.smooth):
        raise ValueError("learning_rate='auto' is for the constant schedule and log loss without l1: give a rate")
    rates = Schedule(
        1.0 if search else check_rate("learning_rate", learning_rate), schedule, power_t, penalties.l2 + penalties.l1
    )
    chosen = resolve(engine, "sgd_epochs" if penalties.none else "sgd_regularized_epochs")
    epochs = check_whole("epochs", epochs)
    shards = _surveyed(cluster, mode, syncs, labels, 2, standardize)
    start = first_weights(weights, bias, cluster.n_features)
    found = None
    if search:
        options = {"epochs": epochs, "average": bool(average), "l2": l2, "weights": start[:-1], "bias": start[-1]}
        found = search_rate(shards, options)
        rates.learning_rate = found.learning_rate
    rates.updates = epochs * shards.known.rows
    name = "strict" if chosen.name == "fast" and not penalties.smooth else chosen.name
    job = shards.job(NeuronLearner(start, rates, penalties), name, epochs=epochs)
    plan = _plan(job, standardize, validation, patience, callback)
    if name == "fast":
        plan.limit = largest_for_fast(rates, start)
    return replace(train(shards, job, plan), rate_search=found)


def network(
    cluster: Cluster,
    *,
    mode: str = "average",
    syncs: int | None = None,
    hidden: Sequence[int] = (4,),
    activation: str = "sigmoid",
    learning_rate: float = 0.15,
    epochs: int = 1,
    batch_size: int = 32,
    optimizer: str = "sgd",
    schedule: str = "constant",
    loss: str = "log_loss",
    weights: Any = None,
    biases: Any = None,
    init: str = "normal",
    init_scale: float = 0.3,
    seed: int | None = None,
    validation: Any = None,
    patience: int | None = None,
    engine: str = "fast",
    callback: Callable[[Epoch[MLP]], Any] | None = None,
    labels: Any = None,
    standardize: bool = False,
    **others: Any,
) -> TrainingResult[MLP]:
    """`train_mlp` on the shards of a cluster; the front ends say what that is."""
    of_steps = ("momentum", "nesterov", "beta_1", "beta_2", "epsilon", "l2", "weight_decay", "power_t")
    given = {name: others.pop(name) for name in of_steps if name in others}
    refuse(others)
    check_activation(activation)
    check_flag("nesterov", given.get("nesterov", False))
    steps = Optimizer(check_rate("learning_rate", learning_rate), optimizer, schedule=schedule, **given)
    if not isinstance(loss, str) or loss not in LOSSES:
        raise ValueError(f"there is no loss {loss!r}: use one of {', '.join(LOSSES)}")
    widths = hidden if isinstance(hidden, (list, tuple, np.ndarray)) else [hidden]
    units = [check_whole("a hidden layer's width", width) for width in widths]
    if not units:
        raise ValueError("hidden is empty: name the units of at least one layer, or use train_neuron")
    batch_size, epochs = check_whole("batch_size", batch_size), check_whole("epochs", epochs)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else check_seed(seed)
    chosen = resolve(engine, "network_epochs")
    syncs = (4 if mode == "average" else 1) if syncs is None else syncs
    shards = _surveyed(cluster, mode, syncs, labels, MOST_LABELS, standardize)
    outputs = 1 if len(shards.known.labels) == 2 else len(shards.known.labels)
    if outputs > 1 and loss == "squared_error":
        raise ValueError(f"loss='squared_error' is for two labels and y has {outputs}: use 'log_loss'")
    sizes = [cluster.n_features, *units, outputs]
    start = first_parameters(weights, biases, sizes, init, check_rate("init_scale", init_scale), seed)
    learner = NetworkLearner(start, sizes, activation, steps, batch_size, loss)
    if mode == "average":
        learner = replace(learner, updates=epochs * shards.most_updates(batch_size))
    job = shards.job(learner, chosen.name, epochs=epochs, seed=seed)
    plan = _plan(job, standardize, validation, patience, callback)
    if chosen.name == "fast":
        plan.limit = (LARGEST_SUM / max(longest_unit(start, sizes), 1e-100)) ** 2
    return train(shards, job, plan)


def lab(
    cluster: Cluster,
    *,
    mode: str = "average",
    syncs: int = 1,
    learning_rate: Any = 0.1,
    l2: Any = 0.0,
    epochs: int = 1,
    weights: Any = 0.0,
    bias: Any = 0.0,
    average: Any = False,
    folds: int | None = None,
    seed: int | None = None,
    labels: Any = None,
    standardize: bool = False,
    **others: Any,
) -> SweepResult:
    """`sweep` on the shards of a cluster; the front ends say what that is."""
    refuse(others)
    rates = several("learning_rate", learning_rate, check_rate)
    penalties = several("l2", l2, check_at_least_zero)
    averages = several("average", average, checked_flag)
    epochs, n_folds = check_whole("epochs", epochs), 0 if folds is None else check_whole("folds", folds, least=2)
    seed = 0 if seed is None else check_seed(seed)
    shards = _surveyed(cluster, mode, syncs, labels, 2, standardize)
    if n_folds:
        check_folds(n_folds, shards.known.rows, seed)
    options = np.array(list(product(rates, penalties, averages)), dtype=np.float64)
    start = first_lanes(weights, bias, len(options), cluster.n_features)
    fold = np.tile(np.arange(ALL_ROWS, n_folds), len(options))
    options, start = np.repeat(options, 1 + n_folds, axis=0), np.repeat(start, 1 + n_folds, axis=0)
    learner = LanesLearner(options, start, fold, n_folds, seed)
    job = shards.job(learner, resolve("fast", "sgd_epochs").name, epochs=epochs, seed=seed if n_folds else None)
    return _lab(shards, job, learner)


def _lab(shards: Shards, job: Job, learner: LanesLearner) -> SweepResult:
    trainee, state, sums = LanesTrainee(learner, job.plan()), job.start(), []
    started = perf_counter()
    for _ in range(job.epochs):
        state, job = shards.epoch(job, state), replace(job, seen=True)
        sums.append(state.losses.reshape(3, -1))
    restore(trainee, state)
    models, counts, scores = trainee.models(), np.zeros((learner.folds, 2)), np.full(len(learner.fold), np.nan)
    if learner.folds:
        answers = shards.cluster.each(HeldOutTask(job, models, learner), shards.whole())
        counts = sum((checked(answer)["counts"] for answer in answers), counts)
        scores = sum((answer["losses"] for answer in answers), np.zeros(len(scores)))
        alone = (counts.sum(axis=0) - counts == 0).any(axis=1)
        if alone.any():
            raise ValueError(f"without fold {np.argmax(alone)} one label is left: use fewer folds, or another seed")
    held = held_counts(counts.sum(axis=1), learner.fold)
    squares, progressive, held_out = np.moveaxis(np.array(sums), 0, 1)
    plan = job.plan()
    plan.largest = state.largest
    with np.errstate(all="ignore"):  # 0/0 where no fold is held out
        losses = squares, progressive / (job.rows - held), held_out / held, scores / held
        return swept(plan, learner.options, learner.fold, models, *losses, perf_counter() - started)


def _surveyed(cluster: Cluster, mode: str, syncs: int, labels: Any, most: int, standardize: bool) -> Shards:
    check_flag("standardize", standardize)
    known = None if labels is None else given_labels(labels, most)
    return survey_shards(cluster, mode=mode, syncs=syncs, labels=known, most=most, standardize=standardize)


def _plan(job: Job, standardize: bool, validation: Any, patience: int | None, callback: Any) -> Plan:
    """What happens after an epoch, on the client."""
    plan = job.plan()
    if as_float(validation) is not None:
        raise ValueError("validation as a share needs a second pass over the shards: keep some rows and pass (X, y)")
    if validation is not None:
        X, y = check_validation(validation, job.n_features, job.labels, names=plan.features)
        plan.validation_loss = lambda model: model.mean_cross_entropy(X, y)
    if patience is not None:
        plan.patience = check_whole("patience", patience)
        if validation is None:
            raise ValueError("patience watches the validation loss: pass validation=(X, y)")
    if callback is not None and not callable(callback):
        raise ValueError(f"callback is {callback!r}; a function that takes an Epoch is needed")
    plan.callback = callback
    plan.options["standardize"] = bool(standardize)
    return plan
