"""The labs of the Learn pages from two inputs on: solved by mouse and by keys, with the numbers that Python finds."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature

import numpy as np
import pytest
from learn_browser import LEARN, ROOT

import tinynet_fast
from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.datasets import height_weight, study_and_sleep
from tinynet_fast.proof.trace import trace_mlp, trace_neuron

XOR = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
MINUS = "\N{MINUS SIGN}"
BY = pytest.mark.parametrize("by", ["mouse", "keys"])


@pytest.fixture(scope="module")
def script():
    """docs/learn/python_numbers.py, as a module."""
    spec = spec_from_file_location("python_numbers", LEARN / "python_numbers.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(script):
    """The numbers in the file that pages read."""
    lines = script.TARGET.read_text(encoding="utf-8").splitlines()[2:-1]
    return {name.strip(): json.loads(numbers.rstrip(",")) for name, numbers in (line.split(":", 1) for line in lines)}


def push(part, text, by):
    (part.click if by == "mouse" else part.press)(text)


def wait_for(part, name, value):
    part.page.wait(f"return arguments[0].getAttribute('data-{name}') === arguments[1]", name, part.element, str(value))


def of_neuron(model):
    return {"weights": model.weights.tolist(), "bias": model.bias}


def of_network(model):
    return {"weights": [w.tolist() for w in model.weights], "biases": [b.tolist() for b in model.biases]}


def flat(gradients):
    """All numbers of a network's gradients, in one array."""
    parts = gradients if isinstance(gradients, dict) else {"weights": gradients.weights, "biases": gradients.biases}
    return np.concatenate([np.ravel(part) for layers in parts.values() for part in layers])


# --- numbers that Python wrote ----------------------------------------------------------------------------------------


def test_the_file_has_the_numbers_that_python_finds(script, written):
    ref = json.loads(json.dumps(script.numbers()))
    assert {name: part for name, part in written.items() if name != "torch"} == ref


def test_the_file_has_the_gradients_that_pytorch_finds(script, written):
    pytest.importorskip("torch", reason="PyTorch is not installed: its gradients in the file are not compared")
    comp = [flat(gradients) for gradients in script.torch_numbers()]
    assert len(comp) == 5
    np.testing.assert_allclose(comp, [flat(gradients) for gradients in written["torch"]], rtol=0, atol=1e-15)


def test_the_table_of_two_inputs_is_the_dataset():
    lines = (LEARN / "06-two-inputs.md").read_text(encoding="utf-8").splitlines()
    shown = [line.strip("| ").split(" | ") for line in lines if line.startswith(("| study", "| sleep", "| result"))]
    X, y, _ = study_and_sleep()
    assert [[float(cell) for cell in cells[1:]] for cells in shown[:2]] == X.T.tolist()
    assert shown[2][1:] == ["pass" if label else "fail" for label in y]


# --- two inputs -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def students():
    X, y, _ = study_and_sleep()
    return train_neuron(X, y, learning_rate=0.05, epochs=5000, engine="portable").model


@pytest.mark.parametrize("by", ["mouse", "keys", "typing"])
def test_a_new_student_is_put_on_the_boundary(page, students, by):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    shown = page("learn/06-two-inputs")
    part = shown.lab("two-inputs")
    push(part, "5000 epochs", by)
    wait_for(part, "epoch", 5000)
    assert part.data("weights") == of_neuron(students)
    assert part.data("solved") is None
    (handle,) = part.all(".learn-handle")
    if by == "typing":
        field = part.labelled("Hours of sleep")
        field.clear()
        field.send_keys("5.7")
    elif by == "keys":
        shown.tab_to(handle)
        shown.keys(*[Keys.ARROW_DOWN] * 23)
    else:
        shown.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", handle)
        pixels = shown.js("return document.querySelector('.learn-drawing').height.baseVal.value")
        down = round(2.3 * (pixels - 58) / 9)  # the axis is 9 hours long, and 58 pixels are above and below it
        ActionChains(shown.driver, duration=50).drag_and_drop_by_offset(handle, 0, down).perform()
    assert part.data("solved") == "", part.status()
    study, sleep, probability = part.data("student")
    assert 5.6 < sleep < 5.8
    assert probability == students.predict_proba([[study, sleep]])[0]
    assert "Solved" in part.status()


def test_a_handle_stays_inside_the_plot(page):
    from selenium.webdriver.common.keys import Keys

    part = page("learn/06-two-inputs").lab("two-inputs")
    part.all(".learn-handle")[0].send_keys(Keys.ARROW_LEFT * 40 + Keys.ARROW_UP * 40)
    assert part.data("student")[:2] == [0, 11]
    assert part.data("student")[2] == 0.5  # of weights that are all 0


