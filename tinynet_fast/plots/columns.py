"""What each column of a table contributes to a model's answers."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinynet_fast.models import MLP, Neuron
from tinynet_fast.plots.drawing import DARK, LONGEST, MIDDLE, as_it_is, axes
from tinynet_fast.rows.sparse import is_sparse

MOST_BARS = 20  # for columns and levels together
MOST_LEVELS = 4  # shown of one column
MOST_ROWS, SHUFFLES = 1_000, 5  # rows whose values are shuffled, and how often


class Bar(NamedTuple):
    """One bar: a column, the `total` of a column of several levels, or a level. `error` is half the line at its end."""

    name: str
    length: float
    error: float = 0.0
    total: bool = False
    level: bool = False


def contributions(model: Neuron | MLP, X: Any = None, y: Any = None, ax: Any = None) -> Any:
    """Draw what each column contributes, the largest first.

    Parameters
    ----------
    model : Neuron or MLP
        A model without hidden units that was trained with `tinynet_fast.train` needs no rows: a bar is a weight times
        the deviation (the standard deviation of the input over the rows trained on), in log odds. The levels of a
        column stand below it, and its own bar, an empty one, is the root of the sum of their squares. For more than two
        labels, or several numbers, a bar is the root mean square over their weights. Of numbers, bars are in the unit
        of the number.
    X, y : optional
        Rows, as for `predict`, and their labels or numbers: needed for other models. A bar is then how much the mean
        log loss (of numbers, the mean of the loss that the model was trained by, such as the squared error) grows if
        the values of a column are shuffled among the rows (Breiman, Machine Learning 45, 2001; at most 1,000 rows, five
        times). A line at its end shows two standard errors of the five.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        At most 20 bars.

    Raises
    ------
    ValueError
        If there are no rows and the model has hidden units, or does not know its inputs' deviations.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.study_and_sleep()
    >>> model = train_neuron(X, y, standardize=True, epochs=200).model
    >>> [text.get_text() for text in plots.contributions(model, X, y).get_yticklabels()]
    ['input 1', 'input 2']
    """
    if X is None:
        bars, label = _of_weights(model), f"weight times deviation of the input{_unit(model)}"
    else:
        bars, label = _of_shuffles(model, X, y), "rise of the {} if shuffled{}".format(*_loss(model))
    ax = axes(ax)
    shown = bars[:MOST_BARS]
    height = np.arange(len(shown), 0, -1.0)
    colours = [MIDDLE if bar.length < 0 else DARK for bar in shown]
    for at, bar, colour in zip(height, shown, colours, strict=True):
        fill = "none" if bar.total else colour
        thick = 0.45 if bar.level else 0.7
        line = {"xerr": bar.error, "capsize": 2} if bar.error else {}
        ax.barh(at, bar.length, thick, color=fill, edgecolor=colour, **line)
    names = [as_it_is(bar.name, LONGEST + 8) for bar in shown]
    ax.set_yticks(height, names, fontsize=9 if len(shown) <= 12 else 7)
    ax.axvline(0.0, color="0.3", linewidth=0.8)
    more = sum(not bar.level for bar in bars[MOST_BARS:])
    ax.set(xlabel=label, title="What each column contributes" + (f"\n(and {more:,} more columns)" if more else ""))
    ax.set_ylim(0.4, len(shown) + 0.6)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    if X is None and model.n_outputs == 1 and not model.numbers:
        towards = as_it_is(model.labels[1], LONGEST), as_it_is(model.labels[0], LONGEST)
        ax.set_xlabel(f"{label}\nto the right: for {towards[0]}; to the left: for {towards[1]}")
    return ax


def _unit(model: Neuron | MLP) -> str:
    """The unit of a model's sums."""
    if model.output == "margin":
        return ""
    if model.output == "linear":
        return "" if model.n_outputs > 1 else f" [{as_it_is(model.training.get('target') or 'number', LONGEST)}]"
    return " [log of the number]" if model.output == "exp" else " [log odds]"


def _loss(model: Neuron | MLP) -> tuple[str, str]:
    """The loss that `mean_loss` gives, and its unit."""
    if not model.numbers:
        return ("hinge loss", "") if model.output == "margin" else ("log loss", " [nats a row]")
    loss = str(model.training.get("loss", "squared_error"))
    return ("squared error" if loss == "squared_error" else f"{loss.replace('_', ' ')} loss"), ""


