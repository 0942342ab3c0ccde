"""The page of `explore`, driven in a real browser, on real runs of the digits and on as much as it must bear."""

from __future__ import annotations

import base64
import json
import re
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lossbench.__main__ import main
from lossbench.errors import RunError, UsageError
from lossbench.records import Snapshots
from lossbench.reports.explorer.data import _Moment, _target_angles, run_data, run_labels
from lossbench.reports.explorer.page import _plane, explore, page
from lossbench.runs.store import Store
from lossbench.runs.stored_run import StoredRun
from lossbench.training.process import Placement
from lossbench.training.train import train

from ..figures.views import View, directions, embedding, snapshots
from ..helpers.pages import ROOT
from ..helpers.runs import Recorder, small
from .conftest import CHROMIUM

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium to drive the page")
SCREEN = """(i) => {
    const frame = Bokeh.index.find_one_by_id(plane.id).frame;
    const box = document.getElementById("plane").getBoundingClientRect();
    return [box.x + frame.x_scale.compute(x(i)), box.y + frame.y_scale.compute(y(i))];
}"""


def pictures(count, random):
    """Digits of 28 x 28 with uneven ink, so that they are no easier to store than MNIST's."""
    digits = load_digits().images[random.randint(0, 1797, count)]
    place = np.arange(28) * 8 // 28
    grey = 15 * digits[:, place][:, :, place] * random.uniform(0.6, 1, (count, 28, 28))
    return grey.astype(np.uint8)


