"""`partial_fit` on rows that need not fit in memory."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from sklearn.base import is_regressor

from tinynet_fast.rows.ahead import read_ahead
from tinynet_fast.rows.arrays import find_labels
from tinynet_fast.rows.cuts import recut
from tinynet_fast.rows.formats import Chunk, open_source
from tinynet_fast.rows.index_columns import warn_of_row_numbers
from tinynet_fast.rows.kept import Piece
from tinynet_fast.rows.messages import listed
from tinynet_fast.training.checks import check_whole
from tinynet_fast.training.loop import finish, run_epochs, visit

ROWS_A_CALL = 1 << 16  # at most; a multiple of every engine's tile


def partial_fit_stream(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    classes: Any = None,
    epochs: int = 1,
    batch_size: int | None = None,
    features: Sequence[str] | None = None,
    drop_missing: bool = False,
) -> Any:
    """Call `partial_fit` with the rows of a source, in order, while the next rows are read in a second thread.

    Each call has 65,536 rows (or as many whole batches as fit into them, at least one), and the last call has the rest.
    It does not matter how the source is cut, so the same rows lead to the same weights.

    Columns that have names are matched with the estimator's `feature_names_in_`; a new estimator gets this attribute
    from the source.

    Parameters
    ----------
    estimator : SGDClassifier, SGDRegressor, MLPClassifier, or any estimator with `partial_fit`
    X, y, features, drop_missing
        Paths, patterns, folders, Arrow readers or iterators of blocks and their labels, as for `train_neuron`. (Call
        `partial_fit` itself for rows in memory.)
    classes : (n_classes,), optional
        All labels. If left out and the estimator knows none, the labels are read once beforehand. Not for regressors,
        which learn `y` as it is: numbers.
    epochs : int
        Passes over the rows.
    batch_size : int, optional
        Every call except the last has a multiple of this many rows. If left out: the estimator's own `batch_size`, with
        "auto" meaning 200; or 256 if it has none.

    Returns
    -------
    estimator

    Raises
    ------
    ValueError
        For errors in the rows, naming file, row and column (a TableError); for `features` other than those that the
        estimator knows; and if rows would have to be read again that can be read only once.

    Examples
    --------
    >>> from tinynet_fast.datasets import pass_fail_blocks
    >>> from tinynet_fast.sklearn import SGDClassifier, partial_fit_stream
    >>> blocks = pass_fail_blocks(1000, n_features=3)
    >>> partial_fit_stream(SGDClassifier(loss="log_loss"), blocks, classes=[0, 1]).coef_.shape
    (1, 3)
    """
    epochs = check_whole("epochs", epochs)
    if not hasattr(estimator, "partial_fit"):
        raise TypeError(f"{estimator} has no partial_fit, so it cannot be trained on rows that come in parts")
    numbers = is_regressor(estimator)
    if numbers and classes is not None:
        raise ValueError(f"{type(estimator).__name__} learns numbers: leave classes out")
    known = getattr(estimator, "feature_names_in_", None)
    names = None if known is None else list(known)
    source = open_source(X, y, features=features, drop_missing=drop_missing, names=names)
    source.need_labels()
    if names is not None and source.names not in (None, names):
        raise ValueError(f"the estimator knows the features {listed(names)}, and these are {listed(source.names)}")
    if not source.repeatable and (epochs > 1 or not (numbers or classes is not None or hasattr(estimator, "classes_"))):
        raise ValueError(
            "these rows can be read once only: give epochs=1 and classes, or a function that returns a new "
            "iterator each time"
        )
    if classes is None and not numbers:
        with closing(source.labels_only()) as labels:  # which reads nothing before it is asked for labels
            classes = estimator.classes_ if hasattr(estimator, "classes_") else find_labels(labels)
    if batch_size is None:
        own = getattr(estimator, "batch_size", None)
        batch_size = own if isinstance(own, int) else 200 if own == "auto" else 256
    batch_size = check_whole("batch_size", batch_size)
    size = max(ROWS_A_CALL // batch_size, 1) * batch_size

    named = {} if numbers else {"classes": np.asarray(classes)}

    def one_pass(done: int) -> int:
        source.check_unchanged()
        with closing(read_ahead(source.chunks())) as chunks:
            blocks = recut(_looked_at(chunks, source.names, done), size, batch_size=size)  # each call as long
            visit(blocks, lambda rows, labels: estimator.partial_fit(rows, labels, **named))
        return 1

    vars(estimator).pop("feature_names_in_", None)  # else scikit-learn warns that arrays have no names
    try:
        finish(run_epochs(one_pass, epochs))
    finally:
        names = source.names if names is None else names
        if names is not None and hasattr(estimator, "n_features_in_"):
            estimator.feature_names_in_ = np.array(names, dtype=object)
    return estimator


def _looked_at(chunks: Iterable[Chunk], names: list[str] | None, epoch: int) -> Iterator[Piece]:
    """The rows and labels of chunks. Warns if a column of the first chunk looks like a row number."""
    for i, chunk in enumerate(chunks):
        if epoch == i == 0:
            warn_of_row_numbers(names, chunk.X)
        assert chunk.y is not None
        yield chunk.X, chunk.y
