"""Proof that the checks can fail: mistakes planted in copies of the kernels, each of which has to be caught.

A mistake in one engine is caught by comparing it with the reference; one that the reference had as well is caught by
the oracles, which know nothing of it.
"""

# ruff: noqa: E501 - a line a mistake

import importlib
import os
import types
from functools import cache, partial

import loss_oracles
import numpy as np
import oracles
import pytest
from planted import Mistake, jit_copy, plain_copies, plain_copy

from tinynet_fast.cli import app
from tinynet_fast.kernels import reference, strict, vectorized
from tinynet_fast.kernels.compiler import jit, simd
from tinynet_fast.kernels.engines import ENGINES, FAST
from tinynet_fast.kernels.fast import neuron, regularized_neuron, row_error
from tinynet_fast.proof import battery, validate
from tinynet_fast.proof.problems import NeuronProblem, can_solve, neuron_problem

njit = pytest.importorskip("numba", reason="Numba compiles a copy with other flags").njit

# How patterns are read: planted.py
# Into what strict.py has written by hand, and into what it compiles of the reference.
IN_STRICT = [
    Mistake("no bias update", "bias[0] -= nudge", "pass"),
    Mistake("wrong sign", "weights[j] -= nudge * X[i, j]", "weights[j] += nudge * X[i, j]"),
    Mistake("old weight in the next sum", "weights[j] -= nudge * X[i, j]; z += ahead[j] * weights[j]", "weights[j] -= nudge * X[i, j]; z += ahead[j] * (weights[j] + nudge * X[i, j])"),
    Mistake("grouping of the product", "weights[j] -= nudge * X[i, j]", "weights[j] -= step[i] * (error * X[i, j])", "sgd_epochs", given="nudge = step[i] * error"),
    Mistake("loss after the update", "z += bias[0]", "z += bias[0]; losses[epoch] += 0 if i + 1 < len(X) else (sigmoid(logit(X[i], weights, bias)) - y[i]) ** 2 - error * error", "sgd_epochs", given="error = sigmoid(z) - y[i]\nlosses[epoch] += error * error\n...\nfor j in range(len(weights)): ..."),
    Mistake("last row of a block skipped", "for i in range(len(X)): ...", "for i in range(len(X) - 1): ...", "sgd_epochs"),
    Mistake("block starts from its second row", "z = logit(X[0], weights, bias)", "z = logit(X[min(1, len(X) - 1)], weights, bias)"),
    Mistake("single precision", "error = sigmoid(z) - y[i]", "error = float(np.float32(sigmoid(z) - y[i]))"),
    Mistake("bias first", "z = 0.0", "z = bias[0]", "sgd_epochs", given="bias[0] -= nudge"),
    Mistake("absolute error as the loss", "losses[epoch] += error * error", "losses[epoch] += abs(error)", everywhere=True),
    Mistake("one step for all rows", "nudge = step[i] * error", "nudge = step[0] * error"),
    Mistake("another row's label", "error = sigmoid(z) - y[i]", "error = sigmoid(z) - y[i - 1]"),
    Mistake("sigmoid through tanh", "return 1.0 / (1.0 + math.exp(-z))", "return 0.5 * (1.0 + math.tanh(0.5 * z))"),
    Mistake("sigmoid cut off early", "z < -LARGEST", "z < -30.0"),
    Mistake("losses of all epochs in the first slot", "losses[epoch] += error * error", "losses[0] += error * error", everywhere=True),
]  # fmt: skip
IN_STRICTS_REFERENCE = [
    Mistake("right to left", "for j in range(len(weights)):\n        z += x[j] * weights[j]", "for j in range(len(weights) - 1, -1, -1):\n        z += x[j] * weights[j]"),
    Mistake("penalty after the update", "keep * weights[j] - nudge * X[i][j]", "keep * (weights[j] - nudge * X[i][j])"),
    Mistake("half the gradient of squared error", "error * (2.0 * prediction * (1.0 - prediction))", "error * (prediction * (1.0 - prediction))"),
    Mistake("mean of the weights before the row", "means[j] += share * (weights[j] - means[j])", "means[j] += share * (weights[j] + nudge * X[i][j] - means[j])", "sgd_regularized_epochs", given="weights[j] = keep * weights[j] - nudge * X[i][j]"),
    Mistake("the bias moves as far as ever", "bias[0] -= bias_scale * nudge", "bias[0] -= nudge", everywhere=True),
    Mistake("bias left out of the mean", "means[d] += share * (bias[0] - means[d])", "pass"),
    Mistake("l1 past zero", "return max(0.0, weight - (owed + paid))", "return weight - (owed + paid)"),
    Mistake("l1 paid twice", "paid[j] += weights[j] - before", "pass"),
    Mistake("l1 the wrong way for negative weights", "return min(0.0, weight + (owed - paid))", "return min(0.0, weight - (owed - paid))"),
    Mistake("no bias in a network's sum", "z += params[biases + u]", "pass"),
    Mistake("tanh's slope is sigmoid's", "return a, 1.0 - a * a", "return a, a * (1.0 - a)"),
    Mistake("sigmoid's slope is tanh's", "return a, a * (1.0 - a)", "return a, 1.0 - a * a"),
    Mistake("relu leaks", "return (z, 1.0) if z > 0.0 else (0.0, 0.0)", "return (z, 1.0) if z > 0.0 else (0.01 * z, 0.0)"),
    Mistake("relu's slope where it is off", "return (z, 1.0) if z > 0.0 else (0.0, 0.0)", "return (z, 1.0) if z > 0.0 else (0.0, 1.0)"),
    Mistake("an output's slope in place of its sum", "deltas[target + u] = z if layer == last else slope", "deltas[target + u] = slope"),
    Mistake("slope of the sum", "a = math.tanh(z); return a, 1.0 - a * a", "a = math.tanh(z); return a, 1.0 - z * z"),
    Mistake("a unit left out still learns", "values[target + u] *= ...; deltas[target + u] *= ...", "values[target + u] *= ...", "network_forward"),
    Mistake("the layer before's mask", "values[target + u] *= mask[target + u - layers[0][at.INPUTS]]; deltas[target + u] *= ...", "values[target + u] *= mask[u]; deltas[target + u] *= ...", "network_forward"),
    Mistake("classes' probabilities not normalised", "math.exp(deltas[target + u] - norm)", "0.9 * math.exp(deltas[target + u] - norm)"),
    Mistake("the largest sum left out", "range(start, start + outputs)", "range(start + 1, start + outputs)", "log_total"),
    Mistake("the first class's loss", "log_total(...) - sums[target + int(y[first])]", "log_total(...) - sums[target]"),
    Mistake("no class is right", "1.0 if int(y[first]) == u else 0.0", "0.0"),
    Mistake("squared error's loss not squared", "return error * error", "return abs(error)", "row_loss"),
    Mistake("sample weight left out", "deltas[target + u] = weight * loss_slope(...)", "deltas[target + u] = loss_slope(...)"),
    Mistake("sample weight left out of the mean", "pending[at.PENDING_WEIGHT] += weight[i]", "pending[at.PENDING_WEIGHT] += 1.0"),
    Mistake("sample weight left out of the loss", "losses[epoch] += weight[i] * network_loss(...)", "losses[epoch] += network_loss(...)"),
    Mistake("every update by the first schedule row", "updates += 1", "pass"),
    Mistake("biases penalised", "if p < biases: ...", "if True: ...", "network_update"),
    Mistake("weights shrunk before their penalty", "g += l2 * params[p]; params[p] *= keep", "params[p] *= keep; g += l2 * params[p]"),
    Mistake("no decay", "params[p] *= keep", "pass"),
    Mistake("momentum of the wrong sign", "first[p] = share * first[p] - rate * g", "first[p] = -share * first[p] - rate * g"),
    Mistake("Nesterov's is plain", "share * first[p] - rate * g if optimizer == NESTEROV else first[p]", "first[p]"),
    Mistake("Adam without the square", "second[p] = share2 * second[p] + (1.0 - share2) * (g * g); params[p] -= rate * first[p] / ...", "second[p] = share2 * second[p] + (1.0 - share2) * abs(g); params[p] -= rate * first[p] / ..."),
    Mistake("epsilon under the root", "rate * first[p] / (math.sqrt(second[p]) + epsilon)", "rate * first[p] / math.sqrt(second[p] + epsilon)"),
    Mistake("second mean kept as long as the first", "first[p] = share * first[p] + (1.0 - share) * g; second[p] = share2 * second[p] + (1.0 - share2) * (g * g)", "first[p] = share * first[p] + (1.0 - share) * g; second[p] = share * second[p] + (1.0 - share2) * (g * g)"),
    Mistake("blame from the last unit only", "blame += params[...] * deltas[...]", "blame = params[...] * deltas[...]", "network_backward"),
    Mistake("every bias gets the first unit's share", "gradient[biases + u] += deltas[target + u]", "gradient[biases + u] += deltas[target]"),
    Mistake("sum in place of the mean gradient", "gradient[p] / total", "gradient[p]", "network_update"),
    Mistake("grouping in the network's update", "g = gradient[p] / total", "g = gradient[p] * (1.0 / total)"),
    Mistake("gradient kept from batch to batch", "gradient[p] = 0.0", "pass", "network_update"),
    Mistake("batch ends with the block", "for epoch in range(len(losses)): ...", "pending[at.PENDING_ROWS] = 0\nfor epoch in range(len(losses)): ...", "network_epochs", given="pending[at.PENDING_ROWS] += 1.0"),
    Mistake("batch a row too long", "pending[at.PENDING_ROWS] == rule[at.BATCH_SIZE]", "pending[at.PENDING_ROWS] > rule[at.BATCH_SIZE]"),
    Mistake("cross-entropy of the other label", "s = z if y > 0.5 else -z", "s = -z if y > 0.5 else z"),
    Mistake("cross-entropy without log1p", "math.log1p(math.exp(-abs(s)))", "math.log(1.0 + math.exp(-abs(s)))"),
    Mistake("leaky_relu does not leak", "(LEAK * z, LEAK)", "(0.0, 0.0)"),
    Mistake("leaky_relu leaks forward only", "(LEAK * z, LEAK)", "(LEAK * z, 0.0)"),
    Mistake("silu's slope is its sigmoid", "return a, share + a * (1.0 - share)", "return a, share"),
    Mistake("RMSprop without the square", "second[p] = share2 * second[p] + (1.0 - share2) * (g * g); params[p] -= rate * g / ...", "second[p] = share2 * second[p] + (1.0 - share2) * abs(g); params[p] -= rate * g / ..."),
    Mistake("Adagrad forgets", "second[p] += g * g", "second[p] = g * g", "network_step"),
    Mistake("Adagrad without the root", "second[p] += g * g; params[p] -= rate * g / (math.sqrt(second[p]) + epsilon)", "second[p] += g * g; params[p] -= rate * g / (second[p] + epsilon)"),
]  # fmt: skip
# the width at which the kernel runs, and the mistake
IN_ROW_ERROR = [
    Mistake("wrong sign of the row before", "t = fma(-error_before, coupling, ...)", "t = fma(error_before, coupling, ...)", "row_error"),
    Mistake("polynomial used too far from its node", "REACH = 0.063 * NODES", "REACH = 0.5 * NODES"),
]  # fmt: skip
LINEAR_CHAIN = Mistake(
    "wrong sign of the row before", "return fma(-error_before, ...), 0.0", "return fma(error_before, ...), 0.0"
)
IN_FAST = [
    (2, Mistake("no bias update", "w0, w1, w2, w3, b = ..., fma(-e3, s3, b)", "w0, w1, w2, w3, b = ..., b")),
    (2, Mistake("a row's share forgotten", "ahead = fma(-e2, dot(...), dot(...))", "ahead = fma(-0.0 * e2, dot(...), dot(...))")),
    (2, Mistake("last row of a tile not brought in", "bias[0] = fma(-e1, s1, ...) / NODES; return loss", "bias[0] = fma(-0.0 * e1, s1, ...) / NODES; return loss", "narrow_tile")),
    (2, Mistake("loss of the last tile only", "loss = narrow_tile(..., loss, table, inputs, kind)", "loss = narrow_tile(..., 0.0, table, inputs, kind)")),
    (5, Mistake("coupling without the bias", "e1, node = row_error(kind, table, z1 + b, fma(s0, g10, s0), ...)", "e1, node = row_error(kind, table, z1 + b, s0 * g10, ...)")),
    (5, Mistake("two rows' shares swapped", "p0, p1, p2, p3 = s0 * e0, s1 * e1, s2 * e2, s3 * e3", "p0, p1, p2, p3 = s0 * e0, s1 * e1, s3 * e3, s2 * e2")),
    (5, Mistake("row before the four not brought in", "w = fma(-p3, r3, ...)", "w = fma(-0.0 * p3, r3, ...)", "update_and_dot")),
    (165, Mistake("row before the four not brought in, in lanes", "w = fma(-spread[r], load(...), w)", "w = fma(-0.0 * spread[r], load(...), w)", "sweep")),
    (165, Mistake("features that fill no register left out", "z0 + a0, z1 + a1, z2 + a2, ...", "z0 + a0, z1, z2 + a2, ...")),
    (5, Mistake("no bias update for a row that is left over", "b -= p0", "")),
]  # fmt: skip
IN_NUMPY = [
    Mistake("single precision", "error = prediction - y[i]", "error = float(np.float32(prediction - y[i]))", everywhere=True),
    Mistake("no bias update", "bias[0] -= nudge", "pass", "sgd_epochs"),
    Mistake("the bias moves as far as ever", "bias[0] -= bias_scale * nudge", "bias[0] -= nudge", everywhere=True),
    Mistake("a chunk's mean for its sum", "np.sum(weight[part] * network_loss(...))", "np.mean(weight[part] * network_loss(...))"),
    Mistake("a chunk's gradient replaces the last", "gradient[p:biases] += ...", "gradient[p:biases] = ..."),
    Mistake("biases left out", "gradient[biases : biases + outputs] += d.sum(axis=0)", "pass"),
    Mistake("a unit left out still learns", "a *= kept; d *= kept", "a *= kept"),
    Mistake("the first rows' mask for all", "kept = mask[part] if mask.shape[1] else mask", "kept = mask[:m] if mask.shape[1] else mask", "network_epochs", given="start += m"),
    Mistake("classes' probabilities not normalised", "np.exp(z - log_total(z, 0, z.shape[1])[:, np.newaxis])", "np.exp(z)"),
    Mistake("biases penalised", "params[weights] *= keep", "params *= keep"),
    Mistake("Adam without the square", "second[p] = share2 * second[p] + (1.0 - share2) * (g * g); params[p] -= rate * first[p] / ...", "second[p] = share2 * second[p] + (1.0 - share2) * abs(g); params[p] -= rate * first[p] / ..."),
    Mistake("leaky_relu leaks forward only", "np.where(z > 0.0, 1.0, LEAK)", "np.where(z > 0.0, 1.0, 0.0)"),
    Mistake("silu's slope is its sigmoid", "return a, share + a * (1.0 - share)", "return a, share"),
    Mistake("RMSprop without the square", "second[p] = share2 * second[p] + (1.0 - share2) * (g * g); params[p] -= rate * g / ...", "second[p] = share2 * second[p] + (1.0 - share2) * abs(g); params[p] -= rate * g / ..."),
    Mistake("Adagrad forgets", "second[p] += g * g", "second[p] = g * g", "network_step"),
]  # fmt: skip
IN_FAST_REGULARIZED = [
    Mistake("a keep left out before the row", "ahead = fma(c1 * c2, dot(...), b)", "ahead = fma(c2, dot(...), b)"),
    Mistake("a keep too many", "ahead = fma(c1 * c2, dot(...), b); ahead = fma(-e2, fma(c1, dot(...), s2), ahead)", "ahead = fma(c1 * c2, dot(...), b); ahead = fma(-e2, fma(c1 * c2, dot(...), s2), ahead)"),
    Mistake("bias penalised", "return w0, w1, w2, w3, b - p", "return w0, w1, w2, w3, keep * b - p", "bring_in", given="w0 = fma(-p, ..., keep * w0)"),
    Mistake("last rows of a tile left out of the mean", "e3, e2, s3, s2, c3, c2, h3, h2 = e2, e1, s2, s1, c2, c1, h2, h1", "e3, e2, s3, s2, c3, c2, h3, h2 = e2, e1, s2, s1, c2, c1, 0.0, 0.0"),
    Mistake("coupling over a row without its keep", "fma(s0, c1 * c2 * g30, s0)", "fma(s0, c1 * g30, s0)"),
    Mistake("block shrunk by three keeps", "c0 * weight_at(weights, j)", "weight_at(weights, j)"),
    Mistake("a row not shrunk", "fma(-p2, input_at(X, k + 2 * d), c2 * w)", "fma(-p2, input_at(X, k + 2 * d), w)"),
    Mistake("a row with another row's share", "w = fma(-p1, input_at(X, k + d), c1 * w)\nif len(averaged) > 0: mean = fma(h1, w - mean, mean)\n...\nif len(averaged) > 0: mean = fma(h2, w - mean, mean)", "w = fma(-p1, input_at(X, k + d), c1 * w)\nif len(averaged) > 0: mean = fma(h2, w - mean, mean)\n...\nif len(averaged) > 0: mean = fma(h2, w - mean, mean)"),
    Mistake("last row of a block left out of the mean", "put_weight(means, j, fma(h3, w - mean, mean))", "put_weight(means, j, mean)"),
    Mistake("mean of the bias a row late", "b -= p3; mb = fma(h3, b - mb, mb); before = i", "b -= p3; mb = fma(h3, b + p3 - mb, mb); before = i"),
    Mistake("odd rows at the end not shrunk", "bring_in_one(X, i, schedule[i, at.KEEP], ...)", "bring_in_one(X, i, 1.0, ...)"),
    Mistake("odd rows at the end left out of the mean", "fma(share, weights[j] - means[j], means[j])", "means[j]"),
]  # fmt: skip
IN_THE_REFERENCE_TOO = [
    Mistake("half the gradient of squared error", "error * (2.0 * prediction * (1.0 - prediction))", "error * (prediction * (1.0 - prediction))"),
    Mistake("l1 past zero", "return max(0.0, weight - (owed + paid))", "return weight - (owed + paid)"),
    Mistake("the bias moves as far as ever", "bias[0] -= bias_scale * nudge", "bias[0] -= nudge", everywhere=True),
    Mistake("l2 twice", "weights[j] = keep * weights[j] - nudge * X[i][j]", "weights[j] = keep * keep * weights[j] - nudge * X[i][j]"),
    Mistake("mean from the row before", "means[j] += share * (weights[j] - means[j])", "means[j] += share * (weights[j] + nudge * X[i][j] - means[j])", "sgd_regularized_epochs", given="weights[j] = keep * weights[j] - nudge * X[i][j]"),
    Mistake("no bias update", "bias[0] -= nudge", "pass", "sgd_epochs"),
    Mistake("wrong sign", "weights[j] -= nudge * X[i][j]", "weights[j] += nudge * X[i][j]", "sgd_epochs"),
    Mistake("linear, wrong sign", "weights[j] -= nudge * X[i][j]", "weights[j] += nudge * X[i][j]", "sgd_linear_epochs"),
    Mistake("linear, no bias update", "bias[0] -= nudge", "pass", "sgd_linear_epochs"),
    Mistake("linear, the whole gradient of the squared error", "nudge = step[i] * error", "nudge = 2.0 * step[i] * error", "sgd_linear_epochs"),
    Mistake("Huber without its bound", "return max(-shape, min(error, shape))", "return error"),
    Mistake("quantile of the other side", "1.0 - shape if error > 0.0 else -shape if error < 0.0 else 0.0", "shape if error > 0.0 else shape - 1.0 if error < 0.0 else 0.0"),
    Mistake("absolute error with half the slope", "1.0 if error > 0.0 else -1.0 if error < 0.0 else 0.0", "0.5 if error > 0.0 else -0.5 if error < 0.0 else 0.0"),
    Mistake("hinge of the other side", "side = 1.0 if y > 0.5 else -1.0", "side = -1.0 if y > 0.5 else 1.0"),
    Mistake("focal without the slope of its factor", "shape * right * cross_entropy(z, y) + (1.0 - right)", "1.0 - right"),
    Mistake("counts predicted by their logarithm", "if loss == POISSON:\n        return exponential(z)", "pass", "predicted"),
    Mistake("Huber's loss outside is a square", "inside * (abs(error) - 0.5 * inside)", "0.5 * error * error"),
    Mistake("hinge from zero", "max(0.0, 1.0 - (z if y > 0.5 else -z))", "max(0.0, -(z if y > 0.5 else -z))"),
    Mistake("gradient of squared error", "nudge = step[i] * error", "nudge = step[i] * error * prediction * (1 - prediction)", "sgd_epochs", given="prediction = sigmoid(logit(...))"),
    Mistake("loss of the epoch before", "losses[epoch] += error * error", "losses[epoch - 1] += error * error", everywhere=True),
    Mistake("tanh's slope is sigmoid's", "return a, 1.0 - a * a", "return a, a * (1.0 - a)"),
    Mistake("slope of the sum", "a = math.tanh(z); return a, 1.0 - a * a", "a = math.tanh(z); return a, 1.0 - z * z"),
    Mistake("output error doubled", "deltas[target + u] = weight * loss_slope(...)", "deltas[target + u] = 2.0 * weight * loss_slope(...)"),
    Mistake("blame from the last unit only", "blame += params[...] * deltas[...]", "blame = params[...] * deltas[...]", "network_backward"),
    Mistake("sum in place of the mean gradient", "gradient[p] / total", "gradient[p]"),
    Mistake("transposed weights", "z += values[source + j] * params[p + j * outputs + u]", "z += values[source + j] * params[p + u * inputs + j]", "network_forward", given="for j in range(inputs): ..."),
    Mistake("cross-entropy of the other label", "s = z if y > 0.5 else -z", "s = -z if y > 0.5 else z"),
    Mistake("sample weight left out", "deltas[target + u] = weight * loss_slope(...)", "deltas[target + u] = loss_slope(...)"),
    Mistake("sample weight left out of the mean", "pending[at.PENDING_WEIGHT] += weight[i]", "pending[at.PENDING_WEIGHT] += 1.0"),
    Mistake("a unit left out still learns", "values[target + u] *= ...; deltas[target + u] *= ...", "values[target + u] *= ...", "network_forward"),
    Mistake("no class is right", "1.0 if int(y[first]) == u else 0.0", "0.0"),
    Mistake("the first class's loss", "log_total(...) - sums[target + int(y[first])]", "log_total(...) - sums[target]"),
    Mistake("the largest sum left out", "range(start, start + outputs)", "range(start + 1, start + outputs)", "log_total"),
    Mistake("biases penalised", "if p < biases: ...", "if True: ...", "network_update"),
    Mistake("no decay", "params[p] *= keep", "pass"),
    Mistake("momentum of the wrong sign", "first[p] = share * first[p] - rate * g", "first[p] = -share * first[p] - rate * g"),
    Mistake("Nesterov's is plain", "share * first[p] - rate * g if optimizer == NESTEROV else first[p]", "first[p]"),
    Mistake("Adam without the square", "second[p] = share2 * second[p] + (1.0 - share2) * (g * g); params[p] -= rate * first[p] / ...", "second[p] = share2 * second[p] + (1.0 - share2) * abs(g); params[p] -= rate * first[p] / ..."),
    Mistake("epsilon under the root", "rate * first[p] / (math.sqrt(second[p]) + epsilon)", "rate * first[p] / math.sqrt(second[p] + epsilon)"),
    Mistake("second mean kept as long as the first", "first[p] = share * first[p] + (1.0 - share) * g; second[p] = share2 * second[p] + (1.0 - share2) * (g * g)", "first[p] = share * first[p] + (1.0 - share) * g; second[p] = share * second[p] + (1.0 - share2) * (g * g)"),
    Mistake("leaky_relu does not leak", "(LEAK * z, LEAK)", "(0.0, 0.0)"),
    Mistake("leaky_relu leaks forward only", "(LEAK * z, LEAK)", "(LEAK * z, 0.0)"),
    Mistake("silu's slope is its sigmoid", "return a, share + a * (1.0 - share)", "return a, share"),
    Mistake("RMSprop without the square", "second[p] = share2 * second[p] + (1.0 - share2) * (g * g); params[p] -= rate * g / ...", "second[p] = share2 * second[p] + (1.0 - share2) * abs(g); params[p] -= rate * g / ..."),
    Mistake("Adagrad forgets", "second[p] += g * g", "second[p] = g * g", "network_step"),
    Mistake("Adagrad without the root", "second[p] += g * g; params[p] -= rate * g / (math.sqrt(second[p]) + epsilon)", "second[p] += g * g; params[p] -= rate * g / (second[p] + epsilon)"),
]  # fmt: skip


