"""What a finding says of the best loss, and of all losses against softmax."""

from collections.abc import Sequence
from typing import NamedTuple

from ...experiments.comparison import ComparisonRow
from ...experiments.loss_benchmark import ONE_RULE
from ...runs.config import BASE_LOSS
from ...specs.quantities import MAIN_METRIC, metric_name, number_spec
from ...tables import Table
from .evidence import Evidence
from .scores import (
    Scores,
    classifies_by_means,
    compares_by_cosine,
    difference_text,
    trains_on_balanced_batches,
)

_NAMED = 8  # losses in a sentence with their differences; more only with their names


class Text(NamedTuple):
    """What a finding says in one or two short sentences, and what belongs to it in detail."""

    sentence: str
    details: tuple[str, ...] = ()
    table: Table | None = None


def join(texts: Sequence[Text]) -> Text:
    """The sentences one after the other, and the details of all, each once."""
    details = [detail for text in texts for detail in text.details]
    once = reversed(dict.fromkeys(reversed(details)))  # how it was tested stands last
    return Text(" ".join(text.sentence for text in texts if text.sentence), tuple(once))


def best_loss(evidence: Evidence, part: str, metric: str) -> Text:
    """The loss with the best mean, and those not distinguishable from it."""
    scores, name = evidence.scores(part, metric), metric_name(metric)
    best = scores.leader
    ahead = list(scores.values)[: list(scores.values).index(best)]
    rows = [row for row in evidence.against(part, metric, best) if not row.decided]
    close = ", ".join(f"`{row.loss}`" + f" ({difference_text(row)})" * (len(rows) <= _NAMED) for row in rows)
    details = [f"A better mean in {name}, but not all runs done: {listed(ahead)}."] * bool(ahead)
    details += [f"Not distinguishable from `{best}` in {name}: {close}."] * bool(rows)
    others = len(scores.values) - 1
    worse = f"all {others} others are worse" if not ahead else f"all {others - len(ahead)} after it are worse"
    text = f"{len(rows)} of the {others} others {are(rows)} not distinguishable from it" if rows else worse
    return Text(
        f"In {name}, `{best}` has the best mean{' of those whose runs were all done' * bool(ahead)}, "
        f"{scores.text(best)}; {text} ({scores.seeds_text}).",
        (*details, tests(scores)),
    )


def against_softmax(evidence: Evidence, part: str, metric: str) -> Text:
    """How many losses are better and worse than softmax, and which."""
    rows, scores = evidence.against(part, metric), evidence.scores(part, metric)
    if not rows:
        return Text(f"There is nothing to compare with `{BASE_LOSS}` in {metric_name(metric)}.")
    better, worse = (with_verdict(rows, verdict) for verdict in ("better", "worse"))
    equal = [row.loss for row in rows if not row.decided]
    lower = [row.loss for row in rows if row.paired.n > 1 and max(row.paired.differences) < 0]
    everywhere = "at every seed" if scores.blocks == 1 else "in every pair"
    best, worst = rows[0], rows[-1]
    detail = (
        f"`{BASE_LOSS}` has {scores.text(BASE_LOSS)} in {metric_name(metric)}. Better: {listed(better)}. Not "
        f"distinguishable: {count(equal)}. Below it {everywhere}: {count(lower)}. The last, "
        f"`{worst.loss}`, differs by {difference_text(worst)} ({worst.verdict or 'not tested'})."
    )
    return Text(
        f"In {metric_name(metric)}, {count(better)} of {len(rows)} losses {are(better)} better than "
        f"`{BASE_LOSS}` and {count(worse)} {are(worse)} worse; the best of them, `{best.loss}`, differs by "
        f"{difference_text(best)} ({scores.seeds_text}).",
        (detail, *_unlike_softmax(evidence, part, metric, better, worse), tests(scores)),
    )


def tests(scores: Scores) -> str:
    """How many seeds were compared, by which test."""
    return f"Compared over {scores.tested_text}."


def _unlike_softmax(
    evidence: Evidence, part: str, metric: str, better: Sequence[str], worse: Sequence[str]
) -> list[str]:
    """In what else the losses that differ from softmax differ from it, where that can change the metric."""
    texts = []
    ruled = [loss for loss in better if classifies_by_means(loss)]
    if metric == MAIN_METRIC and ruled:
        text = f"{_share(ruled, better, 'better')} not tested by class scores, as `{BASE_LOSS}` is."
        nearest = evidence.against(part, ONE_RULE)
        if nearest:
            also = [loss for loss in ruled if loss in with_verdict(nearest, "better")]
            text += f" By {metric_name(ONE_RULE)}, one rule for all losses, better of these: {listed(also)}."
        texts.append(text)
    balanced = [loss for loss in better if trains_on_balanced_batches(loss)]
    if balanced:
        texts.append(
            f"{_share(balanced, better, 'better')} trained on class-balanced batches and `{BASE_LOSS}` on "
            "shuffled ones: this may be the batches and not the loss."
        )
    if number_spec(metric).as_loss_compares:
        for losses, verdict in ((better, "better"), (worse, "worse")):
            cosine = [loss for loss in losses if compares_by_cosine(loss)]
            if cosine:
                texts.append(
                    f"{_share(cosine, losses, verdict)} measured by cosine and `{BASE_LOSS}` by Euclidean "
                    "distance: this may be the distance and not the loss."
                )
    return texts


def _share(some: Sequence[str], losses: Sequence[str], verdict: str) -> str:
    """The beginning of a sentence on some of the losses with a verdict."""
    if len(some) < len(losses):
        return f"Of the {len(losses)} that are {verdict}, {len(some)} {are(some)}"
    return f"All {len(losses)} that are {verdict} are" if len(losses) > 1 else f"The one that is {verdict} is"


def with_verdict(rows: Sequence[ComparisonRow], verdict: str) -> list[str]:
    """The losses whose comparison has this verdict."""
    return [row.loss for row in rows if row.verdict == verdict]


def listed(losses: Sequence[str]) -> str:
    """Losses by their names, for Markdown."""
    return ", ".join(f"`{loss}`" for loss in losses) or "none"


def count(losses: Sequence[object]) -> str:
    """How many there are, in a sentence."""
    return str(len(losses)) if losses else "none"


def are(losses: Sequence[object]) -> str:
    """The verb for so many losses."""
    return "is" if len(losses) < 2 else "are"
