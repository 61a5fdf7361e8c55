"""All cores, the same bits: `n_jobs` of `train_mlp` and of prediction, and how many threads there is room for."""

import os
import sys
import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from ctrl_c import ended_by_ctrl_c

from tinynet_fast import MLP, Neuron, train_mlp
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.models import threads as sharing
from tinynet_fast.rows import team as teams
from tinynet_fast.rows.team import Team, check_jobs, cores
from tinynet_fast.training import network_updates

JOBS = (None, 1, 2, 3, 8)
ROWS = np.random.default_rng(0).standard_normal((1500, 6))
LABELS = (ROWS[:, 0] + ROWS[:, 1] ** 2 > 1.0).astype(int)
WEIGHTS = np.random.default_rng(1).random(1500)
needs_threads = pytest.mark.skipif(UNCOMPILED, reason="kernels that run as plain Python have one thread")


@pytest.fixture
def eight_cores(monkeypatch):
    """Threads share every batch, however small. Returns the numbers of threads that shared one."""
    shared = []
    monkeypatch.setattr(teams, "cores", lambda: 8)
    monkeypatch.setattr("tinynet_fast.training.mlp.cores", lambda: 8)
    monkeypatch.setattr(network_updates, "SHARE_SECONDS", 1e-12)
    monkeypatch.setattr(network_updates, "CALL_SECONDS", 0.0)
    threads = network_updates.Network._threads

    def noted(network):
        shared.append(threads(network))
        return shared[-1]

    monkeypatch.setattr(network_updates.Network, "_threads", noted)
    return shared


def bits(result):
    parameters = [*result.model.weights, *result.model.biases, result.loss_history]
    return [np.asarray(part).tobytes() for part in parameters]


def fit(n_jobs, **options):
    given = {"hidden": (7, 5), "epochs": 3, "seed": 1, "learning_rate": 0.05, "batch_size": 400} | options
    return train_mlp(ROWS, LABELS, n_jobs=n_jobs, **given)


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::tinynet_fast.errors.TrainingWarning")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": None},
        {"batch_size": 500, "optimizer": "adam", "l2": 0.01},
        {"sample_weight": WEIGHTS, "weight_decay": 0.1, "momentum": 0.9, "nesterov": True},
        {"dropout": 0.3, "shuffle": True, "schedule": "cosine"},
        {"mixup": 0.2, "batch_size": 150},
        {"activation": "relu", "validation": 0.2},
    ],
    ids=lambda options: ", ".join(options) or "plain",
)
def test_the_weights_do_not_depend_on_n_jobs(options, eight_cores):
    ref = bits(fit(None, **options))
    for n_jobs in JOBS[1:]:
        assert bits(fit(n_jobs, **options)) == ref
    assert UNCOMPILED or max(eight_cores) > 1  # threads did share batches


@pytest.mark.parametrize("engine", ["strict", "numpy", "reference"])
def test_the_other_engines_train_on_one_thread(engine, eight_cores):
    few = {"engine": engine, "epochs": 1, "hidden": 3}
    assert bits(fit(8, **few)) == bits(fit(None, **few))
    assert set(eight_cores) == {1}


