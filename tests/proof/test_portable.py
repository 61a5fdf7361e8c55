"""engine="portable": the digests of `validate_portable`, on whatever CPU the kernels are compiled for; `reproduce`."""

import json
import os
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tinynet_fast import load, reproduce, sweep, train, train_mlp, train_neuron, validate_portable
from tinynet_fast.kernels import portable as kernels
from tinynet_fast.kernels.compiler.jit import UNCOMPILED
from tinynet_fast.kernels.engines import ENGINES, PORTABLE
from tinynet_fast.proof import portable
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.training.draws import normal_numbers, seeded

pytestmark = pytest.mark.any_cpu
KNOWN = json.loads(portable.KNOWN.read_text())
HERE = "import sys; {first}; from tinynet_fast.proof.portable import digests, overall; print(overall(digests()))"
CPUS = {  # how else the kernels may run
    "plain Python": ({"TINYNET_FAST_NATIVE": "0"}, "sys.modules['numba'] = None"),
    "uncompiled kernels": ({"NUMBA_DISABLE_JIT": "1"}, "pass"),
    "the plainest CPU": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "TINYNET_FAST_NATIVE": "0"}, "pass"),
    "AVX2 and FMA": (
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma", "TINYNET_FAST_NATIVE": "0"},
        "pass",
    ),
}
MODELS = {  # trainings of two epochs, and so that every option of a file is used again
    "neuron": lambda X, y: train_neuron(X, y, epochs=2, shuffle=True, l2=0.01, engine="portable").model,
    "weighted": lambda X, y: train_neuron(X, y, epochs=2, class_weight={1: 2.0}, engine="portable").model,
    "held out": lambda X, y: train_neuron(X, y, epochs=2, validation=0.2, schedule="cosine", engine="portable").model,
    "network": lambda X, y: train_mlp(X, y, hidden=(3,), epochs=2, init="he", dropout=0.2, engine="portable").model,
}


@pytest.fixture(scope="module")
def rows():
    found = make_pass_fail(60, 3)
    return found.X, found.y


def test_digests_are_those_of_every_machine():
    seen = validate_portable()
    assert seen.different == []
    assert seen.kept
    assert seen.digests == KNOWN
    assert seen.digest == portable.overall(KNOWN)


def test_the_page_names_the_digest():
    """It is what people compare with, without the package."""
    page = Path(__file__).parents[2] / "docs" / "portable.md"
    assert re.findall(r"^    ([0-9a-f]{64})$", page.read_text(encoding="utf-8"), re.MULTILINE) == [
        portable.overall(KNOWN)
    ]


