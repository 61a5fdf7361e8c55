"""Threads that share the rows to predict: the same bits as one thread's."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet_fast.rows.sparse import CSR
from tinynet_fast.rows.team import Team, check_jobs

# Threads share the rows if X has at least SHARED_FROM values. A piece has at least PIECE_VALUES, as many as
# `base.COMPILED_FROM`, so that it is predicted by the kernels that predict all rows.
SHARED_FROM, PIECE_VALUES = 1 << 20, 1 << 18


def by_threads(model: Any, predict: Callable[[Any], np.ndarray], X: Any, n_jobs: int | None, block: int) -> np.ndarray:
    """`predict(X)`, which gives float64 numbers for each row, by as many threads as `n_jobs` says.

    `model` is a `Model`. `predict` cuts its rows into blocks of `block` rows, and last bits may depend on the cuts.
    So a thread gets whole blocks. If rows are refused, one thread predicts them all again, for a message that
    names their place.
    """
    if check_jobs(n_jobs) == 1:
        return predict(X)
    matrix = X if type(X) is np.ndarray and X.ndim == 2 else model._matrix(X)
    if isinstance(matrix, CSR) or matrix.size < SHARED_FROM or matrix.shape[1] != model.n_features:
        return predict(X)
    n = len(matrix)
    piece = -(-PIECE_VALUES // model.n_features // block) * block
    starts = [k * piece for k in range(max(n // piece, 1))]  # the last piece has the rest, too
    out = np.empty((n, model.n_outputs) if model.n_outputs > 1 else n)

    def fill(start: int) -> None:
        stop = n if start == starts[-1] else start + piece
        out[start:stop] = predict(matrix[start:stop])

    try:
        with Team.of(n_jobs) as team:
            team.map(fill, starts)
    except ValueError:
        return predict(X)
    return out
