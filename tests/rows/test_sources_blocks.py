"""Blocks from iterators and Arrow readers: buffers that are filled again, masks, blocks without rows."""

import gc
import weakref
from collections import namedtuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tables import gather

from tinynet_fast import train_neuron
from tinynet_fast.rows.formats import TableError, open_source
from tinynet_fast.scoring import predict_file

ROWS = 500
RNG = np.random.default_rng(0)
X = RNG.normal(size=(12 * ROWS, 3)) * 4
Y = (X[:, 0] + RNG.normal(size=len(X)) > 0).astype(np.int64)


def reused(dtype=np.float64, order="C", labels=Y, wrap=lambda buffer: buffer):
    """A function that makes iterators over the rows, each of which fills one buffer again and again."""

    def blocks():
        rows, y = np.empty((ROWS, X.shape[1]), dtype, order), np.empty(ROWS, labels.dtype)
        for first in range(0, len(X), ROWS):
            rows[:], y[:] = X[first : first + ROWS], labels[first : first + ROWS]
            yield wrap(rows), wrap(y)

    return blocks


def array_like(values):
    """An object that NumPy can read, which gives away its own memory."""

    class ArrayLike:
        shape = values.shape

        def __len__(self):
            return len(values)

        def __array__(self, dtype=None, copy=None):
            return values

    return ArrayLike()


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        (np.float64, {}),
        (np.float32, {}),
        (np.float64, {"order": "F"}),
        (np.int16, {}),
        (">f8", {}),
        (np.float64, {"labels": Y.astype(np.float64)}),
        (np.float64, {"labels": Y.astype(bool)}),
        (np.float64, {"labels": np.array(["fail", "pass"])[Y]}),
        (np.float64, {"wrap": np.ma.asarray}),
        (np.float64, {"wrap": np.asfortranarray}),
        (np.float64, {"wrap": lambda values: values[::1]}),
        (np.float64, {"wrap": array_like}),
    ],
)
def test_a_buffer_that_is_filled_again_trains_on_the_rows_it_held(dtype, options):
    labels = options.get("labels", Y)
    ref = train_neuron(X.astype(dtype), labels, learning_rate=0.01, epochs=2)
    comp = train_neuron(reused(dtype, **options), learning_rate=0.01, epochs=2)
    assert_array_equal(comp.model.weights, ref.model.weights)
    assert comp.model.bias == ref.model.bias


def test_a_generator_that_is_read_once_may_fill_its_buffer_again():
    ref = train_neuron(X, Y, learning_rate=0.01, epochs=1)
    comp = train_neuron(reused()(), learning_rate=0.01, epochs=1, labels=(0, 1))
    assert_array_equal(comp.model.weights, ref.model.weights)


def test_estimators_and_files_take_buffers_that_are_filled_again(tmp_path):
    from sklearn.base import clone

    from tinynet_fast.sklearn import SGDClassifier, partial_fit_stream

    # With "fast", calls change bits of steps that overshoot, as in scikit-learn: this rate has none.
    for options in ({"engine": "strict"}, {"learning_rate": "constant", "eta0": 0.01}):
        model = SGDClassifier(loss="log_loss", shuffle=False, **options)
        ref = partial_fit_stream(clone(model), lambda: iter([(X, Y)]), classes=[0, 1])
        comp = partial_fit_stream(clone(model), reused(), classes=[0, 1])
        assert comp.engine_ == model.engine
        assert_array_equal(comp.coef_, ref.coef_)
    model = train_neuron(X, Y, learning_rate=0.01, epochs=1).model
    predict_file(model, reused(), tmp_path / "out.csv")
    found = np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1, usecols=1)
    assert_array_equal(found, model.predict_proba(X))


@pytest.mark.parametrize("kind", [np.int64, np.float64, np.float32])
def test_an_arrow_reader_may_fill_its_memory_again(kind):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    schema = pa.schema([(name, pa.float64()) for name in "abc"] + [("y", pa.from_numpy_dtype(kind))])

    def batches():
        columns, y = np.empty((3, ROWS)), np.empty(ROWS, kind)
        arrays = [pa.Array.from_buffers(pa.float64(), ROWS, [None, pa.py_buffer(column)]) for column in columns]
        arrays.append(pa.Array.from_buffers(schema.field("y").type, ROWS, [None, pa.py_buffer(y)]))
        for first in range(0, len(X), ROWS):
            columns[:], y[:] = X[first : first + ROWS].T, Y[first : first + ROWS]
            yield pa.record_batch(arrays, schema=schema)

    ref = train_neuron(X, Y.astype(kind), learning_rate=0.01, epochs=1)
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    comp = train_neuron(reader, "y", learning_rate=0.01, epochs=1, labels=(0, 1))
    assert_array_equal(comp.model.weights, ref.model.weights)


