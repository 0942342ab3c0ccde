"""Nothing knows the shape of MNIST: a data set of 25 classes of colour images goes through the real commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import lossbench
from lossbench.__main__ import main
from lossbench.data import load_splits
from lossbench.records import SplitSpec
from lossbench.runs.robustness import RunOnImages
from lossbench.runs.store import Store
from lossbench.specs import catalog

from ..helpers import tiles
from .test_explorer import Opened, in_browser

OPTIONS = ["--dataset", "tiles", "--epochs", "1"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A sweep of center, ArcFace in two and three dimensions, and softmax without two of the classes."""
    folder = tmp_path_factory.mktemp("tiles")
    where = [*OPTIONS, "--results", str(folder)]
    with catalog.added("data", Path(tiles.__file__)):
        sweep = ["--loss", "center", "--lambda", "0.001,0.01", "--set", "alpha=0.1,0.5", "--jobs", "1"]
        assert main(["sweep", *sweep, *where]) == 0
        for loss, more in (
            ("softmax", ["--unseen", "red-1,pink-5"]),
            ("arcface", ["--feature-dim", "3"]),
            ("arcface", ["--snapshots", "3", "--tensorboard"]),
        ):
            assert main(["train", "--loss", loss, *more, *where]) == 0
        yield folder


def runs_of(results: Path, dim: int = 2) -> dict[str, str]:
    """The newest run of each loss with features of this dimension."""
    return {run.config.loss: run.name for run in Store(results).all()[0] if run.config.feature_dim == dim}


FIGURES = [name for name in catalog.names("figures") if catalog.spec("figures", name).drawn_from == "runs"]


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_of_runs_is_drawn(results: Path, tmp_path: Path, figure: str) -> None:
    runs = runs_of(results, dim=3 if figure == "sphere" else 2)
    chosen = [] if figure in ("curves", "heatmap", "lambda-grid") else ["--run", runs["arcface"]]
    chosen = chosen or ["--loss", "center"]
    path = tmp_path / f"{figure}.png"
    assert main(["plot", figure, *chosen, "--results", str(results), "--output", str(path)]) == 0
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_images_of_another_data_set_are_enlarged_and_grey_in_all_channels(results: Path) -> None:
    run = Store(results).find(runs_of(results)["arcface"])
    (features, _), _ = RunOnImages(run).features_of("digits", 20)
    images = load_splits(SplitSpec("digits", 0)).train.images[:20]
    grey = F.interpolate(images.float(), size=(32, 32), mode="bilinear")
    expected = lossbench.load(run.path).network(torch.cat([grey] * 3, dim=1))
    torch.testing.assert_close(torch.from_numpy(features), expected, rtol=0, atol=1e-3)


def test_unseen_classes_are_drawn(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "features.png"
    run = runs_of(results)["softmax"]
    assert main(["plot", "features", "--run", run, "--results", str(results), "--output", str(path)]) == 0


def test_training_is_animated(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "animation.gif"
    run = runs_of(results)["arcface"]
    assert main(["animate", "--run", run, "--results", str(results), "--output", str(path)]) == 0
    with Image.open(path) as animation:
        assert 2 <= animation.n_frames <= 3  # from where features leave the origin


def test_tensorboard_shows_the_images_in_colour(results: Path) -> None:
    folder = results / "runs" / runs_of(results)["arcface"] / "tensorboard"
    sprites = [np.asarray(Image.open(path)) for path in folder.rglob("sprite.png")]
    assert len(sprites) == 1
    side = int(np.ceil(np.sqrt(250))) * 32
    assert sprites[0].shape[:2] == (side, side)
    assert (sprites[0][..., 0] != sprites[0][..., 2]).any()


@in_browser
def test_the_page_shows_all_classes_in_their_colours_and_the_images(
    results: Path, tmp_path: Path, browser
) -> None:
    path = tmp_path / "explore.html"
    runs = [option for name in runs_of(results).values() for option in ("--run", name)]
    assert main(["explore", *runs, "--results", str(results), "--output", str(path), "--json"]) == 0
    opened = Opened(browser)
    opened.open(path)
    assert opened.complaints == []
    count = opened.ask("Array.from(document.querySelectorAll('#classes label')).length")
    assert count == len(tiles.SPEC.classes)
    chips = opened.ask(
        "Array.from(document.querySelectorAll('#classes label')).map((e) => e.style.getPropertyValue('--class'))"
    )
    assert len(set(chips)) == 25
    assert opened.ask("document.querySelectorAll('#confusion button').length") == 25**2
    assert (
        opened.ask("Array.from(now.run.labels).slice(0, 250)") == tiles.load(Path(), "test").labels.tolist()
    )
    opened.ask("pin(7)")
    shown = opened.ask(
        "(({ width, height, filter }) => [width, height, filter])(getComputedStyle(document.querySelector('#card .tile')))"
    )
    assert shown == ["84px", "84px", "none"]
