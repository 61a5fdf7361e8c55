"""Limits: the last number that is allowed, and the next one, which is not. The numbers are written here by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinynet_fast.columns import looking
from tinynet_fast.columns.kinds import Hashed, Levels
from tinynet_fast.columns.reading import Reading
from tinynet_fast.markup import elements
from tinynet_fast.models import fields
from tinynet_fast.rows import index_columns, labels, messages
from tinynet_fast.rows.tables import table_of
from tinynet_fast.tables import report_view, split
from tinynet_fast.training.look import Look


def allowed(function, *arguments):
    """Whether there is no ValueError."""
    try:
        function(*arguments)
    except ValueError:
        return False
    return True


def levels(n, rows=3):
    """What kind a column is if it has `n` levels, and each level has the given number of rows."""
    table = table_of({"a": [f"level {i}" for i in range(n) for _ in range(rows)]})
    return looking.kinds_of(table, Reading(None), looking.Choice())


def kept_levels(n):
    found = {"levels": [str(i) for i in range(n)], "shares": [1.0 / n] * n, "rare": False, "gaps": False}
    return Levels.from_json("a", found)


def kind_of(values):
    """What a column is: the kind's name, or None if nothing can be learned from it."""
    choice = looking.Choice()
    kinds = looking.kinds_of(table_of({"a": values, "b": list(range(len(values)))}), Reading(None), choice)
    return None if "a" in choice.left_out else kinds[0].kind


def column_with_mistakes(n, wrong):
    """A column of numbers of which some are something else: it is refused if they look like mistakes."""
    return kind_of([str(i) for i in range(n - wrong)] + ["oops"] * wrong)


def identifiers(n):
    return index_columns.is_identifier("PassengerId", np.arange(n) * 1.0)


def row_numbers(values, name="id"):
    return index_columns.row_numbers([name], np.array(values, float).reshape(-1, 1)) == [0]


def run_of(n, pairs=0):
    """Whether a run of `n` equal labels is too long, if `n` other labels and some pairs of both labels follow it."""
    run = labels.LongestRun()
    run.add(np.repeat([0, 1], [n, n]).astype(np.uint8))
    run.add(np.tile([0, 1], pairs).astype(np.uint8))
    return run.too_long


def labels_of(n):
    return fields.labels(list(range(n)), "<i8")


def labels_in_report(k):
    """The labels that have a line of their own."""
    return report_view.shown_labels(SimpleNamespace(confusion=np.eye(k, dtype=int)))


def mistakes(k):
    return report_view.mistakes(SimpleNamespace(confusion=1 - np.eye(k, dtype=int)))


def looks_bad(n):
    return Look(targets=np.zeros(n), loss=9.0, loss_of_constant=0.1, error=0.0, fit=0.0, spread=1.0).is_bad()


# A function that tells for a number whether it is allowed, and the last one that is: then the next one is not.
LAST = {
    "characters of a message": (lambda n: messages.printable("x" * n) == "x" * n, 480),
    "characters of a label, with its quotes": (lambda n: "..." not in messages.shown(np.str_("x" * (n - 2))), 40),
    "names in a list": (lambda n: " more" not in messages.listed(["a"] * n), 12),
    "levels": (lambda n: allowed(levels, n), 256),
    "levels in a file": (lambda n: allowed(kept_levels, n), 256),
    "buckets": (lambda n: allowed(looking.Choice(hashed={"a": n}).check, ["a"], "table"), 4096),
    "buckets in a file": (lambda n: allowed(Hashed.from_json, "a", {"buckets": n, "gaps": False}), 4096),
    "labels in a file": (lambda n: allowed(labels_of, n), 65536),
    "different numbers as labels": (lambda n: allowed(labels.refuse_measurements, np.arange(n) + 0.5, 10**6), 32),
    "whole numbers as labels": (lambda n: allowed(labels.refuse_measurements, np.arange(n), 400), 40),
    "rows of a column that counts up by chance": (lambda n: not row_numbers(range(n)), 2),
    "rows of a run of labels": (lambda n: not run_of(n), 19_999),
    "pairs of rows after a run of labels": (lambda n: run_of(20_000, n), 180_000),
    "rows of which none is held out": (lambda n: not split.held_rows(np.arange(n) % 2, None, 0).any(), 19),
    "rows on which no model is bad": (lambda n: not looks_bad(n), 19),
    "labels with a line": (lambda n: len(labels_in_report(n)) == n, 12),
    "rows of an identifier": (lambda n: not identifiers(n), 19),
    "characters of a cell": (lambda n: "..." not in elements.name("x" * n), 60),
    "characters of a paragraph": (lambda n: "..." not in elements.text("x" * n), 300),
}  # fmt: skip


@pytest.mark.parametrize("what", LAST)
def test_the_last_that_is_allowed(what):
    is_allowed, last = LAST[what]
    assert is_allowed(last)
    assert not is_allowed(last + 1)


def test_texts_among_numbers():
    """Up to one in twenty, or one, are mistakes, if there are more than twice as many numbers."""
    refused = [(20, 1), (40, 2), (60, 3), (4, 1), (3, 1)]
    levels = [(40, 3), (39, 2), (2, 1)]
    assert [each for each in refused if allowed(column_with_mistakes, *each)] == []
    assert [each for each in levels if not allowed(column_with_mistakes, *each)] == []


def test_levels_that_few_rows_have():
    assert kind_of(["a", "a", "a", "b"]) == "levels"
    assert kind_of(["a", "a", "b", "b"]) is None


def test_row_numbers_of_few_rows():
    """They rise from 0 or more to three times their number at most; from 20 rows on, no two are equal."""
    assert row_numbers([0, 1, 9])
    assert not row_numbers([0, 1, 10])
    assert not row_numbers([-1, 0, 1])
    assert not row_numbers([0, 0, 1])
    assert not row_numbers([*range(18), 100])  # 19 rows
    assert row_numbers([*range(19), 100])
    assert not row_numbers([*range(19), 0])
    assert row_numbers([*range(1000), 0.5])  # only the first 1,000 are looked at
    assert not row_numbers([*range(999), 0.5])


@pytest.mark.parametrize("spread", [1e-3, 0.9e-3])
@pytest.mark.parametrize(("loss", "worse"), [(1.0 + 2 * 0.75, False), (1.0 + 2 * 0.75 + 1e-9, True)])
def test_when_a_model_is_bad(loss, worse, spread):
    """If its loss is above the constant's by more than two errors, or if all answers are the same to 0.001."""
    found = Look(targets=np.zeros(20), loss=loss, loss_of_constant=1.0, error=0.5, fit=0.25, spread=spread)
    assert found.is_bad() == (worse or spread < 1e-3)
