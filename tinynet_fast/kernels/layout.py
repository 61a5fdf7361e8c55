"""Which number stands where in the arrays that kernels take. It holds numbers alone and imports nothing.

The codes of activations and losses are in `point_functions.py`, beside the functions that they stand for, and those of
optimizers in `reference.py`.
"""

# --- one neuron -------------------------------------------------------------------------------------------------------

# `schedule` has a row of numbers for each training row; `sgd_regularized_epochs` says which.
STEP, KEEP, CUT, SHARE = range(4)
SCHEDULE_COLUMNS = 4  # a network's too
# `rule`: the first three are of all rows, the others of sparse rows.
NEURON_LOSS, SHAPE, BIAS_SCALE, SPARSE_L2, SPARSE_L1, WATCHED = range(6)
# `state` of sparse rows has what all weights share:
# - the weights are SCALE * v. The l2 penalty multiplies the scale, and a nudge changes the v of what is stored;
# - their mean is (sums + A * v) / B: linear in v, it needs to hear of the nudges alone (Bottou, Stochastic gradient
#   descent tricks, 2012). MEAN_BIAS is the bias's. A share of 1.0 starts the mean, once;
# - l1 is lazy: a row pays what the penalty has asked for (OWED) on the inputs that it stores;
# - the weights that the last row to change any stored have the sum of squares SQUARE and of magnitudes SIZE, and the
#   OBJECTIVE is added up from these.
SCALE, A, B, OWED, MEAN_BIAS, SQUARE, SIZE, OBJECTIVE = range(8)
SPARSE_STATE = 8  # numbers

# --- a network --------------------------------------------------------------------------------------------------------

# `layers` has a row a layer.
INPUTS, OUTPUTS, ACTIVATION = range(3)
LAYER_COLUMNS = 3
# `state`: the parameters, the gradient summed so far in a batch, and the optimizer's first and second moments. Each row
# is laid out layer by layer: the weights, input by input (input j to unit u at j * outputs + u), then a bias a unit.
PARAMETERS, GRADIENT, FIRST, SECOND = range(4)
STATE_ROWS = 4
# `units`: `values` has the inputs of a row and then every unit's output, layer by layer; `deltas` has the loss's
# derivative with respect to each unit's sum, at the same places. On the way forward `deltas` takes what the way back
# starts from: a hidden unit's slope, an output's sum.
VALUES, DELTAS = range(2)
# `mask` has a factor a hidden unit (dropout): 0.0 where the unit is left out of this row, else 1 / (1 - dropout).
# Without dropout it has no columns.
# `schedule` has a row for each batch that ends in the call; KEEP is where a neuron's schedule has it. A batch without
# sample weight makes no update, so its row is not looked at; whoever makes the schedule does not count it either.
RATE, L2, EPSILON = 0, 2, 3
# `rule`: the shares say what the optimizer keeps of its first and of its second moment; the last is the loss's own.
BATCH_SIZE, LOSS, OPTIMIZER, FIRST_SHARE, SECOND_SHARE, LOSS_SHAPE = range(6)
# `pending`: the rows that are in the gradient and not yet in the parameters, and the sum of their sample weights.
PENDING_ROWS, PENDING_WEIGHT = range(2)
