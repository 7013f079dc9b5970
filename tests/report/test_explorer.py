"""The explorer: any start of any setting, trained in the page, beside what the sweep made of it."""

import re

import pytest

from bench.metrics import columns as c
from bench.report.explorer import MOST_STARTS, explorer

from .chromium import MARKS, opened

pytestmark = MARKS
BOX = "#explorer-1 .explorer"


@pytest.fixture(scope="module")
def page(browser, address):
    """The page of a grid, in a browser: each test chooses what is shown before it looks."""
    with opened(browser, address("full")) as shown:
        yield shown


def said(page):
    return page.locator(f"{BOX} [data-x=said]").inner_text()


def choose(page, setting, seed):
    page.locator(f"{BOX} [data-x=trial]").select_option(label=setting)
    page.locator(f"{BOX} [data-x=seed]").fill(str(seed))
    page.locator(f"{BOX} [data-x=seed]").dispatch_event("change")
    return said(page)


@pytest.mark.parametrize(
    "setting",
    ["OR · no hidden layer · squared error", "XOR · 2 neurons · cross-entropy", "XOR · 3 neurons · squared error"],
)
def test_every_listed_start_ends_as_in_the_sweep(page, setting):
    """Thirty of each setting: the same fate, at the same iteration, with the same loss."""
    for seed in range(0, 30, 3):
        words = choose(page, f"{setting}", seed)
        assert re.match(rf"Seed {seed}: .* iterations, as in the sweep\. Final loss .*, as there\.$", words), words


def test_a_network_that_it_cannot_train_has_a_sentence(page):
    """Of two hidden layers; there is no picture, and nothing to be played, until another is chosen."""
    assert "hidden layer" in choose(page, "XOR · 4-4 neurons · squared error", 0)
    shown = [page.locator(f"{BOX} {part}") for part in ("[data-x=slider]", ".stages", "[data-x=how]")]
    assert not any(one.is_visible() for one in shown)
    choose(page, "XOR · 3 neurons · squared error", 0)
    assert all(one.is_visible() for one in shown)


def test_a_start_that_the_sweep_never_trained_can_be_trained_too(page):
    """And what is no seed is refused in words."""
    assert choose(page, "XOR · 3 neurons · squared error", 123_456).startswith("Seed 123456: ")
    assert choose(page, "XOR · 3 neurons · squared error", -1).startswith("Seeds are whole numbers from 0")


def test_what_is_chosen_is_in_the_address_and_an_address_chooses(page, browser, address):
    """So that it can be sent to somebody."""
    choose(page, "XOR · 2 neurons · squared error", 7)
    chosen = page.evaluate("location.hash")
    assert re.fullmatch(r"#t=[0-9a-f]{8}&seed=7", chosen)
    with opened(browser, address("full") + chosen) as other:
        assert said(other).startswith("Seed 7: ")
        assert said(other) == said(page)


def test_squares_are_the_fates_and_arrows_go_from_one_to_the_next(page):
    """Each says what it is to who cannot see its colour."""
    choose(page, "XOR · 3 neurons · squared error", 0)
    squares = page.locator(f"{BOX} [data-x=starts] button")
    assert squares.count() == 30
    assert re.fullmatch("seed 0: (solved|stuck|slow)", squares.nth(0).get_attribute("aria-label"))
    squares.nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert said(page).startswith("Seed 1: ")
    assert page.evaluate("document.activeElement.getAttribute('aria-checked')") == "true"
    page.keyboard.press("ArrowLeft")
    assert said(page).startswith("Seed 0: ")


def test_one_that_solves_it_and_one_that_does_not_are_found(page):
    """From the start that is chosen on, around."""
    choose(page, "XOR · 2 neurons · squared error", 0)
    page.locator(f"{BOX} [data-x=unsolved]").click()
    assert "solved" not in said(page)
    page.locator(f"{BOX} [data-x=solved]").click()
    assert "solved after" in said(page)


def test_the_slider_shows_any_iteration(page):
    """At the beginning it is the start, before anything was learned."""
    choose(page, "XOR · 3 neurons · squared error", 0)
    at = page.locator(f"{BOX} [data-x=at]")
    assert at.inner_text().startswith("After 400 iterations, loss ")
    page.locator(f"{BOX} [data-x=slider]").fill("0")
    assert at.inner_text().startswith("After 0 iterations, loss ")
    predictions = page.locator(f"{BOX} [data-x=says] td:last-child").all_inner_texts()
    assert len(predictions) == 4
    assert len(set(predictions)) > 1


def test_without_its_script_the_explorer_says_what_it_needs(browser, address):
    """Nothing that does nothing is shown."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address("full"))
    assert not page.locator(BOX).is_visible()
    assert page.locator("#explorer-1").get_by_text("With JavaScript").is_visible()
    context.close()


def test_only_the_first_starts_are_listed(made_report, ended, trial):
    """However many there are; a trial that only a timing has is not among them."""
    some = ended(trial(), [[0.0, 1.0, 1.0, 0.0]] * (MOST_STARTS + 5), solved_at=7)
    alone = ended(trial(hidden=9), [[0.5] * 4] * 4, alone=True)
    (listed,) = explorer(made_report(some, alone).data)["data"]["trials"]
    assert listed["seeds"] == f"0:{MOST_STARTS}"
    assert listed["fates"] == "s" * MOST_STARTS
    assert listed["solvedAt"] == [7] * MOST_STARTS
    assert c.GATE not in listed["parameters"]


def test_of_nothing_that_was_trained_there_is_no_explorer(made_report, refused, trial):
    """Its section is left out."""
    assert explorer(made_report(refused(trial(), range(3))).data) is None
