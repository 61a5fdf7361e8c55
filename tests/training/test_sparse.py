"""SciPy's sparse rows in `train_neuron`, `auto_rate` and `Neuron`: options, formats and bad input."""

import subprocess
import sys

import numpy as np
import pytest
from compare import assert_keeps, distance, flat

from tinynet_fast import Neuron, TrainingDivergedError, auto_rate, train_neuron
from tinynet_fast.kernels.engines import ENGINES, PORTABLE
from tinynet_fast.rows import sparse as tables

sp = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")

RNG = np.random.default_rng(0)
X = sp.random(240, 50, 0.12, "csr", random_state=0, data_rvs=RNG.standard_normal)
X.data[:5] = 0.0  # zeros that are stored
Y = (X @ RNG.standard_normal(50) + 0.5 * RNG.gumbel(size=240) > 0.2).astype(int)
WEIGHT = RNG.random(240) * (RNG.random(240) < 0.9)
OPTIONS = {
    "plain": {},
    "start": {"weights": 0.3, "bias": -0.2},
    "weighted": {"sample_weight": WEIGHT},
    "l2": {"l2": 0.02},
    "l1": {"l1": 0.005},
    "elastic net, averaged": {"l2": 0.02, "l1": 0.002, "average": 100},
    "averaged": {"average": True},
    "squared error": {"loss": "squared_error"},
    "cosine": {"schedule": "cosine"},
    "optimal": {"schedule": "optimal", "l2": 0.1},
    "shuffled": {"shuffle": True, "seed": 1},
    "blocks": {"shuffle": "blocks", "seed": 1},
    "stopped early": {"validation": 0.2, "seed": 2, "patience": 1, "epochs": 30},
    "validated": {"validation": (X[:60], Y[:60])},
}


def train(rows=X, y=Y, **options):
    return train_neuron(rows, y, **({"epochs": 4, "learning_rate": 0.2} | options))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_engines_and_dense_rows(options):
    """Every engine keeps its promise. Except with l1, which is lazy here, the weights are those of dense rows."""
    ref = train(engine="reference", **options)
    for name in ("numpy", "strict", "fast"):
        comp = train(engine=name, **options)
        left = name == "fast" and options.get("loss") == "squared_error"
        assert comp.engine == ("strict" if left else name)
        changed = name == "fast" and options.get("schedule") == "optimal"  # the first rates overshoot
        assert str(comp.engine).endswith(", after strict for 240 rows") == changed
        promise = ENGINES[comp.engine].promise
        assert_keeps(promise, flat(comp.model), flat(ref.model))
        assert_keeps(promise, comp.loss_history, ref.loss_history)
        assert comp.epochs == ref.epochs
        if ref.validation_loss_history is not None:
            np.testing.assert_allclose(comp.validation_loss_history, ref.validation_loss_history, rtol=1e-10)
    dense = train(X.toarray(), engine="reference", **options)
    if "l1" in options:
        assert distance(flat(ref.model), flat(dense.model)) > 1e-6
    elif "l2" in options or "average" in options:
        assert distance(flat(ref.model), flat(dense.model)) <= 1e-12
    else:
        np.testing.assert_array_equal(flat(ref.model), flat(dense.model), strict=True)
        np.testing.assert_array_equal(ref.loss_history, dense.loss_history, strict=True)
    assert ref.rows == dense.rows
    assert ref.epochs == dense.epochs


@pytest.mark.parametrize("penalty", [{}, {"l2": 0.01}, {"l1": 0.005}, {"l2": 0.01, "l1": 0.005}], ids=str)
@pytest.mark.parametrize("average", [False, True, 100])
def test_weights_are_scikit_learns(penalty, average, monkeypatch):
    """On sparse rows scikit-learn moves the intercept a hundredth as far; here it is made to move the whole step."""
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    monkeypatch.setattr("sklearn.linear_model._base.SPARSE_INTERCEPT_DECAY", 1.0)
    total = sum(penalty.values())
    options = {"penalty": "elasticnet" if penalty else None, "alpha": total or 1.0, "average": average}
    options |= {"l1_ratio": penalty.get("l1", 0.0) / (total or 1.0), "learning_rate": "constant", "eta0": 0.2}
    ref = linear.SGDClassifier(loss="log_loss", shuffle=False, tol=None, max_iter=4, **options)
    ref.fit(X, Y, sample_weight=WEIGHT)
    for engine in ("strict", "fast"):
        comp = train(sample_weight=WEIGHT, average=average, engine=engine, **penalty)
        assert comp.engine == engine
        assert distance(flat(comp.model), np.append(ref.coef_[0], ref.intercept_)) <= 1e-10


