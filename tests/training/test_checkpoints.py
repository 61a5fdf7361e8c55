"""Checkpoints: a run that is stopped in any way goes on and ends with the bits of a run that was never stopped."""

import errno
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from compare import parameters

from tinynet_fast import ModelFileError, train_mlp, train_neuron
from tinynet_fast.models import files
from tinynet_fast.rows.blocks import Order
from tinynet_fast.rows.datasets import make_pass_fail

ROWS = make_pass_fail(2000, 3)
Y = ROWS.y.astype(np.int64)
KILLS = 12


def neuron(folder, **options):
    return train_neuron(ROWS.X, Y, shuffle=True, seed=2, average=True, l2=1e-4, engine="strict", **options)


def network(folder, **options):
    options = {"batch_size": 300, "optimizer": "adam", "learning_rate": 1e-3, "dropout": 0.1, "seed": 4} | options
    return train_mlp(ROWS.X, Y, **options)


def file(folder, **options):
    """Blocks of 256 rows in a file, so that a checkpoint is written in the middle of an epoch."""
    return train_neuron(folder / "rows.npy", -1, standardize=True, validation=0.3, seed=1, **options)


def shuffled(folder, **options):
    return train_neuron(folder / "rows.npy", -1, shuffle="blocks", validation=0.3, seed=1, **options)


def with_gaps(folder):
    """A file of the rows with missing values."""
    X = ROWS.X.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    np.save(folder / "gaps.npy", np.column_stack([X, Y]))


def dropping(folder, **options):
    return train_neuron(folder / "gaps.npy", -1, drop_missing=True, validation=0.3, seed=1, **options)


def dropping_shuffled(folder, **options):
    return dropping(folder, shuffle="blocks", **options)


RUNS = {"neuron": (neuron, 1500), "network": (network, 600), "file": (file, 400)}


def train_until_killed(name, folder, ready):
    from tinynet_fast.rows import formats

    formats.base.CHUNK_BYTES = 256 * 8 * 4
    run, epochs = RUNS[name]
    run(
        folder,
        epochs=epochs,
        checkpoint=folder / "run.ckpt.json",
        checkpoint_seconds=0,
        callback=lambda epoch: ready.set(),
    )


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_at_any_moment(name, tmp_path):
    run, epochs = RUNS[name]
    np.save(tmp_path / "rows.npy", np.column_stack([ROWS.X, Y]))
    checkpoint = tmp_path / "run.ckpt.json"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tinynet_fast.training.neuron", "tinynet_fast.training.mlp", "numba"])
    draw, places = random.Random(7), []
    for _ in range(KILLS):
        ready = context.Event()
        process = context.Process(target=train_until_killed, args=(name, tmp_path, ready))
        process.start()
        assert ready.wait(120)
        time.sleep(draw.random() * 0.03)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        state = json.loads(checkpoint.read_text())["state"]
        places.append((state["epoch"], state["rows"]))
    assert places == sorted(places)
    assert 0 < places[-1][0] < epochs
    whole = run(tmp_path, epochs=epochs, checkpoint=tmp_path / "whole.ckpt.json")
    resumed = run(tmp_path, epochs=epochs, checkpoint=checkpoint)
    np.testing.assert_array_equal(parameters(resumed), parameters(whole))
    assert [path.name for path in tmp_path.glob(".*")] == []  # a temporary file that a kill left is removed


