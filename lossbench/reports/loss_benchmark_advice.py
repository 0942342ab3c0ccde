"""Which loss for which purpose: the advice that follows from the benchmark, by the rules of PROTOCOL.md."""

from typing import NamedTuple

from ..runs.config import BASE_LOSS
from ..specs.quantities import MAIN_METRIC, metric_name
from .loss_benchmark import Evidence, difference_text
from .loss_benchmark_findings import MAP, NAMED, shared_machine

_PURPOSES = (
    ("the best test accuracy", "defaults", MAIN_METRIC),
    ("retrieval: neighbours of the same class first", "defaults", MAP),
    ("verification of pairs at few false accepts", "defaults", "tar-at-far-1e-3"),
    ("compact classes far apart", "defaults", "spread-gap"),
    ("probabilities that can be trusted", "defaults", "ece"),
    ("the shortest training", "defaults", "seconds"),
    ("to reject classes that training did not know", "open-set", "open-set-auroc"),
    ("new classes from five examples each", "open-set", "unseen-5-shot"),
)


class Advice(NamedTuple):
    """A purpose, the losses to use for it, and the evidence."""

    purpose: str
    losses: str
    evidence: str


def advice(evidence: Evidence) -> list[Advice]:
    """One line per purpose whose part is there: the best loss, and what cannot be told apart from it."""
    lines = []
    for purpose, part, metric in _PURPOSES:
        if part not in evidence.parts or not evidence.scores(part, metric).values:
            continue
        scores, first = evidence.scores(part, metric), evidence.groups(part, metric)[0]
        if metric == "seconds" and shared_machine(scores):
            continue
        best = scores.leader
        reference = f"; `{BASE_LOSS}`: {scores.text(BASE_LOSS)}" if BASE_LOSS not in first else ""
        more = f" and {len(first) - NAMED} more" if len(first) > NAMED else ""
        lines.append(
            Advice(
                purpose,
                ", ".join(f"`{loss}`" for loss in first[:NAMED]) + more,
                f"{metric_name(metric)} of `{best}`: {scores.text(best)}{reference} ({scores.seeds_text})",
            )
        )
    if "defaults" in evidence.parts:
        lines[1:1] = _both(evidence)
    return lines


def _both(evidence: Evidence) -> list[Advice]:
    """Losses of the first group in accuracy that are better than softmax in MAP@R."""
    accurate = evidence.groups("defaults", MAIN_METRIC)[0]
    rows = [
        row for row in evidence.against("defaults", MAP) if row.verdict == "better" and row.loss in accurate
    ]
    if not rows:
        return []
    names = ", ".join(f"`{row.loss}`" for row in rows[:NAMED])
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    text = (
        f"in the first group by test accuracy, and better than `{BASE_LOSS}` by MAP@R: `{rows[0].loss}` by "
        f"{difference_text(rows[0])}"
    )
    return [Advice("accuracy and retrieval at once", names + more, text)]