def planted(module, mistake=None):
    """A copy of a kernel module with a mistake, as an engine, in plain Python."""
    return as_engine(module, plain_copy(module, mistake))


def planted_strict(mistake):
    """A plain copy of strict.py, which takes its functions from a copy of the reference with a mistake."""
    return as_engine(strict, plain_copy(strict, instead={reference: plain_copy(reference, mistake)}))


def as_engine(module, copy):
    name = "fast" if module is neuron else module.__name__.rpartition(".")[2]
    ours = next(engine for engine in ENGINES.values() if engine.module == name)
    return type(ours)(copy)


def planted_neuron(mistake=None, into=neuron):
    """A copy of `neuron.py`, which takes its lanes and the errors of rows from copies; the mistake is in one of them."""
    return as_engine(neuron, plain_copies(simd, row_error, neuron, mistake=mistake, into=into)[neuron])


def planted_fast(mistake=None):
    """The same for `regularized_neuron.py`: its own lines in plain Python, what it imports as it is."""
    twins = plain_copy(simd)
    copy = plain_copy(regularized_neuron, mistake)
    for name in ("fma", "input_at", "weight_at", "put_weight"):
        setattr(copy, name, getattr(twins, name))
    return type(FAST)(copy)


@cache
def cases(rows):
    """The kernels' part of the battery, with few rows, and what the reference makes of each case, when it is asked.

    Networks of several hidden layers, which take longest, come last. A case that catches a mistake moves to the front:
    it often catches the next one, too.
    """
    rng = np.random.default_rng(3)
    made = [
        (case, cache(partial(validate.reference_solutions, case[1])))
        for make in (battery.neuron_cases, battery.regularized_cases, battery.network_cases)
        for case in make(rng, rows)
    ]
    return sorted(made, key=lambda case: len(getattr(case[0][1][0], "sizes", ())) > 3)


