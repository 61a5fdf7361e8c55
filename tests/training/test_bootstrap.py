"""`bootstrap`: every neuron is as `train_neuron` trains it on its sample; standard errors, intervals, bad input."""

import numpy as np
import pytest
from compare import distance, flat
from hypothesis import given
from hypothesis import strategies as st
from problems import SEEDS, one_order, one_type
from rich.console import Console

from tinynet_fast import Neuron, TrainingDivergedError, TrainingWarning, bootstrap, train_neuron
from tinynet_fast.kernels.poisson import poisson_weights
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.training import many_neurons

ROWS = make_pass_fail(600, 3, seed=3)
SMALL = {"learning_rate": 0.01, "epochs": 4, "standardize": False, "seed": 1}  # quick, and far from the least loss


def draw(*arguments, **options):
    """A bootstrap that may end far from the least loss."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return bootstrap(*arguments, **options)


def same_bits(comp, ref):
    np.testing.assert_array_equal(comp.parameters, ref.parameters, strict=True)
    np.testing.assert_array_equal(flat(comp.model), flat(ref.model), strict=True)


# --- every neuron is a run of train_neuron ----------------------------------------------------------------------------


@given(SEEDS, st.data())
def test_every_neuron_is_trained_on_its_sample(seed, data):
    rng = np.random.default_rng(seed)
    n, d, m = data.draw(st.integers(20, 80)), data.draw(st.integers(1, 20)), data.draw(st.integers(2, 40))
    X = one_type(rng, rng.standard_normal((n, d)), data.draw(st.sampled_from(["float64", "float32", "int8"])))
    X = one_order(X, data.draw(st.sampled_from(["C", "F", "strided", "reversed"])))
    y, standardize = np.arange(n) % 2, data.draw(st.booleans())
    longest = d * n + 1.0 if standardize else (X.astype(float) ** 2).sum(axis=1).max() + 1.0
    counts = rng.random(n) if data.draw(st.booleans()) else None
    options = {
        "learning_rate": float(rng.random() ** 3 + 1e-9) * 8.0 / longest / 15.0,
        "l2": data.draw(st.sampled_from([0.0, 0.0, 0.01])),
        "epochs": data.draw(st.integers(1, 4)),
        "shuffle": data.draw(st.sampled_from([False, True, "blocks"])),
        "standardize": standardize,
        "weights": rng.standard_normal(d),
        "bias": 0.3,
        "seed": 5,
    }
    average = data.draw(st.booleans())
    result = draw(X, y, m, average=average, sample_weight=counts, **options)
    options["average"] = options["epochs"] // 2 * n + 1 if average else False
    times = poisson_weights(5, np.arange(n), np.arange(m)) * (1.0 if counts is None else counts[:, np.newaxis])
    assert distance(flat(result.model), flat(train_neuron(X, y, sample_weight=counts, **options).model)) <= 1e-12
    for k in range(0, m, 5):
        if (times[y == 0, k] > 0).any() and (times[y == 1, k] > 0).any():
            ref = train_neuron(X, y, sample_weight=times[:, k], **options).model
            assert distance(result.parameters[k], flat(ref)) <= 1e-12


def test_a_long_run_too():
    rows = make_pass_fail(50_000, 16, seed=1)
    result = draw(rows.X, rows.y, 9, learning_rate=0.01, epochs=5, shuffle=False, standardize=False, seed=2)
    for k in (0, 8):
        times = poisson_weights(2, np.arange(50_000), np.array([k]))[:, 0]
        ref = train_neuron(rows.X, rows.y, learning_rate=0.01, epochs=5, average=100_001, sample_weight=times).model
        assert distance(result.parameters[k], flat(ref)) <= 1e-12


@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_threads_blocks_and_neighbours_change_no_bit(monkeypatch, l2):
    options = SMALL | {"l2": l2, "sample_weight": np.random.default_rng(0).random(599), "shuffle": True}
    X, y = ROWS.X[1:], ROWS.y[1:]
    ref = draw(X, y, 70, **options)
    for n_jobs in (2, 3, -1):
        same_bits(draw(X, y, 70, **options, n_jobs=n_jobs), ref)
    np.testing.assert_array_equal(draw(X, y, 20, **options).weights, ref.weights[:20], strict=True)
    monkeypatch.setattr(many_neurons, "MOST_ROWS", 37)
    same_bits(draw(X, y, 70, **options, n_jobs=2), ref)


def test_seeds():
    ref = draw(ROWS.X, ROWS.y, 8, **SMALL)
    same_bits(draw(ROWS.X, ROWS.y, 8, **SMALL), ref)
    assert not np.isin(draw(ROWS.X, ROWS.y, 8, **SMALL | {"seed": 2}).weights, ref.weights).any()
    drawn = draw(ROWS.X, ROWS.y, 8, **SMALL | {"seed": None})
    same_bits(draw(ROWS.X, ROWS.y, 8, **SMALL | {"seed": drawn.seed}), drawn)


# --- standard errors --------------------------------------------------------------------------------------------------


def breast_cancer():
    """569 tumours: texture, smoothness, fractal dimension, texture error; standardised."""
    datasets = pytest.importorskip("sklearn.datasets")
    found = datasets.load_breast_cancer()
    X = found.data[:, [1, 4, 9, 11]]
    return (X - X.mean(axis=0)) / X.std(axis=0), found.target


def newton(X, y, times):
    """The weights of least loss and, last, the bias, with each row counted `times` times: no code of the package."""
    x, w = np.column_stack([X, np.ones(len(X))]), np.zeros(X.shape[1] + 1)
    for _ in range(30):
        p = 1.0 / (1.0 + np.exp(-x @ w))
        step = np.linalg.solve((x * (times * p * (1 - p))[:, None]).T @ x, x.T @ (times * (p - y)))
        w -= step
        if np.abs(step).max() < 1e-12:
            return w
    raise AssertionError("Newton's method has not converged")


def test_standard_errors_are_those_of_a_plain_bootstrap():
    """Samples are drawn row by row and fitted to the end by Newton's method. 2,000 of each know an error to 2.2%."""
    X, y = breast_cancer()
    rng, n = np.random.default_rng(0), len(y)
    samples = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(2000)]
    plain = np.array([newton(X, y, times) for times in samples])
    result = bootstrap(X, y, 2000, seed=1)
    np.testing.assert_allclose(result.standard_errors, plain.std(axis=0), rtol=0.10)
    apart = np.abs(flat(result.model) - newton(X, y, np.ones(n))) / result.standard_errors
    assert apart.max() < 0.2
    assert result.distance == pytest.approx(apart.max(), rel=0.05)
    times = poisson_weights(1, np.arange(n), np.arange(500)).T
    fitted = np.array([newton(X, y, each) for each in times])
    assert np.abs((result.parameters[:500] - fitted) / result.standard_errors).max() < 0.4
    ends = (
        np.quantile(fitted, [0.025, 0.975], axis=0).T - np.quantile(result.parameters[:500], [0.025, 0.975], axis=0).T
    )
    assert np.abs(ends / result.standard_errors[:, np.newaxis]).max() < 0.1


