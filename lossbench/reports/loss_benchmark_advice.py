"""Which losses to use for which purpose: those whose difference to the best one has an interval near 0."""

from typing import NamedTuple

from ..experiments.loss_benchmark import MAPS
from ..runs.config import BASE_LOSS
from ..specs.quantities import MAIN_METRIC, better_sign, metric_name, number_spec
from .loss_benchmark import Evidence, Scores, compare_scores, size_text
from .loss_benchmark_findings import shared_machine

_PURPOSES = (
    ("the best test accuracy", "defaults", MAIN_METRIC, 0.002),
    ("neighbours of the same class first, by Euclidean distance", "defaults", MAPS[0], 0.005),
    ("neighbours of the same class first, by direction (cosine)", "defaults", MAPS[1], 0.005),
    ("verification of pairs at few false accepts", "defaults", "tar-at-far-1e-3", 0.01),
    ("compact classes far apart, by Euclidean distance", "defaults", "spread-gap", 0.02),
    ("a small calibration error as trained", "defaults", "ece", 0.005),
    ("the shortest training", "defaults", "seconds", 1.0),
    ("to reject classes that training did not know", "open-set", "open-set-auroc", 0.01),
    ("new classes from five examples each", "open-set", "unseen-5-shot", 0.01),
)
"""Purpose, part, metric, and how much worse than the best a loss may be, in the unit of the JSON."""

_TOO_FEW_SEEDS = "no loss can be named yet, for too few seeds"
_NOT_TOLD = f"no loss can be named yet: the best one is not distinguishable from `{BASE_LOSS}`"


class Advice(NamedTuple):
    """A purpose, the losses to use for it, and the evidence."""

    purpose: str
    losses: str
    evidence: str


def advice(evidence: Evidence) -> list[Advice]:
    """One line per purpose whose part is there; none is named where seeds are too few for an exact
    test, or to tell the best one from softmax."""
    lines = []
    for purpose, part, metric, tolerance in _PURPOSES:
        if part not in evidence.parts or not evidence.scores(part, metric).values:
            continue
        scores = evidence.scores(part, metric)
        if metric == "seconds" and shared_machine(scores):
            continue
        best = scores.leader
        reference = f"; `{BASE_LOSS}`: {scores.text(BASE_LOSS)}" if BASE_LOSS in scores.values else ""
        means = f"{metric_name(metric)} of `{best}`: {scores.text(best)}{reference} ({scores.seeds_text})"
        if number_spec(metric).as_loss_compares:
            means += ", by cosine or Euclidean distance as each loss compares"
        close, settled = close_losses(scores, best, tolerance)
        verdicts = {row.loss: row.verdict for row in evidence.against(part, metric, best)}
        unclear = BASE_LOSS not in close and verdicts.get(BASE_LOSS) == "not distinguishable"
        if scores.provisional or unclear:
            lines.append(Advice(purpose, _TOO_FEW_SEEDS if scores.provisional else _NOT_TOLD, means))
            continue
        lines.append(
            Advice(
                purpose,
                ", ".join(f"`{loss}`" for loss in close),
                f"{means}. Interval within {size_text(metric, tolerance)} of it: {len(close)} of "
                f"{len(scores.values)}; open: {len(scores.values) - settled}",
            )
        )
    return lines


def close_losses(scores: Scores, best: str, tolerance: float) -> tuple[list[str], int]:
    """The losses whose 95 % interval of the paired difference to the best lies within the tolerance, the best
    first; and for how many losses it lies within or beyond, so that the question is settled."""
    sign = better_sign(scores.metric) or 1
    close, settled = [best], 1
    for row in compare_scores(scores, best, list(scores.values)):
        mean, half_width = sign * row.paired.difference.mean, row.paired.difference.half_width
        if mean - half_width >= -tolerance:
            close.append(row.loss)
        settled += mean - half_width >= -tolerance or mean + half_width < -tolerance
    return close, settled