def caught(engine, kind=object):
    """A case of the battery in which the engine breaks its promise, or None; of all cases, or of one kind of problem."""
    ours = cases(16 if engine.module != "fast" else 19)
    with np.errstate(all="ignore"):
        for k, ((name, problems, everyone), refs) in enumerate(ours):
            able = isinstance(problems[0], kind) and can_solve(engine, problems[0])
            if able and (everyone or engine.promise == 0.0) and not validate.judge(engine, name, problems, refs()).kept:
                ours.insert(0, ours.pop(k))
                return name
    return None


@pytest.mark.parametrize("module", [strict, vectorized], ids=["strict", "numpy"])
def test_a_copy_without_a_mistake_passes(module):
    assert caught(planted(module)) is None


@pytest.mark.parametrize("mistake", IN_STRICT, ids=str)
def test_strict(mistake):
    assert caught(planted(strict, mistake))


@pytest.mark.parametrize("mistake", IN_STRICTS_REFERENCE, ids=str)
def test_strict_compiles_the_reference(mistake):
    assert caught(planted_strict(mistake))


@cache
def fast_cases(features, linear=False):
    """Rows of the width that the mistake concerns, narrow ones of more than one tile; and the reference's."""
    rng, most = np.random.default_rng(4), 602 if features < 165 else 30
    problems = [
        neuron_problem(rng, n, features, reach=reach, linear=linear) for reach in (1e-3, 0.1, 1.0) for n in (5, most)
    ]
    return problems, validate.reference_solutions(problems)


