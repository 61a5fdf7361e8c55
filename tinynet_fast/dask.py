"""Training on a Dask cluster: arrays, frames and Parquet whose rows lie on many workers (`pip install '.[dask]'`).

Scheduling, data placement and recovery are `distributed`'s. What is computed is in `cluster/`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tinynet_fast.cluster import train
from tinynet_fast.cluster.dask_scoring import predicted
from tinynet_fast.cluster.dask_shards import dask_cluster
from tinynet_fast.cluster.scoring import check_model
from tinynet_fast.models import MLP, Model, Neuron
from tinynet_fast.training.result import TrainingResult
from tinynet_fast.training.sweep_result import SweepResult


def train_neuron(
    X: Any,
    y: Any,
    *,
    client: Any = None,
    features: Sequence[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> TrainingResult[Neuron]:
    """Train one neuron on rows that lie on the workers of a Dask cluster.

    Parameters
    ----------
    X : dask array (n, n_features), dask frame, path or list of paths
        A shard is a block of rows of the array, a partition of the frame, or a Parquet file, in their order. Paths may
        be patterns, folders and URLs, of whatever fsspec opens. Their files come in natural order (part.2 before
        part.10), and folders called name=value give columns, as for `tinynet_fast.train_neuron`. Workers read the
        files themselves, remote ones a row group at a time. An array or a frame is computed anew for every pass over
        its rows, and for every sync, unless it was persisted. Partitions and files without rows are skipped.
    y : dask array (n,), or str
        The labels, cut like X; or the name of their column.
    client : distributed.Client, optional
        If left out, the current one. Within a task it is that of `distributed.worker_client`.
    features : sequence of str, optional
        The columns to learn from. If left out: all but the labels' and an index that pandas or Dask wrote into a file,
        also one with a name.
    storage_options : dict, optional
        For fsspec, if X is a path.
    mode : {"chain", "average"}
        "chain" hands the weights from shard to shard in order. They are bit for bit those that
        `tinynet_fast.train_neuron` has for the same rows in one array. It takes as long as on one machine, because one
        worker trains at a time. Use it for rows that no single machine holds.
        "average" trains on all shards at once from the same weights, and then takes their mean, weighted by rows.
        **These are not the weights of a single machine.** They are the same bits for the same shards, whatever the
        number of workers and the order in which they are done, and other bits for other shards. How far off they are:
        on 20,000,000 rows of 16 inputs with average=True the log loss was within 0.003 % of a single machine's, over 8
        and over 64 shards; shards of a few hundred rows are worth no more than that many rows (docs/cluster.md).
    syncs : int
        How often "average" takes the mean in an epoch. 1 unless given.
    learning_rate, epochs, weights, bias, l2, l1, schedule, power_t, average, loss, engine, labels, standardize
        As for `tinynet_fast.train_neuron`, but that `epochs` is 1 unless given. With "auto" the rate is found on
        rows that are drawn from the first shard that has both labels, in a pass over it. With "average", `schedule`
        counts the rows of all shards, and `l1` and an `average` from a row on are refused. `standardize` takes a
        pass over the inputs beforehand, and in mode="average" merges the moments of the shards.
    validation : (X, y), optional
        Arrays or a frame on the client; a frame's columns are found by name. `patience` and `callback` are as for
        `tinynet_fast.train_neuron`, too.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ValueError
        For what `tinynet_fast.train_neuron` refuses, naming partition and row; for rows that change from pass to pass;
        for options that are for one machine only.
    TrainingDivergedError
        If the weights overflow.
    TimeoutError
        If there is no worker for a minute.

    Notes
    -----
    One pass over the labels comes before the first row and counts the rows. Inputs are looked at while they are trained
    on for the first time: a row that cannot be trained on is refused, and if one is too long for the fast engine, all
    shards start anew with the strict one. The fast engine's bits are the same on machines with the same instruction
    set; those of engine="strict" on all.
    """
    return train.neuron(dask_cluster(X, y, client, features, storage_options), **options)


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
        As for `train_neuron`; "average" unless given, with 4 syncs. All shards start from the same weights. Networks
        that are apart cannot be averaged, so sync often.
    hidden, activation, learning_rate, epochs, batch_size, optimizer, schedule, loss, weights, biases, init, seed, ...
        As for `tinynet_fast.train_mlp`, but that `epochs` is 1 unless given and
        `batch_size`, the rows in an update of one shard, is 32. With "average" the schedule counts the updates of the
        shard that makes most of them.

    Returns
    -------
    TrainingResult
    """
    return train.network(dask_cluster(X, y, client, features, storage_options), **options)


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
        As for `train_neuron`; "average" unless given, with one sync.
    learning_rate, l2, average, epochs, weights, bias, seed
        As for `tinynet_fast.sweep`.
    folds : int, optional
        Each row's fold is a hash of its number and `seed`, so folds are of about the same size and do not depend on how
        rows are cut into shards. Losses of held-out rows take one more pass.

    Returns
    -------
    SweepResult
    """
    return train.sweep(dask_cluster(X, y, client, features, storage_options), **options)


def predict_proba(model: Model, X: Any) -> Any:
    """The probability of the second label of each row, as a lazy dask array or series; rows stay where they are.

    Parameters
    ----------
    model : Neuron or MLP
    X : dask array or dask frame
        A frame's columns are found by the model's names, if it has them; other columns are left out.

    Returns
    -------
    dask array, or dask series named "probability"
        For more than two labels an array (n, n_classes); a frame is then refused.

    Raises
    ------
    ValueError
        At once for a column that the model needs and a frame does not have, or another number of columns; when it is
        computed for a row that cannot be predicted, naming the partition and the row.
    """
    check_model(model)
    return predicted(model, X, model.predict_proba, np.dtype(float), "probability")


def predict(model: Model, X: Any, threshold: float | None = None) -> Any:
    """The label of each row, lazily, as `predict_proba` gives probabilities; the series is named "prediction"."""
    check_model(model)
    if threshold is not None:
        model.predict(np.zeros((1, model.n_features)), threshold)  # which refuses what is none
    return predicted(model, X, partial(model.predict, threshold=threshold), model.labels.dtype, "prediction")
