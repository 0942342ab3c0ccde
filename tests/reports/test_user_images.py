"""A folder of 25 classes of colour images, 64 x 64, goes through the commands with one option."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from lossbench.__main__ import main
from lossbench.runs.store import Store

from .test_explorer import Opened, in_browser


def write_classes(folder: Path) -> None:
    """Five digits in five colours, shifted: 12 images of each of the 25 classes, and some other files."""
    random = np.random.RandomState(0)
    scans, labels = load_digits(n_class=5, return_X_y=True)
    for label in range(5):
        for color, name in enumerate(("red", "yellow", "green", "blue", "pink")):
            hue = np.array(colorsys.hsv_to_rgb(color / 5, 0.9, 1.0))
            place = folder / f"{name} {label}"
            place.mkdir(parents=True)
            for number, scan in enumerate(scans[labels == label][12 * color : 12 * color + 12]):
                image = np.kron(scan.reshape(8, 8) / 16, np.ones((6, 6)))[..., None] * 255 * hue
                canvas = np.full((64, 64, 3), 20.0)
                top, left = random.randint(0, 16, 2)
                canvas[top : top + 48, left : left + 48] += 0.9 * image
                suffix = ("png", "bmp", "jpg")[number % 3]
                Image.fromarray(canvas.astype(np.uint8)).save(place / f"{number} é.{suffix}")
            (place / "notes.txt").write_text("not an image")
            (place / ".hidden.png").write_bytes(b"")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    write_classes(folder / "my digits")
    options = ["--dataset", str(folder / "my digits"), "--epochs", "1", "--batch-size", "48"]
    options += ["--network", "stride3", "--results", str(folder / "results")]
    assert main(["compare", "--losses", "softmax,center", "--seeds", "0", *options]) == 0
    return folder / "results"


def test_one_command_gives_tables_and_figures(results: Path) -> None:
    config = Store(results).all()[0][0].config
    assert config.classes == 25
    assert config.input_shape == (3, 64, 64)
    assert {path.suffix for path in (results / "tables").iterdir()} >= {".csv", ".json", ".md"}
    table = next((results / "tables").glob("*.md")).read_text()
    assert "Center" in table
    figure = next((results / "figures").glob("compare*.png"))
    assert len(np.unique(np.asarray(Image.open(figure).convert("RGB")).reshape(-1, 3), axis=0)) > 50
    assert "my digits: Softmax · Center" in next((results / "tables").glob("*.json")).read_text()


@in_browser
def test_the_page_shows_her_images_under_the_pointer(results: Path, tmp_path: Path, browser) -> None:
    path = tmp_path / "page.html"
    assert main(["explore", "--results", str(results), "--output", str(path)]) == 0
    opened = Opened(browser)
    opened.open(path)
    assert opened.complaints == []
    assert opened.ask("Array.from(document.querySelectorAll('#classes label')).length") == 25
    assert "blue 0" in opened.ask("document.querySelector('#classes').innerText")
    opened.ask("pin(7)")
    shown = opened.ask("getComputedStyle(document.querySelector('#card .tile')).backgroundImage")
    assert shown.startswith('url("data:image/jpeg')
