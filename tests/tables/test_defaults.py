"""`find_options`: what it finds learns as well as scikit-learn does, what was given stays, odd tables are no error."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinynet_fast import train, train_mlp, train_neuron
from tinynet_fast.tables import defaults
from tinynet_fast.tables.defaults import find_options
from tinynet_fast.tables.number_defaults import find_number_options


def two_labels(n=300, d=4, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, (X @ np.arange(1.0, d + 1) / d + noise * rng.standard_normal(n) > 0.0).astype(int)


def three_labels(n=300, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.argmax(X[:, :3] + 0.7 * rng.standard_normal((n, 3)), axis=1)


@pytest.fixture
def quick(monkeypatch):
    """Short trainings, where a test is not about how well a model learns."""
    monkeypatch.setattr(defaults, "UPDATES", 200)
    monkeypatch.setattr(defaults, "SOFTMAX_UPDATES", 200)
    monkeypatch.setattr(defaults, "MOST_EPOCHS", 50)


def learned(found, X, codes, n_labels, **options):
    trainer = train_mlp if "hidden" in found.options else train_neuron
    return trainer(X, codes, labels=np.arange(n_labels), **found.options, **options).model


def slopes(model):
    """The weights of a neuron, or of a softmax without what all its outputs share."""
    weights = model.weights if isinstance(model.weights, np.ndarray) else model.weights[0].T
    return weights - weights.mean(axis=0) if weights.ndim == 2 else weights


# --- as good as scikit-learn ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("made", "n_labels"), [(two_labels, 2), (three_labels, 3)], ids=["neuron", "softmax"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "sample_weight"])
def test_the_loss_is_that_of_the_exact_minimum(made, n_labels, seed, weighted):
    """Of the objective that LogisticRegression minimises, with the penalty that was found: C = 1 / (l2 n)."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, codes = made(seed=seed)
    weight = np.random.default_rng(seed).integers(1, 4, len(codes)).astype(float) if weighted else None
    found = find_options(X, codes, n_labels, seed=seed, sample_weight=weight)
    comp = learned(found, X, codes, n_labels, sample_weight=weight)
    total = len(codes) if weight is None else weight.sum()
    ref = linear_model.LogisticRegression(C=1.0 / (found.options["l2"] * total), tol=1e-10, max_iter=10_000)
    ref.fit(X, codes, sample_weight=weight)
    exact, reached = ref.predict_proba(X), comp.predict_proba(X)
    if reached.ndim == 1:
        reached = np.column_stack([1.0 - reached, reached])
    np.testing.assert_allclose(reached, exact, atol=0.03)
    rows = np.arange(len(codes))
    losses = [np.average(-np.log(p[rows, codes]), weights=weight) for p in (reached, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_noise_is_penalised_and_signal_is_not():
    """Labels that no column tells about: the penalty is a strong one. A plain rule of many rows: it is a weak one."""
    rng = np.random.default_rng(0)
    noise = find_options(rng.standard_normal((80, 30)), np.arange(80) % 2, 2).options["l2"] * 80
    X, codes = two_labels(2000, noise=0.05)
    rule = find_options(X, codes, 2).options["l2"] * 2000
    assert noise >= 10.0
    assert rule <= 0.1


@pytest.mark.parametrize(("made", "n_labels"), [(two_labels, 2), (three_labels, 3)])
def test_networks_learn_what_is_not_linear(made, n_labels):
    X = np.random.default_rng(0).uniform(-1.7, 1.7, (400, 2))
    codes = ((X[:, 0] > 0.0) != (X[:, 1] > 0.0)).astype(int)
    found = find_options(X, codes, 2, hidden=(8,))
    model = learned(found, X, codes, 2)
    assert model.score(X, codes) > 0.95
    X, codes = made()
    found = find_options(X, codes, n_labels, hidden=(8,))
    assert found.options["hidden"] == (8,)
    assert learned(found, X, codes, n_labels).loss(X, codes) < 0.8 * np.log(n_labels)


# --- what was given stays ---------------------------------------------------------------------------------------------

GIVEN = [
    {"l2": 0.0},
    {"l2": 0.1},
    {"learning_rate": 0.01},
    {"learning_rate": 0.01, "l2": 0.003},
    {"epochs": 7},
    {"average": False},
    {"average": 500},
    {"shuffle": False},
    {"l1": 0.01},
    {"l1": 0.01, "l2": 0.02},
    {"schedule": "invscaling"},
    {"schedule": "optimal", "l2": 0.01},
    {"loss": "squared_error"},
    {"patience": 3},
    {"n_jobs": 1},
    {"engine": "strict"},
    {"shuffle": False, "epochs": 3, "seed": 5},
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("given", GIVEN, ids=str)
def test_options_of_a_neuron_that_were_given_stay(given):
    X, codes = two_labels(120)
    found = find_options(X, codes, 2, given=given)
    assert {name: found.options[name] for name in given} == given
    assert found.reason
    options = {name: value for name, value in found.options.items() if name != "patience"}
    assert train_neuron(X, codes, **options).model.score(X, codes) > 0.7


NETWORKS = [
    {"l2": 0.0},
    {"weight_decay": 0.01},
    {"optimizer": "sgd"},
    {"activation": "tanh"},
    {"batch_size": 1, "epochs": 20},
    {"batch_size": None},
    {"dropout": 0.2},
    {"schedule": "constant", "learning_rate": 0.003},
    {"patience": 3},
    {"init": "normal", "epochs": 40},
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("given", NETWORKS, ids=str)
@pytest.mark.parametrize("hidden", [(), (6,)], ids=str)
def test_options_of_a_network_that_were_given_stay(given, hidden):
    X, codes = three_labels(90)
    found = find_options(X, codes, 3, hidden, given)
    assert {name: found.options[name] for name in given} == given
    assert found.options["hidden"] == hidden
    options, given = ({k: v for k, v in o.items() if k != "patience"} for o in (found.options, given))
    assert train_mlp(X, codes, **options | {"epochs": 150} | given).model.score(X, codes) > 0.6


@pytest.mark.usefixtures("quick")
def test_the_same_rows_and_seed_find_the_same():
    X, codes = two_labels()
    assert find_options(X, codes, 2, seed=3) == find_options(X, codes, 2, seed=3)
    X, codes = three_labels(100)
    assert find_options(X, codes, 3, (4,), seed=3) == find_options(X, codes, 3, (4,), seed=3)


# --- sample weights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [(), (4,)], ids=str)
def test_rows_of_weight_0_do_not_count(hidden):
    """They are in no fold's loss; their labels are wrong here, and the penalty is found all the same."""
    X, codes = two_labels(200, noise=0.3)
    rng = np.random.default_rng(1)
    wrong = rng.standard_normal((200, 4))
    mixed, weight = np.vstack([X, wrong]), np.repeat([1.0, 0.0], 200)
    labels = np.concatenate([codes, 1 - (wrong @ np.arange(1.0, 5.0) > 0.0)])
    found = find_options(mixed, labels, 2, hidden, sample_weight=weight)
    model = learned(found, mixed, labels, 2, sample_weight=weight)
    assert model.score(X, codes) > 0.9


@pytest.mark.usefixtures("quick")
def test_one_row_of_weight_in_a_label():
    """No fold can be held out, although the label has rows enough."""
    X, codes = two_labels(60)
    weight = np.where(codes == 1, np.arange(60) == np.flatnonzero(codes == 1)[0], 1.0)
    found = find_options(X, codes, 2, sample_weight=weight)
    assert defaults.TOO_FEW in found.reason


# --- small, large and odd tables --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("counts", [[1, 1], [5, 1], [1, 4, 2], [2, 2], [1, 30], [3, 3, 3]], ids=str)
@pytest.mark.parametrize("hidden", [(), (3,)], ids=str)
def test_tiny_tables(counts, hidden):
    codes = np.repeat(np.arange(len(counts)), counts)
    X = np.random.default_rng(0).standard_normal((len(codes), 2))
    found = find_options(X, codes, len(counts), hidden)
    assert (defaults.TOO_FEW in found.reason) == (min(counts) == 1)
    assert np.isfinite(learned(found, X, codes, len(counts)).loss(X, codes))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("n_labels", [3, 4, 12])
def test_more_labels(n_labels):
    rng = np.random.default_rng(0)
    codes = np.arange(40 * n_labels) % n_labels
    X = np.eye(n_labels)[codes] * 2.0 + 0.4 * rng.standard_normal((len(codes), n_labels))
    found = find_options(X, codes, n_labels)
    assert found.options["hidden"] == ()
    assert learned(found, X, codes, n_labels).score(X, codes) > 0.95


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("X", [np.zeros((40, 2)), np.eye(40), np.full((40, 1), 3.0)], ids=["zeros", "ids", "constant"])
@pytest.mark.parametrize("hidden", [(), (3,)], ids=str)
def test_columns_that_say_nothing(X, hidden):
    codes = np.arange(40) % 2
    found = find_options(X, codes, 2, hidden)
    assert np.isfinite(learned(found, X, codes, 2).loss(X, codes))


@pytest.mark.parametrize(("hidden", "most"), [((), "NEURON_ROWS"), ((2,), "NETWORK_ROWS")], ids=["neuron", "network"])
def test_a_large_table_is_searched_on_some_rows(hidden, most, monkeypatch):
    """The penalty is the same as on the rows looked at; l2 is for all rows; the epochs are few."""
    monkeypatch.setattr(defaults, most, 1000)
    monkeypatch.setattr(defaults, "UPDATES", 300)
    X, codes = two_labels(100_000)
    found = find_options(X, codes, 2, hidden)
    assert " of 100,000 rows" in found.reason
    assert found.options["epochs"] == defaults.FEWEST_EPOCHS
    assert np.isclose(found.options["l2"] * 100_000, [*defaults.PENALTIES, defaults.USUAL_NETWORK]).any()


def test_a_rare_label_is_among_the_rows_looked_at():
    X, codes = np.random.default_rng(0).standard_normal((60_000, 2)), np.zeros(60_000, int)
    codes[::3000] = 1
    found = find_options(X, codes, 2)
    assert "5-fold" in found.reason
    assert "of 60,000 rows" in found.reason


def test_diverging_rates_are_left_out():
    """Inputs that are not standardised: most rates diverge, and one that does not is found."""
    X, codes = two_labels(200)
    X[0] *= 1e6
    rate = find_options(X, codes, 2).options["learning_rate"]
    assert 0.0 < rate < 1.0


# --- in words ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_the_reason_says_what_was_tried():
    X, codes = two_labels(200)
    usual = find_options(X, codes, 2)
    assert usual.reason == (
        f"learning_rate={usual.options['learning_rate']:.4g}, the best of 9; l2 = 1 / rows as usual, because no other "
        "is clearly better in 5-fold cross-validation"
    )
    rng = np.random.default_rng(0)
    other = find_options(rng.standard_normal((80, 30)), np.arange(80) % 2, 2).reason
    assert " / rows, because its log loss is 0." in other
    assert other.endswith(" with the usual 1 / rows")
    X, codes = three_labels(100)
    assert "l2 = " in find_options(X, codes, 3, (4,)).reason
    assert find_options(X, codes, 3, (), {"l2": 0.1}).reason.startswith("l2 or weight_decay was given")


def test_a_penalty_is_kept_if_chance_could_have_done_it():
    """Differences of one loss, as large as its spread, against those that are the same in all rows."""
    rng = np.random.default_rng(0)
    rows = defaults.search_rows(np.zeros((100, 1)), np.arange(100) % 2, 2, 0, None, 1000)
    losses = np.full((3, 100), 0.5)
    losses[2] += 0.02 * rng.standard_normal(100) - 0.001
    assert defaults.chosen(rows, np.array([0.1, 1.0, 10.0]), losses, 1.0)[0] == 1.0
    losses[2] = 0.49
    assert defaults.chosen(rows, np.array([0.1, 1.0, 10.0]), losses, 1.0)[0] == 10.0


def test_how_far_losses_must_be_apart():
    """Further than the standard error of five folds, times `errors`: by hand, at 1.01 and at 0.99 of these errors."""
    rows = defaults.search_rows(np.zeros((100, 1)), np.arange(100) % 2, 2, 0, None, 1000)
    losses, noise = np.full((2, 100), 0.5), np.tile([1.0, -1.0], 50)
    error = 0.01 / np.sqrt(100) * np.sqrt(1.0 + 5 / 4)
    losses[1] += 0.01 * noise - 1.01 * error
    penalties = np.array([1.0, 10.0])
    assert defaults.chosen(rows, penalties, losses, 1.0)[0] == 10.0
    assert defaults.chosen(rows, penalties, losses, 1.0, errors=1.02)[0] == 1.0
    losses[1] += 0.02 * error
    assert defaults.chosen(rows, penalties, losses, 1.0)[0] == 1.0


def test_penalties_of_networks_are_divided_by_the_rows(monkeypatch):
    X, codes = two_labels(200)
    rows, tried = defaults.search_rows(X, codes, 2, 0, None, 1000), []

    def held_out(train, rows, options):
        tried.append(options["l2"])
        return np.full(len(rows), float(len(tried)))

    monkeypatch.setattr(defaults, "held_out", held_out)
    defaults.network_options(rows, (4,), {}, 0)
    assert all(penalty * len(rows) == pytest.approx(round(penalty * len(rows), 9)) for penalty in tried)
    assert 0 < max(tried) * len(rows) <= defaults.PENALTIES.max()
    assert min(tried) * len(rows) >= defaults.PENALTIES.min()


def test_train_keeps_the_penalty_when_it_trains_on_all_rows():
    X, codes = two_labels(200)
    table = {f"x{j}": X[:, j] for j in range(4)} | {"y": codes}
    result = train(table, "y")
    assert result.options["l2"] * 200 == pytest.approx(1.0)
    assert "l2 = 1 / rows" in result.reason


@pytest.mark.parametrize(
    ("best", "tried"),
    [(4, [4, 5, 3]), (6, [4, 5, 6, 7]), (2, [4, 5, 3, 2, 1]), (8, [4, 5, 6, 7, 8]), (0, [4, 5, 3, 2, 1, 0])],
)
def test_the_search_walks_along_the_penalties(best, tried, monkeypatch):
    """One by one while the loss falls: first to larger ones, and else to smaller ones."""
    rows, seen = SimpleNamespace(folds=2, in_all=50, mean=np.mean), []

    def losses_of(penalty):
        seen.append(int(np.argmin(np.abs(defaults.PENALTIES - penalty))))
        return np.array([abs(seen[-1] - best)])

    monkeypatch.setattr(defaults, "chosen", lambda rows, penalties, losses, usual: (penalties[losses.argmin()], ""))
    monkeypatch.setattr(defaults, "sampled", lambda rows: "")
    found = defaults.climbed(rows, {}, losses_of, 1.0)
    assert seen == tried
    assert found.options["l2"] == 10.0 ** (best / 2 - 2) / 50


@pytest.mark.parametrize(("n", "d", "epochs"), [(1 << 12, 4, 64), (1 << 12, 128, 32), (100, 4, 500), (1 << 17, 2, 5)])
def test_how_often_a_neuron_sees_the_rows(n, d, epochs):
    """262,144 rows over all epochs, or as many as have 16,777,216 numbers; 5 to 500 epochs."""
    X = np.random.default_rng(0).standard_normal((n, d))
    found = find_options(X, (X[:, 0] > 0).astype(int), 2, given={"l2": 0.0, "learning_rate": 0.1})
    assert found.options["epochs"] == epochs
    found = find_number_options(X, X[:, 0] + X[:, 1], (), {"l2": 0.0, "learning_rate": 0.01})
    assert found.options["epochs"] == epochs
