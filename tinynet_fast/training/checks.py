"""Checks of single options. An error names the option, its value and what is needed."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from tinynet_fast.rows.arrays import as_float
from tinynet_fast.rows.labels import as_labels


def check_whole(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int; ValueError if it is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} is {value!r}; a whole number of at least {least} is needed")
    return int(value)


def check_seed(seed: Any) -> int:
    """`seed` as an int; ValueError if NumPy would not take it."""
    seed = check_whole("seed", seed, least=0)
    if seed >= 2**32:
        raise ValueError(f"seed is {seed}; a number below 2**32 is needed")
    return seed


def draw_seed() -> int:
    """A new seed, from the operating system's random numbers."""
    return int(np.random.SeedSequence().generate_state(1)[0])


def check_flag(name: str, value: Any, also: str = "") -> bool:
    """`value` as a bool; ValueError if it is not True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} is {value!r}; True or False{also} is needed")
    return bool(value)


def check_rate(name: str, value: Any) -> float:
    """`value` as a float; ValueError if it is not a finite number above 0."""
    number = as_float(value)
    if number is None or not 0 < number < np.inf:
        raise ValueError(f"{name} is {value!r}; a finite number above 0 is needed")
    return number


def check_at_least_zero(name: str, value: Any) -> float:
    """`value` as a float; ValueError if it is not a finite number of at least 0."""
    number = as_float(value)
    if number is None or not 0 <= number < np.inf:
        raise ValueError(f"{name} is {value!r}; a finite number of at least 0 is needed")
    return number


def check_share(name: str, value: Any) -> float:
    """`value` as a float; ValueError if it is not from 0 up to 1, without 1."""
    number = as_float(value)
    if number is None or not 0.0 <= number < 1.0:
        raise ValueError(f"{name} is {value!r}; a number of at least 0 and below 1 is needed")
    return number


def check_one_of(what: str, value: Any, known: Collection[str]) -> str:
    """`value`; ValueError if it is not one of the names `known`."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"there is no {what} {value!r}: use one of {', '.join(known)}")
    return value


def check_callback(callback: Any) -> Callable[[Any], Any] | None:
    """`callback`; ValueError if it cannot be called."""
    if callback is not None and not callable(callback):
        raise ValueError(f"callback is {callback!r}; a function that takes an Epoch is needed")
    return callback


def check_labels(labels: Any, most: int) -> np.ndarray:
    """The labels that a caller names, as an array; ValueError if they are not 2 to `most` different ones."""
    wrong = f"labels is {labels!r}; a list of different labels is needed"
    if np.ndim(labels) != 1:
        raise ValueError(wrong)
    array = as_labels(labels, "labels")
    if len(np.unique(array)) != len(array) or (array.dtype.kind == "f" and not np.isfinite(array).all()):
        raise ValueError(wrong)
    if not 2 <= len(array) <= most:
        raise ValueError(
            f"labels names {len(array)}; " + ("two are needed" if most == 2 else f"2 to {most} are needed")
        )
    return array


def is_auto(learning_rate: Any) -> bool:
    """Whether a learning rate is to be searched for."""
    return isinstance(learning_rate, str) and learning_rate == "auto"
