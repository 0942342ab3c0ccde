"""The figures of the benchmark, from the documents of its parts."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ...experiments.loss_benchmark import MAPS, OTHER_DATA, UNSEEN_MAPS
from ...figures import leaderboard, scatter
from ...files import to_json
from ...runs.config import BASE_LOSS
from ...specs.quantities import MAIN_METRIC, better_sign, bounds, in_unit, metric_name, metric_title
from ...statistics import Interval
from ..figure_files import Compose, compose_forest, compose_ranks
from ..generated_files import digest
from .evidence import Evidence, tuned_rows
from .scores import LEVEL, Scores, compares_by_cosine, shared_machine

_DIGITS = 9  # significant ones of the numbers of a figure, so that the last bit of a quantile does not count


class Picture(NamedTuple):
    """A figure of the page. data: the numbers that it shows, of which its file holds a digest."""

    name: str
    caption: str
    data: object
    compose: Compose

    @property
    def mark(self) -> str:
        """What the file says of its data."""
        rounded = json.loads(to_json(self.data), parse_float=lambda text: float(f"{float(text):.{_DIGITS}g}"))
        return f"numbers {digest(to_json(rounded).encode())}"


def pictures_of(evidence: Evidence) -> list[Picture]:
    """The figures whose parts are there."""
    pictures = []
    if "defaults" in evidence.parts:
        pictures += _pictures_of_defaults(evidence)
    if {"defaults", "tuned"} <= set(evidence.parts):
        panels, groups = [], {}
        for metric in MAPS:
            before, after = (evidence.scores(part, metric) for part in ("defaults", "tuned"))
            groups = {row.loss: int(row.verdict != "better") for row in tuned_rows(evidence, metric)}
            titles = [f"{metric_title(metric)} {when}" for when in ("at the defaults", "with tuned settings")]
            panels.append(_panel((before, titles[0]), (after, titles[1]), groups))
        caption = "MAP@R at the defaults and with tuned settings, on the line where tuning changes nothing"
        names = ("better with tuning", "not better with tuning")
        pictures.append(_scatter("tuned", caption, panels, names, diagonal=True))
    if "dimensions" in evidence.parts:
        blocks = evidence.blocks("dimensions")
        last = blocks[-1].label.rpartition(", ")[2]
        panels = [
            _panel(
                (evidence.scores("dimensions", metric, 0), f"{metric_title(metric)} in 2-D"),
                (evidence.scores("dimensions", metric, len(blocks) - 1), f"{metric_title(metric)} in {last}"),
                _by_distance(evidence),
            )
            for metric in MAPS
        ]
        seeds = evidence.scores("dimensions", MAPS[0], 0)
        single = ", so without intervals" if seeds.seeds < 2 else ""
        caption = f"MAP@R in 2-D and in {last} ({seeds.seeds_text}{single})"
        pictures.append(_scatter("dimensions", caption, panels, _DISTANCES))
    for metric, unseen in zip(MAPS, UNSEEN_MAPS, strict=True):
        pictures += _ranks(evidence, metric, unseen)
    return pictures


_DISTANCES = ("the loss compares features by Euclidean distance", "the loss compares features by cosine")


def _by_distance(evidence: Evidence) -> dict[str, int]:
    """The group of each loss: how it compares features."""
    part = next(each for each in evidence.parts.values() if each.settings)
    return {row.loss: int(compares_by_cosine(row.loss)) for row in part.settings}


def _pictures_of_defaults(evidence: Evidence) -> list[Picture]:
    accuracy, seconds = (evidence.scores("defaults", metric) for metric in (MAIN_METRIC, "seconds"))
    retrieval = [evidence.scores("defaults", metric) for metric in MAPS]
    places = {
        each.metric: {loss: _in_unit(each, loss) for loss in accuracy.values}
        for each in (accuracy, *retrieval)
    }
    groups = _by_distance(evidence)
    pictures = [
        Picture(
            "leaderboard",
            "All losses by test accuracy, with MAP@R by both distances: means with 95 % intervals over seeds",
            places,
            partial(_draw_leaderboard, places=places),
        )
    ]
    for metric in (MAIN_METRIC, *MAPS):
        rows = [row for row in evidence.against("defaults", metric) if row.paired.n > 1]
        if rows:
            caption = f"Paired differences to {BASE_LOSS} in {metric_name(metric)}, every seed and the mean"
            data = {row.loss: [row.paired.differences, row.verdict] for row in rows}
            pictures.append(
                Picture(f"forest-{metric.replace('_', '-')}", caption, data, compose_forest(rows))
            )
    for name, caption, scores, title in (
        ("accuracy-map", "Test accuracy against MAP@R", accuracy, metric_title(MAIN_METRIC)),
        ("cost", "Training time of a run against MAP@R", seconds, "seconds of a run"),
    ):
        if name != "cost" or not shared_machine(seconds):
            panels = [
                _panel((scores, title), (each, metric_title(each.metric)), groups) for each in retrieval
            ]
            pictures.append(
                _scatter(name, f"{caption} by Euclidean distance and by cosine", panels, _DISTANCES)
            )
    return pictures


def _ranks(evidence: Evidence, metric: str, unseen: str) -> list[Picture]:
    """Mean ranks over MNIST, other data and the open sets, where there is more than one of them."""
    blocks: list[Scores] = [
        evidence.scores(part, metric) for part in ("defaults", *OTHER_DATA) if part in evidence.parts
    ]
    if "open-set" in evidence.parts:
        count = len(evidence.blocks("open-set"))
        blocks += [evidence.scores("open-set", unseen, number) for number in range(count)]
    if len(blocks) < 2:
        return []
    losses = [loss for loss in blocks[0].values if all(loss in each.values for each in blocks)]
    if len(losses) < 2:
        return []
    means = np.array([[each.interval(loss).mean for loss in losses] for each in blocks])
    pairs = len(losses) * (len(losses) - 1) // 2
    caption = (
        f"Mean ranks in {metric_name(metric)} over {len(blocks)} sets, joined where no pair differs. Open "
        "sets are splits of MNIST and no data sets of their own"
    )
    if pairs * 2.0 ** (1 - len(blocks)) > LEVEL:
        caption += f". So few sets cannot tell any of {pairs} pairs apart, whatever the ranks"
    data = dict(zip(losses, means.T.tolist(), strict=True))
    return [Picture(f"ranks-{metric}", caption, data, compose_ranks(losses, means, metric, "sets"))]


def _panel(x: tuple[Scores, str], y: tuple[Scores, str], groups: Mapping[str, int]) -> scatter.Panel:
    """The points of two numbers of every loss, with the titles of their axes."""
    points = [
        scatter.Point(loss, _in_unit(x[0], loss), _in_unit(y[0], loss), groups.get(loss, 0))
        for loss in x[0].values
        if loss in y[0].values
    ]
    across, up = (
        scatter.Axis(title, better_sign(each.metric), bounds(each.metric)) for each, title in (x, y)
    )
    return scatter.Panel(points, across, up)


def _scatter(
    name: str, caption: str, panels: Sequence[scatter.Panel], names: Sequence[str], *, diagonal: bool = False
) -> Picture:
    compose = partial(scatter.draw_figure, panels=panels, names=names, diagonal=diagonal)
    caption += "; losses are named where there is room, and the longest intervals run off the axes"
    return Picture(name, caption, [[list(point) for point in panel.points] for panel in panels], compose)


def _draw_leaderboard(figure: Figure, places: Mapping[str, Mapping[str, Interval]]) -> None:
    columns = {metric: [leaderboard.Place(*each) for each in row.items()] for metric, row in places.items()}
    leaderboard.draw_places(figure, columns)


def _in_unit(scores: Scores, loss: str) -> Interval:
    mean, half_width, count = scores.interval(loss)
    return Interval(in_unit(scores.metric, mean), in_unit(scores.metric, half_width), count)
