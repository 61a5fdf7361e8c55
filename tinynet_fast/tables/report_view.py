"""A report as tables that fit 80 columns. `report.py` computes the numbers."""

from typing import Any

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinynet_fast.rows.messages import printable
from tinynet_fast.tables.metrics import Score

Report = Any  # `report.Report`, which imports this module

MOST_LABELS = 12  # labels that have a line; of more, those with the most rows
MOST_MISTAKES = 10  # kinds of mistakes that are listed if the confusion matrix is too wide
WIDTH, LABEL_WIDTH = 80, 20


def render(report: Report) -> Group:
    """Show the scores beside the baseline's, each label's scores, the confusion matrix and the notes."""
    return Group(*_head(report), Text(), _labels(report), Text(), _confusion(report), *notes(report))


def render_scores(report: Report) -> Group:
    """Show the scores beside the baseline's, and the notes."""
    return Group(*_head(report), *notes(report))


def _head(report: Report) -> list[RenderableType]:
    rows = f"{report.rows:,} row{'s' * (report.rows != 1)}, {len(report.labels)} labels"
    return [Text(rows, style="bold"), _scores(report), Text(_about_baseline(report))]


def notes(report: Any) -> list[RenderableType]:
    """The notes of a report, after an empty line."""
    return [Text(), *(Text(f"Note: {note}.") for note in report.notes)] if report.notes else []


def number(value: float | None) -> str:
    """A score with four digits after the point."""
    return "undefined" if value is None else f"{value:.4f}"


def interval(score: Score) -> str:
    """The 95 % interval, or nothing if there is none."""
    return "" if score.low is None or score.high is None else f"{score.low:.3f} to {score.high:.3f}"


def name_of(label: Any, most: int = LABEL_WIDTH) -> str:
    """A label as short printable text."""
    return printable(str(label), most) or "''"


def score_lines(report: Report) -> list[tuple[str, Score, float | None]]:
    """The name of each score, the score, and the baseline's."""
    several, base = len(report.labels) > 2, report.baseline
    return [
        ("accuracy", report.accuracy, base.accuracy),
        ("log loss (nats a row)", report.log_loss, base.log_loss),
        ("Brier score" + (", sum of labels" if several else ""), report.brier, base.brier),
        ("AUC" + (", mean of labels" if several else ""), report.auc, base.auc),
    ]


def shown_labels(report: Report) -> list[int]:
    """The places of the labels that have a line of their own, in order."""
    rows = report.confusion.sum(axis=1)
    return sorted(np.argsort(-rows, kind="stable")[:MOST_LABELS].tolist())


def mistakes(report: Report) -> list[tuple[int, int, int]]:
    """The most frequent mistakes: the true label, the predicted one, and how many rows."""
    wrong = report.confusion - np.diag(np.diag(report.confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_MISTAKES]
    cells = [(int(i) // len(wrong), int(i) % len(wrong)) for i in order]
    return [(i, j, int(wrong[i, j])) for i, j in cells if wrong[i, j]]


def score_table(*columns: str, names: int = 1) -> Table:
    """A table whose first columns are names, on the left, and the others numbers, on the right."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    table.show_edge = table.pad_edge = False
    for i, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if i < names else "right", no_wrap=True, overflow="ellipsis")
    return table


def _scores(report: Report) -> Table:
    table = score_table("score", "this model", "95 % interval", "baseline")
    for name, score, baseline in score_lines(report):
        table.add_row(name, number(score.value), interval(score), number(baseline))
    return table


def _about_baseline(report: Report) -> str:
    whose = "the training rows' shares" if report.baseline.of_training_rows else "these rows' shares"
    return f"Baseline: always {name_of(report.baseline.label)}; for log loss and Brier score, {whose} of the labels."


def _labels(report: Report) -> RenderableType:
    several = len(report.labels) > 2
    table = score_table("label", "rows", "precision", "recall", "F1", *(["AUC"] if several else []))
    chosen = shown_labels(report)
    for i in chosen:
        found = report.per_label[i]
        scores = [found.precision, found.recall, found.f1, *([found.auc] if several else [])]
        table.add_row(
            Text(name_of(found.label, LABEL_WIDTH if several else 14)),
            f"{found.rows:,}",
            *map(_short if several else _long, scores),
        )
    if len(chosen) == len(report.labels):
        return table
    return Group(table, Text(f"{and_more(len(report.labels) - len(chosen))}, with no more rows"))


def and_more(labels: int) -> str:
    """What stands in place of labels that a table leaves out."""
    return "and one more label" if labels == 1 else f"and {labels:,} more labels"


def _short(score: Score) -> str:
    """A score alone, if there is no room for its interval."""
    return "-" if score.value is None else f"{score.value:.3f}"


def _long(score: Score) -> str:
    """A score with its interval, as short as can be."""
    return "-" if score.low is None else f"{score.value:.2f} ({score.low:.2f}-{score.high:.2f})"


def _confusion(report: Report) -> RenderableType:
    """The confusion matrix, or the most frequent mistakes if it is wider than the screen."""
    names = [name_of(label, 12) for label in report.labels.tolist()]
    cells = [[f"{count:,}" for count in row] for row in report.confusion.tolist()]
    widths = [max(len(name), *map(len, column)) for name, column in zip(names, zip(*cells, strict=True), strict=True)]
    if len(names) <= MOST_LABELS and max(map(len, names)) + 8 + sum(width + 2 for width in widths) <= WIDTH:
        table = score_table("true \\ predicted", *names)
        for name, row in zip(names, cells, strict=True):
            table.add_row(Text(name), *row)
        return table
    if not (found := mistakes(report)):
        return Text("No row is predicted wrongly.")
    table = score_table("true", "predicted", "rows", names=2)
    for i, j, count in found:
        table.add_row(*(Text(name_of(report.labels[at].item())) for at in (i, j)), f"{count:,}")
    return Group(Text("Most frequent mistakes"), table)
