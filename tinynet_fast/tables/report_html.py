"""The parts of a report as HTML: what its page has, and what a notebook shows. `page.py` puts the page together."""

from typing import Any

import numpy as np

from tinynet_fast.markup.curves import Axis, Curve, chart, charts
from tinynet_fast.markup.elements import MOST_LINES, Html, frame, name, paragraph, strong, table, text
from tinynet_fast.models.view import inputs
from tinynet_fast.plots.judged import JudgedNumbers
from tinynet_fast.rows.messages import printable
from tinynet_fast.tables.metrics import Score
from tinynet_fast.tables.number_view import about_baseline, amount, quantile_names
from tinynet_fast.tables.number_view import score_lines as number_lines
from tinynet_fast.tables.report_view import and_more, interval, mistakes, number, score_lines

Report = Any  # `report.Report` and `number_report.NumberReport`, which import this module

MOST_LABELS, MOST_CELLS, MOST_COLUMNS = 60, 20, 200  # lines of the labels, of the confusion matrix, of the columns
SCORES = ("score", Html("this model<br>95 % interval"), "baseline")

ABOUT_LABELS = (
    "Precision: of the rows predicted to have the label, how many do. Recall: of the rows that have it, how many are "
    "predicted to. F1: their harmonic mean. AUC: how often a row with the label has a larger probability of it than a "
    "row without."
)


def report_html(report: Report) -> str:
    """What a notebook shows of a report."""
    return frame(*parts(report))


def parts(report: Report) -> list[Html]:
    """How good the model is, the scores, and the labels with the mistakes, or the errors; and curves."""
    if isinstance(report.judged, JudgedNumbers):
        tables = [number_summary(report), number_scores(report, "Scores"), number_errors(report, "Errors")]
        return [*tables, _number_curves(report)]
    tables = [summary(report), scores(report, "Scores"), labels(report, MOST_LINES, "Labels")]
    return [*tables, confusion(report, "Confusion matrix"), _curves(report)]


def summary(report: Report) -> Html:
    """In one sentence, how many rows are right."""
    right, base = int(report.confusion.trace()), report.baseline
    lead = Html(
        f"Of {_rows(report)}, {strong(f'{right:,}')} are predicted correctly. "
        f"Always answering {name(base.label)} would be right for {round(base.accuracy * report.rows):,}."
    )
    return Html(paragraph(lead, "lead") + _notes(report))


def _rows(report: Report) -> str:
    return "1 row" if report.rows == 1 else f"{report.rows:,} rows"


def _notes(report: Report) -> str:
    notes = "".join(f"<li>{text(note)}.</li>" for note in report.notes)
    return f'<ul class="notes">{notes}</ul>' if notes else ""


def scores(report: Report, caption: str = "") -> Html:
    """The scores beside the baseline's."""
    rows = [(title, _with_interval(score), number(baseline)) for title, score, baseline in score_lines(report)]
    whose = "of the rows trained on" if report.baseline.of_training_rows else "of these rows"
    what = Html(
        f"Baseline: always {name(report.baseline.label)}, and for log loss and Brier score always the labels' shares "
        f"{whose}. Log loss and Brier score are better if they are smaller, the others if they are larger. "
        "A 95 % interval says how far the score may be from that of other rows by chance."
    )
    return Html(table(SCORES, rows, caption) + paragraph(what, "soft"))


def _with_interval(score: Score) -> Html:
    return _above(number(score.value), interval(score))


def _above(value: str, ends: str) -> Html:
    """A value, and its interval below it."""
    return Html(f'{strong(value)}<br><span class="soft">{text(ends)}</span>')


def number_summary(report: Report) -> Html:
    """In one sentence, how far predictions are off."""
    lead = Html(
        f"On {_rows(report)}, predictions are off by {strong(amount(report.mae.value))} on average. "
        f"Always answering {amount(report.baseline.mean)} would be off by {amount(report.baseline.mae)}."
    )
    return Html(paragraph(lead, "lead") + _notes(report))


def number_scores(report: Report, caption: str = "") -> Html:
    """The scores beside the baseline's."""
    rows = [(title, _above(value, ends), theirs) for title, value, ends, theirs in number_lines(report)]
    what = (
        f"Baseline: {about_baseline(report)}. R squared is the part of the variance that the model explains: 1 for a "
        "perfect model, 0 for the mean of these rows. Errors are better if they are smaller. A 95 % interval says how "
        "far the score may be from that of other rows by chance."
    )
    return Html(table(SCORES, rows, caption) + paragraph(what, "soft"))


