"""From stored runs to files: what is in them, that they are the same every time, and what cannot be drawn."""

from __future__ import annotations

import dataclasses
import io
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lossbench.__main__ import main
from lossbench.errors import RunError, UsageError
from lossbench.figures import forest
from lossbench.figures._style import PALETTE
from lossbench.reports import experiment
from lossbench.reports.document import Document
from lossbench.reports.experiment import Sweep
from lossbench.reports.figure_files import draw, render_figure, render_pixels, write_figure
from lossbench.reports.figure_names import figure_path
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
from lossbench.runs.stored_run import StoredRun
from lossbench.specs import catalog
from tests.figures.views import View, embedding
from tests.helpers.runs import run, small

CONFIGS = [small(loss, seed=seed, epochs=1) for loss in ("softmax", "center") for seed in (0, 1, 2)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("rendering")
    for config in CONFIGS:
        run(config, found)
    return found


@pytest.fixture
def runs(folder):
    return [StoredRun(Store(folder).run(config)) for config in CONFIGS]


def test_a_gallery_has_few_colours_and_its_description(tmp_path):
    """Half a million points in all shades take three times the bytes."""

    def compose(figure):
        grid = figure.subplots(3, 7, subplot_kw={"xticks": [], "yticks": []})
        for number, axes in enumerate(grid.flat):
            points = np.random.RandomState(number).randn(2, 2000)
            axes.scatter(*points, s=2, alpha=0.4, color=PALETTE[number % 10], linewidths=0)

    path = write_figure(compose, tmp_path / "gallery.png", shows="21 panels")
    with Image.open(path) as image:
        assert image.mode == "P"
        assert round(image.info["dpi"][0]) == 120
        drawn = np.asarray(image.convert("RGB"), float)
    assert inside(path) == "21 panels"
    whole = render_pixels(lambda figure: (compose(figure), figure.set_dpi(120)))[..., :3]
    assert drawn.shape == whole.shape
    assert np.abs(drawn - whole).mean() < 2
    full = io.BytesIO()
    Image.fromarray(whole).save(full, "PNG")
    assert path.stat().st_size < 0.6 * len(full.getvalue())


def inside(path):
    """The description in a file, as a reader of that format finds it."""
    if path.suffix == ".png":
        with Image.open(path) as image:
            return image.text["Description"]
    content = path.read_bytes()
    if path.suffix == ".svg":
        return re.search(r"<dc:description>(.*?)</dc:description>", content.decode(), re.DOTALL)[1]
    return re.search(rb"/Subject \((.*?)\)\s", content, re.DOTALL)[1].decode("latin-1")


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_a_file_says_which_runs_it_shows(runs, tmp_path, form):
    shown = [runs[0], runs[4]]
    path = draw("features", shown, tmp_path / f"a.{form}", split="test")
    text = inside(path)
    for each in shown:
        assert each.name in text
        assert f"seed {each.seed}" in text
        assert f"loss {each.config.loss}" in text
        assert f"test_accuracy {each.numbers['test_accuracy']}" in text
    assert f"lambda {shown[1].settings['lambda']}" in text
    assert "epochs 1" in text


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
@pytest.mark.parametrize("name", ["features", "confusion"])
def test_the_same_runs_give_the_same_bytes(folder, tmp_path, form, name):
    contents = []
    for turn in ("a", "b"):
        fresh = [StoredRun(Store(folder).run(CONFIGS[3]))]
        contents.append(draw(name, fresh, tmp_path / f"{turn}.{form}").read_bytes())
    assert contents[0] == contents[1]
    assert str(tmp_path).encode() not in contents[0]


@pytest.mark.parametrize("form", ["pdf", "svg"])
def test_sixty_thousand_points_stay_a_small_file_with_text_as_text(tmp_path, form):
    part = embedding(60_000, noise=0.5)
    big = View(splits={"train": part, "test": part})
    draw_figure = catalog.load("figures", "features")
    path = write_figure(
        lambda figure: draw_figure(figure, [big], split="train", view="raw", projection="pca"),
        tmp_path / f"big.{form}",
        [big],
    )
    content = path.read_bytes()
    assert len(content) < 2_000_000
    if form == "svg":
        assert content.count(b"<image") == 1
        assert content.count(b"<use") < 2000  # the points are no shapes
    else:
        assert content.count(b"/Subtype /Image") == 2  # the points, and how opaque they are
        assert b"/FontName" in content


def test_the_forest_is_drawn_of_stored_runs(runs, tmp_path, monkeypatch):
    drawn = []

    def remember(axes, rows, **settings):
        drawn.append((rows, settings))
        forest_draw(axes, rows, **settings)

    forest_draw = forest.draw_axes
    monkeypatch.setattr(forest, "draw_axes", remember)
    draw("forest", runs, tmp_path / "a.png")
    (row,), settings = drawn[0]
    expected = [100 * (b.numbers["test_accuracy"] - a.numbers["test_accuracy"])
                for a, b in zip(runs[:3], runs[3:], strict=True)]  # fmt: skip
    np.testing.assert_allclose(row.differences, expected)
    assert (row.label, settings["baseline"]) == ("Center", "Softmax")
    assert settings["unit"] == "test accuracy (percentage points)"
    with pytest.raises(RunError, match="compare --metric eer"):
        draw("forest", runs, tmp_path / "b.png", metric="eer")
    later = [StoredRun(run.folder) for run in runs]
    for number, each in enumerate(later):
        monkeypatch.setattr(
            each.folder, "metrics", lambda number=number: {"eer": 0.9 - 0.1 * number, "nll": None}
        )
    later[3].conditions = later[4].conditions = later[5].conditions = "epochs 1"
    draw("forest", later, tmp_path / "b.png", metric="eer")
    (row,), _ = drawn.pop()
    np.testing.assert_allclose(row.differences, [-0.3, -0.3, -0.3])
    assert row.label == "Center, epochs 1"
    draw("forest", runs, tmp_path / "b.png", metric="spread-gap", style="dark")
    assert drawn[1][1]["unit"] == "spread/gap"
    with pytest.raises(RunError, match="at least two losses or settings"):
        draw("forest", runs[:3], tmp_path / "c.png")
    with pytest.raises(UsageError, match="Unknown metric 'spred'"):
        draw("forest", runs, tmp_path / "c.png", metric="spred")
    assert not (tmp_path / "c.png").exists()


@pytest.mark.parametrize(
    "style",
    ["paper", pytest.param("slides", marks=pytest.mark.slow), pytest.param("dark", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    "name", ["training", "roc", "confusion", "hardest", "leaderboard", "features", "lambda-grid"]
)
def test_figures_of_runs_are_drawn_of_stored_ones_in_every_style(runs, tmp_path, name, style):
    path = draw(name, [runs[0], runs[3]], tmp_path / "a.png", style=style)
    with Image.open(path) as image:
        assert min(image.size) > 150
        corner = image.convert("RGB").getpixel((0, 0))
    assert corner == ((20, 22, 26) if style == "dark" else (255, 255, 255))


def test_a_canvas_of_its_own_takes_the_settings_of_its_style():
    seen = []
    figure = render_figure(lambda figure: seen.append(figure.get_facecolor()), "dark")
    assert isinstance(figure, Figure)
    assert seen == [(20 / 255, 22 / 255, 26 / 255, 1.0)]


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["confusion", "--view", "raw"], "`confusion` has no option --view; its own options are: none."),
        (["roc", "--metric", "eer"], "`roc` has no option --metric; its own options are: --split."),
        (["features", "--split", "vel"], "--split vel is not one of both, train, test."),
        (["leaderboard", "--metric", "accurcy"], "Unknown metric 'accurcy'; did you mean accuracy"),
        (["leaderbord"], "Unknown figure 'leaderbord'; did you mean leaderboard?"),
        (["budget"], "`lossbench tune --results {}` draws budget; `lossbench plot` cannot."),
        (["roc", "--format", "gif"], "--format gif is not one of png, pdf, svg."),
        (["roc", "--style", "neon"], "--style neon is not one of paper, slides, dark."),
        (["roc", "--output", "folder"], "--output folder: the file name must end in .png or .pdf or .svg."),
        (["roc", "--output", "a.gif"], "--format gif is not one of png, pdf, svg."),
        (["roc", "--run", "nothing"], "Unknown run 'nothing'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_sentence(folder, capsys, arguments, sentence):
    assert main(["plot", *arguments, "--results", str(folder)]) == 2
    said = capsys.readouterr()
    text = " ".join((said.out + said.err).split())
    assert text.startswith(f"lossbench: {sentence.replace('{}', str(folder))}")
    assert not (folder / "figures").exists()


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["roc", "--split", "unseen"], "has no unseen features; it has train, val, test."),
        (["leaderboard", "--metric", "eer"], "`lossbench compare --metric eer --results {}` measures it"),
        (["roc", "--loss", "arcface"], "There is no finished run of arcface"),
    ],
)  # fmt: skip
def test_what_runs_do_not_have_is_one_sentence(folder, capsys, arguments, sentence):
    assert main(["plot", *arguments, "--results", str(folder)]) == 1
    said = capsys.readouterr()
    text = " ".join((said.out + said.err).split())
    assert text.startswith("lossbench: ")
    assert sentence.replace("{}", str(folder)) in text


