"""The ten findings of the benchmark, by the rules of PROTOCOL.md.

Every sentence is computed from the documents of the parts. One whose parts are not there has no answer.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..experiments.comparison import ComparisonRow
from ..experiments.loss_benchmark import MAPS, UNSEEN_MAPS
from ..runs.config import BASE_LOSS
from ..specs.quantities import MAIN_METRIC, interval_text, metric_name
from .loss_benchmark import (
    Evidence,
    Scores,
    choose_test,
    compare_scores,
    difference_text,
    rank_correlation,
    ratio,
)

CENTER = "center"
_SHARED = 1.5  # ratio of the times of one loss above which other programs shared the machine
_NAMED = 8  # losses in a sentence; of more only their number


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
    scores, (first, *_) = evidence.scores(part, metric), evidence.groups(part, metric)
    best = scores.leader
    others = [loss for loss in first if loss != best]
    text = (
        f"{len(others)} {_are(others)} not distinguishable from it{_list(others)}"
        if others
        else "all are worse"
    )
    return (
        f"In {metric_name(metric)}, `{best}` has the best mean, {scores.text(best)}; of the "
        f"{len(scores.values) - 1} others {text} ({_tested(scores)})."
    )


def _against_softmax(evidence: Evidence, part: str, metric: str) -> str:
    rows, scores = evidence.against(part, metric), evidence.scores(part, metric)
    if not rows:
        return f"There is nothing to compare with `{BASE_LOSS}` in {metric_name(metric)}."
    better, worse, equal = (_with_verdict(rows, v) for v in ("better", "worse", "not distinguishable"))
    lower = [row.loss for row in rows if row.paired.n > 1 and max(row.paired.differences) < 0]
    top, alike = rows[0], f"{len(equal)} {'is' if len(equal) == 1 else 'are'} not distinguishable from it"
    return (
        f"In {metric_name(metric)}, {_count(better)} of the {len(rows)} others {_are(better)} better than "
        f"`{BASE_LOSS}`{_list(better)}, {_count(worse)} {_are(worse)} worse and {alike} "
        f"({_tested(scores)}); {_count(lower)} {_are(lower)} below it at every seed; the largest difference "
        f"is that of `{top.loss}`, {difference_text(top)}."
    )


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
        f"{_correlation(accuracy, evidence.scores('defaults', metric))} with {metric_name(metric)}"
        for metric in MAPS
    ]
    return (
        f"Over the losses, test accuracy has a rank correlation of {' and of '.join(texts)} "
        f"(Spearman, mean over {accuracy.seeds_text})."
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
    dimensions, datasets = (_correlation(*pair) for pair in ((plane, largest), (mnist, digits)))
    return (
        f"The rank correlation of losses by {metric_name(metric)} is {dimensions} between two dimensions and "
        f"{labels[-1].rpartition(', ')[2]}, and {datasets} between MNIST and the digits "
        f"(Spearman, means over {plane.seeds_text} and {mnist.seeds_text})."
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


def _are(losses: Sequence[str]) -> str:
    return "is" if len(losses) < 2 else "are"


def _list(losses: Sequence[str]) -> str:
    return f" ({', '.join(f'`{loss}`' for loss in losses)})" if 0 < len(losses) <= _NAMED else ""


def _tested(scores: Scores) -> str:
    """How many seeds, and the test of verdicts over them."""
    if scores.seeds < 2:
        return f"{scores.seeds_text}, no test"
    return f"{scores.seeds_text}; {choose_test(len(scores.values), scores.seeds)}"


def _correlation(first: Scores, second: Scores) -> str:
    mean, half_width, _ = rank_correlation(first, second)
    return interval_text(mean, half_width, (-1.0, 1.0), 2, signed=True)


def _ratio(scores: Scores, above: str, below: str) -> str:
    mean, half_width, _ = ratio(scores, above, below)
    return interval_text(mean, half_width, (0.0, math.inf), 2)
