"""The library of kernels that were compiled with the wheel: `make test-wheel`, or `make native` and then these."""

import os
import pickle
import re
import subprocess
import sys
import types
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from compare import needs_library

from tinynet_fast import train_neuron
from tinynet_fast.kernels import reference
from tinynet_fast.kernels.compiler import jit, native
from tinynet_fast.kernels.compiler.signatures import AHEAD, DIRECT, LATER, numbered
from tinynet_fast.kernels.engines import EngineName
from tinynet_fast.kernels.fast.neuron import TABLE
from tinynet_fast.proof.battery import battery
from tinynet_fast.proof.validate import reference_solutions

library = None if jit.UNCOMPILED else native.library()
SGD = "fast.neuron.wide_epochs", "d2 d1 d1 dw1 dw1 dw1 d1 t0"


def run(code, *arguments, **environment):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=native.LEVELS)
def level(request):
    if request.param not in library.levels:
        pytest.skip(f"this CPU has no {request.param}")
    return request.param


@needs_library
def test_every_entry_is_there():
    for level in library.levels:
        at = native.Library(native.path(), level)
        for _, name, signature in numbered(level):
            assert at.entry(name, signature) is not None, (level, name, signature)
    assert library.entry("fast.neuron.wide_epochs", "i2 d1") is None
    assert library.entry("fast.no_such_kernel", "d2") is None


@needs_library
def test_no_path_of_the_machine_that_compiled_it():
    """And none of the files of the system but the C library's."""
    found = set(re.findall(rb"[\w.~-]*(?:/[\w.~+-]+){2,}", Path(native.path()).read_bytes()))
    assert not found, found
    assert b".py" not in Path(native.path()).read_bytes()


VALIDATE = """
import pickle
import sys
sys.modules["numba"] = sys.modules["llvmlite"] = None
from tinynet_fast import validate
refs = iter(pickle.load(open(sys.argv[1], "rb")))
sys.modules["tinynet_fast.proof.validate"].reference_solutions = lambda problems: next(refs)
seen = validate()
assert all(v.kept for v in seen.verdicts), [v for v in seen.verdicts if not v.kept]
print(sorted({str(v.engine) for v in seen.verdicts}))
"""


@pytest.fixture(scope="module")
def refs(tmp_path_factory):
    """A file with what the reference makes of each case of the battery, which is most of the work of `validate`."""
    path = tmp_path_factory.mktemp("refs") / "refs"
    path.write_bytes(pickle.dumps([reference_solutions(problems) for _, problems, _ in battery(turns=1)]))
    return path


@needs_library
def test_every_promise_is_kept_at_every_level_without_numba(level, refs):
    assert run(VALIDATE, refs, TINYNET_FAST_NATIVE=level) == (
        "['fast/native', 'numpy', 'portable/native', 'strict/native']\n"
    )