@pytest.mark.parametrize("run", [neuron, network, file, shuffled, dropping, dropping_shuffled])
def test_resumed_from_any_block(run, tmp_path, monkeypatch):
    """Each checkpoint of a run leads to the run's end."""
    from tinynet_fast.rows import formats
    from tinynet_fast.training.checkpoints import Checkpoint

    monkeypatch.setattr(formats.base, "CHUNK_BYTES", 256 * 8 * 4)
    np.save(tmp_path / "rows.npy", np.column_stack([ROWS.X, Y]))
    with_gaps(tmp_path)
    monkeypatch.setattr(Order, "BLOCK_VALUES", 3 * 300)
    path = tmp_path / "c.json"
    seen, write = [], Checkpoint.write

    def keep(self, *args, **options):
        write(self, *args, **options)
        seen.append(path.read_bytes())

    monkeypatch.setattr(Checkpoint, "write", keep)
    whole = parameters(run(tmp_path, epochs=3, checkpoint=path, checkpoint_seconds=0))
    monkeypatch.setattr(Checkpoint, "write", write)
    assert len(seen) > 3
    for content in seen:
        path.write_bytes(content)
        np.testing.assert_array_equal(parameters(run(tmp_path, epochs=3, checkpoint=path)), whole)
    np.testing.assert_array_equal(parameters(run(tmp_path, epochs=3)), whole)


def test_more_epochs_and_a_callback_that_stopped(tmp_path):
    path = tmp_path / "c.json"
    first = neuron(tmp_path, epochs=4, checkpoint=path, callback=lambda epoch: epoch.epoch == 1)
    assert first.epochs == 2
    np.testing.assert_array_equal(
        parameters(neuron(tmp_path, epochs=4, checkpoint=path)), parameters(neuron(tmp_path, epochs=4))
    )
    more = neuron(tmp_path, epochs=6, checkpoint=path)
    np.testing.assert_array_equal(parameters(more), parameters(neuron(tmp_path, epochs=6)))
    with pytest.raises(ValueError, match="6 epochs were trained and epochs is 5"):
        neuron(tmp_path, epochs=5, checkpoint=path)
    over = neuron(tmp_path, epochs=5, checkpoint=path, resume=False)
    np.testing.assert_array_equal(parameters(over), parameters(neuron(tmp_path, epochs=5)))


def test_early_stopping_goes_on_counting(tmp_path):
    options = {"validation": 0.3, "seed": 0, "learning_rate": 1.0, "patience": 3, "epochs": 60, "engine": "strict"}
    whole = train_neuron(ROWS.X, Y, **options)
    assert 4 <= whole.epochs < 60
    path = tmp_path / "c.json"
    train_neuron(
        ROWS.X, Y, **options, checkpoint=path, callback=lambda e: e.epoch == whole.epochs - 3, checkpoint_seconds=0
    )
    resumed = train_neuron(ROWS.X, Y, **options, checkpoint=path)
    np.testing.assert_array_equal(parameters(resumed), parameters(whole))
    assert (resumed.best_epoch, resumed.epochs) == (whole.best_epoch, whole.epochs)
    again = train_neuron(ROWS.X, Y, **options, checkpoint=path)  # it has ended already
    np.testing.assert_array_equal(parameters(again), parameters(whole))


def test_a_seed_that_was_drawn_is_kept(tmp_path):
    path = tmp_path / "c.json"
    first = train_neuron(ROWS.X, Y, shuffle=True, epochs=3, checkpoint=path, callback=lambda epoch: True)
    resumed = train_neuron(ROWS.X, Y, shuffle=True, epochs=3, checkpoint=path)
    assert resumed.seed == first.seed
    np.testing.assert_array_equal(
        parameters(resumed), parameters(train_neuron(ROWS.X, Y, shuffle=True, epochs=3, seed=first.seed))
    )


