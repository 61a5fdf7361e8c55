"""Training on a Dask cluster: arrays, frames and Parquet whose rows lie on many workers (`pip install '.[dask]'`).

`distributed` schedules the tasks, places the data and recovers from failures. The computing is in `cluster/`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.cluster import train
from tinynet_fast.cluster.dask_scoring import predicted
from tinynet_fast.cluster.dask_shards import dask_cluster
from tinynet_fast.cluster.learned import are_numbers
from tinynet_fast.cluster.scoring import check_has_probabilities
from tinynet_fast.models import MLP, Model, Neuron
from tinynet_fast.models.base import check_model
from tinynet_fast.training.result import TrainingResult
from tinynet_fast.training.sweep_result import SweepResult

__all__ = ["predict", "predict_proba", "sweep", "train_mlp", "train_neuron"]


def train_neuron(
    X: Any,
    y: Any,
    *,
    client: Any = None,
    features: Sequence[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> TrainingResult[Neuron]:
    """Train one neuron on rows that lie on the workers of a Dask cluster, or one for each label or target of several.

    Parameters
    ----------
    X : dask array (n, n_features), dask frame, path or list of paths
        A shard is a block of rows of the array, a partition of the frame, or a Parquet file, in their order. Paths may
        be patterns, folders and URLs of any kind that fsspec opens. Their files come in natural order (part.2 before
        part.10), and folders called name=value give columns, as for `tinynet_fast.train_neuron`. Workers read the
        files themselves, remote ones a row group at a time. An array or a frame is computed anew for every pass over
        its rows, and for every sync, unless you persist it. Partitions and files without rows are skipped.
    y : dask array (n,) or (n, n_targets), str, or list of str
        The labels, cut like X, or the name of their column; with output="linear" the numbers, of one target or of
        several, or the names of their columns.
    client : distributed.Client, optional
        The current client if left out. Within a task it is that of `distributed.worker_client`.
    features : sequence of str, optional
        The columns to learn from. If left out: all except the labels' column and an index that pandas or Dask wrote
        into a file, also one with a name.
    storage_options : dict, optional
        For fsspec, if X is a path.
    mode : {"chain", "average"}
        "chain" hands the weights from shard to shard in order. They are bit for bit the weights that
        `tinynet_fast.train_neuron` has for the same rows in one array, if it trains them in turn and with one
        engine; if its result has a certificate, or if it changes the engine because the rate falls, they are equal to
        1e-12. Large shards are trained at once, as segments whose junctions are compared afterwards; see the notes.
        What cannot be cut into segments takes as long as on one machine, because one worker trains at a time. Use
        "chain" if the rows do not fit on one machine.
        "average" trains on all shards at once from the same weights, and then takes the mean of their weights, weighted
        by their numbers of rows. **These are not the weights of a single machine.** The same shards give the same bits,
        with any number of workers and in any order; other shards give other bits. How far off they are: on 20,000,000
        rows of 16 inputs with average=True the log loss was within 0.003 % of a single machine's, over 8 and over 64
        shards. With shards of a few hundred rows, the model is only as good as one trained on a few hundred rows
        (docs/cluster.md).
    syncs : int
        How often "average" takes the mean in an epoch. 1 unless given.
    learning_rate, epochs, weights, bias, l2, l1, schedule, power_t, average, engine, labels, standardize
        As for `tinynet_fast.train_neuron`, except that `epochs` is 1 unless given. With learning_rate="auto" the rate
        is found on rows that are drawn from the first shard that has all labels, or numbers that differ, in a pass over
        it. With
        mode="average", `schedule` counts the rows of all shards, and `l1` and an `average` that starts at a later row
        are refused. `standardize` takes a pass over the inputs beforehand; in mode="average" it merges the moments of
        the shards.
    output, loss, delta, quantile, gamma, class_weight, standardize_y
        As for `tinynet_fast.train_neuron`. The numbers to learn are checked in the first pass, which also finds their
        means and deviations for `standardize_y`; mode="chain" takes one more pass over the rows for these.
    validation : (X, y), optional
        Arrays or a frame on the client; a frame's columns are found by name.
    patience, callback
        As for `tinynet_fast.train_neuron`.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ValueError
        For everything that `tinynet_fast.train_neuron` refuses, naming partition and row; for rows that change from
        pass to pass; for options that only one machine has.
    TrainingDivergedError
        If the weights overflow.
    TimeoutError
        If there is no worker for a minute.

    Notes
    -----
    With mode="chain" and the fast engine, shards are trained in segments side by side if there are four or more of at
    least 65,536 rows, which are persisted or files, and if a burn-in takes at most half of them. `certificate` of the
    result says how far the weights can be from those of rows in turn; it is None if all shards were trained in turn.
    The weights have the same bits with any number of workers. `l1`, `average`, other losses than the log loss, class
    weights and several outputs are trained in turn. Small shards that follow each other are one task, of up to 8 MB.

    A first pass reads and checks the labels, or the numbers, and counts the rows. Inputs are checked in the first
    epoch: a row that cannot be trained on is refused, and if a row is too long for the fast engine, all shards start
    anew with the strict one. The fast engine's bits are the same on all machines with the same instruction set; those
    of engine="strict" on all machines.
    """
    return train.neuron(dask_cluster(X, y, client, features, storage_options, are_numbers(options)), **options)


def train_mlp(
    X: Any,
    y: Any,
    *,
    client: Any = None,
    features: Sequence[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> TrainingResult[MLP]:
    """Train a network on rows that lie on the workers of a Dask cluster.

    Parameters
    ----------
    X, y, client, features, storage_options
        As for `train_neuron`.
    mode, syncs
        As for `train_neuron`, but "average" with 4 syncs unless given. All shards start from the same weights. The mean
        of networks that have moved far apart is of no use, so sync often.
    output, loss, delta, quantile, gamma, class_weight, standardize_y
        As for `train_neuron`, without "one_vs_rest".
    hidden, activation, learning_rate, epochs, batch_size, optimizer, schedule, weights, biases, init, seed, ...
        As for `tinynet_fast.train_mlp`, except that `epochs` is 1 unless given, and `batch_size`, the rows in an update
        of one shard, is 32. With "average" the schedule counts the updates of the shard that makes most of them.

    Returns
    -------
    TrainingResult
    """
    return train.network(dask_cluster(X, y, client, features, storage_options, are_numbers(options)), **options)


def sweep(
    X: Any,
    y: Any,
    *,
    client: Any = None,
    features: Sequence[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> SweepResult:
    """Train a neuron for every combination of options, all in one pass over the shards.

    Parameters
    ----------
    X, y, client, features, storage_options
        As for `train_neuron`.
    mode, syncs
        As for `train_neuron`, but "average" with one sync unless given.
    learning_rate, l2, average, epochs, weights, bias, seed
        As for `tinynet_fast.sweep`.
    folds : int, optional
        A row's fold is a hash of its number and `seed`. So folds have about the same size and do not depend on how the
        rows are cut into shards. The losses of held-out rows take one more pass.

    Returns
    -------
    SweepResult
    """
    return train.sweep(dask_cluster(X, y, client, features, storage_options), **options)


def predict_proba(model: Model, X: Any) -> Any:
    """The probability of the second label for each row, as a lazy dask array or series. Rows stay on their workers.

    Parameters
    ----------
    model : Neuron or MLP
    X : dask array or dask frame
        A frame's columns are found by the model's names, if it has names; other columns are left out.

    Returns
    -------
    dask array, or dask series named "probability"
        For more than two labels an array (n, n_classes); a frame is then refused.

    Raises
    ------
    ValueError
        At once if the model has no probabilities (of numbers, or trained with loss="hinge"), if the frame lacks a
        column that the model needs, or if there is another number of columns. While
        computing if a row cannot be predicted; the message names the partition and the row.
    """
    check_has_probabilities(model)
    return predicted(model, X, model.predict_proba, np.dtype(float), "probability")


def predict(model: Model, X: Any, threshold: float | None = None) -> Any:
    """The label or the number of each row, lazily, in the form of `predict_proba`; the series is named "prediction".

    Numbers are float64. Of several numbers for a row it is an array (n, n_outputs), or a frame with a column for each:
    `prediction_`, and the name of the target or its place.

    Parameters
    ----------
    model : Neuron or MLP
        A model of labels or of numbers.
    X : dask array or dask frame
        As for `predict_proba`.
    threshold : float, optional
        The second of two labels is predicted if its probability is at least this. The default is the model's own.
    """
    check_model(model)
    model.limit(threshold)  # raises if it is not a threshold
    return predicted(model, X, partial(model.predict, threshold=threshold), model.labels.dtype, "prediction")
