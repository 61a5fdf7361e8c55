"""The search for a neuron's learning rate: with log loss by `auto_rate`, else one rate after the other."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import FAST, STABILITY_BOUND, STRICT
from tinynet_fast.kernels.point_functions import ABSOLUTE_ERROR, LOG_LOSS, QUANTILE
from tinynet_fast.rows.blocks import Rows, is_streamed, picked
from tinynet_fast.rows.numbers import Numbers
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.rows.team import Team
from tinynet_fast.training.checks import check_rate
from tinynet_fast.training.history import all_finite
from tinynet_fast.training.losses import LABELS, ChosenLoss
from tinynet_fast.training.neuron_kinds import Kind
from tinynet_fast.training.options import Options
from tinynet_fast.training.result import RateSearch
from tinynet_fast.training.schedules import Penalties, Schedule

FIRST, MORE = 7, 7  # rates that are tried: one in each decade, then more between the best one's neighbours
MOST_VALUES = 1 << 23  # of the rows that each rate is trained on: 25 ms or less


def search_once(options: Options, search: Callable[[], RateSearch]) -> RateSearch:
    """The rate search in the checkpoint of this run, or else a new one."""
    saved = options.checkpoint
    if saved is not None and saved.rate_search is not None:
        check_rate("the checkpoint's learning_rate", saved.rate_search["learning_rate"])
        return RateSearch(**saved.rate_search, loss=judged_by(options.loss))
    found = search()
    if saved is not None:
        saved.rate_search = {name: value for name, value in vars(found).items() if name != "loss"}
    return found


def judged_by(loss: ChosenLoss) -> str:
    """What the models of a search are judged by: probabilities of labels by the log loss, whatever they learn by."""
    return "log loss" if loss.of == LABELS and loss.name != "hinge" else loss.name.replace("_", " ")


def search_rate(options: Options, start: np.ndarray, penalties: Penalties, kind: Kind) -> RateSearch:
    """Search for the rate on the rows that are trained on, without those that are held out."""
    from tinynet_fast.training.rate_search import auto_rate  # 20 ms, only if a rate is searched

    X, y, weights = some_rows(options)
    if kind.outputs > 1 or penalties.loss.code != LOG_LOSS:
        return _one_by_one(options, X, y, weights, start, penalties, kind)
    return auto_rate(
        X,
        y,
        epochs=options.epochs,
        average=bool(penalties.average_from),
        l2=penalties.l2,
        weights=start[0, :-1],
        bias=float(start[0, -1]),
        sample_weight=weights,
        n_jobs=options.threads,
    )


def some_rows(options: Options, most: int | None = None) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """Rows that a search takes, or all of them if there are not many; what they learn; and what they count.

    There are at most twice `most`, or as many as a search for a neuron's rate takes.
    """
    from tinynet_fast.training.rate_search import draw, most_rows  # as in `search_rate`

    if is_streamed(options.rows):
        source = options.rows.source
        X, y = options.rows.some(most or most_rows(0 if source.sparse else source.n_features))
        return X, y, options.rows.weights_of(y)
    rows = options.in_memory
    part: Any = slice(None) if rows.index is None else rows.index
    if rows.index is not None or options.numbers or most:  # so that rows which the search does not take are not copied
        width = 0 if isinstance(rows.X, CSR) else rows.n_features
        index = np.arange(len(rows.X)) if rows.index is None else rows.index
        weights = None if rows.sample_weight is None else rows.sample_weight[index]
        few = draw(width, len(rows), lambda drawn: _strata(options, index[drawn]), weights, most)
        part = part if few is None else index[few]
    weights = None if rows.sample_weight is None else rows.sample_weight[part]
    return rows.standardised(picked(rows.X, part)), rows.standardised_y(rows.codes[part]), weights


def _strata(options: Options, part: np.ndarray) -> np.ndarray:
    """What rows are drawn apart by: their labels; numbers are all alike."""
    return np.zeros(len(part), np.uint8) if options.numbers else options.in_memory.codes[part]


def _one_by_one(
    options: Options,
    X: Any,
    y: np.ndarray,
    weights: np.ndarray | None,
    start: np.ndarray,
    penalties: Penalties,
    kind: Kind,
) -> RateSearch:
    """Train with one rate after the other; each is judged by the loss of its model on the same rows."""
    from tinynet_fast.training.rate_search import with_more  # as in `search_rate`

    size = X.stored if isinstance(X, CSR) else X.size
    epochs = max(min(options.epochs, MOST_VALUES // max(size * kind.outputs, 1)), 1)
    engine = FAST if kind.is_fast else STRICT
    tried = replace(options, rows=Rows(X, Numbers(y)), engine=engine, checkpoint=None)
    rows, labels = (X if isinstance(X, CSR) else engine.rows(X)), y.astype(np.float64)

    def loss_of(rate: float) -> float:
        neurons = kind.trainable(tried, start, Schedule(rate), penalties)
        for _ in range(epochs):
            neurons.train(rows, labels, weights, engine.own(np.zeros(1)))
        if not all_finite(neurons.state()):
            return np.nan
        with np.errstate(over="ignore", invalid="ignore"):
            loss = neurons.model().mean_loss(X, y)
        return loss if np.isfinite(loss) else np.nan

    def losses_of(rates: np.ndarray) -> np.ndarray:
        with Team.of(options.threads) as team:
            return np.array(team.map(loss_of, rates.tolist()))

    rates = _largest(X, y, penalties, kind) * np.geomspace(1e-6, 1.0, FIRST)
    if not rates[0] > 0.0:
        raise ValueError("the inputs are too large for any learning rate: standardise them first")
    losses = losses_of(rates)
    if np.isnan(losses).all():
        raise ValueError("every learning rate diverges: standardise the inputs, or start from smaller weights")
    rates, losses = with_more(rates, losses, losses_of, MORE)
    return RateSearch(float(rates[np.nanargmin(losses)]), rates, losses, len(y), epochs, judged_by(penalties.loss))


def _largest(X: Any, y: np.ndarray, penalties: Penalties, kind: Kind) -> float:
    """The largest rate to try: with it a step on a row of mean length cannot overshoot.

    If the loss has slopes of one size, a step must be as long as the numbers are large.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(X, CSR):
            mean = float(X.square_norms().mean())
        else:
            mean = float(np.einsum("ij,ij->", X, X, dtype=np.float64)) / len(X)
        spread = float(np.max(np.std(y, axis=0))) if penalties.loss.code in (ABSOLUTE_ERROR, QUANTILE) else 1.0
        return (kind.bound or STABILITY_BOUND) * max(spread, 1.0) / (mean + 1.0)