ALL_SORTS = """
import sys
import types
sys.modules["numba"] = sys.modules["llvmlite"] = None
import numpy as np
from tinynet_fast import sweep, train_mlp, train_neuron
from tinynet_fast.kernels.fast import prediction
rng = np.random.default_rng(0)
for d in (1, 2, 4, 5, 17):
    X = rng.standard_normal((300, d)) / np.sqrt(d)
    y = (X[:, 0] > 0.1 * rng.standard_normal(300)).astype(int)
    for rows in (X, X.astype(np.float32)):
        weighted = {"sample_weight": rng.random(300), "shuffle": True, "seed": 1}
        for options in ({}, {"l2": 0.01, "average": True}, weighted):
            comp, ref = (train_neuron(rows, y, epochs=2, engine=e, **options) for e in ("fast", "reference"))
            assert str(comp.engine) == "fast/native"
            np.testing.assert_allclose(comp.model.weights, ref.model.weights, rtol=1e-11)
            np.testing.assert_allclose(comp.model.predict_proba(rows), ref.model.predict_proba(rows), rtol=1e-11)
            both = np.empty((300, 2))
            assert prediction.predict_both(rows, comp.model.weights, np.array([comp.model.bias]), both)
            np.testing.assert_allclose(both[:, 1], ref.model.predict_proba(rows), rtol=1e-11)
        for shape in ((4,), (3,), (7, 5)):
            options = {"hidden": shape, "batch_size": 32, "epochs": 2, "seed": 0}
            comp, ref = (train_mlp(rows, y, engine=e, **options) for e in ("fast", "reference"))
            assert str(comp.engine) == "fast/native"
            for a, b in zip(comp.model.weights, ref.model.weights):
                np.testing.assert_allclose(a, b, rtol=1e-9)
            np.testing.assert_allclose(comp.model.predict_proba(rows), ref.model.predict_proba(rows), rtol=1e-9)
        many = sweep(rows, y, learning_rate=list(np.geomspace(1e-3, 0.1, 20)), l2=[0, 0.01], folds=3)
        alone = train_neuron(rows, y, learning_rate=0.1, epochs=1).model
        at = next(i for i, m in enumerate(many.models) if m.training["learning_rate"] == 0.1 and not m.training["l2"])
        np.testing.assert_allclose(many.weights[at], alone.weights, rtol=1e-11)
    assert train_neuron(X, y, learning_rate="auto", epochs=1).engine.endswith("/native")
print("done")
"""

SPARSE = """
import sys
import types
sys.modules["numba"] = sys.modules["llvmlite"] = None
import numpy as np
from scipy import sparse
from tinynet_fast import train_neuron
from tinynet_fast.sklearn import SGDClassifier
X = sparse.random_array((300, 40), density=0.1, rng=np.random.default_rng(0)).tocsr()
y = np.asarray(X[:, :20].sum(axis=1) > X[:, 20:].sum(axis=1)).astype(int)
for rows in (X, X.astype(np.float32)):
    for options in ({}, {"l1": 1e-3}, {"l2": 0.01, "average": True}):
        ref = train_neuron(rows, y, epochs=2, engine="reference", **options).model
        for engine in ("fast", "strict"):
            comp = train_neuron(rows, y, epochs=2, engine=engine, **options)
            assert str(comp.engine) == engine + "/native" or options, comp.engine
            np.testing.assert_allclose(comp.model.weights, ref.weights, rtol=1e-11)
            np.testing.assert_allclose(comp.model.predict_proba(rows), ref.predict_proba(rows), rtol=1e-11)
    model = SGDClassifier(loss="log_loss", max_iter=3, tol=None, random_state=0).fit(rows, y)
    assert model.score(rows, y) > 0.8
print("done")
"""


@needs_library
def test_all_sorts_of_training_without_numba(level):
    assert run(ALL_SORTS, TINYNET_FAST_NATIVE=level) == "done\n"


@needs_library
def test_sparse_rows_without_numba(level):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    assert run(SPARSE, TINYNET_FAST_NATIVE=level) == "done\n"


@needs_library
def test_numba_is_not_imported():
    code = (
        "import sys, tinynet_fast as t; r = t.train_neuron([1, 2, 3, 4], [0, 0, 1, 1]); r.model.predict([1]);"
        "t.train_mlp([[1, 2], [3, 4]], [0, 1], epochs=2); print('numba' in sys.modules, r.engine)"
    )
    assert run(code, TINYNET_FAST_NATIVE="1") == "False fast/native\n"


@needs_library
def test_a_level_that_is_none():
    with pytest.raises(ValueError, match="TINYNET_FAST_NATIVE is 'x86-64-v9', and what this machine knows is 0, 1, "):
        native.Library(native.path(), "x86-64-v9")


def test_arrays_are_laid_out_as_the_library_has_it():
    assert native._arrays_are_known()


