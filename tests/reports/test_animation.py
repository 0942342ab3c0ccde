"""Animations: a frame per stored moment, limits that stay, several runs side by side."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lossbench.__main__ import main
from lossbench.errors import RunError, UsageError
from lossbench.reports.animation import _animated, _frame, animate
from lossbench.reports.figure_files import render_figure, render_pixels

from ..figures.views import View, embedding, snapshots


def moving(moments: int = 4, **parts) -> View:
    return View(snapshots=snapshots(moments), **parts)


def frames_of(path):
    image = Image.open(io.BytesIO(path.read_bytes()))
    found = []
    for number in range(image.n_frames):
        image.seek(number)
        found.append((np.asarray(image.convert("RGB")), image.info["duration"]))
    return found


def test_a_gif_has_a_frame_per_moment_and_rests_on_the_last(tmp_path):
    path = animate([moving(), moving(title="Softmax", name="softmax-0123456789")], tmp_path / "a.gif", fps=5)
    frames = frames_of(path)
    assert len(frames) == 4
    assert [duration for _, duration in frames] == [200, 200, 200, 2500]
    assert len({picture.tobytes() for picture, _ in frames}) == 4
    assert (frames[0][0][0, 0] == 255).all()  # the ground is the page's white, not nearly so
    with Image.open(path) as image:
        comment = image.info["comment"].decode()
    assert "center-0123456789" in comment
    assert "softmax-0123456789" in comment


def test_a_colour_is_the_same_in_all_frames_and_nowhere_mixed_of_others(tmp_path, monkeypatch):
    pictures, shown = [], {}

    def keep(*arguments):
        pictures.append(_frame(*arguments))
        return pictures[-1]

    monkeypatch.setattr("lossbench.reports.animation._frame", keep)
    path = animate([moving(2)], tmp_path / "a.gif")
    for picture, (frame, _) in zip(pictures, frames_of(path), strict=True):
        for color in np.unique(np.concatenate([picture, frame], axis=2).reshape(-1, 6), axis=0):
            shown.setdefault(tuple(color[:3]), set()).add(tuple(color[3:]))
    assert len(shown) > 50 and {len(colors) for colors in shown.values()} == {1}


@pytest.fixture
def drawn(monkeypatch):
    """The figures of all frames, as they were render_figure."""
    kept = []

    def keep(paint, style):
        kept.append(render_figure(paint, style))
        return render_pixels(paint, style)

    monkeypatch.setattr("lossbench.reports.animation.render_pixels", keep)
    return kept


def test_points_are_those_of_the_moment_and_limits_stay(drawn, tmp_path):
    run = moving()
    animate([run], tmp_path / "a.gif")
    assert len(drawn) == 4
    assert len({figure.axes[0].get_xlim() for figure in drawn}) == 1
    for figure, features in zip(drawn, run.snapshots.features, strict=True):
        (cloud,) = [a for a in figure.axes[0].collections if a.get_gid() == "features"]
        shown = np.asarray(cloud.get_offsets())
        np.testing.assert_allclose(np.sort(shown, axis=0), np.sort(features, axis=0), atol=1e-6)
    texts = [next(t.get_text() for t in figure.texts if t.get_gid() == "epoch") for figure in drawn]
    assert texts == ["epoch 0 of 5", "epoch 1.67 of 5", "epoch 3.33 of 5", "epoch 5 of 5"]
    half = drawn[-1].axes[0].get_xlim()[1]
    assert np.abs(run.snapshots.features[-1]).max() < half < 2 * np.abs(run.snapshots.features[-1]).max()


def test_the_animation_starts_where_features_leave_the_origin(drawn, tmp_path):
    taken = snapshots(6)
    growth = np.array([0.001, 0.001, 0.001, 0.3, 0.6, 1])[:, None, None]
    still = taken._replace(features=(growth * embedding(60).features).astype(np.float32))
    animate([View(snapshots=still)], tmp_path / "a.gif")
    assert len(drawn) == 4, "from the last moment at the origin"
    drawn.clear()
    animate([View(snapshots=still), moving(6)], tmp_path / "a.gif")
    assert len(drawn) == 6, "one of them moves from the beginning"
    drawn.clear()
    animate([View(snapshots=still)], tmp_path / "a.gif", view="normalized")
    assert len(drawn) == 6


def test_runs_of_other_moments_show_the_nearest(drawn, tmp_path):
    animate([moving(4), moving(2, title="Softmax")], tmp_path / "a.gif")
    reach = [
        [np.abs(np.asarray(axes.collections[0].get_offsets())).max() for axes in figure.axes]
        for figure in drawn
    ]
    assert [other > 1 for _, other in reach] == [False, False, True, True]
    texts = [[text.get_text() for axes in figure.axes for text in axes.texts] for figure in drawn]
    dates = [[text for text in each if text.startswith("epoch")] for each in texts]
    assert dates == [["epoch 0"], ["epoch 0"], ["epoch 5"], ["epoch 5"]]  # of the second panel alone


def test_a_run_that_trained_longer_is_shown_to_its_end(drawn, tmp_path):
    short = View(snapshots=snapshots(4)._replace(epochs=np.array([0, 0.5, 1, 2.0])))
    animate([short, moving(2, title="Softmax")], tmp_path / "a.gif")
    texts = [next(t.get_text() for t in figure.texts if t.get_gid() == "epoch") for figure in drawn]
    assert texts == ["epoch 0 of 5", "epoch 0.50 of 5", "epoch 1 of 5", "epoch 2 of 5", "epoch 5 of 5"]


def test_accuracy_is_that_of_the_moment():
    taken = snapshots(3)
    wrong = taken.scores.copy()
    wrong[1, :30] *= -1
    panels = _animated(View(snapshots=taken._replace(scores=wrong))).panels
    assert [panel.subtitle.rpartition(" · ")[2] for panel in panels[1:]] == ["50.0 % right", "100.0 % right"]


def test_classes_kept_out_of_training_do_not_shift_the_columns():
    taken = snapshots(2)
    kept = taken.labels != 3
    scores = np.delete(taken.scores, 3, axis=2)[:, kept]
    fewer = taken._replace(
        labels=taken.labels[kept], places=taken.places[kept], features=taken.features[:, kept], scores=scores
    )
    train = embedding(400)
    own = train.labels != 3
    splits = {"train": train._replace(features=train.features[own], labels=train.labels[own])}
    assert _animated(View(snapshots=fewer, splits=splits)).panels[-1].subtitle.endswith("100.0 % right")


def test_more_dimensions_keep_one_projection_over_all_moments(drawn, tmp_path):
    taken = snapshots(3)
    rotation = np.linalg.qr(np.random.RandomState(0).randn(5, 5))[0][:2]
    features = (taken.features @ rotation).astype(np.float32)
    animate([View(snapshots=taken._replace(features=features))], tmp_path / "a.gif")
    assert "PCA of 5-D" in drawn[0].axes[0].get_title()
    first, last = (np.asarray(drawn[k].axes[0].collections[0].get_offsets()) for k in (1, 2))
    np.testing.assert_allclose(2 * (first - first.mean(0)), last - last.mean(0), atol=1e-4)


@pytest.mark.parametrize("step", ["start", "frame", "end"])
def test_an_ffmpeg_that_fails_is_a_sentence_and_leaves_nothing(tmp_path, monkeypatch, step):
    """There may be none for this machine, or one without an encoder; it may stop in the middle."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")

    def write_frames(*_, **__):
        if step == "start":
            raise IndexError("list index out of range")
        yield
        while step == "end":
            yield
        raise OSError("Broken pipe\n\nFFMPEG COMMAND: ...")

    monkeypatch.setattr(imageio_ffmpeg, "write_frames", write_frames)
    with pytest.raises(
        RunError, match=r"^ffmpeg cannot write an MP4: \w+: .*; a path that ends in \.gif needs no"
    ):
        animate([moving()], tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_mp4_is_a_film_of_all_frames_and_the_rest(tmp_path):
    reader = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
    path = animate([moving()], tmp_path / "a.mp4", fps=4)
    count, seconds = reader.count_frames_and_secs(str(path))
    assert count == 4 + 10
    assert seconds == pytest.approx(14 / 4, abs=0.1)


def test_frames_have_even_sizes():
    height, width, _ = _frame([_animated(moving())], 0.0, 5.0, "raw", "paper").shape
    assert height % 2 == width % 2 == 0


def test_what_cannot_be_animated_is_said(tmp_path, capsys):
    with pytest.raises(RunError, match="has no snapshots; `lossbench train --snapshots"):
        animate([View()], tmp_path / "a.gif")
    with pytest.raises(UsageError, match="--format avi is not one of gif, mp4"):
        animate([moving()], tmp_path / "a.avi")
    assert not list(tmp_path.iterdir())
    assert main(["animate", "--results", str(tmp_path)]) == 1
    assert "no finished run" in capsys.readouterr().err
    assert main(["animate", "--format", "webm"]) == 2
    assert main(["animate", "--view", "round"]) == 2