# --- what rows are stored as ------------------------------------------------------------------------------------------


def unsorted(matrix):
    """The same rows, with each row's values stored from right to left."""
    turned = matrix.copy()
    for start, stop in zip(matrix.indptr, matrix.indptr[1:], strict=False):
        turned.indices[start:stop], turned.data[start:stop] = (
            matrix.indices[start:stop][::-1],
            matrix.data[start:stop][::-1],
        )
    turned.has_sorted_indices = turned.has_canonical_format = True  # this is not true, and must not be trusted
    return turned


def twice(matrix):
    """The same rows, with every value stored as two halves."""
    return sp.csr_matrix(
        (np.repeat(matrix.data / 2.0, 2), np.repeat(matrix.indices, 2), matrix.indptr * 2), shape=matrix.shape
    )


def room_behind(matrix):
    """The arrays are longer than the number of values."""
    spare = matrix.copy()
    spare.data, spare.indices = np.append(matrix.data, [np.nan] * 9), np.append(matrix.indices, [10**6] * 9)
    return spare


def wide_indices(matrix):
    wide = matrix.copy()
    wide.indices, wide.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    return wide


def read_only(matrix):
    frozen = matrix.copy()
    for array in (frozen.data, frozen.indices, frozen.indptr):
        array.flags.writeable = False
    return frozen


def strided(matrix):
    spread = matrix.copy()
    spread.data, spread.indices = np.repeat(matrix.data, 2)[::2], np.repeat(matrix.indices, 2)[::2]
    return spread


KINDS = [sp.csr_array, sp.csc_matrix, sp.csc_array, sp.coo_matrix, sp.lil_matrix, sp.dok_array, sp.bsr_matrix]


