"""Maps in a real browser: pixels are named, trained again from their very starts, and taken apart.

Shapes: T sampled pixels of a map, P weights of its network.
"""

import json
import re
import shlex

import numpy as np
import pytest

from bench import api
from bench.cli import zoom
from bench.model.outcome import NEVER, Result

from .chromium import MARKS, at, opened

pytestmark = MARKS
HOSTILE = "</script><img src=x onerror=alert(1)>"
FILE = """
[defaults]
gate = "xor"
hidden = 2
iterations = 300
[[map]]
activation = "tanh"
learning_rate = 2.0
dtype = "float64"
x = { toward = 1, low = -1.5, high = 2.5 }
y = { toward = 3, low = -1.5, high = 2.5 }
size = 48
pairs = 64
[[map]]
title = "HOSTILE"
gate = "GATE"
hidden = 3
x = { parameter = "learning_rate", low = 0.1, high = 300, log = true }
y = { parameter = "init_scale", low = 0.1, high = 20, log = true }
size = [48, 24]
pairs = 0
[[map]]
learning_rate = 8.0
dtype = "float64"
loss = "bce"
x = { weight = "hidden[0].input[1]", low = -5, high = 5 }
y = { direction = 7, low = -10, high = 10 }
size = 24
pairs = 0
[[map]]
learning_rate = 8.0
x = { parameter = "hidden", low = 1, high = 5 }
y = { direction = 7, low = 0.001, high = 0.004 }
size = 16
pairs = 0
[[map]]
hidden = "3-3"
x = { toward = 1, low = -1, high = 1 }
y = { parameter = "momentum", low = 0, high = 0.9 }
size = 16
pairs = 0
""".replace("HOSTILE", HOSTILE)
XOR = "observation,input1,input2,output\n1,0,0,0\n2,0,1,1\n3,1,0,1\n4,1,1,0\n"
NUMBER = r"[−\d.]+"


@pytest.fixture(scope="module")
def mapped(made, shared):
    """The folder of a sweep of small maps, one of them of a gate and with a title that are HTML."""
    gate = shared / "<img src=x onerror=alert(2)>.csv"
    gate.write_text(XOR)
    return made("mapped", "sweep", "mapped.toml", "-o", "r.html", text=FILE.replace("GATE", str(gate)))


@pytest.fixture(scope="module")
def link(mapped):
    """The address of its page."""
    return (mapped / "r.html").as_uri()


@pytest.fixture(scope="module")
def maps(mapped):
    """What the sweep itself says of its maps."""
    return api.load(tracking_uri=f"sqlite:///{mapped}/mlflow.db").maps


@pytest.fixture(scope="module")
def wide(browser, link):
    """The page on a wide screen, opened once: each test chooses what is shown before it looks."""
    with opened(browser, link) as page:
        yield page


def box(page, number=1):
    return page.locator("[data-map]").nth(number - 1)


def part(page, name, number=1):
    return box(page, number).locator(f"[data-m={name}]")


def painted(page, number=1):
    """Bring a map into sight, and wait until it is alive."""
    box(page, number).scroll_into_view_if_needed()
    box(page, number).locator(".map-stack.painted").wait_for()
    return box(page, number).locator(".map-over")


def in_sight(page, number=1):
    """Bring all pixels of a map into sight; that it was scrolled is said a frame later, which hides what was named."""
    over = painted(page, number)
    over.scroll_into_view_if_needed()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return over


def middle(over, one, column, row):
    """Return where on the screen a pixel is."""
    frame = over.bounding_box()
    return (
        frame["x"] + frame["width"] * (column + 0.5) / one.width,
        frame["y"] + frame["height"] * (1 - (row + 0.5) / one.height),
    )


def point(page, one, column, row, number=1):
    over = in_sight(page, number)
    page.mouse.move(*middle(over, one, column, row))
    part(page, "readout", number).get_by_text(f"pixel {column}, {row}", exact=False).wait_for()
    return part(page, "readout", number).inner_text()


def outcome(analysis, place):
    return str(list(Result)[int(analysis.points.outcome_M[place])])


