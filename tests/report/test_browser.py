"""The page in a real browser: a grid whose report has every section, one of timings, and two searches."""

import csv
import io
import json
import re
from itertools import product
from urllib.parse import unquote

import pytest

from .chromium import MARKS, SCHEMES, WIDTHS, opened

PAGES = ("full", "timed", "searched", "unsolved")
QUICK = {  # each page once, the grid's at both widths and in both schemes: a page's parts are drawn as another's are
    *(("full", *view) for view in zip(WIDTHS, SCHEMES, strict=True)),
    ("timed", 390, "dark"),
    ("searched", 1600, "light"),
}
VIEWS = [
    pytest.param(*view, marks=() if view in QUICK else pytest.mark.slow) for view in product(PAGES, WIDTHS, SCHEMES)
]
WHAT_IS_NEW = {"searched": "header, #search-1", "unsolved": "header, #search-1"}  # the rest is as on other pages

pytestmark = MARKS


@pytest.fixture
def page(browser, address):
    """The page of the grid at its widest."""
    with opened(browser, address("full")) as shown:
        yield shown


def section_ids(page):
    return page.eval_on_selector_all("section", "all => all.map(one => one.id.replace(/-1$/, ''))")


def test_a_grid_fills_every_section_in_the_order_of_the_readers_questions(untouched):
    """From whether it learns to how to check it."""
    assert section_ids(untouched("full")) == [
        *("rates", "explorer", "times", "restarts", "curves", "attractors", "luck", "matters", "pairs", "backends"),
        *("claims", "ledger", "again"),
    ]


@pytest.mark.parametrize(("name", "width", "scheme"), VIEWS)
def test_the_page_opens_clean_and_accessible_at_every_width_and_scheme(browser, address, name, width, scheme):
    """No message, no request elsewhere, no sideways scrolling, and nothing serious that axe-core finds."""
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, address(name), width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page, WHAT_IS_NEW.get(name), options={"resultTypes": ["violations"]}).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        told = [(one["id"], [(node["target"], node["failureSummary"]) for node in one["nodes"][:3]]) for one in serious]
        assert told == []


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_page_has_its_target_and_ids_are_unique(untouched, name):
    """A finding leads to what shows it."""
    page = untouched(name)
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    links = page.eval_on_selector_all(
        "a[href^='#'], label[for]", "all => all.map(one => one.hash?.slice(1) || one.htmlFor)"
    )
    assert len(ids) == len(set(ids))
    assert len(links) >= 5
    assert set(links) <= set(ids)


@pytest.mark.parametrize("name", PAGES)
def test_every_reference_of_a_drawing_is_to_a_part_of_the_same_drawing(untouched, name):
    """Clip paths and glyphs keep to their own panel."""
    lost = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
        const names = [...svg.outerHTML.matchAll(/(?:href="#|url\\(["']?#)([^"')]*)/g)].map(found => found[1]);
        return names.filter(name => !svg.contains(document.getElementById(name)));
    })"""
    assert untouched(name).locator("svg").count() > 1
    assert untouched(name).evaluate(lost) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_download_is_a_table_with_a_heading_and_rows(untouched, name):
    """Whoever saves it has what the figure or table was made from."""
    links = untouched(name).eval_on_selector_all(
        "a[download]", "all => all.map(one => [one.download, one.getAttribute('href')])"
    )
    assert len(links) == len({file for file, _ in links}) > 3
    for file, uri in links:
        head, content = uri.split(",", 1)
        assert head == "data:text/csv;charset=utf-8"
        lines = list(csv.reader(io.StringIO(unquote(content))))
        assert file.endswith(".csv")
        assert len(lines) > 1
        assert {len(line) for line in lines} == {len(lines[0])}
        assert all(lines[0])


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_has_a_title_a_caption_and_words_for_who_cannot_see_it(untouched, name):
    """And no two figures below one heading have the same title."""
    told = """all => all.map(one => ({
        heading: [...one.closest('section, header').querySelectorAll('h1, h2, h3')].filter(
            heading => heading.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING
        ).at(-1).textContent,
        title: one.querySelector('figcaption .title').textContent,
        caption: one.querySelector('.how').textContent,
        alt: one.querySelector('[role=img], [role=region]').getAttribute('aria-label'),
    }))"""
    figures = untouched(name).eval_on_selector_all("figure", told)
    assert figures
    assert all(figure["title"] and figure["caption"] and figure["alt"] for figure in figures)
    assert len({(figure["heading"], figure["title"]) for figure in figures}) == len(figures)


# ------------------------------------------------------------------ what the page does


def unfold(page):
    """Open all that is folded, as a reader would one by one."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")


