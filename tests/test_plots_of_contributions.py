"""Pictures of the contributions of inputs: weights times deviations."""

import numpy as np
import pytest
from test_plots import made_rows

from tinynet_fast import MLP, Neuron, plots, train_mlp
from tinynet_fast.columns import Columns
from tinynet_fast.columns.kinds import Levels, Numbers


def bars(ax):
    """The bars' lengths by name, from top to bottom."""
    names = [text.get_text() for text in ax.get_yticklabels()]
    return dict(zip(names, (bar.get_width() for bar in ax.patches), strict=True))


def planned(weights, deviations, **fields):
    return Neuron(weights=weights, training={"deviations": deviations}, **fields)


def test_contributions_are_weights_times_deviations():
    ax = plots.contributions(planned([1.0, -3.0, 0.5], [2.0, 1.0, 1.0], features=["a", "b", "c"]))
    assert bars(ax) == {"b": -3.0, "a": 2.0, "c": 0.5}
    assert list(bars(ax)) == ["b", "a", "c"]
    assert list(bars(plots.contributions(planned([1.0, 2.0], [1.0, 1.0])))) == ["input 2", "input 1"]
    three = MLP(weights=[np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])], biases=[np.zeros(3)], labels=["a", "b", "c"])
    three.training = {"deviations": [1.0, 1.0]}
    assert bars(plots.contributions(three)) == {"input 1": pytest.approx((2 / 3) ** 0.5), "input 2": 0.0}


def test_levels_stand_below_their_column():
    school = Levels("school", list("abcdef"), [0.1] * 7, gaps=True)
    columns = Columns([school, Numbers("hours", 2.0, gaps=True), Numbers("age", 20.0, gaps=False)])
    weights = [1.0, -6.0, 5.0, 4.0, -3.0, 2.0, 0.5, 1.0, 3.0, -20.0]
    model = planned(weights, [0.5] * 10, features=columns.inputs, columns=columns)
    found = bars(plots.contributions(model))
    assert found == {
        "age": -10.0,
        "school (3 more levels)": pytest.approx(0.5 * np.sqrt(np.sum(np.square(weights[:7])))),
        "= b": -3.0,
        "= c": 2.5,
        "= d": 2.0,
        "= e": -1.5,
        "hours": 0.5,
        "is missing": 1.5,
    }
    assert next(iter(found)) == "age"
    assert list(found)[-2:] == ["hours", "is missing"]


def test_many_columns_are_counted():
    model = planned(np.arange(1.0, 41.0), [1.0] * 40)
    ax = plots.contributions(model)
    assert len(ax.patches) == 20
    assert "(and 20 more columns)" in ax.get_title()


def test_a_network_needs_rows_to_show_contributions():
    X, y = made_rows()
    network = train_mlp(X, y, hidden=4, epochs=50, learning_rate=0.5, seed=0).model
    with pytest.raises(ValueError, match=r"has hidden units: pass rows .* contributions\(model, X, y\)"):
        plots.contributions(network)
    with pytest.raises(ValueError, match="does not know the deviations"):
        plots.contributions(Neuron(weights=[1.0]))
    found = bars(plots.contributions(network, X, y))
    assert list(found) == ["input 1", "input 2"]  # the labels depend on the first input alone
    assert found["input 1"] > 5 * abs(found["input 2"])