def test_epochs_add_up_and_start_again(page):
    X, y, _ = study_and_sleep()
    part = page("learn/06-two-inputs").lab("two-inputs")
    part.click("100 epochs")
    part.click("1 epoch")
    wait_for(part, "epoch", 101)
    assert part.data("weights") == of_neuron(
        train_neuron(X, y, learning_rate=0.05, epochs=101, engine="portable").model
    )
    part.click("Start again")
    assert part.data("weights") == {"weights": [0, 0], "bias": 0}


# --- backwards --------------------------------------------------------------------------------------------------------


def test_blame_is_error_times_input(page):
    part = page("learn/07-backwards").lab("blame")
    assert part.data("solved") is None
    part.slide("Hours of sleep", 1.0)
    step = trace_neuron([2, 1], 0, weights=[0.4, 0.1], bias=-1)
    np.testing.assert_allclose(part.data("gradients"), [*step.gradients.weights, step.gradients.bias], rtol=1e-15)
    assert part.data("solved") == ""


@pytest.fixture(scope="module")
def layers():
    draw = np.random.RandomState(42)
    return {"weights": [draw.randn(2, 4) * 0.3, draw.randn(4, 1) * 0.3], "biases": [np.zeros(4), np.zeros(1)]}


@BY
def test_the_steps_of_the_way_back_are_gone_through(page, layers, by):
    part = page("learn/07-backwards").lab("backwards")
    X, y, _ = height_weight()
    row = trace_mlp(X[:1], y[:1], **layers).rows[0]
    seen = []
    for stage in range(5):
        assert part.data("stage") == stage
        seen.append(part.all(".learn-work")[0].text)
        push(part, "Next step", by)
    assert part.data("solved") == ""
    assert f"sigmoid: {row.prediction:.4f}" in seen[0]
    assert f"{row.prediction:.4f} {MINUS} 0 = {row.error:.4f}" in seen[1]
    for stage, lines in ((2, 5), (3, 4), (4, 12)):
        assert len(seen[stage].splitlines()) == lines
    assert f"{row.outputs[0][1]:.4f}" in seen[3]
    push(part, "Back", by)
    assert part.data("stage") == 3


def test_gradients_are_those_of_the_trace_and_of_pytorch(page, layers, written):
    from selenium.webdriver.support.ui import Select

    part = page("learn/07-backwards").lab("backwards")
    X, y, _ = height_weight()
    mean = flat(trace_mlp(X, y, **layers).gradients)
    np.testing.assert_allclose(flat(part.data("mean")), mean, rtol=0, atol=1e-16)
    for i in range(4):
        Select(part.labelled("Person")).select_by_value(str(i))
        ref = flat(trace_mlp(X[i : i + 1], y[i : i + 1], **layers).gradients)
        np.testing.assert_allclose(flat(part.data("row")), ref, rtol=0, atol=2e-16)
        cells = [[cell.text for cell in part.page.all("td", line)] for line in part.all(".learn-gradients tbody tr")]
        shown = np.array([[float(text.replace(MINUS, "-")) for text in line[1:]] for line in cells])
        torch = [written["torch"][k] for k in (i + 1, 0)]
        columns = [part.data("row"), torch[0], part.data("mean"), torch[1]]
        order = [np.ravel(layer[name][k]) for layer in columns for k in (0, 1) for name in ("weights", "biases")]
        np.testing.assert_allclose(shown.T.ravel(), np.concatenate(order), rtol=1e-9)


# --- the small network ------------------------------------------------------------------------------------------------


@BY
def test_the_network_learns_the_four_people(page, by):
    X, y, _ = height_weight()
    model = train_mlp(X, y, hidden=(4,), learning_rate=0.15, epochs=4000, seed=42, engine="portable").model
    part = page("learn/08-small-network").lab("heights")
    assert part.data("solved") is None
    push(part, "4000 epochs", by)
    wait_for(part, "epoch", 4000)
    assert part.data("weights") == of_network(model)
    assert part.data("solved") == ""
    assert "same bits as Python's" in part.status()
    part.slide("Weight, less the average (pounds)", -3)
    assert part.data("somebody") == [1, -3, model.predict_proba([[1, -3]])[0]]


@BY
def test_exclusive_or_needs_hidden_units(page, by):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    network = train_mlp(*XOR, hidden=(4,), learning_rate=0.5, epochs=4000, seed=1, engine="portable").model
    neuron = train_neuron(*XOR, learning_rate=0.1, epochs=4000, engine="portable").model
    part = page("learn/08-small-network").lab("exclusive-or")
    push(part, "4000 epochs", by)
    wait_for(part, "epoch", 4000)
    assert part.data("weights") == of_neuron(neuron)
    assert part.data("solved") is None
    if by == "mouse":
        Select(part.labelled("Model")).select_by_value("network")
    else:
        part.labelled("Model").send_keys(Keys.ARROW_DOWN)
    wait_for(part, "epoch", 0)
    push(part, "4000 epochs", by)
    wait_for(part, "epoch", 4000)
    assert part.data("weights") == of_network(network)
    assert part.data("solved") == ""


