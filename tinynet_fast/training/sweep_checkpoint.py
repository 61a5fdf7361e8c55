"""The checkpoint of a sweep of networks: the finished ones, and the state of those that are training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinynet_fast.kernels.engines import ENGINES, FAST, STRICT
from tinynet_fast.rows.blocks import Rows
from tinynet_fast.training.checkpoints import Checkpoint
from tinynet_fast.training.network_plan import NetworkPlan, Trained
from tinynet_fast.training.resume import StateError, finite, told, whole

OWN = ("part", "engine", "finished", "engines")  # entries of the file's state that are not in a single run's


class SweepCheckpoint:
    """One file for a sweep. `Run` sees `part(k)` of it, as if that were the checkpoint of a single run.

    The file has the state of the k-th part (`part` is k), the engine that trains it, and what came of the networks of
    the parts before it: their parameters, losses and engines.
    """

    def __init__(self, file: Checkpoint, options: dict[str, Any], rows: Rows, engine: str) -> None:
        self.file = file
        self.state = file.open(options, rows, engine)

    def open(self, plans: Sequence[NetworkPlan], parts: list[list[int]], trained: Trained) -> int:
        """Put the networks that are finished into `trained`. Returns the number of the part to go on with."""
        self.plans, self.parts, self.trained = plans, parts, trained
        if self.state is None:
            return 0
        with told(self.file.path):
            odd = [name for name in OWN if name not in self.state]
            if odd:
                raise StateError(f"the entry {odd[0]!r} of its state is missing")
            own = {name: self.state.pop(name) for name in OWN}
            k = whole("part", own["part"], len(parts) - 1)
            self._put_back(k, own["finished"], own["engines"])
            if own["engine"] not in ENGINES:
                raise StateError("the engine is unknown")
            for i in parts[k]:
                if own["engine"] == STRICT.name and plans[i].options.engine is FAST:  # a row was too long for `fast`
                    plans[i].options.engine, plans[i].options.limit = STRICT, np.inf
        return k

    def part(self, k: int) -> "Part":
        """The checkpoint of one part."""
        state, self.state = self.state, None
        return Part(self, k, state)

    def finished(self, k: int) -> dict[str, Any]:
        """What came of the networks of the first `k` parts. A network that diverged has zeros where it has NaN."""
        done = [i for part in self.parts[:k] for i in part]
        losses = self.trained.losses[:, done]
        arrays = {
            "parameters": np.nan_to_num(np.concatenate([np.empty(0), *(self.trained.parameters[i] for i in done)])),
            "losses": np.nan_to_num(losses).reshape(-1),
            "lasted": np.isfinite(losses).sum(axis=0).astype(np.float64),
            "diverged": self.trained.diverged(done).astype(np.float64),
        }
        return {"finished": arrays, "engines": [str(self.trained.engines[i]) for i in done]}

    def _put_back(self, k: int, arrays: Any, engines: Any) -> None:
        """The inverse of `finished`; StateError if it does not fit."""
        done, trained = [i for part in self.parts[:k] for i in part], self.trained
        sizes, epochs = [len(self.plans[i].start) for i in done], len(trained.losses)
        lengths = {
            "parameters": sum(sizes),
            "losses": epochs * len(done),
            "lasted": len(done),
            "diverged": len(done),
        }
        if not isinstance(arrays, dict) or set(arrays) != set(lengths):
            raise StateError(f"finished does not hold the arrays {', '.join(lengths)}")
        for name, length in lengths.items():
            finite(f"finished: {name}", arrays[name], length)
        for name, most in (("lasted", epochs), ("diverged", 1)):
            for count in arrays[name]:
                whole(f"finished: {name}", count, most)
        known = isinstance(engines, list) and len(engines) == len(done) and all(isinstance(e, str) for e in engines)
        if not known or any(each.partition("/")[0] not in ENGINES for each in engines):
            raise StateError("engines does not hold an engine for each finished network")
        losses = arrays["losses"].reshape(epochs, len(done))
        losses = np.where(np.arange(epochs)[:, np.newaxis] < arrays["lasted"], losses, np.nan)
        parameters = np.split(arrays["parameters"], np.cumsum(sizes)[:-1]) if done else []
        for k, i in enumerate(done):
            trained.parameters[i] = parameters[k] if arrays["diverged"][k] == 0.0 else np.full(sizes[k], np.nan)
            trained.losses[:, i], trained.engines[i] = losses[:, k], engines[k]
        for part in self.parts:
            if part[0] in done:
                trained.side_by_side[part] = len(part) > 1


class Part:
    """What `Run` needs of a checkpoint, for one part of a sweep."""

    rate_search = None

    def __init__(self, sweep: SweepCheckpoint, k: int, state: dict[str, Any] | None) -> None:
        self.file, self.found, self.engine, self.seconds = sweep.file, state, "", sweep.file.seconds
        self.rest = {"part": k, **sweep.finished(k)}

    @property
    def path(self) -> Path:
        return self.file.path

    def open(self, options: dict[str, Any], rows: Any, engine: str) -> dict[str, Any] | None:
        """The state to go on from."""
        return self.found

    def engine_is(self, name: str, strict_rows: int | None) -> None:
        self.engine = name

    def is_due(self) -> bool:
        return self.file.is_due()

    def write(self, state: dict[str, Any], must: bool = False, every_second: bool = False) -> None:
        self.file.write(state | self.rest | {"engine": self.engine}, must, every_second)

    def at(self, state: dict[str, Any]) -> None:
        self.file.at(state)

    def last_words(self) -> str:
        return self.file.last_words()
