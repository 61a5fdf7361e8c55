"""Everything that takes `n_jobs` gives the same bits with any number of threads, after a fork too, and ends by Ctrl-C.

`training/test_cores.py` is about networks that share the rows of a batch, and about models that predict.
"""

import itertools
import multiprocessing
import os
import pickle
import threading

import numpy as np
import pytest
from ctrl_c import ended_by_ctrl_c
from hypothesis import given
from hypothesis import strategies as st

from tinynet_fast import MLP, Neuron, auto_rate, evaluate, train, train_mlp, train_neuron, validate
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.models import threads as sharing
from tinynet_fast.proof import solvers
from tinynet_fast.proof import validate as proof
from tinynet_fast.proof.battery import battery
from tinynet_fast.rows import blocks
from tinynet_fast.rows import team as teams
from tinynet_fast.rows.ahead import in_order
from tinynet_fast.rows.blocks import Moments, standardisation
from tinynet_fast.rows.formats import base
from tinynet_fast.scoring import predict_file
from tinynet_fast.tables import number_defaults

JOBS = (1, 2, 3, 8, -1)
X = np.random.default_rng(0).standard_normal((900, 3)) * [1.0, 30.0, 1e-3] + [0.0, 1e6, 0.0]
Y = (X[:, 0] + np.random.default_rng(1).logistic(size=900) > 0).astype(int)
NUMBERS = X[:, 0] * 2.0 + 1.0
NETWORK = MLP(
    weights=[np.random.default_rng(2).standard_normal(size) for size in ((3, 4), (4, 1))],
    biases=[np.zeros(4), np.zeros(1)],
    features=["a", "b", "c"],
)


@pytest.fixture
def eight_cores(monkeypatch):
    """Threads share all rows, however few."""
    monkeypatch.setattr(teams, "cores", lambda: 8)
    monkeypatch.setattr(blocks, "SHARED_FROM", 1)
    monkeypatch.setattr(blocks, "LIST_VALUES", 1)
    monkeypatch.setattr(Moments, "ROWS", 64)
    monkeypatch.setattr(blocks, "BOUND_ROWS", 100)
    monkeypatch.setattr(sharing, "SHARED_FROM", 1 << 10)
    monkeypatch.setattr(sharing, "PIECE_VALUES", 1 << 8)


@pytest.fixture
def files(tmp_path):
    np.savetxt(tmp_path / "rows.csv", np.c_[X, Y], "%.17g", ",", header="a,b,c,y", comments="")
    return tmp_path


def written(folder, name, n_jobs):
    predict_file(NETWORK, folder / "rows.csv", folder / name, features=["a", "b", "c"], n_jobs=n_jobs)
    return (folder / name).read_bytes()


def searched(result):
    return result.rate_search, result.model.weights, result.model.biases if hasattr(result.model, "biases") else None


def sparse():
    return pytest.importorskip("scipy.sparse").csr_array(X * [1.0, 0.0, 1.0])


DOORS = {
    "predictions in CSV": lambda n, folder: written(folder, "out.csv", n),
    "evaluate, a file": lambda n, folder: evaluate(NETWORK, folder / "rows.csv", "y", n_jobs=n).to_json(),
    "evaluate, arrays": lambda n, folder: evaluate(NETWORK, X, Y, n_jobs=n).to_json(),
    "standardised": lambda n, _: standardisation(X, None, n),
    "standardised, some rows": lambda n, _: standardisation(X, None, n, np.arange(0, 900, 2)[::-1].copy()),
    "a neuron's rate": lambda n, _: searched(
        train_neuron(X, Y, standardize=True, learning_rate="auto", validation=0.2, seed=1, n_jobs=n)
    ),
    "a rate for numbers": lambda n, _: searched(
        train_neuron(X, NUMBERS, output="linear", standardize=True, learning_rate="auto", n_jobs=n)
    ),
    "a rate for huber": lambda n, _: searched(
        train_neuron(X, NUMBERS, output="linear", loss="huber", standardize=True, learning_rate="auto", n_jobs=n)
    ),
    "a rate for sparse rows": lambda n, _: vars(auto_rate(sparse(), Y, l2=0.01, n_jobs=n)),
    "auto_rate": lambda n, _: vars(auto_rate(X[:, :1], Y, epochs=2, average=True, n_jobs=n)),
    "a network's rate": lambda n, _: searched(
        train_mlp(X, Y, hidden=3, standardize=True, learning_rate="auto", epochs=20, batch_size=30, seed=1, n_jobs=n)
    ),
    "a table": lambda n, _: (
        train(
            {"a": X[:, 0], "b": X[:, 1], "y": Y}, "y", learning_rate=0.1, epochs=2, l2=0.1, average=True, n_jobs=n
        ).model.weights
    ),
}


