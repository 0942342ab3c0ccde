"""What the benchmark does not show: limits that follow from its documents, and threats to validity."""

import numpy as np

from ...experiments.loss_benchmark import MAPS, PARTS
from ...runs.config import BASE_LOSS
from ...specs import catalog
from ...specs.quantities import MAIN_METRIC, format_value, metric_name
from .evidence import Evidence
from .findings import answers
from .scores import size_text

_POOR = 3  # times the median test error of a block from which a run trained badly


def limits(evidence: Evidence) -> list[str]:
    """What the numbers do not say, with how large a difference would have been seen."""
    lines = [
        "- `not distinguishable` does not mean equal. Only the ten questions above are decided by the rules."
    ]
    tested = [name for name, each in evidence.parts.items() if each.settings and name != "dimensions"]
    few = [name for name in tested if evidence.scores(name, evidence.parts[name].metrics[0]).provisional]
    if few:
        lines.append(
            f"- {', '.join(few)}: with so few seeds the exact test can say nothing. Verdicts are those of t "
            "tests, which hold only as far as the differences are normally distributed."
        )
    if "defaults" in evidence.parts:
        lines += filter(None, [_precision(evidence, metric) for metric in (MAIN_METRIC, *MAPS)])
        lines.append(
            "- The loss with the best mean was chosen among many by that mean, so its lead is partly chance: "
            "its interval does not allow for that. Intervals of rank correlations cover seeds, not the "
            "choice of losses. One seed of either side also varies by chance, so the correlation of single "
            "seeds can be below that of the means."
        )
    if "open-set" in evidence.parts:
        lines.append(
            "- open-set: the splits are fixed and each digit is unseen in two of them, so pairs of a seed "
            "and a split are not independent draws. Verdicts hold for these splits only."
        )
    for answer in answers(evidence):
        if not answer.sentence:
            lines.append(
                f"- {answer.question} Not answered: no finished runs of {', '.join(answer.missing)}."
            )
    cut = [
        f"{name} ({len(evidence.blocks(name)[0].seeds)} of {len(PARTS[name].seeds)})"
        for name, document in evidence.parts.items()
        if document.settings and len(evidence.blocks(name)[0].seeds) < len(PARTS[name].seeds)
    ]
    for name, document in evidence.parts.items():
        unmeasured = [metric_name(each) for each in PARTS[name].metrics if each not in document.metrics]
        if document.settings and unmeasured:
            lines.append(f"- Not measured yet in {name}: {', '.join(unmeasured)}.")
    if cut:
        lines.append(f"- Fewer seeds than planned, for all losses alike: {', '.join(cut)}.")
    return ["\n".join(lines)]


def _precision(evidence: Evidence, metric: str) -> str:
    """How large differences to softmax are that have a verdict, and that have none."""
    rows = evidence.against("defaults", metric)
    differences = [row.paired.difference for row in rows]
    widths = [each.half_width for each in differences if np.isfinite(each.half_width)]
    if not widths:
        return ""
    decided, others = (
        [abs(row.paired.difference.mean) for row in rows if row.decided != equal] for equal in (False, True)
    )
    sizes = [f"the smallest that has a verdict is {size_text(metric, min(decided))}"] if decided else []
    sizes += [f"the largest without one is {size_text(metric, max(others))}"] if others else []
    return (
        f"- {metric_name(metric)}: the 95 % interval of a difference to {BASE_LOSS} is "
        f"± {size_text(metric, float(np.median(widths)))} for the median loss. A verdict over "
        f"{len(differences)} losses needs more than an interval that leaves out 0, and depends on how much a "
        f"loss varies: {'; '.join(sizes)}."
    )


def poor_runs(evidence: Evidence) -> str:
    """The losses with finished runs that trained badly: neither `diverged` nor `failed` counts them."""
    texts = []
    for name in evidence.parts:
        for number, block in enumerate(evidence.blocks(name)):
            values = evidence.scores(name, MAIN_METRIC, number).values
            everything = [value for each in values.values() for value in each.values()]
            if not everything:
                continue
            edge = 1 - _POOR * (1 - float(np.median(everything)))
            poor = {
                loss: low for loss, each in values.items() if (low := [v for v in each.values() if v < edge])
            }
            runs = [f"`{loss}` {len(low)}, down to {_percent(min(low))}" for loss, low in poor.items()]
            texts.append(
                f"- {name}, {block.label}, below {_percent(edge)} test accuracy: {'; '.join(runs) or 'none'}."
            )
    if not texts:
        return ""
    return (
        f"Runs that were done, but with more than {_POOR} times the median test error. They count like all "
        "others, and a loss that has a few is hard to tell apart from any other:\n\n" + "\n".join(texts)
    )


def _percent(accuracy: float) -> str:
    return format_value(MAIN_METRIC, accuracy, unit=True)


def threats() -> str:
    """What may make the numbers mislead."""
    specs = {name: catalog.spec("losses", name) for name in catalog.names("losses")}
    balanced = ", ".join(name for name, spec in specs.items() if spec.sampler == "balanced")
    return _THREATS.format(balanced=balanced)


_THREATS = """\
- One small network, a short schedule and one easy data set. Test accuracy is close to its ceiling, and
  the 10,000 test images are the same for all seeds: intervals say nothing about other test images.
- The recipe was chosen with softmax, center loss and ArcFace in view; at their defaults, learning rate and
  weight decay are the same for all losses. The defaults of some losses were set after looking at test
  accuracy on MNIST at single seeds that are also used here; defaults of others come from papers on other
  data. Some losses have a bias or begin with a soft start, and softmax has neither.
- Losses on pairs are trained on batches with equally many samples of each class, and take a few more
  steps of a few fewer images: {balanced}.
- Losses with class scores are tested by these, the others by the nearest class mean (column `classifies
  by`). The two rules differ.
- Features can be compared by Euclidean distance or by cosine, and losses are made for one of them
  (column `compares by`). MAP@R is given by both for all losses. Verification, and rejection of unknown
  classes by distance, compare features as each loss does; differences between losses that compare
  differently are then also differences between the distances. 1-NN accuracy and spread/gap are by
  Euclidean distance for all, and large where a loss leaves the length of features free; the angular gap
  means little for losses on distances.
- In the plane many losses cannot do what they were made for, with features of hundreds of dimensions.
- Pairing by seed gives all losses the same initial network; it removes little of the variation in these
  data.
- Seconds depend on the machine and on what else runs on it.
- Many losses and many metrics are many looks at the same data. The adjustment is over the losses of one
  metric, and verdicts are found again whenever seeds are added: one with a p near 0.05 may change."""
