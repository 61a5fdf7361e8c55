"""Cells are read as the number that they mean, or refused: percent signs, thousands, decimal commas, words, masks."""

import json
import tracemalloc
import warnings

import numpy as np
import pytest

from tinynet_fast import TrainingWarning, load, train
from tinynet_fast.columns import Columns
from tinynet_fast.columns.encoded import EncodedSource
from tinynet_fast.columns.kinds import MOST_LEVELS, Hashed, Levels, Numbers
from tinynet_fast.columns.looking import mark_in
from tinynet_fast.columns.reading import Reading, plain_numbers
from tinynet_fast.rows.tables import ArrowTexts, Table, column_of, table_of

QUICK = {"learning_rate": 0.1, "epochs": 2, "l2": 0.0}
LABELS = ["a", "b"] * 20


def model_of(x, target="y", y=LABELS, **options):
    return train({"x": x, "z": list(range(len(x))), "y": y}, target, **QUICK, **options).model


def first_input(model, x):
    return model.columns.encode_rows({"x": x, "z": [1.0] * len(x)})[:, 0].tolist()


def test_percent_signs_are_in_all_rows_or_in_none():
    with pytest.raises(ValueError, match=r"table\[1\], column 'x' has no percent sign, and others .* see table\[0\]"):
        model_of(["93%", "50", "12%", "7%"] * 10)
    model = model_of(["93%", "0", "12%", None] * 10)
    assert model.columns.kinds[0].percent
    assert first_input(model, ["92%", "0.92"]) == [0.92, 0.92]
    assert first_input(model, [0.92, 1.0, -1.0, 0.0]) == [0.92, 1.0, -1.0, 0.0]
    for values in (["92"], [92]):
        with pytest.raises(ValueError, match=r"X\[0\], column 'x': 92 has no percent sign, .* write '92%', or 0\.92"):
            first_input(model, values)
    with pytest.raises(ValueError, match=r"X\[1\], column 'x': '50%' has a percent sign, and the column had none"):
        first_input(model_of([93, 50, 12, 7] * 10), ["1", "50%"])


def test_points_that_may_stand_between_thousands_are_refused_if_nothing_tells():
    texts = ["1.500", "950", "12.000", "700"] * 10
    with pytest.raises(ValueError, match=r"column 'x': '1\.500' may have a decimal point or a point between thousands"):
        model_of(texts)
    assert first_input(model_of(texts, decimal=","), ["1.500", "950"]) == [1500.0, 950.0]
    assert first_input(model_of(texts, decimal="."), ["1.500", "950"]) == [1.5, 950.0]
    with pytest.raises(ValueError, match="between thousands"):
        first_input(model_of([950.0, 1500.0] * 20), ["1.500", "950"])


def test_a_zero_begins_no_thousands():
    assert first_input(model_of(["0,125", "0,250", "0,375", "0,875"] * 10), ["0,125", "0,5"]) == [0.125, 0.5]


def test_texts_for_a_missing_value_hide_no_decimal_comma():
    model = model_of(["1,5", "2,7", "-", "NAN"] * 10, na=["-"])
    assert model.columns.decimal == ","
    assert model.columns.inputs == ["x", "x is missing", "z"]
    assert first_input(model, ["1,5", "-", "nan"]) == [1.5, 2.1, 2.1]


def test_one_typing_error_hides_no_decimal_comma():
    with pytest.raises(ValueError, match=r"'oops' is not a number, but [0-9]+ others of"):
        model_of([f"{k},5" for k in range(39)] + ["oops"])


def test_a_comma_below_the_first_rows_is_found():
    rows = 1500
    x = [f"{k}" for k in range(rows - 1)] + ["0,5"]
    for table in ({"x": x}, {"x": np.array(x)}, _arrow({"x": x})):
        assert mark_in(table_of(table), ["x"]) == ","


def _arrow(columns):
    return pytest.importorskip("pyarrow").table(columns)


