"""Each operation of each write failed once: the old file is whole or the new one, and the error names the file."""

import errno
import os
import warnings
from itertools import count as numbers

import numpy as np
import pytest
from operations import hooked

from tinynet_fast import load, plots, train_mlp, train_neuron
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.scoring import predict_file

ROWS = make_pass_fail(400, 3)
X, Y = ROWS.X, ROWS.y.astype(np.int64)
OTHER = {"notes.txt": b"mine", ".new.tmp": b"not of this package", ".file.json.tmp": b"nor this"}


class Failing:
    """A hook that fails the k-th call, and all later ones too if the disk stays full; and the removal on request."""

    def __init__(self, k, code=errno.ENOSPC, stays=False, unlink=False):
        self.k, self.code, self.stays, self.unlink = k, code, stays, unlink
        self.calls = []  # without the removal of the temporary file, which only a failure needs
        self.failed = None

    def __call__(self, name, when):
        if name == "unlink":
            if self.unlink and when == "before":
                raise OSError(errno.EIO, "the removal failed", "temporary")
            return
        self.calls.append((name, when))
        if len(self.calls) - 1 == self.k or (self.stays and len(self.calls) > self.k):
            self.failed = self.failed or (name, when)
            raise OSError(self.code, os.strerror(self.code))


@pytest.fixture(scope="module")
def models():
    return {
        "neuron": train_neuron(X, Y, epochs=2).model,
        "network": train_mlp(X, Y, epochs=2, seed=0).model,
        "large network": train_mlp(X, Y, hidden=(200,), epochs=1, seed=0).model,  # which takes several writes
    }


def save(name):
    return lambda models, path: models[name].save(path)


def predict(models, path):
    predict_file(models["neuron"], iter([X] * 4), path)


def bench(models, path):
    from tinynet_fast.cli import bench
    from tinynet_fast.proof.bench import core, show

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "core_problems", lambda quick: [])
        patch.setattr(core, "run_core", lambda *arguments: {"some": [1.5] * 10})
        patch.setattr(show, "print_document", lambda *arguments: None)
        bench.bench(quick=True, as_json=True, output=path)


def plot(models, path):
    plt = pytest.importorskip("matplotlib.pyplot")
    from matplotlib.figure import Figure

    ax = Figure(figsize=(1, 1)).subplots()
    ax.plot(np.random.default_rng(0).random(1000))
    ax.set_axis_off()
    with plt.rc_context({"svg.hashsalt": "1", "path.simplify": False}):
        plots.save(ax, path)


WRITERS = {
    "neuron": (save("neuron"), "file.json"),
    "network": (save("network"), "file.json"),
    "large network": (save("large network"), "file.json"),
    "csv": (predict, "file.csv"),
    "parquet": (predict, "file.parquet"),
    "png": (plot, "file.png"),
    "bench": (bench, "file.json"),
    "svg": (plot, "file.svg"),
}


def error_of(failing, work):
    """The OSError of `work` while `failing` is there; another error is raised."""
    try:
        with hooked(failing):
            work()
    except OSError as error:
        if failing.failed:
            return error
        raise
    return None


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("code", "old"), [(errno.ENOSPC, None), (errno.EIO, b"the old file")], ids=["new", "old"])
@pytest.mark.parametrize("name", WRITERS)
def test_each_operation_failed_once(name, code, old, models, tmp_path):
    if name == "parquet":
        pytest.importorskip("pyarrow.parquet")
    writer, file = WRITERS[name]
    path, seen = tmp_path / file, []
    for each, content in OTHER.items():
        (tmp_path / each).write_bytes(content)

    def start():
        path.unlink(missing_ok=True)
        if old is not None:
            path.write_bytes(old)
            path.chmod(0o666)  # which takes a chmod to keep, whatever the umask
        return contents(tmp_path)

    for k in numbers():
        before, failing = start(), Failing(k, code)
        told = error_of(failing, lambda: writer(models, path))
        if not failing.failed:
            break
        assert told, f"the failure at {failing.failed} was not told"
        assert (told.errno, told.filename, told.filename2) == (code, str(path), None), failing.failed
        seen.append(failing.failed)
        after = contents(tmp_path)
        if failing.failed == ("replace", "after"):  # it is told to have failed, and had not
            after, before = {n: after[n] for n in OTHER}, {n: before[n] for n in OTHER}
        assert after == before, failing.failed
        start()
        with hooked(Failing(k, code, unlink=True)), pytest.raises(OSError, match=os.strerror(code)) as info:
            writer(models, path)
        assert info.value.filename == str(path)
        for left in set(contents(tmp_path)) - OTHER.keys() - {file}:
            os.unlink(tmp_path / left)
    new = path.read_bytes()
    assert contents(tmp_path) == OTHER | {file: new}
    if old is not None:
        assert path.stat().st_mode & 0o777 == 0o666
    assert {point for point, _ in seen} >= {"open", "write", "fsync", "replace"} | ({"chmod"} if old else set())
    writer(models, path)
    if name != "svg":  # which has the date in it
        assert path.read_bytes() == new
    print(f"{name}: {len(seen)} points")


