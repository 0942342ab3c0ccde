"""Rank correlations of the benchmark: whether two numbers, or two conditions, order the losses alike."""

from collections.abc import Sequence
from typing import NamedTuple

from ...specs.quantities import better_sign, interval_text
from ...statistics import Interval, mean_interval
from ...tables import Table
from .scores import Scores, compares_by_cosine

_FEWEST = 4  # losses of which a rank correlation says nothing


class Pair(NamedTuple):
    """Two numbers of every loss, and what they are."""

    name: str
    first: Scores
    second: Scores

    @property
    def text(self) -> str:
        """The rank correlation over all losses, with its interval over seeds."""
        return _spearman(self.first, self.second)

    @property
    def seeds(self) -> int:
        """The seeds that both have."""
        return rank_correlation(self.first, self.second).n


def rank_correlation(first: Scores, second: Scores) -> Interval:
    """Spearman's correlation over the losses that both have, at each seed of both: mean and 95 % interval."""
    from scipy.stats import spearmanr

    shared = [loss for loss in first.values if loss in second.values]
    seeds = [
        seed
        for seed in sorted(set().union(*(first.values[loss] for loss in shared)))
        if all(seed in each.values[loss] for each in (first, second) for loss in shared)
    ]
    sides = [
        [[(better_sign(each.metric) or 1) * each.values[loss][seed] for loss in shared] for seed in seeds]
        for each in (first, second)
    ]
    return mean_interval([float(spearmanr(*pair).statistic) for pair in zip(*sides, strict=True)])


def correlation_table(title: str, pairs: Sequence[Pair]) -> Table:
    """One line per pair: over all losses, over those of either distance alone, and of the means over seeds.

    Over all losses two clusters can hide that the order within each is another one.
    """
    sides = [_by_distance(pair.first) for pair in pairs]
    header = [
        title,
        f"all {len(pairs[0].first.values)} losses",
        f"the {len(sides[0][0].values)} that compare by Euclidean distance",
        f"the {len(sides[0][1].values)} that compare by cosine",
        "all, means over seeds",
    ]
    rows = []
    for (name, first, second), own in zip(pairs, sides, strict=True):
        enough = min(len(side.values) for side in own) > _FEWEST
        several = min(first.seeds, second.seeds) > 1
        within = [_spearman(side, second) if enough else "–" for side in own]
        means = _spearman(_of_means(first), _of_means(second)) if several else "–"
        rows.append([name, _spearman(first, second), *within, means])
    return Table(header, rows)


def _by_distance(scores: Scores) -> list[Scores]:
    """The losses that compare features by Euclidean distance, and those that do by cosine."""
    return [
        scores._replace(
            values={loss: each for loss, each in scores.values.items() if compares_by_cosine(loss) == cosine}
        )
        for cosine in (False, True)
    ]


def _of_means(scores: Scores) -> Scores:
    """The mean of each loss in place of its seeds."""
    return scores._replace(values={loss: {0: scores.interval(loss).mean} for loss in scores.values}, seeds=1)


def _spearman(first: Scores, second: Scores) -> str:
    mean, half_width, _ = rank_correlation(first, second)
    return interval_text(mean, half_width, (-1.0, 1.0), 2, signed=True)
