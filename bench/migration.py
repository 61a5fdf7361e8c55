"""The five scripts of examples/migration with scikit-learn's import and with ours: how long each takes, as Markdown.

`tests/test_migration.py` shows that both print the same. `python bench/migration.py > page.md`
"""

import contextlib
import io
import warnings
from pathlib import Path

import family  # noqa: F401 - first: it holds NumPy's BLAS to one thread
import numpy as np

from tinynet_fast.proof.bench.machine import machine
from tinynet_fast.proof.bench.measure import take_turns

SCRIPTS = Path(__file__).parent.parent / "examples" / "migration"
ORDER = ("pipeline", "grid_search", "generator", "class_weights", "calibration")
WORDS = {
    "sklearn.linear_model import SGDClassifier": "tinynet_fast.sklearn import SGDClassifier",
    "sklearn.neural_network import MLPClassifier": "tinynet_fast.sklearn import MLPClassifier",
}
HEAD = """# From scikit-learn: change the import

`tinynet_fast.sklearn` has an `SGDClassifier` and an `MLPClassifier` with scikit-learn's parameters, attributes and
methods. With the same options, rows and `random_state` they learn the same weights (to 1e-10, shuffled or not; a
network follows the same loss curve to 1e-8), so that everything after the import stays as it is:

```diff
-from sklearn.linear_model import SGDClassifier
+from tinynet_fast.sklearn import SGDClassifier
```

One thing is another: more than two classes that are shuffled share one order of the rows, so that one pass serves all.
Their weights are as good as scikit-learn's and not the same; `engine="strict"` has scikit-learn's order for each class.

What is not there is refused in a sentence: losses other than `log_loss` (write `loss="log_loss"` if the script leaves
scikit-learn's default, hinge, in place), the solver `lbfgs`, the activation `identity`, and sparse rows for networks.

What scikit-learn's two do not take: `learning_rate="auto"` for `SGDClassifier`, and for both `X_val`, `y_val` and
`sample_weight_val` in `fit`, whose loss after each epoch is in `validation_loss_curve_`. With `early_stopping` these
rows decide and none are held out, as in scikit-learn's `HistGradientBoostingClassifier`, which refuses them without;
here they are then only watched. `set_callbacks` is there where scikit-learn (1.9 and newer) has it.
"""


def both(source):
    """The script's code as it is, and with only the import changed."""
    ours = source
    for old, new in WORDS.items():
        ours = ours.replace(f"from {old}", f"from {new}")
    assert ours != source
    return {who: compile(text, who, "exec") for who, text in (("theirs", source), ("ours", ours))}


def main():
    warnings.simplefilter("ignore")
    print(HEAD)
    for name in ORDER:
        source = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8")

        def run(code):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, {"__name__": "__main__"})

        runs = {who: lambda code=code: run(code) for who, code in both(source).items()}
        seconds = take_turns(runs, 3)
        title, _, code = source.partition("\n")
        before, after = np.median(seconds["theirs"]), np.median(seconds["ours"])
        print(f"## {title.strip(chr(34))}\n\n```python\n{code.strip()}\n```\n")
        print(f"The whole script: {before:.2f} s before, {after:.2f} s after, {before / after:.1f} times as fast.\n")
    facts = ", ".join(f"{name} {value}" for name, value in machine().items() if name != "torch")
    print(f"Medians of scripts that took turns in one process, one thread: {facts}.")


if __name__ == "__main__":
    main()
