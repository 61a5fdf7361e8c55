"""The labs of Learn pages 1 to 5, by mouse and by keys: their numbers are those of Python, to the last bit."""

import pytest

from tinynet_fast import sweep, train_neuron
from tinynet_fast.proof.trace import trace_neuron

HOURS, LABELS = [1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1]
RATES = [0.01, 0.1, 0.5, 1.0]

pytestmark = pytest.mark.parametrize("by", ["mouse", "keys"])


def trained(epochs=1000, rate=0.1, weights=0.1):
    return train_neuron(HOURS, LABELS, weights=weights, learning_rate=rate, epochs=epochs, engine="portable")


def neuron(weight, bias):
    model = trained(1).model
    model.weights[:], model.bias = weight, bias
    return model


def press(lab, by, text):
    (lab.click if by == "mouse" else lab.press)(text)


def move(lab, by, label, value):
    (lab.drag_slider if by == "mouse" else lab.slide)(label, value)


def test_guess_first(page, by):
    lab = page("learn/01-the-problem").lab("guess-first")
    assert lab.data("right") == 2
    move(lab, by, "Limit: hours for a pass", 2.5)
    assert lab.data("right") == 4
    move(lab, by, "Your chance of a pass after 2.5 hours", 0.7)
    press(lab, by, "Compare")
    assert lab.data("chance") == trained().model.predict_proba([2.5])[0]
    assert "You said 0.70. The trained neuron says 0.5614" in lab.status()


def test_a_neuron_by_hand(page, by):
    lab = page("learn/02-one-neuron").lab("one-neuron")
    assert lab.data("sums") == [h * 0.1 for h in HOURS]
    assert [value.text for value in lab.all(".learn-value")] == ["3.00", "0.10", "0.00", "0.30"]
    move(lab, by, "Weight", 1)
    move(lab, by, "Bias", -2.5)
    assert lab.data("sums") == [-1.5, -0.5, 0.5, 1.5]
    assert lab.data("right") == 4
    assert "4 of 4 students" in lab.status()


def test_sigmoid(page, by):
    lab = page("learn/03-sigmoid-and-threshold").lab("sigmoid")
    for z in (2, -4):
        move(lab, by, "Sum", z)
        assert lab.data("chance") == neuron(1.0, 0.0).predict_proba([float(z)])[0]
    assert "0.0180" in lab.element.text


def test_who_flips_at_another_threshold(page, by):
    lab = page("learn/03-sigmoid-and-threshold").lab("threshold")
    assert lab.data("chances") == neuron(1.5, -3.5).predict_proba([1, 2, 2.3, 2.5, 2.6, 3, 4]).tolist()
    assert lab.data("flips") == ""
    move(lab, by, "Threshold", 0.6)
    assert lab.data("flips") == "Dev Eva"
    assert "Dev and Eva changed sides" in lab.status()
    move(lab, by, "Threshold", 0.35)
    assert lab.data("flips") == "Ben Cleo"


def same_training(lab, epochs):
    ref = trained(epochs)
    assert lab.data("weights") == ref.model.weights.tolist()
    assert lab.data("bias") == ref.model.bias
    assert lab.data("losses") == ref.loss_history.tolist()


def test_training_row_by_row_then_epochs(page, by):
    shown = page("learn/04-loss-and-training")
    lab = shown.lab("training")
    weights, bias = [0.1], 0.0
    for i, (hours, label) in enumerate(zip(HOURS, LABELS, strict=True)):
        press(lab, by, "Next row")
        step = trace_neuron([hours], label, weights=weights, bias=bias, learning_rate=0.1)
        weights, bias = step.weights_after, step.bias_after
        numbers = [step.z, step.prediction, step.error, step.squared_error, *weights, bias]
        cells = [cell.text for cell in shown.all("td", lab.all("tbody tr")[i])]
        assert cells == [f"{hours:g}", str(label), *(f"{number:.4f}" for number in numbers)]
        assert lab.data("losses") == [] or i == 3
    same_training(lab, 1)
    press(lab, by, "Next row")
    press(lab, by, "Run an epoch")  # ends the epoch that the row above began
    same_training(lab, 2)
    press(lab, by, "Run to 1,000 epochs")
    shown.wait("return JSON.parse(arguments[0].dataset.losses).length === 1000", "training does not end", lab.element)
    same_training(lab, 1000)
    press(lab, by, "Next row")
    assert "Start again" in lab.status()
    press(lab, by, "Start again")
    assert (lab.data("weights"), lab.data("bias"), lab.data("losses")) == ([0.1], 0, [])


