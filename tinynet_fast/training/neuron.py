"""`train_neuron`: one neuron, trained by stochastic gradient descent, a row at a time. The run is in `run.py`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tinynet_fast.kernels.engines import FAST, row_limit
from tinynet_fast.models import Neuron
from tinynet_fast.rows.team import Team
from tinynet_fast.training.checks import check_at_least_zero, check_rate, is_auto
from tinynet_fast.training.junctions import Junctions
from tinynet_fast.training.losses import choose_loss
from tinynet_fast.training.neuron_kinds import MOST_LABELS, check_neuron_output, first_weights, neurons_for
from tinynet_fast.training.neuron_rate import search_once, search_rate
from tinynet_fast.training.options import check_portable, checked
from tinynet_fast.training.result import Epoch, TrainingResult
from tinynet_fast.training.run import run, until_measured
from tinynet_fast.training.schedules import Penalties, Schedule
from tinynet_fast.training.side_by_side import side_by_side
from tinynet_fast.training.strict_first import strict_first


def train_neuron(
    X: Any,
    y: Any = None,
    *,
    learning_rate: float | str = 0.1,
    epochs: int = 100,
    weights: Any = 0.0,
    bias: Any = 0.0,
    sample_weight: Any = None,
    l2: float = 0.0,
    l1: float = 0.0,
    schedule: str = "constant",
    power_t: float = 0.5,
    average: bool | int = False,
    output: str | None = None,
    loss: str | None = None,
    delta: float = 1.0,
    quantile: float = 0.5,
    gamma: float = 2.0,
    class_weight: Any = None,
    standardize_y: bool = False,
    noise: float = 0.0,
    shuffle: bool | str = False,
    seed: int | None = None,
    validation: Any = None,
    patience: int | None = None,
    engine: str = "fast",
    progress: bool = False,
    callback: Callable[[Epoch[Neuron]], Any] | None = None,
    features: Sequence[str] | None = None,
    labels: Any = None,
    standardize: bool = False,
    drop_missing: bool = False,
    checkpoint: Any = None,
    checkpoint_seconds: float = 30.0,
    resume: bool = True,
    n_jobs: int | None = None,
) -> TrainingResult[Neuron]:
    """Train one neuron: for each row, predict, measure the error and nudge the weights.

    It learns two labels, more than two (a sum for each label), or with ``output="linear"`` numbers. For a row x with
    label 0 or 1::

        raw        = x[0]*w[0] + x[1]*w[1] + ... + bias
        prediction = 1 / (1 + exp(-raw))
        error      = prediction - actual
        w[j]      -= (learning_rate * error) * x[j]
        bias      -= learning_rate * error

    This is stochastic gradient descent on cross-entropy, a row at a time (Bishop, Pattern Recognition and Machine
    Learning, 2006, section 4.3.2). For numbers the prediction is the raw sum, and the error is in the number's own
    unit. Other losses nudge by their own slope in place of the error; see `loss`.

    Parameters
    ----------
    X : (n,) or (n, n_features)
        A list of numbers or of rows, a NumPy array of any real dtype, order and stride (read-only or memory-mapped
        too), or a frame of pandas, polars, pyarrow or another library that is in memory. An array of numbers is never
        copied whole, but the rows that a share of `validation` holds out are copied. Computing is in float64. Names of
        columns become the model's `features`, by which `predict` and `validation` find their columns. Column labels
        that are not text become text, but a frame whose columns are labelled 0, 1, 2 and so on has no names. In a list,
        dicts and named tuples have names too.
        Or rows that need not fit in memory, which are read in a second thread while they are trained on: a path, a
        pattern, a folder or a list of them (CSV and .tsv, also .gz, .bz2 and .zst, Parquet, Arrow IPC and Feather,
        .npy, svmlight; part.2 is read before part.10, and folders called name=value give rows one more column), a pipe
        or "-" for standard input, a pyarrow Dataset or RecordBatchReader, an iterator of blocks (X, y), or for several
        epochs a function that returns a new iterator each time. However they are cut into files and blocks, the weights
        are those of the same rows in memory. Files whose rows take up to 256 MB as float64 are parsed once and then
        kept in memory. Or a SciPy sparse matrix or array; see the notes.
    y : (n,), or str; for numbers also (n, n_targets), or list of str
        0/1, booleans, or any labels, up to 256. Of two, the larger in sorting order is the one whose probability is
        learned. With ``output="linear"`` numbers, several for each row if `y` has several columns. If X is a frame or a
        path, the name of the column of labels or numbers (for .npy its number, from 0, or an array or a path of
        them), or the names of several columns of numbers. Leave it out if blocks or svmlight files hold the labels.
    learning_rate : float or "auto"
        How far a row moves the weights. No step overshoots while `learning_rate * (|x|**2 + 1)` is at most 8 for every
        row; for numbers with "squared_error" or "huber", and for a softmax, at most 2 and 4. Numbers therefore need
        inputs of about 1 (see `standardize`) or a small rate.
        "auto" first tries a grid of rates, on all rows or on 32,768 or more that are drawn from them (see `auto_rate`),
        and trains with the rate that has the least loss: of numbers the loss that is asked for, of labels the log loss
        (for "hinge" its own). `rate_search` of the result says what was tried. It is for schedule="constant" without
        l1. Rows that are not in memory are read once more for it; rows that can be read once only are refused.
    epochs : int
        Passes over the rows.
    weights : float, (n_features,) or (n_features, n_outputs)
        Where to start: one number for all weights, one for each input, or with more than two labels or several numbers
        one for each input and output. A dict or a pandas Series gives them by the names of the inputs.
    bias : float or (n_outputs,)
        Where the bias starts.
    sample_weight : (n,), optional
        How much a row counts: its step is its learning rate times its weight. At least 0, and above 0 for rows of two
        labels. Only for rows in memory.
    l2, l1 : float
        Penalties: of l2 / 2 times the squared length of the weights, and of l1 times the sum of their magnitudes. Each
        row first shrinks the weights by max(0, 1 - learning rate * l2), and at its end moves them towards zero as the
        cumulative l1 penalty of Tsuruoka, Tsujii and Ananiadou (ACL 2009) asks. The bias is not penalised.
    schedule : {"constant", "invscaling", "optimal", "cosine"}
        The learning rate of the t-th row that is trained on, t = 1, 2, ..., T over all epochs: `learning_rate`;
        `learning_rate` / t**`power_t`; 1 / (a (t0 + t - 1)) with a = l2 + l1 and t0 = a**-0.75, as scikit-learn
        defines them ("optimal" needs a penalty and does not use `learning_rate`); or `learning_rate` *
        (1 + cos(pi (t - 1) / T)) / 2 (Loshchilov and Hutter, ICLR 2017).
    power_t : float
        The exponent of "invscaling".
    average : bool or int
        The model's weights are the mean of the weights after each row (averaged SGD, Polyak and Juditsky, 1992), from
        the first row that is trained on, or from the `average`-th.
    output : {None, "one_vs_rest", "linear"}
        None: `y` holds labels. With more than two, the neuron has a sum for each, and their softmax gives the
        probabilities (Bishop, section 4.3.4); "one_vs_rest" trains a neuron for each label against all others. With two
        labels they are the same. "linear": `y` holds numbers.
    loss : str, optional
        What the updates make small. Here z is the raw sum and error = prediction - y. The weights are nudged by
        learning_rate * slope * x, where the slope is the loss's derivative by z:

        ================  =============================================  =====================================
        of labels         loss of a row                                  slope
        ================  =============================================  =====================================
        "log_loss"        -log(p), p the probability of the true label;  error
                          the default
        "squared_error"   error**2                                       2 error prediction (1 - prediction)
        "hinge"           max(0, 1 - s z), s = 1 for the second label,   -s if s z <= 1, else 0
                          -1 for the first
        "focal"           -(1 - p)**gamma log(p)                         its derivative
        ================  =============================================  =====================================

        ================  =============================================  =====================================
        of numbers        loss of a row                                  slope
        ================  =============================================  =====================================
        "squared_error"   error**2; the default                          error: half the derivative, as in
                                                                         scikit-learn
        "huber"           error**2 / 2 if abs(error) <= delta, else      error, kept from -delta to delta
                          delta (abs(error) - delta / 2)
        "absolute_error"  abs(error)                                     1, -1, or 0 for no error
        "quantile"        (1 - q) error if error > 0, else -q error      1 - q, -q, or 0 for no error
        "poisson"         exp(z) - y z                                   error
        ================  =============================================  =====================================

        With "hinge" the model gives margins and no probabilities. With "poisson", for counts of at least 0, z is the
        log of the mean, and the prediction is exp(z). A softmax has "log_loss" alone. Sources: Huber, 1964; Koenker and
        Bassett, Econometrica 46, 1978 (quantile); Lin and others, ICCV 2017 (focal).
    delta, quantile, gamma : float
        The shapes of "huber", "quantile" (q: the share of numbers that shall lie below the prediction, above 0 and
        below 1) and "focal" (at least 0; 0 is the log loss).
    class_weight : dict or "balanced", optional
        What the rows of each label count for, times their sample weights: a dict from label to weight, 1.0 for labels
        that it leaves out; or "balanced", n / (n_labels * rows of the label) as in scikit-learn. Only for labels.
    standardize_y : bool
        Train on (y - mean) / standard deviation of each number; the model gives raw numbers. Its loss history is of the
        standardised ones, and so is `delta`. Not for "poisson".
    noise : float
        Each epoch trains on inputs with new Gaussian noise, whose deviation is `noise` times the input's own over the
        rows (with `standardize`, `noise` itself); 0.1 is usual. It keeps weights small as l2 does (Bishop, Training
        with noise is equivalent to Tikhonov regularization, Neural Computation 7, 1995): for squared error of a linear
        neuron, the expected loss is that of the rows plus the squared length of the weights times `noise` squared, each
        weight counted in deviations. It depends on `seed`, the epoch and the row's place in the epoch alone, so it is
        the same in every engine. Validation and the search for a rate see none. A column that never changes gets none.
        If inputs are not standardised, a pass over the rows measures them. If a row becomes too long for "fast" to keep
        its promise, training begins again with "strict" (and calls `callback` again). Not for sparse rows.
    shuffle : bool or "blocks"
        Visit the rows in a new random order in each epoch. The order depends on `seed` and the epoch alone, so it is
        the same in every engine. True needs all rows in memory: arrays, or files whose rows take up to 256 MB. "blocks"
        is a random order of blocks of neighbouring rows (8,388,608 values, such as 524,288 rows of 16 inputs), and a
        random order of the rows within each block: rows of one block are never mixed with those of another. One block
        at a time is in memory. The rows are arrays, Parquet, Arrow or .npy files, or other files whose rows take up to
        256 MB. If rows are sorted by something, shuffle them once in the file. A TrainingWarning says so if very many
        rows of a file in a row have the same label.
    seed : int, optional
        From 0 to 2**32 - 1. If it is needed and left out, it is drawn; the result says which one.
    validation : (X, y) or float, optional
        Rows in memory that are not trained on and whose loss is measured after each epoch, or the fraction of rows to
        hold out. Columns of `X` that have names are matched with those to train on, and `y` may be the name of one.
        Rows in memory are drawn by `seed`. For a row of a file or of blocks, a hash of its number and `seed` decides
        whether it is held out: about that fraction of them, and not the same rows as of an array. If rows can be read
        only once, no fraction can be held out.
    patience : int, optional
        Stop after this many epochs in a row without a lower validation loss, and return the weights of the best epoch.
    engine : {"fast", "strict", "portable", "numpy", "reference"}
        What does the arithmetic; the result's `engine` says which one really ran. "fast" leaves l1, steps that can
        overshoot and very large starting weights to "strict", which has the reference's weights bit for bit. It also
        leaves to it the losses that are not convex, have a kink, or have no bound on their slope's slope:
        "squared_error" of labels, "focal", "hinge", "absolute_error", "quantile" and "poisson". (On sparse rows "fast"
        does l1 itself, and "log_loss" alone.) If the rate falls until no step can overshoot, "fast" trains the rows
        from there on, but none of the first epoch if the rows take more than 256 MB. "portable" gives the same bits on
        every machine; it takes no "auto" rate, patience or noise.
    progress : bool
        Show on stderr how far training is: a bar on a terminal, elsewhere a line every few seconds.
    callback : callable, optional
        Called with an `Epoch` after each epoch; training stops if it returns a true value.
    features : sequence of str, optional
        The columns of a frame or a file to learn from, in this order. If left out: all except the labels' column and an
        index that pandas or Dask wrote into a file, also one with a name. A column that looks like a row number is
        named in a `TrainingWarning`.
    labels : sequence, optional
        The labels: of two, the second is the one whose probability is learned. Any other label in the rows is refused.
        Needed if rows can be read only once, to learn the probability of the label that comes first in sorting order,
        and for more than two labels of rows that are not in memory. Not for numbers.
    standardize : bool
        Train on (x - mean) / standard deviation of each input, which takes a pass over the rows beforehand. The model
        that is returned takes raw inputs; `weights`, `bias` and `l2` apply to the standardised ones. A column that
        never changes gets the weight 0. If values are so large and close together that rounding changes what the
        model predicts, a TrainingWarning names the column. Not for sparse rows, whose zeros it would fill.
    drop_missing : bool
        Leave out rows of a file, an Arrow source or blocks that have a missing value; the result's `dropped_rows` says
        how many. Refused for rows in memory.
    checkpoint : path, optional
        A JSON file that holds all of the run's state, written whole or not at all: before the first row; every
        `checkpoint_seconds`; after epochs, at most once a second; and on Ctrl-C and SIGTERM. If the file exists, the
        run goes on from it and ends with the same bits as a run that was never stopped; a checkpoint of other rows or
        options is refused. `epochs` may be raised, but not with schedule="cosine", whose rates depend on it. A rate
        that "auto" found is kept.
    checkpoint_seconds : float
        0 writes after every block of rows.
    resume : bool
        False starts over, even if the file exists.
    n_jobs : int, optional
        How many threads train: 1 if left out; -1 for as many as there are cores. The weights do not depend on it. More
        than one thread has work if rows are trained side by side (see the notes), if many rows are standardised, and in
        a search for a rate, but not for log loss on dense rows.

    Returns
    -------
    TrainingResult
        `model` is a `Neuron`. `loss_history` is the sum of squared errors in each epoch; for "huber",
        "absolute_error", "quantile", "poisson" and "hinge" the sum of the loss. That of several outputs is summed over
        them. Each row is measured before its update.

    Raises
    ------
    ValueError
        For missing values, ragged rows, one label only, a number that the loss cannot learn, options that do not go
        together (such as a loss of numbers without ``output="linear"``), or one that makes no sense; the message names
        the place and the remedy. If a hold-out leaves only one label of rows that are not in memory, the error comes
        after the first pass over them. Errors in files are TableErrors (a ValueError).
    OSError
        If a file cannot be read.
    TrainingDivergedError
        If the weights overflow.

    Warns
    -----
    TrainingWarning
        If the trained model is worse than always answering the labels' shares, or gives the same answer for every row;
        the message says why and what to do. The model is judged on 20 to 2,048 of its own rows; with fewer than 20
        there is no warning. See also `shuffle`, `features` and `standardize`.

    Notes
    -----
    If the engine is "fast", long runs are trained in segments side by side, and the junctions are compared afterwards;
    `certificate` of the result says how far the weights can be from those of rows in turn. This is for log loss and for
    the squared error of one number, and for dense rows without l1 and a checkpoint: blocks of 65,536 rows and more of
    up to 8 inputs without l2 and averaging, and more than eight epochs in the same order at a constant rate (averaged
    ones of up to 10 million rows in all). The weights do not depend on `n_jobs`, on how rows are cut into files and
    blocks, or on what looks at the epochs (`callback`, `validation`). With other `epochs` the last bits of an epoch may
    be others.

    On sparse rows an update costs what the row stores and not the width: l2 is one factor for all weights, and the mean
    of averaged SGD is brought up to date by what the rows added (Bottou, Stochastic gradient descent tricks, 2012). The
    weights are those of the same rows dense: bit for bit in "reference" and "strict" without l2 and averaging. With l2
    and averaging the difference grows with the number of rows, as long as no step overshoots: up to 1e-12 after 500,000
    rows, 3e-12 after 1,500,000. But l1 is lazy, as in the paper and in scikit-learn: after its update a row cuts only
    the weights of the inputs that it stores, by all that the penalty has asked for so far. A dense row cuts every
    weight. The weight of an input that is seldom stored may therefore not be cut yet when it is used to predict, also
    in the returned model. If every row stores every input, the two are the same. (scikit-learn's estimators slow the
    bias down a hundredfold on sparse rows; here it moves as on dense ones.)

    CSR rows of float64 or float32 are read where they are, with indices of 32 or 64 bits, also if rows are shuffled or
    held out. Other formats are converted to CSR, and values of other types to float32 if that holds them exactly, else
    to float64. Rows whose indices do not rise, or that store an input twice, are copied, sorted, and the values of one
    input are added. `shuffle="blocks"` counts rows by their width, as if they were dense.

    The rows of svmlight files are read as CSR, unless they are standardised.

    Examples
    --------
    >>> from tinynet_fast import train_neuron
    >>> result = train_neuron([1, 2, 3, 4], [0, 0, 1, 1], weights=0.1, learning_rate=0.1, epochs=1000)
    >>> print(result.model.weights, round(result.model.bias, 8))
    [4.30186855] -10.50801156
    >>> result.model.predict([2.4, 2.5])
    array([0, 1])

    Numbers:

    >>> result = train_neuron([1, 2, 3, 4], [52, 58, 66, 72], output="linear", learning_rate=0.05, epochs=1000)
    >>> print(result.model, result.model.predict([2.5, 5]).round(1), round(result.model.score([1, 4], [52, 72]), 3))
    Neuron(1 input, linear, engine fast) [62.  78.8] 1.0
    """
    asked = dict(locals())
    of = check_neuron_output(output)
    chosen = choose_loss(loss, of, delta=delta, quantile=quantile, gamma=gamma)
    penalties, search = Penalties(l2, l1, average, chosen), is_auto(learning_rate)
    rates = first_schedule(learning_rate, schedule, power_t, penalties)
    noise = check_at_least_zero("noise", noise)
    options = checked(
        X,
        y,
        loss=chosen,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        random_start=noise > 0.0,
        validation=validation,
        patience=patience,
        engine=engine,
        progress=progress,
        callback=callback,
        sample_weight=sample_weight,
        class_weight=class_weight,
        most_labels=MOST_LABELS,
        most_streamed=2,
        features=features,
        labels=labels,
        standardize=standardize,
        standardize_y=standardize_y,
        drop_missing=drop_missing,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        resume=resume,
        counted=schedule == "cosine",
        sparse=True,
        n_jobs=n_jobs,
    )
    check_portable(options, learning_rate=search, noise=noise)
    rates.engine, options.asked = options.engine, asked
    options.augment_rows(noise)
    if rates.name == "cosine":
        rates.updates = options.epochs * len(options.rows)
        options.recorded["rows_in_all"] = rates.updates  # a run of more epochs is another run from its first row on
    kind = neurons_for(options, penalties, output)
    start = first_weights(weights, bias, options.rows.n_features, options.features, kind.outputs)
    found = search_once(options, lambda: search_rate(options, start, penalties, kind)) if search else None
    if found is not None:
        rates.learning_rate = found.learning_rate
    elif options.checkpoint is not None:
        options.checkpoint.rate_search = None
    fast = options.engine is FAST and kind.is_fast
    length = max(math.hypot(*each) for each in start.tolist())
    options.choose_engine(row_limit(length, rates.rate(0), kind.bound), kind.is_fast)

    def trained() -> "TrainingResult[Neuron]":
        first = strict_first(options, rates, kind.bound) if fast and not noise else None
        trainable, junctions = kind.trainable(options, start, rates, penalties), Junctions()
        if first is not None:
            trainable.cut_for(FAST, options)
        with Team(options.threads) as team:
            ahead = side_by_side(trainable, options, junctions, team, later=first is not None)
            result = run(trainable, options, ahead, first)
        certificate = junctions.certificate
        return result if certificate is None else replace(result, certificate=certificate)

    result = until_measured(trained, options)
    return result if found is None else replace(result, rate_search=found)


def first_schedule(learning_rate: Any, schedule: Any, power_t: Any, penalties: Penalties) -> Schedule:
    """The schedule that is asked for, checked. If the rate will be searched for, it has the rate 1.0."""
    if is_auto(learning_rate) and (schedule != "constant" or penalties.l1):
        raise ValueError("learning_rate='auto' is for the constant schedule without l1: give a rate")
    rate = 1.0 if is_auto(learning_rate) else check_rate("learning_rate", learning_rate)
    return Schedule(rate, schedule, power_t, penalties.l2 + penalties.l1)
