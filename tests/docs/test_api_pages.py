"""The API pages: every public name of the package has a page with its source, and every command has a section."""

import importlib
import inspect

import pytest
from site_html import BUILT, read

MODULES = (
    "tinynet_fast",
    "tinynet_fast.sklearn",
    "tinynet_fast.dask",
    "tinynet_fast.spark",
    "tinynet_fast.plots",
    "tinynet_fast.scoring",
    "tinynet_fast.datasets",
)
CLUSTERS = ("tinynet_fast.dask", "tinynet_fast.spark")
API = BUILT / "api"


pytestmark = pytest.mark.usefixtures("built")


def public(module):
    """The public names of a module, without its version."""
    return [name for name in importlib.import_module(module).__all__ if not name.startswith("__")]


def anchors(module, name, value):
    """The anchors of a public name: its own, and of a class those of the public methods that this package has."""
    yield f"{module}.{name}"
    if inspect.isclass(value):
        ours = [base for base in value.__mro__ if base.__module__.startswith("tinynet_fast.")]
        for method in {method for base in ours for method, made in vars(base).items() if callable(made)}:
            if not method.startswith("_") and (vars(value).get(method) is not None or "sklearn" not in module):
                yield f"{module}.{name}.{method}"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_a_page(module):
    found = importlib.import_module(module)
    for name in public(module):
        value = getattr(found, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            page = API / "generated" / f"{module}.{name}.html"
            assert page.is_file(), f"name {module}.{name} in a page of docs/api"
            missing = set(anchors(module, name, value)) - read(page).anchors
            assert not missing
            assert any("_modules/" in link for link in read(page).links), "no link to the source"
        else:
            assert f"{module}.{name}" in read(API / "plots.html").anchors


def test_a_missing_name_would_be_found():
    assert "train_neuron" in public("tinynet_fast")
    assert len(public("tinynet_fast")) > 20
    neuron = importlib.import_module("tinynet_fast").Neuron
    assert {"tinynet_fast.Neuron.predict", "tinynet_fast.Neuron.save"} <= set(anchors("tinynet_fast", "Neuron", neuron))


def functions(module):
    found = importlib.import_module(module)
    return [name for name in public(module) if inspect.isfunction(getattr(found, name))]


@pytest.mark.parametrize("module", [module for module in MODULES if module not in CLUSTERS])
def test_every_public_function_has_an_example(module):
    """Those of clusters have none: it would have to start one."""
    found = importlib.import_module(module)
    assert [name for name in functions(module) if ">>> " not in getattr(found, name).__doc__] == []


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_of_functions_name_all_parameters(module):
    """What numpydoc finds: parameters that are missing or unknown, and sections that are unknown or out of order."""
    validate = pytest.importorskip("numpydoc.validate", reason="the docs group (numpydoc) is not installed").validate
    wanted = {"GL06", "GL07", "GL08", "PR01", "PR02", "PR05", "SS03"}
    if module in CLUSTERS:  # their `**options` are named one by one
        wanted -= {"PR01", "PR02"}
    found = {name: validate(f"{module}.{name}")["errors"] for name in functions(module)}
    assert [(name, words) for name, errors in found.items() for code, words in errors if code in wanted] == []


def test_every_command_has_a_section_with_its_options():
    from typer.main import get_command

    from tinynet_fast.cli.app import app

    page = API / "command-line.html"
    text = page.read_text(encoding="utf-8")
    commands = get_command(app).commands
    assert len(commands) > 10
    for name, command in commands.items():
        assert f"tinynet-fast-{name}" in read(page).anchors
        for option in (option for parameter in command.params for option in parameter.opts if option.startswith("--")):
            assert option in text, f"{name} {option}"
