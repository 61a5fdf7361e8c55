"""How Sphinx builds the site: `make docs` writes it to build/docs. Nothing here uses the network."""

import sys
from pathlib import Path

from tinynet_fast import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project, author = "tinynet_fast", "The tinynet_fast developers"
copyright = author
version = release = __version__

extensions = [
    "learn_pages",  # in docs/_ext: quiz, order and lab
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
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline", "attrs_block"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

autodoc_typehints = "none"  # numpydoc's sections have the types
autosummary_generate = True
numpydoc_show_class_members = False
