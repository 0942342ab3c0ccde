"""What the benchmark does not show: limits that follow from its documents, and threats to validity."""

import numpy as np

from ..experiments.loss_benchmark import MAPS, PARTS
from ..runs.config import BASE_LOSS
from ..specs import catalog
from ..specs.quantities import MAIN_METRIC, metric_name
from .loss_benchmark import Evidence, choose_test, size_text
from .loss_benchmark_findings import answers


def limits(evidence: Evidence) -> list[str]:
    """What the numbers do not say, with how large a difference would have been seen."""
    lines = [
        "- `not distinguishable` does not mean equal. Only the ten questions above are decided by the rules."
    ]
    tested = [name for name, each in evidence.parts.items() if each.settings and name != "dimensions"]
    counts = {name: evidence.scores(name, evidence.parts[name].metrics[0]) for name in tested}
    few = [name for name, each in counts.items() if "t tests" in choose_test(len(each.values), each.seeds)]
    if few:
        lines.append(
            f"- {', '.join(few)}: with so few seeds the exact test can say nothing. Verdicts are those of t "
            "tests, which hold only as far as differences over seeds are normally distributed."
        )
    if "defaults" in evidence.parts:
        for metric in (MAIN_METRIC, *MAPS):
            differences = [row.paired.difference for row in evidence.against("defaults", metric)]
            widths = [each.half_width for each in differences if np.isfinite(each.half_width)]
            decided = [
                abs(row.paired.difference.mean)
                for row in evidence.against("defaults", metric)
                if row.verdict != "not distinguishable"
            ]
            if widths:
                smallest = (
                    f"The smallest that has a verdict is {size_text(metric, min(decided))}."
                    if decided
                    else ""
                )
                lines.append(
                    f"- {metric_name(metric)}: the 95 % interval of a difference to {BASE_LOSS} is "
                    f"± {size_text(metric, float(np.median(widths)))} for the median loss. A verdict over "
                    f"{len(differences)} losses needs more than an interval that leaves out 0. {smallest}"
                )
        lines.append(
            "- The loss with the best mean was chosen among many by that mean, so its lead is partly chance: "
            "its interval does not allow for that. Intervals of rank correlations cover seeds, not the "
            "choice of losses."
        )
    for answer in answers(evidence):
        if not answer.sentence:
            lines.append(f"- {answer.question} Not answered: {', '.join(answer.missing)} not run yet.")
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


def threats() -> str:
    """What may make the numbers mislead."""
    specs = {name: catalog.spec("losses", name) for name in catalog.names("losses")}
    balanced = ", ".join(name for name, spec in specs.items() if spec.sampler == "balanced")
    return _THREATS.format(balanced=balanced)


_THREATS = """\
- One small network, a short schedule and one easy data set. Test accuracy is close to its ceiling, and
  the 10,000 test images are the same for all seeds: intervals say nothing about other test images.
- The recipe was chosen with softmax, center loss and ArcFace in view; learning rate and weight decay
  are the same for all losses. The defaults of some losses were set after looking at test accuracy on
  MNIST at single seeds that are also used here; defaults of others come from papers on other data. Some
  losses have a bias or begin with a soft start, and softmax has neither.
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
  metric."""
