"""The specification: one neuron and the small network, in plain Python, a number at a time.

Every other engine answers to this file. It imports `math` alone and takes lists of numbers (arrays work too); what
it computes it writes into its arguments. `vectorized.py` and `strict.py` hold the same functions in the same order.

Two rules keep the meaning of every line exact. Sums run from left to right in a loop, never through `sum()`,
which from Python 3.12 on carries a correction term. Products keep the parentheses that they have here.
"""

import math

SIGMOID, TANH, RELU, SOFTMAX = 0, 1, 2, 3  # what a layer does to its sums
LOG_LOSS, SQUARED_ERROR = 0, 1  # what is to be made small
SGD, NESTEROV, ADAM = 0, 1, 2  # how a network steps
SCALE, A, B, OWED, MEAN_BIAS, SQUARE, SIZE, OBJECTIVE = range(8)  # the numbers that sparse rows keep for all weights
SMALLEST_SCALE = 1e-3  # below, the weights are scaled: the means lose the digits that the scale has (1e-9: 7e-11 off)


# --- one number -------------------------------------------------------------------------------------------------------


def sigmoid(z):
    """The logistic function, 1 / (1 + exp(-z)): any number in, a probability out.

    Within 2.5 units in the last place of the true value. Where exp(-z) is too large for a float, below -709.78, it
    counts as infinity and the prediction is 0; the true value is then smaller than any normal float.
    """
    try:
        return 1.0 / (1.0 + math.exp(-z))
    except OverflowError:
        return 0.0


def activate(z, activation):
    """What a unit sends on, given the sum `z` of its weighted inputs and its bias."""
    if activation == SIGMOID:
        return sigmoid(z)
    if activation == TANH:
        return math.tanh(z)
    return z if z > 0.0 else 0.0


def slope(a, activation):
    """The derivative of `activate` at the sum that gave the output `a`."""
    if activation == SIGMOID:
        return a * (1.0 - a)
    if activation == TANH:
        return 1.0 - a * a
    return 1.0 if a > 0.0 else 0.0


def cross_entropy(z, y):
    """Minus the log of the probability that sigmoid(z) gives to the true label `y` (0 or 1).

    With s = z for a pass and s = -z for a fail that is log(1 + exp(-s)), written so that exp cannot overflow.
    """
    s = z if y > 0.5 else -z
    return (-s if s < 0.0 else 0.0) + math.log1p(math.exp(-abs(s)))


def log_total(sums, start, outputs):
    """log(exp(sums[start]) + ...) over as many sums as there are outputs, written so that exp cannot overflow."""
    largest, total = sums[start], 0.0
    for u in range(start + 1, start + outputs):
        largest = max(largest, sums[u])
    for u in range(start, start + outputs):
        total += math.exp(sums[u] - largest)
    return largest + math.log(total)


def truncate(weight, owed, paid):
    """A weight moved towards zero, and never past it, by what the l1 penalty has asked for and not yet been paid.

    `owed` is what it has asked of every weight so far, `paid` what this weight has been moved by it, with its sign.
    """
    if weight > 0.0:
        return max(0.0, weight - (owed + paid))
    if weight < 0.0:
        return min(0.0, weight + (owed - paid))
    return weight


# --- one neuron -------------------------------------------------------------------------------------------------------


def logit(x, weights, bias):
    """The neuron's sum for one row `x`: every input times its weight, left to right, the bias last."""
    z = 0.0
    for j in range(len(weights)):
        z += x[j] * weights[j]
    return z + bias[0]


