"""`sweep_mlp(output="one_vs_rest")`: a network for each label, as `train_mlp` trains it against the rest."""

import numpy as np
import pytest
from compare import assert_keeps, flat
from hypothesis import given, settings
from hypothesis import strategies as st
from mlp_sweeps import same_bits
from problems import SEEDS

from tinynet_fast import OneVsRest, load, sweep_mlp, train_mlp
from tinynet_fast.kernels import engines

pytestmark = [
    pytest.mark.filterwarnings("ignore::tinynet_fast.TrainingWarning"),  # of `train_mlp`
    pytest.mark.usefixtures("few_networks_together"),
]

RNG = np.random.default_rng(5)
X = RNG.standard_normal((90, 3))
NAMES = np.array(["dog", "ant", "cat", "bee"])
Y = NAMES[(X[:, 0] > 0.0) + 2 * (X[:, 1] + 0.3 * RNG.standard_normal(90) > 0.0)]
OPTIONS = {"output": "one_vs_rest", "hidden": (5,), "learning_rate": [0.3, 3.0], "seed": [1, 2], "epochs": 4}
COUNTS = {"dog": 0.5, "cat": 3.0}


def assert_members_alike(result, options, fold=None, promise=1e-12, rows=(X, Y)):
    """Each member is the network of `train_mlp` for its label against the rest, and losses add up."""
    X, y = rows
    counts = np.array([(options.get("class_weight") or {}).get(label, 1.0) for label in y])
    weights = counts if options.get("sample_weight") is None else options["sample_weight"] * counts
    for i, model in enumerate(result.models):
        kept = np.full(len(y), True) if fold is None else fold != result.fold[i]
        losses = np.zeros(len(result.loss_history))
        own = options | {name: values[i] for name, values in result.options.items()}
        own |= {"output": None, "class_weight": None, "sample_weight": weights[kept]}
        for label, member in zip(model.labels.tolist(), model.members, strict=True):
            ref = train_mlp(X[kept], (y[kept] == label).astype(int), **own)
            assert_keeps(promise, flat(member), flat(ref.model))
            losses += ref.loss_history
        assert_keeps(promise, result.loss_history[:, i], losses)
        if fold is not None and result.fold[i] >= 0:
            assert result.held_out_loss[i] == pytest.approx(model.loss(X[~kept], y[~kept]), rel=1e-10)


@settings(max_examples=15)
@given(SEEDS, st.data())
def test_every_member_is_a_run_of_train_mlp(seed, data):
    rng = np.random.default_rng(seed)
    labels = data.draw(st.integers(3, 5))
    n = data.draw(st.integers(4 * labels, 60))
    rows = rng.standard_normal((n, data.draw(st.integers(1, 4)))), np.arange(n) % labels
    fold = np.arange(n) // labels % 2 if data.draw(st.booleans()) else None
    options = {
        "output": "one_vs_rest",
        "hidden": data.draw(st.sampled_from([(5,), (4, 2), [(5,), (3, 2)]])),
        "activation": data.draw(st.sampled_from(["sigmoid", "tanh"])),
        "optimizer": data.draw(st.sampled_from(["sgd", "adam"])),
        "learning_rate": data.draw(st.sampled_from([0.01, [0.01, 0.1]])),
        "seed": data.draw(st.sampled_from([5, [1, 2]])),
        "dropout": data.draw(st.sampled_from([0.0, 0.0, 0.3])),
        "batch_size": data.draw(st.sampled_from([None, 1, 7])),
        "shuffle": data.draw(st.booleans()),
        "standardize": data.draw(st.booleans()),
        "class_weight": data.draw(st.sampled_from([None, {0: 0.5, 2: 3.0}])),
        "schedule": data.draw(st.sampled_from(["constant", "cosine"])),
        "loss": data.draw(st.sampled_from(["log_loss", "squared_error"])),
        "epochs": data.draw(st.integers(1, 3)),
    }
    if data.draw(st.booleans()):
        options["sample_weight"] = rng.integers(0, 3, n) * 0.5 + (np.arange(n) < 3 * labels)
    result = sweep_mlp(*rows, folds=fold, **options)
    assert_members_alike(result, options, fold, rows=rows)
    assert result.side_by_side.all()  # the labels' networks are several


@pytest.mark.parametrize(
    "more", [{"shuffle": True, "batch_size": 8, "class_weight": COUNTS}, {"loss": "hinge"}], ids=str
)
def test_every_engine_keeps_its_promise(engine, more):
    options = OPTIONS | {"learning_rate": 0.3, "epochs": 2} | more
    result = sweep_mlp(X, Y, engine=engine, **options)
    promise = engines.ENGINES[engine].promise
    assert_members_alike(result, options | {"engine": "reference"}, promise=promise)
    assert result.engine.partition("/")[0] == ("strict" if (engine, "loss") == ("fast", *more) else engine)
    assert result.side_by_side.all() == (engine == "fast" and "loss" not in more)


