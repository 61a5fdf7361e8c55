"""Schedule rows of a network's updates: the kept ones are those that are made anew."""

import numpy as np
import pytest

from tinynet_fast.training import optimizer
from tinynet_fast.training.optimizer import Optimizer

CASES = {
    "adam": {"name": "adam"},
    "invscaling": {"schedule": "invscaling", "l2": 0.1, "weight_decay": 0.5},
    "cosine": {"schedule": "cosine", "name": "rmsprop"},
}


def made(options, done, n, updates=40):
    steps = Optimizer(0.1, **options)
    steps.schedule.updates = updates
    return steps.schedule_rows(done, n)


@pytest.mark.parametrize("name", CASES)
def test_kept_rows_are_those_made_anew(name, monkeypatch):
    """Forwards, backwards, and beyond those that were made."""
    monkeypatch.setattr(optimizer, "MADE_ROWS", 8)
    steps = Optimizer(0.1, **CASES[name])
    steps.schedule.updates = 40
    for done, n in ((0, 1), (1, 3), (4, 0), (4, 4), (5, 4), (0, 20), (3, 2), (30, 8), (31, 7)):
        np.testing.assert_array_equal(steps.schedule_rows(done, n), made(CASES[name], done, n), strict=True)


def test_a_schedule_that_changes_is_noticed():
    steps = Optimizer(0.1, "adam", schedule="cosine")
    steps.schedule.updates = 40
    steps.schedule_rows(0, 2)
    steps.schedule.updates = 10
    np.testing.assert_array_equal(steps.schedule_rows(0, 2), made({"name": "adam", "schedule": "cosine"}, 0, 2, 10))
    steps.schedule.learning_rate *= 5.0
    five_times = 5.0 * made({"name": "adam", "schedule": "cosine"}, 0, 2, 10)[:, 0]
    np.testing.assert_allclose(steps.schedule_rows(0, 2)[:, 0], five_times, rtol=1e-14)
