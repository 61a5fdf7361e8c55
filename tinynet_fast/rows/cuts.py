"""Cuts pieces of rows into blocks. Where blocks end depends on the rows' numbers alone, not on how pieces are cut."""

from collections.abc import Iterator

from tinynet_fast.rows.kept import Piece, joined


def next_cut(done: int, end: int, size: int, tile: int, batch_size: int | None) -> int:
    """The last row after `done`, up to `end`, at which a block of at most `size` rows may end, else `done`."""
    end = min(end, done + size)
    if batch_size is None:
        return max(end // tile * tile, done)
    if batch_size <= size:
        return max(end // batch_size * batch_size, done)
    batch = done // batch_size * batch_size
    if end >= batch + batch_size:
        return batch + batch_size
    return max(batch + (end - batch) // tile * tile, done)


def first_cut(after: int, size: int, tile: int, batch_size: int | None) -> int:
    """The first row after `after` at which a block may end."""
    if batch_size is None:
        return after // tile * tile + tile
    batch = after // batch_size * batch_size
    return batch + (batch_size if batch_size <= size else min((after - batch) // tile * tile + tile, batch_size))


def recut(
    pieces: Iterator[Piece], size: int, tile: int = 1, batch_size: int | None = None, start: int = 0
) -> Iterator[Piece]:
    """Cut pieces of any length into blocks that end where `next_cut` says; the last block holds the rest.

    A block is a view if its rows lie in one piece; otherwise they are copied.
    """
    done = start
    rest: list[Piece] = []
    for piece in pieces:
        X, y = piece
        while len(y):
            waiting = sum(len(part) for _, part in rest)
            cut = next_cut(done, done + waiting + len(y), size, tile, batch_size)
            if cut <= done + waiting:  # no end among these rows
                rest.append((X, y))
                break
            if rest:  # the shortest block that takes the rest in, so that little is copied
                cut = first_cut(done + waiting, size, tile, batch_size)
            take = cut - done - waiting
            rest.append((X[:take], y[:take]))
            yield joined(rest)
            rest, done = [], cut
            X, y = X[take:], y[take:]
    if rest:
        yield joined(rest)