def sampled(analysis, count):
    """Return some pixels of a map: their places, columns and rows."""
    places = np.random.default_rng(3).choice(analysis.map.pixels, count, replace=False)
    return [(int(place), int(place % analysis.map.width), int(place // analysis.map.width)) for place in places]


def found_in_page(page, number, pixels):
    """Return what the page makes of pixels: their parameters, their starts, and what became of them."""
    return json.loads(
        page.evaluate(
            """([number, pixels]) => {
                const box = document.querySelectorAll('[data-map]')[number - 1];
                const map = JSON.parse(box.querySelector('[data-map-data]').textContent);
                return JSON.stringify(pixels.map(([, column, row]) => {
                    const values = Maps.at(map, { column, row }), parameters = Maps.parametersAt(map, values);
                    if (Bench.supports(parameters, map.gate)) return null;
                    const start = Maps.start(map, parameters, values);
                    const { outcome, solvedAt } = Bench.record(parameters, map.gate, start);
                    return { parameters, start: Array.from(start), outcome, solvedAt };
                }));
            }""",
            [number, pixels],
        )
    )


# ------------------------------------------------------------------ the same trainings


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_pixel_starts_in_the_page_where_it_started_bit_for_bit_and_ends_alike(wide, maps, number):
    """In float64 always, in float32 but for a few; whatever the axes are."""
    analysis = maps[number - 1]
    pixels = sampled(analysis, 60)
    trials = {place: trial for trial, places in analysis.map.parts() for place in places}
    ends = []
    for (place, _, _), found in zip(pixels, found_in_page(wide, number, pixels), strict=True):
        batch = analysis.map.batch(trials[place], [place])
        np.testing.assert_array_equal(found["start"], batch.weights_TP[0])
        expected = {
            **trials[place].parameters,
            "learning_rate": batch.learning_rate_T[0],
            "momentum": batch.momentum_T[0],
        }
        assert found["parameters"] == {name: expected[name] for name in found["parameters"]}
        at = int(analysis.points.solved_at_M[place])
        ends.append((outcome(analysis, place), at, found["outcome"], found["solvedAt"]))
    there, at, here, at_here = (np.array(one) for one in zip(*ends, strict=True))
    assert len(set(there)) > 1
    if analysis.map.trial.dtype == "float64":
        assert (list(here), list(at_here)) == (list(there), list(at))
    else:
        assert np.mean((here == "solved") == (there == "solved")) >= 0.95
        assert np.mean(np.abs(at_here - at) <= 0.05 * at + 1) >= 0.9


# what a canvas or a picture shows, read by way of another canvas: the page says something if its own is read
SHOWN = """(one, { width, height }) => {
    const pen = Object.assign(document.createElement('canvas'), { width, height }).getContext(
        '2d', { willReadFrequently: true }
    );
    pen.drawImage(one, 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    return Array.from({ length: width * height }, (_, k) => data.slice(4 * k, 4 * k + 4).join());
}"""


def test_the_canvas_shows_the_pixels_of_the_picture(wide):
    """Exactly in its place."""
    for number in (1, 2):
        painted(wide, number)
        canvas, picture, apart = box(wide, number).evaluate(
            f"""async (box) => {{
                const shown = {SHOWN};
                const canvas = box.querySelector('canvas'), image = box.querySelector('image');
                const drawn = new Image();
                drawn.src = image.getAttribute('href');
                await drawn.decode();
                const [one, other] = [canvas, image].map((node) => node.getBoundingClientRect());
                const ends = ['left', 'top', 'right', 'bottom'].map((end) => Math.abs(one[end] - other[end]));
                return [shown(canvas, canvas), shown(drawn, canvas), Math.max(...ends)];
            }}"""
        )
        assert len(set(canvas)) > 10
        assert canvas == picture
        assert apart < 0.2


def test_layers_show_the_time_and_the_loss_with_a_scale(wide, maps):
    """Of time, what is not solved is grey."""
    painted(wide)
    assert not part(wide, "scale").is_visible()
    shown = f"(canvas) => ({SHOWN})(canvas, canvas)"
    seen = [box(wide).locator("canvas").first.evaluate(shown)]
    for name, words in (("time to solution", "Solved at iteration"), ("final loss", "Final loss")):
        part(wide, "layers").get_by_text(name, exact=True).click()
        assert words in part(wide, "scale").inner_text()
        seen.append(box(wide).locator("canvas").first.evaluate(shown))
    part(wide, "layers").get_by_text("fate", exact=True).click()
    assert seen[1].count("74,74,74,255") == np.sum(~maps[0].points.of(Result.SOLVED)[: maps[0].map.pixels])
    assert len({tuple(one) for one in seen}) == 3


# ------------------------------------------------------------------ pointing and clicking


def test_pointing_names_a_pixel_and_its_entry_of_the_legend(wide, maps):
    """What became of it, when, and where it is, in as many digits as tell pixels apart."""
    analysis = maps[0]
    for place, column, row in sampled(analysis, 5):
        words = point(wide, analysis.map, column, row)
        fate = analysis.fates[int(analysis.codes[place])]
        at = int(analysis.points.solved_at_M[place])
        assert (
            f"solved after {at:,} iterations" if fate.result == Result.SOLVED and at != NEVER else fate.words
        ) in words
        x, y = (float(value[0]) for value in analysis.map.coordinates([place]))
        where = re.search(rf"toward seed 1 ({NUMBER}) · toward seed 3 ({NUMBER}) · pixel {column}, {row}$", words)
        for said, value in zip(where.groups(), (x, y), strict=True):
            assert abs(float(said.replace("−", "-")) - value) < 4 / 48 / 2
        assert wide.locator(".tip:visible").count() == 1
        assert fate.words in box(wide).locator(".sum .on").inner_text()
    wide.mouse.move(2, 2)
    assert wide.locator(".tip:visible").count() == 0
    assert box(wide).locator(".sum .on").count() == 0


def test_a_click_trains_the_pixel_which_ends_as_in_the_map(wide, maps):
    """The panel shows it at any iteration, and the address has it."""
    analysis = maps[0]
    over = in_sight(wide)
    for place, column, row in sampled(analysis, 4):
        wide.mouse.click(*middle(over, analysis.map, column, row))
        at(wide, f"#map=1&px={column},{row}")
        assert part(wide, "said").inner_text().startswith(f"Trained here: {outcome(analysis, place)} after ")
        assert part(wide, "said").inner_text().endswith("iterations, as in the map.")
        assert part(wide, "stages").locator("[data-x=at]").inner_text().startswith("After 300 iterations, loss ")
    part(wide, "stages").locator("[data-x=slider]").fill("0")
    assert part(wide, "stages").locator("[data-x=at]").inner_text().startswith("After 0 iterations, loss ")


def test_a_training_that_ends_otherwise_here_is_said_to(wide, maps):
    """In float32 some do: the sums are others."""
    analysis = maps[1]
    pixels = [one for one in sampled(analysis, analysis.map.pixels) if outcome(analysis, one[0]) == "solved"]
    ends = found_in_page(wide, 2, pixels)
    other = next(
        (column, row)
        for (place, column, row), found in zip(pixels, ends, strict=True)
        if found["solvedAt"] != analysis.points.solved_at_M[place]
    )
    over = in_sight(wide, 2)
    wide.mouse.click(*middle(over, analysis.map, *other))
    at(wide, f"#map=2&px={other[0]},{other[1]}")
    assert re.search(
        r"^Trained here: .* iterations; in the map: solved after \d+ iterations", part(wide, "said", 2).inner_text()
    )


def test_what_the_page_cannot_train_is_said_when_it_is_asked_for(wide, maps):
    """Of two hidden layers: pixels are named all the same."""
    assert "toward seed 1 0.0" in point(wide, maps[4].map, 8, 3, number=5)
    assert not part(wide, "opened", 5).is_visible()
    wide.mouse.click(*middle(in_sight(wide, 5), maps[4].map, 8, 3))
    part(wide, "said", 5).wait_for()
    assert "hidden layer" in part(wide, "said", 5).inner_text()
    assert not part(wide, "stages", 5).is_visible()


def dragged(page, one, start, end, number=1):
    """Drag from one pixel to another; return the command that is shown."""
    over = in_sight(page, number)
    page.mouse.move(*middle(over, one, *start))
    page.mouse.down()
    page.mouse.move(*middle(over, one, *end), steps=3)
    page.mouse.up()
    return part(page, "command", number).inner_text()


@pytest.mark.parametrize("number", [1, 2, 4])
def test_dragging_shows_the_command_that_computes_it_finer(wide, maps, number):
    """From the edge of the first pixel to that of the last, within a hundredth of a pixel; whole numbers stay whole."""
    one = maps[number - 1].map
    before = wide.evaluate("location.hash")
    command = dragged(wide, one, (3, 2), (11, 7), number)
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "bench", "zoom"]
    assert words[5:7] == ["--map", str(number)]
    options = zoom.make_parser(zoom.make_context("zoom", words[4:], resilient_parsing=True)).parse_args(words[4:])[0]
    for name, axis, size, (first, last) in (("x", one.x, one.width, (3, 12)), ("y", one.y, one.height, (2, 8))):
        low, high = (float(end) for end in options[name].split(":"))
        if axis.is_whole:
            assert (low, high) == (1, 4)
            continue
        assert [abs(axis.share(low) * size - first) < 0.02, abs(axis.share(high) * size - last) < 0.02] == [True, True]
    assert part(wide, "zoom", number).locator("[data-copy]").get_attribute("data-copy") == command
    assert wide.evaluate("location.hash") == before
    wide.keyboard.press("Escape")
    assert not part(wide, "zoom", number).is_visible()
    assert not box(wide, number).locator(".taken").is_visible()


# ------------------------------------------------------------------ keys and addresses


def test_keys_go_from_pixel_to_pixel_and_train_one(wide, maps):
    """Arrows by one, with Shift by ten, to the border and no farther; Enter trains, Z takes what is around."""
    wide.mouse.click(*middle(in_sight(wide), maps[0].map, 20, 30))
    wide.mouse.move(2, 2)
    readout = part(wide, "readout")
    for key, place in (
        ("ArrowRight", "21, 30"),
        ("ArrowUp", "21, 31"),
        ("Shift+ArrowLeft", "11, 31"),
        ("Shift+ArrowUp", "11, 41"),
        ("Shift+ArrowUp", "11, 47"),
        ("ArrowDown", "11, 46"),
    ):
        wide.keyboard.press(key)
        readout.get_by_text(f"pixel {place}").wait_for()
        assert box(wide).locator(".across").is_visible()
    wide.keyboard.press("Enter")
    at(wide, "#map=1&px=11,46")
    wide.keyboard.press("z")
    assert part(wide, "command").inner_text().startswith("python -m bench zoom ")
    wide.keyboard.press("Escape")
    assert readout.get_attribute("aria-live") == "polite"


def test_an_address_opens_its_pixel(browser, link):
    """In sight; an address of no pixel changes nothing."""
    with opened(browser, f"{link}#map=3&px=5,9") as page:
        part(page, "said", 3).get_by_text("as in the map").wait_for()
        assert "pixel 5, 9" in part(page, "readout", 3).inner_text()
        assert part(page, "said", 3).is_visible()
        assert 0 <= page.locator("[data-map]").nth(2).bounding_box()["y"] < 450
        said = part(page, "said", 3).inner_text()
        for wrong in ("#map=9&px=1,1", "#map=3&px=99,1", "#map=3&px=x", "#map=3&px=-1,2"):
            page.goto(f"{link}{wrong}")
            assert part(page, "said", 3).inner_text() == said
        page.goto(f"{link}#map=3&px=6,10")
        part(page, "readout", 3).get_by_text("pixel 6, 10").wait_for()


# ------------------------------------------------------------------ everywhere


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1024, "light")])
def test_maps_are_accessible_and_fit_the_screen(browser, link, width, scheme):
    """Nothing serious that axe-core finds, and no sideways scrolling, with a pixel opened and a part taken."""
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, f"{link}#map=1&px=5,9", width, scheme) as page:
        part(page, "said").get_by_text("as in the map").wait_for()
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        part(page, "around").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page, "#map-1-1", options={"resultTypes": ["violations"]}).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["target"] for node in one["nodes"][:3]]) for one in serious] == []


