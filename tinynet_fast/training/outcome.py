"""A look at a trained model on some of the rows that it was trained on, and a warning if the model is of no use.

A model is of no use if its loss is above that of a constant answer (the labels' shares, or the mean number), or if it
answers the same for every row. `look.py` measures that; training itself is in `run.py`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast.errors import TrainingWarning, rounded_down, warn
from tinynet_fast.rows.blocks import Rows, is_streamed, picked
from tinynet_fast.rows.sparse import CSR, square_norms
from tinynet_fast.training.look import (
    FEWEST_ROWS,
    LEAST_SPREAD,
    NAMES,
    Look,
    Part,
    constant_of,
    look,
    loss_of_constant,
)

if TYPE_CHECKING:
    from tinynet_fast.training.options import Options

FEW_ROWS, LEAST_ROWS, FEW_VALUES = 256, 64, 1 << 14  # rows, and values, of the quick first look; wide rows are fewer
MANY_ROWS, MANY_OF_NETWORK = 1 << 11, 1 << 8  # rows of the look that decides: about 0.1 ms
CODES, MORE_CODES = 1 << 10, 1 << 14  # how many labels are counted at first, and if one is rare
RARE = 16  # a label with fewer rows among these is rare; then more labels are counted, and at last all
CLEARLY = 0.7  # a network has learned something if its last loss is below this part of the shares' loss
SMALL_SQUARE, LARGE_SQUARE = 0.01, 4.0  # inputs whose mean square is outside should be standardised, which makes it 1
FEW_OVERSHOOT = 0.01  # if steps overshoot on a smaller share of the rows, something else is the cause
SLOW_SWITCHES = 0.05  # rows are sorted if labels change at most this often, compared with a random order
FEWEST_SWITCHES = 8  # if a random order has fewer changes of label, nothing can be said about the order
GOLDEN = 0.6180339887498949  # the fractional parts of its multiples are spread evenly (Weyl)


class StreamSample:
    """Some rows of a stream, kept while training: a few from every k-th block. When there are many, k doubles."""

    PARTS, ROWS = 64, 32

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._every, self._blocks = 1, 0

    def add(self, X: Any, y: np.ndarray) -> None:
        """Take in a block that was trained on."""
        if self._blocks % self._every == 0:
            some = _places(len(y), self.ROWS)
            self.parts.append((X[some], y[some], None))
        self._blocks += 1
        if len(self.parts) == self.PARTS:
            self.parts, self._every = self.parts[::2], 2 * self._every

    def of(self, options: "Options") -> list[Part]:
        """The rows with their codes and weights, or with their numbers."""
        if options.numbers or not is_streamed(options.rows):
            return self.parts
        coded = [(X, y.astype(np.uint8)) for X, y, _ in self.parts]
        return [(X, codes, options.rows.weights_of(codes)) for X, codes in coded]


def are_sorted(codes: np.ndarray) -> bool:
    """Whether rows with these codes come sorted by label, or nearly so."""
    shares = np.bincount(codes) / len(codes)
    in_random_order = len(codes) * (1.0 - float(shares @ shares))
    switches, fewest = np.count_nonzero(np.diff(codes)), np.count_nonzero(shares) - 1
    return bool(in_random_order > FEWEST_SWITCHES and switches <= fewest + SLOW_SWITCHES * in_random_order)


def warn_if_useless(
    trainable: Any, options: "Options", sample: StreamSample | None, last_loss: float, trained: Any
) -> None:
    """Issue a TrainingWarning, with what was seen and the remedy, if the trained model is of no use.

    `last_loss` is the last epoch's entry in the history, in which each row was measured before its update. `trained` is
    the model of raw rows.
    """
    loss = options.loss
    raw = options.rows.mean is None and options.rows.y_mean is None
    model: Callable[[], Any] = (lambda: trained) if raw else trainable.model  # of the rows as they are trained on
    if sample is None:
        network = trainable.batch_size is not None
        found = (_look_at_numbers if options.numbers else _look_in_memory)(model, options, last_loss, network)
    else:
        parts = sample.of(options)
        found = (look(model(), parts, loss), parts) if parts else None
    if found is None or not found[0].is_bad():
        return
    if is_streamed(options.rows) and options.rows.is_sorted:  # there was a warning about the order
        return
    seen, parts = found
    (constant, short), same = constant_of(loss), seen.spread < LEAST_SPREAD
    what = "gives the same answer for every row" if same else f"is worse than always answering {constant}"
    figures = f"its {NAMES[loss.name]} is {seen.loss:.4g}, and that of {short} {seen.loss_of_constant:.4g}"
    figures += " (of the standardised y)" if options.rows.y_mean is not None else ""
    rows = f"on {len(seen.targets):,} of its own rows"
    warn(f"the model {what}: {rows} {figures}. {_cause_and_remedy(trainable, options, parts, seen)}", TrainingWarning)


def _look_at_numbers(
    trained: Callable[[], Any], options: "Options", last_loss: float, network: bool
) -> tuple[Look, list[Part]] | None:
    """Look at few rows that have numbers, and at more if the model looks bad; None if there is no need to look."""
    rows = _weighted(options.in_memory)
    if len(rows) < FEWEST_ROWS:
        return None
    if network and rows.sample_weight is None:  # as in `_look_in_memory`
        of_constant = loss_of_constant(rows.standardised_y(_codes(rows, _places(len(rows), CODES))), options.loss)
        if last_loss < CLEARLY * of_constant and of_constant > 0.0:
            return None
    model = trained()
    if not network:
        parts = [_part(rows, _places(len(rows), _few(rows)))]
        seen = look(model, parts, options.loss)
        if not seen.is_bad(errors=0.0):
            return seen, parts
    parts = [_part(rows, _places(len(rows), MANY_OF_NETWORK if network else MANY_ROWS))]
    return look(model, parts, options.loss), parts


def _few(rows: Rows) -> int:
    """How many rows the quick first look takes."""
    return min(max(FEW_VALUES // rows.n_features, LEAST_ROWS), FEW_ROWS)


def _look_in_memory(
    trained: Callable[[], Any], options: "Options", last_loss: float, network: bool
) -> tuple[Look, list[Part]] | None:
    """Look at few rows, and at more if the model looks bad or a label is rare; None if there is no need to look."""
    rows = _weighted(options.in_memory)
    if len(rows) < FEWEST_ROWS:
        return None
    places = _places(len(rows), CODES)
    codes = _codes(rows, places)
    counts = np.bincount(codes, minlength=len(options.labels))
    rare = min(counts.tolist()) < RARE
    if network and not rare and rows.sample_weight is None:
        # A network's history has the mean of the same loss over all rows. If it is low, the model is good. If it is
        # high, the model may still be good, because the first batches of a short run are in the mean.
        shares = counts / counts.sum()
        name = options.loss.name
        of_shares = shares[0] * shares[1] if name == "squared_error" else -float(shares @ np.log(shares))
        known = name in ("log_loss", "squared_error")
        if known and last_loss < CLEARLY * of_shares and not are_sorted(codes):
            return None
    model = trained()
    if not rare and not network:
        parts = [_part(rows, _places(len(rows), _few(rows)))]
        seen = look(model, parts, options.loss)
        if not seen.is_bad(errors=0.0):
            return seen, parts
    parts = [_of_each_label(rows, places, codes, len(options.labels), MANY_OF_NETWORK if network else MANY_ROWS)]
    return look(model, parts, options.loss), parts


def _weighted(rows: Rows) -> Rows:
    """The rows that have a weight."""
    if rows.sample_weight is None:
        return rows
    weights = rows.sample_weight if rows.index is None else rows.sample_weight[rows.index]
    there = np.flatnonzero(weights)
    found = Rows(rows.X, rows.codes, there if rows.index is None else rows.index[there], rows.sample_weight)
    found.mean, found.scale, found.y_mean, found.y_scale = rows.mean, rows.scale, rows.y_mean, rows.y_scale
    return found


def _of_each_label(rows: Rows, places: Any, codes: np.ndarray, n_labels: int, most: int) -> Part:
    """Rows of each label, weighted by the labels' shares: from those at `places`, or from more if a label is rare."""
    for count in (MORE_CODES, len(rows)):
        if np.bincount(codes, minlength=n_labels).min() >= RARE:
            break
        places = _places(len(rows), count)
        codes = _codes(rows, places)
    numbers = np.arange(len(rows)) if isinstance(places, slice) else places
    chosen, weights = [], []
    for label in np.unique(codes):
        own = numbers[codes == label]
        drawn = own[_places(len(own), max(most // n_labels, RARE))]
        chosen.append(drawn)
        weights.append(np.full(len(drawn), len(own) / len(drawn)))
    order = np.argsort(np.concatenate(chosen), kind="stable")
    X, drawn_codes, given = _part(rows, np.concatenate(chosen)[order])
    share = np.concatenate(weights)[order]
    return X, drawn_codes, share if given is None else share * given


def _cause_and_remedy(trainable: Any, options: "Options", parts: list[Part], seen: Look) -> str:
    """The end of the warning: what is probably wrong, and what to do."""
    said = []
    sparse = isinstance(parts[0][0], CSR)
    scale = "divide each column by its largest magnitude" if sparse else "standardise the inputs with standardize=True"
    square = _mean_square(parts)
    size = "large" if square > LARGE_SQUARE else "small" if square < SMALL_SQUARE else None
    bound = getattr(trainable, "bound", options.loss.bound)
    overshooting = _overshooting(trainable, parts, bound)
    if overshooting > FEW_OVERSHOOT:
        safe = trainable.safe_learning_rate(options.rows)
        rate = f"learning_rate={rounded_down(safe, 2)}"
        if size == "large":
            remedy = scale + (f" ({rate} is safe too, but learns little)" if safe > 0.0 else "")
        else:
            remedy = f"use {rate}, which is safe for these rows" if safe > 0.0 else "use a smaller learning_rate"
        said.append(
            f"Steps overshoot: learning_rate * (|x|**2 + 1) is above {bound:g} for {overshooting:.0%} of these rows. "
            f"To fix it, {remedy}."
        )
    elif size is not None:
        said.append(f"The inputs are {size}: {scale}.")
    if options.numbers:
        return " ".join([*said, *_for_numbers(options, seen, bool(said))])
    if not options.shuffle and are_sorted(seen.targets) and seen.spread >= LEAST_SPREAD:
        in_memory = not is_streamed(options.rows) or options.rows.memory is not None
        remedy = "use shuffle=True" if in_memory else "shuffle them once in the file"
        said.append(f"The rows are sorted by label, so that the end of an epoch forgets its beginning: {remedy}.")
    if not said:
        said.append(
            "Train for more epochs, with another learning_rate or with smaller penalties; if that does not help, these "
            "inputs do not tell the labels apart."
        )
    return " ".join(said)


def _for_numbers(options: "Options", seen: Look, explained: bool) -> list[str]:
    """What may be wrong with numbers, and the remedy, if nothing else explains why a model is of no use."""
    if explained:
        return []
    large = float(np.mean(seen.targets**2)) > LARGE_SQUARE
    if large and options.rows.y_mean is None and not options.loss.is_of_counts:
        return ["The numbers in y are large: standardise them too, with standardize_y=True, or train for more epochs."]
    return [
        "Train for more epochs, with another learning_rate or with smaller penalties; if that does not help, these "
        "inputs do not tell how large y is."
    ]


def _places(n: int, most: int) -> Any:
    """At most `most` of `n` places, rising: one in each of `most` equal parts, each at another point of its part.

    So rows that repeat with some period are not all the same.
    """
    if n <= most:
        return slice(None)
    part = np.arange(most)
    return ((part + (part + 1) * GOLDEN % 1.0) * (n / most)).astype(np.intp)


def _part(rows: Rows, places: Any) -> Part:
    index = places if rows.index is None else rows.index[places]
    weights = None if rows.sample_weight is None else rows.sample_weight[index]
    return rows.standardised(picked(rows.X, index)), rows.standardised_y(rows.codes[index]), weights


def _codes(rows: Rows, places: Any) -> np.ndarray:
    return rows.codes[places if rows.index is None else rows.index[places]]


def _mean_square(parts: list[Part]) -> float:
    """The mean square of all inputs of all rows; of sparse rows, of the stored ones."""
    with np.errstate(over="ignore"):
        total = sum(float(square_norms(X).sum()) for X, _, _ in parts)
    return total / max(sum(X.stored if isinstance(X, CSR) else X.size for X, _, _ in parts), 1)


def _overshooting(trainable: Any, parts: list[Part], bound: float) -> float:
    """The share of rows on which a neuron's last rate overshoots; 0.0 for a network or a loss without a bound."""
    rate = trainable.last_rate()
    if rate is None or not bound > 0.0:
        return 0.0
    with np.errstate(over="ignore"):
        over = [rate * (1.0 if w is None else w) * (square_norms(X) + 1.0) > bound for X, _, w in parts]
    return float(np.mean(np.concatenate(over)))
