"""The longest run of one label: counted over blocks, and warned of when no shuffled rows would have it."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynet_fast import train_neuron
from tinynet_fast.errors import TrainingWarning
from tinynet_fast.rows import kept
from tinynet_fast.rows.blocks import Order
from tinynet_fast.rows.labels import GROUP, LONG_RUN, LongestRun


def longest(codes):
    best, run, before = (0, -1), 0, None
    for code in codes:
        run = run + 1 if code == before else 1
        best, before = max(best, (run, -1), key=lambda pair: pair[0]), code
    return best[0]


def counted(*blocks):
    runs = LongestRun()
    for block in blocks:
        runs.add(np.asarray(block, np.uint8))
    return runs


@given(
    st.lists(st.tuples(st.integers(1, 3 * GROUP), st.integers(0, 2)), min_size=1, max_size=12),
    st.lists(st.integers(0, 20_000), max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_the_longest_run_does_not_depend_on_blocks(runs, cuts, seed):
    codes = np.concatenate([np.full(n, code) for n, code in runs])
    noise = np.random.default_rng(seed).integers(0, 2, 5 * GROUP)  # a stretch that has no long run
    codes = np.concatenate([codes, noise])
    comp, ref = counted(*np.split(codes, sorted(min(cut, len(codes)) for cut in cuts))), longest(codes.tolist())
    assert comp.rows == len(codes)
    assert comp.longest == ref or comp.longest < ref < 2 * GROUP


def test_when_a_run_is_too_long():
    rng = np.random.default_rng(0)
    assert counted(np.zeros(50_000), np.ones(50_000)).too_long
    assert counted(np.repeat(np.arange(10), LONG_RUN)).too_long
    assert not counted(np.zeros(LONG_RUN - 1), np.ones(LONG_RUN - 1)).too_long
    assert not counted(rng.permutation(np.repeat([0, 1], 50_000))).too_long
    rare = np.zeros(400_000, np.uint8)
    rare[rng.integers(0, len(rare), 8)] = 1  # 8 in 400,000: runs of 20,000 rows and more, and yet no order
    assert counted(rare).longest > 2 * LONG_RUN
    assert not counted(rare).too_long
    assert not counted(2 * rare).too_long
    assert not counted(np.zeros(10**6)).too_long  # one label is refused elsewhere
    assert not counted([]).too_long


@pytest.fixture
def sorted_rows(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60_000, 2)), np.repeat([0, 1], 30_000)
    np.save(tmp_path / "rows.npy", X)
    np.save(tmp_path / "labels.npy", y)
    return tmp_path, X, y


def test_sorted_files_warn(sorted_rows, monkeypatch):
    folder, _, _ = sorted_rows
    paths = folder / "rows.npy", folder / "labels.npy"
    with pytest.warns(TrainingWarning, match=r"30,000 of 60,000 rows .* label 0: .* Pass shuffle=True"):
        train_neuron(*paths, epochs=2)
    with pytest.warns(TrainingWarning, match=r"24,\d+ of 48,\d+ rows"):
        train_neuron(*paths, epochs=2, validation=0.2, seed=1)
    monkeypatch.setattr(kept, "MEMORY_BYTES", 0)
    with pytest.warns(TrainingWarning, match=r"30,000 of 60,000 rows .* Shuffle the rows in the file once"):
        train_neuron(*paths, epochs=2)
    monkeypatch.setattr(Order, "BLOCK_VALUES", 2 * 10_000)
    with pytest.warns(TrainingWarning, match=r"0,000 of 60,000 rows"):
        train_neuron(*paths, epochs=1, shuffle="blocks", seed=1)


def test_other_files_do_not_warn(sorted_rows):
    folder, X, y = sorted_rows
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*follow each other")
        train_neuron(folder / "rows.npy", folder / "labels.npy", epochs=2, shuffle=True, seed=0)
        order = np.random.default_rng(1).permutation(len(y))
        np.save(folder / "rows.npy", X[order])
        train_neuron(folder / "rows.npy", y[order], epochs=2)