@pytest.mark.parametrize("features", [2, 5, 165])
def test_a_copy_of_fast_without_a_mistake_passes(features):
    for linear in (False, True):
        assert validate.judge(planted_neuron(), "control", *fast_cases(features, linear)).kept


@pytest.mark.parametrize(("features", "mistake"), IN_FAST, ids=[m.name for _, m in IN_FAST])
def test_fast(features, mistake):
    assert not validate.judge(planted_neuron(mistake), mistake.name, *fast_cases(features)).kept


@pytest.mark.parametrize("mistake", IN_ROW_ERROR, ids=str)
def test_row_error(mistake):
    assert not validate.judge(planted_neuron(mistake, row_error), mistake.name, *fast_cases(2)).kept


def test_row_error_of_numbers():
    assert not validate.judge(planted_neuron(LINEAR_CHAIN, row_error), "linear", *fast_cases(2, linear=True)).kept


@pytest.mark.parametrize("mistake", IN_NUMPY, ids=str)
def test_numpy(mistake):
    assert caught(planted(vectorized, mistake))


def test_a_copy_of_fast_regularized_without_a_mistake_passes():
    assert caught(planted_fast()) is None


@pytest.mark.parametrize("mistake", IN_FAST_REGULARIZED, ids=str)
def test_fast_regularized(mistake):
    assert caught(planted_fast(mistake))


