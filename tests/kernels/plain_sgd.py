"""scikit-learn's stochastic gradient descent in plain Python, as its formulas say: what `kernels/exact.py` computes."""

import math
from types import SimpleNamespace

import numpy as np

from tinynet_fast.kernels.exact import (
    CONSTANT,
    ELASTICNET,
    INVSCALING,
    L1_PENALTY,
    L2_PENALTY,
    OPTIMAL,
    PA1,
    PA2,
)
from tinynet_fast.kernels.exact_losses import (
    HINGE,
    HUBER,
    INSENSITIVE,
    LOG_LOSS,
    MODIFIED_HUBER,
    SQUARED_ERROR,
    SQUARED_HINGE,
    SQUARED_INSENSITIVE,
)

CLASSES = (HINGE, SQUARED_HINGE, MODIFIED_HUBER)  # with labels -1 and 1
SHAPES = {HINGE: (1.0, 0.0), SQUARED_HINGE: (1.0,), HUBER: (0.3,), INSENSITIVE: (0.1,), SQUARED_INSENSITIVE: (0.1,)}
DEFAULTS = {"learning_rate": CONSTANT, "eta0": 0.05, "power_t": 0.3, "offset": 500.0, "alpha": 0.02, "bias_scale": 1.0}
DEFAULTS |= {"positive": 1.0, "negative": 1.0, "epochs": 3, "tol": -math.inf, "patience": 2}


def plain_loss(kind, shape, y, p):
    margin, off = y * p, abs(y - p)
    if kind == LOG_LOSS:
        return max(p, 0.0) + math.log1p(math.exp(-abs(p))) - y * p
    if kind == MODIFIED_HUBER:
        return max(0.0, 1.0 - margin) ** 2 if margin >= -1.0 else -4.0 * margin
    if kind == HUBER:
        return off**2 / 2.0 if off <= shape else shape * off - shape**2 / 2.0
    return {
        HINGE: max(0.0, shape - margin),
        SQUARED_HINGE: max(0.0, shape - margin) ** 2,
        SQUARED_ERROR: off**2 / 2.0,
        INSENSITIVE: max(0.0, off - shape),
        SQUARED_INSENSITIVE: max(0.0, off - shape) ** 2,
    }[kind]


def plain_slope(kind, shape, y, p):
    margin, off = y * p, p - y
    outside = math.copysign(max(0.0, abs(off) - shape), off)
    if kind == LOG_LOSS:
        return (1.0 / (1.0 + math.exp(-p)) if p > 0.0 else math.exp(p) / (1.0 + math.exp(p))) - y
    if kind == MODIFIED_HUBER:
        return -2.0 * y * max(0.0, 1.0 - margin) if margin >= -1.0 else -4.0 * y
    return {
        HINGE: -y if margin <= shape else 0.0,
        SQUARED_HINGE: -2.0 * y * max(0.0, shape - margin),
        SQUARED_ERROR: off,
        HUBER: max(-shape, min(shape, off)),
        INSENSITIVE: float(np.sign(outside)),
        SQUARED_INSENSITIVE: 2.0 * outside,
    }[kind]


def mean_after(mean, value, count):
    return mean + (value - mean) / count


class Plain:
    """The loop as its definition says: weights themselves, and the mean of what they were."""

    def __init__(self, X, y, start, bias, sample_weight, **options):
        self.given = SimpleNamespace(**{"shape": 0.0, "l1_ratio": 0.0, "average_from": 0} | DEFAULTS | options)
        self.w, self.b, self.t, self.eta = start.copy(), bias, 1, self.given.eta0
        self.square, self.size = start @ start, np.abs(start).sum()  # of the weights after the last step
        self.owed, self.paid, self.scale = 0.0, np.zeros_like(start), 1.0
        # With l1 the means are scikit-learn's: a weight counts as if all cuts had been made at the start.
        self.cut, self.mean, self.mean_scale, self.mean_bias = np.zeros_like(start), np.zeros_like(start), 0.0, 0.0
        for _ in range(self.given.epochs):
            self.objective = self.loss = 0.0
            for x, label, weight in zip(X, y, sample_weight, strict=True):
                self.row(x, label, weight)
        self.mean = self.mean - self.mean_scale * self.cut
        averaged = [self.mean] if self.given.average_from else []
        paid = [self.paid] if self.given.penalty in (L1_PENALTY, ELASTICNET) else []
        self.learned = np.concatenate([self.w, *averaged, *paid, [self.b, self.mean_bias]])

    def row(self, x, label, weight):
        given, p = self.given, float(self.w @ x + self.b)
        passive = given.learning_rate in (PA1, PA2)
        if given.learning_rate == OPTIMAL:
            self.eta = 1.0 / (given.alpha * (given.offset + self.t - 1))
        elif given.learning_rate == INVSCALING:
            self.eta = given.eta0 / self.t**given.power_t
        loss = plain_loss(given.loss, given.shape, label, p)
        ratio, alpha = given.l1_ratio, given.alpha if given.penalty and not passive else 0.0
        self.loss += loss
        self.objective += loss + alpha * ((1.0 - ratio) * self.square / 2.0 + ratio * self.size)
        if passive:
            if given.learning_rate == PA1 and not x.any():
                return
            up = label if given.loss == HINGE else math.copysign(1.0, label - p)
            aggressive = given.learning_rate == PA1
            step = min(given.eta0, loss / (x @ x)) if aggressive else loss / (x @ x + 0.5 / given.eta0)
            step *= up
        else:
            step = -self.eta * plain_slope(given.loss, given.shape, label, p)
        step *= weight * (given.positive if label > 0.0 else given.negative)
        if given.penalty in (L2_PENALTY, ELASTICNET):
            keep = max(0.0, 1.0 - (1.0 - ratio) * self.eta * given.alpha)
            self.w, self.scale = self.w * keep, self.scale * keep
            self.square, self.size = self.square * keep**2, self.size * keep
        if step != 0.0:
            self.w = self.w + step * x
            self.square, self.size = self.w @ self.w, np.abs(self.w).sum()
        self.b += step * given.bias_scale
        count = self.t - given.average_from + 1
        if given.average_from and count > 0:
            self.mean = mean_after(self.mean, self.w + self.scale * self.cut, count)
            self.mean_scale = mean_after(self.mean_scale, self.scale, count)
            self.mean_bias = mean_after(self.mean_bias, self.b, count)
        if given.penalty in (L1_PENALTY, ELASTICNET):
            self.owed += ratio * self.eta * given.alpha
            before = self.w
            down = np.maximum(0.0, before - (self.owed + self.paid))
            up = np.minimum(0.0, before + (self.owed - self.paid))
            self.w = np.where(before > 0.0, down, np.where(before < 0.0, up, before))
            self.paid = self.paid + (self.w - before)
            self.cut = self.cut + (before - self.w) / self.scale
        self.t += 1