def sgd_epochs(X, y, step, weights, bias, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`: predict, measure the error, nudge.

    `y` holds 0 or 1 a row and `step` the learning rate a row; `bias` holds one number. `weights` and `bias` are
    changed in place, and each row's squared error, taken before the row changes them, is added to the epoch's slot.
    The update is the exact gradient of cross-entropy: its derivative with respect to the sum is the error itself.
    """
    for epoch in range(len(losses)):
        for i in range(len(X)):
            prediction = sigmoid(logit(X[i], weights, bias))
            error = prediction - y[i]
            losses[epoch] += error * error
            nudge = step[i] * error
            for j in range(len(weights)):
                weights[j] -= nudge * X[i][j]
            bias[0] -= nudge


def sgd_regularized_epochs(X, y, plan, loss, bias_scale, weights, bias, means, paid, losses):
    """`sgd_epochs` with all that may be added to it. Each row of `X` has a row of `plan`: step, keep, cut, share.

    - step: its learning rate times its sample weight;
    - keep: what the l2 penalty leaves of each weight, 1 - learning rate * l2 and at least 0;
    - cut: what the l1 penalty asks of each weight, learning rate * l1, or 0.0. What is asked is summed up, and paid as
      far as a weight goes before it crosses zero (Tsuruoka, Tsujii and Ananiadou, ACL 2009);
    - share: what the weights after this row count for in their running mean, 1 / rows averaged; 0.0 for nothing.

    `loss` is LOG_LOSS, or SQUARED_ERROR for that loss's own gradient. The bias moves by `bias_scale` times what an
    input of 1.0 would move its weight by: 1.0 as a rule, 0.0 for a bias that stays where it is; it is not penalised.
    `means` holds the mean weights and, last, the mean bias; `paid` what each weight has paid and, last, what has been
    asked for.
    """
    d = len(weights)
    for epoch in range(len(losses)):
        for i in range(len(X)):
            step, keep, cut, share = plan[i][0], plan[i][1], plan[i][2], plan[i][3]
            prediction = sigmoid(logit(X[i], weights, bias))
            error = prediction - y[i]
            losses[epoch] += error * error
            if loss == SQUARED_ERROR:
                error *= 2.0 * prediction * (1.0 - prediction)
            nudge = step * error
            for j in range(d):
                weights[j] = keep * weights[j] - nudge * X[i][j]
            bias[0] -= bias_scale * nudge
            if share > 0.0:
                for j in range(d):
                    means[j] += share * (weights[j] - means[j])
                means[d] += share * (bias[0] - means[d])
            if cut > 0.0:
                paid[d] += cut
                for j in range(d):
                    before = weights[j]
                    weights[j] = truncate(before, paid[d], paid[j])
                    paid[j] += weights[j] - before


def logits(X, weights, bias, out):
    """The neuron's sum for every row of `X`, into `out`; sigmoid(out[i]) is the probability of a pass."""
    for i in range(len(X)):
        out[i] = logit(X[i], weights, bias)


# --- one neuron, on rows stored as CSR --------------------------------------------------------------------------------
#
# Row i stores data[p] of the input indices[p], for p from indptr[i] up to indptr[i + 1], its inputs rising and each
# once. An update costs what the row stores and not the width:
# - the weights are state[SCALE] * v. The l2 penalty multiplies the scale, and a nudge changes the v of what is stored;
# - their mean is (sums + state[A] * v) / state[B]: linear in v, it needs to hear of the nudges alone (Bottou,
#   Stochastic gradient descent tricks, 2012). state[MEAN_BIAS] is the bias's. A share of 1.0 starts the mean, once;
# - l1 is lazy: a row pays what the penalty has asked for (state[OWED]) on the inputs that it stores.
# Without l1 the weights are those of `sgd_regularized_epochs` on the same rows, dense. They are the same bits if there
# is no penalty and no mean, since 0.0 adds nothing to a sum and moves no weight. Otherwise they differ by rounding,
# which grows with the rows: by up to 3e-12 after 1,500,000 rows. (On sparse rows the engines agree with each other.)


def sparse_dot(data, indices, start, stop, v):
    """What a row stores times its v, left to right."""
    z = 0.0
    for p in range(start, stop):
        z += v[indices[p]] * data[p]
    return z


def sparse_rescale(v, sums, state):
    """The same weights and means, with a scale of 1. Where no mean is asked for, `sums` is empty."""
    for j in range(len(sums)):
        sums[j] = (sums[j] + state[A] * v[j]) / state[B]
    for j in range(len(v)):
        v[j] *= state[SCALE]
    state[SCALE], state[A], state[B] = 1.0, 0.0, 1.0


def sgd_sparse_epochs(data, indices, indptr, order, y, plan, rule, v, bias, sums, paid, state, losses):
    """`sgd_regularized_epochs` on the rows that `order` names, in that order, once for each slot of `losses`.

    `y` and `plan` (step, keep, cut, share) have a row for each of them. `rule` is loss, bias_scale, l2, l1, watched.
    `paid` holds what each weight has paid of l1. Where `watched` is not 0.0, each row's cross-entropy, and l2 / 2 *
    |w|^2 + l1 * sum |w|, are added to state[OBJECTIVE], w being the weights that the last row to change any stored: so
    scikit-learn has it.
    """
    loss, bias_scale, l2, l1, watched = rule[0], rule[1], rule[2], rule[3], rule[4] != 0.0
    for epoch in range(len(losses)):
        for i in range(len(order)):
            start, stop = indptr[order[i]], indptr[order[i] + 1]
            step, keep, cut, share = plan[i][0], plan[i][1], plan[i][2], plan[i][3]
            z = sparse_dot(data, indices, start, stop, v) * state[SCALE] + bias[0]
            prediction = sigmoid(z)
            error = prediction - y[i]
            losses[epoch] += error * error
            if loss == SQUARED_ERROR:
                error *= 2.0 * prediction * (1.0 - prediction)
            nudge = step * error
            if watched:
                state[OBJECTIVE] += cross_entropy(z, y[i])
                state[OBJECTIVE] += 0.5 * l2 * state[SQUARE] + l1 * state[SIZE]
                state[SQUARE] *= keep * keep
                state[SIZE] *= keep
            state[SCALE] *= keep
            if state[SCALE] < SMALLEST_SCALE:
                sparse_rescale(v, sums, state)
            scale = state[SCALE]
            factor = nudge / scale
            for p in range(start, stop):
                v[indices[p]] -= factor * data[p]
            if watched and nudge != 0.0:
                square = size = 0.0
                for p in range(start, stop):
                    square += v[indices[p]] * v[indices[p]]
                    size += abs(v[indices[p]])
                state[SQUARE], state[SIZE] = square * (scale * scale), size * scale
            bias[0] -= bias_scale * nudge
            if share > 0.0:
                added = state[A] * factor
                for p in range(start, stop):
                    sums[indices[p]] += added * data[p]
                if share < 1.0:
                    state[B] /= 1.0 - share
                state[A] += share * state[B] * scale
                state[MEAN_BIAS] += share * (bias[0] - state[MEAN_BIAS])
            if cut > 0.0:
                state[OWED] += cut
                for p in range(start, stop):
                    before = v[indices[p]]
                    v[indices[p]] = truncate(before, state[OWED] / scale, paid[indices[p]] / scale)
                    paid[indices[p]] += scale * (v[indices[p]] - before)


def sparse_logits(data, indices, indptr, order, weights, bias, out):
    """The neuron's sum for each row that `order` names, into `out`."""
    for i in range(len(order)):
        out[i] = sparse_dot(data, indices, indptr[order[i]], indptr[order[i] + 1], weights) + bias[0]


# --- a network --------------------------------------------------------------------------------------------------------
#
# - `layers` has a row a layer: inputs, outputs, activation. The last layer is one sigmoid or, for more than two
#   classes, a softmax with an output each; `y` then holds the number of a row's class.
# - `state` has four rows: the parameters, the gradient summed so far in a batch, and the optimizer's first and second
#   moments. Each is laid out layer by layer: the weights, input by input (input j to unit u at j * outputs + u), then a
#   bias a unit.
# - `units` has two rows: `values`, with the inputs of a row and then every unit's output, layer by layer, and `deltas`,
#   with the loss's derivative with respect to each unit's sum, at the same places. On the way forward `deltas` takes
#   what the way back starts from: a hidden unit's slope, an output's sum.
# - `mask` has a factor a hidden unit (dropout): 0.0 where the unit is left out of this row, else 1 / (1 - dropout). For
#   no dropout it has no columns.
# - `plan` has a row an update: learning rate, keep, l2, epsilon.
# - `rule` is batch size, loss, optimizer, and what the optimizer keeps of its first and of its second moment.


def network_forward(x, mask, layers, params, units):
    """One row through the network, layer by layer; fills `units`."""
    values, deltas = units[0], units[1]
    for j in range(layers[0][0]):
        values[j] = x[j]
    source, p, last = 0, 0, len(layers) - 1  # where the layer's inputs start in values, and its weights in params
    for layer in range(len(layers)):
        inputs, outputs, activation = layers[layer][0], layers[layer][1], layers[layer][2]
        target, biases = source + inputs, p + inputs * outputs
        for u in range(outputs):
            z = 0.0
            for j in range(inputs):
                z += values[source + j] * params[p + j * outputs + u]
            z += params[biases + u]
            a = activate(z, activation)
            values[target + u] = a
            deltas[target + u] = z if layer == last else slope(a, activation)
            if layer < last and len(mask) > 0:
                values[target + u] *= mask[target + u - layers[0][0]]
                deltas[target + u] *= mask[target + u - layers[0][0]]
        if activation == SOFTMAX:
            norm = log_total(deltas, target, outputs)
            for u in range(outputs):
                values[target + u] = math.exp(deltas[target + u] - norm)
        source, p = target, biases + outputs


def network_loss(y, loss, layers, units):
    """The loss of the row that `network_forward` has just seen: cross-entropy, or the prediction's squared error."""
    values, sums, outputs = units[0], units[1], layers[len(layers) - 1][1]
    target = len(values) - outputs
    if outputs > 1:
        return log_total(sums, target, outputs) - sums[target + int(y)]
    if loss == SQUARED_ERROR:
        return (values[target] - y) * (values[target] - y)
    return cross_entropy(sums[target], y)


def network_backward(y, weight, loss, layers, params, units, gradient):
    """The chain rule from the output back to the first layer, for the row that `network_forward` has just seen.

    With cross-entropy the derivative with respect to an output's sum is prediction - actual, for a sigmoid as for a
    softmax. Adds the row's share, times its sample weight, to `gradient`.
    """
    values, deltas = units[0], units[1]
    target, p = len(values) - layers[len(layers) - 1][1], len(params)  # the layer's outputs, its parameters' end
    for u in range(target, len(values)):
        actual = y if len(values) - target == 1 else (1.0 if int(y) == u - target else 0.0)
        error = values[u] - actual
        if loss == SQUARED_ERROR:
            error *= 2.0 * values[u] * (1.0 - values[u])
        deltas[u] = weight * error
    for layer in range(len(layers) - 1, -1, -1):
        inputs, outputs = layers[layer][0], layers[layer][1]
        source = target - inputs
        biases = p - outputs
        p = biases - inputs * outputs
        for u in range(outputs):
            gradient[biases + u] += deltas[target + u]
        for j in range(inputs):
            blame = 0.0
            for u in range(outputs):
                gradient[p + j * outputs + u] += values[source + j] * deltas[target + u]
                blame += params[p + j * outputs + u] * deltas[target + u]
            if layer > 0:
                deltas[source + j] = blame * deltas[source + j]
        target = source


def network_update(total, plan, rule, layers, state):
    """One step with the mean gradient of a batch whose sample weights sum to `total`, or none for a batch without.

    - plain and with momentum (Polyak 1964): velocity = momentum * velocity - rate * gradient, and the parameters move
      by the velocity;
    - Nesterov's momentum: they move by momentum * velocity - rate * gradient, with the velocity as it is then;
    - Adam (Kingma and Ba, ICLR 2015): by -rate * mean gradient / (root of the mean squared gradient + epsilon), both
      running means; the correction for their start at zero is in the plan's rate and epsilon.

    The weights, not the biases, first shrink by `keep` (decoupled weight decay: Loshchilov and Hutter, ICLR 2019), and
    their gradient has l2 * weight added. Leaves the gradient at zero for the next batch.
    """
    params, gradient, first, second = state[0], state[1], state[2], state[3]
    rate, keep, l2, epsilon = plan[0], plan[1], plan[2], plan[3]
    optimizer, share, share2 = rule[2], rule[3], rule[4]
    stop = 0
    for layer in range(len(layers)):
        start, biases = stop, stop + layers[layer][0] * layers[layer][1]
        stop = biases + layers[layer][1]
        for p in range(start, stop):
            if total > 0.0:
                g = gradient[p] / total
                if p < biases:
                    g += l2 * params[p]
                    params[p] *= keep
                if optimizer == ADAM:
                    first[p] = share * first[p] + (1.0 - share) * g
                    second[p] = share2 * second[p] + (1.0 - share2) * (g * g)
                    params[p] -= rate * first[p] / (math.sqrt(second[p]) + epsilon)
                else:
                    first[p] = share * first[p] - rate * g
                    params[p] += share * first[p] - rate * g if optimizer == NESTEROV else first[p]
            gradient[p] = 0.0


def network_epochs(X, y, weight, mask, plan, rule, layers, state, units, pending, losses):
    """Train on the rows of `X` in order, once for each slot of `losses`, with an update after every batch.

    `pending` holds the number of rows that are in the gradient and not yet in the parameters, and the sum of their
    sample weights. It is left as it stands, so that a batch can go on in the next block of rows; at the end of an epoch
    the caller updates for a short last batch. Each row's loss times its sample weight, taken before its batch changes
    the parameters, is added to the epoch's slot. `plan` has a row for each update of this call.
    """
    updates = 0
    for epoch in range(len(losses)):
        for i in range(len(X)):
            network_forward(X[i], mask[i % len(mask)], layers, state[0], units)
            losses[epoch] += weight[i] * network_loss(y[i], rule[1], layers, units)
            network_backward(y[i], weight[i], rule[1], layers, state[0], units, state[1])
            pending[0] += 1.0
            pending[1] += weight[i]
            if pending[0] == rule[0]:
                network_update(pending[1], plan[updates], rule, layers, state)
                updates += 1
                pending[0] = pending[1] = 0.0


def network_logits(X, layers, params, units, out):
    """The outputs' sums for every row of `X`, into the rows of `out`: their sigmoid or softmax is its answer."""
    for i in range(len(X)):
        network_forward(X[i], params[:0], layers, params, units)  # an empty mask: nothing is left out
        for u in range(len(out[i])):
            out[i][u] = units[1][len(units[1]) - len(out[i]) + u]
