"""Rows in .npy files: labels from an array in memory, from another file or from a column, and what is no label."""

import numpy as np
import pytest
from tables import gather, problem

from tinynet_fast import train_neuron
from tinynet_fast.rows.files import TableError
from tinynet_fast.rows.formats import open_source


@pytest.mark.parametrize("y", ["array", "path", "column", "none"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path, small, y, order):
    small(64)
    X, labels = problem(40, 3, 0)
    np.save(tmp_path / "X.npy", np.asarray(X, order=order))
    np.save(tmp_path / "y.npy", labels)
    np.save(tmp_path / "Xy.npy", np.asarray(np.column_stack((X[:, :1], labels == "pass", X[:, 1:])), order=order))
    given = {"array": labels, "path": tmp_path / "y.npy", "column": 1, "none": None}[y]
    source = open_source(tmp_path / ("Xy.npy" if y == "column" else "X.npy"), given)
    comp, comp_y = gather(source, 3, 33)
    np.testing.assert_array_equal(comp, X[3:33])
    ref = {"column": (labels == "pass")[3:33].tolist(), "none": None}.get(y, labels[3:33].tolist())
    assert (comp_y if comp_y is None else comp_y.tolist()) == ref


@pytest.mark.parametrize("kind", ["object", "column", "list", "Series", "category", "string"])
def test_npy_and_text_labels_of_any_type(tmp_path, small, kind):
    small(64)
    X, labels = problem(40, 3, 0)
    np.save(tmp_path / "X.npy", X)
    if kind in ("Series", "category", "string"):
        pandas = pytest.importorskip("pandas", reason="pandas makes the labels")
        y = pandas.Series(labels.tolist(), dtype=object if kind == "Series" else kind)
    else:
        y = {"object": labels.astype(object), "column": labels[:, np.newaxis], "list": labels.tolist()}[kind]
    source = open_source(tmp_path / "X.npy", y)
    assert source.fingerprint()["content"] == open_source(tmp_path / "X.npy", labels).fingerprint()["content"]
    comp, comp_y = gather(source)
    np.testing.assert_array_equal(comp, X)
    assert comp_y.tolist() == labels.tolist()
    assert np.concatenate(list(source.labels_only())).tolist() == labels.tolist()


def test_npy_and_labels_that_are_missing(tmp_path, small):
    small(64)
    X, labels = problem(40, 3, 0)
    np.save(tmp_path / "X.npy", X)
    gaps = labels.astype(object)
    gaps[17] = None
    masked = np.ma.MaskedArray(np.arange(40) % 2, mask=np.arange(40) == 17)
    for y in (gaps, masked):
        for read in (lambda source: list(source.chunks()), lambda source: list(source.labels_only())):
            with pytest.raises(TableError, match=r"X\.npy, row 18, the label: the value is missing"):
                read(open_source(tmp_path / "X.npy", y))
        source = open_source(tmp_path / "X.npy", y, drop_missing=True)
        comp, comp_y = gather(source)
        np.testing.assert_array_equal(comp, np.delete(X, 17, axis=0))
        assert comp_y.tolist() == np.delete(np.asarray(y), 17).tolist()
    other = np.ma.MaskedArray(masked.data, mask=np.arange(40) == 19)
    prints = [open_source(tmp_path / "X.npy", y).fingerprint()["content"] for y in (masked, other)]
    assert prints[0] != prints[1]


def test_npy_and_what_are_no_labels(tmp_path):
    np.save(tmp_path / "X.npy", np.ones((4, 2)))
    np.save(tmp_path / "y.npy", np.array(1.0))
    for y, match in (
        (True, r"y is a bool: give the number of the column .* \(y=-1\)"),
        (1.0, "y is a float: give the number of the column"),
        (np.ones((4, 2)), "y has 2 dimensions; one label a row is needed"),
        ([1, "a", 2, 3], "y mixes labels of type int, str"),
        ([1j, 2, 3, 4], "y holds labels of type complex128"),
        ([0, 1], r"X\.npy: 4 rows and labels of shape \(2,\)"),
        (tmp_path / "y.npy", r"X\.npy: 4 rows and labels of shape \(\)"),
    ):
        with pytest.raises(TableError, match=match):
            train_neuron(tmp_path / "X.npy", y, epochs=1)


def test_labels_in_memory_are_for_one_file(tmp_path):
    X, labels = problem(40, 3, 0)
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, X)
    with pytest.raises(TableError, match="y is an array for several files of rows: give the path of each one's labels"):
        open_source([tmp_path / "a.npy", tmp_path / "b.npy"], labels)


def test_several_files_belong_together(tmp_path):
    for name, shape in (("a", (4, 2)), ("b", (3, 2)), ("c", (3, 1))):
        np.save(tmp_path / f"{name}.npy", np.ones(shape))
    np.save(tmp_path / "y.npy", np.arange(4) % 2)
    two = [tmp_path / "a.npy", tmp_path / "b.npy"]
    with pytest.raises(TableError, match="2 files of rows and 1 of labels: give one for each"):
        open_source(two, tmp_path / "y.npy")
    with pytest.raises(TableError, match=r"y is an array for several files of rows: give the path"):
        open_source(two, np.zeros(7))
    with pytest.raises(TableError, match=r"c\.npy: 1 columns, and .*a\.npy has 2"):
        open_source([two[0], tmp_path / "c.npy"])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_of_every_version(tmp_path, version):
    """From version 2 on, four bytes say how long the header is."""
    X, labels = problem(40, 3, 0)
    with open(tmp_path / "X.npy", "wb") as file:
        np.lib.format.write_array(file, X, version)
    np.testing.assert_array_equal(gather(open_source(tmp_path / "X.npy", labels))[0], X)


@pytest.mark.parametrize("code", [0xD7FF, 0xE000, 0x10FFFF])
def test_npy_text_may_have_every_character(tmp_path, code):
    """Those beside the surrogates, which are none, and the last."""
    np.save(tmp_path / "X.npy", np.zeros((2, 1)))
    np.save(tmp_path / "y.npy", np.array(["a", chr(code)]))
    assert gather(open_source(tmp_path / "X.npy", tmp_path / "y.npy"))[1].tolist() == ["a", chr(code)]
