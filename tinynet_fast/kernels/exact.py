"""scikit-learn's stochastic gradient descent, operation by operation: its bits, in less time.

The steps of a neuron overshoot if the rate is large, and every difference in rounding then grows. These kernels
therefore round where scikit-learn (1.8, 1.9) rounds:

- The weights are scale * v. The l2 penalty multiplies the scale alone, and a step divides by it first:
  v += x * (update / scale). Sums go from left to right.
- The objective needs |w|^2 and the sum of |w|. A step replaces both by their sums over the row's inputs.
- The mean of the weights is (sums + a * v) / b (Bottou, Stochastic gradient descent tricks, 2012).
- The l1 penalty is cumulative (Tsuruoka, Tsujii, Ananiadou, ACL 2009): each weight owes the penalty of all rows
  so far.

Why this takes less time: scikit-learn makes a sweep over the row for each task. Here one sweep over a dense row changes
the weights and the means, pays l1, and adds up |w|^2, the sum of |w| and the next row's sum. In each sum an addition
waits for the one before (four cycles), but the three sums run side by side. For rows of float32, weights and products
are float32 and sums are float64, as in scikit-learn.
"""

import math

import numpy as np

from tinynet_fast.kernels.compiler.jit import kernel, part
from tinynet_fast.kernels.compiler.prefetching import ask_for
from tinynet_fast.kernels.compiler.simd import prefetch_far
from tinynet_fast.kernels.exact_losses import HINGE, row_loss, row_slope
from tinynet_fast.kernels.exact_sweeps import (
    add_sparse,
    add_sparse_sized,
    average_sparse,
    paid_weight,
    pay_sparse,
    row_square,
    row_sum,
    sparse_square,
    sparse_sum,
    step_sparse,
    sweep,
)
from tinynet_fast.kernels.fast.row_order import shuffle

CONSTANT, OPTIMAL, INVSCALING, ADAPTIVE, PA1, PA2 = range(1, 7)  # learning rates
NO_PENALTY, L1_PENALTY, L2_PENALTY, ELASTICNET = range(4)

# `options`: what the user asked for. AVERAGE_FROM is 0 without averaging. ONE_EPOCH is 1 if each epoch is looked at.
LOSS, SHAPE, LEARNING_RATE, ETA0, POWER_T, OFFSET, PENALTY, ALPHA, L1_RATIO = range(9)
BIAS_SCALE, AVERAGE_FROM, POSITIVE, NEGATIVE, WATCHED, SHUFFLED, SEED, EPOCHS, TOL, PATIENCE, ONE_EPOCH = range(9, 20)
N_OPTIONS = 20
# `state`: what a run changes beside arrays. HALF is 1 if the run stopped inside a row, between its scale and its step.
BIAS, MEAN_BIAS, SCALE, SQUARE, SIZE, A, B, OWED, T, ETA, OBJECTIVE, TOTAL, BEST, WAITED = range(14)
EPOCH, POSITION, HALF, UPDATE, COUNT = range(14, 19)
N_STATE = 19
# Why a run has stopped: all epochs ran, or `tol` ended them; weights overflowed; an epoch that is looked at has ended;
# a BLAS must settle the means before the run can go on; enough rows for now (so that Ctrl-C can act).
DONE, OVERFLOW, LOOK, SETTLE, PAUSE = 0.0, 1.0, 2.0, 3.0, 4.0  # floats: kernels compiled ahead can return only these

STEEPEST = 1e12  # a derivative counts at most this much
SMALLEST_ADAPTIVE_RATE = 1e-6
LINES_AHEAD = 4  # a row is fetched into the cache while the fourth row before it is trained on


@part(forceinline=True)
def add_objective(real, options, state, y, p):
    """Add the loss and the penalty of a row, before its update, to the totals."""
    loss = row_loss(options[LOSS], options[SHAPE], y, p)
    state[TOTAL] += loss
    state[OBJECTIVE] += loss
    if options[PENALTY] > NO_PENALTY and options[LEARNING_RATE] < PA1:
        norm, ratio = real(math.sqrt(state[SQUARE])), options[L1_RATIO]
        half = (1.0 - ratio) * 0.5 * np.float64(norm * norm)
        state[OBJECTIVE] += options[ALPHA] * (half + ratio * np.float64(real(state[SIZE])))