@pytest.mark.filterwarnings("ignore::tinynet_fast.errors.TrainingWarning")
@pytest.mark.parametrize("door", DOORS)
def test_the_bits_do_not_depend_on_n_jobs(door, eight_cores, files):
    ref = pickle.dumps(DOORS[door](None, files))
    for n_jobs in JOBS[1:3] if "rate" in door else JOBS:
        assert pickle.dumps(DOORS[door](n_jobs, files)) == ref


@pytest.mark.parametrize("door", DOORS)
def test_a_number_of_threads_that_makes_no_sense(door, files):
    with pytest.raises(ValueError, match="n_jobs is 0; a whole number of at least 1 is needed, or -1 for all cores"):
        DOORS[door](0, files)


def test_a_table_of_numbers_tries_a_network_with_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(number_defaults, "_better", lambda rows, neuron, given, seed: "a network was tried")
    for given_too in ({}, {"n_jobs": 2}):
        found = number_defaults.find_number_options(X[:60], NUMBERS[:60], None, {"learning_rate": "auto"} | given_too)
        assert found != "a network was tried"  # a rate is for the neuron
        given_too |= {"epochs": 3, "l2": 0.1}
        assert number_defaults.find_number_options(X[:60], NUMBERS[:60], None, given_too) == "a network was tried"


# --- means and deviations ---------------------------------------------------------------------------------------------


def in_turn(rows):
    """Blocks one after the other, as streamed rows and shards add them."""
    moments = Moments(rows.shape[1])
    for start in range(0, len(rows), moments.block_rows):
        moments.add(rows[start : start + moments.block_rows])
    return moments.standardisation(None)


@given(st.integers(1, 300), st.integers(1, 20), st.integers(1, 8), st.integers(0, 9), st.sampled_from("dflB"))
def test_means_and_deviations_are_those_of_blocks_in_turn(n, d, n_jobs, seed, kind):
    rows = (np.random.default_rng(seed).standard_normal((n, d)) * 50.0 + 100.0).astype(kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teams, "cores", lambda: 8)
        patch.setattr(blocks, "SHARED_FROM", 1)
        patch.setattr(blocks, "LIST_VALUES", 100)
        patch.setattr(Moments, "ROWS", 16)
        ref, comp = in_turn(rows), standardisation(rows, None, n_jobs)
    assert [part.tobytes() for part in comp] == [part.tobytes() for part in ref]


def test_a_column_that_is_too_large_is_named_by_all_numbers_of_threads(eight_cores):
    rows = np.c_[X, np.tile([1e200, -1e200], 450)]
    for n_jobs in (None, 3):
        with pytest.raises(ValueError, match="column 'd' is too large to standardise"):
            standardisation(rows, list("abcd"), n_jobs)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2, 8])
def test_a_row_that_cannot_be_predicted_is_named_and_nothing_is_written(n_jobs, eight_cores, files):
    (files / "rows.csv").write_text("a,b,c\n" + "1,2,3\n" * 500 + "1,x,3\n" + "1,2,3\n" * 500, encoding="utf-8")
    with pytest.raises(ValueError, match=r"rows\.csv, line 502, column 'b'"):
        written(files, "out.csv", n_jobs)
    assert not (files / "out.csv").exists()


def test_several_threads_predict_chunks(eight_cores, files, monkeypatch):
    """Two chunks are predicted at the same time: each waits for the other."""
    together = threading.Barrier(2, timeout=60)
    seen = itertools.count()

    class Waits(Neuron):
        def predict_proba(self, X, **options):
            if next(seen) < 2:
                together.wait()
            return super().predict_proba(X, **options)

    monkeypatch.setattr(base, "CHUNK_BYTES", 800)
    np.save(files / "a.npy", np.zeros((4000, 1)))
    assert predict_file(Waits(weights=[1.0]), files / "a.npy", files / "out.csv", n_jobs=2) == 4000
    assert next(seen) > 5