@pytest.mark.parametrize("more", [{"noise": 0.1}, {"dtype": "float32"}], ids=str)
def test_networks_that_are_trained_one_by_one_have_their_own_bits(more):
    rows = X, Y
    if "dtype" in more:
        pytest.importorskip("numba", reason="the library has no kernels of float32 networks")
        rows = X.astype(np.float32), Y
    result = sweep_mlp(*rows, **(options := OPTIONS | more))
    assert not result.side_by_side.any()
    assert_members_alike(result, options, promise=0.0, rows=rows)


def test_the_model_answers_for_all_labels(tmp_path):
    options = OPTIONS | {"epochs": 300, "standardize": True}
    result = sweep_mlp(X, Y, folds=3, **options)
    model, path = result.best_model, tmp_path / "m.json"
    assert isinstance(model, OneVsRest)
    assert model.labels.tolist() == sorted(NAMES)
    each = np.column_stack([member.predict_proba(X) for member in model.members])
    np.testing.assert_allclose(model.predict_proba(X), each / each.sum(axis=1, keepdims=True), rtol=1e-13)
    assert model.score(X, Y) > 0.8
    assert model.training["trainer"] == "train_mlp"
    model.save(path)
    np.testing.assert_array_equal(load(path).predict_proba(X), model.predict_proba(X))
    scores = result.scores()
    assert result.best == 4 * int(np.argmin(scores))
    both = result.ensemble(2)
    ref = np.mean([result.models[4 * i].predict_proba(X) for i in np.argsort(scores)[:2]], axis=0)
    np.testing.assert_allclose(both.predict_proba(X), ref, rtol=1e-13)
    both.save(path)
    np.testing.assert_array_equal(load(path).predict_proba(X), both.predict_proba(X))


def test_two_labels_need_one_network():
    y = (Y == "ant") | (Y == "bee")
    same_bits(sweep_mlp(X, y, **OPTIONS), sweep_mlp(X, y, **(OPTIONS | {"output": None})))


def test_validation_rows_judge():
    result = sweep_mlp(X[:60], Y[:60], validation=(X[60:], Y[60:]), **OPTIONS)
    losses = [model.loss(X[60:], Y[60:]) for model in result.models]
    np.testing.assert_allclose(result.held_out_loss, losses, rtol=1e-12)


def test_one_label_that_diverges_is_told():
    numbers = X * [1.0, 1.0, 1e4]
    options = OPTIONS | {"activation": "identity", "learning_rate": [1e-10, 1e160], "loss": "squared_error"}
    result = sweep_mlp(numbers, Y, **options)
    assert result.diverged.tolist() == [False, False, True, True]
    assert [model is None for model in result.models] == result.diverged.tolist()
    assert result.best in (0, 1)


def test_a_stopped_sweep_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    from tinynet_fast.training.checkpoints import Checkpoint

    options, path, seen, write = OPTIONS | {"batch_size": 30, "folds": 2}, tmp_path / "c.json", [], Checkpoint.write
    ref = sweep_mlp(X, Y, **options)

    def keep(self, *args, **more):
        write(self, *args, **more)
        seen.append(path.read_bytes())

    monkeypatch.setattr(Checkpoint, "write", keep)
    sweep_mlp(X, Y, checkpoint=path, checkpoint_seconds=0, **options)
    monkeypatch.setattr(Checkpoint, "write", write)
    for state in seen[:: len(seen) // 4]:
        path.write_bytes(state)
        resumed = sweep_mlp(X, Y, checkpoint=path, **options)
        same_bits_of_members(resumed, ref)
    with pytest.raises(ValueError, match="output was 'one_vs_rest' and is None"):
        sweep_mlp(X, Y, checkpoint=path, **(options | {"output": None}))


def same_bits_of_members(comp, ref):
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history, strict=True)
    for a, b in zip(comp.models, ref.models, strict=True):
        for p, q in zip(a.members, b.members, strict=True):
            np.testing.assert_array_equal(flat(p), flat(q), strict=True)


def test_a_single_network_has_no_such_output():
    with pytest.raises(ValueError, match=r"no output 'one_vs_rest' of a network: .*only sweep_mlp has 'one_vs_rest'"):
        train_mlp(X, Y, output="one_vs_rest")
    with pytest.raises(ValueError, match="standardize_y is for numbers"):
        sweep_mlp(X, Y, output="one_vs_rest", standardize_y=True)
