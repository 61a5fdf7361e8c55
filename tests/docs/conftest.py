"""The built site, a browser to open it in, and its kernels in Node. What is missing is named, and its tests skipped."""

import shutil
from pathlib import Path

import pytest
from learn_browser import Page
from node import Node, compiled
from site_html import BUILT

CHROMIUM, DRIVER = (shutil.which(name) or f"/usr/bin/{name}" for name in ("chromium", "chromedriver"))
FLAGS = ["headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
FLAGS += ["disable-component-update", "disable-sync", "hide-scrollbars", "window-size=1280,900"]


@pytest.fixture(scope="session")
def built():
    """The folder of the site. The file is the last one of a build: once it is there, a missing page is a failure."""
    if not (BUILT / "searchindex.js").is_file():
        pytest.skip("the site is not built: run `make docs`")
    return BUILT


@pytest.fixture(scope="session")
def browser(built, tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="the docs group (selenium) is not installed")
    if not (Path(CHROMIUM).is_file() and Path(DRIVER).is_file()):
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser):
    """Opens pages of the site: `page("learn/02-one-neuron")`."""
    return lambda name, width=1280: Page(browser, name, width)


@pytest.fixture(scope="session")
def script(tmp_path_factory):
    """The pages' script with the kernels."""
    return compiled(tmp_path_factory.mktemp("kernels") / "kernels.js")


@pytest.fixture(scope="session")
def net(script):
    """The pages' functions."""
    with Node(script) as found:
        yield found
