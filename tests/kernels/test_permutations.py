"""The kernel that draws orders of rows, against NumPy: it has to draw the same, word for word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import Mistake, plain_copy

from tinynet_fast.kernels.fast import row_order

pytestmark = pytest.mark.any_cpu
WORD = 1 << 32
# Numbers of a seed: of one word, of several, and those at which a word begins.
NUMBERS = st.one_of(st.integers(0, 2**70), st.sampled_from([0, 1, WORD - 1, WORD, 2**33, 2**64 - 1, 2**128]))


def words_of(seed):
    """The seed's words, the lowest of each number first: NumPy's `SeedSequence` takes them in this order."""
    return [number >> 32 * k & WORD - 1 for number in seed for k in range(max(-(-number.bit_length() // 32), 1))]


def drawn(words, count, n):
    places = np.full((count, n), -1)
    row_order.permutations(np.array(words), np.zeros(4, np.int64), places)
    return places


@given(st.lists(NUMBERS, max_size=6), st.integers(0, WORD - 4), st.integers(0, 40), st.integers(0, 3))
def test_orders_are_numpys(first, last, n, count):
    ref = [np.random.default_rng([*first, last + k]).permutation(n) for k in range(count)]
    comp = drawn(words_of([*first, last]), count, n)
    np.testing.assert_array_equal(comp, np.array(ref).reshape(count, n))


@pytest.mark.parametrize("n", [63, 64, 65, 128, 129, 1000, 4097])
def test_masks_change_at_powers_of_two(n):
    np.testing.assert_array_equal(drawn([7, 1], 1, n)[0], np.random.default_rng([7, 1]).permutation(n))


def test_the_last_word_counts():
    words = np.array([7, 3])
    row_order.permutations(words, np.zeros(4, np.int64), np.empty((5, 2), np.int64))
    assert words.tolist() == [7, 8]


PLANTED = [
    Mistake("a word late", "words[k] if k < len(words) else 0", "words[k] if k < len(words) - 1 else 0"),
    Mistake("long seeds cut", "range(POOL, len(words))", "range(POOL, POOL)"),
    Mistake("the pool mixed with itself", "source != place", "source <= place"),
    Mistake("halves exchanged", "high << HALF | low", "low << HALF | high"),
    Mistake(
        "a carry lost",
        "return upper + step_high + np.uint64(lower < step_low), lower",
        "return upper + step_high, lower",
    ),
    Mistake("another turn", "np.uint64(58)", "np.uint64(57)"),
    Mistake("one place less", "fits = j <= i", "fits = j < i"),
    Mistake(
        "the second half twice",
        "swapped(places, k, i, mask, bits & M32)",
        "swapped(places, k, i, mask, bits >> HALF)",
    ),
    Mistake("the next seed is the same", "words[len(words) - 1] += 1", "pass"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("mistake", PLANTED, ids=str)
def test_planted_mistake(mistake, monkeypatch):
    def check():
        for words in ([1, 0], [0, 0, 2, 5], [3, 1, 4, 1, 5, 9]):
            for n in (7, 20):
                ref = [np.random.default_rng([*words[:-1], words[-1] + k]).permutation(n) for k in range(2)]
                np.testing.assert_array_equal(drawn(words, 2, n), ref)

    wrong = plain_copy(row_order, mistake)
    monkeypatch.setitem(globals(), "row_order", plain_copy(row_order))
    check()  # the copy itself passes
    monkeypatch.setitem(globals(), "row_order", wrong)
    with pytest.raises(AssertionError):
        check()
