"""The ten findings of the benchmark, by the rules of PROTOCOL.md.

Every sentence is computed from the documents of the parts. One whose parts are not there has no answer.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from ...experiments.loss_benchmark import MAPS, OTHER_DATA, UNSEEN_MAPS
from ...runs.config import BASE_LOSS
from ...specs.quantities import MAIN_METRIC, interval_text, metric_name
from ...tables import Table, counted
from .comparison_text import Text, against_softmax, best_loss, count, join, tests, with_verdict
from .correlations import Pair, correlation_table
from .evidence import Evidence
from .scores import SHARED, Scores, difference_text, largest_ratio, ratio, shared_machine
from .tuning_text import tuning_text

CENTER = "center"


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
    return lambda evidence: join([rule(evidence, part, metric) for metric in metrics])


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
        (tests(scores),),
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
    losses = list(scores.values)
    fastest, slowest = losses[0], losses[-1]
    if shared_machine(scores):
        return Text(
            f"The stored times say nothing about the losses: those of one and the same loss differ up to "
            f"{largest_ratio(scores):.1f} times between seeds ({scores.seeds_text})."
        )
    others = {f"the fastest, `{fastest}`": fastest, f"`{BASE_LOSS}`": BASE_LOSS}
    times = [
        f"{_ratio(scores, slowest, loss)} times as long as {name}"
        for name, loss in others.items()
        if loss in scores.values
    ]
    slow = evidence.scores("defaults", MAIN_METRIC).seeds - scores.seeds
    left_out = (
        f" Left out: {counted(slow, 'seed')} at which some loss took more than {SHARED} times as long as at "
        "its fastest. Other programs ran then, or the machine or the version of lossbench was a slower one."
    )
    return Text(
        f"The slowest loss, `{slowest}`, takes {', and '.join(times)} ({scores.seeds_text}).",
        (f"A run takes {scores.text(slowest)} and {scores.text(fastest)}.{left_out * bool(slow)}",),
    )


def _open_set(evidence: Evidence) -> Text:
    metrics = ("open-set-auroc", *UNSEEN_MAPS)
    best = best_loss(evidence, "open-set", metrics[0])
    against = [against_softmax(evidence, "open-set", metric) for metric in metrics]
    counts = [
        f"{count(with_verdict(evidence.against('open-set', metric), 'better'))} in {metric_name(metric)}"
        for metric in metrics
    ]
    others = len(evidence.scores("open-set", metrics[0]).values) - 1
    details = join([
        best,
        *(Text("", (f"{text.sentence} {text.details[0]}", *text.details[1:])) for text in against),
        Text("", ("The splits are fixed and share digits; with others the order may differ.",)),
    ]).details  # fmt: skip
    return Text(
        f"{best.sentence} Better than `{BASE_LOSS}` are, of {others} losses, {', '.join(counts[:-1])} and "
        f"{counts[-1]}.",
        details,
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
    Finding(
        "Which loss has the best test accuracy?", ("defaults",), _each(best_loss, "defaults", MAIN_METRIC)
    ),
    Finding(
        "Which losses differ from softmax in test accuracy?",
        ("defaults",),
        _each(against_softmax, "defaults", MAIN_METRIC),
    ),
    Finding("Which loss has the best MAP@R?", ("defaults",), _each(best_loss, "defaults", *MAPS)),
    Finding(
        "Which losses differ from softmax in MAP@R?",
        ("defaults",),
        _each(against_softmax, "defaults", *MAPS),
    ),
    Finding("Does center loss differ from softmax?", ("defaults",), _center),
    Finding("Do accuracy and MAP@R rank the losses alike?", ("defaults",), _agreement),
    Finding("What does a loss cost?", ("defaults",), _cost),
    Finding("Which loss deals best with unseen digits?", ("open-set",), _open_set),
    Finding("What does tuning change?", ("defaults", "tuned"), tuning_text),
    Finding(
        "Does the ranking transfer to more dimensions and to other data?",
        ("defaults", "dimensions", "digits"),
        _transfer,
    ),
)
"""The ten questions of PROTOCOL.md, in its order."""


def _ratio(scores: Scores, above: str, below: str) -> str:
    mean, half_width, _ = ratio(scores, above, below)
    return interval_text(mean, half_width, (0.0, math.inf), 2)