def test_standard_errors_are_those_of_statsmodels():
    api = pytest.importorskip("statsmodels.api", reason="statsmodels has the standard errors to compare with")
    X, y = breast_cancer()
    fit = api.Logit(y, np.column_stack([X, np.ones(len(y))])).fit(disp=0, cov_type="HC0")
    np.testing.assert_allclose(bootstrap(X, y, 2000, seed=1).standard_errors, fit.bse, rtol=0.12)


def test_the_last_weights_of_runs_spread_more_than_their_means():
    """It is why `average` is True unless given."""
    rows = make_pass_fail(5000, 3, seed=5)
    options = {"learning_rate": 0.02, "epochs": 6, "seed": 0}
    last, mean = (draw(rows.X, rows.y, average=average, **options).standard_errors for average in (False, True))
    sandwich = train_neuron(rows.X, rows.y, learning_rate=0.02, epochs=6, average=True).model
    ref = sandwich.standard_errors(rows.X, rows.y)
    assert (last > 1.5 * ref).all()
    np.testing.assert_allclose(mean, ref, rtol=0.15)


def test_intervals_hold_the_truth():
    """Of 100 tables, about 95 give an interval that holds the weight which made their labels: 89 to 99, mostly."""
    rng, truth, held = np.random.default_rng(7), np.array([0.8, -0.5, 0.3]), np.zeros(3)
    for seed in range(100):
        X = rng.standard_normal((400, 2))
        y = rng.random(400) < 1.0 / (1.0 + np.exp(-(X @ truth[:2] + truth[2])))
        low, high = draw(X, y, 200, learning_rate=0.02, epochs=20, seed=seed).interval().T
        held += (low < truth) & (truth < high)
    assert held.min() >= 89
    assert held.max() <= 99