def test_nothing_is_copied_twice():
    """An array that had to be converted is a new one already; lists too."""
    from tinynet_fast.rows.formats.iterators import kept_apart

    whole = np.arange(6)
    converted = whole.astype(np.float64)
    assert kept_apart(converted, whole) is converted
    assert kept_apart(converted, whole.tolist()) is converted
    assert kept_apart(whole, whole) is not whole


def test_masked_values_are_missing_values():
    rows = np.ma.MaskedArray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], mask=False)
    rows[1, 0] = np.ma.masked
    y = np.ma.MaskedArray([0, 1, 1, 0], mask=[False, False, False, True])
    comp, labels = gather(open_source(lambda: iter([(rows, y)]), drop_missing=True))
    assert comp.tolist() == [[1, 2], [5, 6]]
    assert labels.tolist() == [0, 1]
    with pytest.raises(TableError, match="block 0, row 2, column 0: the value is missing"):
        gather(open_source(lambda: iter([(rows, [0, 1, 1, 0])])))
    with pytest.raises(TableError, match="block 0, row 4, the label: the value is missing"):
        gather(open_source(lambda: iter([(rows.data, y)])))


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_missing_label_among_objects_is_named_or_left_out(missing):
    y = np.array(["no", missing, "yes"], dtype=object)
    comp, labels = gather(open_source(lambda: iter([([1.0, 2.0, 3.0], y)]), drop_missing=True))
    assert comp.tolist() == [[1], [3]]
    assert labels.tolist() == ["no", "yes"]
    blocks = [([1.0, 2.0, 3.0], [0, 1, 0]), ([4.0], np.array([missing], dtype=object))]
    assert len(gather(open_source(lambda: iter(blocks), drop_missing=True))[0]) == 3
    with pytest.raises(TableError, match="block 0, row 2, the label: the value is missing"):
        gather(open_source(lambda: iter([([1.0, 2.0, 3.0], y)])))


def test_labels_that_mix_text_and_numbers_are_refused():
    with pytest.raises(TableError, match="block 0: y mixes labels of type int, str"):
        open_source(lambda: iter([([1.0, 2.0], [1, "1"])]))


def test_blocks_without_rows_are_left_out():
    nothing = (X[:0], Y[:0])
    blocks = [nothing, (X[:5], Y[:5]), ([], []), (X[5:9], Y[5:9]), nothing]
    for given in (lambda: iter(blocks), iter(blocks)):
        comp, labels = gather(open_source(given))
        assert_array_equal(comp, X[:9])
        assert_array_equal(labels, Y[:9])
    with pytest.raises(TableError, match="the iterator of blocks gives no rows"):
        open_source(lambda: iter([nothing, nothing]))
    with pytest.raises(TableError, match="block 0: X has no rows"):
        open_source(lambda: iter([(X[:0], Y[:3])]))


def test_sparse_blocks_are_refused():
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy makes the rows")
    for rows in (sparse.csr_matrix(X[:5]), sparse.coo_array(X[:5])):
        for block in (rows, (rows, Y[:5])):
            with pytest.raises(TableError, match=r"block 0: X is a sparse matrix.*pass X\.toarray\(\)"):
                open_source(iter([block]))
        blocks = [(X[:5], Y[:5]), (rows.tocsr()[:0], Y[:0]), (rows, Y[:5])]
        with pytest.raises(TableError, match=r"block 2: X is a sparse matrix.*pass X\.toarray\(\)"):
            gather(open_source(iter(blocks)))


@pytest.mark.parametrize("size", [1, 3, 4])
def test_blocks_of_another_size_than_two_are_refused(size):
    block = (X[:5], Y[:5], np.ones(5), None)[:size]
    match = rf"is a tuple of {size}: blocks are \(X, y\).* sample weights are for rows in memory"
    for blocks in ([block], [(X[:5], Y[:5]), block]):
        with pytest.raises(TableError, match=f"block {len(blocks) - 1} {match}"):
            gather(open_source(iter(blocks)))
        with pytest.raises(TableError, match=match):
            train_neuron(lambda blocks=blocks: iter(blocks), epochs=1, labels=(0, 1))


