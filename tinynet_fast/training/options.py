"""Checks what the user asks of a trainer: options, rows and labels, before anything is computed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import FAST, engine_named
from tinynet_fast.rows.arrays import Codes
from tinynet_fast.rows.blocks import Rows, is_streamed
from tinynet_fast.rows.numbers import Numbers
from tinynet_fast.rows.team import check_jobs
from tinynet_fast.training.asked import BLOCKS, Options
from tinynet_fast.training.checkpoints import Checkpoint, digest
from tinynet_fast.training.checks import (
    check_callback,
    check_flag,
    check_labels,
    check_seed,
    check_whole,
    draw_seed,
)
from tinynet_fast.training.losses import LINEAR, ChosenLoss, choose_loss
from tinynet_fast.training.reading import Reading, may_stream, open_stream, read_in_memory
from tinynet_fast.training.targets import ClassWeight, check_validation, standardise_targets

__all__ = ["Options", "check_patience", "check_portable", "checked"]


def checked(
    X: Any,
    y: Any,
    *,
    epochs: int,
    shuffle: bool | str,
    seed: int | None,
    random_start: bool,
    validation: Any,
    engine: str,
    sample_weight: Any = None,
    patience: int | None = None,
    progress: bool = False,
    callback: Callable[[Any], Any] | None = None,
    most_labels: int = 2,
    most_streamed: int | None = None,
    features: Sequence[str] | None = None,
    labels: Any = None,
    standardize: bool = False,
    drop_missing: bool = False,
    checkpoint: Any = None,
    checkpoint_seconds: float = 30.0,
    resume: bool = True,
    counted: bool = False,
    sparse: bool = False,
    n_jobs: Any = None,
    loss: ChosenLoss | None = None,
    class_weight: Any = None,
    standardize_y: bool = False,
) -> Options:
    """Check data and options before anything is computed; ValueError names what is wrong, where, and the remedy.

    Numbers are learned if the `loss` is of them: then `labels` of the result is None, and `n_targets` and `targets` say
    what is learned.
    """
    options = Options(
        rows=None,  # type: ignore[arg-type]  # `read_in_memory` or `open_stream` fills in rows and labels
        labels=None,
        features=None,
        engine=engine_named(engine),
        epochs=check_whole("epochs", epochs),
        shuffle=_check_shuffle(shuffle),
        progress=check_flag("progress", progress),
        callback=check_callback(callback),
        patience=check_patience(patience, validation),
        threads=check_jobs(n_jobs),
        loss=choose_loss() if loss is None else loss,
    )
    for name, flag in (("standardize", standardize), ("drop_missing", drop_missing), ("resume", resume)):
        check_flag(name, flag)
    check_portable(options, patience=options.patience)
    if checkpoint is not None:
        options.checkpoint = Checkpoint(checkpoint, checkpoint_seconds, resume)
    share = isinstance(validation, (int, float, np.number)) and not isinstance(validation, bool)
    options.validation = True if validation is not None and not share else validation
    options.seed = _seed(options, seed, random_start or share)
    check_of_targets(options.loss, labels, class_weight, standardize_y)
    known = None if labels is None else check_labels(labels, most_labels)
    weight = None if class_weight is None else ClassWeight(class_weight)
    streamed = most_labels if most_streamed is None else most_streamed
    reading = Reading(known, most_labels, streamed, features, drop_missing, sparse, standardize, weight)
    (open_stream if may_stream(X) else read_in_memory)(options, X, y, sample_weight, reading)
    if share:
        options.recorded["held_out"] = "hash" if options.streams else "permutation"
        if options.streams and drop_missing:
            options.recorded["held_out"] = "hash of all rows"  # earlier versions hashed the numbers of kept rows
    elif validation is not None:
        _measure_given(options, validation, sparse)
    measure(options, standardize, standardize_y, counted or (bool(shuffle) and drop_missing), weight)
    return options


def check_of_targets(loss: ChosenLoss, labels: Any, class_weight: Any, standardize_y: Any) -> None:
    """ValueError for an option that is not for what is learned."""
    check_flag("standardize_y", standardize_y)
    if loss.of != LINEAR:
        if standardize_y:
            raise ValueError(
                "standardize_y is for numbers, and labels are learned: use output='linear', or leave it out"
            )
        return
    if labels is not None:
        raise ValueError("labels names labels, and output='linear' learns numbers: leave one of the two out")
    if class_weight is not None:
        raise ValueError(
            "class_weight is for labels, and output='linear' learns numbers: weight the rows with sample_weight"
        )
    if standardize_y and loss.is_of_counts:
        raise ValueError("standardize_y would make counts negative, which loss='poisson' cannot learn: leave it out")


def _check_shuffle(shuffle: Any) -> bool | str:
    if isinstance(shuffle, str) and shuffle == BLOCKS:
        return shuffle
    check_flag("shuffle", shuffle, also=f", or {BLOCKS!r},")
    return shuffle


NOT_PORTABLE = {  # options that engine="portable" refuses, and what to do instead
    "learning_rate": ("the search for 'auto' compares losses", "give a rate, such as one that another engine found"),
    "noise": ("the noise is drawn", "leave it out, or add it to the rows before"),
    "mixup": ("the shares of the rows are drawn", "leave it out"),
    "patience": ("the validation loss is measured", "leave it out, and choose the epochs by a run of another engine"),
}


def check_portable(options: Options, **asked: Any) -> None:
    """ValueError if an option was asked for that would have the weights of "portable" depend on the machine."""
    for name, value in asked.items():
        if value and options.engine.is_portable:
            why, remedy = NOT_PORTABLE[name]
            raise ValueError(
                f"{name} is not for engine='portable': {why} with functions whose last bits depend on the machine; "
                f"{remedy}"
            )


def check_patience(patience: Any, validation: Any, remedy: str = ", or a fraction to hold out") -> int | None:
    """`patience` as an int; ValueError if there is no validation loss that it could watch."""
    if patience is None:
        return None
    patience = check_whole("patience", patience)
    if validation is None:
        raise ValueError(f"patience watches the validation loss: pass validation=(X, y){remedy}")
    return patience


def _seed(options: Options, seed: Any, needed: bool) -> int | None:
    """The seed: the one given, else that of the run to go on from, else a new one if something is random."""
    if seed is not None:
        return check_seed(seed)
    saved = options.checkpoint
    if saved is not None and saved.found is not None and saved.found["seed"] is not None:
        return int(saved.found["seed"])
    return draw_seed() if options.shuffle or needed else None


def _measure_given(options: Options, validation: Any, sparse: bool) -> None:
    """Use the given rows to measure the validation loss."""
    names, width, of = options.features, options.rows.n_features, (options.loss, options.n_targets)
    X_held, held = check_validation(validation, width, options.labels, sparse, names, *of)
    options.validation_loss = lambda model: model.mean_loss(X_held, held)
    if options.checkpoint is not None:
        targets = Numbers(held) if options.numbers else Codes(held, np.arange(len(options.labels)))
        options.checkpoint.validation = digest(Rows(X_held, targets))


def measure(
    options: Options, standardize: bool, standardize_y: bool, counted: bool, weight: ClassWeight | None
) -> None:
    """Compute means and deviations if asked for; count streamed rows, and those of each label, if that is needed."""
    if is_streamed(options.rows):
        labels = weight is not None and (weight.balanced or counted)
        if standardize or standardize_y or counted or labels:
            options.rows.read_beforehand(standardize, standardize_y, labels, in_order=options.engine.is_portable)
        if options.rows.count == 0:
            share, seed = options.validation, options.seed
            raise ValueError(f"validation={share} with seed={seed} leaves no row: change the seed")
        if weight is not None:
            weight.weigh_streamed(options)
    elif standardize:
        options.in_memory.standardise(options.features, options.threads, options.engine.is_portable)
        if options.engine is FAST:
            options.largest = options.in_memory.largest(FAST.row_bound, options.threads)
    if standardize_y and not options.streams:
        standardise_targets(options.in_memory, options.targets, options.engine.is_portable)
    options.recorded["standardize"] = bool(standardize)
    if standardize_y:
        options.recorded["standardize_y"] = True
