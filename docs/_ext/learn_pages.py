"""The Learn pages' directives `quiz`, `order` and `lab`, and the scripts that only these pages load.

All text stays in the page, so it can be read without JavaScript; docs/_static/learn/learn.js turns it into exercises.
"""

from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

LEARN = Path(__file__).parents[1] / "_static" / "learn"
NUMBERS = "pages/python-numbers.js"  # the tables of the labs, and what Python found
MARKS = {"[x] ": "right", "[ ] ": "wrong"}


class _Part(SphinxDirective):
    """A box of the class `learn-NAME` with the content in it."""

    has_content = True

    def box(self, attributes: str = "") -> list[nodes.Node]:
        begin = nodes.raw("", f'<div class="learn-{self.name}"{attributes}>', format="html")
        return [begin, *self.parse_content_to_nodes(), nodes.raw("", "</div>", format="html")]

    def listed(self, box: list[nodes.Node], kind: type[nodes.Node]) -> list[nodes.list_item]:
        found = [node for node in box if isinstance(node, kind)]
        if len(found) != 1:
            raise self.error(f"{self.name}: one list is expected, not {len(found)}")
        for item in found[0].children:
            if len(item.children) < 2:
                raise self.error(f"{self.name}: each item needs a second paragraph that explains it")
        return found[0].children


class Quiz(_Part):
    """A question, then a list of answers that begin with [x] (the right one) or [ ], each with an explanation."""

    def run(self) -> list[nodes.Node]:
        box = self.box()
        kinds = [self.mark(item) for item in self.listed(box, nodes.bullet_list)]
        if kinds.count("right") != 1:
            raise self.error("quiz: exactly one answer begins with [x]")
        return box

    def mark(self, item: nodes.list_item) -> str:
        text = next(iter(item.findall(nodes.Text)))
        kind = MARKS.get(text[:4])
        if kind is None:
            raise self.error(f"quiz: an answer begins with [x] or [ ], not with {text[:4]!r}")
        text.parent.replace(text, nodes.Text(text[4:]))
        item["classes"].append(f"learn-{kind}")
        return kind


class Order(_Part):
    """A task, then a numbered list of steps in the right order, each with a paragraph that says why it stands there."""

    def run(self) -> list[nodes.Node]:
        box = self.box()
        self.listed(box, nodes.enumerated_list)
        return box


class Lab(_Part):
    """A place where the page's script builds the lab NAME; the content says what to do in it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        note = (
            "<noscript><p>JavaScript is off. The lab does not run, but the Python below does the same.</p></noscript>"
        )
        box = self.box(f' data-lab="{self.arguments[0]}"')
        return [*box[:-1], nodes.raw("", note, format="html"), box[-1]]


def add_scripts(app, page, template, context, doctree) -> None:
    """Load the functions that call the kernels, the components and the page's own script, on pages that have one."""
    folder, _, name = page.rpartition("/")
    if folder != "learn" or name == "index":
        return
    for sheet in ("learn.css", "exercises.css", "pages.css"):
        app.add_css_file(f"learn/{sheet}")
    own = f"pages/{name}.js"
    for script in ("tinynet.js", "learn.js", "plot.js", "exercises.js", NUMBERS, own):
        if (LEARN / script).is_file():
            app.add_js_file(f"learn/{script}", loading_method="defer")


def setup(app) -> dict[str, bool]:
    for name, directive in (("quiz", Quiz), ("order", Order), ("lab", Lab)):
        app.add_directive(name, directive)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
