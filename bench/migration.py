"""Write MIGRATION.md: how long the five scripts of examples/migration take with scikit-learn's import and with ours.

`tests/test_migration.py` checks that both print the same. `python bench/migration.py > MIGRATION.md`
"""

import contextlib
import io
import textwrap
import warnings
from pathlib import Path

import family  # noqa: F401 - first: it limits NumPy's BLAS to one thread
import numpy as np

from tinynet_fast.proof.bench.machine import machine
from tinynet_fast.proof.bench.measure import take_turns

SCRIPTS = Path(__file__).parent.parent / "examples" / "migration"
ORDER = ("pipeline", "grid_search", "generator", "class_weights", "calibration")
WORDS = {
    "sklearn.linear_model import SGDClassifier": "tinynet_fast.sklearn import SGDClassifier",
    "sklearn.neural_network import MLPClassifier": "tinynet_fast.sklearn import MLPClassifier",
}
QUOTES = '".'  # around the title of a script, which is its docstring
HEAD = """# From scikit-learn: change the import

`tinynet_fast.sklearn` has an `SGDClassifier` and an `MLPClassifier` with scikit-learn's parameters, attributes and
methods. (Two parameters are missing: `epsilon` of `SGDClassifier` and `max_fun` of `MLPClassifier`. They belong to
other losses and to the solver `lbfgs`.) With the same options, rows and `random_state` an `SGDClassifier` learns the
same weights, to 1e-10, shuffled or not, as long as no step overshoots. A network follows the same loss curve to 1e-8.
Only the import changes:

```diff
-from sklearn.linear_model import SGDClassifier
+from tinynet_fast.sklearn import SGDClassifier
```

## Where the weights differ

- **Steps that overshoot.** These are steps with `rate * (|x|² + 1) > 8` for a row x. From such a step on, every
  difference in rounding grows, with either engine. scikit-learn's default, `learning_rate="optimal"`, starts at the
  rate `alpha ** -0.25`, which is 10 for the default `alpha`. We compared fits on seven tables of 100 to 5,000 rows. In
  504 of 504 fits without such a step the weights were the same to 1e-10. With "optimal" they were the same in 144 of
  192 fits (with the default `alpha` in 52 of 96). Nine of ten differed by less than 0.01 of the largest weight, and the
  worst one by 0.8. If you need the same weights, standardise the rows and choose "invscaling" or "constant" with a
  small `eta0`.
- **Early stopping of `SGDClassifier`.** scikit-learn 1.8 and 1.9 judge an epoch only by the held-out rows of the second
  class, and by weights from which the factor of the l2 penalty is missing. Here all held-out rows and the true weights
  decide, so training may stop after a different number of epochs.
- **`partial_fit` with `average` or l1.** Here a call goes on exactly from the end of the last one. scikit-learn resets
  the averaged intercept at each call, and forgets how much the l1 penalty still has to take off. So its weights depend
  on how the rows are cut into calls.
- **Rows of float32.** They are computed in float64 here, and in float32 by scikit-learn.
- **More than two classes with `shuffle=True`.** All classes share one order of the rows, so that one pass trains them
  all. Their weights are as good as scikit-learn's, but not the same. With `engine="strict"` each class has the order
  that scikit-learn gives it.

The loss of a network is not clipped here. scikit-learn counts at most 36 nats for a row, so its curve is lower if a
network is very wrong about some rows.

## What is not supported

An error says so for: losses other than `log_loss` (write `loss="log_loss"` if the script relies on scikit-learn's
default, hinge), the solver `lbfgs`, the activation `identity`, and for networks sparse rows and more than one label per
row.

## What is added

- `SGDClassifier` takes `learning_rate="auto"`.
- `fit` of both estimators takes validation rows as `X_val`, `y_val` and `sample_weight_val`. The loss on them after
  each epoch is in `validation_loss_curve_`. With `early_stopping` these rows decide when to stop, and no other rows are
  held out. Without it their loss is only recorded. (scikit-learn's `HistGradientBoostingClassifier` has the same
  arguments, but refuses them without `early_stopping`.)
- `set_callbacks` exists if scikit-learn has it (1.9 and newer).

## Five scripts
"""


def both(source):
    """The compiled script, with scikit-learn's import and with ours."""
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
        print(f"### {title.strip(QUOTES)}\n\n```python\n{code.strip()}\n```\n")
        print(f"The whole script: {before:.2f} s before, {after:.2f} s after, {before / after:.1f} times as fast.\n")
    facts = ", ".join(f"{name} {value}" for name, value in machine().items() if name != "torch")
    words = (
        "Each time is the median of several runs in one process, with one thread; the two imports took turns. Machine:"
    )
    print(textwrap.fill(f"{words} {facts}.", 120))


if __name__ == "__main__":
    main()