@part(forceinline=True)
def passive_step(options, y, p, square):
    """The step of a passive-aggressive learner (Crammer et al., JMLR 2006), before sample weights."""
    loss = row_loss(options[LOSS], options[SHAPE], y, p)
    if options[LEARNING_RATE] == PA1:
        step = min(options[ETA0], loss / square) if square > 0.0 else 0.0  # the caller leaves out a row of zeros
    else:
        step = loss / (square + 0.5 / options[ETA0])
    if options[LOSS] == HINGE:
        return step * y
    return step * -1.0 if y - p < 0.0 else step


@part(forceinline=True)
def gradient_step(options, state, y, p):
    """The step down the gradient, before sample weights."""
    slope = row_slope(options[LOSS], options[SHAPE], y, p)
    if slope < -STEEPEST:
        slope = -STEEPEST
    elif slope > STEEPEST:
        slope = STEEPEST
    return -state[ETA] * slope


@part(forceinline=True)
def next_rate(options, state):
    """Set the rate of a row."""
    if options[LEARNING_RATE] == OPTIMAL:
        state[ETA] = 1.0 / (options[ALPHA] * (options[OFFSET] + state[T] - 1.0))
    elif options[LEARNING_RATE] == INVSCALING:
        state[ETA] = options[ETA0] / state[T] ** options[POWER_T]


@part(forceinline=True)
def row_step(real, options, state, label, total, square, weight):
    """Return the step of a row, sample weight included, and add what the row is worth before it.

    `total` is the sum of the row's values times the weights, `square` that of the values' squares; only
    passive-aggressive learners need it.
    """
    p = np.float64(real(total * state[SCALE])) + state[BIAS]
    next_rate(options, state)
    if options[WATCHED] > 0.0:
        add_objective(real, options, state, label, p)
    if options[LEARNING_RATE] >= PA1:
        step = passive_step(options, label, p, square)
    else:
        step = gradient_step(options, state, label, p)
    counts = real(options[POSITIVE] if label > 0.0 else options[NEGATIVE])
    return step * np.float64(counts * weight)


@part(forceinline=True)
def shrink(weights, means, options, state):
    """Apply the l2 penalty of a row to the scale. Returns whether the means must be settled before it goes on."""
    real = weights.dtype.type
    keep = real(max(0.0, 1.0 - ((1.0 - options[L1_RATIO]) * state[ETA] * options[ALPHA])))
    state[SCALE] *= np.float64(keep)
    state[SQUARE] *= np.float64(keep * keep)
    state[SIZE] *= np.float64(keep)
    if state[SCALE] >= (1e-9 if weights.itemsize == 8 else 1e-6):
        return False
    if len(means) > 0:
        return True
    factor = real(state[SCALE])
    for j in range(len(weights)):
        weights[j] *= factor
    state[SCALE] = 1.0
    return False


@part(forceinline=True)
def mean_step(state, rounded):
    """Two factors: an input's value times both is the step of its mean. Call `mean_done` afterwards."""
    return state[A], -np.float64(rounded) / state[SCALE]


@part(forceinline=True)
def mean_done(real, options, state):
    """Take a row into the mean, after its sweep."""
    count = state[T] - options[AVERAGE_FROM] + 1.0
    rounded = np.float64(real(count))
    share = 1.0 / rounded
    if rounded > 1.0:
        state[B] /= 1.0 - share
    state[A] += share * state[B] * state[SCALE]
    state[MEAN_BIAS] += (state[BIAS] - state[MEAN_BIAS]) / count


@part(forceinline=True)
def epoch_begins(places, held, rows, options, state):
    """Put the rows of an epoch in their order. `rows` are those of `places` that are not held out."""
    state[OBJECTIVE] = state[TOTAL] = 0.0
    if options[SHUFFLED] > 0.0:
        shuffle(places, int(options[SEED]))
    if len(held) > 0:
        k = 0
        for place in places:
            if held[place] == 0:
                rows[k] = place
                k += 1