ORACLES = [*oracles.BY_HAND, *loss_oracles.BY_HAND]  # one that finds a mistake moves to the front


def found_by_an_oracle(engine):
    """A check that is not ours and fails, or None."""
    for k, oracle in enumerate(ORACLES):
        try:
            oracle(engine)
        except AssertionError:
            ORACLES.insert(0, ORACLES.pop(k))
            return oracle.__name__
    return None


def test_the_oracles_pass_a_copy_of_the_reference():
    assert found_by_an_oracle(planted(reference)) is None


@pytest.mark.parametrize("mistake", IN_THE_REFERENCE_TOO, ids=str)
def test_shared_by_the_reference(mistake):
    assert found_by_an_oracle(planted(reference, mistake))


@pytest.mark.skipif(njit(lambda: 0).__class__.__name__ == "function", reason="compiling is switched off")
@pytest.mark.parametrize("flags", [{"contract"}, {"reassoc", "nsz"}, True], ids=["contract", "reorder", "all"])
def test_compiler_flags(flags):
    """A kernel compiled with leave to contract (on a CPU with FMA) or to reorder sums is not bit for bit."""
    kernel = njit(error_model="numpy", fastmath=flags)
    engine = as_engine(
        strict, jit_copy(strict, instead={jit: types.SimpleNamespace(kernel=kernel, part=lambda **options: kernel)})
    )
    features = importlib.import_module("llvmlite.binding").get_host_cpu_features()
    if flags == {"contract"} and (not features.get("fma") or os.environ.get("NUMBA_CPU_NAME") == "generic"):
        pytest.skip("no FMA on this CPU, or none for the compiler to use")
    assert caught(engine, NeuronProblem)  # whose kernels take the least time to compile


