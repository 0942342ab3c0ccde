"""The ten findings of the benchmark, by the rules of PROTOCOL.md.

Every sentence is computed from the documents of the parts. One whose parts are not there has no answer.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..experiments.comparison import ComparisonRow
from ..experiments.loss_benchmark import MAPS, UNSEEN_MAPS
from ..runs.config import BASE_LOSS
from ..runs.config_builder import make_config
from ..specs.quantities import MAIN_METRIC, interval_text, metric_name, number_spec
from .loss_benchmark import (
    Evidence,
    Scores,
    by_distance,
    compare_scores,
    compares_by_cosine,
    difference_text,
    of_means,
    rank_correlation,
    ratio,
)

CENTER = "center"
_SHARED = 1.5  # ratio of the times of one loss above which other programs shared the machine
_NAMED = 8  # losses in a sentence; of more only their number
_FEWEST = 4  # losses of which a rank correlation says nothing


class Finding(NamedTuple):
    """A question of the protocol, the parts that answer it, and the rule that writes the sentence."""

    question: str
    parts: tuple[str, ...]
    rule: Callable[[Evidence], str]

    def missing(self, evidence: Evidence) -> list[str]:
        """The parts that are not there."""
        return [part for part in self.parts if part not in evidence.parts]


class Answer(NamedTuple):
    """A finding and its sentence, empty where parts are missing; commands made these parts."""

    question: str
    sentence: str
    commands: tuple[str, ...]
    missing: tuple[str, ...]


def answers(evidence: Evidence) -> list[Answer]:
    """All findings in the order of the protocol."""
    lines = []
    for finding in FINDINGS:
        missing = finding.missing(evidence)
        commands = dict.fromkeys(
            evidence.parts[part].command for part in finding.parts if part in evidence.parts
        )
        lines.append(
            Answer(
                finding.question, "" if missing else finding.rule(evidence), tuple(commands), tuple(missing)
            )
        )
    return lines


def _each(rule: Callable[[Evidence, str, str], str], part: str, *metrics: str) -> Callable[[Evidence], str]:
    """The sentence of each metric, one after the other."""
    return lambda evidence: " ".join(rule(evidence, part, metric) for metric in metrics)


def _best(evidence: Evidence, part: str, metric: str) -> str:
    scores = evidence.scores(part, metric)
    best = scores.leader
    rows = [row for row in evidence.against(part, metric, best) if row.verdict == "not distinguishable"]
    listed = _in_brackets([f"`{row.loss}` {difference_text(row)}" for row in rows])
    text = f"{len(rows)} {_are(rows)} not distinguishable from it{listed}" if rows else "all are worse"
    return (
        f"In {metric_name(metric)}, `{best}` has the best mean, {scores.text(best)}; of the "
        f"{len(scores.values) - 1} others {text} ({scores.tested_text})."
    )


def _against_softmax(evidence: Evidence, part: str, metric: str) -> str:
    rows, scores = evidence.against(part, metric), evidence.scores(part, metric)
    if not rows:
        return f"There is nothing to compare with `{BASE_LOSS}` in {metric_name(metric)}."
    better, worse, equal = (_with_verdict(rows, v) for v in ("better", "worse", "not distinguishable"))
    lower = [row.loss for row in rows if row.paired.n > 1 and max(row.paired.differences) < 0]
    high, low = (f"{difference_text(row)} (`{row.loss}`, {row.verdict})" for row in (rows[0], rows[-1]))
    return (
        f"In {metric_name(metric)}, {_count(better)} of the {len(rows)} others {_are(better)} better than "
        f"`{BASE_LOSS}`{_list(better)}, {_count(worse)} {_are(worse)} worse and {_count(equal)} "
        f"{_are(equal)} not distinguishable from it ({scores.tested_text}); {_count(lower)} {_are(lower)} "
        f"below it {'at every seed' if scores.blocks == 1 else 'in every pair'}. Mean differences to it are "
        f"from {high} to {low}." + _unlike_softmax(metric, better, worse)
    )


def _unlike_softmax(metric: str, better: Sequence[str], worse: Sequence[str]) -> str:
    """In what else the losses that differ from softmax differ from it, where that can change the metric."""
    text = ""
    ruled = [loss for loss in better if make_config(loss=loss).rule != make_config(loss=BASE_LOSS).rule]
    if metric == MAIN_METRIC and ruled:
        text += f" {_share(ruled, better, 'better')} not tested by class scores, as `{BASE_LOSS}` is."
    if number_spec(metric).as_loss_compares:
        for losses, verdict in ((better, "better"), (worse, "worse")):
            cosine = [loss for loss in losses if compares_by_cosine(loss)]
            if cosine:
                text += (
                    f" {_share(cosine, losses, verdict)} measured by cosine and `{BASE_LOSS}` by Euclidean "
                    "distance: this may be the distance and not the loss."
                )
    return text


def _share(some: Sequence[str], losses: Sequence[str], verdict: str) -> str:
    """The beginning of a sentence on some of the losses with a verdict."""
    if len(some) < len(losses):
        return f"Of the {len(losses)} that are {verdict}, {len(some)} {_are(some)}"
    return f"All {len(losses)} that are {verdict} are" if len(losses) > 1 else f"The one that is {verdict} is"


def _center(evidence: Evidence) -> str:
    texts = []
    for metric in (MAIN_METRIC, *MAPS):
        rows = [row for row in evidence.against("defaults", metric) if row.loss == CENTER]
        texts += [f"{difference_text(row)} in {metric_name(metric)} ({row.verdict})" for row in rows]
    seeds = evidence.scores("defaults", MAIN_METRIC).seeds_text
    return f"Center loss minus softmax: {', '.join(texts[:-1])} and {texts[-1]}, paired over {seeds}."


def _agreement(evidence: Evidence) -> str:
    accuracy = evidence.scores("defaults", MAIN_METRIC)
    texts = [
        f"with {metric_name(metric)} of {correlation_text(accuracy, evidence.scores('defaults', metric))}"
        for metric in MAPS
    ]
    return (
        f"Over the losses, test accuracy has a rank correlation {' and '.join(texts)} (Spearman, mean over "
        f"{accuracy.seeds_text}; intervals are over seeds, not over losses)."
    )


def _cost(evidence: Evidence) -> str:
    scores = evidence.scores("defaults", "seconds")
    fastest, *_, slowest = scores.values
    times = [_ratio(scores, slowest, loss) for loss in (fastest, BASE_LOSS)]
    if shared_machine(scores):
        spread = _spread(scores)
        return (
            f"The times say nothing about the losses: those of one and the same loss differ up to "
            f"{spread:.1f} times between seeds, so other programs shared the machine ({scores.seeds_text})."
        )
    return (
        f"The slowest loss, `{slowest}` ({scores.text(slowest)} a run), takes {times[0]} "
        f"times as long as the fastest, `{fastest}` ({scores.text(fastest)}), and {times[1]} times as "
        f"long as `{BASE_LOSS}` ({scores.seeds_text})."
    )


def _open_set(evidence: Evidence) -> str:
    rejection = "open-set-auroc"
    return " ".join([
        _best(evidence, "open-set", rejection),
        *(_against_softmax(evidence, "open-set", metric) for metric in (rejection, *UNSEEN_MAPS)),
        "The splits are fixed and share digits; with others the order may differ.",
    ])  # fmt: skip


def shared_machine(seconds: Scores) -> bool:
    """Whether the seconds of one and the same loss differ so much that other programs must have run, too."""
    return _spread(seconds) > _SHARED


def _spread(scores: Scores) -> float:
    """How many times as large as the smallest the largest number of one and the same loss is, at most."""
    return max((max(each.values()) / min(each.values()) for each in scores.values.values()), default=1.0)


def tuned_rows(evidence: Evidence, metric: str) -> list[ComparisonRow]:
    """Each loss with tuned settings against itself at the defaults, adjusted over losses."""
    before, after = (evidence.scores(part, metric) for part in ("defaults", "tuned"))
    shared = [loss for loss in after.values if loss in before.values]
    seeds = min(before.seeds, after.seeds)
    gains = {
        loss: {
            s: after.values[loss][s] - before.values[loss][s]
            for s in after.values[loss]
            if s in before.values[loss]
        }
        for loss in shared
    }
    nothing = {seed: 0.0 for gain in gains.values() for seed in gain}
    return compare_scores(Scores(metric, {**gains, "": nothing}, seeds, frozenset()), "", shared)


def _tuning(evidence: Evidence, _: str, metric: str) -> str:
    rows = tuned_rows(evidence, metric)
    better, worse = (_with_verdict(rows, verdict) for verdict in ("better", "worse"))
    before, after = (evidence.scores(part, metric).leader for part in ("defaults", "tuned"))
    top = max(rows, key=lambda row: row.paired.difference.mean)
    changes = (
        f"the best is `{after}` in place of `{before}`" if before != after else f"`{after}` stays the best"
    )
    return (
        f"In {metric_name(metric)}, {_count(better)} of {len(rows)} losses {_are(better)} better with tuned "
        f"settings than at their defaults and {_count(worse)} {_are(worse)} worse; `{top.loss}` gains most, "
        f"{difference_text(top)}; {changes}."
    )


def _transfer(evidence: Evidence, _: str, metric: str) -> str:
    labels = [block.label for block in evidence.blocks("dimensions")]
    plane, *_others, largest = (
        evidence.scores("dimensions", metric, number) for number in range(len(labels))
    )
    mnist, digits = evidence.scores("defaults", metric), evidence.scores("digits", metric)
    dimensions, datasets = (correlation_text(*pair) for pair in ((plane, largest), (mnist, digits)))
    seeds = f"{plane.seeds_text} without an interval" if plane.seeds < 2 else plane.seeds_text
    return (
        f"The rank correlation of losses by {metric_name(metric)} is {dimensions} between two dimensions and "
        f"{labels[-1].rpartition(', ')[2]} ({seeds}), and {datasets} between MNIST and the digits "
        f"({mnist.seeds_text})."
    )


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
        _each(_transfer, "dimensions", *MAPS),
    ),
)
"""The ten questions of PROTOCOL.md, in its order."""


def _with_verdict(rows: Sequence[ComparisonRow], verdict: str) -> list[str]:
    return [row.loss for row in rows if row.verdict == verdict]


def _count(losses: Sequence[str]) -> str:
    return str(len(losses)) if losses else "none"


def _are(losses: Sequence[object]) -> str:
    return "is" if len(losses) < 2 else "are"


def _list(losses: Sequence[str]) -> str:
    return _in_brackets([f"`{loss}`" for loss in losses])


def _in_brackets(texts: Sequence[str]) -> str:
    return f" ({', '.join(texts)})" if 0 < len(texts) <= _NAMED else ""


def correlation_text(first: Scores, second: Scores) -> str:
    """At one seed over all losses and over those of either distance alone; and that of the means."""
    texts = []
    sides = by_distance(first).items()
    if min(len(side.values) for _, side in sides) > _FEWEST:
        texts = [
            f"{_spearman(side, second)} among the {len(side.values)} that compare {name}"
            for name, side in sides
        ]
    if min(first.seeds, second.seeds) > 1:
        texts.append(f"{_spearman(of_means(first), of_means(second))} for the means over seeds")
    return _spearman(first, second) + _in_brackets(texts)


def _spearman(first: Scores, second: Scores) -> str:
    mean, half_width, _ = rank_correlation(first, second)
    return interval_text(mean, half_width, (-1.0, 1.0), 2, signed=True)


def _ratio(scores: Scores, above: str, below: str) -> str:
    mean, half_width, _ = ratio(scores, above, below)
    return interval_text(mean, half_width, (0.0, math.inf), 2)
