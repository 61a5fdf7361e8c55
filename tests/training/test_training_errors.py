"""Training that goes wrong: it diverges, it is interrupted, or an option makes no sense."""

import numpy as np
import pytest
from compare import flat

from tinynet_fast import TrainingDivergedError, train_mlp, train_neuron
from tinynet_fast.rows.datasets import make_pass_fail


def test_diverged_neuron(engine):
    X, y = [[1.0, 2e3], [3.0, -1e3], [-2.0, 5e2]], [0, 1, 0]
    with pytest.raises(
        TrainingDivergedError, match=r"epoch 0 at learning_rate=1e\+306: learning_rate=.* is safe"
    ) as info:
        train_neuron(X, y, learning_rate=1e306, epochs=50, engine=engine)
    error = info.value
    assert error.epoch == 0
    assert error.learning_rate == 1e306
    safe = train_neuron(X, y, learning_rate=error.safe_learning_rate, epochs=50, engine=engine)
    assert np.isfinite(flat(safe.model)).all()
    assert np.isfinite(safe.loss_history).all()


def test_weights_that_start_too_large_are_not_blamed_on_the_rate(engine):
    X, largest = [[1e300, 1e301], [1e300, 1e301]], np.finfo(float).max  # either row overflows, in any order of sums
    with pytest.raises(TrainingDivergedError, match="start from smaller weights") as info:
        train_neuron(X, [0, 1], weights=[largest, -largest], engine=engine)
    assert info.value.safe_learning_rate == 0.0


def test_diverged_network_names_the_epoch(engine):
    X, y = [[-2, -7], [5, 20], [3, 12], [-7, -20]], [0, 1, 1, 0]
    options = {"hidden": (8, 8), "activation": "relu", "seed": 0, "init_scale": 1.0, "engine": engine}
    with pytest.raises(TrainingDivergedError) as info:
        train_mlp(X, y, learning_rate=1e200, epochs=500, **options)
    error = info.value
    if error.epoch:  # it was finite until then
        before = train_mlp(X, y, learning_rate=1e200, epochs=error.epoch, **options)
        assert np.isfinite(flat(before.model)).all()
    safe = train_mlp(X, y, learning_rate=error.safe_learning_rate, epochs=500, **options)
    assert np.isfinite(flat(safe.model)).all()


def test_no_rate_is_safe_for_inputs_near_the_largest_float(engine):
    with pytest.raises(TrainingDivergedError, match="no rate is safe; standardise the inputs"):
        train_neuron([[1e308, 1e308], [-1e308, 1e308]], [0, 1], learning_rate=1e3, epochs=5, engine=engine)


def test_diverged_error_survives_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(TrainingDivergedError(3, 10.0, 0.5)))
    assert (error.epoch, error.learning_rate, error.safe_learning_rate) == (3, 10.0, 0.5)


def test_ctrl_c_stops_between_blocks():
    """A signal ends a run that would take minutes soon, with a KeyboardInterrupt."""
    import _thread
    import threading

    rows = make_pass_fail(50_000, 2)
    train_neuron(rows.X, rows.y, epochs=1)
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        train_neuron(rows.X, rows.y, epochs=1_000_000)
    timer.join()


# --- options that make no sense ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "invscaling"}, "'auto' is for the constant schedule without l1"),
        ({"l1": 0.1}, "'auto' is for the constant schedule without l1"),
    ],
)
def test_auto_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        train_neuron([1, 2, 3, 4], [0, 0, 1, 1], learning_rate="auto", **options)


def test_auto_of_inputs_that_are_too_large():
    with pytest.raises(ValueError, match="the inputs are too large for any learning rate: standardise them first"):
        train_neuron([1e200, -1e200, 3e200], [0, 1, 1], learning_rate="auto")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0}, "learning_rate is 0; a finite number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"learning_rate": 10**400}, "a finite number above 0"),
        ({"learning_rate": np.complex128(1)}, "a finite number above 0"),
        ({"bias": 10**400}, "weights and bias are numbers"),
        ({"l2": -1}, "l2 is -1; a finite number of at least 0"),
        ({"l1": float("inf")}, "l1 is inf"),
        ({"schedule": "linear"}, "no schedule 'linear': use one of constant, invscaling, optimal, cosine"),
        ({"schedule": "optimal"}, "schedule='optimal' divides by the penalty"),
        ({"power_t": -0.5, "schedule": "invscaling"}, "power_t is -0.5"),
        ({"average": -3}, "average is -3; True, False or the row"),
        ({"average": 1.5}, "average is 1.5"),
        ({"loss": "cauchy"}, "no loss 'cauchy': use one of log_loss, squared_error, hinge, focal"),
        ({"sample_weight": [1, 2]}, r"sample_weight has shape \(2,\); \(4,\)"),
        ({"sample_weight": [1, 2, -1, 1]}, r"sample_weight\[2\] is -1.0; a finite number of at least 0"),
        ({"sample_weight": [1, float("nan"), 1, 1]}, r"sample_weight\[1\] is nan"),
        ({"sample_weight": [0, 0, 0, 0]}, "sample_weight is 0 for every row"),
        ({"sample_weight": ["a", 0, 0, 0]}, "sample_weight holds something that is no number"),
        ({"epochs": 0}, "epochs is 0; a whole number of at least 1"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, r"below 2\*\*32"),
        ({"shuffle": "yes"}, "shuffle is 'yes'; True or False"),
        ({"progress": 1}, "progress is 1; True or False"),
        ({"patience": 2}, "patience watches the validation loss"),
        ({"patience": 0, "validation": 0.5}, "patience is 0"),
        ({"callback": 3}, "callback is 3; a function"),
        ({"validation": 0.01}, "validation=0.01 holds out 0 of 4 rows"),
        ({"validation": 1.0}, "validation=1.0 is no share of the rows"),
        ({"validation": float("inf")}, "no share of the rows"),
        ({"validation": 0.9}, "holds out 4 of 4 rows"),
        ({"engine": []}, "no engine"),
        ({"loss": {}}, "no loss"),
        ({"l2": 10**400}, "finite number of at least 0"),
        ({"sample_weight": [10**400, 1, 1, 1]}, "no number"),
        ({"validation": "rows"}, r"\(X, y\) or a fraction is needed"),
        ({"validation": ([[1, 2]], [0])}, "validation X has 2 columns where X has 1"),
        ({"validation": ([1, None], [0, 1])}, r"validation X\[1, 0\] is missing"),
        ({"validation": ([1, 2], [0, 7])}, r"validation y\[1\] is 7, an unknown label: the model knows 0 and 1"),
        ({"weights": [1, 2]}, r"weights has shape \(2,\); one number, or \(1,\)"),
        ({"weights": float("inf")}, "weights or bias holds NaN or infinity"),
        ({"bias": "b"}, "weights and bias are numbers"),
    ],
)
def test_senseless_neuron_options(options, message):
    with pytest.raises(ValueError, match=message):
        train_neuron([1, 2, 3, 4], [0, 0, 1, 1], **options)


def test_hidden_units_that_are_none():
    with pytest.raises(ValueError, match=r"^hidden is None; the units of each hidden layer are needed"):
        train_mlp([1, 2, 3, 4], [0, 0, 1, 1], hidden=None)