def neuron(**options):
    return train_neuron(X, Y, epochs=4, seed=1, shuffle=True, **options)


def network(**options):
    options = {"batch_size": 100, "shuffle": True, "optimizer": "adam", "learning_rate": 0.01} | options
    return train_mlp(X, Y, epochs=4, seed=1, **options)


def weights(result):
    model = result.model
    parts = [model.weights, model.bias] if hasattr(model, "bias") else [*model.weights, *model.biases]
    return np.concatenate([*map(np.ravel, parts), result.loss_history]).tobytes()


@pytest.mark.parametrize("stays", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("run", [neuron, network])
def test_checkpoints(run, stays, tmp_path):
    """The first write that fails is an error; later ones are a warning, and training goes on to the same weights."""
    path, whole, first, seen = tmp_path / "c.json", weights(run()), None, []
    for k in numbers():
        path.unlink(missing_ok=True)
        failing, results = Failing(k, stays=stays), []
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", RuntimeWarning)
            told = error_of(failing, lambda: results.append(run(checkpoint=path, checkpoint_seconds=0)))  # noqa: B023
        if not failing.failed:
            break
        seen.append(failing.failed)
        if told:
            assert first is None, failing.failed
            assert (told.errno, told.filename) == (errno.ENOSPC, str(path))
            if failing.failed == ("replace", "after"):
                path.unlink()
            assert contents(tmp_path) == {}
            continue
        first = k if first is None else first
        assert weights(results[0]) == whole
        said = [str(each.message) for each in warned if each.category is RuntimeWarning]
        assert said
        assert all(str(path) in text and os.strerror(errno.ENOSPC) in text for text in said)
        assert list(contents(tmp_path)) == ["c.json"]
        assert weights(run(checkpoint=path)) == whole  # from the last checkpoint that was written
    assert first
    assert len(seen) > 3 * first  # points of the first write, and of later ones
    print(f"{run.__name__}: {len(seen)} points, {first} of them in the first write")


def test_the_command_line_names_the_file(run, students, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = contents(tmp_path)
    train = ["train", "students.csv", "--target", "result", "--epochs", "1", "--quiet", "--model", "m.json"]
    status, out, err = run(*train)
    assert (status, out, err.splitlines()[-1]) == (2, "", "tinynet-fast: m.json: No space left on device")
    status, _, err = run(*train, "--checkpoint", "c.json")
    assert (status, err) == (2, "tinynet-fast: c.json: No space left on device\n")
    assert contents(tmp_path) == before
    monkeypatch.undo()


def test_what_fails_in_the_rows_is_not_blamed_on_the_output(models, tmp_path):
    def blocks():
        yield X
        raise OSError(errno.EIO, "Input/output error", "rows.csv")

    path = tmp_path / "file.csv"
    with pytest.raises(OSError, match="Input/output") as info:
        predict_file(models["neuron"], blocks(), path)
    assert info.value.filename == "rows.csv"
    assert contents(tmp_path) == {}
    models["neuron"].save(tmp_path / "m.json")
    assert load(tmp_path / "m.json").n_features == 3
