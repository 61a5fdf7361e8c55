"""Linear neurons and every loss: against rows worked by hand, finite differences, PyTorch and scikit-learn.

What the engines promise each other is in `test_properties.py`.
"""

import math

import loss_oracles
import numpy as np
import pytest
from compare import needs_numba
from oracles import slopes

from tinynet_fast.kernels import array_functions, point_functions
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.kernels.point_functions import LOSSES
from tinynet_fast.training.losses import choose_loss, focal_steepest

pytestmark = pytest.mark.any_cpu
engines = pytest.mark.parametrize("engine", list(ENGINES.values()), ids=lambda engine: engine.name)
EVERY = [(of, name) for of, losses in LOSSES.items() for name in losses]


@engines
@pytest.mark.parametrize("oracle", [loss_oracles.linear_by_hand, loss_oracles.four_scores], ids=lambda o: o.__name__)
def test_linear_neurons_by_hand(engine, oracle):
    oracle(engine)


@engines
def test_losses_by_hand(engine):
    loss_oracles.losses_by_hand(engine)


@engines
def test_losses_in_pytorch(engine, record_property):
    record_property("largest difference", loss_oracles.torch_losses(engine))


@engines
def test_losses_in_scikit_learn(engine, record_property):
    record_property("largest difference", loss_oracles.sgd_estimators(engine))


def test_every_loss_has_an_oracle():
    assert set(EVERY) == set(loss_oracles.WRITTEN_OUT)


@pytest.mark.parametrize(("of", "name"), EVERY)
def test_slopes_and_bounds_are_those_of_the_losses(of, name):
    """Over many sums: the slope by central differences, and no second derivative above the bound that is stated."""
    chosen = choose_loss(name, of, delta=0.7, quantile=0.8, gamma=1.5)
    half = 0.5 if (of, name) == ("linear", "squared_error") else 1.0
    for y in (0.0, 1.0) if of == "labels" else (0.0, 2.0, 5.0):
        z = np.linspace(-6.0, 6.0, 1201) + 1e-3
        z = z[(np.abs(np.abs(z - y) - 0.7) > 1e-2) & (np.abs(np.abs(z) - 1.0) > 1e-2) & (np.abs(z - y) > 1e-2)]

        def loss(z, y=y):
            return point_functions.row_loss(z, point_functions.predicted(z, chosen.code), y, chosen.code, chosen.shape)

        found = [
            point_functions.loss_slope(s, point_functions.predicted(s, chosen.code), y, chosen.code, chosen.shape)
            for s in z.tolist()
        ]
        ref = [half * slopes(lambda at, y=y: loss(at[0], y), [s])[0] for s in z.tolist()]
        np.testing.assert_allclose(found, ref, rtol=1e-5, atol=1e-7)
        if math.isfinite(chosen.steepest):
            second = np.diff(found) / np.diff(z)
            assert second.max() <= chosen.steepest * 1.001


@pytest.mark.parametrize(("of", "name"), EVERY)
def test_functions_of_arrays_are_those_of_numbers(of, name):
    chosen = choose_loss(name, of, delta=0.7, quantile=0.8, gamma=1.5)
    z = np.concatenate([np.linspace(-30.0, 30.0, 241), [-800.0, 800.0]])
    for y in (0.0, 1.0):
        prediction = array_functions.predicted(z, chosen.code)
        rest = np.full(len(z), y), chosen.code, chosen.shape
        for function in ("row_loss", "loss_slope", "history_loss"):
            comp = getattr(array_functions, function)(z, prediction, *rest)
            ref = [
                getattr(point_functions, function)(s, point_functions.predicted(s, chosen.code), y, *rest[1:])
                for s in z.tolist()
            ]
            np.testing.assert_allclose(comp, ref, rtol=1e-13)


@needs_numba
def test_counts_too_large_for_a_float_are_infinite():
    for module in (point_functions, array_functions, ENGINES["strict"].kernels):
        assert module.exponential(709.0) == pytest.approx(math.exp(709.0))
        assert module.exponential(710.0) == math.inf


def test_the_bound_of_the_focal_loss():
    assert focal_steepest(0.0) == pytest.approx(0.25, rel=1e-4)  # it is the log loss
    assert 0.25 < focal_steepest(2.0) < 0.7
    assert choose_loss("focal", gamma=2.0).bound == pytest.approx(2.0 / focal_steepest(2.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "huber"}, "loss='huber' is for numbers: use output='linear', or one of log_loss, squared_error"),
        ({"loss": "hinge", "of": "linear"}, "loss='hinge' is for labels: use no output='linear', or one of"),
        ({"loss": "cauchy", "of": "linear"}, "there is no loss 'cauchy': use one of squared_error, huber"),
        ({"loss": "huber", "of": "linear", "delta": 0.0}, "delta is 0.0; a finite number above 0 is needed"),
        ({"loss": "quantile", "of": "linear", "quantile": 1.0}, "quantile is 1.0; a number above 0 and below 1"),
        ({"loss": "focal", "gamma": -1.0}, "gamma is -1.0; a finite number of at least 0 is needed"),
    ],
)
def test_losses_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        choose_loss(**options)