@pytest.mark.parametrize(
    "changed",
    [
        {"DATA": native.SHAPE},
        {"NDIM": native.FLAGS},
        {"SHAPE": native.SHAPE + 8},  # where the strides are
        {"SHAPE": native.DESCR - 8},  # where the base is, which is no pointer here
        {"DESCR": native.DESCR - 8},
        {"FLAGS": native.NDIM},
        {"TYPE_NUMBER": native.TYPE_NUMBER - 4},
        {"TYPE": native.TYPE - 8},
        {"BYTE_ORDER": native.BYTE_ORDER - 1},
        {"SWAPPED": ord("=")},
        {"C_CONTIGUOUS": 0x2},
        {"ALIGNED": 0x200},
        {"WRITEABLE": 0x100},
    ],
    ids=str,
)
def test_a_numpy_that_keeps_something_elsewhere(changed, monkeypatch):
    """The library is left aside, as it is in a Python that is not CPython, and Numba compiles."""
    library = native.library.__wrapped__
    monkeypatch.setattr(native, "path", lambda: "a library")
    monkeypatch.setattr(native, "is_stale", lambda made: False)
    monkeypatch.setattr(native, "Library", lambda *given: types.SimpleNamespace(level="x86-64-v3"))
    assert library() is not None
    for name, value in changed.items():
        monkeypatch.setattr(native, name, value)
    assert not native._arrays_are_known()
    assert library() is None


def test_a_python_that_is_not_cpython(monkeypatch):
    monkeypatch.setattr(sys, "implementation", types.SimpleNamespace(name="pypy"))
    assert not native._arrays_are_known()


@needs_library
def test_the_library_can_be_left_aside():
    pytest.importorskip("numba", reason="without the library, Numba compiles")
    code = "import tinynet_fast as t; print(t.train_neuron([1, 2], [0, 1], epochs=1).engine)"
    assert run(code, TINYNET_FAST_NATIVE="0") == "fast/jit\n"


def given(d=5, n=3):
    return [np.ones((n, d)), np.ones(n), np.ones(n), np.zeros(d), np.zeros(1), np.zeros(1), np.zeros(8)]


@needs_library
@pytest.mark.parametrize(
    ("number", "wrong", "said"),
    [
        (1, np.ones((3, 5), np.float32), "2 dimensions of float32"),
        (1, np.ones(15), "1 dimensions of float64"),
        (1, np.ones((5, 3)).T, "not C-contiguous"),
        (1, [[1.0]], "a list"),
        (2, np.ones(6)[::2], "not C-contiguous"),
        (4, np.broadcast_to(0.0, 5), "read-only"),
        (2, np.ones(3, np.dtype(float).newbyteorder()), "1 dimensions of [<>]f8"),
        (7, None, "a NoneType"),
    ],
)
def test_an_entry_refuses_what_it_was_not_compiled_for(number, wrong, said):
    arguments = given()
    arguments[number - 1] = wrong
    with pytest.raises(TypeError, match=rf"wide_epochs takes \w+ as argument {number}, and not .*{said}"):
        library.entry(*SGD)(*arguments)


@needs_library
def test_an_entry_takes_memory_maps_and_read_only_rows(tmp_path):
    rows = np.memmap(tmp_path / "rows", dtype=float, shape=(3, 5), mode="w+")
    rows[:] = np.arange(15).reshape(3, 5) / 10
    rows.flags.writeable = False
    weights, bias = [0.0] * 5, [0.0]
    reference.sgd_epochs(rows.tolist(), [1.0] * 3, [1.0] * 3, weights, bias, [0.0])
    arguments = given()
    arguments[0] = rows
    arguments[6] = TABLE
    library.entry(*SGD)(*arguments)
    np.testing.assert_allclose(arguments[3], weights, rtol=1e-13)