def test_tuples_of_rows_in_a_block():
    comp, _ = gather(open_source(iter([(tuple(map(tuple, X[:3])), tuple(Y[:3].tolist()))])))
    assert_array_equal(comp, X[:3])


def test_a_named_tuple_is_a_row():
    Row = namedtuple("Row", ["a", "b", "c"])
    source = open_source(iter([(Row(*X[0]), Y[:1])]))
    assert source.names == ["a", "b", "c"]
    comp, _ = gather(source)
    assert_array_equal(comp, X[:1])
    unlabelled = open_source(iter([Row(*X[1])]))
    assert_array_equal(next(iter(unlabelled.chunks())).X, X[1:2])


def test_the_error_for_named_blocks_without_labels_asks_for_pairs():
    blocks = [np.array([(1.0, 0.5), (2.0, 1.5)], dtype=[("a", float), ("b", float)])]
    with pytest.raises(TableError, match=r"iterator: the rows have no labels to learn: give blocks \(X, y\)$"):
        train_neuron(iter(blocks), epochs=1)


def test_a_function_has_to_make_a_new_iterator_each_time():
    """Opening the source took the first block of an earlier iterator."""
    blocks = iter([(X[:5], Y[:5]), (X[5:9], Y[5:9])])
    with pytest.raises(TableError, match=r"the function returned the same iterator twice.*return a new iterator"):
        gather(open_source(lambda: blocks))


@pytest.mark.parametrize("made", [5, None])
def test_a_function_that_makes_no_iterator(made):
    with pytest.raises(
        TableError, match=f"the function returned a {type(made).__name__}: return an iterator of blocks"
    ):
        open_source(lambda: made)


def test_the_first_block_is_not_kept():
    """It may be large. It is read to see how wide rows are."""
    made = []

    def blocks():
        for _ in range(3):
            X = np.ones((2, 1))
            made.append(weakref.ref(X))
            yield X, [0, 1]
            del X

    source = open_source(blocks)
    gc.collect()
    assert (source.n_features, [block() for block in made]) == (1, [None])
    once = open_source(blocks())
    chunks = once.chunks()
    assert len(next(chunks).X) == len(next(chunks).X) == 2
    gc.collect()
    assert made[1]() is None


def test_labels_of_blocks_are_in_the_blocks():
    with pytest.raises(TableError, match=r"y: an iterator gives its labels in its blocks, \(X, y\); leave y out"):
        open_source(lambda: iter([(X, Y)]), Y)


def test_a_row_that_was_not_read_has_a_number_alone():
    once = open_source(iter([(X[:4], Y[:4]), (X[4:7], Y[4:7])]))
    assert once.where(5) == "row 6"
    assert sum(len(chunk.X) for chunk in once.chunks()) == 7
    assert [once.where(row) for row in (5, 7)] == ["block 1, row 2", "row 8"]


@pytest.mark.parametrize("start", [0, 1, 3, 4, 6])
@pytest.mark.parametrize("stop", [None, 7, 6, 5, 4, 3])
def test_a_chunk_is_cut_at_any_row(start, stop):
    """One row of the second block has no value, and is left out; rows keep their numbers."""
    rows = X[:7].copy()
    rows[5] = np.nan
    source = open_source(lambda: iter([(rows[:4], Y[:4]), (rows[4:], Y[4:7])]), drop_missing=True)
    kept = np.setdiff1d(np.arange(7), 5)
    kept = kept[(kept >= start) & (kept < (7 if stop is None else stop))]
    chunks = list(source.chunks(start, stop))
    assert_array_equal(np.concatenate([X[:0], *(chunk.X for chunk in chunks)]), X[kept])
    assert_array_equal(np.concatenate([Y[:0], *(chunk.y for chunk in chunks)]), Y[kept])
    firsts = start + np.cumsum([0, *(chunk.rows for chunk in chunks)])
    numbers = [first + chunk.numbers() for first, chunk in zip(firsts, chunks, strict=False)]
    assert_array_equal(np.concatenate([kept[:0], *numbers]), kept)