def values(page, table, place):
    """Return what a column of the rows that are shown is sorted by; None where there is nothing."""
    script = "(all, place) => all.filter(row => !row.hidden).map(row => row.cells[place].dataset.value)"
    found = page.eval_on_selector_all(f"#{table} tbody tr", script, place)
    return [float(value) if value else None for value in found]


def test_a_click_on_a_heading_sorts_numbers_up_then_down_with_the_missing_last(page):
    """Medians that were not reached stand last both ways."""
    unfold(page)
    button = page.locator("#times-table-1-1-table thead th", has_text="median").first
    place = page.locator("#times-table-1-1-table thead th").all_inner_texts().index(button.inner_text())
    for direction, downwards in (("ascending", False), ("descending", True)):
        button.locator("button").click()
        found = values(page, "times-table-1-1-table", place)
        there = [value for value in found if value is not None]
        assert button.get_attribute("aria-sort") == direction
        assert len(there) > 2
        assert None in found
        assert found == [*sorted(there, reverse=downwards), *[None] * (len(found) - len(there))]


def test_the_filter_hides_rows_and_tells_how_many_are_left(page):
    """Every word must be in the row."""
    unfold(page)
    page.locator("input[data-filters='ledger-1-table']").fill("xor cross-entropy")
    shown = [row for row in page.locator("#ledger-1-table tbody tr").all() if row.is_visible()]
    assert len(shown) == 4
    assert all("XOR" in row.inner_text() and "cross-entropy" in row.inner_text() for row in shown)
    assert (
        page.locator("p.controls", has=page.locator("input[data-filters='ledger-1-table']"))
        .locator("output")
        .inner_text()
        == "4 of 17"
    )


def heat_cells(page):
    return sorted(page.eval_on_selector_all("#heat-1-1 td[data-trial]", "all => all.map(one => one.dataset.trial)"))


def test_other_axes_redraw_the_heatmap_with_all_trials_still_there(page):
    """Each trial has one cell, whatever goes down and across."""
    before = heat_cells(page)
    down, across = page.locator("[data-heat='heat-1-1'] select").all()
    assert len(set(before)) == 16
    names = down.locator("option").all_inner_texts()
    for one in names:
        for other in names:
            down.select_option(one)
            across.select_option(other)
            assert heat_cells(page) == before
            assert down.input_value() != across.input_value() == other


def test_a_heatmap_redrawn_as_it_was_looks_as_it_did(page):
    """What the script draws is what the page came with."""
    shape = "all => all.map(one => [one.textContent, one.getAttribute('style'), one.dataset.trial])"
    before = page.eval_on_selector_all("#heat-1-1 td", shape)
    down, across = page.locator("[data-heat='heat-1-1'] select").all()
    first, second = down.input_value(), across.input_value()
    down.select_option(second)
    assert page.eval_on_selector_all("#heat-1-1 td", shape) != before
    down.select_option(first)
    assert page.eval_on_selector_all("#heat-1-1 td", shape) == before


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_colour_switch_overrules_the_readers_scheme(browser, address, scheme):
    """And goes back to it."""
    with opened(browser, address("full"), scheme=scheme) as page:
        paper = "getComputedStyle(document.body).backgroundColor"
        first = page.evaluate(paper)
        seen = {}
        for choice in (*SCHEMES, ""):
            page.locator("#theme").select_option(choice)
            seen[choice] = page.evaluate(paper)
        assert seen[""] == first == seen[scheme]
        assert seen["light"] != seen["dark"]


@pytest.mark.parametrize("choice", ["", "dark"])
def test_printing_shows_light_colours_and_no_controls(browser, address, choice):
    """Whatever the screen shows; ink is for what was found."""
    with opened(browser, address("full"), scheme="dark") as page:
        page.locator("#theme").select_option(choice)
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 254)"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 26, 26)"
        controls = page.locator("select, input, button[data-copy], .toc, .tool")
        assert controls.count() > 4
        assert controls.filter(visible=True).evaluate_all("all => all.map(one => one.outerHTML)") == []


