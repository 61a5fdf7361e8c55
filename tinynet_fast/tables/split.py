"""Which rows of a table are held out to judge the model."""

import numpy as np

from tinynet_fast.rows.blocks import SPLIT_STREAM, check_held_share

FEWEST_ROWS = 20  # no rows of a smaller table are held out, unless a share is named
SHARE = 0.2


def held_rows(codes: np.ndarray, share: float | None, seed: int) -> np.ndarray:
    """Draw rows to hold out, the same share of each label: (n,) bool.

    `share` None is a fifth, or nothing if there are fewer than 20 rows. At least one row of each label stays.
    """
    held = np.zeros(len(codes), bool)
    if share is None:
        share = SHARE if len(codes) >= FEWEST_ROWS else 0
    if share == 0:
        return held
    share = check_held_share(share)
    draw = np.random.default_rng([seed, SPLIT_STREAM])
    for code in range(int(codes.max()) + 1):
        rows = np.flatnonzero(codes == code)
        draw.shuffle(rows)
        held[rows[: min(round(len(rows) * share), len(rows) - 1)]] = True
    if not held.any():
        raise ValueError(f"validation={share} holds out no row of {len(codes)}: name a larger share, or 0")
    return held
