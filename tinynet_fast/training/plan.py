"""What every trainer is asked for, checked before anything is computed: options, rows, labels, who does the work."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.kernels.engines import Engine, resolve
from tinynet_fast.rows.arrays import (
    Codes,
    as_float,
    as_sample_weight,
    asks_for_stream,
    check_finite,
    encode_known,
    encode_labels,
    find_labels,
)
from tinynet_fast.rows.blocks import Order, Rows, is_streamed, picked, split_rows
from tinynet_fast.rows.columns import label_column, rows_for, training_rows
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.index_columns import warn_of_row_numbers
from tinynet_fast.rows.labels import as_labels
from tinynet_fast.rows.sparse import CSR, is_sparse
from tinynet_fast.training.checkpoints import Checkpoint, digest

if TYPE_CHECKING:
    from tinynet_fast.rows.formats import Source
    from tinynet_fast.rows.stream import StreamRows

BLOCKS = "blocks"  # shuffle: blocks of rows, and the rows within each


@dataclass
class Plan:
    """The options that every trainer has, checked, and the rows they concern."""

    rows: "Rows | StreamRows"
    labels: np.ndarray
    features: list[str] | None
    engine: Engine
    engine_name: str = field(default="", init=False)  # with how its kernels were compiled, once they are
    epochs: int
    shuffle: bool | str
    seed: int | None
    validation: Any  # a share of the rows, True for rows that were given, or None
    patience: int | None
    callback: Callable[[Any], Any] | None
    progress: bool
    order: Order | None = None
    validation_loss: Callable[[Any], float] | None = None
    checkpoint: Checkpoint | None = None
    largest: float = np.inf  # for the fast engine: the largest sample weight * (|x|^2 + 1) among the rows
    limit: float = np.inf  # for rows that nobody has measured: the largest that the fast engine may be given
    options: dict[str, Any] = field(default_factory=dict)  # of the rows, for the model's file

    @property
    def streams(self) -> bool:
        return is_streamed(self.rows)

    @property
    def in_memory(self) -> Rows:
        """The rows, where they are known to be in memory."""
        assert isinstance(self.rows, Rows)
        return self.rows

    def for_raw_inputs(self, model: Any) -> Any:
        """The model that takes rows as they came, where it was trained on standardised ones."""
        if self.rows.mean is None or self.rows.scale is None:
            return model
        return model.for_raw_inputs(self.rows.mean, self.rows.scale)


def plan(
    X: Any,
    y: Any,
    *,
    epochs: int,
    shuffle: bool | str,
    seed: int | None,
    random_start: bool,
    validation: Any,
    patience: int | None,
    engine: str,
    kernel: str,
    progress: bool,
    callback: Callable[[Any], Any] | None,
    sample_weight: Any = None,
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
) -> Plan:
    """Check data and options before anything is computed; ValueError names what is wrong, where, and the remedy."""
    resolved = resolve(engine, kernel)
    epochs = check_whole("epochs", epochs)
    if not (isinstance(shuffle, str) and shuffle == BLOCKS):
        check_flag("shuffle", shuffle, also=f", or {BLOCKS!r},")
    for name, flag in (
        ("progress", progress),
        ("standardize", standardize),
        ("drop_missing", drop_missing),
        ("resume", resume),
    ):
        check_flag(name, flag)
    if callback is not None and not callable(callback):
        raise ValueError(f"callback is {callback!r}; a function that takes an Epoch is needed")
    if patience is not None:
        patience = check_whole("patience", patience)
        if validation is None:
            raise ValueError("patience watches the validation loss: pass validation=(X, y), or a fraction to hold out")
    saved = None if checkpoint is None else Checkpoint(checkpoint, checkpoint_seconds, resume)
    if seed is not None:
        seed = check_seed(seed)
    elif saved is not None and saved.found is not None:
        seed = saved.found["seed"]
    is_fraction = isinstance(validation, (int, float, np.number)) and not isinstance(validation, bool)
    if seed is None and (shuffle or random_start or is_fraction):
        seed = int(np.random.SeedSequence().generate_state(1)[0])
    known = None if labels is None else given_labels(labels, most_labels)

    result = Plan(
        rows=None,  # type: ignore[arg-type]  # the two ways below fill in rows and labels
        labels=np.empty(0),
        features=None,
        engine=resolved,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        validation=True if validation is not None and not is_fraction else validation,
        patience=patience,
        callback=callback,
        progress=progress,
        order=Order(seed or 0, by_blocks=shuffle == BLOCKS) if shuffle else None,
        checkpoint=saved,
    )
    if may_stream(X):
        from tinynet_fast.rows.formats import open_source

        if sample_weight is not None:
            raise ValueError("sample_weight is for rows in memory: read the rows first, or leave it out")
        source = open_source(X, y, features=features, drop_missing=drop_missing)
        if sparse and not standardize:
            source = source.as_sparse()
        _plan_stream(result, source, known, most_labels)
    else:
        if drop_missing:
            raise ValueError("drop_missing is for rows that are read from files: drop them from X and y yourself")
        if y is None:
            as_labels(y)  # says so, before anything in X is refused
        if sparse and standardize is True and is_sparse(X):
            raise ValueError(
                "standardize=True would store every value, since a 0.0 less its column's mean is none: divide the "
                "columns by their largest magnitudes (scikit-learn's MaxAbsScaler), or pass X.toarray()"
            )
        matrix, y, result.features = training_rows(X, y, features, sparse=sparse)
        _plan_memory(result, matrix, y, sample_weight, known, most_labels)
        warn_of_row_numbers(result.features, result.in_memory.X)
    if is_fraction:
        result.options["held_out"] = "hash" if result.streams else "permutation"
        if result.streams and drop_missing:
            result.options["held_out"] = "hash of all rows"  # earlier versions numbered the rows that were kept
    elif validation is not None:
        names, width = result.features, result.rows.n_features
        X_held, held = check_validation(validation, width, result.labels, sparse, names)
        result.validation_loss = lambda model: model.mean_cross_entropy(X_held, held)
        if saved is not None:
            saved.validation = digest(Rows(X_held, Codes(held, np.arange(len(result.labels)))))
    if is_streamed(result.rows):
        if standardize or counted or (shuffle and drop_missing):
            result.rows.survey(standardize)
        if result.rows.count == 0:
            raise ValueError(f"validation={validation} with seed={seed} leaves no row: change the seed")
    elif standardize:
        result.in_memory.standardise(result.features)
        if resolved.name == "fast":
            blocks = result.rows.blocks(4096)
            result.largest = max(_block_bound(X, weights, resolved) for X, _, weights in blocks)
    result.options["standardize"] = bool(standardize)
    return result


def check_weighted(codes: Any, sample_weight: np.ndarray | None, labels: np.ndarray) -> None:
    """ValueError if the rows that have a weight are all of one label."""
    if sample_weight is None or (sample_weight > 0.0).all():
        return
    with_weight = codes[np.flatnonzero(sample_weight)]
    if len(with_weight) and with_weight.min() == with_weight.max():
        label = labels[with_weight[0]].item()
        raise ValueError(f"sample_weight is 0 but for rows of one label, {label!r}: training needs rows of both kinds")


def may_stream(X: Any) -> bool:
    """Whether `X` is rows to read while training. What reads them is imported for them alone."""
    if is_sparse(X) or not asks_for_stream(X):
        return False
    from tinynet_fast.rows.formats import is_source

    return is_source(X)


def _plan_memory(
    result: Plan, matrix: Any, y: Any, sample_weight: Any, known: np.ndarray | None, most_labels: int
) -> None:
    row_weights = as_sample_weight(sample_weight, len(matrix))
    largest = _largest_row(matrix, row_weights, result.engine) if result.engine.name == "fast" else np.inf
    if not (isinstance(matrix, CSR) or np.isfinite(largest)):
        check_finite(matrix, columns=result.features)
    if known is None:
        codes, labels = encode_labels(y, len(matrix), most=most_labels)
    else:
        given, labels = encode_known(y, known, len(matrix)), known
        absent = np.flatnonzero(np.bincount(given, minlength=len(known)) == 0)
        if len(absent):
            raise ValueError(f"no row has the label {known[absent[0]].item()!r}: leave it out of labels")
        codes = Codes(given, np.arange(len(known), dtype=np.uint8))
    check_weighted(codes, row_weights, labels)
    result.rows, result.labels = Rows(matrix, codes, sample_weight=row_weights), labels
    result.largest = largest
    validation, seed = result.validation, result.seed
    if validation is not None and validation is not True:
        trained, held = split_rows(len(matrix), validation, seed or 0)
        if not np.bincount(codes[trained], minlength=len(labels)).all():
            raise ValueError(f"validation={validation} with seed={seed} leaves no row of a label: change the seed")
        result.rows = Rows(matrix, codes, trained, row_weights)
        if result.rows.total_weight == 0.0:
            raise ValueError(f"validation={validation} with seed={seed} leaves no row with a weight: change the seed")
        check_weighted(codes[trained], None if row_weights is None else row_weights[trained], labels)
        X_held, y_held = picked(matrix, held), codes[held]
        result.validation_loss = lambda model: model.mean_cross_entropy(X_held, y_held)


def _plan_stream(result: Plan, source: "Source", known: np.ndarray | None, most_labels: int) -> None:
    source.need_labels()
    from tinynet_fast.rows.stream import HoldOut, StreamRows, can_be_kept

    _check_order(result, source, can_be_kept(source))
    if result.epochs > 1 and not source.repeatable:
        raise ValueError("these rows can be read once only: give epochs=1, or a function that returns a new iterator")

    hold_out = None
    if result.validation is not None and result.validation is not True:
        share = as_float(result.validation)
        if share is None or not 0.0 < share < 1.0:
            raise ValueError(
                f"validation={result.validation} is no share of the rows: a number between 0 and 1 is needed"
            )
        if not source.repeatable:
            raise ValueError("validation as a share reads the rows again, and these can be read once only: pass (X, y)")
        hold_out = HoldOut(share, result.seed or 0)
    if known is None:
        known = _find_labels(source, most_labels)
    rows = StreamRows(source, known, hold_out, keep=result.epochs > 1 or hold_out is not None)
    if result.shuffle is True or (result.shuffle and not source.anywhere):
        _check_order(result, source, rows.read_whole())
    result.rows, result.labels, result.features = rows, known, source.names
    if hold_out is not None:
        result.validation_loss = rows.held_loss


def _check_order(result: Plan, source: "Source", in_memory: bool) -> None:
    """ValueError if the rows cannot be shuffled as asked for, unless they fit in memory."""
    if result.shuffle is True and not in_memory:
        raise ValueError(
            "shuffle=True asks for all rows in memory, and these are read as they are trained on: use "
            f"shuffle={BLOCKS!r}, which shuffles blocks of rows and the rows within each"
        )
    if result.shuffle and not source.anywhere and not in_memory:
        raise ValueError(
            f"shuffle={BLOCKS!r} reads blocks in any order, for which Parquet, Arrow files and .npy are "
            "made: convert the rows, or shuffle them once in the file"
        )


def _find_labels(source: "Source", most: int) -> np.ndarray:
    """The labels of rows that nobody has read yet: reading ends with the second, where there may be no third."""
    if not source.repeatable:
        raise ValueError("these rows can be read once only, so name their labels beforehand: labels=(0, 1)")
    try:
        with closing(source.labels_only()) as labels:
            return find_labels(labels, most)
    except TableError:
        raise
    except ValueError as error:
        raise TableError(f"{source.place}: {error}") from None


def given_labels(labels: Any, most: int) -> np.ndarray:
    if np.ndim(labels) != 1:
        raise ValueError(f"labels is {labels!r}; a list of different labels is needed")
    array = as_labels(labels, "labels")
    if len(np.unique(array)) != len(array) or (array.dtype.kind == "f" and not np.isfinite(array).all()):
        raise ValueError(f"labels is {labels!r}; a list of different labels is needed")
    if not 2 <= len(array) <= most:
        raise ValueError(
            f"labels names {len(array)}; " + ("two are needed" if most == 2 else f"2 to {most} are needed")
        )
    return array


def _largest_row(X: Any, sample_weight: np.ndarray | None, engine: Engine) -> float:
    """The largest sample weight * (|x|^2 + 1); infinity where a row is not finite. One reading of the rows for both."""
    one = np.ones(1)
    if isinstance(X, CSR):
        from tinynet_fast.kernels.fast.sparse import row_bound

        return row_bound(X.data, X.indptr, one if sample_weight is None else sample_weight)
    size = engine.block_rows(X.shape[1], X.shape[1])
    largest = 0.0
    for start in range(0, len(X), size):
        part = slice(start, start + size)
        weights = one if sample_weight is None else sample_weight[part]
        with np.errstate(over="ignore"):  # a long double may be too large for a float64; it counts as infinite
            block = engine.rows(X[part])
        largest = max(largest, engine.kernels.row_bound(block, weights))
    return largest


def _block_bound(X: np.ndarray, sample_weight: np.ndarray | None, engine: Engine) -> float:
    return float(engine.kernels.row_bound(engine.rows(X), np.ones(1) if sample_weight is None else sample_weight))


def check_validation(
    validation: Any, n_features: int, labels: np.ndarray, sparse: bool = False, names: list[str] | None = None
) -> tuple[Any, np.ndarray]:
    """The rows of validation=(X, y), matched by name with those to train on, and their codes."""
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise ValueError(f"validation is a {type(validation).__name__}; (X, y) or a fraction is needed")
    X, y = validation
    matrix = rows_for(X, names, n_features, name="validation X", of="X", sparse=sparse)
    return matrix, encode_known(label_column(X, y), labels, len(matrix), "validation y")


def check_whole(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int; ValueError where it is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} is {value!r}; a whole number of at least {least} is needed")
    return int(value)


def check_seed(seed: Any) -> int:
    """`seed` as an int; ValueError where NumPy would not take it."""
    seed = check_whole("seed", seed, least=0)
    if seed >= 2**32:
        raise ValueError(f"seed is {seed}; a number below 2**32 is needed")
    return seed


def check_flag(name: str, value: Any, also: str = "") -> None:
    """ValueError where `value` is not True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} is {value!r}; True or False{also} is needed")


def check_rate(name: str, value: Any) -> float:
    """`value` as a float; ValueError where it is not a finite number above 0."""
    number = as_float(value)
    if number is None or not 0 < number < np.inf:
        raise ValueError(f"{name} is {value!r}; a finite number above 0 is needed")
    return number
