"""Ctrl-C and SIGTERM at random moments: none is lost, checkpoints lead to the run's own weights, no file is half."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mutations import count

from tinynet_fast import load, train_neuron
from tinynet_fast.kernels.compiler import interrupts
from tinynet_fast.kernels.compiler.interrupts import Held, TerminatedError, saves, sigterm_raises
from tinynet_fast.scoring import predict_file

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent differently here")
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture
def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent.parent), str(HERE)])}


def test_in_the_library(tmp_path, environment):
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(HERE / "interrupts_child.py"),
        "1",
        str(count(16, 640)),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    said = Counter(what for _, _, what in lines)
    late = sorted((float(delay), name) for name, delay, _ in lines)
    print(said, "the slowest", late[-5:])
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(said) == {"stopped", "finished", "the same"}, said
    assert "Exception ignored" not in done.stderr, done.stderr[-2000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files for the command line: a table, a model of it, and its predictions."""
    folder = tmp_path_factory.mktemp("command")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40_000, 20))
    table, names = np.column_stack([X, X[:, 0] > rng.standard_normal(len(X))]), [f"x{j}" for j in range(20)]
    np.savetxt(folder / "d.csv", table, delimiter=",", header=",".join([*names, "y"]), comments="", fmt="%.6g")
    train_neuron(folder / "d.csv", "y", epochs=2).model.save(folder / "known.json")
    predict_file(load(folder / "known.json"), folder / "d.csv", folder / "p.csv")
    return folder


PREDICT = ["predict", "known.json", "d.csv", "--output", "p.csv"]
TRAIN = ["train", "d.csv", "--target", "y", "--epochs", "100000"]
COMMANDS = [
    [*TRAIN, "--model", "m.json"],
    [*TRAIN, "--stream", "--checkpoint", "c.json", "--checkpoint-seconds", "0", "--model", "m.json", "--no-resume"],
    [*TRAIN, "--hidden", "8", "--checkpoint", "n.json", "--model", "m.json"],
    PREDICT,
    ["lab", "d.csv", "--target", "y", "--epochs", "100000"],
]


def _wait_for_handlers(process):
    """Wait until a process handles SIGTERM: a signal while Python itself starts gives a traceback of Python's own."""
    status, handled = Path(f"/proc/{process.pid}/status"), 1 << signal.SIGTERM - 1
    if not status.exists():  # not Linux
        time.sleep(0.5)
        return
    while process.poll() is None:
        caught = [line for line in status.read_text().splitlines() if line.startswith("SigCgt:")]
        if caught and int(caught[0].split()[1], 16) & handled:
            return
        time.sleep(0.001)


def test_on_the_command_line(folder, environment):
    """The exit status, one line, nothing half written and nothing left over, whenever the signal comes."""
    draw, late, ended = random.Random(1), [], Counter()
    before = {name: (folder / name).read_bytes() for name in ("known.json", "p.csv", "d.csv")}
    for k in range(count(10, 500)):
        arguments, number = COMMANDS[k % len(COMMANDS)], draw.choice((signal.SIGINT, signal.SIGTERM))
        process = subprocess.Popen(
            [sys.executable, "-m", "tinynet_fast", *arguments],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        _wait_for_handlers(process)
        time.sleep(draw.uniform(0.0, 2.0))
        sent = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate()
        late.append((time.monotonic() - sent, arguments[0], number.name))
        ended[process.returncode] += 1
        if process.returncode not in (0, -number):  # it was done, or Python itself was starting or ending
            assert process.returncode == STATUS[number], (arguments, said)
            assert said.splitlines()[-1].startswith(f"tinynet-fast: {'interr' if number == 2 else 'termin'}"), said
        assert "Traceback" not in said
        assert {name: (folder / name).read_bytes() for name in before} == before
        assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]
        assert not (folder / "m.json").exists()
    print(ended, "the slowest", sorted(late)[-5:])
    assert ended[130] + ended[143] > count(10, 500) // 3


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_an_object_is_destroyed(environment, name):
    """Python cannot raise an exception at such a moment. It is raised afterwards, and nothing is printed."""
    program = """
import signal, sys, time
from tinynet_fast.cli import signals
signals.watch()
signals.command_runs()
class Last:
    def __del__(self):
        signal.raise_signal(getattr(signal, sys.argv[1]))
        time.sleep(0.0)
try:
    Last()
    time.sleep(30)
except KeyboardInterrupt as interrupt:
    print("raised", signals.handled(interrupt))
"""
    done = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr, done.returncode) == (f"raised {STATUS[getattr(signal, name)]}\n", "", 0)