@pytest.mark.parametrize("name", CPUS)
def test_digests_do_not_depend_on_how_kernels_run(name, tmp_path):
    settings, first = CPUS[name]
    if "CPU" in name or "AVX" in name:
        pytest.importorskip("numba", reason="Numba compiles for that CPU")
        if UNCOMPILED or os.environ.get("TINYNET_FAST_SLOW", "") == "":
            pytest.skip("compiling takes half a minute: TINYNET_FAST_SLOW=1 runs it")
    given = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU")}
    given.pop("NUMBA_DISABLE_JIT", None)
    command = [sys.executable, "-W", "ignore", "-c", HERE.format(first=first)]
    done = subprocess.run(command, env=given | settings, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == portable.overall(KNOWN)


def test_a_difference_is_named(monkeypatch, run):
    monkeypatch.setattr(portable, "trainings", lambda: list(portable._numbers())[:2])
    first, second = [name for name, _, _ in portable._numbers()][:2]
    monkeypatch.setattr(portable, "digests", lambda progress=None: {first: KNOWN[first], second: "0" * 64})
    seen = validate_portable()
    assert not seen.kept
    assert second in seen.different
    assert first not in seen.different
    status, out, _ = run("validate", "--portable")
    assert status == 1
    assert f"{second}  DIFFERENT: {KNOWN[second]}" in out
    assert "NOT that of other machines" in out


def test_the_command_prints_the_digest(run):
    status, out, _ = run("validate", "--portable", "--json")
    assert status == 0
    assert json.loads(out)["digest"] == portable.overall(KNOWN)
    status, _, err = run("validate", "--portable", "--deep")
    assert status == 2
    assert "leave --data, --target and --deep out" in err


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_trained_again(name, rows, tmp_path):
    MODELS[name](*rows).save(tmp_path / "model.json")
    model = load(tmp_path / "model.json")
    again = reproduce(model, *rows)
    assert again.kept, again.different
    assert again.model.training["digest"] == model.training["digest"]


def test_what_differs_is_named(rows):
    X, y = rows
    model = MODELS["neuron"](X, y)
    other = X.copy()
    other[3, 1] += 0.5
    assert reproduce(model, other, y).different == ["rows", "weights"]
    assert reproduce(model, X, y, sample_weight=np.full(len(y), 2.0)).different == ["rows", "weights"]
    model.training["asked"]["options"]["l2"] = 0.02
    assert reproduce(model, X, y).different == ["options", "weights"]
    with pytest.raises(ValueError, match="does not say how to train it again"):
        reproduce(train_neuron(X, y, epochs=1).model, X, y)


def test_a_table_is_trained_on_again(run, tmp_path):
    rng = np.random.default_rng(0)
    hours, school = rng.uniform(0, 9, 50).round(1), rng.choice(["a", "b"], 50)
    lines = [f"{h},{s},{'pass' if h + (s == 'a') > 5 else 'fail'}" for h, s in zip(hours, school, strict=True)]
    (tmp_path / "rows.csv").write_text("hours,school,result\n" + "\n".join(lines) + "\n")
    options = ("--learning-rate", "0.1", "--epochs", "3", "--engine", "portable", "--quiet")
    assert run("train", "rows.csv", "--target", "result", "--model", "m.json", *options)[0] == 0
    status, out, _ = run("reproduce", "m.json", "rows.csv")
    assert status == 0
    assert out.startswith("reproduced: the same rows, options and weights")
    (tmp_path / "rows.csv").write_text("hours,school,result\n" + "\n".join(lines[1:]) + "\n")
    status, out, _ = run("reproduce", "m.json", "rows.csv")
    assert status == 1
    assert out.startswith("not reproduced: the rows")
    assert train("rows.csv", "result", epochs=2, learning_rate=0.1).model.training.get("digest") is None


def test_a_stream_has_the_digest_of_rows_in_memory(rows):
    X, y = rows
    whole = train_neuron(X, y, epochs=2, engine="portable").model
    parts = train_neuron(lambda: iter([(X[:7], y[:7]), (X[7:], y[7:])]), epochs=2, engine="portable").model
    assert whole.training["digest"]["rows"] == parts.training["digest"]["rows"]
    assert whole.training["digest"]["weights"] == parts.training["digest"]["weights"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": "auto"}, "learning_rate is not for engine='portable'"),
        ({"noise": 0.1}, "noise is not for engine='portable'"),
        ({"validation": 0.3, "patience": 2}, "patience is not for engine='portable'"),
        ({"mixup": 0.2, "hidden": (2,)}, "mixup is not for engine='portable'"),
    ],
    ids=str,
)
def test_what_depends_on_the_machine_is_refused(options, message, rows):
    trainer = train_mlp if "hidden" in options else train_neuron
    with pytest.raises(ValueError, match=message):
        trainer(*rows, engine="portable", **options)


