"""Starts runs, kills them with SIGKILL, looks at what is left, and lets them go on. See `test_kills.py`.

Each run is a fork of this process, which has imported and compiled everything: a kill costs hundredths of a second.
Half of the kills come at a point of a write, where the run waits for it. The other half come after a random time.

    python tests/faults/kills_child.py 1000 [a job] [--mistake 'in place']
"""

import argparse
import json
import os
import pickle
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import kill_jobs
import numpy as np
from kill_jobs import JOBS, OLD, X, Y
from operations import POINTS, hooked

from tinynet_fast import train_neuron
from tinynet_fast.models.files import _prefix
from tinynet_fast.training.checkpoints import Checkpoint

WAIT = 120  # seconds after which a run hangs
NAME = "run.ckpt.json"
RIGHTS = 0o664  # which takes a chmod to keep


class Job:
    """One run, a folder for its files, and what it must come to."""

    def __init__(self, name, folder):
        self.name, self.run = name, JOBS[name]
        self.folder, self.results = folder / "work", folder / "results"
        self.checkpoint = self.folder / NAME
        self.output = self.folder / self.run.output if hasattr(self.run, "output") else None
        for each in (self.folder, self.results):
            each.mkdir(parents=True)
        kill_jobs.fill(self.folder)
        if name.startswith("predict"):
            model = train_neuron(X, Y, epochs=1).model
            model.features = list("abc")
            model.save(self.folder / "model.json")
        other = _prefix(self.folder / f"{NAME}.b", 2**22 + 1)  # of a process that there cannot be
        mine = _prefix(self.checkpoint, os.getpid())  # of one that runs: this one
        for each in ("notes.txt", f".{NAME}.tmp", f"{NAME}.b", f"{other}abc.tmp", f"{mine}abc.tmp"):
            (self.folder / each).write_text("not for this run")
        self.reset()
        self.kept = self.others()
        self.points, self.states = Counter(), {}
        self.whole, _ = self.measured(checkpoint=None)
        again, self.seconds = self.measured(checkpoint=self.checkpoint)
        if again != self.whole:
            raise ValueError(f"{name}: a checkpoint changes the result")
        self.reset()

    def reset(self):
        """As before the first run."""
        self.checkpoint.unlink(missing_ok=True)
        if self.output:
            self.output.write_bytes(OLD)
        self.place, self.rights = (-1, -1), []

    def others(self):
        """What is in the folder beside the run's own files."""
        own = {self.checkpoint, self.output}
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path not in own and not _new(path)}

    def left(self, path):
        """The temporary files of `path`, and the numbers of the processes that wrote them."""
        before = _prefix(path, 0).rsplit("0-", 1)[0]
        found = [each.name for each in self.folder.iterdir() if each.name.startswith(before)]
        return [int(name[len(before) :].split("-")[0]) for name in found if name not in self.kept]

    def measured(self, checkpoint):
        """The result of a run that nobody stops, and its seconds; its points and states are noted."""
        noted = self.results / "noted"

        def work():
            points, states, write = Counter(), {}, Checkpoint.write

            def noting(checkpoint, state, **options):
                states[state["epoch"], state["rows"]] = _bits(state)
                write(checkpoint, state, **options)

            Checkpoint.write = noting
            with hooked(lambda *point: points.update([point])):
                result = self.run(self.folder, checkpoint=checkpoint, checkpoint_seconds=0)
            noted.write_bytes(pickle.dumps((points, states)))
            return result

        began = time.monotonic()
        child, pipe = self.start(work)
        os.close(pipe)
        status = os.waitpid(child, 0)[1]
        if status:
            raise RuntimeError(f"{self.name}: a run that nobody stopped failed, status {status}")
        points, states = pickle.loads(noted.read_bytes())
        self.points.update(points)
        for when in ("before", "after"):  # of a file that is there already
            self.points["chmod", when] = points["replace", when]
        self.states.update(states)
        return self.result(), time.monotonic() - began

    def start(self, work):
        """Fork a process that does `work`; gives its number and a pipe that it may write to, and that ends with it."""
        read, write = os.pipe()
        child = os.fork()
        if child:
            os.close(write)
            return child, read
        status = 1
        try:
            self.pipe = write
            warnings.simplefilter("ignore")
            found = work()
            (self.results / "part").write_bytes(found)
            os.replace(self.results / "part", self.results / "result")
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def result(self):
        return (self.results / "result").read_bytes()

    def go_on(self, point=None, number=1):
        """Go on with the run in a process that stops at the `number`-th time at `point`, and waits to be killed."""
        (self.results / "result").unlink(missing_ok=True)
        self.rights = [path for path in (self.checkpoint, self.output) if path and path.exists()]
        for path in self.rights:
            path.chmod(RIGHTS)
        seen = Counter()

        def hook(*at):
            seen.update([at])
            if at == point and seen[at] == number:
                os.write(self.pipe, b"!")
                time.sleep(WAIT)

        def work():
            with hooked(hook):
                return self.run(self.folder, checkpoint=self.checkpoint, checkpoint_seconds=0)

        return self.start(work)

    def leads_to_the_end(self):
        """Whether a copy of the checkpoint, in a copy of the folder, leads to the end of a run that nobody stopped."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(self.folder, Path(folder) / "work"))
            child, pipe = self.start(lambda: self.run(copy, checkpoint=copy / NAME, checkpoint_seconds=0))
            status = os.waitpid(child, 0)[1]
            os.close(pipe)
            return status == 0 and self.result() == self.whole

    def faults(self, killed, point):
        """What is wrong in the folder after process `killed` ended, at `point` of a write if that is known."""
        if self.others() != self.kept:
            yield "changed"
        if any(path.stat().st_mode & 0o777 != RIGHTS for path in self.rights):
            yield "rights"
        if self.output and self.output.read_bytes() not in (OLD, self.whole):
            yield "damaged"
        if self.checkpoint.exists():
            try:
                # From a copy, for a checkpoint that is opened removes temporary files beside it.
                state = Checkpoint(shutil.copy(self.checkpoint, self.results / "copy.json"), 0, True).found["state"]
            except ValueError:
                yield "damaged"
                return
            place = state["epoch"], state["rows"]
            if place not in self.states:  # a run that goes on in the middle of an epoch may cut its blocks elsewhere
                yield "between" if self.leads_to_the_end() else "foreign"
            elif self.states[place] != _bits(state):
                yield "foreign"
            if place < self.place:
                yield "went back"
            self.place = place
        elif self.place > (-1, -1):
            yield "lost"
        if point and point[0] != "unlink" and set(self.left(self.checkpoint)) - {killed}:
            yield "left over"
        if killed is None and self.left(self.folder / (self.output or self.checkpoint)) + self.left(self.checkpoint):
            yield "left over"


def _new(path):
    """Whether this is a temporary file of a fork of this process, and so not one that was there before."""
    parts = path.name.rsplit("-", 2)
    return path.suffix == ".tmp" and len(parts) == 3 and parts[1] not in (str(os.getpid()), str(2**22 + 1))


def _bits(value):
    """A state without its seconds, for comparing."""
    if isinstance(value, dict):
        return {name: _bits(part) for name, part in value.items() if name != "seconds"}
    return value.tobytes() if isinstance(value, np.ndarray) else value


def kill(job, draw, at_a_point, told):
    """Go on with the run and kill it; True if it was killed, False if it had ended, which is told as well."""
    point, number, delay = None, 1, WAIT
    if at_a_point:
        point = draw.choice([each for each in POINTS if job.points[each]])
        number = draw.randint(1, min(job.points[point], 6))
        if job.left(job.output or job.checkpoint) and draw.random() < 0.3:  # while what is left over is removed
            point, number = ("unlink", draw.choice(("before", "after"))), 1
    else:
        delay = draw.uniform(0, job.seconds)
    child, pipe = job.go_on(point, number)
    ready = select.select([pipe], [], [], delay)[0]
    stopped = os.read(pipe, 1) == b"!" if ready else False
    if at_a_point and not ready:
        told["hung"] += 1
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    os.close(pipe)
    if os.WIFSIGNALED(status):
        where = f"{point[0]}, {point[1]}" if stopped else "while running"
        told[f"killed: {where}"] += 1
        told.update(job.faults(child, point if stopped else None))
        return True
    finish(job, status, told)
    return False


def finish(job, status, told):
    """Judge a run that ended by itself."""
    told["runs"] += 1
    if status:
        told["refused"] += 1
    elif job.result() != job.whole:
        told["wrong"] += 1
    told.update(job.faults(None, None))
    for path in job.folder.iterdir():
        if _new(path):
            path.unlink()
    job.reset()


def run(name, kills, seed, told):
    """Kill one job again and again, then let it end."""
    with tempfile.TemporaryDirectory() as folder:
        job, draw, done, tries = Job(name, Path(folder)), random.Random(f"{name} {seed}"), 0, 0
        while done < kills and tries < 4 * kills + 20:
            done += kill(job, draw, done % 2 == 0, told)
            tries += 1
        child, pipe = job.go_on()
        finish(job, os.waitpid(child, 0)[1], told)
        os.close(pipe)
        return done


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kills", type=int)
    parser.add_argument("jobs", nargs="*")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mistake")
    options = parser.parse_args()
    began = time.monotonic()
    kill_jobs.small_blocks()
    warnings.simplefilter("ignore")
    engine = str(train_neuron(X, Y, epochs=1).engine)
    for name in ("neuron", "network", "shuffled, averaged, validated", "sparse", ".npy", "softmax"):
        if not options.jobs or name in options.jobs:  # compiled once, for all forks; files of pyarrow have threads
            with tempfile.TemporaryDirectory() as folder:
                kill_jobs.fill(Path(folder))
                JOBS[name](Path(folder))
    kill_jobs.command("--version", output=Path(__file__).resolve())(Path.cwd())  # which imports what typer needs
    if options.mistake:
        kill_jobs.plant(options.mistake)
    names = options.jobs or [name for name in JOBS if not kill_jobs.without(name)]
    told, each = Counter(), {}
    for k, name in enumerate(names):
        share = options.kills * (k + 1) // len(names) - options.kills * k // len(names)
        each[name] = run(name, share, options.seed, told)
    print(
        json.dumps({"engine": engine, "jobs": each, "told": dict(told), "seconds": round(time.monotonic() - began, 1)})
    )


if __name__ == "__main__":
    main()
