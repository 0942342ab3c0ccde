"""The figures of the benchmark, from the documents of its parts."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..files import to_json
from ..runs.config import BASE_LOSS
from ..specs.quantities import MAIN_METRIC, better_sign, bounds, in_unit, metric_name, metric_title
from ..statistics import Interval
from .figure_files import Compose, compose_forest, compose_ranks
from .generated_files import digest
from .loss_benchmark import Evidence, Scores
from .loss_benchmark_findings import MAP, shared_machine, tuned_rows

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
        return f"numbers {digest(to_json(_rounded(self.data)).encode())}"


def pictures_of(evidence: Evidence) -> list[Picture]:
    """The figures whose parts are there."""
    pictures = []
    if "defaults" in evidence.parts:
        pictures += _pictures_of_defaults(evidence)
    if {"defaults", "tuned"} <= set(evidence.parts):
        before, after = (evidence.scores(part, MAP) for part in ("defaults", "tuned"))
        groups = {row.loss: int(row.verdict != "better") for row in tuned_rows(evidence)}
        pictures.append(
            _scatter(
                "tuned",
                "MAP@R at the defaults and with tuned settings, on the line where tuning changes nothing",
                (before, "MAP@R at the defaults"),
                (after, "MAP@R with tuned settings"),
                groups,
                ("better with tuning", "not better with tuning"),
                diagonal=True,
            )
        )
    if "dimensions" in evidence.parts:
        blocks = evidence.blocks("dimensions")
        plane, last = (evidence.scores("dimensions", MAP, number) for number in (0, len(blocks) - 1))
        titles = [f"MAP@R in {block.label.rpartition(', ')[2]}" for block in (blocks[0], blocks[-1])]
        titles[0] = "MAP@R in 2-D"
        pictures.append(
            _scatter(
                "dimensions",
                f"{titles[0]} and in {titles[1].split()[-1]}",
                (plane, titles[0]),
                (last, titles[1]),
                {},
            )
        )
    return [*pictures, *_ranks(evidence)]


def _pictures_of_defaults(evidence: Evidence) -> list[Picture]:
    accuracy, retrieval, seconds = (
        evidence.scores("defaults", metric) for metric in (MAIN_METRIC, MAP, "seconds")
    )
    places = {
        each.metric: {loss: _in_unit(each, loss) for loss in accuracy.values}
        for each in (accuracy, retrieval)
    }
    groups = {loss: n for n, group in enumerate(evidence.groups("defaults", MAP)) for loss in group}
    names = ("first group by MAP@R", "second", "third", "fourth", "others")
    pictures = [
        Picture(
            "leaderboard",
            "All losses by test accuracy, with MAP@R: means with 95 % intervals over seeds",
            places,
            partial(_draw_leaderboard, places=places),
        )
    ]
    for metric in (MAIN_METRIC, MAP):
        rows = [row for row in evidence.against("defaults", metric) if row.paired.n > 1]
        if rows:
            caption = f"Paired differences to {BASE_LOSS} in {metric_name(metric)}, every seed and the mean"
            data = {row.loss: [row.paired.differences, row.verdict] for row in rows}
            pictures.append(
                Picture(f"forest-{metric.replace('_', '-')}", caption, data, compose_forest(rows))
            )
    pictures.append(
        _scatter(
            "accuracy-map",
            "Test accuracy against MAP@R, coloured by groups that cannot be told apart by MAP@R",
            (accuracy, metric_title(MAIN_METRIC)),
            (retrieval, metric_title(MAP)),
            groups,
            names,
        )
    )
    if not shared_machine(seconds):
        pictures.append(
            _scatter(
                "cost",
                "Training time of a run against MAP@R",
                (seconds, "seconds of a run"),
                (retrieval, metric_title(MAP)),
                groups,
                names,
            )
        )
    return pictures


def _ranks(evidence: Evidence) -> list[Picture]:
    """Mean ranks over MNIST, the digits and the open sets, where there is more than one of them."""
    blocks: list[Scores] = [
        evidence.scores(part, MAP) for part in ("defaults", "digits") if part in evidence.parts
    ]
    if "open-set" in evidence.parts:
        count = len(evidence.blocks("open-set"))
        blocks += [evidence.scores("open-set", "unseen-map-at-r", number) for number in range(count)]
    losses = (
        [loss for loss in blocks[0].values if all(loss in each.values for each in blocks)] if blocks else []
    )
    if len(blocks) < 2 or len(losses) < 2:
        return []
    means = np.array([[each.interval(loss).mean for loss in losses] for each in blocks])
    caption = f"Mean ranks by MAP@R over {len(blocks)} data sets and open sets, joined where no pair differs"
    data = dict(zip(losses, means.T.tolist(), strict=True))
    return [Picture("ranks", caption, data, compose_ranks(losses, means, MAP))]


def _scatter(
    name: str,
    caption: str,
    x: tuple[Scores, str],
    y: tuple[Scores, str],
    groups: Mapping[str, int],
    names: Sequence[str] = (),
    *,
    diagonal: bool = False,
) -> Picture:
    from ..figures import scatter

    points = [
        scatter.Point(loss, _in_unit(x[0], loss), _in_unit(y[0], loss), groups.get(loss, 0))
        for loss in x[0].values
        if loss in y[0].values
    ]
    across, up = (
        scatter.Axis(title, better_sign(each.metric), bounds(each.metric)) for each, title in (x, y)
    )
    draw: Callable[..., None] = scatter.draw_figure
    compose = partial(draw, points=points, x=across, y=up, names=names, diagonal=diagonal)
    return Picture(name, caption, [list(point) for point in points], compose)


def _draw_leaderboard(figure: Any, places: Mapping[str, Mapping[str, Interval]]) -> None:
    from ..figures import leaderboard

    columns = {
        metric: [leaderboard.Place(loss, interval) for loss, interval in found.items()]
        for metric, found in places.items()
    }
    leaderboard.draw_places(figure, columns)


def _in_unit(scores: Scores, loss: str) -> Interval:
    mean, half_width, count = scores.interval(loss)
    return Interval(in_unit(scores.metric, mean), in_unit(scores.metric, half_width), count)


def _rounded(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _rounded(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rounded(value) for value in data]
    return float(f"{data:.{_DIGITS}g}") if isinstance(data, float) else data