@pytest.mark.parametrize("kind", [*KINDS, unsorted, twice, room_behind, wide_indices, read_only, strided])
def test_whatever_the_rows_are_stored_as(kind):
    rows = kind(X)
    before = [np.copy(getattr(rows, name)) for name in ("data", "indices", "indptr") if kind not in KINDS]
    for engine in ("reference", "fast"):
        comp, ref = train(rows, engine=engine), train(engine=engine)
        np.testing.assert_array_equal(flat(comp.model), flat(ref.model), strict=True)
    np.testing.assert_array_equal(comp.model.predict_proba(rows), ref.model.predict_proba(X))
    after = [getattr(rows, name) for name in ("data", "indices", "indptr") if kind not in KINDS]
    for now, then in zip(after, before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("dtype", ["float32", "int8", "int64", "bool", "uint16", ">f8", "float16", "longdouble"])
def test_types_of_numbers(dtype):
    """All types train as the same numbers in float64 do; float32 is read as it is."""
    stored = sp.csr_matrix((np.round(X.data * 3), X.indices, X.indptr), shape=X.shape)
    if dtype in ("float16", ">f8", "longdouble"):  # SciPy takes other bytes than its own by the attribute alone
        rows = stored.copy()
        rows.data = stored.data.astype(dtype)
    else:
        rows = abs(stored).astype(dtype) if dtype in ("bool", "uint16") else stored.astype(dtype)
    values = rows.data.astype(np.float64)
    ref = train(sp.csr_matrix((values, X.indices, X.indptr), shape=X.shape), engine="strict")
    np.testing.assert_array_equal(flat(train(rows, engine="strict").model), flat(ref.model), strict=True)
    if dtype == "float32":
        assert np.shares_memory(tables.as_csr(rows).data, rows.data)


def test_nothing_is_copied():
    table = tables.as_csr(X)
    for part in (table, table[10:20], table[RNG.permutation(240)]):
        assert np.shares_memory(part.data, X.data)
        assert np.shares_memory(part.indices, X.indices)
    assert table[10:20].shape == (10, 50)
    assert tables.as_csr(table) is table


@pytest.mark.parametrize("stored", [0, 1])
def test_rows_that_store_nothing(stored):
    """Then only the bias is learned, as from dense rows."""
    rows = sp.csr_matrix((6, 3))
    if stored:
        rows = sp.csr_matrix(([2.0], ([4], [1])), shape=(6, 3))
    y = [0, 1, 1, 0, 1, 1]
    for engine in ENGINES:
        comp, ref = train(rows, y, engine=engine, l2=0.1), train(rows.toarray(), y, engine=engine, l2=0.1)
        assert distance(flat(comp.model), flat(ref.model)) <= 1e-14
    np.testing.assert_allclose(comp.model.predict_proba(rows), comp.model.predict_proba(rows.toarray()), rtol=1e-14)
    assert auto_rate(rows, y, epochs=3).learning_rate > 0.0


@pytest.mark.parametrize("cut", [1, 7, 64])
def test_rows_are_checked_piece_by_piece(cut, monkeypatch):
    """At every end of a piece, rows in order are found to be in order, and others are not."""
    monkeypatch.setattr(tables, "CHECKED_VALUES", cut)
    assert np.shares_memory(tables.as_csr(X).data, X.data)
    short = sp.csr_matrix(([1.0, 2.0, 3.0, 4.0], [2, 0, 0, 2], [0, 1, 1, 2, 4]), shape=(4, 3))
    assert np.shares_memory(tables.as_csr(short).data, short.data)
    for other in (unsorted(X), twice(X)):
        table = tables.as_csr(other)
        np.testing.assert_array_equal(table.data, X.data)
        np.testing.assert_array_equal(table.indices, X.indices)


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["numpy", "strict", "fast"])
def test_a_run_that_was_stopped_ends_with_the_same_bits(engine, tmp_path, monkeypatch):
    """The run is stopped between two epochs and, by Ctrl-C, in the middle of one."""
    from tinynet_fast.kernels.engines import Engine
    from tinynet_fast.training.neuron_updates import SparseNeuron

    monkeypatch.setattr(Engine, "block_rows", lambda *anything: 50)
    options = {"l2": 0.3, "l1": 0.002, "average": 30, "shuffle": True, "seed": 3, "sample_weight": WEIGHT}
    options |= {"engine": engine, "epochs": 6, "validation": 0.2}
    ref, file = train(**options), tmp_path / "run.ckpt.json"
    done, kernel = [], SparseNeuron.train

    def interrupted(self, *block):
        done.append(len(block[1]))
        if len(done) % 7 == 0:
            raise KeyboardInterrupt
        kernel(self, *block)

    monkeypatch.setattr(SparseNeuron, "train", interrupted)
    for _ in range(20):
        try:
            comp = train(checkpoint=file, checkpoint_seconds=0, **options)
            break
        except KeyboardInterrupt:
            pass
    np.testing.assert_array_equal(flat(comp.model), flat(ref.model), strict=True)
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history, strict=True)
    np.testing.assert_array_equal(comp.validation_loss_history, ref.validation_loss_history, strict=True)
    assert len(done) > 30


def test_a_checkpoint_of_other_rows_is_refused(tmp_path):
    file = tmp_path / "run.ckpt.json"
    train(checkpoint=file)
    assert train(wide_indices(X), checkpoint=file).epochs == 4  # the same rows
    value, column, row = X.copy(), X.copy(), X.copy()
    value.data[70] += 1.0
    column.indices[70] = next(j for j in range(50) if j not in X.indices[60:80])
    row.indptr[3] += 1
    column.sort_indices()
    for other in (value, column, X.astype(np.float32), X.toarray()):
        with pytest.raises(ValueError, match="a checkpoint of another run"):
            train(other, checkpoint=file)
    with pytest.raises(ValueError, match="validation_rows"):
        train(checkpoint=file, validation=(X[:9], Y[:9]))


