"""What identifies a training with engine="portable": the digests of its rows, its options and its weights.

They are SHA-256 of little-endian float64 and of JSON, so they are the same on every machine.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinynet_fast.rows.blocks import is_streamed
from tinynet_fast.rows.sparse import CSR

ROWS = 1 << 12  # that are taken at a time; the digest does not depend on it


def sha256(arrays: list[Any]) -> str:
    """The digest of arrays as float64, and of their shapes."""
    seen = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array, dtype="<f8")
        seen.update(repr(array.shape).encode() + array.tobytes())
    return seen.hexdigest()


def model_arrays(model: Any) -> list[np.ndarray]:
    """The weights and biases of a model."""
    if isinstance(model.weights, list):
        return [*model.weights, *model.biases]
    return [model.weights, np.asarray(model.bias)]


def rows_digest(rows: Any) -> str | None:
    """The digest of the rows that are trained on, standardised if they are; None if they cannot be read again."""
    if is_streamed(rows) and not rows.source.repeatable:
        return None
    parts = [hashlib.sha256() for _ in range(4)]
    for X, y, weights in rows.blocks(ROWS):
        values, places = X, np.empty(0)
        if isinstance(X, CSR):
            values, indices, _, _ = X.lists()
            places = np.array([*indices, *X.lengths])
        taken = (values, y, np.empty(0) if weights is None else weights, places)
        for seen, array in zip(parts, taken, strict=True):
            seen.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return hashlib.sha256(b"".join(seen.digest() for seen in parts)).hexdigest()


def options_digest(options: dict[str, Any]) -> str:
    """The digest of options: names, and plain values."""
    return hashlib.sha256(json.dumps(options, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def weights_digest(model: Any) -> str:
    """The digest of a model's weights and biases."""
    return sha256(model_arrays(model))


def of_training(model: Any, options: Any, decided: dict[str, Any]) -> dict[str, Any]:
    """Entries for the model's file: the digests of a training, and what was asked for.

    `decided` is all that the weights depend on beside the rows and the epochs.
    """
    digests = {
        "rows": rows_digest(options.rows),
        "options": options_digest(decided | {"epochs": options.epochs}),
        "weights": weights_digest(model),
    }
    return {"digest": digests, "asked": asked_again(decided["trainer"], options.asked | {"seed": options.seed})}


def different(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Which of the digests of two trainings differ: "rows", "options", "weights"."""
    return [name for name in ("rows", "options", "weights") if was.get(name) != now.get(name)]


# --- what was asked for, so that it can be asked for again ------------------------------------------------------------

# The rows, which a digest stands for, and what nothing depends on.
NOT_KEPT = {"X", "y", "table", "target", "sample_weight", "progress", "callback", "resume", "n_jobs"}
NOT_KEPT |= {"checkpoint", "checkpoint_seconds"}


def asked_again(trainer: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What a model's file says of the options that a trainer was given: its name, and plain values."""
    kept = {name: value for name, value in asked.items() if name not in NOT_KEPT and value is not None}
    if isinstance(kept.get("class_weight"), Mapping):
        kept["class_weight"] = list(kept["class_weight"].items())  # JSON's names are texts, and labels may be numbers
    found: dict[str, Any] = json.loads(json.dumps({"trainer": trainer, "options": kept}, default=_plain))
    return found