def can_show_weights(model: Neuron | MLP) -> bool:
    """Whether `contributions` needs no rows: the model has no hidden units and knows its inputs' deviations.

    Parameters
    ----------
    model : Neuron or MLP
        A model that `train` returned knows the deviations.

    Examples
    --------
    >>> from tinynet_fast import datasets, plots, train_neuron
    >>> X, y, names = datasets.study_and_sleep()
    >>> model = train_neuron(X, y, standardize=True, epochs=200).model
    >>> plots.can_show_weights(model)
    False
    """
    return _is_plain(model) and model.training.get("deviations") is not None


def _is_plain(model: Neuron | MLP) -> bool:
    return isinstance(model, Neuron) or (isinstance(model, MLP) and len(model.weights) == 1)


def _groups(model: Neuron | MLP) -> dict[str, list[int]]:
    """The columns of the person's table, and the places of the inputs that come from each."""
    names = _names(model)
    sources = names if model.columns is None else model.columns.sources
    groups: dict[str, list[int]] = {}
    for j, source in enumerate(sources):
        groups.setdefault(source, []).append(j)
    return groups


def _names(model: Neuron | MLP) -> list[str]:
    return model.features or [f"input {j + 1}" for j in range(model.n_features)]


def _of_weights(model: Neuron | MLP) -> list[Bar]:
    """A bar for each column, and one for each of its levels, largest first."""
    deviations = model.training.get("deviations")
    if not _is_plain(model) or deviations is None:
        why = "does not know the deviations of its inputs" if _is_plain(model) else "has hidden units"
        raise ValueError(f"the model {why}: pass rows and their labels, contributions(model, X, y)")
    if len(deviations) != model.n_features:
        raise ValueError(f"the model has {model.n_features} inputs and {len(deviations)} deviations of inputs")
    weights = model.weights if isinstance(model, Neuron) else model.weights[0]
    if model.n_outputs > 1:
        middle = 0.0 if model.numbers else weights.mean(axis=1, keepdims=True)  # a softmax knows differences alone
        weights = np.sqrt(np.mean((weights - middle) ** 2, axis=1))
    lengths = weights.reshape(-1) * np.asarray(deviations, dtype=np.float64)
    found = [list(_of_column(model, column, places, lengths)) for column, places in _groups(model).items()]
    return [bar for bars in sorted(found, key=lambda bars: -max(abs(bar.length) for bar in bars)) for bar in bars]


def _of_column(model: Neuron | MLP, column: str, places: list[int], lengths: np.ndarray) -> Iterator[Bar]:
    """A column's own bar, and those of its levels or of its missing values."""
    names = _names(model)
    own = [j for j in places if names[j] == column or len(places) == 1]
    rest = sorted(set(places) - set(own), key=lambda j: -abs(lengths[j]))
    if own:
        yield Bar(column, float(lengths[own[0]]))
    else:
        more = f" ({len(rest) - MOST_LEVELS} more levels)" if len(rest) > MOST_LEVELS else ""
        yield Bar(f"{column}{more}", float(np.sqrt(np.sum(lengths[rest] ** 2))), total=True)
    for j in rest[:MOST_LEVELS]:
        name = names[j].removeprefix(column).replace("=", "= ", 1).lstrip(": ")
        yield Bar(name, float(lengths[j]), level=True)


def _of_shuffles(model: Neuron | MLP, X: Any, y: Any) -> list[Bar]:
    """A bar for each column: how much the loss rises if its values are shuffled."""
    matrix = model._matrix(X.toarray() if is_sparse(X) else X)
    codes = (model.true_numbers if model.numbers else model.codes)(X, y, len(matrix))
    step = -(-len(codes) // MOST_ROWS)
    matrix, codes = np.array(matrix[::step], dtype=np.float64), codes[::step]
    rng, before = np.random.default_rng(0), model.mean_loss(matrix, codes)
    orders = [rng.permutation(len(codes)) for _ in range(SHUFFLES)]
    bars = []
    for column, places in _groups(model).items():
        kept, rises = matrix[:, places].copy(), []
        for order in orders:
            matrix[:, places] = kept[order]
            rises.append(model.mean_loss(matrix, codes) - before)
        matrix[:, places] = kept
        error = 2.0 * float(np.std(rises, ddof=1)) / SHUFFLES**0.5
        bars.append(Bar(column, float(np.mean(rises)), error))
    return sorted(bars, key=lambda bar: -bar.length)
