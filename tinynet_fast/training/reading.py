"""Reads the rows that a trainer is given, from memory or as a stream, and what they are to learn. See `options.py`."""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.kernels.engines import FAST
from tinynet_fast.rows.arrays import (
    Codes,
    as_sample_weight,
    check_finite,
    encode_known,
    encode_labels,
    find_labels,
)
from tinynet_fast.rows.blocks import Rows, check_held_share, picked, split_rows
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.frames import training_rows
from tinynet_fast.rows.index_columns import warn_of_row_numbers
from tinynet_fast.rows.labels import as_labels
from tinynet_fast.rows.numbers import numbers_and_gaps
from tinynet_fast.rows.sparse import CSR, is_sparse
from tinynet_fast.rows.team import Team
from tinynet_fast.training.asked import BLOCKS, Options
from tinynet_fast.training.targets import ClassWeight, check_range, check_weighted, column_names, read_targets

if TYPE_CHECKING:
    from tinynet_fast.rows.formats import Source

MANY_VALUES = 1 << 22  # fewer are measured by one thread: 2 ms, in which a second one hardly begins


def may_stream(X: Any) -> bool:
    """Whether `X` stands for rows that are read while training."""
    if isinstance(X, np.ndarray) or is_sparse(X):
        return False
    if isinstance(X, (list, tuple)) and not (len(X) > 0 and isinstance(X[0], (str, os.PathLike))):
        return False
    from tinynet_fast.rows.formats import is_source  # 20 ms, which rows in memory do not need

    return is_source(X)


@dataclass
class Reading:
    """How rows are read, and what they are to learn."""

    known: np.ndarray | None  # the labels that the caller names
    most_labels: int
    most_streamed: int  # labels of streamed rows if they are not named; with 2, reading for them ends with the second
    features: Sequence[str] | None
    drop_missing: bool
    sparse: bool  # whether sparse rows may stay sparse
    standardize: bool
    class_weight: ClassWeight | None


def read_in_memory(options: Options, X: Any, y: Any, sample_weight: Any, reading: Reading) -> None:
    """Check rows in memory, and put them into the options."""
    if reading.drop_missing:
        raise ValueError("drop_missing is for rows that are read from files: drop them from X and y yourself")
    if y is None:
        (numbers_and_gaps if options.numbers else as_labels)(y)  # raises, before anything in X is refused
    given = y
    matrix, y, options.features = training_rows(X, y, reading.features, sparse=reading.sparse, numbers=options.numbers)
    if reading.standardize and isinstance(matrix, CSR):
        raise ValueError(
            "standardize=True would store every value, since a 0.0 less its column's mean is none: divide the "
            "columns by their largest magnitudes (scikit-learn's MaxAbsScaler), or pass X.toarray()"
        )
    weights = as_sample_weight(sample_weight, len(matrix))
    if options.engine is FAST:
        options.largest = _largest_row(matrix, weights, options.threads)
    if not (isinstance(matrix, CSR) or np.isfinite(options.largest)):
        check_finite(matrix, columns=options.features)
    if options.numbers:
        options.targets = column_names(y) if y is given else [given] if isinstance(given, str) else list(given)
        codes: Any = read_targets(y, len(matrix), options.loss, names=options.targets)
    else:
        codes, options.labels = _codes(y, reading.known, len(matrix), reading.most_labels)
        check_weighted(codes, weights, options.labels)
    options.rows = Rows(matrix, codes, sample_weight=weights)
    if options.validation is not None and options.validation is not True:
        _hold_out(options)
    if options.numbers:
        check_range(options.in_memory, options.loss, options.targets)
    if reading.class_weight is not None:
        reading.class_weight.weigh(options)
        if options.engine is FAST:
            options.largest = _largest_row(matrix, options.in_memory.sample_weight, options.threads)
    warn_of_row_numbers(options.features, matrix)


def _codes(y: Any, known: np.ndarray | None, n: int, most_labels: int) -> tuple[Codes, np.ndarray]:
    """The labels of the rows as codes, and the different labels."""
    if known is None:
        return encode_labels(y, n, most=most_labels)
    given = encode_known(y, known, n)
    absent = np.flatnonzero(np.bincount(given, minlength=len(known)) == 0)
    if len(absent):
        raise ValueError(f"no row has the label {known[absent[0]].item()!r}: leave it out of labels")
    return Codes(given, np.arange(len(known), dtype=np.uint8)), known


def _hold_out(options: Options) -> None:
    """Hold out a share of the rows in memory."""
    rows, share, seed, labels = options.in_memory, options.validation, options.seed, options.labels
    matrix, codes, weights = rows.X, rows.codes, rows.sample_weight
    trained, held = split_rows(len(matrix), share, seed or 0)
    if not options.numbers and not np.bincount(codes[trained], minlength=len(labels)).all():
        raise ValueError(f"validation={share} with seed={seed} leaves no row of a label: change the seed")
    options.rows = Rows(matrix, codes, trained, weights)
    if options.rows.total_weight == 0.0:
        raise ValueError(f"validation={share} with seed={seed} leaves no row with a weight: change the seed")
    if not options.numbers:
        check_weighted(codes[trained], None if weights is None else weights[trained], labels)
    X_held, y_held = picked(matrix, held), codes[held]
    options.validation_loss = lambda model: model.mean_loss(X_held, y_held)


