"""A report as one HTML page that needs nothing else: no script, no other file, no network."""

import base64
import html
import io
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinynet_fast import plots
from tinynet_fast._version import __version__
from tinynet_fast.models import Model
from tinynet_fast.models.files import atomic_file
from tinynet_fast.models.outputs import SIGMOID
from tinynet_fast.plots.drawing import matplotlib
from tinynet_fast.rows.messages import printable
from tinynet_fast.tables.metrics import Score
from tinynet_fast.tables.number_report import NumberReport
from tinynet_fast.tables.number_view import about_baseline, amount, quantile_names
from tinynet_fast.tables.number_view import score_lines as number_lines
from tinynet_fast.tables.report import Report
from tinynet_fast.tables.report_view import interval, mistakes, number, score_lines

MOST_LABELS, MOST_CELLS, MOST_COLUMNS = 60, 20, 200  # lines of the labels, of the confusion matrix, of the columns
LONGEST, LONGEST_TEXT = 60, 300  # characters of a name and of a line of text
NO_PICTURES = "The pictures need matplotlib: pip install 'tinynet-fast[plot]', and write the page again."

ABOUT_LABELS = (
    "Precision: of the rows predicted to have the label, how many do. Recall: of the rows that have it, how many are "
    "predicted to. F1: their harmonic mean. AUC: how often a row with the label has a larger probability of it than a "
    "row without."
)

STYLE = """
:root { color-scheme: light dark; --ink: #1b2a49; --paper: #fff; --card: #f6f7f9; --line: #d9dde5; --soft: #5b6472; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --paper: #14171c; --card: #1d2128; --line: #363c47; --soft: #a4adba; }
  figure img { filter: invert(0.9) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; margin: 0.5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; }
p { margin: 0.5rem 0; } .soft { color: var(--soft); } .lead { font-size: 1.15rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.8rem 0.3rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child, .text td, .text th { text-align: left; }
.text td { white-space: normal; vertical-align: top; } td.right { font-weight: 700; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; overflow: hidden; }
figure img { display: block; width: 100%; height: auto; background: #fff; }
figcaption { padding: 0.5rem 0.8rem; color: var(--soft); font-size: 0.9rem; }
.notes li { margin: 0.2rem 0; }
@media (max-width: 34rem) { table { font-size: 0.8rem; } th, td { padding-right: 0.5rem; } }
"""


def write_page(
    path: str | os.PathLike[str],
    report: Report | NumberReport | None,
    model: Model,
    loss: Any = None,
    X: Any = None,
    y: Any = None,
) -> None:
    """Write a report as an HTML page. If anything fails, an old file stays as it was.

    Parameters
    ----------
    path : path
    report : Report, NumberReport or None
        None if no rows were judged: the page then shows the model alone.
    model : Neuron or MLP
        The model whose columns, training and contributions are shown.
    loss : TrainingResult, or (epochs,) array, optional
        The training, or the losses, of the learning curve.
    X, y : optional
        Rows and their labels or numbers, which a network needs to show what each column contributes.
    """
    text = page(report, model, loss, X, y)
    with atomic_file(path) as file:
        file.write(text)


def page(report: Report | NumberReport | None, model: Model, loss: Any = None, X: Any = None, y: Any = None) -> str:
    """The page that `write_page` writes."""
    target = model.training.get("target")
    title = "How good is the model?" if target is None else f"How well is {printable(str(target), LONGEST)} predicted?"
    if report is None:
        quality = ['<p class="lead">No rows were held out, so nothing is known about how good the model is.</p>']
    elif isinstance(report, NumberReport):
        quality = [
            _number_summary(report),
            f"<h2>Scores</h2>\n{_number_scores(report)}",
            f"<h2>Errors</h2>\n{_number_errors(report)}",
        ]
    else:
        quality = [
            _summary(report),
            f"<h2>Scores</h2>\n{_scores(report)}",
            f"<h2>Labels</h2>\n{_labels(report)}",
            f"<h2>Confusion matrix</h2>\n{_confusion(report)}",
        ]
    pictures = _pictures(report, model, loss, X, y)
    parts = [
        f"<h1>{_text(title)}</h1>",
        *quality,
        *([f"<h2>Pictures</h2>\n{pictures}"] if pictures else []),
        f"<h2>Columns</h2>\n{_columns(model)}",
        f"<h2>Training</h2>\n{_training(model)}",
        f'<p class="soft">Written by tinynet_fast {_text(__version__)}.</p>',
    ]
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    return head + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"