def test_other_options_or_rows_are_refused(tmp_path):
    path = tmp_path / "c.json"
    base = {"epochs": 2, "checkpoint": path, "seed": 1}
    train_neuron(ROWS.X, Y, **base)
    content = path.read_bytes()
    other = ROWS.X.copy()
    other[1999, 2] += 1e-9
    for X, y, options, message in [
        (ROWS.X, Y, {"learning_rate": 0.2}, "learning_rate was 0.1 and is 0.2"),
        (ROWS.X, Y, {"l2": 0.5, "engine": "strict"}, "l2 was 0.0 and is 0.5; the engine was fast and is strict"),
        (ROWS.X, Y, {"weights": 0.5}, "start was '.*' and is '.*'"),
        (ROWS.X, Y, {"shuffle": True}, "shuffle was 'False' and is 'True'"),
        (ROWS.X, Y, {"standardize": True}, "standardize was False and is True"),
        (ROWS.X, Y, {"schedule": "cosine"}, "schedule was 'constant' and is 'cosine'"),
        (other, Y, {}, "content was"),
        (ROWS.X, 1 - Y, {}, "content was"),
        (ROWS.X[:1999], Y[:1999], {}, r"shape was \[2000, 3\] and is \[1999, 3\]"),
    ]:
        with pytest.raises(ValueError, match=f"a checkpoint of another run: .*{message}.*--no-resume"):
            train_neuron(X, y, **(base | options))
    held = {"validation": (ROWS.X[:50], Y[:50]), "checkpoint": tmp_path / "held.json", "epochs": 2}
    train_neuron(ROWS.X, Y, **held)
    with pytest.raises(ValueError, match="validation_rows was"):
        train_neuron(ROWS.X, Y, **(held | {"validation": (ROWS.X[1:51], Y[1:51])}))
    with pytest.raises(ValueError, match="trainer was 'train_neuron' and is 'train_mlp'"):
        train_mlp(ROWS.X, Y, **base)
    assert path.read_bytes() == content


def test_another_file_is_refused(tmp_path):
    rows, path = tmp_path / "rows.npy", tmp_path / "c.json"
    np.save(rows, np.column_stack([ROWS.X, Y]))
    train_neuron(rows, -1, epochs=1, checkpoint=path)
    np.save(rows, np.column_stack([ROWS.X + 1.0, Y]))
    with pytest.raises(ValueError, match=r"files rows.npy: digest was .* and is"):
        train_neuron(rows, -1, epochs=2, checkpoint=path)