@kernel
def stops(options, state, value):
    """Compare the objective of an epoch, or minus its score, with the best. Returns 1 to stop, or 0.

    "adaptive" lowers its rate instead, as long as that is not too low.
    """
    worse = options[TOL] > -math.inf and value > state[BEST] - options[TOL]
    state[WAITED] = state[WAITED] + 1.0 if worse else 0.0
    if value < state[BEST]:
        state[BEST] = value
    if state[WAITED] < options[PATIENCE]:
        return 0.0
    if options[LEARNING_RATE] == ADAPTIVE and state[ETA] > SMALLEST_ADAPTIVE_RATE:
        state[ETA] /= 5.0
        state[WAITED] = 0.0
        return 0.0
    return 1.0


@part(forceinline=True)
def epoch_ends(weights, rows, options, state):
    """Count an epoch. Returns why to stop after it, or -1."""
    state[EPOCH] += 1.0
    state[POSITION] = 0.0
    if not math.isfinite(state[BIAS]):
        return OVERFLOW
    for j in range(len(weights)):
        if not math.isfinite(weights[j]):
            return OVERFLOW
    if options[ONE_EPOCH] > 0.0:
        return LOOK
    if stops(options, state, state[OBJECTIVE] / len(rows)) > 0.0 or state[EPOCH] >= options[EPOCHS]:
        return DONE
    return -1.0


# --- dense rows -------------------------------------------------------------------------------------------------------


@part(forceinline=True)
def full_sweep(X, row, following, weights, means, paid, step, mean, state, l1):
    """Like `sweep`, with means (if `mean` is not 0) and l1. Also returns the sum of magnitudes."""
    real, square, size, total, moves = weights.dtype.type, 0.0, 0.0, 0.0, step != 0.0
    factor, mean_update, scale, owed = mean[0], mean[1], state[SCALE], state[OWED]
    averaged = mean_update != 0.0
    for j in range(len(weights)):
        x = np.float64(X[row, j])
        w = weights[j]
        if moves:
            w = real(np.float64(w) + x * step)
        square += np.float64(w * w)
        size += np.float64(abs(w))
        if averaged:
            means[j] = real(np.float64(means[j]) + (factor * x * mean_update))
        if l1:
            before = np.float64(w)
            w = paid_weight(real, w, paid[j], owed, scale)
            paid[j] = real(np.float64(paid[j]) + scale * (np.float64(w) - before))
        weights[j] = w
        total += np.float64(w * X[following, j])
    return square, size, total


@kernel
def run_dense(X, y, sample_weight, held, places, rows, options, weights, means, paid, state, most):
    """Train on at most about `most` dense rows. Returns the reason why the run stopped.

    `sample_weight` is empty if all rows count the same, `held` if no row is held out, `means` without averaging, and
    `paid` without l1. `places` is the order of all rows, and `rows` is the order of those that are trained on.
    """
    real, d, n = weights.dtype.type, len(weights), len(rows)
    stride = 64 // X.itemsize
    lines = (d + stride - 1) // stride
    l1, averages = len(paid) > 0, options[AVERAGE_FROM] > 0.0
    passive = options[LEARNING_RATE] >= PA1
    while True:
        i, half = int(state[POSITION]), state[HALF] > 0.0
        if i == 0 and not half:
            epoch_begins(places, held, rows, options, state)
        total = row_sum(X, rows[min(i, n - 1)], weights)
        while i < n:
            row, following = rows[i], rows[min(i + 1, n - 1)]
            ahead = rows[min(i + LINES_AHEAD, n - 1)] * d
            for k in range(lines):
                prefetch_far(X, ahead + k * stride)
            if half:
                update, half, state[HALF] = state[UPDATE], False, 0.0
            else:
                square = row_square(X, row, d) if passive else 1.0
                weight = sample_weight[row] if len(sample_weight) > 0 else real(1.0)
                update = row_step(real, options, state, np.float64(y[row]), total, square, weight)
                if square == 0.0 and options[LEARNING_RATE] == PA1:
                    i += 1
                    total = row_sum(X, following, weights)
                    continue
                if options[PENALTY] >= L2_PENALTY and shrink(weights, means, options, state):
                    state[POSITION], state[HALF], state[UPDATE] = i, 1.0, update
                    return SETTLE
            rounded = real(update)
            scale = real(state[SCALE])
            step = np.float64(rounded / scale)
            if options[BIAS_SCALE] > 0.0:
                state[BIAS] += update * options[BIAS_SCALE]
            averaged = averages and options[AVERAGE_FROM] <= state[T]
            if l1:
                state[OWED] += options[L1_RATIO] * state[ETA] * options[ALPHA]
            if averaged or l1:
                mean = mean_step(state, rounded) if averaged else (0.0, 0.0)
                squared, size, total = full_sweep(X, row, following, weights, means, paid, step, mean, state, l1)
                if update != 0.0:
                    state[SQUARE], state[SIZE] = squared * np.float64(scale * scale), size * np.float64(scale)
                if averaged:
                    mean_done(real, options, state)
            elif update != 0.0:
                squared, total = sweep(X, row, following, weights, step)
                state[SQUARE] = squared * np.float64(scale * scale)
            else:
                total = row_sum(X, following, weights)
            state[T] += 1.0
            state[COUNT] += 1.0
            i += 1
            most -= 1
            if most <= 0 and i < n:
                state[POSITION] = i
                return PAUSE
        reason = epoch_ends(weights, rows, options, state)
        if reason >= 0.0:
            return reason
        if most <= 0:
            return PAUSE


