"""Puts each page that was run beside itself as a notebook, so that it can be downloaded with its outputs.

MyST-NB writes the notebooks that it has run to a folder of its own. Cells with the tag `page-only` are for the page:
they are left out. The role `raw-html` is for the link, because Sphinx would look for the file before it is written.
"""

from pathlib import Path

import nbformat
from docutils import nodes

PAGE_ONLY = "page-only"


def setup(app):
    app.add_role("raw-html", lambda name, rawtext, text, *_: ([nodes.raw(rawtext, text, format="html")], []))
    app.add_css_file("notebooks.css")
    app.connect("build-finished", write_notebooks)
    return {"parallel_read_safe": True}


def write_notebooks(app, exception):
    """Write the notebooks, if the build ended well."""
    site = Path(app.outdir)
    for page in [] if exception else sorted(app.env.found_docs):
        ran = site.parent / "jupyter_execute" / f"{page}.ipynb"
        if ran.is_file():
            nbformat.write(without_page(nbformat.read(ran, as_version=4)), site / f"{page}.ipynb")


def without_page(notebook):
    """The notebook without the cells that are for the page."""
    notebook.cells = [cell for cell in notebook.cells if PAGE_ONLY not in cell.metadata.get("tags", [])]
    return notebook
