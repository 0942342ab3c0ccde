"""The ten findings of the benchmark, by the rules of PROTOCOL.md.

Every sentence is computed from the documents of the parts. One whose parts are not there has no answer.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...experiments.comparison import ComparisonRow
from ...experiments.loss_benchmark import MAPS, OTHER_DATA, UNSEEN_MAPS
from ...runs.config import BASE_LOSS
from ...specs.quantities import MAIN_METRIC, interval_text, metric_name, number_spec
from ...tables import Table
from .correlations import Pair, correlation_table
from .evidence import Evidence, tuned_rows
from .scores import (
    Scores,
    classifies_by_means,
    compares_by_cosine,
    difference_text,
    largest_ratio,
    ratio,
    shared_machine,
    trains_on_balanced_batches,
)

CENTER = "center"
ONE_RULE = "nn-accuracy"
"""The metric that classifies by the same rule under all losses, by the nearest training sample."""
_NAMED = 8  # losses in a sentence with their differences; more only with their names


class Text(NamedTuple):
    """What a finding says in one or two short sentences, and what belongs to it in detail."""

    sentence: str
    details: tuple[str, ...] = ()
    table: Table | None = None


class Finding(NamedTuple):
    """A question of the protocol, the parts that answer it, and the rule that writes the answer."""

    question: str
    parts: tuple[str, ...]
    rule: Callable[[Evidence], Text]


class Answer(NamedTuple):
    """A finding and its text, whose sentence is empty where parts are missing."""

    question: str
    parts: tuple[str, ...]
    missing: tuple[str, ...]
    sentence: str
    details: tuple[str, ...]
    table: Table | None


def answers(evidence: Evidence) -> list[Answer]:
    """All findings in the order of the protocol."""
    lines = []
    for question, parts, rule in FINDINGS:
        missing = tuple(part for part in parts if part not in evidence.parts)
        lines.append(Answer(question, parts, missing, *(Text("") if missing else rule(evidence))))
    return lines


def _each(rule: Callable[[Evidence, str, str], Text], part: str, *metrics: str) -> Callable[[Evidence], Text]:
    """The text of each metric, one after the other."""
    return lambda evidence: _join([rule(evidence, part, metric) for metric in metrics])


def _join(texts: Sequence[Text]) -> Text:
    details = [detail for text in texts for detail in text.details]
    once = reversed(dict.fromkeys(reversed(details)))  # how it was tested stands last
    return Text(" ".join(text.sentence for text in texts), tuple(once))


def _best(evidence: Evidence, part: str, metric: str) -> Text:
    scores = evidence.scores(part, metric)
    best = scores.leader
    rows = [row for row in evidence.against(part, metric, best) if not row.decided]
    close = ", ".join(f"`{row.loss}`" + f" ({difference_text(row)})" * (len(rows) <= _NAMED) for row in rows)
    details = [f"Not distinguishable from `{best}` in {metric_name(metric)}: {close}."] * bool(rows)
    others = len(scores.values) - 1
    text = f"{len(rows)} of the {others} others {_are(rows)} not distinguishable from it"
    return Text(
        f"In {metric_name(metric)}, `{best}` has the best mean, {scores.text(best)}; "
        f"{text if rows else f'all {others} others are worse'} ({scores.seeds_text}).",
        (*details, _tests(scores)),
    )


def _against_softmax(evidence: Evidence, part: str, metric: str) -> Text:
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
        f"distinguishable: {_count(equal)}. Below it {everywhere}: {_count(lower)}. The last, "
        f"`{worst.loss}`, differs by {difference_text(worst)} ({worst.verdict or 'not tested'})."
    )
    return Text(
        f"In {metric_name(metric)}, {_count(better)} of {len(rows)} losses {_are(better)} better than "
        f"`{BASE_LOSS}` and {_count(worse)} {_are(worse)} worse; the best of them, `{best.loss}`, differs by "
        f"{difference_text(best)} ({scores.seeds_text}).",
        (detail, *_unlike_softmax(evidence, part, metric, better, worse), _tests(scores)),
    )


def _tests(scores: Scores) -> str:
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
        return f"Of the {len(losses)} that are {verdict}, {len(some)} {_are(some)}"
    return f"All {len(losses)} that are {verdict} are" if len(losses) > 1 else f"The one that is {verdict} is"


def _center(evidence: Evidence) -> Text:
    every = [row for metric in (MAIN_METRIC, *MAPS) for row in evidence.against("defaults", metric)]
    rows = [row for row in every if row.loss == CENTER]
    if not rows:
        return Text(f"`{CENTER}` was not trained.")
    scores = evidence.scores("defaults", MAIN_METRIC)
    verdicts = [
        f"{difference_text(row)} in {metric_name(row.metric)}, {row.verdict or 'not tested'}" for row in rows
    ]
    return Text(
        f"Center loss minus softmax, paired over {scores.seeds_text}: {'; '.join(verdicts)}.",
        (_tests(scores),),
    )


def _agreement(evidence: Evidence) -> Text:
    accuracy = evidence.scores("defaults", MAIN_METRIC)
    pairs = [Pair(metric_name(metric), accuracy, evidence.scores("defaults", metric)) for metric in MAPS]
    texts = [f"{pair.text} with {pair.name}" for pair in pairs]
    return Text(
        f"Over the {len(accuracy.values)} losses, test accuracy has a rank correlation of "
        f"{' and of '.join(texts)}, over {pairs[0].seeds} seeds. 1 would mean the same order of the losses, "
        "0 no relation.",
        ("Spearman's coefficient at each seed, then the mean; intervals are over seeds, not over losses.",),
        correlation_table("test accuracy with", pairs),
    )


def _cost(evidence: Evidence) -> Text:
    scores = evidence.scores("defaults", "seconds")
    fastest, *_, slowest = scores.values
    if shared_machine(scores):
        return Text(
            f"The stored times say nothing about the losses. Those of one and the same loss differ up to "
            f"{largest_ratio(scores):.1f} times between seeds, so other programs shared the machine "
            f"({scores.seeds_text})."
        )
    times = [_ratio(scores, slowest, loss) for loss in (fastest, BASE_LOSS)]
    return Text(
        f"The slowest loss, `{slowest}`, takes {times[0]} times as long as the fastest, `{fastest}`, and "
        f"{times[1]} times as long as `{BASE_LOSS}` ({scores.seeds_text}).",
        (f"A run takes {scores.text(slowest)} and {scores.text(fastest)}.",),
    )


def _open_set(evidence: Evidence) -> Text:
    metrics = ("open-set-auroc", *UNSEEN_MAPS)
    best = _best(evidence, "open-set", metrics[0])
    against = [_against_softmax(evidence, "open-set", metric) for metric in metrics]
    counts = [
        f"{_count(with_verdict(evidence.against('open-set', metric), 'better'))} in {metric_name(metric)}"
        for metric in metrics
    ]
    others = len(evidence.scores("open-set", metrics[0]).values) - 1
    details = _join([
        best,
        *(Text("", (f"{text.sentence} {text.details[0]}", *text.details[1:])) for text in against),
        Text("", ("The splits are fixed and share digits; with others the order may differ.",)),
    ]).details  # fmt: skip
    return Text(
        f"{best.sentence} Better than `{BASE_LOSS}` are, of {others} losses, {', '.join(counts[:-1])} and "
        f"{counts[-1]}.",
        details,
    )


def _tuning(evidence: Evidence, _: str, metric: str) -> Text:
    rows = tuned_rows(evidence, metric)
    better, worse = (with_verdict(rows, verdict) for verdict in ("better", "worse"))
    before, after = (evidence.scores(part, metric).leader for part in ("defaults", "tuned"))
    top = max(rows, key=lambda row: row.paired.difference.mean)
    changes = f"is `{after}` in place of `{before}`" if before != after else f"stays `{after}`"
    return Text(
        f"In {metric_name(metric)}, {_count(better)} of {len(rows)} losses {_are(better)} better with tuned "
        f"settings than at their defaults and {_count(worse)} {_are(worse)} worse; the best {changes}.",
        (f"In {metric_name(metric)}, `{top.loss}` gains most, {difference_text(top)}.",),
    )


def _transfer(evidence: Evidence) -> Text:
    labels = [block.label for block in evidence.blocks("dimensions")]
    largest = labels[-1].rpartition(", ")[2]
    between = {f"2-D and {largest}": (("dimensions", 0), ("dimensions", len(labels) - 1))}
    for part, title in OTHER_DATA.items():
        if part in evidence.parts:
            between[f"MNIST and {title}"] = (("defaults", 0), (part, 0))
    sentences: list[str] = []
    tabled: list[Pair] = []
    for sides, blocks in between.items():
        pairs = [
            Pair(f"{metric_name(metric)}, {sides}", *(evidence.scores(part, metric, n) for part, n in blocks))
            for metric in MAPS
        ]
        by_metric = " and ".join(f"{pair.text} by {metric_name(pair.first.metric)}" for pair in pairs)
        seeds = f"{pairs[0].seeds} seeds" if pairs[0].seeds > 1 else "1 seed, without an interval"
        what = "it" if len(sentences) == 1 else "the rank correlation of the losses"
        sentences.append(f"Between {sides} {what} is {by_metric} ({seeds}).")
        tabled += pairs
    return Text(" ".join(sentences[:2]), tuple(sentences[2:]), correlation_table("rank correlation", tabled))


FINDINGS = (
    Finding("Which loss has the best test accuracy?", ("defaults",), _each(_best, "defaults", MAIN_METRIC)),
    Finding(
        "Which losses differ from softmax in test accuracy?",
        ("defaults",),
        _each(_against_softmax, "defaults", MAIN_METRIC),
    ),
    Finding("Which loss has the best MAP@R?", ("defaults",), _each(_best, "defaults", *MAPS)),
    Finding(
        "Which losses differ from softmax in MAP@R?",
        ("defaults",),
        _each(_against_softmax, "defaults", *MAPS),
    ),
    Finding("Does center loss differ from softmax?", ("defaults",), _center),
    Finding("Do accuracy and MAP@R rank the losses alike?", ("defaults",), _agreement),
    Finding("What does a loss cost?", ("defaults",), _cost),
    Finding("Which loss deals best with unseen digits?", ("open-set",), _open_set),
    Finding("What does tuning change?", ("defaults", "tuned"), _each(_tuning, "tuned", *MAPS)),
    Finding(
        "Does the ranking transfer to more dimensions and to other data?",
        ("defaults", "dimensions", "digits"),
        _transfer,
    ),
)
"""The ten questions of PROTOCOL.md, in its order."""


def with_verdict(rows: Sequence[ComparisonRow], verdict: str) -> list[str]:
    """The losses whose comparison has this verdict."""
    return [row.loss for row in rows if row.verdict == verdict]


def listed(losses: Sequence[str]) -> str:
    """Losses by their names, for Markdown."""
    return ", ".join(f"`{loss}`" for loss in losses) or "none"


def _count(losses: Sequence[object]) -> str:
    return str(len(losses)) if losses else "none"


def _are(losses: Sequence[object]) -> str:
    return "is" if len(losses) < 2 else "are"


def _ratio(scores: Scores, above: str, below: str) -> str:
    mean, half_width, _ = ratio(scores, above, below)
    return interval_text(mean, half_width, (0.0, math.inf), 2)