def test_a_sweep_has_the_weights_of_single_neurons(rows):
    comp = sweep(*rows, learning_rate=[0.01, 0.1], l2=[0.0, 0.1], epochs=3, engine="portable", n_jobs=2)
    one = sweep(*rows, learning_rate=[0.01, 0.1], l2=[0.0, 0.1], epochs=3, engine="portable")
    np.testing.assert_array_equal(comp.weights, one.weights)
    for i, model in enumerate(comp.models):
        given = {"learning_rate": comp.learning_rate[i], "l2": comp.l2[i], "epochs": 3}
        ref = train_neuron(*rows, engine="reference", **given).model
        np.testing.assert_allclose(model.weights, ref.weights, rtol=1e-12)
        assert model.is_portable
    with pytest.raises(ValueError, match="engine"):
        sweep(*rows, engine="strict")


MOVED = """
import sys; sys.modules["numba"] = None
from pathlib import Path
from tinynet_fast import train_mlp, train_neuron
from tinynet_fast.rows.datasets import make_pass_fail

def trained(name, epochs):
    rows = make_pass_fail(60, 3)
    given = {"epochs": epochs, "shuffle": True, "seed": 3, "engine": "portable", "checkpoint": name}
    if name.startswith("neuron"):
        result = train_neuron(rows.X, rows.y, l2=0.01, **given)
    else:
        result = train_mlp(rows.X, rows.y, hidden=(3,), optimizer="adam", **given)
    return result.model.training["digest"]["weights"]
"""


def test_a_checkpoint_goes_on_where_kernels_are_plain_python(tmp_path, monkeypatch):
    """And one from there goes on here: both end at the weights of a run that was never moved."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(MOVED.partition("\n")[2].replace('import sys; sys.modules["numba"] = None', ""), names)
    kinds = ("neuron", "network")
    for kind in kinds:
        names["trained"](f"{kind}.here.json", 2)
    there = (
        "for kind in 'neuron', 'network':\n    trained(kind + '.there.json', 2); print(trained(kind + '.here.json', 5))"
    )
    command = [sys.executable, "-W", "ignore", "-c", MOVED + there]
    settings = os.environ | {"TINYNET_FAST_NATIVE": "0"}
    done = subprocess.run(command, env=settings, check=True, capture_output=True, text=True)
    for kind, digest in zip(kinds, done.stdout.split(), strict=True):
        whole = names["trained"](f"{kind}.whole.json", 5)
        assert digest == whole
        assert names["trained"](f"{kind}.there.json", 5) == whole


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_threads_change_no_bit(n_jobs):
    found = make_pass_fail(700, 3)
    given = {"hidden": (4,), "batch_size": 512, "epochs": 2, "seed": 0, "engine": "portable", "standardize": True}
    one, several = (train_mlp(found.X, found.y, n_jobs=n, **given).model for n in (1, n_jobs))
    assert one.training["digest"]["weights"] == several.training["digest"]["weights"]
    many = np.tile(found.X, (200, 1))
    np.testing.assert_array_equal(one.predict_proba(many, n_jobs=n_jobs), one.predict_proba(many))


def test_first_weights_are_those_of_other_engines_to_rounding(rows):
    comp, ref = np.array(list(islice(normal_numbers(seeded(7)), 1001))), np.random.RandomState(7).randn(1001)
    np.testing.assert_allclose(comp, ref, rtol=4e-16)
    uniform = -0.3 + (0.3 - -0.3) * seeded(7).random_sample(99)
    np.testing.assert_array_equal(uniform, np.random.RandomState(7).uniform(-0.3, 0.3, 99))


def test_plain_python_runs_the_reference(rows):
    """Where nothing can be compiled, and for what `reference.py` is to `strict`."""
    assert PORTABLE.kernels is kernels or PORTABLE.kernels is kernels.plain
    assert set(vars(kernels.plain)) >= {"sgd_epochs", "network_epochs", "sgd_sparse_epochs", "powers"}
    assert ENGINES["portable"] is PORTABLE
    assert PORTABLE.is_portable


def test_a_path_in_place_of_a_model_is_refused(rows):
    with pytest.raises(ValueError, match="model is a str; a Neuron or an MLP is needed"):
        reproduce("model.json", *rows)
