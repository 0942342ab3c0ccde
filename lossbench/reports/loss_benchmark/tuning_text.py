"""What the finding on tuning says: each loss with tuned settings against itself at its defaults."""

import re
from collections.abc import Sequence

from ...experiments.comparison import ComparisonRow
from ...experiments.loss_benchmark import MAPS
from ...runs.config import BASE_LOSS
from ...specs.quantities import MAIN_METRIC, metric_name
from .comparison_text import Text, are, count, join, listed, tests, with_verdict
from .evidence import Evidence, gains, tuned_rows
from .scores import compares_by_cosine, difference_text

_PART = "tuned"


def tuning_text(evidence: Evidence) -> Text:
    """How many losses tuning makes better, by both distances, and what it does to test accuracy."""
    texts = [_by_metric(evidence, metric) for metric in MAPS]
    rows = _sorted_rows(evidence, MAIN_METRIC)
    better, worse = (with_verdict(rows, verdict) for verdict in ("better", "worse"))
    accuracy = (
        f"Settings were chosen by MAP@R as each loss compares features, and by nothing else. In "
        f"{metric_name(MAIN_METRIC)}, {count(better)} {are(better)} better with tuned settings and "
        f"{count(worse)} {are(worse)} worse: "
    )
    details = [f"{accuracy}{_extremes(rows)} Worse: {listed(worse)}."] if rows else []
    first, second = (evidence.blocks(part)[0].rows for part in ("defaults", _PART))
    same = [  # the names of runs hold their settings
        loss for loss in first if loss in second and first[loss].runs.items() & second[loss].runs.items()
    ]
    details.append(f"The settings stay the defaults where no trial was better: {listed(sorted(same))}.")
    details += _other_machines(evidence)
    details.append(tests(gains(evidence, MAPS[0])))
    return join([*texts, Text("", tuple(details))])


def _by_metric(evidence: Evidence, metric: str) -> Text:
    rows, name = _sorted_rows(evidence, metric), metric_name(metric)
    if not rows:
        return Text(f"In {name}, no loss has a seed both at its defaults and with tuned settings.")
    better, worse = (with_verdict(rows, verdict) for verdict in ("better", "worse"))
    own = [row for row in rows if _was_tuned_for(row.loss, metric)]
    own_better, own_worse = (with_verdict(own, verdict) for verdict in ("better", "worse"))
    before, after = (evidence.scores(part, metric).leader for part in ("defaults", _PART))
    changes = (
        f"is that of `{after}` in place of `{before}`" if before != after else f"stays that of `{after}`"
    )
    return Text(
        f"In {name}, {count(better)} of {len(rows)} losses {are(better)} better with tuned settings than at "
        f"their defaults and {count(worse)} {are(worse)} worse, of the {len(own)} that were tuned for it "
        f"{count(own_better)} and {count(own_worse)}; the best mean {changes}.",
        (f"In {name}, {_extremes(rows)} Worse: {listed(worse)}.", *_against_tuned_softmax(evidence, metric)),
    )


def _sorted_rows(evidence: Evidence, metric: str) -> list[ComparisonRow]:
    """The losses with a seed of both kinds, the largest gain first."""
    rows = [row for row in tuned_rows(evidence, metric) if row.paired.n]
    return sorted(rows, key=lambda row: -row.paired.difference.mean)


def _extremes(rows: Sequence[ComparisonRow]) -> str:
    first, last = (f"{difference_text(row)} ({row.verdict or 'not tested'})" for row in (rows[0], rows[-1]))
    return f"`{rows[0].loss}` gains most, {first}. The last, `{rows[-1].loss}`, differs by {last}."


def _was_tuned_for(loss: str, metric: str) -> bool:
    """Whether the metric compares features as the loss does, and as the search for its settings did."""
    return compares_by_cosine(loss) == (metric == MAPS[1])


def _against_tuned_softmax(evidence: Evidence, metric: str) -> list[str]:
    """The losses tuned for the metric against softmax, where that was tuned for it, too."""
    rows = [row for row in evidence.against(_PART, metric) if _was_tuned_for(row.loss, metric)]
    if not rows or not _was_tuned_for(BASE_LOSS, metric):
        return []
    better, worse = (with_verdict(rows, verdict) for verdict in ("better", "worse"))
    return [
        f"All with tuned settings, {count(better)} of the {len(rows)} other losses that were tuned for "
        f"{metric_name(metric)} {are(better)} better than `{BASE_LOSS}` and {count(worse)} {are(worse)} "
        f"worse; the best of them, `{rows[0].loss}`, differs by {difference_text(rows[0])}."
    ]


def _other_machines(evidence: Evidence) -> list[str]:
    """A sentence where a part was not trained on the machines of the defaults, or not in their precision."""
    first, second = (
        " and in ".join(sorted(set(re.findall(r"Convolutions in ([^;]+), [^,;]+ threads? per run", text))))
        for text in (evidence.parts[each].conditions for each in ("defaults", _PART))
    )
    text = f"The defaults were trained in {first}, the tuned settings in {second}: a difference may be the"
    return [f"{text} machine and not the settings."] * (first != second and "" not in (first, second))
