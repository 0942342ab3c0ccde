"""Which losses to use for which purpose: those whose difference to the best one has an interval near 0."""

from collections.abc import Sequence
from typing import NamedTuple

from ...experiments.loss_benchmark import MAPS, OTHER_DATA
from ...runs.config import BASE_LOSS
from ...specs.quantities import MAIN_METRIC, better_sign, metric_name, number_spec
from .comparison_text import listed, with_verdict
from .evidence import Evidence
from .scores import (
    Scores,
    classifies_by_means,
    compare_scores,
    compares_by_cosine,
    shared_machine,
    size_text,
    trains_on_balanced_batches,
)

_PURPOSES = (
    ("the best test accuracy", "defaults", MAIN_METRIC, 0.002),
    ("neighbours of the same class first, by Euclidean distance", "defaults", MAPS[0], 0.005),
    ("neighbours of the same class first, by direction (cosine)", "defaults", MAPS[1], 0.005),
    ("to verify pairs of images, at one false accept in 1,000", "defaults", "tar-at-far-1e-3", 0.01),
    ("compact classes far apart, by Euclidean distance", "defaults", "spread-gap", 0.02),
    ("a small calibration error without temperature scaling", "defaults", "ece", 0.005),
    ("the shortest training", "defaults", "seconds", 1.0),
    ("to reject classes that training did not know", "open-set", "open-set-auroc", 0.01),
    ("new classes from five examples each", "open-set", "unseen-5-shot", 0.01),
)
"""Purpose, part, metric, and how much worse than the best a loss may be, in the unit of the JSON."""

_TOO_FEW_SEEDS = "no loss can be named yet, for too few seeds"
_NOT_TOLD = f"no loss can be named yet: the best one is not distinguishable from `{BASE_LOSS}`"


class Advice(NamedTuple):
    """A purpose, the losses to use for it, and the evidence in short sentences."""

    purpose: str
    losses: str
    evidence: tuple[str, ...]


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
        means = _means(evidence, part, metric, best)
        close, settled = close_losses(scores, best, tolerance)
        undecided = [row.loss for row in evidence.against(part, metric, best) if not row.decided]
        unclear = BASE_LOSS not in close and BASE_LOSS in undecided
        if scores.provisional or unclear:
            lines.append(Advice(purpose, _TOO_FEW_SEEDS if scores.provisional else _NOT_TOLD, (means,)))
            continue
        within = (
            f"Within {size_text(metric, tolerance)} of `{best}`: {len(close)} of {len(scores.values)}; "
            f"undecided: {len(scores.values) - settled}."
        )
        tested = _against_softmax(evidence, part, metric, close)
        details = [means, *tested, within, *_elsewhere(evidence, part, metric, best)]
        lines.append(Advice(purpose, listed(close), tuple(details)))
    return lines


def _means(evidence: Evidence, part: str, metric: str, best: str) -> str:
    """The best loss and softmax, and by which distance each is measured where that depends on the loss."""
    scores = evidence.scores(part, metric)
    shown = []
    for loss in dict.fromkeys(each for each in (best, BASE_LOSS) if each in scores.values):
        distance = "cosine" if compares_by_cosine(loss) else "Euclidean distance"
        by = f" by {distance}" if number_spec(metric).as_loss_compares else ""
        shown.append(f"{scores.text(loss)} under `{loss}`{by}")
    text = f"Evidence: {metric_name(metric)} {', '.join(shown)} ({scores.seeds_text})."
    for other in MAPS if metric in MAPS else ():
        if other != metric and BASE_LOSS in scores.values:
            text += (
                f" In {metric_name(other)} `{BASE_LOSS}` has {evidence.scores(part, other).text(BASE_LOSS)}."
            )
    return text


def _against_softmax(evidence: Evidence, part: str, metric: str, close: Sequence[str]) -> list[str]:
    """Which of the losses are better than softmax, and which are not classified or trained as softmax is."""
    rows = [row for row in evidence.against(part, metric) if row.loss in close]
    better, worse = (with_verdict(rows, verdict) for verdict in ("better", "worse"))
    equal = len(rows) - len(better) - len(worse)
    if not rows:
        texts = []
    elif len(better) == len(rows) > 1:
        texts = [f"All of these are better than `{BASE_LOSS}`."]
    else:
        others = f" Not distinguishable from `{BASE_LOSS}`: {equal}{' of the others' * bool(better)}."
        texts = [f"Better than `{BASE_LOSS}`: {listed(better)}.{others * bool(equal)}"]
    means = [loss for loss in close if classifies_by_means(loss)]
    if metric == MAIN_METRIC and means:
        texts.append(f"Classified by the nearest class mean, not by class scores: {listed(means)}.")
    balanced = [loss for loss in close if trains_on_balanced_batches(loss)]
    if balanced:
        texts.append(f"Trained on class-balanced batches, and `{BASE_LOSS}` is not: {listed(balanced)}.")
    return texts


def _elsewhere(evidence: Evidence, part: str, metric: str, best: str) -> list[str]:
    """The rank of the best loss by the same metric on other data, and in the largest dimension."""
    if part != "defaults":
        return []
    ranks = []
    other_data = [(part, f"on {title}") for part, title in OTHER_DATA.items()]
    for name, where in (*other_data, ("dimensions", "in {}")):
        if name in evidence.parts and best in evidence.scores(name, metric).values:
            blocks = evidence.blocks(name)
            scores = evidence.scores(name, metric, len(blocks) - 1)
            rank = list(scores.values).index(best) + 1
            condition = where.format(blocks[-1].label.rpartition(", ")[2])
            ranks.append(f"{rank} of {len(scores.values)} {condition} ({scores.seeds_text})")
    return [f"Rank of `{best}` elsewhere: {', '.join(ranks)}."] * bool(ranks)


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