@pytest.mark.parametrize("allowed", [1, 3])
def test_no_more_threads_read_than_there_are_cores(allowed, files, monkeypatch):
    """A task of Dask has one. That the rows are the same is tested where files are."""
    csv = pytest.importorskip("tinynet_fast.rows.formats.csv")
    parquet = pytest.importorskip("tinynet_fast.rows.formats.parquet")
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(arrow.table({"a": X[:, 0], "y": Y}), files / "rows.parquet")
    workers, threads, iter_batches = [], [], pq.ParquetFile.iter_batches
    monkeypatch.setattr(csv, "cores", lambda: allowed)
    monkeypatch.setattr(parquet, "cores", lambda: allowed)
    monkeypatch.setattr(arrow, "cpu_count", lambda: 16)
    monkeypatch.setattr(csv, "in_order", lambda tasks, count: workers.append(count) or in_order(tasks, count))

    def noted(file, *arguments, use_threads, **options):
        threads.append(use_threads)
        return iter_batches(file, *arguments, use_threads=use_threads, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", noted)
    for name in ("rows.csv", "rows.parquet"):
        train_neuron(files / name, "y", learning_rate=1e-9)
    assert (set(workers), set(threads)) == ({allowed}, {allowed > 1})


# --- validate ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def few_cases(monkeypatch):
    monkeypatch.setattr(teams, "cores", lambda: 8)
    monkeypatch.setattr(proof, "battery", lambda turns: itertools.islice(battery(turns), 3))


def named(name):
    return next((number, problems) for number, (case, problems, _) in enumerate(battery(1)) if case == name)


def in_a_thread(work):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()
    thread.join()
    return answers[0]


def as_bytes(solutions):
    return {name: [(p.tobytes(), np.asarray(x).tobytes()) for p, x in each] for name, each in solutions.items()}


@pytest.mark.skipif(UNCOMPILED, reason="kernels that run as plain Python need no second process")
def test_a_process_solves_to_the_same_bits():
    """Also if weights become NaN, whose sign is one of the bits."""
    cases = [named("neuron, small steps"), named("linear, poisson"), named("network, Adam")]
    with solvers.Solvers(1) as processes:
        assert processes.solve(0) == {}  # this thread solves by itself
        comps = in_a_thread(lambda: [processes.solve(number) for number, _ in cases])
        assert len(processes.processes) == 1
    with np.errstate(all="ignore"):
        refs = [solvers.interpreted_solutions(problems) for _, problems in cases]
    assert [*map(as_bytes, comps)] == [*map(as_bytes, refs)]
    assert any(np.isnan(p).any() for p, _ in refs[1]["reference"])
    assert processes.processes[0].returncode is not None


def test_the_report_does_not_depend_on_n_jobs(few_cases):
    ref = validate(X[:50], Y[:50]).to_json()
    comp = validate(X[:50], Y[:50], n_jobs=3).to_json()
    assert comp == ref
    assert len(ref["verdicts"]) > 9


def test_without_a_process_threads_solve_by_themselves(few_cases, monkeypatch):
    monkeypatch.setattr(solvers.sys, "executable", "")
    assert validate(n_jobs=2).kept


def test_a_process_that_ends_is_made_up_for(few_cases, monkeypatch):
    monkeypatch.setattr(solvers, "START", "raise SystemExit(1)")
    assert validate(n_jobs=2).kept


# --- processes and Ctrl-C ---------------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_processes_of_validate(monkeypatch):
    """Within 0.2 s, though each works on a case for longer than that."""
    monkeypatch.setattr(teams, "cores", lambda: 8)
    monkeypatch.setattr(solvers, "START", "import time; time.sleep(60)")
    made = []
    monkeypatch.setattr(proof, "Solvers", lambda turns: made.append(solvers.Solvers(turns)) or made[0])
    with ended_by_ctrl_c(within=1.0):
        validate(n_jobs=2, engines=[proof.REFERENCE])
    assert [process.returncode is not None for process in made[0].processes] == [True]


def test_ctrl_c_ends_a_prediction_of_files(eight_cores, files):
    np.save(files / "a.npy", np.zeros((3, 1)))
    predict_file(
        Neuron(weights=[1.0]), files / "a.npy", files / "out.csv", n_jobs=2
    )  # compiles, which is not interrupted
    np.save(files / "a.npy", np.zeros((3_000_000, 1)))
    with ended_by_ctrl_c(within=1.0):
        for _ in range(1000):
            predict_file(Neuron(weights=[1.0]), files / "a.npy", files / "out.csv", n_jobs=2)
    assert sorted(path.name for path in files.iterdir()) == ["a.npy", "out.csv", "rows.csv"]


def in_child(sender):
    sender.send(pickle.dumps(standardisation(np.tile(X, (600, 1)), None, 2)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_of_a_process_with_threads(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    ref = pickle.dumps(standardisation(np.tile(X, (600, 1)), None))
    context = multiprocessing.get_context(method)
    with teams.Team(2) as team:
        team.map(lambda k: k, range(4))
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=in_child, args=(sender,))
        child.start()
        assert receiver.poll(60)
        assert receiver.recv() == ref
        child.join()
    assert child.exitcode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_answers_in_order_after_a_fork():
    with teams.Team(2) as team:
        assert list(team.in_order(abs, [-1, 2])) == [1, 2]
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            os._exit(0 if list(team.in_order(abs, [-1, 2, -3])) == [1, 2, 3] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
