"""Sweeps of networks that are stopped: they go on from their checkpoint to the same bits, and Ctrl-C ends them."""

import base64
import json

import numpy as np
import pytest
from compare import needs_numba
from ctrl_c import ended_by_ctrl_c
from mlp_sweeps import FEW, X, Y, same_bits

from tinynet_fast import ModelFileError, sweep_mlp, train_mlp
from tinynet_fast.kernels import engines
from tinynet_fast.kernels.compiler.jit import has_numba
from tinynet_fast.rows.datasets import make_pass_fail
from tinynet_fast.training.checkpoints import Checkpoint

pytestmark = pytest.mark.usefixtures("few_networks_together")

RUNS = {
    "side by side": {"hidden": [(3,), (2, 2)], "shuffle": True, "batch_size": 100, "folds": 2, "optimizer": "adam"},
    "folds together": {"hidden": (2,), "batch_size": 70, "folds": 3, "optimizer": "adam", "standardize": True},
    "one by one": {"engine": "strict", "hidden": (2,), "batch_size": 100, "dropout": 0.2},
    "diverging": {"learning_rate": [0.1, 1e9], "activation": "identity", "loss": "squared_error", "output": "linear"},
    "several epochs": {"epochs": 6},
    "of float32": {"dtype": "float32", "hidden": (2,), "batch_size": 100, "optimizer": "adam"},
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_numba) if name == "of float32" else name for name in RUNS]
)
def test_resumed_from_any_block(name, tmp_path, monkeypatch):
    """Each checkpoint of a sweep leads to the sweep's end, with the same bits."""
    options, path = {"seed": [1, 2], "learning_rate": [0.01, 0.1], "epochs": 2} | RUNS[name], tmp_path / "c.json"
    ref = sweep_mlp(X, Y, **options)
    if name != "several epochs":
        monkeypatch.setattr(engines, "BLOCK_SECONDS", 1e-6)
    seen, write = [], Checkpoint.write

    def keep(self, *args, **more):
        write(self, *args, **more)
        seen.append(path.read_bytes())

    monkeypatch.setattr(Checkpoint, "write", keep)
    whole = sweep_mlp(X, Y, checkpoint=path, checkpoint_seconds=0, **options)
    if name == "several epochs":
        same_bits(whole, ref)
    monkeypatch.setattr(Checkpoint, "write", write)
    states = list(dict.fromkeys(seen))
    assert len(states) > 1
    for state in states[:: max(len(states) // 6, 1)] + states[-1:]:
        path.write_bytes(state)
        resumed = sweep_mlp(X, Y, checkpoint=path, **options)
        same_bits(resumed, whole)
        assert [str(each) for each in resumed.engines] == [str(each) for each in whole.engines]
        assert resumed.side_by_side.tolist() == whole.side_by_side.tolist()


def test_interrupted_sweep_names_its_checkpoint_and_goes_on(tmp_path, monkeypatch):
    from tinynet_fast.training.many_networks import Group

    options, path = FEW | {"epochs": 6, "batch_size": 600}, tmp_path / "c.json"
    monkeypatch.setattr(engines, "BLOCK_SECONDS", 1e-6)
    ref, train, calls = sweep_mlp(X, Y, **options), Group.train, []

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return train(self, *args)

    monkeypatch.setattr(Group, "train", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"the last checkpoint, after . epochs and .* rows, is .*c\.json"):
        sweep_mlp(X, Y, checkpoint=path, **options)
    monkeypatch.setattr(Group, "train", train)
    same_bits(sweep_mlp(X, Y, checkpoint=path, **options), ref)


def test_a_checkpoint_of_another_sweep_is_refused(tmp_path):
    path, options = tmp_path / "c.json", FEW | {"checkpoint": tmp_path / "c.json"}
    sweep_mlp(X, Y, **options)
    for change, message in (
        ({"learning_rate": [0.05, 0.4]}, r"learning_rate tried was \[0.05, 0.5\]"),
        ({"epochs": 4}, "epochs was 3 and is 4"),
        ({"folds": 2}, "folds"),
        ({"engine": "strict"}, "the engine was fast and is strict"),
        ({"dtype": "float32"}, "dtype was 'float64' and is 'float32'" if has_numba() else "Numba is not installed"),
        ({"hidden": [(4,), (3,)]}, "hidden tried"),
    ):
        with pytest.raises(ValueError, match=message):
            sweep_mlp(X, Y, **(options | change))
    with pytest.raises(ValueError, match="content was"):
        sweep_mlp(X + 1.0, Y, **options)
    with pytest.raises(ValueError, match="trainer was 'sweep_mlp' and is 'train_mlp'"):
        train_mlp(X, Y, checkpoint=path, seed=1)
    same_bits(sweep_mlp(X + 1.0, Y, resume=False, **options), sweep_mlp(X + 1.0, Y, **FEW))


def changed(state, name, number):
    """Change the first number of an array of a checkpoint's state."""
    arrays = state["trained"]["arrays"]
    values = np.frombuffer(base64.b64decode(arrays[name]["float64"]), dtype="<f8").copy()
    values[0] = number
    arrays[name]["float64"] = base64.b64encode(values.tobytes()).decode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("part"), "'part' of its state is missing"),
        (lambda state: state.update(part=7), "part is not a whole number"),
        (lambda state: state.update(engine="none"), "the engine is unknown"),
        (lambda state: state.update(engines=["fast"]), "engines does not hold an engine for each"),
        (lambda state: state.update(finished={"arrays": {}}), "finished does not hold the arrays"),
        (lambda state: state["finished"]["arrays"].update(parameters={"float64": ""}), "parameters holds 0 numbers"),
        (lambda state: state["trained"]["arrays"].pop("lasted"), "trained does not hold the arrays"),
        (lambda state: state.update(epoch=1), "losses holds 3 numbers; 1 are needed"),
        (lambda state: changed(state, "epochs", 2.0), "the parameters are not those after 3 epochs"),
        (lambda state: changed(state, "lasted", 0.5), "an epoch in which a network diverged is not a whole number"),
        (lambda state: changed(state, "group 0, updates", 7.0), "the number of updates is not a whole number"),
        (lambda state: changed(state, "group 0, pending", 1.0), "the rows that wait for the end of their batch"),
        (lambda state: changed(state, "group 0, state", np.nan), "group 0, state holds NaN"),
    ],
)
def test_a_damaged_checkpoint_is_refused(change, message, tmp_path):
    from tinynet_fast.training.checkpoints import _checksum, _text

    path, options = tmp_path / "c.json", FEW | {"hidden": [(3,), (2, 2)]}
    sweep_mlp(X, Y, checkpoint=path, **options)
    content = json.loads(path.read_text())
    del content["checksum"]
    change(content["state"])
    path.write_text(_text(content | {"checksum": _checksum(content)}))
    with pytest.raises(ModelFileError, match=message):
        sweep_mlp(X, Y, checkpoint=path, **options)


@pytest.mark.parametrize("options", [{"n_jobs": 2}, {"engine": "strict"}])
def test_interrupt(options):
    """Ctrl-C stops within 0.2 s."""
    rows, rates = make_pass_fail(100_000, 8), np.geomspace(1e-4, 1e-3, 16)
    sweep_mlp(rows.X[:100], rows.y[:100], learning_rate=rates, epochs=1, **options)
    with ended_by_ctrl_c(within=0.5):
        sweep_mlp(rows.X, rows.y, learning_rate=rates, epochs=10_000, **options)
