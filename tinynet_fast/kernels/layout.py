"""Which number stands where in the arrays that kernels take. It holds numbers alone and imports nothing.

What a number means is in `reference.py`, beside the functions that use it; so are the codes of activations, losses and
optimizers. A name that two tables share has the same place in both.
"""

# --- one neuron -------------------------------------------------------------------------------------------------------

STEP, KEEP, CUT, SHARE = range(4)  # a row's own row of `plan`
SPARSE_LOSS, BIAS_SCALE, SPARSE_L2, SPARSE_L1, WATCHED = range(5)  # `rule` of sparse rows
SCALE, A, B, OWED, MEAN_BIAS, SQUARE, SIZE, OBJECTIVE = range(8)  # `state` of sparse rows
SPARSE_STATE = 8  # its length
PLAN_COLUMNS = 4  # of both kinds of `plan`

# --- a network --------------------------------------------------------------------------------------------------------

INPUTS, OUTPUTS, ACTIVATION = range(3)  # columns of `layers`
LAYER_COLUMNS = 3
RATE, L2, EPSILON = 0, 2, 3  # a batch's row of `plan`, which has KEEP too
BATCH_SIZE, LOSS, OPTIMIZER, FIRST_SHARE, SECOND_SHARE = range(5)  # `rule`
PARAMETERS, GRADIENT, FIRST, SECOND = range(4)  # rows of `state`
STATE_ROWS = 4
VALUES, DELTAS = range(2)  # rows of `units`
PENDING_ROWS, PENDING_WEIGHT = range(2)  # `pending`
