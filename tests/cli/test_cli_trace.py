"""`tinynet-fast trace` of numbers and of other losses, on the command line."""

import json

import pytest

from tinynet_fast import train_neuron


def test_a_step_of_numbers(run):
    status, out, err = run("trace", "--output", "linear")
    assert (status, err) == (0, "")
    assert "linear output, squared error" in out
    assert "error = prediction - number" in out
    step = json.loads(run("trace", "--output", "linear", "--loss", "huber", "--delta", "20", "--json")[1])
    assert (step["label"], step["slope"], step["loss_shape"]) == (58.0, -20.0, 20.0)
    assert step["bias_after"] == 0.01 * 20.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "lines"], "no step with the output 'lines' is traced"),
        (["--loss", "huber"], "is for numbers"),
        (["--output", "linear", "--loss", "quantile", "--quantile", "1"], "quantile is 1.0"),
        (["m.json", "d.csv", "--loss", "huber"], "m.json says what it learned"),
    ],
)
def test_options_that_do_not_fit_are_one_line(run, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run("trace", *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_model_of_numbers_goes_on(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.csv").write_text("hours,score\n1,3\n2,5\n")
    train_neuron("d.csv", "score", output="linear", loss="huber", delta=0.5, epochs=1).model.save("m.json")
    status, out, err = run("trace", "m.json", "d.csv", "--target", "score", "--row", "2")
    assert (status, err) == (0, "")
    assert "Huber's loss (0.5)" in out
    assert "slope = error, kept from -0.5 to 0.5" in out
