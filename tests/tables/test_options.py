"""Options of `train` that cannot be followed are refused; none is ignored."""

import pytest

from tinynet_fast import train

ROWS = {"x": [1.5, 2.0, None, 4.0] * 10, "s": list("uvuw") * 10, "y": ["a", "b", "b", "a"] * 10}
QUICK = {"learning_rate": 0.1, "epochs": 2, "l2": 0.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 2.5}, "a hidden layer's width is 2.5"),
        ({"hidden": "8"}, "a hidden layer's width is '8'"),
        ({"hashed": ["x"]}, "hashed=.*: a dict is needed, such as {'city': 64}"),
        ({"class_weight": {"a": 0, "b": 1}}, "class_weight gives 'a' the weight 0: a number above 0 is needed"),
        ({"class_weight": {"a": 1, "b": "x"}}, "class_weight gives 'b' the weight 'x'"),
        ({"class_weight": {"a": 1}}, "class_weight gives no weight for b"),
        ({"validation": {"x": [1], "s": ["u"], "y": [None]}}, r"table\[0\], column 'y': the label is missing"),
        (
            {"validation": {"x": [None], "s": ["u"], "y": ["a"]}, "missing": "drop"},
            "validation: table has no rows without",
        ),
        ({"validation": {"x": [1], "y": ["a"]}}, "table has no column 's'; it has x"),
    ],
)
def test_options_that_cannot_be_followed(options, message):
    with pytest.raises(ValueError, match=message):
        train(ROWS, "y", **QUICK, **options)


def test_a_positive_label_is_for_a_column():
    with pytest.raises(ValueError, match=r"positive='a' is for a target that is a column: .* \(labels=\)"):
        train({"x": ROWS["x"]}, ROWS["y"], positive="a", **QUICK)
    assert train({"x": ROWS["x"]}, ROWS["y"], labels=["b", "a"], **QUICK).model.labels.tolist() == ["b", "a"]


def test_rows_to_judge_are_dropped_as_rows_to_train_on():
    others = {"x": [1, None, 3, 4], "s": ["u", "v", None, "new"], "y": ["a", "b", "b", None]}
    assert train(ROWS, "y", validation=others | {"y": list("abba")}, **QUICK).report.rows == 4
    result = train(ROWS, "y", validation=others, missing="drop", **QUICK)
    assert (result.rows, result.dropped, result.report.rows) == (30, 10, 1)


def test_columns_that_are_missing_are_named_beside_all_that_are_there():
    model = train(ROWS, "y", **QUICK).model
    with pytest.raises(ValueError, match="X has no column 'x'; it has X, s"):
        model.predict({"X": 1, "s": "u"})