def test_a_file_is_known_by_its_content_and_not_by_its_time(tmp_path):
    """First a value in the middle of a large file changes, but not its size and time; then the reverse."""
    rows, path = tmp_path / "rows.npy", tmp_path / "c.json"
    table = np.column_stack([np.tile(ROWS.X, (20, 1)), np.tile(Y, 20)])
    np.save(rows, table)
    status = rows.stat()
    train_neuron(rows, -1, epochs=1, checkpoint=path)
    table[len(table) // 2, 1] += 1.0
    np.save(rows, table)
    os.utime(rows, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(ValueError, match=r"files rows.npy: digest was .* and is"):
        train_neuron(rows, -1, epochs=2, checkpoint=path)
    table[len(table) // 2, 1] -= 1.0
    np.save(rows, table)
    os.utime(rows, ns=(0, 0))
    resumed = train_neuron(rows, -1, epochs=2, checkpoint=path)
    np.testing.assert_array_equal(parameters(resumed), parameters(train_neuron(rows, -1, epochs=2)))


def test_files_that_are_no_checkpoint(tmp_path):
    path = tmp_path / "c.json"
    model = train_neuron(ROWS.X, Y, epochs=1).model
    model.save(path)
    with pytest.raises(ModelFileError, match="it lacks the field 'format' with 'tinynet_fast checkpoint'"):
        train_neuron(ROWS.X, Y, checkpoint=path)
    train_neuron(ROWS.X, Y, epochs=1, checkpoint=path, resume=False)
    content = json.loads(path.read_text())
    for broken, message in [
        ("{", "a damaged one"),
        (json.dumps(content | {"format_version": 99}), "in format 99; this is tinynet_fast"),
        (json.dumps(content | {"state": {}}), "a damaged one: its checksum"),
        (json.dumps(content | {"state": content["state"] | {"total": {"float64": "!"}}}), "a damaged one"),
    ]:
        path.write_text(broken)
        with pytest.raises(ModelFileError, match=message):
            train_neuron(ROWS.X, Y, epochs=1, checkpoint=path)
    for options, message in [
        ({"checkpoint": 3}, "the path of a file is needed"),
        ({"checkpoint": tmp_path / "none" / "c.json"}, "there is no folder"),
        ({"checkpoint": path, "checkpoint_seconds": -1}, "a finite number of at least 0"),
        ({"checkpoint": path, "resume": 1}, "resume is 1; True or False is needed"),
    ]:
        with pytest.raises(ValueError, match=message):
            train_neuron(ROWS.X, Y, **options)


def test_a_full_disk(tmp_path, monkeypatch):
    """At the start it is an error. Later training goes on with a warning, and the file stays as it was."""
    path, full = tmp_path / "c.json", []

    def fsync(handle):
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fsync)
    whole = parameters(neuron(tmp_path, epochs=4))

    def fill(epoch):
        if epoch.epoch == 2:
            full.append(True)

    with pytest.warns(RuntimeWarning, match="No space left on device.*after 2 epochs and 2,000 rows, is whole"):
        result = neuron(tmp_path, epochs=4, checkpoint=path, checkpoint_seconds=0, callback=fill)
    np.testing.assert_array_equal(parameters(result), whole)
    with pytest.raises(OSError, match="No space left"):
        neuron(tmp_path, epochs=4, checkpoint=tmp_path / "d.json")
    full.clear()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.json"]
    np.testing.assert_array_equal(parameters(neuron(tmp_path, epochs=4, checkpoint=path)), whole)


@pytest.mark.skipif(os.name == "nt", reason="a Ctrl-C is sent differently here")
def test_interrupted(tmp_path):
    path, data = tmp_path / "c.json", tmp_path / "d.csv"
    np.savetxt(data, np.column_stack([ROWS.X, Y]), delimiter=",", header="a,b,c,y", comments="", fmt="%.17g")
    command = [sys.executable, "-m", "tinynet_fast", "train", str(data), "--target", "y", "--stream", "--seed", "1"]
    command += ["--checkpoint", str(path), "--checkpoint-seconds", "0", "--model", str(tmp_path / "m.json")]
    process = subprocess.Popen(
        [*command, "--epochs", "1000000"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while not path.exists() or json.loads(path.read_text())["state"]["epoch"] < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert out == ""
    assert err.endswith(f"is {path}\n")
    assert "tinynet-fast: interrupted; the last checkpoint, after " in err
    epoch = json.loads(path.read_text())["state"]["epoch"]
    done = subprocess.run([*command, "--epochs", str(epoch + 1), "--quiet"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    straight = subprocess.run(
        [*command[:-4], "--epochs", str(epoch + 1), "--model", str(tmp_path / "n.json")],
        capture_output=True,
        check=True,
    )
    assert straight.returncode == 0
    models = [json.loads((tmp_path / name).read_text()) for name in ("m.json", "n.json")]
    assert models[0]["weights"] == models[1]["weights"]


def test_a_rate_that_was_searched_for_is_kept(tmp_path):
    """With more epochs a search would find another rate, but the run goes on with its first rate."""
    options, path = {"learning_rate": "auto", "engine": "strict"}, tmp_path / "c.json"
    first = train_neuron(ROWS.X, Y, epochs=2, checkpoint=path, **options)
    rate = first.rate_search.learning_rate
    assert train_neuron(ROWS.X, Y, epochs=40, **options).rate_search.learning_rate != rate
    more = train_neuron(ROWS.X, Y, epochs=40, checkpoint=path, **options)
    ref = train_neuron(ROWS.X, Y, epochs=40, learning_rate=rate, engine="strict")
    np.testing.assert_array_equal(parameters(more), parameters(ref))
    np.testing.assert_array_equal(more.rate_search.losses, first.rate_search.losses)
    assert more.rate_search.reason == first.rate_search.reason
    assert more.model.training["learning_rate"] == rate
    same = train_neuron(ROWS.X, Y, epochs=40, checkpoint=path, **options)  # it has ended already
    np.testing.assert_array_equal(parameters(same), parameters(ref))
    with pytest.raises(ValueError, match=r"another run: learning_rate was 'auto' and is 0\.5\. Give what it was"):
        train_neuron(ROWS.X, Y, epochs=50, checkpoint=path, learning_rate=0.5, engine="strict")
    with pytest.raises(ValueError, match=r"another run: l2 was 0\.0 and is 0\.1\. Give"):
        train_neuron(ROWS.X, Y, epochs=50, checkpoint=path, l2=0.1, **options)
    anew = train_neuron(ROWS.X, Y, epochs=40, checkpoint=path, resume=False, **options)
    assert anew.rate_search.learning_rate != rate
    given = tmp_path / "given.json"
    train_neuron(ROWS.X, Y, epochs=2, checkpoint=given, learning_rate=0.5, engine="strict")
    with pytest.raises(ValueError, match=r"another run: learning_rate was 0\.5 and is 'auto'"):
        train_neuron(ROWS.X, Y, epochs=4, checkpoint=given, **options)


def rewrite(path, content):
    """Write a damaged checkpoint that has a correct checksum."""
    from tinynet_fast.training import checkpoints

    content.pop("checksum", None)
    path.write_text(json.dumps(content | {"checksum": checkpoints._checksum(content)}), encoding="utf-8")


def test_a_search_with_rates_that_diverge_is_kept(tmp_path, monkeypatch):
    from tinynet_fast.training import rate_search

    def losses(*arguments, found=rate_search.mean_log_losses):
        return np.append(found(*arguments)[:-1], np.nan)

    monkeypatch.setattr(rate_search, "mean_log_losses", losses)
    options = {"learning_rate": "auto", "epochs": 1, "checkpoint": tmp_path / "c.json"}
    first, again = train_neuron(ROWS.X, Y, **options), train_neuron(ROWS.X, Y, **options)
    assert np.isnan(first.rate_search.losses).any()
    content = json.loads(options["checkpoint"].read_text(encoding="utf-8"))
    np.testing.assert_array_equal(again.rate_search.losses, first.rate_search.losses)
    content["rate_search"]["learning_rate"] = -1.0
    rewrite(options["checkpoint"], content)
    with pytest.raises(ModelFileError, match="the rate that was found is not among those that were tried"):
        train_neuron(ROWS.X, Y, **options)
    del content["rate_search"]["rates"]
    rewrite(options["checkpoint"], content)
    with pytest.raises(ModelFileError, match="not a checkpoint, or a damaged one: KeyError"):
        train_neuron(ROWS.X, Y, **options)


def test_a_cosine_of_more_epochs_is_another_run(tmp_path):
    message = r"epochs was 3 and is 6, on which all rates of schedule='cosine' depend\. Give what it was.*resume=False"
    trainers = {"neuron": train_neuron, "network": lambda *rows, **options: train_mlp(*rows, seed=0, **options)}
    for name, train in trainers.items():
        options = {"schedule": "cosine", "checkpoint": tmp_path / name}
        train(ROWS.X, Y, epochs=3, **options)
        with pytest.raises(ValueError, match="a checkpoint of another run: " + message):
            train(ROWS.X, Y, epochs=6, **options)
        with pytest.raises(ValueError, match=r"l2 was 0\.0 and is 0\.1.*resume=False"):
            train(ROWS.X, Y, epochs=6, l2=0.1, **options)
        assert train(ROWS.X, Y, epochs=3, **options).epochs == 3
        assert train(ROWS.X, Y, epochs=6, resume=False, **options).epochs == 6


@pytest.mark.parametrize("options", [{}, {"optimizer": "adam"}, {"batch_size": 500}, {"batch_size": 300}], ids=str)
def test_a_network_whose_epochs_run_several_a_call_is_resumed(options, tmp_path):
    """Rows that fit one block train for several epochs in one call, and the checkpoint counts each of them."""
    options = {"seed": 0, "learning_rate": 0.01, **options}
    first, ref = (train_mlp(ROWS.X, Y, epochs=epochs, **options) for epochs in (3, 7))
    again = train_mlp(ROWS.X, Y, epochs=3, checkpoint=tmp_path / "c.json", **options)
    np.testing.assert_array_equal(parameters(again), parameters(first))
    for epochs in (3, 7):
        comp = train_mlp(ROWS.X, Y, epochs=epochs, checkpoint=tmp_path / "c.json", **options)
    np.testing.assert_array_equal(parameters(comp), parameters(ref))
