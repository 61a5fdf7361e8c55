"""`train_mlp`: a small network, trained by gradient descent on all rows, batches or single rows. See also `run.py`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import LARGEST_SUM, row_limit
from tinynet_fast.kernels.fast import NETWORK_LOSSES
from tinynet_fast.models import MLP
from tinynet_fast.models.layers import check_activation
from tinynet_fast.rows.team import Team, cores
from tinynet_fast.training.checks import (
    check_at_least_zero,
    check_flag,
    check_rate,
    check_share,
    check_whole,
    is_auto,
)
from tinynet_fast.training.float32 import SINGLE_BOUNDS, check_dtype, check_single, single_start
from tinynet_fast.training.losses import LABELS, LINEAR, ChosenLoss, choose_loss
from tinynet_fast.training.network_start import check_hidden, first_parameters, longest_unit, network_sizes
from tinynet_fast.training.network_updates import Network
from tinynet_fast.training.optimizer import Optimizer
from tinynet_fast.training.options import Options, check_portable, checked
from tinynet_fast.training.result import Epoch, RateSearch, TrainingResult
from tinynet_fast.training.run import run, until_measured

LEAST_WEIGHT = 1e-290  # with smaller sample weights, 1 / the weight of a batch may be infinite
MOST_LABELS = 256  # a row's class is one byte


def train_mlp(
    X: Any,
    y: Any = None,
    *,
    hidden: Sequence[int] = (4,),
    activation: str = "sigmoid",
    learning_rate: float | str = 0.15,
    epochs: int = 1000,
    batch_size: int | None = None,
    optimizer: str = "sgd",
    momentum: float = 0.0,
    nesterov: bool = False,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
    l2: float = 0.0,
    weight_decay: float = 0.0,
    dropout: float = 0.0,
    noise: float = 0.0,
    mixup: float = 0.0,
    schedule: str = "constant",
    power_t: float = 0.5,
    output: str | None = None,
    loss: str | None = None,
    delta: float = 1.0,
    quantile: float = 0.5,
    gamma: float = 2.0,
    sample_weight: Any = None,
    class_weight: Any = None,
    standardize_y: bool = False,
    weights: Any = None,
    biases: Any = None,
    init: str = "normal",
    init_scale: float = 0.3,
    shuffle: bool | str = False,
    seed: int | None = None,
    validation: Any = None,
    patience: int | None = None,
    engine: str = "fast",
    dtype: Any = "float64",
    n_jobs: int | None = None,
    progress: bool = False,
    callback: Callable[[Epoch[MLP]], Any] | None = None,
    features: Sequence[str] | None = None,
    labels: Any = None,
    standardize: bool = False,
    drop_missing: bool = False,
    checkpoint: Any = None,
    checkpoint_seconds: float = 30.0,
    resume: bool = True,
) -> TrainingResult[MLP]:
    """Train a network of hidden layers by gradient descent, a batch at a time.

    For each batch: forward through the layers, the output's error prediction - actual, back through the layers by the
    chain rule, and one step down the mean gradient of the batch (Rumelhart, Hinton and Williams, Learning
    representations by back-propagating errors, Nature 323, 1986). The output is one sigmoid, or for more than two
    labels a softmax with an output each. If ``output="linear"``, numbers are learned: the outputs are the sums
    themselves, one for each target.

    Parameters
    ----------
    X
        As for `train_neuron`, but no SciPy sparse matrix. The rows of svmlight files are made dense, a block at a time.
    y : (n,) or (n, n_targets), str, or list of str
        As for `train_neuron`: labels, or with ``output="linear"`` numbers, of one target or of several. Up to 256
        different labels. More than 32 different numbers that look like
        measurements are refused unless `labels` names them: if not all are whole, or if there are fewer than ten rows
        for each on average. Text that is a number throughout is judged in the same way.
    hidden : sequence of int
        Units in each hidden layer. With more than two labels, () is a softmax of the inputs: multinomial logistic
        regression. With two labels, that is `train_neuron`.
    activation : {"sigmoid", "tanh", "relu", "leaky_relu", "silu", "identity"}
        What the hidden units do to their sums: as PyTorch's functions of these names.
    learning_rate : float or "auto"
        The length of a step along the mean gradient. "auto" tries 24 rates before training, side by side, from the same
        first weights: on at most 8,192 of the rows, for at most `epochs` epochs, about 0.3 s in all. It takes the rate
        with the least loss on a fourth of these rows, which are held out (or with few or weighted rows, in the last
        epoch). If training goes on for longer than the search, it takes none within a factor of two of a rate that
        diverged. The same data and `seed` give the same rate, with every engine. `noise` and `mixup` are left out
        there.
    epochs : int
        Passes over the rows.
    batch_size : int, optional
        Rows in an update: all of them if left out, 1 for a row at a time. The last batch of an epoch may be shorter.
    optimizer : {"sgd", "adam", "rmsprop", "adagrad"}
        Steps down the gradient; or Adam (Kingma and Ba, ICLR 2015, algorithm 1); or steps along the gradient divided by
        the root of the running mean of its square (RMSprop: Tieleman and Hinton, 2012), or of the sum of its squares
        (Adagrad: Duchi, Hazan and Singer, JMLR 12, 2011). Adam and RMSprop need a smaller learning rate: 0.001 is
        usual.
    momentum : float
        For "sgd": velocity = momentum * velocity - rate * gradient, and the parameters move by the velocity (Polyak,
        1964). From 0 up to 1, without 1.
    nesterov : bool
        Nesterov's momentum: the parameters move by momentum * velocity - rate * gradient, with the new velocity
        (Sutskever and others, ICML 2013).
    beta_1, beta_2, epsilon : float
        For "adam": the share that its running means of the gradient and of its square keep, and what is added to the
        root. "rmsprop" has `beta_2` and `epsilon` (PyTorch calls them alpha, 0.99 unless given, and eps), "adagrad" has
        `epsilon`.
    l2 : float
        A penalty of l2 / 2 times the squared length of the weights (not the biases), which adds l2 * weight to their
        gradient.
    weight_decay : float
        Decoupled decay (Loshchilov and Hutter, ICLR 2019): each update first shrinks the weights (not the biases) by
        1 - rate * weight_decay.
    dropout : float
        The share of hidden units that each row leaves out at random; the outputs of the others are divided by
        1 - dropout (Srivastava and others, JMLR 15, 2014). Which units are left out depends on `seed` and the epoch
        alone, so it is the same in every engine. The model that is returned leaves none out.
    noise : float
        As for `train_neuron`.
    mixup : float
        The alpha of mixup (Zhang and others, ICLR 2018); 0.2 is usual. In each epoch a row x with label y becomes
        s * x + (1 - s) * x', with a new share s from Beta(alpha, alpha), and its loss s * loss(y) + (1 - s) * loss(y').
        The partner x' with label y' is the row at the same place in a new permutation of the batch. (The paper draws a
        share for each pair, as here; its program draws one for each batch.) The sample weights are shared out likewise:
        s times its own counts for y, and (1 - s) times the partner's for y' (the history divides by the rows' own sum).
        Numbers to learn are mixed as inputs are.
        With labels, the kernels train on two rows for each one, which takes twice the time. Noise is added before rows
        are mixed. A batch takes up to 8,388,608 values, such as 524,288 rows of 16 inputs.
    schedule : {"constant", "invscaling", "cosine"}
        The rate of the t-th update, t = 1, 2, ..., T over all epochs: `learning_rate`; `learning_rate` / t**`power_t`;
        `learning_rate` * (1 + cos(pi (t - 1) / T)) / 2.
    power_t : float
        The exponent of "invscaling".
    output : {None, "linear"}
        None: `y` holds labels. "linear": it holds numbers.
    loss : str, optional
        What the updates make small. Of labels: "log_loss", cross-entropy, which is the usual one; for two labels also
        "squared_error" of the probability, "hinge" (the output is then a margin without probabilities), and "focal"
        with `gamma`. Of numbers: "squared_error", which is the usual one (steps follow the error itself, the gradient
        of half of it), "huber" with `delta`, "absolute_error", "quantile" with `quantile`, and "poisson" for counts
        (the sum is the log of the mean). `train_neuron` has the formulas. With several targets their losses add up.
    delta, quantile, gamma : float
        Shapes of losses, as for `train_neuron`.
    sample_weight : (n,), optional
        How much a row counts, at least 0: a batch's gradient and loss are means weighted by it. A batch whose rows all
        have weight 0 makes no update: it moves nothing, and neither the schedule nor Adam counts it. Only for rows in
        memory.
    class_weight : dict or "balanced", optional
        What the rows of each label count for, beside their sample weights. As for `train_neuron`.
    standardize_y : bool
        Train on (y - mean) / standard deviation of each target; the model returns raw numbers. Large numbers need it,
        or a small learning rate. As for `train_neuron`.
    weights : list of (fan_in, fan_out), optional
        Where to start, an array for each layer. If left out, they are drawn layer by layer from a normal distribution
        as `numpy.random.RandomState(seed).randn(fan_in, fan_out) * init_scale`, or as `init` says.
    biases : list of (fan_out,), optional
        Where the biases start; at zero if left out.
    init : {"normal", "glorot", "he"}
        How weights are drawn: as above; uniformly within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, AISTATS
        2010), which suits sigmoid and tanh; or normal with the deviation sqrt(2 / fan_in) (He and others, ICCV 2015),
        which suits relu.
    init_scale : float
        The standard deviation for "normal".
    shuffle, seed, validation, patience, progress, callback
        As for `train_neuron`; the start weights and the units that dropout leaves out are also drawn from `seed`.
    engine : {"fast", "strict", "portable", "numpy", "reference"}
        What does the arithmetic. "fast" and "numpy" keep their promise in each update; from update to update a
        difference in rounding can grow, and it does if training is unstable (inputs of 100 at a rate of 0.1). "strict"
        has the reference's weights bit for bit after any number of updates. "fast" leaves to it very large starting
        weights, sample weights below 1e-290, and the losses "hinge", "focal", "absolute_error" and "quantile".
        "portable" gives the same bits on every machine; it takes no "auto" rate, patience, noise or mixup.
    dtype : {"float64", "float32"}
        The type of the numbers in the network. With "float32" a register holds twice as many, and "fast" takes about
        half the time, best with rows that are float32 too. Rows, numbers to learn, parameters, and what goes forward
        and back through the network are then rounded to float32; the sums of a batch's gradient, steps, the optimizer's
        memory and losses stay float64. "strict" has the bits of "reference"; "fast" and "numpy" keep to 1e-5 an update,
        norm-wise. With relu and leaky_relu a sum within rounding of 0 may fall on either side; and steps of Adam and
        its kind are as long where a gradient is only rounding errors, in which engines differ. The model has the same
        `dtype`, unless rows or numbers are standardised: it then works with float64, as it takes raw numbers, of which
        float32 may have too few digits. Numba compiles these kernels when they are first called. A `learning_rate` of
        "auto" is searched in float64.
    n_jobs : int, optional
        How many threads may train, None for one and -1 for one on each core; never more than there are cores. The
        weights are the same bits however many there are. Threads share the rows of a batch, 128 rows at a time, so they
        help with batches of more than that, if a batch takes 20 microseconds at least (such as 256 rows of a 16-32-1
        network). The engine "fast" uses them, but for networks of up to 4 inputs and 4 sigmoid units, which train on
        one; the other engines take `n_jobs` too, and train on one thread.
    features, labels, standardize, drop_missing, checkpoint, checkpoint_seconds, resume
        As for `train_neuron`; `labels` may name more than two. Rows that are not in memory are read once beforehand if
        their number is not known, and once if `labels` is left out. Rows that can be read once only are refused.

    Returns
    -------
    TrainingResult
        `model` is an `MLP`, `loss_history` the mean loss of each epoch: of cross-entropy in nats a row, of the squared
        error the whole of it. Each row is measured before its batch's update and without penalties. If `standardize_y`
        is true, losses are those of the standardised numbers.

    Raises
    ------
    ValueError, TrainingDivergedError
        As for `train_neuron`.

    Warns
    -----
    TrainingWarning
        As for `train_neuron`.

    Examples
    --------
    >>> from tinynet_fast import train_mlp
    >>> X, y = [[-2, -7], [5, 20], [3, 12], [-7, -20]], [0, 1, 1, 0]
    >>> result = train_mlp(X, y, hidden=(4,), epochs=4000, seed=42)
    >>> print(result.loss_history[[0, 400, 3600]].round(4))
    [0.7805 0.0202 0.0021]
    >>> result.model.predict(X)
    array([0, 1, 1, 0])

    Numbers:

    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 0.0, 1.0, 4.0]
    >>> options = {"activation": "tanh", "output": "linear", "standardize": True, "standardize_y": True}
    >>> train_mlp(X, y, hidden=(8,), epochs=3000, seed=1, **options).model.predict([[2.0], [3.0]]).round(1)
    array([1., 4.])
    """
    asked = dict(locals())
    check_activation(activation)
    kind = check_dtype(dtype)
    steps = Optimizer(
        1.0 if is_auto(learning_rate) else check_rate("learning_rate", learning_rate),
        optimizer,
        momentum=momentum,
        nesterov=check_flag("nesterov", nesterov),
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        l2=l2,
        weight_decay=weight_decay,
        schedule=schedule,
        power_t=power_t,
    )
    chosen = choose_loss(loss, check_output(output), delta=delta, quantile=quantile, gamma=gamma)
    if batch_size is not None:
        batch_size = check_whole("batch_size", batch_size)
    units, dropout = check_hidden(hidden), check_share("dropout", dropout)
    noise, mixup = check_at_least_zero("noise", noise), check_at_least_zero("mixup", mixup)
    options = checked(
        X,
        y,
        loss=chosen,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        random_start=weights is None or max(dropout, noise, mixup) > 0.0,
        validation=validation,
        patience=patience,
        engine=engine,
        n_jobs=n_jobs,
        progress=progress,
        callback=callback,
        sample_weight=sample_weight,
        class_weight=class_weight,
        standardize_y=standardize_y,
        most_labels=MOST_LABELS,
        features=features,
        labels=labels,
        standardize=standardize,
        drop_missing=drop_missing,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        resume=resume,
        counted=True,
    )
    check_portable(options, learning_rate=is_auto(learning_rate), noise=noise, mixup=mixup)
    steps.schedule.engine, options.asked = options.engine, asked
    options.augment_rows(noise, mixup, batch_size)
    if schedule == "cosine":
        options.recorded["epochs_in_all"] = options.epochs
    check_total_weight(options)
    n_labels = 0 if options.numbers else len(options.labels)
    sizes = network_sizes(options.rows.n_features, units, n_labels, chosen.name, options.n_targets)
    scale, portable = check_rate("init_scale", init_scale), options.engine.is_portable
    start = first_parameters(weights, biases, sizes, init, scale, options.seed, portable)
    if kind == np.float32:
        start = single_start(start)
        check_single(options)
    parts = start, sizes, activation, steps, batch_size, chosen, dropout
    found = _found_rate(options, *parts) if is_auto(learning_rate) else None
    if found is not None:
        steps.schedule.learning_rate = found.learning_rate
    elif options.checkpoint is not None:
        options.checkpoint.rate_search = None
    choose_network_engine(options, start, sizes, chosen, kind)

    def trained() -> TrainingResult[MLP]:
        with Team(options.threads, cores()) as team:
            return run(Network(options, *parts, team, kind), options)

    result = until_measured(trained, options)
    return result if found is None else replace(result, rate_search=found)


def _found_rate(options: Options, *parts: Any) -> RateSearch:
    """The learning rate that a search finds."""
    from tinynet_fast.training.network_plan import NetworkPlan  # 20 ms, only if a rate is searched
    from tinynet_fast.training.network_rate import search_rate
    from tinynet_fast.training.neuron_rate import search_once

    return search_once(options, lambda: search_rate(NetworkPlan(options, *parts)))


def check_total_weight(options: Options) -> None:
    """ValueError if the sample weights add up to infinity."""
    if not np.isfinite(options.rows.total_weight):
        raise ValueError("sample_weight adds up to more than a float64 holds: divide it by its largest")


def choose_network_engine(options: Options, start: np.ndarray, sizes: list[int], loss: ChosenLoss, dtype: Any) -> None:
    """Leave to `strict` the rows, starts and losses on which `fast` does not keep its promise, or has no kernel."""
    given = options.rows.sample_weight
    least, most, largest = SINGLE_BOUNDS if dtype == np.float32 else (LEAST_WEIGHT, np.inf, LARGEST_SUM)
    odd = given is not None and bool(np.any((given > 0.0) & (given < least) | (given > most)))
    has_kernel = loss.code in NETWORK_LOSSES and not odd
    options.choose_engine(row_limit(longest_unit(start, sizes), largest=largest), has_kernel=has_kernel)


def check_output(output: Any) -> str:
    """What is learned, for `choose_loss`; ValueError if there is no such output."""
    if output is None or (isinstance(output, str) and output == LINEAR):
        return LABELS if output is None else LINEAR
    raise ValueError(
        f"there is no output {output!r} of a network: use 'linear' for numbers, or leave it out (only sweep_mlp has "
        "'one_vs_rest')"
    )
