"""Arrow's dictionary columns: a null in one is missing, and is no other row's value."""

import numpy as np
import pytest

from tinynet_fast import train_neuron

pa = pytest.importorskip("pyarrow")

CODED = pa.table(
    {
        "a": pa.chunked_array([pa.array([1.0, None, 2.0, 3.0]).dictionary_encode()]),
        "b": pa.array([1.0, 2.0, 3.0, 4.0]),
    }
)
TEXT = pa.chunked_array([pa.array(["no", "no", None, "yes"]).dictionary_encode()])
CODES = pa.chunked_array([pa.array([0, 0, None, 1]).dictionary_encode()])
WHOLE = pa.table({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 2.0, 3.0, 4.0]})
Y = np.array(["no", "no", "yes", "yes"])
MODEL = train_neuron(WHOLE, Y).model


def stream(X, y, **options):
    return train_neuron(lambda: iter([(X, y)]), epochs=2, labels=["no", "yes"], **options)


DOORS = {
    "inputs": (lambda: train_neuron(CODED, Y), r"^X\[1, 'a'\] is NaN"),
    "one input": (lambda: train_neuron(CODED.select(["a"]), Y), r"^X\[1, 'a'\] is NaN"),
    "a column as X": (lambda: train_neuron(CODED["a"], Y), r"^X\[1, 0\] is NaN"),
    "labels": (lambda: train_neuron(WHOLE, TEXT), r"^y\[2\] is missing"),
    "labels that are numbers": (lambda: train_neuron(WHOLE, CODES), r"^y\[2\] is nan"),
    "labels by name": (lambda: train_neuron(WHOLE.append_column("l", TEXT), "l"), r"^X\[2, 'l'\] is missing"),
    "predict": (lambda: MODEL.predict(CODED), r"^X\[1, 'a'\] is NaN"),
    "score": (lambda: MODEL.score(WHOLE, TEXT), r"^y\[2\] is missing"),
    "score by name": (lambda: MODEL.score(WHOLE.append_column("l", TEXT), "l"), r"^X\[2, 'l'\] is missing"),
    "validation": (lambda: train_neuron(WHOLE, Y, validation=(CODED, Y)), r"^validation X\[1, 'a'\] is NaN"),
    "sample_weight": (lambda: train_neuron(WHOLE, Y, sample_weight=CODED["a"]), r"^sample_weight\[1\] is "),
    "blocks": (lambda: stream(CODED, Y), "^block 0, row 2, column 'a': the value is missing"),
    "labels of blocks": (lambda: stream(WHOLE, TEXT), "^block 0, row 3, the label: the value is missing"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_null_is_missing(door):
    call, message = DOORS[door]
    with pytest.raises(ValueError, match=message):
        call()


def test_rows_with_a_null_are_dropped():
    assert stream(CODED, TEXT, drop_missing=True).dropped_rows == 2


def test_values_are_those_of_plain_columns():
    coded = pa.table({name: WHOLE[name].dictionary_encode() for name in WHOLE.column_names})
    result = train_neuron(coded, pa.chunked_array([pa.array(Y).dictionary_encode()]))
    np.testing.assert_array_equal(result.model.weights, MODEL.weights)
    np.testing.assert_array_equal(MODEL.predict_proba(coded), MODEL.predict_proba(WHOLE))
