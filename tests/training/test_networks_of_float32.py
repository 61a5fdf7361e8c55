"""`train_mlp(dtype="float32")`: engines, float64, PyTorch, models, checkpoints, threads, and what is refused."""

import numpy as np
import pytest

import tinynet_fast
from tinynet_fast import MLP, load, sweep_mlp, train_mlp
from tinynet_fast.kernels import engines
from tinynet_fast.models.layers import flatten

pytest.importorskip("numba", reason="the library has no kernels of float32 networks")

N = 120
RNG = np.random.default_rng(3)
X = RNG.standard_normal((N, 6)).astype(np.float32)
Y = (X[:, 0] + RNG.standard_normal(N) > 0).astype(int)
NUMBERS = (X[:, :2] @ RNG.standard_normal((2, 2)) + 0.1 * RNG.standard_normal((N, 2))).astype(np.float32)
CLASSES = RNG.integers(0, 3, N)
CASES = {
    "labels": (Y, {"hidden": (5,)}),
    "batches, adam": (Y, {"hidden": (9, 4), "batch_size": 32, "optimizer": "adam", "learning_rate": 0.01}),
    "three labels, dropout": (CLASSES, {"hidden": (7,), "batch_size": 16, "dropout": 0.2, "activation": "silu"}),
    "numbers": (NUMBERS, {"hidden": (5,), "output": "linear", "batch_size": 9, "activation": "tanh", "l2": 0.01}),
    "a loss that strict has": (Y, {"hidden": (5,), "loss": "focal", "batch_size": 50}),
    "weights, mixup": (Y, {"hidden": (5,), "batch_size": 20, "mixup": 0.2, "class_weight": "balanced"}),
}


def trained(case, rows=X, **options):
    y, given = CASES[case]
    return train_mlp(rows, y, **({"epochs": 3, "seed": 1, "shuffle": True, "dtype": "float32"} | given | options))


def parameters(result):
    return flatten(result.model.weights, result.model.biases)


def apart(a, b):
    a, b = a.astype(float), b.astype(float)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.parametrize("case", CASES)