def heavy(seed, images):
    """A run with 10,000 images at 20 moments and at the end."""
    random, count, moments = np.random.RandomState(seed), 10_000, 20
    part = embedding(count, noise=0.5, seed=seed)
    growth = np.geomspace(0.01, 1, moments)[:, None, None]
    features = (growth * part.features + 0.05 * random.randn(moments, count, 2)).astype(np.float32)
    taken = Snapshots(
        epochs=np.geomspace(0.01, 6, moments),
        places=np.arange(count),
        labels=part.labels,
        features=features,
        scores=(features @ directions().T).astype(np.float32),
        directions={"weight": np.repeat(directions()[None], moments, axis=0)},
    )
    return View(
        name=f"center-{seed:010}",
        seed=seed,
        numbers={"test_accuracy": 0.95, "ece": 0.01},
        splits={"train": embedding(400), "test": part},
        snapshots=taken,
        pictures=images,
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Center with snapshots; softmax with snapshots and two unseen digits; a loss on pairs without any."""
    folder = tmp_path_factory.mktemp("explored")
    runs = []
    for loss, moments, options in (
        ("center", 5, {}),
        ("softmax", 3, {"unseen": "8,9"}),
        ("triplet", 0, {"epochs": 1}),
    ):
        config = small(loss, **{"epochs": 2, **options})
        train(
            config,
            Store(folder),
            placement=Placement("cpu", None, 1, snapshots=moments),
            observer=Recorder(),
            stop=lambda: False,
        )
        runs.append(StoredRun(Store(folder).run(config)))
    return runs


@pytest.fixture(scope="module")
def written(stored, tmp_path_factory):
    return explore(stored, tmp_path_factory.mktemp("page") / "explore.html")


class Opened:
    """A page in a tab of the browser with everything it asked for and complained about."""

    def __init__(self, browser):
        self.page = browser.new_page()
        self.requests, self.complaints = [], []
        self.page.route("**/*", lambda route: (self.requests.append(route.request.url), route.continue_()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: message.type == "error" and self.complaints.append(message.text),
        )

    def open(self, path):
        """Show this page as it is at first, whatever the tab showed before."""
        self.requests.clear()
        self.complaints.clear()
        self.page.set_viewport_size({"width": 1280, "height": 800})
        self.page.emulate_media(color_scheme="light")
        self.page.mouse.move(0, 0)
        self.address = path.as_uri()
        self.page.goto(self.address)
        self.page.wait_for_selector("body[data-ready]")

    def ask(self, script, argument=None):
        return self.page.evaluate(script, argument)

    def until(self, condition):
        """Wait for it here: the page's policy lets nobody evaluate text inside it."""
        last = time.monotonic() + 10
        while not self.ask(condition):
            assert time.monotonic() < last, condition
            time.sleep(0.02)

    def choose(self, number):
        self.page.select_option("#run", str(number))
        self.until(f"now.run === data.runs[{number}]")

    def go(self, moment):
        self.page.locator("#moment").fill(str(moment))

    def shown(self):
        return int(self.page.inner_text("#shown").split(" of ")[0].replace(",", ""))

    def drawn(self, name="points"):
        found = self.ask(f"[...source('{name}').data.x].map((x, i) => [x, source('{name}').data.y[i]])")
        return np.array(found).reshape(-1, 2)


@pytest.fixture(scope="module")
def tab(browser):
    """One for all pages: a new one compiles the script again, which takes a second."""
    found = Opened(browser)
    yield found
    found.page.close()


@pytest.fixture
def opened(tab, written):
    tab.open(written)
    yield tab
    assert set(tab.requests) == {tab.address}, "nothing leaves the page"
    assert not tab.complaints


@in_browser
def test_the_points_are_the_features_at_every_moment(opened, stored):
    center, softmax, triplet = stored
    part = center.splits["test"]
    np.testing.assert_allclose(opened.drawn(), part.features, atol=np.abs(part.features).max() / 30000)
    taken = center.snapshots
    reach = max(np.abs(part.features).max(), np.abs(taken.features).max())
    skipped = 6 - opened.ask("now.run.epochs.length")
    for moment in (0, 4 - skipped):
        opened.go(moment)
        np.testing.assert_allclose(opened.drawn(), taken.features[moment + skipped], atol=reach / 32767)
        assert opened.page.get_attribute("#moment", "aria-valuetext").startswith("epoch ")
        np.testing.assert_allclose(
            opened.drawn("centers"), taken.directions["centers"][moment + skipped], rtol=1e-4, atol=1e-6
        )
    opened.choose(2)
    assert opened.page.is_disabled("#moment")
    test = triplet.splits["test"].features
    np.testing.assert_allclose(opened.drawn(), test, atol=np.abs(test).max() / 30000)


@in_browser
def test_play_runs_to_the_end(opened):
    opened.page.click("#play")
    assert opened.ask("now.moment") == 0
    opened.until("now.moment > 0")
    assert opened.page.get_attribute("#play", "aria-label") == "Pause"
    opened.go(opened.ask("now.run.epochs.length") - 2)
    opened.until("atEnd()")
    assert opened.page.get_attribute("#play", "aria-label") == "Play the training"


@in_browser
@pytest.mark.parametrize("number", [0, 1, 2])  # two clicks on one page may be a double one
def test_the_pointer_shows_the_right_image_and_a_click_pins_it(opened, stored, number):
    opened.choose(number)
    run, part = stored[number], stored[number].splits["test"]
    distances = np.linalg.norm(part.features[:, None] - part.features[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    lonely = int(
        np.where(np.abs(part.features).max(1) < opened.ask("now.run.limit"), distances.min(1), 0).argmax()
    )
    opened.page.mouse.move(*opened.ask(SCREEN, lonely))
    card = opened.page.locator("#tip")
    card.wait_for()
    said = dict(re.findall(r"(\w+)\n([^\n]+)", card.inner_text()))
    assert said["image"] == str(lonely)
    assert said["true"] == run.class_names[part.labels[lonely]]
    assert said["predicted"] == run.class_names[part.predictions[lonely]]
    scores = run.scores(part.features[lonely : lonely + 1])[0].astype(float)
    if number == 2:
        assert float(said["score"]) == pytest.approx(scores.max(), rel=0.01)
        assert "confidence" not in said
    else:
        sure = 100 / np.exp(scores - scores.max()).sum()
        assert float(said["confidence"].rstrip(" %")) == pytest.approx(sure, abs=0.06)
    place = card.locator(".tile").evaluate("(tile) => tile.style.backgroundPosition")
    assert place == f"{-84 * (lonely % 100)}px {-84 * (lonely // 100)}px"
    opened.page.mouse.click(*opened.ask(SCREEN, lonely))
    assert opened.ask("now.pinned") == lonely
    np.testing.assert_allclose(opened.drawn("pinned")[0], opened.drawn()[lonely])
    opened.page.keyboard.press("Escape")
    assert len(opened.drawn("pinned")) == 0


@in_browser
def test_the_sprite_holds_every_image_in_its_place(opened, stored):
    images = stored[0].images("test")
    tiles = opened.ask(
        """async () => {
            const { uri, columns, width, height } = data.sprites[0];
            const image = new Image();
            image.src = uri;
            await image.decode();
            const canvas = Object.assign(document.createElement("canvas"), { width, height });
            const pen = canvas.getContext("2d", { willReadFrequently: true });
            return [0, 1, 99, 100, 359].map((k) => {
                pen.drawImage(image, -width * (k % columns), -height * Math.floor(k / columns));
                return [...pen.getImageData(0, 0, width, height).data].filter((_, i) => i % 4 === 0);
            });
        }"""
    )
    for number, tile in zip([0, 1, 99, 100, 359], tiles, strict=True):
        difference = np.array(tile) - images[number].astype(int).ravel()
        assert np.abs(difference).max() <= 16, "sixteen greys"


@in_browser
def test_a_pinned_image_stays_while_the_moment_moves(opened, stored):
    taken = stored[0].snapshots
    image = int(taken.places[7])
    opened.page.fill("#image", str(image))
    opened.page.keyboard.press("Tab")
    skipped = 6 - opened.ask("now.run.epochs.length")
    for moment in (skipped, 4, 5):
        opened.go(moment - skipped)
        features = stored[0].splits["test"].features[image] if moment == 5 else taken.features[moment][7]
        np.testing.assert_allclose(opened.drawn("pinned")[0], features, atol=0.01)
        assert f"image\n{image}" in opened.page.inner_text("#card")


@in_browser
def test_a_moment_may_lack_the_pinned_image(tab, tmp_path):
    """Snapshots are of some images: here every third one."""
    taken = snapshots(3)
    run = View(snapshots=taken, pictures=np.zeros((200, 8, 8), np.uint8))
    opened = tab
    opened.open(explore([run], tmp_path / "some.html"))
    opened.go(1)
    for image, kept in ((21, True), (22, False)):
        opened.page.fill("#image", str(image))
        opened.page.keyboard.press("Tab")
        assert len(opened.drawn("pinned")) == kept
        assert ("not kept" in opened.page.inner_text("#card")) is not kept
        if kept:
            np.testing.assert_allclose(opened.drawn("pinned")[0], taken.features[1][7], atol=1e-3)
    opened.go(0)
    opened.page.focus("#plane")
    opened.page.keyboard.press("0")
    assert opened.ask("plane.y_range.end") == pytest.approx(opened.ask("now.run.limit")), "all in one point"
    opened.go(1)
    opened.page.keyboard.press("Tab")
    opened.page.focus("#plane")
    opened.page.keyboard.press("0")
    assert opened.ask("plane.y_range.end") == pytest.approx(1.1 * np.abs(taken.features[1]).max(), rel=1e-3)


def growing(moments=6, still=3, **parts):
    """A run whose features stay at the origin for so many moments."""
    taken = snapshots(moments)
    growth = np.r_[np.full(still, 1e-3), np.linspace(0.5, 1, moments - still)][:, None, None]
    features = (growth * embedding(60).features).astype(np.float32)
    scores = taken.scores.copy()
    scores[-2, :15] *= -1
    moved = taken._replace(features=features, scores=scores)
    return View(snapshots=moved, pictures=np.zeros((200, 8, 8), np.uint8), **parts)


@in_browser
def test_header_and_metrics_are_those_of_the_moment(tab, tmp_path):
    """The first moment is the one where features leave the origin."""
    run, opened = growing(), tab
    opened.open(explore([run], tmp_path / "growing.html"))
    assert opened.ask("now.run.epochs") == [2, 3, 4, 5, 5]

    def said():
        cells = opened.page.locator("#numbers tr").all_inner_texts()
        return opened.page.inner_text("#caption"), dict(cell.split("\t") for cell in cells)

    caption, numbers = said()
    assert caption == "99.00 % test, seed 0"
    assert numbers == {"test accuracy (%)": "99.00", "1-NN accuracy (%)": "98.50", "spread/gap": "0.200"}
    opened.go(2)
    caption, numbers = said()
    assert caption == "epoch 4 of 5 · 75.00 % of 60 images right"
    assert (numbers["test accuracy (%)"], numbers["1-NN accuracy (%)"]) == ("75.00", "–")
    assert 0 < float(numbers["spread/gap"]) != 0.2
    assert opened.page.inner_text("#measured") == "epoch 4 of 5, of 60 images"
    opened.go(0)
    np.testing.assert_allclose(opened.drawn(), run.snapshots.features[2], atol=1e-3)


@in_browser
def test_two_runs_side_by_side_share_moment_filters_and_pins(opened, stored):
    assert opened.page.locator("#plane2").is_hidden()
    opened.page.select_option("#beside", "2")
    opened.until("panes[1].run === data.runs[2] && panes[1].plot.inner_width > 200")
    beside = "inside(panes[1], () => [...source('{}').data.x].map((x, i) => [x, source('{}').data.y[i]]))"
    test = stored[2].splits["test"]
    drawn = np.array(opened.ask(beside.format("points", "points")))
    np.testing.assert_allclose(drawn, test.features, atol=np.abs(test.features).max() / 30000)
    opened.page.fill("#image", "21")
    opened.page.keyboard.press("Tab")
    np.testing.assert_allclose(opened.drawn("pinned"), stored[0].splits["test"].features[[21]], atol=0.01)
    np.testing.assert_allclose(opened.ask(beside.format("pinned", "pinned")), test.features[[21]], atol=0.01)
    card = opened.page.inner_text("#card")
    assert card.count("image\n21") == 2 and "Triplet" in card and "Center" in card
    lonely = opened.ask(
        "inside(panes[1], () => now.shown.findIndex((i) => Math.abs(x(i)) > 0.3 * now.run.limit))"
    )
    screen = SCREEN.replace("plane.id", "panes[1].plot.id").replace('"plane"', '"plane2"')
    place = opened.ask(f"(i) => inside(panes[1], () => ({screen})(i))", lonely)
    opened.page.mouse.move(*place)
    assert opened.page.locator("#plane2 #tip").is_visible()
    opened.page.mouse.click(*place)
    assert opened.ask("now.pinned") == opened.ask("panes[1].pinned") is not None
    assert len(opened.drawn("pinned")) == len(opened.ask(beside.format("pinned", "pinned"))) == 1
    opened.page.locator("#classes input").nth(3).uncheck()
    assert len(opened.ask(beside.format("points", "points"))) == (test.labels != 3).sum()
    wide = opened.ask("[panes[0], panes[1]].map(({ plot }) => plot.x_range.end / plot.y_range.end)")
    assert wide == pytest.approx([opened.ask("plane.inner_width / plane.inner_height")] * 2, rel=0.05)
    opened.page.select_option("#beside", "")
    opened.until("panes[1].run === null")
    assert opened.page.locator("#plane2").is_hidden()


@in_browser
def test_a_telephone_shows_one_column_without_sideways_scrolling(opened):
    """Also with two runs."""
    opened.page.set_viewport_size({"width": 400, "height": 800})
    for beside, panes in (("", ["plane"]), ("2", ["plane", "panes[1].plot"])):
        opened.page.select_option("#beside", beside)
        for pane in panes:
            opened.until(f"{pane}.outer_width > 340 && {pane}.outer_width < 400 && {pane}.inner_height > 200")
        assert opened.ask("document.documentElement.scrollWidth") == 400
        assert opened.page.locator("#plane").bounding_box()["y"] < 300
        edges = opened.page.locator("select, #plane, #time, #confusion, #numbers").evaluate_all(
            "(all) => all.map((e) => e.getBoundingClientRect()).map((box) => [box.left, box.right])"
        )
        assert all(left >= 0 and right <= 400 for left, right in edges)


@in_browser
def test_filters_matrix_and_bars_count_right(opened, stored):
    part = stored[0].splits["test"]
    wrong = part.labels != part.predictions
    assert opened.shown() == len(part.labels)
    opened.page.check("#wrong")
    assert opened.shown() == len(opened.drawn()) == wrong.sum() > 0
    opened.page.uncheck("#wrong")
    opened.page.locator("#classes input").nth(3).uncheck()
    assert opened.shown() == (part.labels != 3).sum()
    opened.page.click("#none")
    assert opened.shown() == 0
    opened.page.click("#every")
    own, said = part.labels[wrong][0], part.predictions[wrong][0]
    alike = (part.labels == own) & (part.predictions == said)
    cell = opened.page.locator(f"#confusion [data-cell='{own},{said}']")
    assert cell.inner_text() == str(alike.sum())
    cell.click()
    assert opened.shown() == alike.sum()
    np.testing.assert_allclose(opened.drawn(), part.features[alike], atol=0.01)
    assert cell.get_attribute("aria-pressed") == "true"
    cell.click()
    assert opened.shown() == len(part.labels)
    weight = stored[0].weight[part.labels]
    cosine = (
        (weight * part.features).sum(1)
        / np.linalg.norm(weight, axis=1)
        / np.linalg.norm(part.features, axis=1)
    )
    expected = np.bincount((np.degrees(np.arccos(np.clip(cosine, -1, 1))) // 2).astype(int), minlength=90)
    bars = opened.ask(
        "(({left, bottom, top}) => [left, bottom, top])(histogram.document.get_model_by_name('bars').data)"
    )
    heights = np.bincount((np.array(bars[0]) // 2).astype(int), np.subtract(bars[2], bars[1]), minlength=90)
    np.testing.assert_allclose(heights, expected)


@in_browser
def test_unseen_classes_are_shapes_that_can_be_hidden(opened, stored):
    assert opened.page.is_disabled("#unseen_classes")
    opened.choose(1)
    run = stored[1]
    assert len(opened.drawn("unseen")) == len(run.splits["unseen"].labels)
    assert set(opened.ask("source('unseen').data.shape")) == {"square", "triangle"}
    everything = opened.shown()
    opened.page.uncheck("#unseen_classes")
    assert opened.shown() == everything - len(run.splits["unseen"].labels)
    assert len(opened.drawn("unseen")) == 0


@in_browser
def test_layers_come_and_go_and_regions_are_the_predictions(opened, stored):
    assert not opened.ask("layer('areas').visible")
    for name in ("areas", "weights", "centers", "names"):
        box = opened.page.locator(f"[data-layer={name}]")
        before = opened.ask(f"layer('{name}').visible")
        box.click()
        assert opened.ask(f"layer('{name}').visible") is not before
    side, reach = opened.ask("[now.run.grid, now.run.reach]")
    part = stored[0].splits["test"]
    columns, rows = (((part.features / reach + 1) / 2 * side).astype(int)).T
    inside = (np.abs(part.features) < reach).all(1)
    cells = (rows * side + columns)[inside].tolist()
    found = opened.ask("(cells) => cells.map((cell) => source('areas').data.image[0][cell])", cells)
    assert (np.array(found) == part.predictions[inside]).mean() > 0.98
    assert opened.ask("source('areas').data.image[0].shape") == [side, side]


@in_browser
def test_the_theme_follows_the_system_until_one_is_chosen(opened):
    behind = "getComputedStyle(document.body).backgroundColor"
    opened.page.emulate_media(color_scheme="dark")
    opened.until(f"{behind} === 'rgb(20, 22, 26)'")
    assert opened.ask("plane.background_fill_color") == "#14161a"
    opened.page.select_option("#theme", "light")
    assert opened.ask(behind) == "rgb(255, 255, 255)"
    assert opened.ask("plane.background_fill_color") == "#fff"


@in_browser
def test_the_keyboard_reaches_everything_and_everything_has_a_name(opened, stored):
    expected = opened.ask(
        """[...document.querySelectorAll("button, input, select, [tabindex]")]
            .filter((e) => !e.disabled && e.tabIndex >= 0).map((e, k) => (e.dataset.stop = k))"""
    )
    reached = []
    for _ in expected:
        opened.page.keyboard.press("Tab")
        reached.append(opened.ask("Number(document.activeElement.dataset.stop)"))
        assert opened.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert opened.ask(
            "((e) => e.ariaLabel || e.labels?.[0]?.textContent.trim() || e.textContent.trim())(document.activeElement)"
        )
    assert reached == expected
    opened.page.keyboard.press("ArrowDown")
    part = stored[0].splits["test"]
    opened.page.keyboard.press("ArrowRight")
    opened.page.keyboard.press("Enter")
    assert opened.shown() == ((part.labels == 1) & (part.predictions == 1)).sum()
    opened.page.keyboard.press("Enter")
    opened.page.focus("#plane")
    start, end = opened.ask("[plane.x_range.start, plane.x_range.end]")
    opened.page.keyboard.press("ArrowRight")
    assert opened.ask("plane.x_range.start") > start
    opened.page.keyboard.press("+")
    assert opened.ask("plane.x_range.end - plane.x_range.start") == pytest.approx(0.8 * (end - start))
    opened.page.keyboard.press("0")
    assert opened.ask("plane.x_range.start") == pytest.approx(start)


@in_browser
def test_the_plot_is_large_and_nothing_is_cut_off(opened):
    for width, height in ((1280, 800), (1600, 1000)):
        opened.page.set_viewport_size({"width": width, "height": height})
        opened.until(f"plane.outer_height > 0.8 * {height} && plane.outer_width > 0.55 * {width}")
        opened.until("Math.abs(plane.y_range.end - now.run.limit) < 1e-9")  # it follows, and fits again
        assert opened.ask("document.documentElement.scrollWidth") == width
        assert opened.ask("document.documentElement.scrollHeight") == height
        box = opened.page.locator("#plane").bounding_box()
        assert box["width"] * box["height"] > 0.45 * width * height
        wide = opened.ask("(plane.x_range.end - plane.x_range.start) / plane.inner_width")
        assert opened.ask("(plane.y_range.end - plane.y_range.start) / plane.inner_height") == pytest.approx(
            wide
        )
        assert opened.page.locator("#confusion button").evaluate_all(
            "(all) => all.every((e) => e.scrollWidth <= e.clientWidth)"
        )


@in_browser
@pytest.mark.slow
def test_six_runs_of_ten_thousand_images_at_twenty_moments(browser, tmp_path, capsys):
    images = pictures(10_000, np.random.RandomState(0))
    path = explore([heavy(seed, images) for seed in range(6)], tmp_path / "heavy.html")
    size = path.stat().st_size / 1e6
    tab = browser.new_page()
    session = browser.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})  # work, not waiting for other programs

    def work():
        found = session.send("Performance.getMetrics")["metrics"]
        return next(entry["value"] for entry in found if entry["name"] == "TaskDuration")

    tab.goto(path.as_uri())
    tab.wait_for_selector("body[data-ready]")
    ready, worked = float(tab.get_attribute("body", "data-ready")) / 1000, work()
    tab.evaluate(
        "() => { window.at = []; (function tick(t) { at.push(t); requestAnimationFrame(tick); })(0); }"
    )
    box = tab.locator("#plane").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    rates, frames, before = {}, 0, work()
    for way in ("drag", "wheel"):
        tab.evaluate("() => { at.length = 0; }")
        if way == "drag":
            tab.mouse.down()
        until = time.monotonic() + 2
        while time.monotonic() < until:
            step = int(1000 * (until - time.monotonic()))
            if way == "drag":
                tab.mouse.move(x + step % 200, y + step % 130)
            else:
                tab.mouse.wheel(0, 40 if step > 1000 else -40)
        if way == "drag":
            tab.mouse.up()
        count, spent = tab.evaluate("[at.length - 1, (at.at(-1) - at[0]) / 1000]")
        rates[way], frames = count / spent, frames + count
    frame = 1000 * (work() - before) / frames
    tab.close()
    with capsys.disabled():
        print(
            f"\nexplore, 6 x 10,000 x 20: {size:.1f} MB; first picture after {ready:.2f} s ({worked:.2f} s of work); "
            f"{rates['drag']:.0f} frames/s dragging, {rates['wheel']:.0f} zooming ({frame:.0f} ms of work a frame)"
        )
    assert size < 15
    # the goal is 3 s and 33 ms; twice that, because a processor that others slow down counts their time as work
    assert worked < 6
    assert frame < 1000 / 15


def test_what_a_user_typed_stays_text():
    nasty = "</script><script>alert(1)</script><!--"
    run = View(title=nasty, subtitle=nasty, pictures=np.zeros((200, 8, 8), np.uint8))
    html = page([run])
    assert nasty not in html
    assert html.count("alert(1)") == 3, "the page's title, escaped; group and label as JSON"
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])
    assert data["runs"][0]["group"] == nasty


def test_the_script_finds_what_it_reads():
    html = page([View(pictures=np.zeros((200, 8, 8), np.uint8))])
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])
    script = (ROOT / "lossbench" / "reports" / "explorer" / "page.js").read_text(encoding="utf-8")
    own = set(re.findall(r"\brun\.(\w+) = ", script)) | {"arrays", "points"}  # of the script itself
    for name, has in (("data", data), ("run", data["runs"][0]), ("sprite", data["sprites"][0])):
        assert set(re.findall(rf"\b{name}\.(\w+)", script)) - own <= set(has), name
    assert data["cell"] == 2 and data["sprites"][0]["columns"] == 100


def test_a_label_names_what_differs_within_a_loss():
    def run(**more):
        return View(
            seed=more.pop("seed", 0),
            settings={"loss": "center", "lambda": 0.003, "network": "compact", **more},
        )

    assert run_labels([run(), run(seed=1)]) == [f"λ = 0.003, α = 0.5 · seed {n}" for n in (0, 1)]
    other = View(title="Softmax", settings={"loss": "softmax", "network": "lenet"}, seed=3)
    assert run_labels([run(), other]) == [f"λ = 0.003, α = 0.5 · seed {seed}" for seed in (0, 3)]
    assert run_labels([run(), run(network="lenet")])[1] == "λ = 0.003, α = 0.5 · network = lenet · seed 0"


def test_features_of_many_dimensions_are_projected_and_have_no_regions():
    parts = {name: embedding(200, dim=5) for name in ("train", "test")}
    run = View(splits=parts, weight=directions(dim=5), pictures=np.zeros((200, 8, 8), np.uint8), epochs=[])
    data = json.loads(re.search(r'id="data">(.*?)</script>', page([run]), re.DOTALL)[1])["runs"][0]
    assert data["grid"] == 0 and data["weight"] == [None]
    assert data["epochs"] == [0]  # of a run without a list of epochs
    assert "PCA of 5-D" in data["conditions"]


def test_the_angle_of_a_point_is_that_to_the_weight_or_else_the_mean_of_its_class():
    features = np.array([[1, 0], [0, 2], [1, 1], [0, 2]], np.float32)
    labels = np.array([0, 0, 1, 1])
    moment = _Moment(features, labels, labels, np.ones(4), None, None, 1.0, np.zeros((4, 2)))
    assert list(_target_angles(moment)) == [63, 26, 26, 18]  # to (0.5, 1) and (0.5, 1.5)
    weight = np.array([[2, 1], [np.nan, np.nan]], np.float32)  # a class that was kept out of training
    assert list(_target_angles(moment._replace(weight=weight))) == [26, 63, 255, 255]


@pytest.mark.parametrize(("classes", "size"), [(256, 1), (257, 2)])
def test_a_label_takes_two_bytes_where_one_is_too_small(classes, size):
    """As the script reads them; beside them a point has a place of four bytes, two of confidence, an angle."""
    run = View(
        splits={name: embedding(50, dim=5) for name in ("train", "test")},
        class_names=[str(number) for number in range(classes)],
        weight=directions(dim=5),
        pictures=np.zeros((50, 8, 8), np.uint8),
    )
    arrays = zlib.decompress(base64.b64decode(run_data(run, {})["arrays"]))
    assert len(arrays) == 50 * (4 + 2 + 2 * size + 1)  # label and prediction


def test_two_bytes_hold_the_score_of_the_predicted_class():
    parts = {name: embedding(50, dim=5) for name in ("train", "test")}
    run = View(splits=parts, weight=directions(dim=5), pictures=np.zeros((50, 8, 8), np.uint8))
    data = run_data(run, {})
    arrays = zlib.decompress(base64.b64decode(data["arrays"]))
    scores = run.scores(parts["test"].features)[np.arange(50), parts["test"].predictions]
    low, high = data["confidence_range"]
    assert (low, high) == pytest.approx((scores.min(), scores.max()))
    read = low + (high - low) * np.frombuffer(arrays, "<u2", 50, offset=50 * 4) / 65535  # after the places
    np.testing.assert_allclose(read, scores, rtol=0, atol=(high - low) / 65535)


def test_small_features_keep_their_places():
    parts = {name: embedding(50) for name in ("train", "test")}
    parts = {name: part._replace(features=1e-4 * part.features) for name, part in parts.items()}
    data = run_data(View(splits=parts, pictures=np.zeros((50, 8, 8), np.uint8), epochs=[]), {})
    arrays = zlib.decompress(base64.b64decode(data["arrays"]))
    places = np.frombuffer(arrays, "<i2", 100).reshape(50, 2) * data["scale"]
    np.testing.assert_allclose(places, parts["test"].features, rtol=0, atol=1e-8)


def test_the_layers_of_the_plane_draw_what_their_sources_hold():
    layers = {layer.name: layer for layer in _plane(["#000000"] * 3).renderers}
    names = ("areas", "weights", "points", "unseen", "centers", "pinned", "names")
    assert list(layers) == [f"{name}-layer" for name in names]
    weights = layers["weights-layer"].glyph
    assert (weights.x, weights.y, weights.length, weights.angle) == (0, 0, 0, "angle")  # to the edge
    for name, fields in {
        "areas": "image x x side side", "points": "x y", "unseen": "x y", "centers": "x y",
        "pinned": "x y", "names": "x y text",
    }.items():  # fmt: skip
        layer = layers[f"{name}-layer"]
        order = ("image", "x", "y", "dw", "dh") if name == "areas" else ("x", "y", "text")
        found = [getattr(layer.glyph, each) for each in order if hasattr(layer.glyph, each)]
        assert found == fields.split() and set(found) <= set(layer.data_source.column_names)
    for name in ("points", "unseen"):
        colors = layers[f"{name}-layer"].glyph.fill_color
        assert (colors.field, colors.transform.low, colors.transform.high) == ("color", -0.5, 2.5)


def test_a_run_without_features_to_judge_is_refused(tmp_path):
    with pytest.raises(RunError, match="neither test nor validation"):
        explore([View(splits={"train": embedding(50)})], tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


def test_without_bokeh_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bokeh.embed", None)
    with pytest.raises(UsageError, match="lossbench\\[explore\\]"):
        page([])


def test_the_command_writes_one_page_below_figures(stored, capsys):
    results = stored[0].folder.path.parent.parent
    capsys.readouterr()
    named = [
        word for run in stored for word in ("--run", run.name) if run.config.loss in ("center", "triplet")
    ]
    assert main(["explore", *named[:4], "--results", str(results), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert Path(found["page"]).parent == results / "figures"
    assert Path(found["page"]).stat().st_size < 5e6
    assert len(found["runs"]) == 2