# --- sparse rows ------------------------------------------------------------------------------------------------------


@kernel
def run_sparse(data, indices, indptr, y, sample_weight, held, places, rows, options, weights, means, paid, state, most):
    """`run_dense` for the rows of a CSR matrix. A row may store an input twice, so it takes a sweep for each task."""
    real, n = weights.dtype.type, len(rows)
    l1, averages = len(paid) > 0, options[AVERAGE_FROM] > 0.0
    passive = options[LEARNING_RATE] >= PA1
    while True:
        i, half = int(state[POSITION]), state[HALF] > 0.0
        if i == 0 and not half:
            epoch_begins(places, held, rows, options, state)
        while i < n:
            row = rows[i]
            start, stop = indptr[row], indptr[row + 1]
            if half:
                update, half, state[HALF] = state[UPDATE], False, 0.0
            else:
                ask_for(data, indices, indptr, rows, i)
                total = sparse_sum(data, indices, start, stop, weights)
                square = sparse_square(data, start, stop) if passive else 1.0
                weight = sample_weight[row] if len(sample_weight) > 0 else real(1.0)
                update = row_step(real, options, state, np.float64(y[row]), total, square, weight)
                if square == 0.0 and options[LEARNING_RATE] == PA1:
                    i += 1
                    continue
                if options[PENALTY] >= L2_PENALTY and shrink(weights, means, options, state):
                    state[POSITION], state[HALF], state[UPDATE] = i, 1.0, update
                    return SETTLE
            scale = real(state[SCALE])
            step = np.float64(real(update) / scale)
            if update != 0.0 and l1:
                squared, size = add_sparse_sized(data, indices, start, stop, weights, step)
                state[SQUARE], state[SIZE] = squared * np.float64(scale * scale), size * np.float64(scale)
            elif update != 0.0 and options[WATCHED] == 0.0:
                step_sparse(data, indices, start, stop, weights, step)
            elif update != 0.0:
                state[SQUARE] = add_sparse(data, indices, start, stop, weights, step) * np.float64(scale * scale)
            if options[BIAS_SCALE] > 0.0:
                state[BIAS] += update * options[BIAS_SCALE]
            if averages and options[AVERAGE_FROM] <= state[T]:
                mean = mean_step(state, real(update))
                average_sparse(data, indices, start, stop, means, mean[0], mean[1])
                mean_done(real, options, state)
            if l1:
                state[OWED] += options[L1_RATIO] * state[ETA] * options[ALPHA]
                pay_sparse(indices, start, stop, weights, paid, state[OWED], state[SCALE])
            state[T] += 1.0
            state[COUNT] += 1.0
            i += 1
            most -= 1
            if most <= 0 and i < n:
                state[POSITION] = i
                return PAUSE
        reason = epoch_ends(weights, rows, options, state)
        if reason >= 0.0:
            return reason
        if most <= 0:
            return PAUSE