def test_no_more_threads_than_pay(eight_cores, monkeypatch):
    fit(8, batch_size=100)  # less than two tiles
    fit(8, batch_size=600)  # five
    fit(3, batch_size=600)
    monkeypatch.setattr(network_updates, "CALL_SECONDS", 1.0)
    fit(8)
    monkeypatch.setattr(network_updates, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(network_updates, "SHARE_SECONDS", 1.0)
    fit(8)
    assert eight_cores == ([1] * 5 if UNCOMPILED else [1, 5, 3, 1, 1])


@needs_threads
def test_a_run_that_goes_on_with_other_threads_has_the_same_bits(tmp_path, eight_cores):
    ref = bits(fit(None, epochs=6))
    path = tmp_path / "run.json"
    fit(2, epochs=3, checkpoint=path)
    assert bits(fit(3, epochs=6, checkpoint=path)) == ref


@needs_threads
def test_ctrl_c_stops_threads(eight_cores):
    """Within 0.2 s."""
    rows = np.tile(ROWS, (20, 1))
    fit(2)
    with ended_by_ctrl_c(within=1.0):
        train_mlp(rows, np.tile(LABELS, 20), hidden=32, epochs=100_000, batch_size=400, seed=1, n_jobs=2)
    assert bits(fit(2)) == bits(fit(None))


@needs_threads
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_of_a_process_with_threads(eight_cores):
    """It is forked while a team trains, and uses that team and makes teams of its own."""
    ref = bits(fit(None))
    with Team(2) as team:
        team.map(lambda k: k, range(4))
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            same = team.map(lambda k: k, range(4)) == [0, 1, 2, 3] and bits(fit(2)) == ref
            os._exit(0 if same else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert team.map(lambda k: k, range(4)) == [0, 1, 2, 3]
    assert bits(fit(2)) == ref


# --- prediction -------------------------------------------------------------------------------------------------------


def models():
    rng = np.random.default_rng(2)

    def network(*sizes, **options):
        weights = [rng.standard_normal(shape) for shape in pairwise(sizes)]
        return MLP(weights=weights, biases=[rng.standard_normal(size) for size in sizes[1:]], **options)

    yield network(3, 4, 1)
    yield network(3, 5, 3, labels=["a", "b", "c"])
    yield network(3, 5, 2, output="linear")
    yield Neuron(weights=rng.standard_normal(3), bias=0.3)
    yield Neuron(weights=rng.standard_normal((3, 3)), bias=np.zeros(3), labels=[0, 1, 2], output="one_vs_rest")
    yield Neuron(weights=rng.standard_normal(3), bias=0.3, output="margin")


@pytest.mark.parametrize("model", list(models()), ids=repr)
def test_predictions_do_not_depend_on_n_jobs(model, eight_cores, monkeypatch):
    monkeypatch.setattr(sharing, "SHARED_FROM", 1 << 18)
    X = np.random.default_rng(3).standard_normal(((1 << 20) // 3 if not UNCOMPILED else 100_000, 3))
    names = ["predict", "decision_function"]
    names += [] if model.numbers or model.output == "margin" else ["predict_proba", "label_probabilities"]
    for name in names:
        predict = getattr(model, name)
        ref = predict(X)
        for n_jobs in (1, 2, 3, -1):
            comp = predict(X, n_jobs=n_jobs)
            assert (comp.dtype, comp.tobytes()) == (ref.dtype, ref.tobytes())


def test_refused_rows_are_named_by_their_place_among_all(eight_cores, monkeypatch):
    monkeypatch.setattr(sharing, "SHARED_FROM", 1 << 18)
    X = np.zeros((200_000, 3))
    X[190_000, 1] = np.nan
    for model in (next(models()), Neuron(weights=[1.0, 2.0, 3.0], bias=0.0)):
        for n_jobs in (None, 2):
            with pytest.raises(ValueError, match=r"X\[190000, 1\] is NaN"):
                model.predict_proba(X, n_jobs=n_jobs)
    with pytest.raises(ValueError, match="X has 2 columns where the model has 3 inputs"):
        model.predict_proba(X[:, :2], n_jobs=2)


def test_other_rows_than_arrays(eight_cores, monkeypatch):
    monkeypatch.setattr(sharing, "SHARED_FROM", 8)
    monkeypatch.setattr(sharing, "PIECE_VALUES", 8)
    model = next(models())
    X = ROWS[:50, :3]
    assert model.predict_proba(X.tolist(), n_jobs=2).tobytes() == model.predict_proba(X).tobytes()
    assert model.predict([0.5, 1.0, 2.0], n_jobs=2).tolist() == model.predict([0.5, 1.0, 2.0]).tolist()
    sparse = pytest.importorskip("scipy.sparse").csr_array(X)
    neuron = Neuron(weights=[1.0, 2.0, 3.0], bias=0.0)
    assert neuron.predict_proba(sparse, n_jobs=2).tobytes() == neuron.predict_proba(sparse).tobytes()


# --- how many threads -------------------------------------------------------------------------------------------------


def test_teams_share_the_cores():
    with Team(16, 3) as first:
        assert first.threads == 3
        with Team(16, 3) as second:
            assert second.threads == 1
        with Team(2) as third:  # one whose jobs do not wait for each other
            assert third.threads == 2
    with Team(16, 3) as first:
        assert first.threads == 3


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, True, "2"])
def test_n_jobs_is_a_number_of_threads(n_jobs):
    for call in (lambda: train_mlp([1, 2], [0, 1], n_jobs=n_jobs), lambda: check_jobs(n_jobs)):
        with pytest.raises(ValueError, match=r"n_jobs is .*; a whole number of at least 1 is needed, or -1 for all"):
            call()
    with pytest.raises(ValueError, match="n_jobs is"):
        Neuron(weights=[1.0], bias=0.0).predict([1.0], n_jobs=n_jobs)


def test_minus_one_is_the_cores_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert (cores(), check_jobs(-1), check_jobs(None), check_jobs(np.int64(5))) == (3, 3, 1, 5)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


def test_a_task_of_dask_has_one_thread_and_a_process_of_joblib_its_share(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    state = threading.local()
    monkeypatch.setitem(sys.modules, "distributed.worker", SimpleNamespace(thread_state=state))
    assert cores() == 8
    state.execution_state = {}
    assert cores() == 1
    del state.execution_state
    loky = SimpleNamespace(_CURRENT_DEPTH=1)
    monkeypatch.setitem(sys.modules, "joblib.externals.loky.process_executor", loky)
    for said, expected in (("4", 4), ("16", 8), ("x", 1), ("0", 1)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        assert cores() == expected
    loky._CURRENT_DEPTH = 0
    assert cores() == 8
