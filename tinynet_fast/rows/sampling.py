"""Draws some of the rows by hashes, so that their order in the file does not matter, and each label has its share."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinynet_fast.rows.sparse import stacked

FEWEST = 16  # rows of each label that are drawn, if it has as many
RARE = 2048  # a label with fewer drawn rows is drawn again by itself: by chance it could have twice its share
DRAW_SEED = 2**32 - 2  # of the hashes here: unlike the seeds that users give, which decide the rows held out


def row_hashes(seed: int, start: int, stop: int) -> np.ndarray:
    """(stop - start,) uint64: a hash of each row's number and the seed (Steele, Lea and Flood's SplitMix64)."""
    z = np.arange(start + 1, stop + 1, dtype=np.uint64) + np.uint64(seed << 32)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def drawn_rows(n: int, every: int, kinds: Callable[[Any], np.ndarray] | None, n_kinds: int = 2) -> np.ndarray:
    """Draw about one in `every` of `n` rows, so that each kind of rows has its share. Returns rising row numbers.

    The rows are cut into runs of `every` rows, and a hash picks one row of each run. The draw is therefore spread over
    all rows, and a period in their order does no harm. Only the drawn rows need a hash: hashing a million rows would
    take as long as the search that uses them. The rows of a rare kind are drawn the same way, by themselves.

    Parameters
    ----------
    n, every, n_kinds : int
    kinds : callable, or None
        Takes row numbers or a slice of all rows, and returns the kind (the label) of each, a number below `n_kinds`.
        None if all rows are of one kind, such as rows that have numbers to learn.
    """
    rows = _one_of_each_run(n, every, 0)
    if kinds is None:
        return rows
    kind_of_row = kinds(rows)
    rare = np.flatnonzero(np.bincount(kind_of_row, minlength=n_kinds) < RARE)
    if not len(rare):
        return rows
    parts, all_kinds = [rows[~np.isin(kind_of_row, rare)]], kinds(slice(None))
    for kind in rare.tolist():
        there = np.flatnonzero(all_kinds == kind)
        if len(there):
            few = max(len(there) // every, min(FEWEST, len(there)))
            parts.append(there[_one_of_each_run(len(there), len(there) // few, 1 + kind)])
    return np.sort(np.concatenate(parts), kind="stable")


def _one_of_each_run(n: int, every: int, stream: int) -> np.ndarray:
    starts = np.arange(0, n, every)
    high = row_hashes(DRAW_SEED - stream, 0, len(starts)) >> np.uint64(32)
    rows = starts + ((high * np.uint64(every)) >> np.uint64(32)).astype(np.intp)
    rows[-1] = min(rows[-1], n - 1)  # the last run may be shorter
    return rows


def draw_from(pieces: Iterable[tuple[Any, np.ndarray]], most: int) -> tuple[Any, np.ndarray]:
    """Draw `most` rows, in their order, of rows that come in pieces: those with the smallest hashes, and some of each
    label. Of rows that have numbers (floats) in place of codes, only those with the smallest hashes.

    Parameters
    ----------
    pieces : iterable of (X, codes)
        The same rows are drawn however the pieces are cut. At most about twice `most` rows are in memory.
    most : int
    """
    kept: list[tuple[Any, ...]] = []
    held = row = 0
    for X, codes in pieces:
        kept.append((X, codes, row_hashes(DRAW_SEED, row, row + len(X))))
        row, held = row + len(X), held + len(X)
        if held > 2 * most:
            kept = [_smallest(kept, most)]
            held = len(kept[0][0])
    if not kept:
        raise ValueError("there are no rows: at least one is needed")
    X, codes, _ = _smallest(kept, most)
    return X, codes


def _smallest(parts: list[tuple[Any, ...]], most: int) -> tuple[Any, ...]:
    X, codes, hashes = (stacked(part) for part in zip(*parts, strict=True))
    if len(X) <= most:
        return X, codes, hashes
    keep = hashes <= np.partition(hashes, most - 1)[most - 1]
    for label in [] if codes.dtype.kind == "f" else np.flatnonzero(np.bincount(codes)):
        own = hashes[codes == label]
        if len(own) <= FEWEST:
            keep |= codes == label
        else:
            keep |= (codes == label) & (hashes <= np.partition(own, FEWEST - 1)[FEWEST - 1])
    return X[keep], codes[keep], hashes[keep]
