"""Checkpoints: all that a run needs to go on as if it had never stopped, in a file that is never half written.

The file is JSON, like a model's. Arrays of float64 are base64 of their little-endian bytes, so they come back bit for
bit and a long history takes little space.
"""

import base64
import json
import os
import stat
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynet_fast._version import __version__
from tinynet_fast.errors import warn
from tinynet_fast.kernels.engines import ENGINES
from tinynet_fast.models.files import ModelFileError, atomic_file, check_folder, mode_of, remove_left_over, shortened
from tinynet_fast.rows.arrays import as_float
from tinynet_fast.rows.blocks import Rows, is_streamed
from tinynet_fast.rows.sparse import CSR
from tinynet_fast.training.history import all_finite
from tinynet_fast.training.resume import check_counted, finite, whole

if TYPE_CHECKING:
    from tinynet_fast.rows.stream import StreamRows

FORMAT = "tinynet_fast checkpoint"
FORMAT_VERSION = 4  # 2: with a checksum; 3: data files are known by their content; 4: arrays of what is trained by name
IN_ALL = ("rows_in_all", "epochs_in_all")  # the rates of schedule="cosine" depend on these
SEARCH = ("learning_rate", "rates", "losses", "rows", "epochs")  # the fields of a RateSearch
SHOWN, SHOWN_IN_ALL = 60, 250  # the most characters of one value in a message, and of all values
USUAL = {"dtype": "float64"}  # options that a file names only if they are something else
DIGEST_ROWS = 1 << 14  # rows that are digested at a time
DIGEST_VALUES = 1 << 18  # the same for the values of sparse rows