def _text(value: Any, most: int = LONGEST_TEXT) -> str:
    """A name or a text as HTML that shows it as it is, whatever it holds."""
    return html.escape(printable(str(value), most))


def _name(value: Any) -> str:
    return _text(value, LONGEST) or "&#39;&#39;"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "\n".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    style = f' class="{kind}"' if kind else ""
    return f'<div class="wide"><table{style}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _cell(cell: str) -> str:
    return cell if cell.startswith("<td") else f"<td>{cell}</td>"


def _summary(report: Report) -> str:
    right, base = int(report.confusion.trace()), report.baseline
    rows = "1 row" if report.rows == 1 else f"{report.rows:,} rows"
    lead = (
        f"Of {rows}, <strong>{right:,}</strong> are predicted correctly. "
        f"Always answering {_name(base.label)} would be right for {round(base.accuracy * report.rows):,}."
    )
    return f'<p class="lead">{lead}</p>' + _notes(report)


def _notes(report: Report | NumberReport) -> str:
    notes = "".join(f"<li>{_text(note)}.</li>" for note in report.notes)
    return f'<ul class="notes">{notes}</ul>' if notes else ""


def _scores(report: Report) -> str:
    rows = [(_text(name), _with_interval(score), number(baseline)) for name, score, baseline in score_lines(report)]
    whose = "of the rows trained on" if report.baseline.of_training_rows else "of these rows"
    what = (
        f"Baseline: always {_name(report.baseline.label)}, and for log loss and Brier score always the labels' shares "
        f"{whose}. Log loss and Brier score are better if they are smaller, the others if they are larger. "
        "A 95 % interval says how far the score may be from that of other rows by chance."
    )
    return _table(("score", "this model<br>95 % interval", "baseline"), rows) + f'<p class="soft">{what}</p>'


def _with_interval(score: Score) -> str:
    return f'<strong>{number(score.value)}</strong><br><span class="soft">{interval(score)}</span>'


def _number_summary(report: NumberReport) -> str:
    """In one sentence, how far predictions are off."""
    rows = "1 row" if report.rows == 1 else f"{report.rows:,} rows"
    lead = (
        f"On {rows}, predictions are off by <strong>{amount(report.mae.value)}</strong> on average. "
        f"Always answering {amount(report.baseline.mean)} would be off by {amount(report.baseline.mae)}."
    )
    return f'<p class="lead">{lead}</p>' + _notes(report)


def _number_scores(report: NumberReport) -> str:
    rows = [
        (_text(name), f'<strong>{value}</strong><br><span class="soft">{ends}</span>', theirs)
        for name, value, ends, theirs in number_lines(report)
    ]
    what = (
        f"Baseline: {about_baseline(report)}. R squared is the part of the variance that the model explains: 1 for a "
        "perfect model, 0 for the mean of these rows. Errors are better if they are smaller. A 95 % interval says how "
        "far the score may be from that of other rows by chance."
    )
    return _table(("score", "this model<br>95 % interval", "baseline"), rows) + f'<p class="soft">{_text(what)}</p>'


def _number_errors(report: NumberReport) -> str:
    what = "An error is the true number less the predicted one. So many of the rows have a smaller one:"
    row = ["true less predicted", *map(amount, report.errors.values())]
    return f"<p>{what}</p>" + _table(["share of the rows", *quantile_names(report)], [row])


def _labels(report: Report) -> str:
    rows = [
        (
            _name(found.label),
            f"{found.rows:,}",
            f"{found.predicted:,}",
            *map(_with_interval, (found.precision, found.recall, found.f1, found.auc)),
        )
        for found in report.per_label[:MOST_LABELS]
    ]
    columns = ("label", "rows", "predicted", "precision", "recall", "F1", "AUC")
    more = len(report.labels) - len(rows)
    return (
        _table(columns, rows)
        + (f"<p>and {more:,} more labels</p>" if more else "")
        + f'<p class="soft">{ABOUT_LABELS}</p>'
    )


def _confusion(report: Report) -> str:
    names = [_name(label) for label in report.labels.tolist()]
    if len(names) <= MOST_CELLS:
        rows = [
            [name, *(f'<td class="right">{n:,}</td>' if i == j else f"{n:,}" for j, n in enumerate(counts))]
            for i, (name, counts) in enumerate(zip(names, report.confusion.tolist(), strict=True))
        ]
        return _table(["true \\ predicted", *names], rows)
    found = [(names[i], names[j], f"{count:,}") for i, j, count in mistakes(report)]
    return "<p>The most frequent mistakes:</p>" + _table(("true", "predicted", "rows"), found)


