"""How Sphinx builds the site: `make docs` writes it to build/docs. Nothing here uses the network."""

import subprocess
import sys
from pathlib import Path

from tinynet_fast import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project, author = "tinynet_fast", "The tinynet_fast developers"
copyright = author
version = release = __version__

extensions = [
    "api_anchors",  # in docs/_ext, as all that follow without a dot: links from sources to the API
    "command_line",  # every command of the program
    "drawings",  # pictures that are drawn while the site is built
    "learn_pages",  # quiz, order and lab
    "notebook_downloads",
    "myst_nb",  # pages in Markdown; pages that begin with a kernel's name are run
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"tinynet_fast {version}"
html_static_path = ["_static"]
copybutton_prompt_text = "$ "  # only commands are copied, without what they print
html_css_files = ["site.css"]
html_show_search_summary = False  # summaries are fetched, which browsers refuse for files
templates_path = ["_templates"]
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline", "attrs_block", "substitution"]
myst_heading_anchors = 4
myst_substitutions = {"version": version}
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_in_temp = True  # pages write files

smartquotes = False  # they would turn --option into one long dash
default_role = "code"  # what docstrings write between single backticks
autodoc_typehints = "none"  # numpydoc's sections have the types
autosummary_generate = True
numpydoc_show_class_members = False


def setup(app):
    app.connect("builder-inited", write_kernels)


def write_kernels(app):
    """Compile the kernels that pages run: half a minute, and nothing if no kernel changed since the last time."""
    program, script = app.srcdir.parent / "native" / "wasm.py", app.srcdir / "_static" / "learn" / "kernels.js"
    subprocess.run([sys.executable, program, script], check=True)
