"""A report of numbers as tables that fit 80 columns. `number_report.py` computes the numbers."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tinynet_fast.tables.metrics import Score
from tinynet_fast.tables.report_view import interval, notes, number, score_table

NumberReport = Any  # `number_report.NumberReport`, which imports this module

GROUPED_FROM, LARGEST = 1e4, 1e15  # amounts that are written with commas and without digits after the point


def render(report: NumberReport) -> Group:
    """Show the scores beside the baseline's, the quantiles of the errors and the notes."""
    return Group(*_head(report), Text(), _errors(report), *notes(report))


def render_scores(report: NumberReport) -> Group:
    """Show the scores beside the baseline's, and the notes."""
    return Group(*_head(report), *notes(report))


def amount(value: float | None) -> str:
    """A number in the target's own unit, with four digits or all before the point."""
    if value is None:
        return "undefined"
    return f"{value:,.0f}" if GROUPED_FROM <= abs(value) < LARGEST else f"{value:.4g}"


def amounts(score: Score) -> str:
    """The 95 % interval in the target's own unit, or nothing if there is none."""
    return "" if score.low is None or score.high is None else f"{amount(score.low)} to {amount(score.high)}"


def score_lines(report: NumberReport) -> list[tuple[str, str, str, str]]:
    """The name of each score, the score, its interval, and the baseline's."""
    base = report.baseline
    lines = [("R squared", number(report.r2.value), interval(report.r2), number(base.r2))]
    own = [] if report.loss is None else [(name_of_loss(report), report.loss, base.loss)]
    errors = [("mean absolute error", report.mae, base.mae), ("root mean squared error", report.rmse, base.rmse)]
    return lines + [(name, amount(score.value), amounts(score), amount(theirs)) for name, score, theirs in errors + own]


def name_of_loss(report: NumberReport) -> str:
    """The loss that the model was trained by, in words."""
    return f"mean {str(report.loss_name).replace('_', ' ')} loss"


def about_baseline(report: NumberReport) -> str:
    """What the baseline predicts."""
    whose = "the rows trained on" if report.baseline.of_training_rows else "these rows"
    return f"always {amount(report.baseline.mean)}, the mean of {whose}"


def quantile_names(report: NumberReport) -> list[str]:
    """The quantiles of the errors, as names of columns."""
    return ["median" if share == 0.5 else f"{100 * share:g} %" for share in report.errors]


def _head(report: NumberReport) -> list[RenderableType]:
    y = report.judged.y
    what = f"{report.rows:,} row{'s' * (report.rows != 1)}, numbers from {amount(y.min())} to {amount(y.max())}"
    table = score_table("score", "this model", "95 % interval", "baseline")
    for line in score_lines(report):
        table.add_row(*line)
    return [Text(what, style="bold"), table, Text(f"Baseline: {about_baseline(report)}.")]


def _errors(report: NumberReport) -> RenderableType:
    table = score_table("share of the rows below", *quantile_names(report))
    table.add_row("true less predicted", *map(amount, report.errors.values()))
    return table