def number_errors(report: Report, caption: str = "") -> Html:
    """Quantiles of the errors."""
    what = "An error is the true number less the predicted one. So many of the rows have a smaller one:"
    row = ["true less predicted", *map(amount, report.errors.values())]
    return Html(paragraph(what) + table(["share of the rows", *quantile_names(report)], [row], caption))


def labels(report: Report, most: int = MOST_LABELS, caption: str = "") -> Html:
    """The scores of each label."""
    rows = [
        (
            name(found.label),
            f"{found.rows:,}",
            f"{found.predicted:,}",
            *map(_with_interval, (found.precision, found.recall, found.f1, found.auc)),
        )
        for found in report.per_label[:most]
    ]
    columns = ("label", "rows", "predicted", "precision", "recall", "F1", "AUC")
    more = len(report.labels) - len(rows)
    return Html(
        table(columns, rows, caption) + (paragraph(and_more(more)) if more else "") + paragraph(ABOUT_LABELS, "soft")
    )


def confusion(report: Report, caption: str = "") -> Html:
    """The confusion matrix, or the most frequent mistakes if there are many labels."""
    names = [name(label) for label in report.labels.tolist()]
    if len(names) <= MOST_CELLS:
        rows = [
            [label, *(strong(f"{n:,}") if i == j else f"{n:,}" for j, n in enumerate(counts))]
            for i, (label, counts) in enumerate(zip(names, report.confusion.tolist(), strict=True))
        ]
        return table(["true \\ predicted", *names], rows, caption)
    found = [(names[i], names[j], f"{count:,}") for i, j, count in mistakes(report)]
    return Html(paragraph("The most frequent mistakes:") + table(("true", "predicted", "rows"), found))


def columns(model: Any, most: int = MOST_COLUMNS, caption: str = "") -> Html:
    """What the model reads: the columns of a person's table, or its inputs."""
    if model.columns is None:
        names = model.features or []
        shown = ", ".join(name(each) for each in names[:most])
        more = f" and {len(names) - most:,} more" if len(names) > most else ""
        return paragraph(Html(f"{inputs(model.n_features)}{': ' if shown else ''}{shown}{more}"))
    kinds = model.columns.kinds
    rows = [(name(kind.name), "used", _about(kind)) for kind in kinds[:most]]
    left_out = model.training.get("left_out") or {}
    rows += [(name(each), "left out", str(why)) for each, why in list(left_out.items())[:most]]
    others = len(kinds) - most
    after = paragraph(f"and {others:,} more columns that are used") if others > 0 else ""
    return Html(table(("column", "", "what it is"), rows, caption, kind="text") + after)


def _about(kind: Any) -> str:
    """What a column is, and for numbers what a missing value counts as."""
    if kind.kind == "levels":
        named = ", ".join(kind.levels[:12]) + (", ..." if len(kind.levels) > 12 else "")
        return f"{len(kind.levels):,} levels: {named}"
    if kind.kind == "hashed":
        return f"levels, hashed to {kind.buckets:,} inputs"
    what = "numbers" if kind.words is None else "yes or no"
    return what + (f"; a missing value counts as {kind.fill:g}, and an input says so" if kind.gaps else "")


def _curves(report: Report) -> Html:
    """For two labels: what other thresholds would give."""
    if len(report.labels) > 2:
        return Html("")
    limit, called, hit = report.judged.counts(1)
    total, others = hit[-1], called[-1] - hit[-1]
    if total == 0 or others == 0:
        return Html("")
    share = Axis("share of rows", low=0.0, high=1.0)
    x, height = np.append(0.0, (called - hit) / others), np.append(0.0, hit / total)
    found, wrong = Axis("true positive rate", low=0.0, high=1.0), Axis("false positive rate", low=0.0, high=1.0)
    chance = Curve("chance", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    at = Axis(f"threshold on the probability of {printable(str(report.labels[1]), 24)}", low=0.0, high=1.0)
    kinds = [Curve("precision", limit, hit / called), Curve("recall", limit, hit / total)]
    return charts(
        chart("ROC curve", [Curve(f"AUC {number(report.auc.value)}", x, height), chance], wrong, found),
        chart("What another threshold would give", kinds, at, share),
    )


def _number_curves(report: Report) -> Html:
    """The mean of the true numbers against that of the predictions, in ten parts."""
    judged = report.judged
    parts = np.array_split(np.argsort(judged.predictions, kind="stable"), min(10, report.rows))
    predicted, true = (np.array([values[part].mean() for part in parts]) for values in (judged.predictions, judged.y))
    diagonal = Curve("right on average", predicted, predicted)
    curves = [Curve(f"rows, in {len(parts)} equal parts", predicted, true), diagonal]
    return charts(chart("Predictions", curves, Axis("mean prediction"), Axis("mean of the true numbers")))