# --- cures ------------------------------------------------------------------------------------------------------------

CURES = ["A smaller rate", "Standardised inputs", "Early stopping", "Shuffling", "Weights for rows", "Softmax"]


@BY
def test_cures_are_chosen(page, by):
    from selenium.webdriver.support.ui import Select

    part = page("learn/09-what-real-stacks-add").lab("cures")
    selects = part.all("select")
    push(part, "Check the cures", by)
    assert "0 of 6 are right" in part.status()
    for select, cure in zip(selects, CURES, strict=True):
        Select(select).select_by_value(CURES[0])
        if by == "mouse":
            Select(select).select_by_value(cure)
        else:
            select.send_keys(cure)
    push(part, "Check the cures", by)
    assert "6 of 6 are right" in part.status()
    assert part.data("solved") == ""
    Select(selects[0]).select_by_value(CURES[1])
    part.click("Check the cures")
    assert "Another cure helps first here" in part.status()
    assert part.data("solved") is None


def test_what_stacks_add_has_links(page):
    shown = page("learn/09-what-real-stacks-add")
    added = [item for item in shown.all("article p:has(> strong:first-child)") if "\N{RIGHTWARDS ARROW}" in item.text]
    assert len(added) == 16
    assert [item.text for item in added if not shown.all("a[href*='../api/'], a[href*='../guides/']", item)] == []


def test_what_stacks_add_are_options():
    text = (LEARN / "09-what-real-stacks-add.md").read_text(encoding="utf-8")
    named = re.findall(r"((?:`[^`]+`(?: and )?)+) of\s\{py:func\}`tinynet_fast\.(\w+)`", text)
    options = [(name, trainer) for names, trainer in named for name in re.findall(r"`(\w+)", names)]
    assert len(options) >= 15
    assert [pair for pair in options if pair[0] not in signature(getattr(tinynet_fast, pair[1])).parameters] == []


# --- a million rows ---------------------------------------------------------------------------------------------------


@BY
def test_a_million_rows_are_trained(page, script, record_property, by):
    part = page("learn/10-a-million-rows").lab("million")
    push(part, "Run a million rows", by)
    part.page.wait("return arguments[0].hasAttribute('data-seconds')", "a million rows", part.element)
    record_property("seconds", part.data("seconds"))
    print(f"a million rows in {part.data('seconds'):.3f} s")
    assert part.data("weights") == of_neuron(script.million())
    assert part.data("solved") == ""
    push(part, "Run the plain JavaScript loop", by)
    part.page.wait("return arguments[0].hasAttribute('data-gap')", "the plain loop", part.element)
    assert 0 <= part.data("gap") < 1e-12


# --- the same weights -------------------------------------------------------------------------------------------------


@BY
def test_two_runs_meet(page, script, by):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    part = page("learn/11-the-same-weights").lab("meeting")
    starts = {"a": {"weights": [6, -4], "bias": 3}, "b": {"weights": [-5, 4], "bias": 1}}
    assert {name: part.data(name) for name in starts} == starts  # at the end they are forgotten
    assert part.all("mark")  # bits that differ
    if by == "mouse":
        Select(part.labelled("Learning rate")).select_by_value("0.1")
    else:
        part.labelled("Learning rate").send_keys(Keys.ARROW_UP)
    push(part, "Run both", by)
    part.page.wait("return arguments[0].hasAttribute('data-equal')", "the runs do not meet", part.element)
    assert 1000 < part.data("equal") < 5000
    assert part.data("solved") == ""
    assert not part.all("mark")
    X, y = script.students_of_the_million()
    n = part.data("rows")
    for name, start in starts.items():
        model = train_neuron(X[:n], y[:n], learning_rate=0.1, epochs=1, engine="portable", **start).model
        assert part.data(name) == of_neuron(model)


def test_without_motion_the_end_is_shown_at_once(page):
    shown = page("learn/08-small-network")
    motion = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    shown.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", motion)
    try:
        part = shown.lab("heights")
        part.click("4000 epochs")
        assert part.data("epoch") == 4000
    finally:
        shown.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_scripts_of_pages_have_a_page():
    scripts = [path.stem for path in (ROOT / "docs" / "_static" / "learn" / "pages").glob("*.js")]
    assert [name for name in scripts if name != "python-numbers" and not (LEARN / f"{name}.md").is_file()] == []
