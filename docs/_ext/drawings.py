"""The directive `drawing`: a picture that code draws while the site is built, readable on light and dark pages.

The argument is an SVG file beside the page, or the name of a function in fast_drawings.py; with the option `results`
it is a picture of bench/pictures.py, drawn from that results file. The content is the caption.
"""

import importlib
import json
import re
import sys
from html import escape
from io import StringIO
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from matplotlib import rc_context
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
STYLE = {"svg.fonttype": "none", "font.size": 11.0, "axes.spines.top": False, "axes.spines.right": False}
# The colours of matplotlib and of our pictures that could not be seen on a dark page, and the variables of site.css
# that take their place.
COLOURS = {
    "#000000": "currentColor",
    "#ffffff": "var(--color-background-primary)",
    "#1b2a49": "var(--drawing-dark)",
    "#333333": "var(--drawing-grey)",
    "#555555": "var(--drawing-grey)",
    "#595959": "var(--drawing-grey)",
    "#e6e6e6": "var(--drawing-pale)",
}


def svg(figure, name: str) -> str:
    """The figure as the text of an SVG file. The same figure always gives the same text."""
    file = StringIO()
    with rc_context(STYLE | {"svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def inline(text: str, alt: str) -> str:
    """The SVG as a part of an HTML page: without a header, scaled to the page, in the page's own colours."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", text)  # names of parts, which another picture has too
    for colour, variable in COLOURS.items():
        text = text.replace(colour, variable)
    head, rest = text.split(">", 1)
    width, height = (float(re.search(rf' {side}="([\d.]+)pt"', head)[1]) for side in ("width", "height"))
    opening = f'<svg class="drawing" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(alt)}" '
    opening += f'style="max-width: {width * 4 / 3:.0f}px"'
    return f'{opening} xmlns:xlink="http://www.w3.org/1999/xlink">{rest}'


def of_results(name: str, path: Path):
    """A figure of bench/pictures.py."""
    if str(ROOT / "bench") not in sys.path:
        sys.path.append(str(ROOT / "bench"))
    pictures = importlib.import_module("pictures")
    return pictures.drawn(pictures.drawers(json.loads(path.read_text(encoding="utf-8")))[name])


class Drawing(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required, "results": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        name, alt = self.arguments[0], self.options["alt"]
        with rc_context(STYLE):
            if name.endswith(".svg"):
                path = Path(self.env.relfn2path(name)[1])
                text = path.read_text(encoding="utf-8")
            elif "results" in self.options:
                path = ROOT / self.options["results"]
                text = svg(of_results(name, path), name)
            else:
                drawings = importlib.import_module("fast_drawings")
                path = Path(drawings.__file__)
                text = svg(getattr(drawings, name)(), name)
        self.env.note_dependency(str(path))
        caption = self.parse_content_to_nodes()
        begin = nodes.raw("", f'<figure class="drawing">{inline(text, alt)}', format="html")
        if caption:
            caption = [nodes.raw("", "<figcaption>", format="html"), *caption]
            caption.append(nodes.raw("", "</figcaption>", format="html"))
        return [begin, *caption, nodes.raw("", "</figure>", format="html")]


def setup(app) -> dict[str, bool]:
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
