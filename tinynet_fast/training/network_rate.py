"""The search for a network's learning rate: many rates are trained side by side, on some of the rows, for a while."""

from copy import copy

import numpy as np

from tinynet_fast.kernels.engines import FAST, NUMPY, STABILITY_BOUND, STRICT, compiles
from tinynet_fast.kernels.fast import NETWORK_LOSSES
from tinynet_fast.rows.blocks import Rows, picked
from tinynet_fast.rows.numbers import Numbers
from tinynet_fast.training.losses import LINEAR
from tinynet_fast.training.network_passes import train_networks
from tinynet_fast.training.network_plan import NetworkPlan
from tinynet_fast.training.neuron_rate import judged_by, some_rows
from tinynet_fast.training.options import Options
from tinynet_fast.training.rate_search import with_more
from tinynet_fast.training.result import RateSearch

FIRST, MORE = 16, 8  # rates that are tried at first, and then between the best one's neighbours
WIDE = 1e8  # if the largest rate is this many times the smallest, MORE are tried at first
SLOW, SLOWEST, FASTEST = 1e-3, 1e-4, 30.0  # for "sgd": see `_range`
ADAPTIVE = 1e-6, 10.0  # the smallest and the largest rate for the other optimizers
WORK = 1 << 24  # rows * epochs * parameters of each rate: 24 take about 0.3 s
ROWS, FEWEST_ROWS, UPDATES = 1 << 12, 1 << 8, 100  # rows that a search takes; updates that it should make
HELD_FROM = 64  # with at least this many rows a fourth of them is held out
HELD_STREAM = 2**32 + 2  # the stream of random numbers that draws these
MARGIN = 2.0  # how far a rate must be from one that diverged, if training goes on for longer than the search


def search_rate(plan: NetworkPlan) -> RateSearch:
    """Search for the rate of a network whose optimizer has any, on the rows that are trained on."""
    options, parameters = plan.options, len(plan.start)
    most = ROWS
    if plan.batch_size is None or plan.batch_size > ROWS:  # fewer rows, so that there are enough updates
        most = min(max(WORK // (UPDATES * parameters), FEWEST_ROWS), ROWS)
    X, y, weights = some_rows(options, most)
    X = X.astype(np.float64, copy=False)
    kept = held = np.arange(len(X))
    if len(X) >= HELD_FROM and weights is None:
        order = np.random.default_rng([options.seed or 0, HELD_STREAM]).permutation(len(X))
        held, kept = np.sort(order[: len(X) // 4]), np.sort(order[len(X) // 4 :])
    epochs = max(min(options.epochs, WORK // (len(kept) * parameters)), 1)
    rows = Rows(picked(X, kept), Numbers(y[kept].astype(np.float64)), sample_weight=weights)
    engine = (FAST if plan.loss.code in NETWORK_LOSSES else STRICT) if compiles() else NUMPY
    own = Options(
        rows=rows,
        labels=options.labels,
        features=None,
        engine=engine,
        epochs=epochs,
        shuffle=bool(options.shuffle),
        seed=options.seed,
        loss=plan.loss,
        targets=options.targets,
    )

    def losses_of(rates: np.ndarray) -> np.ndarray:
        plans = [_at(plan, own, rate) for rate in rates.tolist()]
        trained = train_networks(plans, options.threads)
        losses = trained.losses[-1].copy()
        if weights is None:
            for i in np.flatnonzero(~trained.diverged(range(len(plans)))):
                with np.errstate(all="ignore"):
                    losses[i] = plans[i].model(trained.parameters[i], {}).mean_loss(X[held], y[held])
        losses[~np.isfinite(losses)] = np.nan
        return losses

    smallest, largest = _range(X, y, plan)
    if not smallest > 0.0:
        raise ValueError("the inputs or y are too large for any learning rate: standardise them first")
    rates = np.geomspace(smallest, largest, FIRST if largest < WIDE * smallest else FIRST + MORE)
    losses = losses_of(rates)
    if np.isnan(losses).all():
        raise ValueError("every learning rate diverges: standardise the inputs, or start from smaller weights")
    rates, losses = with_more(rates, losses, losses_of, MORE)
    shorter = epochs < options.epochs or len(kept) < (options.rows.count or 0)
    return RateSearch(_best(rates, losses, shorter), rates, losses, len(kept), epochs, judged_by(plan.loss))


def _at(plan: NetworkPlan, options: Options, rate: float) -> NetworkPlan:
    """The network at this rate, on the rows of `options`."""
    found = copy(plan)
    found.options, found.optimizer = copy(options), copy(plan.optimizer)
    found.optimizer.schedule = copy(plan.optimizer.schedule)
    found.optimizer.schedule.learning_rate = rate
    return found


def _range(X: np.ndarray, y: np.ndarray, plan: NetworkPlan) -> tuple[float, float]:
    """The smallest and the largest rate to try.

    Steps of "sgd" are as long as the gradient, which grows with the inputs and with the numbers to learn: a thousandth
    of the rate at which a neuron's steps cannot overshoot is small for them. Units that are saturated take large rates
    however large the inputs are. With adam and its kind the length of a step does not depend on the gradient's, but it
    may be a long way to large numbers.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.einsum("ij,ij->", X, X, dtype=np.float64)) / len(X)
        size = float(np.sqrt(np.mean(np.square(y, dtype=np.float64)))) if plan.loss.of == LINEAR else 1.0
    if plan.optimizer.name != "sgd":
        return ADAPTIVE[0], ADAPTIVE[1] * max(size, 1.0)
    smallest = SLOW * STABILITY_BOUND / ((mean + 1.0) * max(size, 1.0))
    return min(smallest, SLOWEST), FASTEST


def _best(rates: np.ndarray, losses: np.ndarray, shorter: bool) -> float:
    """The rate with the least loss. If the search is `shorter` than the training, none that nearly diverged."""
    near = np.zeros(len(rates), dtype=bool)
    for rate in rates[np.isnan(losses)] if shorter else ():
        near |= rates * MARGIN >= rate
    allowed = np.where(near, np.nan, losses)
    return float(rates[np.nanargmin(losses if np.isnan(allowed).all() else allowed)])
