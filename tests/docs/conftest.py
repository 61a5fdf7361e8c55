"""A browser to open the built site in. If the browser or the site is missing, tests are skipped, with the reason."""

import shutil
from pathlib import Path

import pytest
from learn_browser import BUILT, Page

CHROMIUM, DRIVER = (shutil.which(name) or f"/usr/bin/{name}" for name in ("chromium", "chromedriver"))
FLAGS = ["headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
FLAGS += ["disable-component-update", "disable-sync", "hide-scrollbars", "window-size=1280,900"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="the docs group (selenium) is not installed")
    if not (BUILT / "index.html").is_file():
        pytest.skip("the site is not built: run `make docs`")
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