@needs_library
def test_a_nan_of_the_kernels_own_is_given_back():
    put = library.entry("fast.columns.put_one", "d1 dw2 l0")
    out = np.zeros((2, 1))
    assert np.isnan(put(np.array([1.0, np.nan]), out, 0))
    assert put(np.array([1.0, 2.0]), out, np.int64(0)) == 0.0


def test_a_stale_library_is_left_aside(tmp_path, monkeypatch):
    """In a source tree: a kernel that was edited after the library was made counts, and not the library."""
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "compile.py").touch()
    kernels = tmp_path / "tinynet_fast" / "kernels"
    kernels.mkdir(parents=True)
    made = kernels / "libtinynet_fast.so"
    made.touch()
    monkeypatch.setattr(native, "KERNELS", str(kernels))
    assert not native.is_stale(str(made))
    (kernels / "fast").mkdir()
    (kernels / "fast" / "neuron.py").touch()
    os.utime(kernels / "fast" / "neuron.py", (made.stat().st_mtime + 10,) * 2)
    assert native.is_stale(str(made))
    (tmp_path / "native" / "compile.py").unlink()  # an installation: files are as new as they were unpacked
    assert not native.is_stale(str(made))


def test_signatures_are_of_kernels():
    """Of kernels that are there, with as many arguments as they take, and each of them once."""
    for table in (AHEAD, LATER):
        for name, signatures in table.items():
            module, _, kernel = name.rpartition(".")
            function = getattr(import_module(f"tinynet_fast.kernels.{module}"), kernel)
            code = getattr(function, "py_func", function).__code__
            assert {len(signature.split()) for signature in signatures} == {code.co_argcount}, name
    assert set(DIRECT) <= set(AHEAD)
    assert all(not set(AHEAD[name]) & set(LATER[name]) for name in AHEAD.keys() & LATER.keys())
    v2, v3, v4 = (set(numbered(level)) for level in native.LEVELS)
    assert v4 < v3 < set(numbered("")) == v2 | v3 > v2
    assert len({number for number, _, _ in numbered("")}) == len(numbered(""))


def test_an_engines_name_says_how_it_was_compiled_and_is_the_engines():
    name = EngineName("fast/native")
    assert name == "fast"
    assert name == EngineName("fast/native")
    assert name != EngineName("fast/jit")
    assert str(name) == "fast/native"
    assert name in {"fast", "strict"}
    for other in ("fast", "fast/native", "fast/jit", "strict", EngineName("fast/native"), EngineName("fast/jit")):
        assert (name == other) == (other == name)
        assert name != other or hash(name) == hash(other), other
    assert f"{name}" == "fast/native"
    assert name != 3


def test_without_library_and_numba_numpy_trains(monkeypatch):
    """And says so; `strict` names what is to be installed."""
    code = (
        "import sys, warnings; sys.modules['numba'] = None\n"
        "from tinynet_fast import train_neuron\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    r = train_neuron([1, 2, 3, 4], [0, 0, 1, 1], weights=0.1, epochs=1000)\n"
        "print(r.engine, seen[0].message)\n"
        "try:\n    train_neuron([1, 2], [0, 1], engine='strict')\nexcept ImportError as error:\n    print(error)"
    )
    out = run(code, TINYNET_FAST_NATIVE="0", NUMBA_DISABLE_JIT="0").splitlines()
    assert out[0].startswith("numpy training with NumPy, which takes hundreds of times as long")
    assert "pip install numba" in out[0]
    assert out[1].startswith("the engine 'strict' is not compiled in this installation")
    assert "pip install numba" in out[1]


def test_who_ran_is_noted():
    if jit.UNCOMPILED:
        pytest.skip("compiling is switched off")
    X, y = np.ones((4, 2)), [0, 0, 1, 1]
    for engine in ("fast", "strict"):
        assert re.fullmatch(rf"{engine}/(native|jit)", train_neuron(X, y, epochs=1, engine=engine).engine)
    assert train_neuron(X, y, epochs=1, engine="numpy").engine == "numpy"
