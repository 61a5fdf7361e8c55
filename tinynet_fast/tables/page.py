"""A report as one HTML page that needs nothing else: no script, no other file, no network."""

import base64
import io
import os
import warnings
from collections.abc import Callable
from typing import Any

from tinynet_fast import plots
from tinynet_fast._version import __version__
from tinynet_fast.markup.elements import LONGEST, table, text
from tinynet_fast.models import Model
from tinynet_fast.models.files import atomic_file
from tinynet_fast.models.outputs import SIGMOID
from tinynet_fast.plots.drawing import matplotlib
from tinynet_fast.rows.messages import printable
from tinynet_fast.tables import report_html
from tinynet_fast.tables.number_report import NumberReport
from tinynet_fast.tables.report import Report

NO_PICTURES = "The pictures need matplotlib: pip install 'tinynet-fast[plot]', and write the page again."

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
th { color: var(--soft); font-weight: 600; } tbody th { color: inherit; font-weight: 400; }
th:first-child, td:first-child, .text td, .text th { text-align: left; }
.text td { white-space: normal; } .text td, .text th { vertical-align: top; }
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
            report_html.number_summary(report),
            f"<h2>Scores</h2>\n{report_html.number_scores(report)}",
            f"<h2>Errors</h2>\n{report_html.number_errors(report)}",
        ]
    else:
        quality = [
            report_html.summary(report),
            f"<h2>Scores</h2>\n{report_html.scores(report)}",
            f"<h2>Labels</h2>\n{report_html.labels(report)}",
            f"<h2>Confusion matrix</h2>\n{report_html.confusion(report)}",
        ]
    pictures = _pictures(report, model, loss, X, y)
    parts = [
        f"<h1>{text(title)}</h1>",
        *quality,
        *([f"<h2>Pictures</h2>\n{pictures}"] if pictures else []),
        f"<h2>Columns</h2>\n{report_html.columns(model)}",
        f"<h2>Training</h2>\n{_training(model)}",
        f'<p class="soft">Written by tinynet_fast {text(__version__)}.</p>',
    ]
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    return head + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"


def _training(model: Model) -> str:
    """The options and the outcome of training, as the model keeps them."""
    plain = [(name, value) for name, value in model.training.items() if isinstance(value, (str, int, float))]
    rows = [("model", repr(model)), *((name, _value(value)) for name, value in plain)]
    if model.output == SIGMOID:
        rows.append(("threshold", f"{model.threshold:g}"))
    return table((), rows, kind="text")


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
        return f"<p>{text(NO_PICTURES)}</p>"
    return f'<div class="pictures">\n{figures}\n</div>' if figures else ""


def _picture(caption: str, ax: Any) -> str:
    """A picture inside the page. As an image it shares neither names nor styles with the page, and can run nothing."""
    file = io.BytesIO()
    salt = matplotlib().rc_context({"svg.hashsalt": "tinynet_fast"})  # the same picture is the same file
    with salt, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # of a name; it is drawn as a box
        ax.figure.savefig(file, format="svg", metadata={"Date": None})
    code = base64.b64encode(file.getvalue()).decode("ascii")
    title = text(" ".join(ax.get_title().split()))
    image = f'<img alt="{title}" src="data:image/svg+xml;base64,{code}">'
    return f"<figure>{image}<figcaption>{text(caption)}</figcaption></figure>"
