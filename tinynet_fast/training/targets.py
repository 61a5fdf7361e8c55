"""What rows are to learn: numbers, checked for their loss; and how much the rows of each label count."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.rows.arrays import encode_known
from tinynet_fast.rows.blocks import Rows, is_streamed, slices
from tinynet_fast.rows.frames import label_column, named_columns, number_columns, rows_for
from tinynet_fast.rows.messages import listed, shown
from tinynet_fast.rows.numbers import Numbers, TargetMoments, TargetRange, below_zero, first_below_zero, read_numbers
from tinynet_fast.training.asked import Options
from tinynet_fast.training.checks import check_at_least_zero
from tinynet_fast.training.losses import ChosenLoss

if TYPE_CHECKING:
    from tinynet_fast.rows.formats import Source

BALANCED = "balanced"
MOMENT_ROWS = 1 << 16  # rows whose numbers are taken at a time for means and deviations


def read_targets(
    y: Any,
    n_rows: int,
    loss: ChosenLoss,
    n_targets: int | None = None,
    name: str = "y",
    names: Sequence[str] | None = None,
) -> Numbers:
    """The numbers of `n_rows` rows, checked; ValueError if the loss cannot learn one of them."""
    numbers = read_numbers(y, n_rows, n_targets, name, names)
    below = first_below_zero(numbers) if loss.is_of_counts else None
    if below is not None:
        raise ValueError(f"{name}[{below}] {below_zero(numbers[below])}")
    return Numbers(numbers)


def column_names(y: Any) -> list[str] | None:
    """The names of the columns of `y`, if it is a frame."""
    found = None if isinstance(y, np.ndarray) and y.dtype.names is None else named_columns(y, "y")
    return None if found is None else list(map(str, found[0]))


def check_range(rows: Rows, loss: ChosenLoss, names: Sequence[str] | None) -> None:
    """Warn if a target is the same in all rows that are trained on; ValueError if the loss needs another number."""
    seen = TargetRange(names)
    for part in slices(len(rows), MOMENT_ROWS):
        seen.add(rows.codes[part if rows.index is None else rows.index[part]])
        if (seen.least < seen.most).all():  # the first rows show it, mostly; all of a million took 0.8 ms
            return
    if loss.is_of_counts:
        seen.check_counts()
    seen.warn_of_constants()


def standardise_targets(rows: Rows, names: Sequence[str] | None, in_order: bool) -> None:
    """Compute mean and deviation of each target over the rows, and hand out standardised numbers from now on.

    Sample weights do not count, as for inputs.
    """
    moments = TargetMoments(rows.codes.n_targets, in_order)  # type: ignore[attr-defined]
    for part in slices(len(rows), MOMENT_ROWS):
        moments.add(rows.codes[part if rows.index is None else rows.index[part]])
    rows.y_mean, rows.y_scale = moments.standardisation(names)


def check_validation(
    validation: Any,
    n_features: int,
    labels: np.ndarray | None,
    sparse: bool,
    names: list[str] | None,
    loss: ChosenLoss | None,
    n_targets: int,
) -> tuple[Any, np.ndarray]:
    """The rows of validation=(X, y), matched by name with those to train on, and their codes.

    Without `labels` they are the numbers that the `loss` is of, `n_targets` for each row.
    """
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise ValueError(f"validation is a {type(validation).__name__}; (X, y) or a fraction is needed")
    X, y = validation
    matrix = rows_for(X, names, n_features, name="validation X", of="X", sparse=sparse)
    if labels is None:
        assert loss is not None
        return matrix, read_targets(number_columns(X, y), len(matrix), loss, n_targets, "validation y").y
    return matrix, encode_known(label_column(X, y), labels, len(matrix), "validation y")


def check_weighted(
    codes: Any, sample_weight: np.ndarray | None, labels: np.ndarray, name: str = "sample_weight"
) -> None:
    """ValueError if the rows that have a weight are all of one label."""
    if sample_weight is None or (sample_weight > 0.0).all():
        return
    with_weight = codes[np.flatnonzero(sample_weight)]
    if len(with_weight) and with_weight.min() == with_weight.max():
        label = labels[with_weight[0]].item()
        raise ValueError(f"{name} is 0 except for rows of one label, {label!r}: training needs rows of both")


class ClassWeight:
    """How much rows of each label count: "balanced", or a dict from label to weight. Other labels have the weight 1.

    The weight of a row is its sample weight times that of its label.
    """

    def __init__(self, class_weight: Any) -> None:
        self.balanced = isinstance(class_weight, str) and class_weight == BALANCED
        if not self.balanced and not isinstance(class_weight, Mapping):
            raise ValueError(
                f"class_weight is {class_weight!r}; {BALANCED!r} is needed, or a dict from label to weight, such as "
                "{0: 1.0, 1: 5.0}"
            )
        self.given: dict[Any, float] = {}
        for label, weight in () if self.balanced else class_weight.items():
            self.given[label] = check_at_least_zero(f"class_weight[{label!r}]", weight)

    def of_labels(self, labels: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
        """(n_labels,) float64: the weight of each label. Balanced weights need the rows of each label to be counted.

        They are rows / (labels * rows of the label), as scikit-learn's (King and Zeng, Political Analysis 9, 2001).
        """
        if self.balanced:
            assert counts is not None
            return np.asarray(counts.sum() / (len(labels) * counts.astype(np.float64)))
        known = labels.tolist()
        unknown = [label for label in self.given if label not in known]
        if unknown:
            raise ValueError(
                f"class_weight has the label {unknown[0]!r}, which no row has; the labels are "
                f"{listed(list(map(shown, labels)))}: correct it, or leave it out"
            )
        weights = np.array([self.given.get(label, 1.0) for label in known])
        some = np.flatnonzero(weights)
        if len(some) < 2:
            but = f" except {shown(labels[some[0]])}" if len(some) else ""
            raise ValueError(f"class_weight is 0 for all labels{but}: training needs rows of two labels at least")
        return weights

    def weigh(self, options: Options) -> None:
        """Weight rows in memory that have been read and of which some may be held out. Held-out rows do not count."""
        rows, labels = options.in_memory, options.labels
        codes = rows.codes[:]
        trained = slice(None) if rows.index is None else rows.index
        weights = self.of_labels(labels, np.bincount(codes[trained], minlength=len(labels)))
        given, rows.sample_weight = rows.sample_weight, weights[codes]
        if given is not None:
            with np.errstate(over="ignore"):
                rows.sample_weight *= given
            if not np.isfinite(rows.sample_weight).all():
                i = int(np.argmin(np.isfinite(rows.sample_weight)))
                raise ValueError(
                    f"sample_weight[{i}] times its class_weight is too large for a float64: use smaller ones"
                )
        check_weighted(codes[trained], rows.sample_weight[trained], labels, "sample_weight times class_weight")
        options.recorded["class_weight"] = weights.tolist()

    def check_readable(self, source: "Source") -> None:
        """ValueError if labels must be counted first, and the rows can be read only once."""
        if self.balanced and not source.repeatable:
            raise ValueError(
                "class_weight='balanced' counts the labels before training, and these rows can be read once only: give "
                "a dict from label to weight, or a function that returns a new iterator each time"
            )

    def weigh_streamed(self, options: Options) -> None:
        """Weight streamed rows, whose labels were counted if that is needed."""
        assert is_streamed(options.rows)
        target: Any = options.rows.target
        target.weights = self.of_labels(options.labels, target.counts)
        options.recorded["class_weight"] = target.weights.tolist()
