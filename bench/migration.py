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
methods. (The parameters `epsilon` of `SGDClassifier` and `max_fun` of `MLPClassifier`, which belong to other losses and
to the solver `lbfgs`, are missing.) With the same options, rows and `random_state` they learn the same weights, to
1e-10, shuffled or not, as long as no step overshoots; a network follows the same loss curve to 1e-8. Everything after
the import stays as it is:

```diff
-from sklearn.linear_model import SGDClassifier
+from tinynet_fast.sklearn import SGDClassifier
```

In these cases the weights are not the same:

- **Steps that overshoot**: those with `rate * (|x|² + 1) > 8` for a row x. From such a step on every difference in
  rounding grows, with either engine. scikit-learn's default, `learning_rate="optimal"`, starts at the rate
  `alpha ** -0.25`, which is 10 for the default `alpha`. In 504 of 504 fits without such a step, on seven tables of 100
  to 5,000 rows, the weights were the same to 1e-10. With "optimal" they were the same in 144 of 192 fits (in 52 of 96
  with the default `alpha`); nine of ten differed by less than 0.01 of the largest weight, the worst one by 0.8. If the
  weights have to be the same, standardise the rows, and choose "invscaling" or "constant" with a small `eta0`.
- **Early stopping of `SGDClassifier`.** scikit-learn 1.8 and 1.9 judge an epoch only by the held-out rows of the second
  class, and by weights from which the factor of the l2 penalty is missing. Here all held-out rows and the true weights
  decide, so training may stop after another number of epochs.
- **`partial_fit` with `average` or l1.** Here a call goes on exactly from the end of the last one. At each call
  scikit-learn sets the averaged intercept back and forgets what l1 has asked for, so its weights depend on how the
  rows are cut into calls.
- **Rows of float32** are computed in float64 here, and in float32 by scikit-learn.
- **More than two classes with `shuffle=True`** share one order of the rows, so that one pass trains them all. Their
  weights are as good as scikit-learn's, but not the same; `engine="strict"` has scikit-learn's order for each class.

The loss of a network is not clipped. scikit-learn counts a row as at most 36 nats, so its curve is lower if a network
is very wrong about some rows.

An error says what is not supported: losses other than `log_loss` (write `loss="log_loss"` if the script relies on
scikit-learn's default, hinge), the solver `lbfgs`, the activation `identity`, and for networks sparse rows and more
than one label a row.

Beyond scikit-learn's two estimators, `SGDClassifier` takes `learning_rate="auto"`, and `fit` of both takes `X_val`,
`y_val` and `sample_weight_val`: validation rows, whose loss after each epoch is in `validation_loss_curve_`. With
`early_stopping` these rows decide when to stop, and none are held out. Without it their loss is only recorded.
(scikit-learn's `HistGradientBoostingClassifier` has the same arguments, but refuses them without `early_stopping`.)
`set_callbacks` exists if scikit-learn has it (1.9 and newer).
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