# --- the result -------------------------------------------------------------------------------------------------------


def test_probabilities_of_all_neurons_make_the_interval(monkeypatch):
    frame = pytest.importorskip("pandas").DataFrame(ROWS.X, columns=["a", "b", "c"])
    result = draw(frame, ROWS.y, 50, **SMALL)
    each = [Neuron(weights=w, bias=b) for w, b in zip(result.weights, result.biases, strict=True)]
    for level in (0.5, 0.95):
        ref = np.quantile([m.predict_proba(ROWS.X) for m in each], [0.5 - level / 2, 0.5 + level / 2], axis=0).T
        np.testing.assert_allclose(result.predict_interval(ROWS.X, level), ref, rtol=1e-12)
        np.testing.assert_allclose(
            result.interval(level).T, np.quantile(result.parameters, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        )
    whole = result.predict_interval(ROWS.X)
    monkeypatch.setattr("tinynet_fast.training.bootstrap_result.PROBABILITIES", 350)
    np.testing.assert_allclose(result.predict_interval(ROWS.X), whole, rtol=1e-14)
    other = frame.assign(more=ROWS.y)[["c", "more", "a", "b"]]
    np.testing.assert_allclose(result.predict_interval(other), whole, rtol=1e-14)
    with pytest.raises(ValueError, match=r"X\[0, 'b'\] is NaN"):
        result.predict_interval([[1.0, np.nan, 2.0]])


def test_standardising_is_undone():
    shifted = ROWS.X * [1.0, 100.0, 0.01] + [0.0, 5.0, -3.0]
    options = {"learning_rate": 0.02, "epochs": 10, "seed": 3}
    comp, ref = bootstrap(shifted, ROWS.y, 20, **options), bootstrap(ROWS.X, ROWS.y, 20, **options)
    np.testing.assert_allclose(comp.predict_interval(shifted), ref.predict_interval(ROWS.X), rtol=1e-9)
    np.testing.assert_allclose(comp.weights * [1.0, 100.0, 0.01], ref.weights, rtol=1e-9)
    np.testing.assert_allclose(comp.model.predict_proba(shifted), ref.model.predict_proba(ROWS.X), rtol=1e-9)


def test_table_and_names():
    frame = pytest.importorskip("pandas").DataFrame(ROWS.X, columns=["a", "b", "c"])
    result = draw(frame, np.where(ROWS.y == 1, "pass", "fail"), 30, **SMALL)
    assert repr(result) == "BootstrapResult(30 samples of 600 rows, 3 inputs)"
    assert len(result) == 30
    assert result.model.features == ["a", "b", "c"]
    assert result.model.labels.tolist() == ["fail", "pass"]
    assert result.model.training["average"] == 1201
    with open("/dev/null", "w") as nowhere:
        console = Console(width=120, record=True, file=nowhere)
        console.print(result.table(0.9))
    shown = console.export_text()
    assert "90% from" in shown
    for name, weight, error in zip(["a", "b", "c", "bias"], flat(result.model), result.standard_errors, strict=True):
        assert [name, f"{weight:.6g}", f"{error:.6g}"] in [
            line.replace("│", " ").split()[:3] for line in shown.splitlines()
        ]


def test_the_rate_is_found():
    result = bootstrap(ROWS.X, ROWS.y, 20, seed=0)
    rates = 8.0 / 4.0 * 10.0 ** np.arange(-4.0, 0.0, 0.5)
    near = [draw(ROWS.X, ROWS.y, 2, learning_rate=rate, seed=0) for rate in rates]
    assert result.learning_rate == pytest.approx(rates[np.argmin([each.distance for each in near])])
    assert result.distance < 0.1
    assert result.epochs == 100
    assert bootstrap(ROWS.X * 3.0, ROWS.y, 2, standardize=False, seed=0, epochs=200).distance < 0.3


# --- warnings and bad input -------------------------------------------------------------------------------------------


def test_runs_that_are_too_short_are_reported():
    with pytest.warns(TrainingWarning, match=r"the weight of \S+ is \d+\.\d standard errors away from where the loss"):
        bootstrap(ROWS.X, ROWS.y, 20, learning_rate=1e-4, epochs=2)


def test_collinear_inputs_are_reported():
    X = np.column_stack([ROWS.X, ROWS.X[:, 0] - 2.0 * ROWS.X[:, 2]])
    with pytest.warns(TrainingWarning, match="x0, x2, x3 are collinear"):
        bootstrap(X, ROWS.y, 20, learning_rate=0.02, seed=0)
    with pytest.warns(TrainingWarning, match="x3 has no standard error"):
        bootstrap(np.column_stack([ROWS.X, np.ones(600)]), ROWS.y, 20, learning_rate=0.02, seed=0)


def test_inputs_that_tell_the_labels_apart_are_reported():
    with pytest.warns(TrainingWarning, match="tells the two labels apart in every row"):
        bootstrap(np.arange(50.0), np.arange(50) > 20, 20, seed=0, epochs=300)


def test_divergence_names_a_safe_rate():
    with pytest.raises(TrainingDivergedError, match="is safe for this data") as caught:
        bootstrap(ROWS.X, ROWS.y, 20, **SMALL | {"learning_rate": 1e308})
    draw(ROWS.X, ROWS.y, 20, **SMALL | {"learning_rate": caught.value.safe_learning_rate})


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        (1, {}, "n is 1; a whole number of at least 2"),
        (2.5, {}, "n is 2.5; a whole number"),
        (True, {}, "n is True; a whole number"),
        (9, {"learning_rate": [0.1, 0.2]}, "learning_rate is"),
        (9, {"learning_rate": 0.0}, "learning_rate is 0.0; a finite number above 0"),
        (9, {"l2": -1.0}, "l2 is -1.0"),
        (9, {"average": 5}, "average is 5; True or False"),
        (9, {"epochs": 0}, "epochs is 0"),
        (9, {"seed": -1}, "seed is -1"),
        (9, {"shuffle": "rows"}, "shuffle is 'rows'"),
        (9, {"standardize": 1}, "standardize is 1"),
        (9, {"n_jobs": 0}, "n_jobs is 0"),
        (9, {"weights": [1.0, 2.0]}, r"weights has shape \(2,\)"),
        (9, {"sample_weight": [1.0]}, "sample_weight has shape"),
        (9, {"sample_weight": [1.0, 1.0, 0.0, 0.0]}, "sample_weight is 0 except for rows of one label"),
    ],
)
def test_bad_options(n, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1], n, **options)


def test_bad_rows():
    with pytest.raises(ValueError, match=r"X\[1, 0\] is NaN"):
        bootstrap([1.0, np.nan], [0, 1])
    with pytest.raises(ValueError, match="one label only"):
        bootstrap([1.0, 2.0], [1, 1])
    with pytest.raises(ValueError, match="X"):
        bootstrap([["a"], ["b"]], [0, 1])
    with pytest.raises(ValueError, match="from memory: read them first"):
        bootstrap("rows.csv", "label")
    with pytest.raises(ValueError, match="labels"):
        bootstrap(ROWS.X, ROWS.X[:, 0])
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises((ValueError, TypeError), match="sparse"):
        bootstrap(sparse.csr_matrix(ROWS.X), ROWS.y)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95, "wide", np.nan])
def test_bad_levels(level):
    result = draw(ROWS.X, ROWS.y, 8, **SMALL)
    for call in (
        lambda: result.interval(level),
        lambda: result.predict_interval(ROWS.X, level),
        lambda: result.table(level),
    ):
        with pytest.raises(ValueError, match=r"level is .*; a number between 0 and 1 is needed"):
            call()
