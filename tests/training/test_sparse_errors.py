"""SciPy's sparse rows that `train_neuron` refuses, and what it says."""

import re
import subprocess
import sys

import numpy as np
import pytest
from test_sparse import X, Y, sp, train, twice

from tinynet_fast import sweep, train_mlp


def holding(value):
    rows = X.copy()
    rows.data[100] = value
    i = int(np.searchsorted(X.indptr, 100, side="right")) - 1
    return rows, f"X[{i}, {X.indices[100]}] is "


@pytest.mark.parametrize(("value", "what"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_values_that_are_not_finite(value, what):
    rows, where = holding(value)
    for call in (train, train().model.predict, lambda rows: train(validation=(rows, Y))):
        with pytest.raises(ValueError, match=re.escape(f"{where}{what}: drop the row or fill the column first")):
            call(rows)


def broken(**arrays):
    rows = X.copy()
    for name, (place, value) in arrays.items():
        getattr(rows, name)[place] = value
    return rows


BAD = {
    "no rows": (lambda: train(X[:0], []), "X has no rows"),
    "no columns": (lambda: train(X[:, :0]), "X has no columns"),
    "one dimension": (lambda: train(sp.coo_array(np.ones(5)), [0, 1, 0, 1, 1]), "X has 1 dimensions"),
    "complex": (lambda: train(X * 1j), "convert them to real numbers"),
    "one class": (lambda: train(y=np.zeros(240)), "one label only"),
    "too few labels": (lambda: train(y=Y[:-1]), "X has 240 rows and y has 239 labels"),
    "standardize": (lambda: train(standardize=True), "MaxAbsScaler"),
    "features": (lambda: train(features=["a"]), "without named columns"),
    "drop_missing": (lambda: train(drop_missing=True), "drop_missing is for rows that are read from files"),
    "weights": (lambda: train(weights=[1.0, 2.0]), r"\(50,\) as X has columns"),
    "validation of another width": (lambda: train(validation=(X[:, :9], Y)), "validation X has 9 columns"),
    "auto with l1": (lambda: train(learning_rate="auto", l1=0.1), "without l1"),
    "prediction of another width": (lambda: train().model.predict(X[:, :9]), "X has 9 columns where the model has 50"),
    "column too far": (lambda: train(broken(indices=(7, 50))), "X stores column 50 in row 1 and has 50"),
    "column before the first": (lambda: train(broken(indices=(7, -1))), "X stores column -1"),
    "rows that end before they start": (lambda: train(broken(indptr=(5, 10**6))), "X.indptr does not fit"),
    "rows beyond the values": (lambda: train(broken(indptr=(-1, 10**6))), "X.indptr does not fit"),
    "a network": (lambda: train_mlp(X, Y), r"pass X.toarray\(\)"),
    "a sweep": (lambda: sweep(X, Y), r"pass X.toarray\(\)"),
    "a network's prediction": (lambda: train_mlp(X.toarray(), Y, epochs=1).model.predict(X), r"pass X.toarray\(\)"),
    "too large to sum": (lambda: train(twice(X * 1e308 * 1.7)), "infinite"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=list(BAD))
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message), np.errstate(over="ignore"):
        call()


def test_scipy_is_imported_for_sparse_rows_alone():
    """Training on dense rows does not import scipy.sparse. (Numba imports SciPy, but not this part.)"""
    code = (
        "import sys, tinynet_fast as t; m = t.train_neuron([1, 2, 3], [0, 0, 1], epochs=1).model; m.predict([2]); "
        "sys.exit('scipy.sparse' in sys.modules or 'tinynet_fast.kernels.fast.sparse' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
