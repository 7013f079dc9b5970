"""Pages in a real browser, opened so that whatever they say or ask for is seen."""

import re
import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WIDTHS = (390, 1600)
SCHEMES = ("light", "dark")
MARKS = [
    pytest.mark.browser,
    pytest.mark.untraced,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:playwright"),
]


def at(page, words):
    """Wait until the address of a page ends with these words."""
    from playwright.sync_api import expect

    expect(page).to_have_url(re.compile(re.escape(words) + "$"))


@contextmanager
def opened(browser, address, width=1600, scheme="light"):
    """Open a page; at the end, check that it said nothing and asked nobody for anything."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    page.close()
