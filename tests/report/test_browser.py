"""The page in a real browser."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:playwright"),
]


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def address(bench, folder):
    """A report with rates, curves, errors, timings and a long name."""
    ran = bench("sweep", "gate=or,xor", "hidden=0,2,4-4", "loss=mse,bce", "seeds=0:5", "iterations=60", "-o", "r.html")
    assert ran.status == 0
    return (folder / "r.html").as_uri()


@pytest.mark.parametrize("width", [390, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_clean_at_every_width(browser, address, width, scheme):
    """No message on the console, no request elsewhere, no sideways scrolling, every figure drawn, every link there."""
    opens_clean(browser, address, width, scheme)


def test_timings_open_clean_on_a_telephone(browser, bench, folder):
    """Their tables are wide, and scroll by themselves."""
    words = ("backend=numpy,torch", "hidden=3,8", "alone=true", "rounds=2", "seeds=0:3", "iterations=60")
    assert bench("sweep", *words, "-o", "r.html").status == 0
    opens_clean(browser, (folder / "r.html").as_uri(), 390, "dark")


def opens_clean(browser, address, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100 && image.alt)")
    links = page.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert links
    assert all(page.evaluate("id => document.getElementById(id) !== null", link[1:]) for link in links)
    page.close()