def _columns(model: Model) -> str:
    """What the model reads: the columns of a person's table, or its inputs."""
    if model.columns is None:
        names = model.features or []
        shown = ", ".join(_name(name) for name in names[:MOST_COLUMNS])
        more = f" and {len(names) - MOST_COLUMNS:,} more" if len(names) > MOST_COLUMNS else ""
        return f"<p>{model.n_features:,} inputs{': ' if shown else ''}{shown}{more}</p>"
    kinds = model.columns.kinds
    rows = [(_name(kind.name), "used", _text(_about(kind))) for kind in kinds[:MOST_COLUMNS]]
    left_out = model.training.get("left_out") or {}
    rows += [(_name(name), "left out", _text(why)) for name, why in list(left_out.items())[:MOST_COLUMNS]]
    others = len(kinds) - MOST_COLUMNS
    table = _table(("column", "", "what it is"), rows, kind="text")
    return table + (f"<p>and {others:,} more columns that are used</p>" if others > 0 else "")


def _about(kind: Any) -> str:
    """What a column is, and for numbers what a missing value counts as."""
    if kind.kind == "levels":
        named = ", ".join(kind.levels[:12]) + (", ..." if len(kind.levels) > 12 else "")
        return f"{len(kind.levels):,} levels: {named}"
    if kind.kind == "hashed":
        return f"levels, hashed to {kind.buckets:,} inputs"
    what = "numbers" if kind.words is None else "yes or no"
    return what + (f"; a missing value counts as {kind.fill:g}, and an input says so" if kind.gaps else "")


def _training(model: Model) -> str:
    """The options and the outcome of training, as the model keeps them."""
    plain = [(name, value) for name, value in model.training.items() if isinstance(value, (str, int, float))]
    rows = [("model", _text(model)), *((_text(name), _text(_value(value))) for name, value in plain)]
    if model.output == SIGMOID:
        rows.append(("threshold", f"{model.threshold:g}"))
    return _table(("", ""), rows, kind="text")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _pictures(report: Report | NumberReport | None, model: Any, loss: Any, X: Any, y: Any) -> str:
    drawn: list[tuple[str, Callable[[], Any]]] = []
    if isinstance(report, NumberReport):
        drawn = [
            ("On the diagonal, predictions are right.", lambda: plots.predictions(report)),
            ("If the marks lie on the line, the model is right on average.", lambda: plots.residuals(report)),
        ]
    elif report is not None:
        drawn = [
            ("Rows of each label, and what is predicted.", lambda: plots.confusion(report)),
            ("The closer to the upper left corner, the better.", lambda: plots.roc(report)),
            ("The closer to the upper right corner, the better.", lambda: plots.precision_recall(report)),
            ("On the diagonal, probabilities are what happens.", lambda: plots.calibration_curve(report)),
            ("What another threshold would give.", lambda: plots.thresholds(report)),
        ]
    weighed = plots.can_show_weights(model)
    if weighed or X is not None:
        rows = () if weighed else (X, y)
        drawn.append(("What moves the answer most, at the top.", lambda: plots.contributions(model, *rows)))
    if loss is not None:
        drawn.append(("The loss during training.", lambda: plots.loss_curves(loss)))
    try:
        figures = "\n".join(_picture(caption, draw()) for caption, draw in drawn)
    except ImportError:
        return f"<p>{_text(NO_PICTURES)}</p>"
    return f'<div class="pictures">\n{figures}\n</div>' if figures else ""


def _picture(caption: str, ax: Any) -> str:
    """A picture inside the page. As an image it shares neither names nor styles with the page, and can run nothing."""
    file = io.BytesIO()
    salt = matplotlib().rc_context({"svg.hashsalt": "tinynet_fast"})  # the same picture is the same file
    with salt, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # of a name; it is drawn as a box
        ax.figure.savefig(file, format="svg", metadata={"Date": None})
    code = base64.b64encode(file.getvalue()).decode("ascii")
    title = _text(" ".join(ax.get_title().split()))
    image = f'<img alt="{title}" src="data:image/svg+xml;base64,{code}">'
    return f"<figure>{image}<figcaption>{_text(caption)}</figcaption></figure>"