def test_the_mark_of_the_table_is_the_mark_of_its_target():
    """12,000 is 12 in a table whose other column has a decimal comma, in training and later."""
    rows = {"x": ["1,5", "2,7", "5,2", "3,1"] * 10, "y": ["12,000", "15,000", "1,000", "9,000"] * 10}
    result = train(rows, "y>=10", **QUICK, validation=0, refit=False)
    assert result.training.model is result.model
    assert result.model.true_labels(rows).tolist() == ["y>=10", "y>=10", "y<10", "y<10"] * 10
    assert result.model.training["label_shares"] == [0.5, 0.5]


def test_conflicting_marks_name_both_columns():
    with pytest.raises(
        ValueError, match="column 'a' has numbers with a decimal comma, column 'b' with a decimal point"
    ):
        train({"a": ["1,5", "2,5"] * 20, "b": ["1.5", "2.5"] * 20, "y": LABELS}, "y", **QUICK)


def blocks(*parts):
    """A source of blocks, as files have them."""

    class Blocks(EncodedSource):
        def blocks(self):
            first = 0
            for part in parts:
                start = first
                yield Table({"x": column_of(part)}, len(part), lambda i, start=start: f"line {start + i + 1}")
                first += len(part)

    return lambda columns: Blocks(table_of({"x": parts[0]}), columns, None, False)


def test_a_mark_that_is_found_late_changes_no_row_before_it():
    columns = Columns([Numbers("x", 1.0, False)])
    late = blocks(["12", "7"], ["1,5", "2,250"])(columns)
    assert np.concatenate([chunk.X for chunk in late.chunks()])[:, 0].tolist() == [12.0, 7.0, 1.5, 2.25]
    for before in (["1,500"], ["1.5"]):
        with pytest.raises(ValueError, match="line 2, or below: a decimal comma, and rows before were read with a dec"):
            list(blocks(before, ["1,5"])(columns).chunks())


def test_words_take_no_other_number():
    model = model_of(["yes", "no"] * 20)
    assert first_input(model, ["1", "0", "yes"]) == [1.0, 0.0, 1.0]
    for other in (["5"], [5], [0.5]):
        with pytest.raises(ValueError, match=r"X\[0\], column 'x': .* is not 'yes' or 'no', nor 1 or 0"):
            first_input(model, other)


@pytest.mark.parametrize("option", [{"levels": ["x"]}, {"hashed": {"x": 8}}])
def test_numbers_as_levels_are_the_same_in_files_and_frames(option):
    model = model_of(["3.0", "1.0", "2.0", "07"] * 10, **option)
    ref = model.columns.encode_rows({"x": ["3.0", "1.0", "07"], "z": [1, 1, 1]})
    np.testing.assert_array_equal(model.columns.encode_rows({"x": [3, 1.0, "07"], "z": [1, 1, 1]}), ref)
    np.testing.assert_array_equal(model.columns.encode_rows({"x": [3.0, 1.0], "z": [1, 1]}), ref[:2])
    assert model.columns.encode_rows({"x": ["7"], "z": [1]}).tolist() != ref[2:].tolist()


@pytest.mark.parametrize("kind", ["list", "numpy", "missing", "arrow", "texts"])
def test_large_whole_numbers_stay_different_levels(kind):
    ids = [2**53 + k % 4 for k in range(40)]
    forms = {"list": ids, "numpy": np.array(ids), "missing": [*ids, None], "texts": list(map(str, ids))}
    table = _arrow({"x": ids}) if kind == "arrow" else {"x": forms[kind]}
    column = table_of(table).columns["x"]
    assert column.used == [str(2**53 + k) for k in range(4)]
    model = model_of(ids, levels=["x"])
    assert model.columns.encode_rows({"x": [2**53 + 1], "z": [0]}).tolist() == [[0, 1, 0, 0, 0]]


def test_record_arrays_are_rows_with_names():
    rows = np.array([(1.5, "a", "n"), (2.5, "b", "m")] * 20, [("x", float), ("s", "U1"), ("y", "U1")])
    model = train(rows, "y", **QUICK).model
    np.testing.assert_array_equal(model.predict(rows), model.predict({"s": list("ab") * 20, "x": [1.5, 2.5] * 20}))


