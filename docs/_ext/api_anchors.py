"""Anchors for the links from source pages to the API.

Most names are documented where people import them from, and defined elsewhere. `viewcode` builds the link back from the
first module that it met. So each name gets an anchor for the package and one for the module that defines it.
"""

import importlib

from sphinx import addnodes


def add(app, doctree) -> None:
    for signature in doctree.findall(addnodes.desc_signature):
        module, name = signature.get("module"), signature.get("fullname")
        if module and name and signature["ids"]:
            value = importlib.import_module(module)
            for part in name.split("."):
                value = getattr(value, part, None)
            homes = {"tinynet_fast", getattr(value, "__module__", module) or module}
            signature["ids"] += sorted({f"{home}.{name}" for home in homes} - set(signature["ids"]))


def setup(app) -> dict[str, bool]:
    app.connect("doctree-read", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