def test_metrics_may_have_blanks_and_repeat(runs, tmp_path):
    a = draw("leaderboard", runs, tmp_path / "a.png", metric="test_accuracy,nn-accuracy")
    b = draw("leaderboard", runs, tmp_path / "b.png", metric="test_accuracy, nn-accuracy,test_accuracy")
    assert a.read_bytes() == b.read_bytes()


def test_an_ending_decides_the_format(folder, tmp_path, capsys):
    path = tmp_path / "deep" / "a.pdf"
    assert main(["plot", "confusion", "--results", str(folder), "--output", str(path), "--json"]) == 0
    assert path.read_bytes().startswith(b"%PDF")
    assert str(path) in capsys.readouterr().out


def test_losses_can_be_drawn_before_any_training(tmp_path, capsys):
    path = tmp_path / "curves.svg"
    arguments = ["plot", "target-logits", "--loss", "arcface,cosface", "--results", str(tmp_path)]
    assert main([*arguments, "--output", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert "ArcFace (m = 0.3)" in text and "All with s = 16." in text
    assert "CosFace" in text
    assert "SphereFace" not in text
    assert main(["plot", "target-logits", "--loss", "softmax", "--results", str(tmp_path)]) == 2
    assert "Softmax has no target logit that depends on the angle alone" in capsys.readouterr().err


def test_drawing_stored_features_needs_neither_torch_nor_scipy(folder, tmp_path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from lossbench.reports.figure_files import draw\n"
        "from lossbench.runs.store import Store\n"
        "from lossbench.runs.stored_run import StoredRun\n"
        "draw('features', [StoredRun(Store(Path(sys.argv[1])).all()[0][0])], Path(sys.argv[2]))\n"
        "slow = {'torch', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    command = [sys.executable, "-c", script, str(folder), str(tmp_path / "features.png")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "features.png").exists()


@pytest.mark.parametrize(
    ("kind", "losses", "seeds", "parts", "name"),
    [
        ("features", ["center"], [0], [], "features-center-digits"),
        ("features", ["center"], [3], [], "features-center-digits-seed-3"),
        ("features", ["center"], [3], ["normalized", "seed-3"], "features-center-digits-normalized-seed-3"),
        ("features", ["center"], [3], ["dark"], "features-center-digits-dark-seed-3"),
        ("roc", ["center", "git"], [3, 4], ["", "dark"], "roc-center-git-digits-dark"),
        ("roc", list("abcde"), [0], [], "roc-a-b-c-d-e-digits"),
        ("roc", list("abcdef"), [0], [], "roc-6-losses-digits"),
        ("explorer", ["center", "center"], [0, 0], [], "explore-center-digits"),
    ],
)
def test_names_of_files(
    tmp_path: Path, kind: str, losses: list[str], seeds: list[int], parts: list[str], name: str
) -> None:
    runs: Any = [
        SimpleNamespace(config=SimpleNamespace(loss=loss, dataset="digits"), seed=seed, name=loss)
        for loss in losses
        for seed in seeds
    ]
    store = Store(tmp_path)
    assert figure_path(store, kind, runs, parts, "svg", "", "") == store.figures / f"{name}.svg"
    (store.figures / f"{name}.svg").parent.mkdir()
    (store.figures / f"{name}.svg").write_text("of other runs", encoding="utf-8")
    (other,) = {figure_path(store, kind, runs, parts, "svg", "", command) for command in ("a", "b")}
    assert re.fullmatch(rf"{name}-[0-9a-f]{{8}}\.svg", other.name)


@pytest.mark.parametrize(
    ("count", "drawn"), [(0, []), (1, []), (2, ["lambda-grid"]), (40, ["lambda-grid"]), (41, [])]
)
def test_the_grid_of_a_sweep_has_two_to_forty_panels_one_for_each_setting(
    tmp_path: Path, monkeypatch: Any, count: int, drawn: list[str]
) -> None:
    configs = [make_config(loss="center", lam=k, dataset="digits", seed=3) for k in range(count)]
    if count > 1:  # the first setting diverged with one seed, the last one with the other
        configs[-1:] = [dataclasses.replace(config, seed=4) for config in configs[1:]]
    runs = [SimpleNamespace(config=config, seed=config.seed) for config in configs]
    monkeypatch.setattr(experiment, "done_runs", lambda *_: runs)
    monkeypatch.setattr(experiment, "name_differences", lambda _: None)  # needs what runs hold
    document = Document(kind="sweep", title="", command="")
    sweep = Sweep(store=Store(tmp_path), name="sweep-a", document=document, outcomes=[], varied={})
    drawings = list(sweep.drawings())
    assert [drawing.kind for drawing in drawings] == drawn
    for drawing in drawings:
        assert [run.seed for run in drawing.runs] == [3] * (count - 1) + [4]
        assert [run.config.value_of("lambda") for run in drawing.runs] == list(range(count))
    assert all(drawing.path.name == "sweep-a-grid.png" for drawing in drawings)
