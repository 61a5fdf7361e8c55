"""What the user asks of a trainer: options, rows and labels, checked before anything is computed, in one object."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.kernels.engines import FAST, Engine, choose, engine_named
from tinynet_fast.rows.arrays import (
    Codes,
    as_sample_weight,
    check_finite,
    encode_known,
    encode_labels,
    find_labels,
)
from tinynet_fast.rows.blocks import Order, Rows, check_held_share, is_streamed, picked, split_rows
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.frames import label_column, rows_for, training_rows
from tinynet_fast.rows.index_columns import warn_of_row_numbers
from tinynet_fast.rows.labels import as_labels
from tinynet_fast.rows.sparse import CSR, is_sparse
from tinynet_fast.training.checkpoints import Checkpoint, digest
from tinynet_fast.training.checks import (
    check_callback,
    check_flag,
    check_jobs,
    check_labels,
    check_seed,
    check_whole,
    draw_seed,
)
from tinynet_fast.training.team import Team

if TYPE_CHECKING:
    from tinynet_fast.rows.formats import Source
    from tinynet_fast.rows.stream import StreamRows

BLOCKS = "blocks"  # shuffle: blocks of rows, and the rows within each
MANY_VALUES = 1 << 22  # fewer are measured by one thread: 2 ms, in which a second one hardly begins


@dataclass
class Options:
    """The options that every trainer has, checked, and the rows they concern."""

    rows: "Rows | StreamRows"
    labels: np.ndarray
    features: list[str] | None
    engine: Engine
    engine_name: str = field(default="", init=False)  # once kernels are compiled: the engine, with how they were
    epochs: int
    shuffle: bool | str = False
    seed: int | None = None
    validation: Any = None  # a share of the rows, True if validation rows were given, or None
    patience: int | None = None
    callback: Callable[[Any], Any] | None = None
    progress: bool = False
    threads: int = 1  # that may train; the weights do not depend on it
    validation_loss: Callable[[Any], float] | None = None
    checkpoint: Checkpoint | None = None
    largest: float = np.inf  # for the fast engine: the largest sample weight * (|x|^2 + 1) of a row
    limit: float = np.inf  # for rows that are measured while they are read: the largest value that the engine may get
    recorded: dict[str, Any] = field(default_factory=dict)  # more entries for the model's file and the checkpoint

    @property
    def order(self) -> Order | None:
        """The order in which the rows are visited; None for the order that they have."""
        return Order(self.seed or 0, by_blocks=self.shuffle == BLOCKS) if self.shuffle else None

    @property
    def streams(self) -> bool:
        return is_streamed(self.rows)

    @property
    def in_memory(self) -> Rows:
        """The rows, if they are known to be in memory."""
        assert isinstance(self.rows, Rows)
        return self.rows

    def for_raw_inputs(self, model: Any) -> Any:
        """The model for raw inputs, if it was trained on standardised ones."""
        if self.rows.mean is None or self.rows.scale is None:
            return model
        return model.for_raw_inputs(self.rows.mean, self.rows.scale)

    def choose_engine(self, limit: float, has_kernel: bool = True) -> None:
        """Leave the rows to `strict` if a row is larger than `limit`, up to which `fast` keeps its promise.

        Streamed rows are not known yet, so the loop measures them. A resumed run keeps its engine.
        """
        found = None if self.checkpoint is None else self.checkpoint.found
        was_strict = found is not None and found["engine"] == "strict"
        asked, largest = self.engine, 0.0 if self.streams else self.largest
        self.engine = choose(asked, largest, limit, has_kernel=has_kernel and not was_strict)
        if self.engine is FAST and self.streams:
            self.limit, self.largest = limit, 0.0


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
) -> Options:
    """Check data and options before anything is computed; ValueError names what is wrong, where, and the remedy."""
    options = Options(
        rows=None,  # type: ignore[arg-type]  # `_read_in_memory` or `_open_stream` fills in rows and labels
        labels=np.empty(0),
        features=None,
        engine=engine_named(engine),
        epochs=check_whole("epochs", epochs),
        shuffle=_check_shuffle(shuffle),
        progress=check_flag("progress", progress),
        callback=check_callback(callback),
        patience=check_patience(patience, validation),
        threads=check_jobs(n_jobs),
    )
    for name, flag in (("standardize", standardize), ("drop_missing", drop_missing), ("resume", resume)):
        check_flag(name, flag)
    if checkpoint is not None:
        options.checkpoint = Checkpoint(checkpoint, checkpoint_seconds, resume)
    share = isinstance(validation, (int, float, np.number)) and not isinstance(validation, bool)
    options.validation = True if validation is not None and not share else validation
    options.seed = _seed(options, seed, random_start or share)
    known = None if labels is None else check_labels(labels, most_labels)
    reading = Reading(known, most_labels, features, drop_missing, sparse, standardize)
    if may_stream(X):
        _open_stream(options, X, y, sample_weight, reading)
    else:
        _read_in_memory(options, X, y, sample_weight, reading)
    if share:
        options.recorded["held_out"] = "hash" if options.streams else "permutation"
        if options.streams and drop_missing:
            options.recorded["held_out"] = "hash of all rows"  # earlier versions hashed the numbers of kept rows
    elif validation is not None:
        _measure_given(options, validation, sparse)
    _standardise(options, standardize, counted or (bool(shuffle) and drop_missing))
    return options


def _check_shuffle(shuffle: Any) -> bool | str:
    if isinstance(shuffle, str) and shuffle == BLOCKS:
        return shuffle
    check_flag("shuffle", shuffle, also=f", or {BLOCKS!r},")
    return shuffle


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


def may_stream(X: Any) -> bool:
    """Whether `X` stands for rows that are read while training."""
    if isinstance(X, np.ndarray) or is_sparse(X):
        return False
    if isinstance(X, (list, tuple)) and not (len(X) > 0 and isinstance(X[0], (str, os.PathLike))):
        return False
    from tinynet_fast.rows.formats import is_source  # 20 ms, which rows in memory do not need

    return is_source(X)


@dataclass(frozen=True)
class Reading:
    """How rows and labels are read."""

    known: np.ndarray | None  # the labels that the caller names
    most_labels: int
    features: Sequence[str] | None
    drop_missing: bool
    sparse: bool  # whether sparse rows may stay sparse
    standardize: bool


def _read_in_memory(options: Options, X: Any, y: Any, sample_weight: Any, reading: Reading) -> None:
    if reading.drop_missing:
        raise ValueError("drop_missing is for rows that are read from files: drop them from X and y yourself")
    if y is None:
        as_labels(y)  # raises, before anything in X is refused
    matrix, y, options.features = training_rows(X, y, reading.features, sparse=reading.sparse)
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
    codes, options.labels = _codes(y, reading.known, len(matrix), reading.most_labels)
    check_weighted(codes, weights, options.labels)
    options.rows = Rows(matrix, codes, sample_weight=weights)
    if options.validation is not None and options.validation is not True:
        _hold_out(options)
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
    if not np.bincount(codes[trained], minlength=len(labels)).all():
        raise ValueError(f"validation={share} with seed={seed} leaves no row of a label: change the seed")
    options.rows = Rows(matrix, codes, trained, weights)
    if options.rows.total_weight == 0.0:
        raise ValueError(f"validation={share} with seed={seed} leaves no row with a weight: change the seed")
    check_weighted(codes[trained], None if weights is None else weights[trained], labels)
    X_held, y_held = picked(matrix, held), codes[held]
    options.validation_loss = lambda model: model.mean_loss(X_held, y_held)


def check_weighted(codes: Any, sample_weight: np.ndarray | None, labels: np.ndarray) -> None:
    """ValueError if the rows that have a weight are all of one label."""
    if sample_weight is None or (sample_weight > 0.0).all():
        return
    with_weight = codes[np.flatnonzero(sample_weight)]
    if len(with_weight) and with_weight.min() == with_weight.max():
        label = labels[with_weight[0]].item()
        raise ValueError(f"sample_weight is 0 except for rows of one label, {label!r}: training needs rows of both")


def _largest_row(X: Any, sample_weight: np.ndarray | None, threads: int) -> float:
    """The largest sample weight * (|x|^2 + 1); infinity if a row is not finite. Both are found in one pass."""
    if isinstance(X, CSR):
        return FAST.row_bound(X, sample_weight)
    size = FAST.block_rows(X.shape[1], X.shape[1])

    def largest(start: int) -> float:
        part = slice(start, start + size)
        with np.errstate(over="ignore"):  # a long double that is too large for a float64 counts as infinite
            return FAST.row_bound(X[part], None if sample_weight is None else sample_weight[part])

    with Team(threads if X.size >= MANY_VALUES else 1) as team:
        return max(team.map(largest, range(0, len(X), size)), default=0.0)


def _open_stream(options: Options, X: Any, y: Any, sample_weight: Any, reading: Reading) -> None:
    from tinynet_fast.rows.formats import open_source  # as in `may_stream`
    from tinynet_fast.rows.stream import StreamRows, can_be_kept

    if sample_weight is not None:
        raise ValueError("sample_weight is for rows in memory: read the rows first, or leave it out")
    source = open_source(X, y, features=reading.features, drop_missing=reading.drop_missing)
    source = source.as_sparse() if reading.sparse and not reading.standardize else source
    source.need_labels()
    _check_order(options, source, can_be_kept(source))
    if options.epochs > 1 and not source.repeatable:
        raise ValueError("these rows can be read once only: give epochs=1, or a function that returns a new iterator")
    hold_out = _stream_hold_out(options, source)
    labels = _find_labels(source, reading.most_labels) if reading.known is None else reading.known
    rows = StreamRows(source, labels, hold_out, keep=options.epochs > 1 or hold_out is not None)
    if options.shuffle is True or (options.shuffle and not source.anywhere):
        _check_order(options, source, rows.read_whole())
    options.rows, options.labels, options.features = rows, labels, source.names
    if hold_out is not None:
        options.validation_loss = rows.held_loss


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


def _measure_given(options: Options, validation: Any, sparse: bool) -> None:
    """Use the given rows to measure the validation loss."""
    names, width = options.features, options.rows.n_features
    X_held, held = check_validation(validation, width, options.labels, sparse, names)
    options.validation_loss = lambda model: model.mean_loss(X_held, held)
    if options.checkpoint is not None:
        options.checkpoint.validation = digest(Rows(X_held, Codes(held, np.arange(len(options.labels)))))


def check_validation(
    validation: Any, n_features: int, labels: np.ndarray, sparse: bool = False, names: list[str] | None = None
) -> tuple[Any, np.ndarray]:
    """The rows of validation=(X, y), matched by name with those to train on, and their codes."""
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise ValueError(f"validation is a {type(validation).__name__}; (X, y) or a fraction is needed")
    X, y = validation
    matrix = rows_for(X, names, n_features, name="validation X", of="X", sparse=sparse)
    return matrix, encode_known(label_column(X, y), labels, len(matrix), "validation y")


def _standardise(options: Options, standardize: bool, counted: bool) -> None:
    """Compute means and deviations if asked for; count streamed rows if their number is needed."""
    if is_streamed(options.rows):
        if standardize or counted:
            options.rows.read_beforehand(standardize)
        if options.rows.count == 0:
            share, seed = options.validation, options.seed
            raise ValueError(f"validation={share} with seed={seed} leaves no row: change the seed")
    elif standardize:
        options.in_memory.standardise(options.features)
        if options.engine is FAST:
            blocks = options.rows.blocks(4096)
            options.largest = max(FAST.row_bound(X, weights) for X, _, weights in blocks)
    options.recorded["standardize"] = bool(standardize)