def test_on_paper_are_the_figures_of_one_block_on_six_sides_at_most(browser, address):
    """No table, and nothing that one would have to click; the words say where those are."""
    with opened(browser, address("full")) as page:
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) <= 6
        page.emulate_media(media="print")
        assert page.locator(".on-paper").is_visible()
        assert not any(one.is_visible() for one in page.locator("details, [id^=explorer-], .blocks, .pin").all())
        assert page.locator("#times-1 svg").first.is_visible()


def test_the_contents_say_where_one_is(page):
    """The section that is read now, and no other."""
    for name in ("times-1", "matters-1"):
        page.evaluate(f"document.getElementById('{name}').scrollIntoView({{ behavior: 'instant' }})")
        page.locator(f".toc [aria-current][href='#{name}']").wait_for()
        assert page.locator(".toc [aria-current]").count() == 1


def test_a_command_is_copied_by_a_click(browser, address):
    """To the clipboard, whole."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(address("full"))
    unfold(page)
    button = page.locator("button[data-copy]").first
    button.click()
    assert page.evaluate("navigator.clipboard.readText()") == button.get_attribute("data-copy")
    context.close()


def test_the_page_tells_the_same_without_its_script(browser, address):
    """Every section, and no control that does nothing."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address("full"))
    assert page.locator("section").count() == 13
    assert page.locator("td[title]").count() >= 16
    controls = page.locator("[data-heat] select, #theme, button[data-copy]")
    assert controls.count() > 4
    assert controls.filter(visible=True).count() == 0
    context.close()


def test_the_heatmaps_script_is_plain_data(untouched):
    """One cell a trial, each at its value of every parameter."""
    data = json.loads(untouched("full").locator("#heat-1-1-data").text_content())
    assert len(data["cells"]) == 16
    for cell in data["cells"]:
        assert all(at in data["values"][name] for name, at in zip(data["names"], cell["at"], strict=True))


BLOCKS = """
[defaults]
iterations = 300
learning_rate = 5.0
seeds = "0:12"
[[grid]]
title = "XOR"
gate = "xor"
hidden = [2, 3]
loss = ["mse", "bce"]
[[grid]]
title = "OR"
gate = "or"
hidden = [0, 2]
"""


@pytest.fixture(scope="module")
def blocks(made):
    """The page of a sweep of two blocks."""
    return f"file://{made('blocks', 'sweep', 'blocks.toml', '-o', 'r.html', text=BLOCKS) / 'r.html'}"


def shown_blocks(page):
    return set(
        page.eval_on_selector_all("[data-block]", "all => all.filter(one => !one.hidden).map(one => one.dataset.block)")
    )


def test_one_block_is_shown_at_a_time_in_all_sections(browser, blocks):
    """By a tab that stays; arrows go from one to the next, as in any list of tabs."""
    with opened(browser, blocks) as page:
        tabs = page.get_by_role("tab")
        assert tabs.all_inner_texts() == ["XOR", "OR"]
        assert shown_blocks(page) == {"XOR"}
        tabs.nth(1).click()
        assert shown_blocks(page) == {"OR"}
        assert [tab.get_attribute("aria-selected") for tab in tabs.all()] == ["false", "true"]
        page.keyboard.press("ArrowRight")
        assert shown_blocks(page) == {"XOR"}
        tabs.nth(1).click()
        assert "Nothing of “OR” is shown here." in page.locator("#luck-1").inner_text()


def test_a_link_into_another_block_shows_that_block(browser, blocks):
    """What a finding leads to is there to be seen."""
    with opened(browser, blocks) as page:
        page.evaluate("location.hash = '#rates-2-1'")
        page.locator("[data-block=OR]:not([hidden])").first.wait_for(state="attached")
        assert shown_blocks(page) == {"OR"}


def test_without_its_script_all_blocks_are_shown(browser, blocks):
    """One after the other, each below its title."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(blocks)
    headings = page.locator("#rates-1 h3.study").all_inner_texts()
    assert headings == ["XOR", "OR"]
    assert all(part.is_visible() for part in page.locator("[data-block]").all())
    context.close()


def test_endings_are_shown_as_decision_surfaces_each_with_its_share(browser, blocks):
    """The solved first, of each block by itself."""
    with opened(browser, blocks) as page:
        titles = page.locator("#gallery-1-1 .panel p").all_inner_texts()
        assert titles[0].startswith("solved · ")
        assert len(titles) == page.locator("#gallery-1-1 .panel image").count() > 1