def test_the_steps_light_up_one_by_one(page, by):
    shown = page("learn/04-loss-and-training")
    lab = shown.lab("training")
    press(lab, by, "Next row")
    lit = (
        "return [...arguments[0].querySelectorAll('.learn-marked .learn-name')].map((name) => name.textContent).join()"
    )
    for names in ("hours,weight,bias", "sum", "prediction", "truth,error", "weight,bias"):
        shown.wait(f"{lit.replace('return', 'return (')}) === '{names}'", f"{names} do not light up", lab.element)


def test_the_rate_lab(page, by):
    lab = page("learn/04-loss-and-training").lab("rates")
    press(lab, by, "Train with all four rates")
    alone = [trained(rate=rate) for rate in RATES]
    assert lab.data("weights") == [ref.model.weights[0] for ref in alone]
    assert lab.data("biases") == [ref.model.bias for ref in alone]
    assert lab.data("losses") == [ref.loss_history.tolist() for ref in alone]
    # `sweep` has its own order of sums: it agrees to 1e-12 and not to the last bit.
    beside = sweep(HOURS, LABELS, learning_rate=RATES, weights=0.1, epochs=1000, engine="portable")
    assert lab.data("weights") == pytest.approx(beside.weights[:, 0].tolist(), rel=1e-12, abs=0)
    assert lab.data("losses") == pytest.approx(beside.loss_history.T, rel=1e-12, abs=0)
    assert "with 0.5 and 1.0: these rates overshoot" in lab.status()
    assert len(lab.all("path.learn-line[d]")) - len(lab.all("li path.learn-line")) == 4
    check = lab.labelled("show 1.0")
    if by == "mouse":
        check.click()
    else:
        lab.page.tab_to(check)
        lab.page.keys(" ")
    assert len(lab.all("path.learn-line[d]")) - len(lab.all("li path.learn-line")) == 3


def test_a_new_student(page, by):
    lab = page("learn/05-check-the-model").lab("new-student")
    assert lab.data("weights") == trained().model.weights.tolist()
    assert lab.data("bias") == trained().model.bias
    move(lab, by, "Hours of the new student", 2.5)
    assert lab.data("chance") == trained().model.predict_proba([2.5])[0]
    assert lab.data("answer") == "pass"
    move(lab, by, "Threshold", 0.6)
    assert lab.data("answer") == "fail"


def test_tuning(page, by):
    lab = page("learn/05-check-the-model").lab("tuning")
    hours = [1, 1.5, 2, 2, 2.5, 3, 3.5, 4, 4.5, 5]
    assert lab.data("right") == 5
    lab.choose("Learning rate", "0.1", keys=by == "keys")
    lab.choose("Epochs", "1,000", keys=by == "keys")
    ref = trained().model
    assert (lab.data("weights"), lab.data("bias")) == (ref.weights.tolist(), ref.bias)
    assert lab.data("chances") == ref.predict_proba(hours).tolist()
    for threshold, right, counts in ((0.5, 9, "5104"), (0.6, 8, "4114"), (0.95, 9, "4015")):
        move(lab, by, "Threshold", threshold)
        assert lab.data("right") == right
        cells = lab.page.all("tbody td", lab.all(".learn-table")[0])
        assert "".join(cell.text[0] for cell in cells) == counts


def test_nothing_moves_if_the_reader_prefers_so(page, browser, by):
    media = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        lab = page("learn/04-loss-and-training").lab("training")
        press(lab, by, "Next row")
        assert [name.text for name in lab.all(".learn-cell.learn-marked .learn-name")] == ["weight", "bias"]
        press(lab, by, "Run to 1,000 epochs")
        same_training(lab, 1000)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
