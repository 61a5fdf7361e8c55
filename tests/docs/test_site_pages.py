"""Each page of the built site, in a browser: nothing fails, nothing is loaded from elsewhere."""

import pytest
from learn_browser import SITE_PAGES

OUTSIDE = """
  const used = performance.getEntriesByType("resource").map((entry) => entry.name);
  const linked = [
    ...document.querySelectorAll("script[src], img[src], iframe[src], link:is([rel~=stylesheet], [rel~=icon])"),
  ].map((element) => element.src || element.href);
  return [...used, ...linked].filter((name) => !/^(file|data|blob):/.test(name));
"""
BROKEN = (
    "return [...document.images].filter((image) => image.complete && !image.naturalWidth).map((image) => image.src)"
)


@pytest.mark.parametrize("name", SITE_PAGES)
def test_a_page_loads_without_errors_and_without_a_network(page, name):
    shown = page(name)
    assert shown.problems() == []
    assert shown.js(OUTSIDE) == []
    assert shown.js(BROKEN) == []
    assert shown.js("return document.querySelectorAll('h1').length") >= (0 if name in ("genindex", "search") else 1)