def test_engines_and_float64(case):
    ref = trained(case, engine="reference")
    strict = trained(case, engine="strict")
    np.testing.assert_array_equal(parameters(strict), parameters(ref), strict=True)
    np.testing.assert_array_equal(strict.loss_history, ref.loss_history)
    for engine in ("fast", "numpy"):
        comp = trained(case, engine=engine)
        assert parameters(comp).dtype == np.float32
        assert apart(parameters(comp), parameters(ref)) <= 1e-5
        np.testing.assert_allclose(comp.loss_history, ref.loss_history, rtol=1e-5)
    double = trained(case, dtype="float64")
    updates = 3 * -(-N // double.model.training["batch_size"])
    assert 0.0 < apart(parameters(ref), parameters(double)) <= 1e-7 * (2 + updates)


@pytest.mark.parametrize("batch_size", [None, 32])
def test_pytorch(batch_size):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    given = {"hidden": (8,), "activation": "tanh", "batch_size": batch_size, "learning_rate": 0.5, "seed": 2}
    start = train_mlp(X, Y, epochs=1, learning_rate=1e-30, hidden=(8,), activation="tanh", seed=2).model
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    with torch.no_grad():
        for layer, w, b in zip((net[0], net[2]), start.weights, start.biases, strict=True):
            layer.weight.copy_(torch.tensor(w.T))
            layer.bias.copy_(torch.tensor(b))
    steps, loss = torch.optim.SGD(net.parameters(), lr=0.5), torch.nn.BCEWithLogitsLoss()
    inputs, labels = torch.tensor(X), torch.tensor(Y.astype(np.float32))
    size = batch_size or N
    for _ in range(10):
        for first in range(0, N, size):
            steps.zero_grad()
            loss(net(inputs[first : first + size])[:, 0], labels[first : first + size]).backward()
            steps.step()
    assert net[0].weight.dtype == torch.float32
    layers = [[part.detach().numpy().T for part in (layer.weight, layer.bias)] for layer in (net[0], net[2])]
    ref = flatten(*zip(*layers, strict=True))
    comp = train_mlp(X, Y, epochs=10, dtype="float32", **given)
    assert apart(parameters(comp), ref) <= 1e-5


@pytest.mark.parametrize("engine", ["fast", "numpy"])
def test_rows_of_either_type_and_threads_give_the_same_bits(engine):
    ref = parameters(trained("batches, adam", engine=engine))
    np.testing.assert_array_equal(parameters(trained("batches, adam", X.astype(float), engine=engine)), ref)
    many = np.tile(X, (40, 1)), np.tile(Y, 40)
    options = {"hidden": (30,), "epochs": 2, "seed": 1, "dtype": "float32", "engine": engine}
    comp, ref = (parameters(train_mlp(*many, n_jobs=jobs, **options)) for jobs in (2, 1))
    np.testing.assert_array_equal(comp, ref)


def test_a_model_keeps_its_type(tmp_path):
    model = trained("three labels, dropout").model
    assert model.dtype == model.training["dtype"] == "float32"
    model.save(tmp_path / "model.json")
    again = load(tmp_path / "model.json")
    assert again.dtype == "float32"
    comp, ref = (flatten(each.weights, each.biases) for each in (again, model))
    np.testing.assert_array_equal(comp, ref, strict=True)
    for rows in (X, np.tile(X, (500, 1))):  # NumPy, and the compiled kernels
        comp, ref = model.decision_function(rows), as_double(model).decision_function(rows)
        assert comp.dtype == np.float64
        assert 0.0 < apart(comp, ref) <= 1e-6
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def as_double(model):
    layers = {"weights": model.weights, "biases": model.biases}
    return MLP(**layers, activation=model.activation, labels=model.labels)


def test_a_model_of_float64_has_no_such_field(tmp_path):
    model = trained("labels", dtype="float64").model
    assert "dtype" not in model.training
    model.save(tmp_path / "model.json")
    assert '"dtype"' not in (tmp_path / "model.json").read_text()
    assert load(tmp_path / "model.json").dtype == "float64"


@pytest.mark.parametrize("options", [{"standardize": True}, {"output": "linear", "standardize_y": True}], ids=str)
def test_a_standardised_model_works_with_float64(options):
    """Raw inputs of 1e6 + x: float32 has no digit of x left, and float64 has ten."""
    far = X.astype(float) + (1e6 if "standardize" in options else 0.0)
    y = NUMBERS[:, 0] if "output" in options else Y
    given = {"hidden": (5,), "epochs": 5, "seed": 1, **options}
    comp, ref = (train_mlp(far, y, dtype=dtype, **given).model for dtype in ("float32", "float64"))
    assert comp.dtype == "float64"
    assert comp.training["dtype"] == "float32"
    assert apart(comp.decision_function(far), ref.decision_function(far)) <= 1e-5


@pytest.mark.parametrize("engine", ["fast", "strict", "numpy", "reference"])
def test_a_checkpoint_goes_on_with_the_same_bits(tmp_path, engine):
    path, given = tmp_path / "run.json", {"engine": engine}
    whole = parameters(trained("batches, adam", **given))
    trained("batches, adam", epochs=1, checkpoint=path, **given)
    comp = trained("batches, adam", checkpoint=path, **given)
    np.testing.assert_array_equal(parameters(comp), whole)
    with pytest.raises(ValueError, match="dtype was 'float32' and is 'float64'"):
        trained("batches, adam", dtype="float64", checkpoint=path, **given)


def test_a_checkpoint_of_float64_is_not_for_float32(tmp_path):
    trained("labels", dtype="float64", checkpoint=tmp_path / "run.json")
    with pytest.raises(ValueError, match="dtype was 'float64' and is 'float32'"):
        trained("labels", checkpoint=tmp_path / "run.json")


def test_auto():
    comp, ref = (trained("labels", learning_rate="auto", dtype=dtype) for dtype in ("float32", "float64"))
    assert comp.rate_search.learning_rate == ref.rate_search.learning_rate


def test_long_sums_are_left_to_strict():
    assert trained("labels", X * 600.0).engine == "strict"
    assert trained("labels", X * 600.0, dtype="float64").engine == "fast"
    assert train_mlp(X, Y, sample_weight=np.full(N, 1e-35), dtype="float32", epochs=1).engine == "strict"


@pytest.mark.parametrize("dtype", ["float16", "int32", None, 3, "text"])
def test_other_types_are_refused(dtype):
    with pytest.raises(ValueError, match=r"there are no networks of dtype .*: use 'float64' or 'float32'"):
        trained("labels", dtype=dtype)


def test_numpys_types_are_taken():
    np.testing.assert_array_equal(parameters(trained("labels", dtype=np.float32)), parameters(trained("labels")))


def test_what_float32_cannot_hold_is_refused():
    large = X.astype(float) * 1e39
    with pytest.raises(ValueError, match="X holds a number that is too large for float32: use standardize=True"):
        trained("labels", large)
    with pytest.raises(ValueError, match="y holds a number that is too large for float32: use standardize_y=True"):
        train_mlp(X, NUMBERS[:, 0].astype(float) * 1e39, output="linear", dtype="float32")
    start = {"weights": [np.full((6, 4), 1e39), np.ones((4, 1))]}
    with pytest.raises(ValueError, match="weights or biases hold a number that is too large for float32"):
        train_mlp(X, Y, hidden=(4,), dtype="float32", **start)
    with pytest.raises(ValueError, match="too large for float32"):
        MLP(weights=start["weights"], biases=[np.zeros(4), np.zeros(1)], dtype="float32")
    with pytest.raises(ValueError, match="dtype is 'float16'"):
        MLP(weights=[np.ones((6, 4)), np.ones((4, 1))], biases=[np.zeros(4), np.zeros(1)], dtype="float16")


def test_portable_refuses_it():
    with pytest.raises(ValueError, match="'portable' trains in float64: use engine='strict' or dtype='float64'"):
        trained("labels", engine="portable")


@pytest.mark.parametrize("engine", ["fast", "strict", "numpy"])
def test_without_numba(monkeypatch, engine):
    monkeypatch.setattr(engines.Engine, "has_singles", property(lambda engine: not engine.compiles_singles))
    if engine == "numpy":
        trained("labels", engine=engine)
        return
    with pytest.raises(ValueError, match=f"the engine '{engine}' needs kernels that Numba compiles.*pip install numba"):
        trained("labels", engine=engine)


@pytest.mark.filterwarnings("ignore::tinynet_fast.TrainingWarning")
@pytest.mark.parametrize("engine", ["fast", "strict", "numpy", "reference"])
@pytest.mark.parametrize("case", ["batches, adam", "numbers", "weights, mixup"])
def test_networks_of_a_sweep_have_the_bits_of_their_own_runs(case, engine):
    y, given = CASES[case]
    options = {"epochs": 2, "shuffle": True, "dtype": "float32", "engine": engine} | given
    options |= {"learning_rate": [0.01, 0.05], "seed": [1, 2]}
    fold = np.arange(N) % 2
    result = sweep_mlp(X, y, folds=fold, **options)
    assert not result.side_by_side.any()
    for i, model in enumerate(result.models):
        own = options | {"learning_rate": float(result.learning_rate[i]), "seed": result.seed[i]}
        kept = fold != result.fold[i]
        ref = train_mlp(X[kept], y[kept], **own)
        assert model.dtype == "float32"
        np.testing.assert_array_equal(flatten(model.weights, model.biases), parameters(ref), strict=True)
        np.testing.assert_array_equal(result.loss_history[:, i], ref.loss_history)
        assert result.fold[i] < 0 or result.held_out_loss[i] == ref.model.loss(X[~kept], y[~kept])


def test_sweeps_refuse_what_train_mlp_refuses():
    with pytest.raises(ValueError, match="'portable' trains in float64"):
        sweep_mlp(X, Y, dtype="float32", engine="portable", seed=[1, 2], epochs=1)
    with pytest.raises(ValueError, match="X holds a number that is too large for float32: use standardize=True"):
        sweep_mlp(X.astype(float) * 1e39, Y, dtype="float32", seed=[1, 2], epochs=1)
    with pytest.raises(ValueError, match="weights or biases hold a number that is too large for float32"):
        sweep_mlp(X, Y, dtype="float32", weights=[np.full((6, 4), 1e39), np.ones((4, 1))], epochs=1)


@pytest.mark.parametrize("value", ["float16", 3, None])
def test_a_file_with_another_type_is_refused(tmp_path, value):
    path = tmp_path / "model.json"
    model = trained("labels").model
    fields = model._fields() | {"dtype": value}
    with pytest.raises(ValueError, match="field 'dtype'"):
        MLP._from_fields(fields, {})
    model.save(path)
    assert tinynet_fast.load(path).dtype == "float32"


def test_streamed_rows():
    rows = [(X[start : start + 50], Y[start : start + 50]) for start in range(0, N, 50)]
    given = {"hidden": (5,), "epochs": 1, "seed": 1, "dtype": "float32", "labels": [0, 1]}
    comp, ref = train_mlp(lambda: iter(rows), **given), train_mlp(X, Y, **given)
    np.testing.assert_array_equal(parameters(comp), parameters(ref))