def test_on_a_telephone_a_tap_trains_a_pixel(browser, link, maps):
    """In one column, the training below the map."""
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(link)
    over = in_sight(page)
    page.touchscreen.tap(*middle(over, maps[0].map, 30, 40))
    at(page, "#map=1&px=30,40")
    part(page, "said").get_by_text("as in the map").wait_for()
    assert "pixel 30, 40" in part(page, "readout").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert part(page, "opened").bounding_box()["y"] > over.bounding_box()["y"] + over.bounding_box()["height"]
    context.close()


def test_without_its_script_the_picture_stands_alone(browser, link):
    """Nothing that does nothing is shown."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(link)
    assert box(page).locator("svg image").first.is_visible()
    assert page.locator("[data-m]:visible").count() == 0
    context.close()


def test_on_paper_is_the_picture_without_controls(wide):
    """As it is without JavaScript."""
    painted(wide)
    wide.emulate_media(media="print")
    assert box(wide).locator(".map-stack image").is_visible()
    assert wide.locator("[data-m]:visible, .map-over:visible, .map-stack canvas:visible").count() == 0
    wide.emulate_media(media="screen")


def test_titles_and_gates_that_are_html_stay_text(wide, maps):
    """In the heading, in what is read out, and in the names of what one can point at."""
    assert box(wide, 2).locator(".map-main .title").inner_text() == HOSTILE
    assert HOSTILE in painted(wide, 2).get_attribute("aria-label")
    assert "<img src=x onerror=alert(2)>" in box(wide, 2).inner_text()
    assert wide.locator("img").count() == 0
