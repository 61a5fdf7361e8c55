"""The trainers on shards: they check options, choose the engine and start the run of `shards.py`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np

from tinynet_fast.cluster.fit import ShardOptions
from tinynet_fast.cluster.learned import ShardNumbers, learned
from tinynet_fast.cluster.recipes import NetworkRecipe, NeuronRecipe
from tinynet_fast.cluster.shards import Shards, open_shards, search_rate, train
from tinynet_fast.cluster.sweep import HeldOutTask, SweepRecipe, check_folds, held_counts
from tinynet_fast.cluster.tasks import Cluster, checked, singles
from tinynet_fast.kernels.engines import FAST, Engine, choose, engine_named, row_limit
from tinynet_fast.kernels.fast import NETWORK_LOSSES
from tinynet_fast.models import MLP, Neuron
from tinynet_fast.models.layers import check_activation
from tinynet_fast.rows.arrays import as_float
from tinynet_fast.training.checks import (
    check_callback,
    check_flag,
    check_rate,
    check_seed,
    check_whole,
    draw_seed,
    is_auto,
)
from tinynet_fast.training.loop import finish, run_epochs
from tinynet_fast.training.losses import choose_loss
from tinynet_fast.training.mlp import LEAST_WEIGHT, MOST_LABELS, check_output
from tinynet_fast.training.network_start import check_hidden, first_parameters, longest_unit, network_sizes
from tinynet_fast.training.neuron import first_schedule
from tinynet_fast.training.neuron_kinds import check_neuron_output, first_weights, neurons_for
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.options import Options, check_patience
from tinynet_fast.training.result import Epoch, TrainingResult
from tinynet_fast.training.schedules import Penalties
from tinynet_fast.training.sweep import combinations, with_folds
from tinynet_fast.training.sweep import first_weights as first_weights_of_all
from tinynet_fast.training.sweep_result import SweepResult, swept
from tinynet_fast.training.targets import check_validation

REMEDIES = {
    "shuffle": "shards are visited in their order: shuffle the rows once, where they are written",
    "sample_weight": "all rows of shards count the same: repeat a row that counts twice, or train on one machine",
    "checkpoint": "a cluster repeats a lost task by itself: keep `result.model` from a callback, and start from it",
    "progress": "the cluster shows the progress of its tasks: look at its dashboard",
    "drop_missing": "drop the rows in the frame: frame.dropna()",
    "dropout": "shards would leave out other units than one machine: use l2 or weight_decay",
    "noise": "shards would draw other noise than one machine: use l2",
    "mixup": "shards would mix other rows than one machine: use l2 or weight_decay",
    "dtype": "networks there are float64: train on one machine for float32",
    "n_jobs": "each shard is a task, and the cluster decides how many run at once",
}
ONE_BY_ONE = "a sweep of shards trains two labels that count the same: call train_neuron for each combination"
OF_SWEEPS = {
    "output": ONE_BY_ONE,
    "class_weight": ONE_BY_ONE,
    "validation": "hold rows out with folds",
}


def refuse(options: dict[str, Any], more: Mapping[str, str] = MappingProxyType({})) -> None:
    """ValueError, with the remedy, for the first option that only training on one machine has."""
    remedies = REMEDIES | dict(more)
    for name in options:
        if name in remedies:
            raise ValueError(f"{name} is not for rows on a cluster: {remedies[name]}")
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
    output: str | None = None,
    loss: str | None = None,
    delta: float = 1.0,
    quantile: float = 0.5,
    gamma: float = 2.0,
    class_weight: Any = None,
    standardize_y: bool = False,
    validation: Any = None,
    patience: int | None = None,
    engine: str = "fast",
    callback: Callable[[Epoch[Neuron]], Any] | None = None,
    labels: Any = None,
    standardize: bool = False,
    **others: Any,
) -> TrainingResult[Neuron]:
    """`train_neuron` on the shards of a cluster. `tinynet_fast.dask.train_neuron` describes the options."""
    refuse(others)
    asked = choose_loss(loss, check_neuron_output(output), delta=delta, quantile=quantile, gamma=gamma)
    penalties = Penalties(l2, l1, average, asked)
    if mode == "average" and (penalties.l1 or penalties.average_from > 1):
        what = "l1" if penalties.l1 else "average from a row on"
        raise ValueError(f"{what} depends on all earlier rows, in one order: use mode='chain'")
    rates = first_schedule(learning_rate, schedule, power_t, penalties)
    chosen, epochs = _engine(engine), check_whole("epochs", epochs)
    to_learn = learned(asked, MOST_LABELS, labels, class_weight, standardize_y)
    shards = open_shards(cluster, mode, syncs, to_learn, standardize)
    rates.updates = epochs * shards.known.rows
    shard_options = shards.options(None, chosen.name, epochs=epochs)
    kind = neurons_for(shard_options.local(), penalties, output)
    start = first_weights(weights, bias, cluster.n_features, cluster.names, kind.outputs)
    chosen = choose(chosen, 0.0, np.inf, has_kernel=kind.is_fast)
    recipe = NeuronRecipe(start, rates, penalties, kind)
    shard_options = replace(shard_options, recipe=recipe, engine=chosen.name)
    found = search_rate(shards, shard_options) if is_auto(learning_rate) else None
    if found is not None:
        rates.learning_rate = found.learning_rate
    options = _options(shards, shard_options, standardize, validation, patience, callback)
    if chosen is FAST:
        longest = max(math.hypot(*each) for each in start)
        rate = float(rates.rates(0, 1)[0])
        options.limit = row_limit(longest, rate, kind.bound)
    return replace(train(shards, shard_options, options), rate_search=found)


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
    output: str | None = None,
    loss: str | None = None,
    delta: float = 1.0,
    quantile: float = 0.5,
    gamma: float = 2.0,
    class_weight: Any = None,
    standardize_y: bool = False,
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
    """`train_mlp` on the shards of a cluster. `tinynet_fast.dask.train_mlp` describes the options."""
    of_steps = ("momentum", "nesterov", "beta_1", "beta_2", "epsilon", "l2", "weight_decay", "power_t")
    given = {name: others.pop(name) for name in of_steps if name in others}
    refuse(others)
    check_activation(activation)
    check_flag("nesterov", given.get("nesterov", False))
    steps = Optimizer(check_rate("learning_rate", learning_rate), optimizer, schedule=schedule, **given)
    asked = choose_loss(loss, check_output(output), delta=delta, quantile=quantile, gamma=gamma)
    units = check_hidden(hidden)
    batch_size, epochs = check_whole("batch_size", batch_size), check_whole("epochs", epochs)
    seed = draw_seed() if seed is None else check_seed(seed)
    chosen = _engine(engine)
    syncs = (4 if mode == "average" else 1) if syncs is None else syncs
    to_learn = learned(asked, MOST_LABELS, labels, class_weight, standardize_y)
    shards = open_shards(cluster, mode, syncs, to_learn, standardize)
    known = shards.known
    n_labels = 0 if known.labels is None else len(known.labels)
    sizes = network_sizes(cluster.n_features, units, n_labels, asked.name, cluster.n_targets)
    start = first_parameters(weights, biases, sizes, init, check_rate("init_scale", init_scale), seed)
    largest_y = known.largest(shards.y_mean, shards.y_scale) if isinstance(known, ShardNumbers) else 0.0
    recipe = NetworkRecipe(start, sizes, activation, steps, batch_size, asked, largest_y=largest_y)
    if mode == "average":
        recipe = replace(recipe, updates=epochs * shards.most_updates(batch_size))
    weight = shards.weights
    tiny = weight is not None and bool(((weight > 0.0) & (weight < LEAST_WEIGHT)).any())
    chosen = choose(chosen, 0.0, np.inf, has_kernel=asked.code in NETWORK_LOSSES and not tiny)
    shard_options = shards.options(recipe, chosen.name, epochs=epochs, seed=seed)
    options = _options(shards, shard_options, standardize, validation, patience, callback)
    if chosen is FAST:
        options.limit = row_limit(longest_unit(start, sizes))
    return train(shards, shard_options, options)


def sweep(
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
    """`sweep` on the shards of a cluster. `tinynet_fast.dask.sweep` describes the options."""
    refuse(others, OF_SWEEPS)
    options = combinations(learning_rate, l2, average)
    epochs, n_folds = check_whole("epochs", epochs), 0 if folds is None else check_whole("folds", folds, least=2)
    seed = 0 if seed is None else check_seed(seed)
    shards = open_shards(cluster, mode, syncs, learned(choose_loss(), 2, labels), standardize)
    if n_folds:
        check_folds(n_folds, shards.known.rows, seed)
    start = first_weights_of_all(weights, bias, len(options), cluster.n_features)
    recipe = SweepRecipe(*with_folds(options, start, n_folds), n_folds, seed)
    engine = engine_named("fast").name
    shard_options = shards.options(recipe, engine, epochs=epochs, seed=seed if n_folds else None)
    return _sweep(shards, shard_options, recipe)


def _sweep(shards: Shards, shard_options: ShardOptions, recipe: SweepRecipe) -> SweepResult:
    options, state, sums, started = shard_options.local(), shard_options.start(), [], perf_counter()
    trainable = recipe.trainable(options)

    def one_pass(done: int) -> int:
        nonlocal state, shard_options
        state, shard_options = shards.epoch(shard_options, state), replace(shard_options, seen=True)
        sums.append(state.losses.reshape(3, -1))
        return 1

    finish(run_epochs(one_pass, shard_options.epochs))
    trainable.restore(state.trained)
    neurons = trainable.neurons
    parameters, counts, scores = neurons.parameters(), np.zeros((recipe.folds, 2)), np.full(len(neurons), np.nan)
    if recipe.folds:
        answers = shards.cluster.each(HeldOutTask(shard_options, parameters, recipe), singles(shards.whole()))
        counts = sum((checked(answer)["counts"] for answer in answers), counts)
        scores = sum((answer["losses"] for answer in answers), np.zeros(len(scores)))
        alone = (counts.sum(axis=0) - counts == 0).any(axis=1)
        if alone.any():
            raise ValueError(f"without fold {np.argmax(alone)} one label is left: use fewer folds, or another seed")
    held = held_counts(counts.sum(axis=1), recipe.fold)
    squares, progressive, held_out = np.moveaxis(np.array(sums), 0, 1)
    options.largest = state.largest
    with np.errstate(all="ignore"):  # 0/0 if no fold is held out
        losses = squares, progressive / (shard_options.rows - held), held_out / held, scores / held
        return swept(options, neurons, parameters, losses, perf_counter() - started)


def _engine(name: Any) -> Engine:
    """The engine of that name; ValueError for "portable"."""
    engine = engine_named(name)
    if engine.is_portable:
        raise ValueError(
            "engine='portable' trains on one machine, because a cluster's sums depend on how it cuts the rows: use "
            "engine='strict', or train_neuron and train_mlp on files, which are read while they are trained on"
        )
    return engine


def _options(
    shards: Shards, shard_options: ShardOptions, standardize: bool, validation: Any, patience: int | None, callback: Any
) -> Options:
    """The client's own options: validation, early stopping and the callback, after each epoch."""
    options = shard_options.local()
    if as_float(validation) is not None:
        raise ValueError("validation as a share needs a second pass over the shards: keep some rows and pass (X, y)")
    if validation is not None:
        of = options.labels, False, options.features, options.loss, shard_options.n_targets
        X, y = check_validation(validation, shard_options.n_features, *of)
        options.validation_loss = lambda model: model.mean_loss(X, y)
    options.patience = check_patience(patience, validation, remedy="")
    options.callback = check_callback(callback)
    options.recorded["standardize"] = bool(standardize)
    if shards.learned.standardize_y:
        options.recorded["standardize_y"] = True
    if shards.weights is not None:
        options.recorded["class_weight"] = shards.weights.tolist()
    return options