def test_sigterm_writes_the_checkpoint(folder, environment):
    """Of all rows that were trained on, though the checkpoint is not due; on the command line and in a program."""
    program = (
        "from tinynet_fast import train_neuron\n"
        "train_neuron('d.csv', 'y', epochs=100000, checkpoint='s.json', checkpoint_seconds=1e9)"
    )
    line = [*TRAIN, "--checkpoint", "s.json", "--checkpoint-seconds", "1e9", "--model", "m.json"]
    # Checkpoints are of the last training, after options were searched and the model was judged: neither is done here.
    line += ["--validation", "0", "--learning-rate", "0.1", "--l2", "0"]
    for command, status in (["-c", program], -signal.SIGTERM), (["-m", "tinynet_fast", *line], 143):
        (folder / "s.json").unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        while not (folder / "s.json").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        time.sleep(0.5)
        process.terminate()
        process.communicate()
        assert process.returncode == status
        assert json.loads((folder / "s.json").read_text())["state"]["epoch"] > 10
    assert load(folder / "known.json").n_features == 20


# --- the contexts themselves ------------------------------------------------------------------------------------------


def test_a_held_signal_comes_afterwards():
    done, held = [], Held(signal.SIGINT)

    def hold():
        with held:
            signal.raise_signal(signal.SIGINT)
            done.append("inside")
        done.append("after")

    for _ in range(2):  # it can be entered again, and has forgotten the first signal
        with pytest.raises(KeyboardInterrupt):
            hold()
    assert done == ["inside", "inside"]
    with held:
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_held_within_held():
    def hold():
        with Held(signal.SIGINT):
            with Held(signal.SIGINT, signal.SIGTERM):
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")

    done = []
    with pytest.raises(KeyboardInterrupt):
        hold()
    assert done == ["inner", "outer"]


def test_other_threads_hold_nothing():
    def work():
        with Held(signal.SIGINT), sigterm_raises():
            found.append(signal.getsignal(signal.SIGINT))

    found = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_sigterm_is_left_to_a_handler_of_the_program():
    def own(number, frame):
        came.append(number)

    came, before = [], signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        signal.signal(signal.SIGTERM, own)
        with sigterm_raises():
            signal.raise_signal(signal.SIGTERM)
        assert came == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)
    assert issubclass(TerminatedError, KeyboardInterrupt)
    assert not saves()


def test_no_handler_is_lost_wherever_a_signal_comes():
    """A signal at each line of entering and leaving: afterwards both handlers are still called."""
    lines = {"__enter__", "__exit__"}

    def signal_at(wanted, number):
        def trace(frame, event, _):
            nonlocal seen
            if frame.f_code.co_filename != interrupts.__file__ or frame.f_code.co_name not in lines:
                return None
            seen += event == "line"
            if event == "line" and seen == wanted:
                signal.raise_signal(number)
            return trace

        seen = 0
        sys.settrace(trace)
        try:
            with Held(signal.SIGINT, signal.SIGTERM):
                pass
        except (KeyboardInterrupt, StopIteration):
            pass
        finally:
            sys.settrace(None)
        return seen >= wanted

    def own(number, frame):
        came.append(number)
        raise StopIteration

    came, before = [], signal.signal(signal.SIGTERM, own)
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            wanted = 1
            while signal_at(wanted, number):
                came.clear()
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
                with pytest.raises(StopIteration):
                    signal.raise_signal(signal.SIGTERM)
                assert came == [signal.SIGTERM]
                wanted += 1
            assert wanted > 10
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, before)


def test_what_a_callback_does_with_signals(tmp_path):
    """A child that it forks is ended by SIGTERM, and a handler that it installs stays."""
    program = (
        "import multiprocessing, signal, time\n"
        "from tinynet_fast import train_neuron\n"
        "def callback(epoch):\n"
        "    child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))\n"
        "    child.start(); time.sleep(0.5); child.terminate(); child.join()\n"
        "    print(child.exitcode)\n"
        "    signal.signal(signal.SIGTERM, own)\n"
        "def own(number, frame): pass\n"
        "train_neuron([[0.], [1.]], [0, 1], epochs=1, checkpoint='c.json', callback=callback)\n"
        "print(signal.getsignal(signal.SIGTERM) is own)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("-15\nTrue\n", "")


@pytest.mark.parametrize("ends", [KeyboardInterrupt, SystemExit])
def test_a_callback_that_ends_the_run_loses_no_row(ends, tmp_path):
    """The checkpoint holds all rows of the epoch, though it is not due, and leads to the same weights and losses."""
    X, y = np.random.default_rng(0).standard_normal((200, 3)), np.arange(200) % 2
    path, options = tmp_path / "c.json", {"epochs": 6, "validation": 0.2, "seed": 1, "patience": 5, "shuffle": True}
    ref = train_neuron(X, y, **options)

    def callback(epoch):
        if epoch.epoch == 3:
            raise ends

    with pytest.raises(ends):
        train_neuron(X, y, **options, checkpoint=path, checkpoint_seconds=1e9, callback=callback)
    state = json.loads(path.read_text())["state"]
    assert (state["epoch"], state["rows"]) == (3, 160)
    comp = train_neuron(X, y, **options, checkpoint=path)
    np.testing.assert_array_equal(comp.model.weights, ref.model.weights)
    np.testing.assert_array_equal(comp.loss_history, ref.loss_history)
    np.testing.assert_array_equal(comp.validation_loss_history, ref.validation_loss_history)
    assert comp.best_epoch == ref.best_epoch