def test_there_are_many():
    others = {(m.old, m.new) for m in (*IN_STRICT, *IN_STRICTS_REFERENCE, *IN_NUMPY, *IN_THE_REFERENCE_TOO)}
    assert len(others) + len(IN_FAST) >= 50


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def run_validate(monkeypatch, capsys):
    """Runs the command, on neurons alone: `validate` itself has tests of its own with all cases."""
    neurons = list(battery.neuron_cases(np.random.default_rng(0), 64))
    monkeypatch.setattr(validate, "battery", lambda turns: neurons)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["tinynet-fast", "validate", *arguments])
        monkeypatch.setenv("COLUMNS", "140")
        with pytest.raises(SystemExit) as info:
            app.main()
        return info.value.code or 0, capsys.readouterr().out

    return run


def test_validate_names_a_wrong_kernel(run_validate, monkeypatch):
    """`strict.sgd_epochs` replaced by one that forgets the bias: exit status 1, the engine and the case."""
    wrong = planted(strict, Mistake("no bias update", "bias[0] -= nudge", "pass"))
    monkeypatch.setattr(strict, "sgd_epochs", wrong.kernels.sgd_epochs)
    monkeypatch.setattr(
        "tinynet_fast.training.run._names", {}
    )  # it is not compiled, which later runs must not take for their kernels
    status, out = run_validate()
    assert status == 1
    assert "broken promises:\nstrict: neuron, small steps\n" in out
    assert "numpy: " not in out.partition("broken promises:")[2]
    assert "BROKEN" in out


def test_validate_keeps_every_promise(run_validate):
    status, out = run_validate()
    assert status == 0
    assert out.endswith("every promise is kept\n")
    for fact in ("Python: ", "NumPy: ", "Numba: ", "C library: "):
        assert fact in out
