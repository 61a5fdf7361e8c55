"""The examples run and print what they promise."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
PRINTED = {
    "one_neuron": ["epoch 900: total loss 0.0291", "weight 4.3019, bias -10.5080", "2.5 hours: 0.5614, label 1"],
    "two_inputs": ["study_hours: weight +", "right on 90% of the rows"],
    "height_weight_network": ["epoch 3600: loss 0.0021", "[-2. -7.]: 0.0025, actual 0", "height +1, weight +5: 0.9980"],
    "learning_rate_lab": ["rate 0.1: total loss 1.0155, 0.2670, 0.0291 at", "least in the last epoch: 0.5"],
    "exclusive_or": ["one neuron: [0.5", "4 hidden units: [0.00", "right: 1.0"],
    "augmentation": [
        "neither: log loss 0.001 on its own rows, 1.5",
        "noise: log loss 0.03",
        "mixup: log loss 0.06",
    ],
    "thresholds": ["threshold 0.5: ", "rows that change sides from 0.5 to 0.7: "],
    "own_table": [
        "400 to train on, 100 held out to judge",
        "school (3 levels, 7 missing)",
        "4 hours: P(pass) = 0.0",
        "14 hours: P(pass) = 0.9",
    ],
    "how_sure": ["100 rows", "  weight 0: +0.", "10000 rows", "a student's probability to pass: 0."],
    "exam_score": [
        "study 1, sleep 8: predicts   0.00, scored 58, error -58.00",
        "by hand: 6.9198 a study hour, 2.0685 an hour of sleep, bias 32.9292",
        "the same weights: True",
        "18 students, 12 hidden units: 0.",
    ],
    "outliers": ["squared_error        ", "huber 4.0            40.", "quantile 0.8         4"],
    "three_labels": [
        "softmax: labels ['fail', 'merit', 'pass'], right on 89%",
        "4 hours of study: pass ",
        "one_vs_rest:",
    ],
    "rare_label": ["class_weight=None: finds 13%", "class_weight=balanced: finds 87% of the frauds, 10% of what"],
    "save_and_load": ["labels ['fail', 'pass']", "the same weight: True the same bias: True", "2.5 hours: pass"],
}


def test_every_example_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PRINTED)


RUN_ALL = """
import io, json, runpy, sys
from contextlib import redirect_stderr, redirect_stdout
from traceback import print_exc

found = {}
for path in sys.argv[1:]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            runpy.run_path(path, run_name="__main__")
        except BaseException:
            print_exc()
    found[path] = out.getvalue(), err.getvalue()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def printed():
    """What each example prints, on standard output and standard error. One process runs all, as scripts."""
    command = [sys.executable, "-W", "error", "-c", RUN_ALL, *(str(EXAMPLES / f"{name}.py") for name in PRINTED)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return {Path(path).stem: texts for path, texts in json.loads(done.stdout).items()}


@pytest.mark.parametrize("name", PRINTED)
def test_example(printed, name):
    out, err = printed[name]
    assert err == ""
    for line in PRINTED[name]:
        assert line in out
