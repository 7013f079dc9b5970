"""Linked views: what one points at is named, and what one clicks is pinned wherever it is drawn."""

import json
import re

import pytest

from .chromium import MARKS, opened

pytestmark = MARKS
CELL = "#heat-1-1 td[data-trial]"


@pytest.fixture
def page(browser, address):
    """The page of a grid, in a browser."""
    with opened(browser, address("full")) as shown:
        yield shown


def told(page):
    return json.loads(page.locator("[data-told]").text_content())


def pinned(page):
    """Return the trials that are pinned, and in which sections."""
    return page.eval_on_selector_all(
        ".pinned",
        "all => [[...new Set(all.map(one => one.dataset.trial))], all.map(one => one.closest('section')?.id)]",
    )


def test_what_one_points_at_is_named_with_its_numbers(page):
    """Dots, cells, lines and rows alike."""
    for mark in ("#settings-1 use", "#heat-1-1 td", "#times-1 path", "#restarts-1 path", "#luck-1 path"):
        page.locator(f"{mark}[data-trial]").first.scroll_into_view_if_needed()
        one = page.locator(f"{mark}[data-trial]").first
        trial = one.get_attribute("data-trial")
        one.dispatch_event("pointermove", {"clientX": 300, "clientY": 300})
        said = page.locator(".tip").inner_text()
        assert said == told(page)[trial][0]
        assert re.search(r": [\d,]+ of 30 starts solve it, [\d.]+\s%", said)
        page.locator("h1").dispatch_event("pointermove")
        assert not page.locator(".tip").is_visible()


def test_every_mark_of_a_trial_is_of_one_that_the_page_knows(page):
    """And each drawn group has a mark for each of its trials, or marks of only one."""
    known = told(page)
    drawn = page.eval_on_selector_all("[data-trial]", "all => all.map(one => one.dataset.trial)")
    assert len(drawn) > 100
    assert set(drawn) <= set(known) | set(page.eval_on_selector_all("tr", "all => all.map(one => one.dataset.trial)"))
    assert (
        page.eval_on_selector_all(
            "[data-trials]",
            """all => all.map(g => [g.dataset.trials.split(' ').length, g.querySelectorAll('[data-trial]').length])
                      .filter(([ids, marks]) => ids > 1 && ids !== marks)""",
        )
        == []
    )


def test_a_click_pins_a_trial_everywhere_and_another_unpins_it(page):
    """In every section that shows it; the explorer trains it, and the address has it."""
    cell = page.locator(CELL).nth(5)
    trial = cell.get_attribute("data-trial")
    cell.click()
    trials, sections = pinned(page)
    assert trials == [trial]
    assert {"rates-1", "times-1", "ledger-1"} <= set(sections)
    assert page.evaluate("location.hash").startswith(f"#t={trial}&seed=")
    assert page.locator(".explorer [data-x=trial]").input_value().startswith(trial)
    assert page.locator(".pin").inner_text().startswith(told(page)[trial][0])
    cell.click()
    assert pinned(page)[0] == []
    assert not page.locator(".pin").is_visible()
    assert page.evaluate("location.hash") == ""


def test_keys_pin_and_unpin(page):
    """The explorer's list pins what it trains; Escape and a button let go of it."""
    chosen = page.locator(".explorer [data-x=trial]")
    options = chosen.locator("option").all()
    for place, let_go in (
        (3, lambda: page.keyboard.press("Escape")),
        (4, lambda: page.locator(".pin button").press("Enter")),
    ):
        value = options[place].get_attribute("value")
        chosen.select_option(value)
        assert pinned(page)[0] == [value[:8]]
        let_go()
        assert pinned(page)[0] == []


def test_an_address_opens_the_page_with_its_trial_pinned(browser, address, page):
    """Whoever gets it sees what was seen; a trial that is not there changes nothing."""
    trial = page.locator(CELL).nth(2).get_attribute("data-trial")
    with opened(browser, f"{address('full')}#t={trial}&seed=3") as other:
        assert pinned(other)[0] == [trial]
        assert other.locator(".explorer [data-x=seed]").input_value() == "3"
    with opened(browser, f"{address('full')}#t=nobody") as other:
        assert pinned(other)[0] == []


def test_a_heatmap_that_is_redrawn_still_shows_what_is_pinned(page):
    """Over other axes."""
    page.locator(CELL).nth(1).click()
    down = page.locator("[data-heat='heat-1-1'] select").first
    down.select_option(index=1)
    assert page.locator(f"{CELL}.pinned").count() == 1