class Checkpoint:
    """One run's checkpoint file.

    Parameters
    ----------
    path : path
        A JSON file. If it exists, it is read, and `open` returns its state, unless `resume` is False.
    seconds : float
        How long to train before it is written again; 0 writes after every block of rows.
    """

    def __init__(self, path: Any, seconds: Any, resume: bool) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"checkpoint is {path!r}; the path of a file is needed")
        number = as_float(seconds)
        if number is None or not 0.0 <= number < np.inf:
            raise ValueError(f"checkpoint_seconds is {seconds!r}; a finite number of at least 0 is needed")
        self.path, self.seconds = Path(path), number
        check_folder(self.path)
        mode = mode_of(self.path)
        if mode is not None and not stat.S_ISREG(mode):
            raise ValueError(f"{self.path}: no regular file: name a file for the checkpoint")
        remove_left_over(self.path)
        self.found: dict[str, Any] | None = self._read() if resume and mode is not None else None
        self.head: dict[str, Any] = {}
        self.validation: dict[str, Any] | None = None  # the digest of validation rows that were given
        # The rate that was searched for is kept: with more epochs another search could find another rate.
        self.rate_search: dict[str, Any] | None = None if self.found is None else self.found["rate_search"]
        self.written, self.place = monotonic(), "of the start"

    def open(self, options: dict[str, Any], rows: "Rows | StreamRows", engine: str) -> dict[str, Any] | None:
        """The state to go on from, or None; ValueError, naming them, if the file is of other rows or options."""
        options = options | {"validation_rows": self.validation}
        fingerprint = rows.source.fingerprint() if is_streamed(rows) else digest(rows)  # type: ignore[arg-type]
        self.rows = rows
        self.head = {"seed": options["seed"], "options": _plain(options), "data": _plain(fingerprint)}
        self.engine_is(engine, None if self.found is None else self.found.get("strict_rows"))
        if self.found is None:
            return None
        found = [each for part in ("options", "data") for each in _differences(self.found[part], self.head[part])]
        differences = []
        for name, was, now in found:
            if name in IN_ALL and type(was) is type(now) is int:
                was, now = (number // (len(rows) if name == "rows_in_all" else 1) for number in (was, now))
                differences.append(f"epochs was {was} and is {now}, on which all rates of schedule='cosine' depend")
            else:
                differences.append(f"{name} was {_shown(was)} and is {_shown(now)}")
        differences.sort(key=lambda text: not text.startswith("trainer "))  # another trainer explains the others
        if self.found["engine"] != engine:
            differences.append(f"the engine was {self.found['engine']} and is {engine}")
        if differences:
            raise ValueError(
                f"{self.path}: a checkpoint of another run: {shortened('; '.join(differences), SHOWN_IN_ALL)}. Give "
                "what it was, name another checkpoint, or start over with resume=False (--no-resume)"
            )
        if is_streamed(rows) and self.found["rows"] is not None:
            check_counted(self.path, rows, *self.found["rows"])
            rows.counted(*self.found["rows"])
        state: dict[str, Any] = self.found["state"]
        return state

    def engine_is(self, name: str, strict_rows: int | None) -> None:
        """Note which engine trains, and how many rows `strict` trained before `fast`; None if one engine did all."""
        self.head |= {"engine": name} | ({} if strict_rows is None else {"strict_rows": strict_rows})

    def is_due(self) -> bool:
        """Whether it is time to write."""
        return monotonic() - self.written >= self.seconds

    def write(self, state: dict[str, Any], must: bool = False, every_second: bool = False) -> None:
        """Write the state. If that fails, warn and keep the file as it was; with `must`, raise instead.

        With `every_second`, write only if a second (or `checkpoint_seconds`, if that is less) has passed since the last
        time.
        """
        if every_second and monotonic() - self.written < min(self.seconds, 1.0):
            return
        if not all_finite(state["trained"]):  # the run diverged, and an error will say so
            return
        rows = [self.rows.source_rows, self.rows.source.dropped, self.rows.count] if is_streamed(self.rows) else None
        rows = None if rows is None or rows[0] is None else rows
        head = {"format": FORMAT, "format_version": FORMAT_VERSION, "written_by": f"tinynet_fast {__version__}"}
        search = None if self.rate_search is None else _packed(self.rate_search)
        content = head | self.head | {"rows": rows, "state": _packed(state), "rate_search": search}
        text = _text(content | {"checksum": _checksum(content)})
        self.written = monotonic()
        try:
            with atomic_file(self.path) as file:
                file.write(text + "\n")
        except OSError as error:
            if must:
                raise
            warn(
                f"{self.path}: the checkpoint could not be written ({error.strerror or error}); training goes on, and "
                f"the last one, {self.place}, is whole",
                RuntimeWarning,
            )
        else:
            self.at(state)

    def at(self, state: dict[str, Any]) -> None:
        """Note that the file holds this state."""
        self.place = f"after {state['epoch']:,} epochs and {state['rows']:,} rows"

    def last_words(self) -> str:
        """What a message says about the file if the run ends now."""
        return f"the last checkpoint, {self.place}, is {self.path}"

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            raise ModelFileError(f"{self.path}: not a checkpoint, or a damaged one: {_said(error)}") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ModelFileError(f"{self.path}: not a checkpoint: it lacks the field 'format' with {FORMAT!r}")
        if content.get("format_version") != FORMAT_VERSION:
            raise ModelFileError(
                f"{self.path}: written by {_shown(content.get('written_by', 'an unknown version'))} in format "
                f"{_shown(content.get('format_version'))}; this is tinynet_fast {__version__}, which reads format "
                f"{FORMAT_VERSION}: finish the run with what began it, or start over with resume=False (--no-resume)"
            )
        try:
            checksum = content.pop("checksum", None)
            if checksum != _checksum(content):
                raise ValueError("its checksum is not that of its content")
            content["state"] = {name: _unpacked(value) for name, value in content["state"].items()}
            search = content["rate_search"]
            content["rate_search"] = None if search is None else {name: _unpacked(search[name]) for name in SEARCH}
            _check_head(content)
        except (KeyError, AttributeError, TypeError, ValueError, RecursionError) as error:
            raise ModelFileError(f"{self.path}: not a checkpoint, or a damaged one: {_said(error)}") from None
        return content


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def _checksum(content: dict[str, Any]) -> str:
    """A digest of the whole checkpoint, so that no changed bit is trained on."""
    import hashlib  # 2 ms, which only checkpoints need

    return hashlib.blake2b(_text(content).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _check_head(content: dict[str, Any]) -> None:
    """KeyError, TypeError or ValueError if a field beside the state is missing or has a wrong type or value."""
    seed, rows, engine, search = content["seed"], content["rows"], content["engine"], content["rate_search"]
    if not isinstance(content["options"], dict) or not isinstance(content["data"], dict):
        raise TypeError("options or data is not an object")
    if engine not in ENGINES:
        raise ValueError("the engine is unknown")
    if "strict_rows" in content:
        whole("strict_rows", content["strict_rows"], 2**53)
        if engine != "fast":
            raise ValueError("strict_rows is of another engine than 'fast'")
    if seed is not None and not (type(seed) is int and 0 <= seed < 2**32):
        raise ValueError("the seed is not a whole number below 2**32")
    counted = isinstance(rows, list) and len(rows) == 3 and all(type(n) is int and 0 <= n <= 2**53 for n in rows)
    if rows is not None and not counted:
        raise ValueError("rows is not three whole numbers")
    if search is not None:
        finite("the rates that were tried", search["rates"], None)
        finite("the losses of the rates", search["losses"], len(search["rates"]), or_nan=True)
        if type(search["learning_rate"]) is not float or search["learning_rate"] not in search["rates"].tolist():
            raise ValueError("the rate that was found is not among those that were tried")
        whole("the rows of the search", search["rows"], 2**53)
        whole("the epochs of the search", search["epochs"], 2**53)


def _said(error: Exception) -> str:
    """An error's text for a message; with its name if it is a KeyError or an AttributeError."""
    return shortened(f"{type(error).__name__}: {error}" if isinstance(error, (KeyError, AttributeError)) else error)


def digest(rows: Rows) -> dict[str, Any]:
    """What identifies rows in memory: their number, type, and a digest of inputs, labels and sample weights."""
    import hashlib  # 2 ms, which only checkpoints need

    seen, kind = hashlib.blake2b(digest_size=16), "memory"
    if isinstance(rows.X, CSR):
        kind = "memory, sparse"
        for array in rows.X.arrays:
            for start in range(0, len(array), DIGEST_VALUES):  # indices of any type give the same digest
                values = array[start : start + DIGEST_VALUES]
                seen.update((values if array is rows.X.data else values.astype(np.int64)).tobytes())
    for start in range(0, len(rows.X), DIGEST_ROWS):
        part = slice(start, start + DIGEST_ROWS)
        if not isinstance(rows.X, CSR):
            seen.update(np.ascontiguousarray(rows.X[part]).tobytes())
        seen.update(np.ascontiguousarray(rows.codes[part]).tobytes())
        if rows.sample_weight is not None:
            seen.update(np.ascontiguousarray(rows.sample_weight[part]).tobytes())
    shape = list(rows.X.shape)
    return {"kind": kind, "shape": shape, "dtype": rows.X.dtype.str, "content": seen.hexdigest()}


def _differences(was: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(name, old value, new value) of all entries that differ; files are compared entry by entry."""
    found = []
    for name in sorted(was.keys() | now.keys(), key=lambda name: (name not in was or name not in now, name)):
        a, b = (known.get(name, USUAL.get(name)) for known in (was, now))
        if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            pairs = list(zip(a, b, strict=True))
            if all(isinstance(x, dict) and isinstance(y, dict) for x, y in pairs):
                for x, y in pairs:
                    found += [(f"{name} {x.get('name')}: {key}", p, q) for key, p, q in _differences(x, y)]
                continue
        if a != b:
            found.append((name, a, b))
    return found


def _shown(value: Any) -> str:
    return shortened(repr(value), SHOWN)


def _plain(value: Any) -> Any:
    """The value as it comes back from JSON."""
    return json.loads(json.dumps(value, default=lambda thing: thing.tolist()))


def _packed(state: dict[str, Any]) -> dict[str, Any]:
    """The state for JSON: arrays become base64 of float64."""
    return {name: _packed_value(value) for name, value in state.items()}


def _packed_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {"arrays": _packed(value)}
    if isinstance(value, np.ndarray):
        return {"float64": base64.b64encode(value.astype("<f8").tobytes()).decode()}
    return value


def _unpacked(value: Any) -> Any:
    """The inverse of `_packed_value`."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"arrays"} and isinstance(value["arrays"], dict):
        return {name: _unpacked(array) for name, array in value["arrays"].items()}
    if set(value) != {"float64"}:
        raise ValueError("an array of its state is not base64 of float64")
    return np.frombuffer(base64.b64decode(value["float64"], validate=True), dtype="<f8").astype(np.float64)