@pytest.mark.parametrize("average", [False, True])
def test_the_rate_is_found(average):
    """The rate is as good as the one found for the same rows when dense."""
    result = train(learning_rate="auto", epochs=5, average=average, l2=1e-3)
    dense = train(X.toarray(), learning_rate="auto", epochs=5, average=average, l2=1e-3)
    assert "the least log loss" in result.rate_search.reason
    assert result.model.loss(X, Y) <= dense.model.loss(X, Y) * 1.02
    assert auto_rate(X, Y, epochs=5, average=average, l2=1e-3).learning_rate == pytest.approx(
        result.rate_search.learning_rate
    )
    rates = result.rate_search.rates
    assert (np.diff(rates) > 0.0).all()
    assert len(rates) == 14
    held = train(learning_rate="auto", validation=0.3, seed=1, sample_weight=WEIGHT)
    assert held.rate_search.rows == 168


def test_callbacks():
    seen = []
    train(callback=lambda epoch: seen.append(epoch.model.loss(X, Y)), epochs=3)
    assert len(seen) == 3
    assert seen[2] < seen[0]
    assert train(callback=lambda epoch: True).epochs == 1


def test_a_step_that_can_overshoot_is_left_to_strict():
    assert train(learning_rate=100.0).engine == "strict"
    assert train(X * 100.0).engine == "strict"
    assert train(weights=1e9).engine == "strict"


def test_divergence():
    for rows, engine in ((X * 1e200, "strict"), (X * 1e200, "reference"), (X * 1e150, "numpy")):
        with pytest.raises(TrainingDivergedError, match="learning_rate"):
            train(rows, engine=engine, learning_rate=1e300)
    with pytest.raises(TrainingDivergedError) as info:
        train(X * 1e100, learning_rate=1e300)
    assert 0.0 < info.value.safe_learning_rate < 1e-199


# --- prediction -------------------------------------------------------------------------------------------------------


def test_prediction(monkeypatch):
    """Predictions are those of dense rows, also from the compiled kernel, however the model was trained."""
    model = train().model
    for least in (1 << 18, 1):
        monkeypatch.setattr("tinynet_fast.models.base.COMPILED_FROM", least)
        np.testing.assert_allclose(model.decision_function(X), model.decision_function(X.toarray()), rtol=1e-12)
        np.testing.assert_allclose(model.predict_proba(X), model.predict_proba(X.toarray()), rtol=1e-12)
        np.testing.assert_array_equal(model.predict(X, 0.3), model.predict(X.toarray(), 0.3))
        assert model.score(X, Y) == model.score(X.toarray(), Y)
        assert model.loss(X, Y) == pytest.approx(model.loss(X.toarray(), Y), rel=1e-12)
        assert model.predict_proba(X[3:4]).shape == (1,)
    ref = train(X.toarray(), validation=(X[:60], Y[:60]))
    comp = train(X, validation=(X[:60].toarray(), Y[:60]))
    np.testing.assert_allclose(comp.validation_loss_history, ref.validation_loss_history, rtol=1e-12)


def test_labels_are_those_of_training(tmp_path):
    y = np.where(Y == 1, "yes", "no")
    model = train(y=y).model
    assert set(model.predict(X)) == {"yes", "no"}
    with pytest.raises(ValueError, match="an unknown label"):
        model.score(X, ["maybe"] * 240)


def test_the_plain_engines_need_no_numba():
    code = (
        "import sys, numpy as np, scipy.sparse as sp, tinynet_fast as t; X = sp.csr_matrix(np.eye(4));"
        "r = [t.train_neuron(X, [0, 1, 0, 1], epochs=2, engine=e).model.predict(X) for e in ('numpy', 'reference')];"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_model_of_sparse_rows_is_saved_and_loaded(tmp_path):
    model = train(average=True).model
    model.save(tmp_path / "model.json")
    from tinynet_fast import load

    again = load(tmp_path / "model.json")
    assert isinstance(again, Neuron)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X), strict=True)


@pytest.mark.parametrize("width", [2**31 - 1, 2**31])
def test_places_of_the_widest_rows(width):
    """The kernels of "portable" take places of 32 bits, and of 64 where 32 do not reach."""
    rows = tables.CSR(np.ones(2), np.array([0, width - 1]), np.array([0, 2]), np.arange(1), width)
    _, places, *_ = PORTABLE.sparse_rows(rows)
    assert places.dtype == (np.int32 if width < 2**31 else np.int64)
    assert places.tolist() == [0, width - 1]
