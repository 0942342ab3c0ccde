"""The verification figure, asked through its artists and compared with the metrics."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from lossbench.errors import RunError
from lossbench.figures import roc
from lossbench.figures._style import PALETTE
from lossbench.metrics import MetricInput
from lossbench.metrics._verification import roc as curve_of
from lossbench.records import Embedding
from lossbench.reports.figure_files import render_figure
from lossbench.specs import catalog
from tests.figures.views import View, embedding

LOSS = {"loss": "softmax"}
MARKS = "; ● false accept rates of 1e-4, 1e-3 and 1e-2"


def view(noise=3.0, seed=0, count=300, **given):
    own = embedding(count, noise=noise, seed=seed)
    return View(seed=seed, splits={"train": own, "test": own}, **given)


def draw_figure(runs, split="test"):
    figure = render_figure(lambda figure: roc.draw_figure(figure, runs, split=split))
    return figure.axes[0]


def legend(axes):
    return [text.get_text() for text in axes.figure.legends[0].get_texts()]


def found(axes, gid):
    return next(artist for artist in axes.get_children() if artist.get_gid() == gid)


def measured(run, split="test"):
    part = run.splits[split]
    return MetricInput(evaluated=part, reference=part, classes=10, cosine=run.cosine)


def metric(name, run):
    return catalog.load("metrics", name)(measured(run))


@pytest.mark.parametrize("cosine", [False, True])
def test_marks_and_legend_are_what_the_metrics_measure(cosine):
    run = view(cosine=cosine)
    axes = draw_figure([run])
    marks = dict(found(axes, "marks-0").get_offsets().tolist())
    for name, rate in {"tar-at-far-1e-2": 1e-2, "tar-at-far-1e-3": 1e-3, "tar-at-far-1e-4": 1e-4}.items():
        assert marks[rate] == metric(name, run)
    (text,) = legend(axes)
    by = "cosine" if cosine else "distance"
    assert text == f"Center, by {by}\nAUC {metric('roc-auc', run):.4f}, EER {100 * metric('eer', run):.2f} %"


@pytest.mark.parametrize("cosine", [False, True])
def test_thresholds_of_the_validation_split(cosine):
    """Diamonds, words and data are what the metrics measure; the bars hold the diamonds."""
    run = view(cosine=cosine)
    run.splits |= {"val": embedding(250, noise=2.0, seed=9), "unseen": embedding(100, noise=5.0, seed=8)}
    given = measured(run), measured(run, "unseen")
    given = [dataclasses.replace(each, validation=run.splits["val"], _cache={}) for each in given]

    def numbers(name, of=given[0]):
        return [catalog.load("metrics", f"{name}-{rate}")(of) for rate in ("1e-2", "1e-3")]

    axes = draw_figure([run])
    x, y = found(axes, "thresholds-0").get_data()
    assert (x.tolist(), y.tolist()) == (numbers("far-at-threshold"), numbers("tar-at-threshold"))
    (text,) = legend(axes)
    by = "cosine" if cosine else "distance"
    assert text.endswith(f"at 1e-3: {100 * y[1]:.1f} % accepted, {by} {numbers('threshold-at-far')[1]:.6g}")
    assert "validation pairs" in axes.get_title("left")
    (line,) = roc.data([run], split="test")
    assert (line["run"], line["compared_by"]) == (run.name, "cosine" if cosine else "distance")
    assert [row["false_accept_rate"] for row in line["thresholds"]] == [0.01, 0.001]
    for number, row in enumerate(line["thresholds"]):
        assert row["threshold"] == numbers("threshold-at-far")[number]
        limits = row["by_class"].values()
        assert max(limits) - min(limits) == pytest.approx(numbers("threshold-range")[number])
        for split, of in zip(("test", "unseen"), given, strict=True):
            applied = row["splits"][split]
            assert applied["false_accept_rate"] == numbers("far-at-threshold", of)[number]
            assert applied["true_accept_rate"] == numbers("tar-at-threshold", of)[number]
            low, high = applied["interval"]
            assert low <= applied["true_accept_rate"] <= high
    assert roc.data([view()], split="test") == []


def test_cosine_and_distance_are_different_curves():
    curves = [found(draw_figure([view(cosine=cosine)]), "rates-0").get_ydata() for cosine in (False, True)]
    assert np.nanmax(np.abs(curves[0] - curves[1])) > 0.02


def test_the_line_is_the_curve_of_all_pairs():
    run = view()
    points, labels = run.splits["test"][:2]
    first, second = np.triu_indices(len(points), 1)
    same = labels[first] == labels[second]
    distances = np.linalg.norm(points[first].astype(float) - points[second], axis=1)
    false, true, _ = roc_curve(same, -distances, drop_intermediate=False)
    line = found(draw_figure([run]), "rates-0")
    for rate, accepted in list(zip(line.get_xdata(), line.get_ydata(), strict=True))[120::9]:
        assert accepted == pytest.approx(true[false <= rate + 1e-12].max())


@pytest.mark.parametrize("noise", [0.0, 0.3, 3.0, 50.0])
def test_error_rates_equal_the_metrics_exactly_also_with_ties(noise):
    points = np.round(embedding(200, noise=noise, seed=3).features)  # a coarse grid: many equal distances
    part = Embedding(points, np.arange(200) % 10, np.arange(200) % 10)
    run = View(splits={"train": part, "test": part})
    curve = curve_of(measured(run))
    same = np.diff(curve.own, prepend=0)
    area = 1 - int(same @ (curve.below + curve.upto)) / (2 * curve.positives * curve.negatives)
    excess = curve.upto * curve.positives + (curve.own - curve.positives) * curve.negatives
    at = int((excess < 0).sum())  # the point after which the joined points meet false = 1 - true accepts
    own = np.append(0, curve.own)[[at, at, at + 1]] / curve.positives
    false = np.array([curve.upto[at - 1] if at else 0, curve.below[at], curve.upto[at]]) / curve.negatives
    equal_error = float(np.interp(0, false + own - 1, false))
    assert metric("eer", run) == pytest.approx(equal_error, abs=1e-12)
    assert metric("roc-auc", run) == pytest.approx(area, abs=1e-12)
    _, *numbers = roc._of_one(run, "test")[:3]
    assert numbers == [metric("roc-auc", run), metric("eer", run)]


def test_there_is_no_line_where_there_are_too_few_pairs_to_say():
    line = found(draw_figure([view(count=50)]), "rates-0")
    known = line.get_xdata()[np.isfinite(line.get_ydata())]
    assert known.min() >= 1 / 1125  # pairs of two classes
    assert known.max() == 1
    assert line.get_ydata()[-1] == 1


def test_a_rate_allows_whole_pairs_whatever_it_rounds_to():
    part = embedding(20, classes=2, noise=5.0)
    curve = curve_of(MetricInput(evaluated=part, reference=part, classes=2, cosine=False))
    assert curve.negatives == 100 and 0.29 * 100 < 29
    found = roc.accepted_at(curve, np.array([0.009, 0.01, 0.29]))
    np.testing.assert_array_equal(found, [np.nan, *curve.true_accept_rates(np.array([1, 29]))])


def test_losses_have_colours_and_seeds_a_band():
    runs = [view(seed=seed, noise=noise, settings={"loss": loss}, title=loss)
            for loss, noise in (("softmax", 3.0), ("center", 1.5)) for seed in (0, 1, 2)]  # fmt: skip
    axes = draw_figure(runs)
    singles = np.array([found(draw_figure([run]), "rates-0").get_ydata() for run in runs[:3]])
    assert [found(axes, f"rates-{n}").get_color() for n in (0, 1)] == list(PALETTE[:2])
    np.testing.assert_allclose(found(axes, "rates-0").get_ydata(), singles.mean(axis=0))
    heights = found(axes, "band-0").get_paths()[-1].vertices[:, 1]
    known = np.isfinite(singles[0])
    assert heights.min() == pytest.approx(singles[:, known].min())
    assert axes.get_title("left") == "all pairs of test images, mean and range of 3 seeds" + MARKS
    mean = np.mean([metric("roc-auc", run) for run in runs[3:]])
    assert f"center, by distance\nAUC {mean:.4f}" in legend(axes)[1]
    assert not any(child.get_gid() == "band-0" for child in draw_figure(runs[:1]).get_children())


def test_axes_show_where_systems_work():
    axes = draw_figure([view()])
    assert axes.get_xscale() == "log"
    assert axes.get_xlim() == (1e-5, 1)
    assert axes.get_ylim() == (0, 1.02)
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert [text for text in shown if text] == ["1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1", "1", "1"]
    assert not any(label.get_text() for label in axes.get_xticklabels(minor=True))


def test_classes_kept_out_of_training_have_pairs_of_their_own():
    run = view()
    run.splits["unseen"] = embedding(100, noise=9.0, seed=5)
    assert draw_figure([run], "unseen").get_title("left") == "all pairs of unseen images" + MARKS
    assert found(draw_figure([run], "unseen"), "rates-0").get_ydata()[-30] < 0.9
    with pytest.raises(RunError, match="has no unseen features"):
        draw_figure([view()], "unseen")
    one = embedding(10)
    alone = View(splits={"train": one, "test": one._replace(labels=np.zeros(10, int))})
    with pytest.raises(RunError, match="no test pairs of both kinds"):
        draw_figure([alone])


@pytest.mark.parametrize("count", [1, 3, 8])
def test_the_page_is_as_large_as_what_is_drawn(count):
    axes = draw_figure([view(settings={"loss": "center", "lambda": n}) for n in range(count)])
    page, key = axes.figure.bbox, axes.figure.legends[0].get_window_extent()
    assert axes.get_position().width > 0.8
    assert axes.bbox.height > 0.4 * axes.bbox.width
    assert page.y0 <= key.y0 and key.y1 < axes.get_tightbbox().y0 + 1
    assert (key.y0 - page.y0) + (axes.get_tightbbox().y0 - key.y1) < 0.1 * page.height


def test_settings_that_differ_are_named_in_words():
    runs = [view(settings={"loss": "center", "lambda": 0.1, "feature_dim": dim}) for dim in (2, 16)]
    words = [text.split(", by")[0] for text in legend(draw_figure(runs))]
    assert words == ["feature dim = 2", "feature dim = 16"]