def test_masked_values_are_missing():
    x = np.ma.array(np.arange(40.0), mask=[True, False] * 20)
    model = model_of(x)
    assert model.columns.kinds[0] == Numbers("x", 20.0, True)


def test_a_column_of_two_dimensions_is_named():
    with pytest.raises(ValueError, match="column 'x' holds an array of 2 dimensions"):
        model_of(np.zeros((40, 2)))


@pytest.mark.parametrize("values", [[True, False] * 20, ["true", "false"] * 20, ["TRUE", "False"] * 20])
@pytest.mark.parametrize(("condition", "last"), [("y==true", "y==true"), ("y!=False", "y!=False"), ("y=1", "y==1")])
def test_conditions_on_true_and_false(values, condition, last):
    model = model_of(list(range(40)), condition, values)
    assert model.labels[1] == last
    assert model.true_labels({"y": [True, False]}).tolist() == model.labels[::-1].tolist()
    assert model_of(list(range(40)), y=values, positive="true").labels.tolist() == [False, True]
    with pytest.raises(ValueError, match="'maybe' is compared with labels that are true or false"):
        model_of(list(range(40)), "y==maybe", values)


def test_a_file_takes_no_more_memory_than_it_is_long():
    many = [str(k) for k in range(MOST_LEVELS + 1)]
    with pytest.raises(ValueError, match="has 257 levels, more than 256"):
        Levels.from_json("x", {"levels": many, "shares": [0.0] * 257, "rare": False, "gaps": False})


def test_names_of_inputs_are_not_made_before_they_are_known_to_be_there(tmp_path):
    """4,096 names of a megabyte each would take 4 GB, and the file has 1 MB."""
    path = tmp_path / "model.json"
    model_of(["u", "v"] * 20, hashed={"x": 2}).save(path)
    found = json.loads(path.read_text())
    found["table"]["columns"][0] |= {"name": "x" * 10**6, "buckets": 4095}
    found["features"] = [str(k) for k in range(4096)]
    path.write_text(json.dumps(found))
    tracemalloc.start()
    with pytest.raises(ValueError, match="the features are not the inputs that the columns make"):
        load(path)
    assert tracemalloc.get_traced_memory()[1] < 20 * path.stat().st_size
    tracemalloc.stop()


def test_the_width_is_known_without_the_names():
    kinds = [Numbers("a", 1.0, True), Levels("b", ["x"], [0.5, 0.5], True), Hashed("c", 7, True)]
    assert [kind.width for kind in kinds] == [len(kind.inputs) for kind in kinds] == [2, 2, 8]
    found = json.loads(json.dumps(Columns(kinds).to_json()))
    assert Columns.from_json(found) == Columns(kinds)
    assert Columns(kinds).width == 12


@pytest.mark.parametrize(("decimal", "numbers"), [(None, [1.5, 2.5]), (".", [1.5, 2.5]), (",", None)])
def test_texts_are_read_quickly_unless_the_mark_is_a_comma(decimal, numbers):
    """With a decimal comma, 1.500 is a thousand and a half."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow reads them")
    found = plain_numbers(ArrowTexts(pa.array(["1.5", "2.5"])), Reading(decimal))
    assert (None if found is None else found.tolist()) == numbers


def test_a_single_row_with_a_new_level_warns_of_nothing():
    """It may well be new; if all of many rows are, their levels may be written in another way."""
    model = model_of(["red", "blue"] * 20)
    with warnings.catch_warnings(action="error"):
        first_input(model, ["green"])
    with pytest.warns(TrainingWarning, match="column 'x' in 2 of 2 rows"):
        first_input(model, ["green", "green"])


def test_a_point_or_a_comma_if_no_mark_was_known():
    """A model that was trained on whole numbers reads either."""
    model = model_of([1, 2, 3, 4] * 10)
    assert model.columns.decimal is None
    for cells in (["1.5", "2.5"], ["1,5", "2,5"]):
        assert first_input(model, cells) == [1.5, 2.5]