def _largest_row(X: Any, sample_weight: np.ndarray | None, threads: int) -> float:
    """The largest sample weight * (|x|^2 + 1); infinity if a row is not finite. Both are found in one pass."""
    if isinstance(X, CSR):
        return FAST.row_bound(X, sample_weight)
    size = FAST.block_rows(X.shape[1], X.shape[1])
    starts = range(0, len(X), size)

    def largest(start: int) -> float:
        part = slice(start, start + size)
        return FAST.row_bound(X[part], None if sample_weight is None else sample_weight[part])

    if threads == 1 or X.size < MANY_VALUES:
        return max(map(largest, starts))
    with Team(threads) as team:
        return max(team.map(largest, starts))


def open_stream(options: Options, X: Any, y: Any, sample_weight: Any, reading: Reading) -> None:
    """Open rows that are read while they are trained on, and put them into the options."""
    from tinynet_fast.rows.stream import StreamRows, can_be_kept  # as in `may_stream`

    if sample_weight is not None:
        raise ValueError("sample_weight is for rows in memory: read the rows first, or leave it out")
    source = _open(X, y, reading, options.numbers)
    _check_order(options, source, can_be_kept(source))
    if options.epochs > 1 and not source.repeatable:
        raise ValueError("these rows can be read once only: give epochs=1, or a function that returns a new iterator")
    if reading.class_weight is not None:
        reading.class_weight.check_readable(source)
    hold_out = _stream_hold_out(options, source)
    target = _stream_target(options, source, reading)
    rows = StreamRows(source, target, hold_out, keep=options.epochs > 1 or hold_out is not None)
    if options.shuffle is True or (options.shuffle and not source.anywhere):
        _check_order(options, source, rows.read_whole())
    options.rows, options.features = rows, source.names
    if hold_out is not None:
        options.validation_loss = rows.held_loss


def _open(X: Any, y: Any, reading: Reading, numbers: bool) -> "Source":
    """The source of rows that have labels, or numbers, to learn."""
    from tinynet_fast.rows.formats import open_source  # as in `may_stream`
    from tinynet_fast.rows.formats.number_targets import open_numbers

    source = (open_numbers if numbers else open_source)(
        X, y, features=reading.features, drop_missing=reading.drop_missing
    )
    source = source.as_sparse() if reading.sparse and not reading.standardize else source
    source.need_labels("numbers" if numbers else "labels")
    return source


def _stream_target(options: Options, source: "Source", reading: Reading) -> Any:
    """What streamed rows are to learn."""
    from tinynet_fast.rows.stream_targets import StreamLabels, StreamNumbers  # as in `may_stream`

    if options.numbers:
        options.targets = [source.target] if isinstance(source.target, str) else None
        options.targets = source.target if isinstance(source.target, list) else options.targets
        return StreamNumbers(source.n_targets, options.targets, options.loss.is_of_counts)
    options.labels = _find_labels(source, reading.most_streamed) if reading.known is None else reading.known
    return StreamLabels(options.labels)


def _stream_hold_out(options: Options, source: "Source") -> Any:
    """Which streamed rows are held out; None for none."""
    from tinynet_fast.rows.stream import HoldOut  # as in `may_stream`

    if options.validation is None or options.validation is True:
        return None
    share = check_held_share(options.validation)
    if not source.repeatable:
        raise ValueError("validation as a share reads the rows again, and these can be read once only: pass (X, y)")
    return HoldOut(share, options.seed or 0)


def _check_order(options: Options, source: "Source", in_memory: bool) -> None:
    """ValueError if the rows cannot be shuffled as asked for, unless they fit in memory."""
    if options.shuffle is True and not in_memory:
        raise ValueError(
            "shuffle=True asks for all rows in memory, and these are read as they are trained on: use "
            f"shuffle={BLOCKS!r}, which shuffles blocks of rows and the rows within each"
        )
    if options.shuffle and not source.anywhere and not in_memory:
        raise ValueError(
            f"shuffle={BLOCKS!r} reads blocks in any order, for which Parquet, Arrow files and .npy are "
            "made: convert the rows, or shuffle them once in the file"
        )


def _find_labels(source: "Source", most: int) -> np.ndarray:
    """The labels of streamed rows. If only two labels are allowed, reading ends with the second."""
    if not source.repeatable:
        raise ValueError("these rows can be read once only, so name their labels beforehand: labels=(0, 1)")
    try:
        with closing(source.labels_only()) as labels:
            return find_labels(labels, most)
    except TableError:
        raise
    except ValueError as error:
        raise TableError(f"{source.place}: {error}") from None
