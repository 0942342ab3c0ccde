"""The checks of reproductions: rules about numbers of runs, each with the test that decides it.

A rule speaks of groups of runs, which the reproduction names, and of numbers by name: what a result has
(`test_accuracy`), any metric, and `OWN_NUMBERS`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..specs import MetricSpec, Value
from ..specs.quantities import RUN_NUMBERS, UNSEEN, number_spec
from ..statistics import Interval, compare_paired, equivalence_test, holm

Verdict = Literal["reproduced", "refuted", "not distinguishable", "not testable here"]
Results = Mapping[str, Mapping[int, Mapping[str, float]]]
"""The numbers of each run by group, seed and name; a number that a run does not have is left out."""
OWN_NUMBERS: Mapping[str, MetricSpec] = {
    "train_accuracy": MetricSpec(
        title="train accuracy", summary="fraction of the training images classified right", unit="percent"
    ),
    "smallest_loss": MetricSpec(
        title="smallest training loss",
        summary="the least mean training loss of an epoch after the soft start",
        unit="nats",
    ),
    "trained": MetricSpec(
        title="share of runs that learn the task",
        summary="fraction of the runs with a test accuracy above 0.5",
        unit="fraction",
    ),
}
"""Numbers that only checks know, described like metrics."""
_LEVEL = 0.05


class Finding(NamedTuple):
    """What a check measured: an effect with its 95 % interval (low, high; NaN for none) over so many seeds.

    p: of the test, before Holm; NaN where there is none. decide: from the adjusted p to the verdict.
    """

    effect: float
    low: float
    high: float
    seeds: int
    p: float
    decide: Callable[[float], Verdict]


class Check(NamedTuple):
    """A rule as a sentence, how the effect is measured, and what it needs of the runs.

    measure: None where the claim cannot be tested here, then `why` says why. groups, numbers: those that the
    rule speaks of.
    """

    rule: str
    measure: Callable[[Results], Finding] | None
    groups: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class CheckResult:
    """A check that was made, with what it found. p_holm: adjusted for all tests of the reproduction; why: for
    no verdict."""

    rule: str
    effect: float
    low: float
    high: float
    seeds: int
    p_holm: float
    verdict: Verdict
    why: str = ""


def apply_rules(checks: Sequence[Check], results: Results, *, decides: bool = True) -> list[CheckResult]:
    """The result of each check. Holm's family is all of them; `decides=False`: effects without verdicts."""
    findings = [_measure(check, results) for check in checks]
    adjusted = holm([finding.p for finding, _ in findings])
    results_of_checks = []
    for check, (finding, why), p in zip(checks, findings, adjusted, strict=True):
        why = why if decides else why or "a quick run decides nothing"
        verdict: Verdict = "not testable here" if why else finding.decide(p)
        results_of_checks.append(CheckResult(check.rule, *finding[:4], p, verdict, why))
    return results_of_checks


def overall(results: Sequence[CheckResult]) -> Verdict:
    """Refuted if any check is; else what the checks that could be made say together."""
    verdicts = [result.verdict for result in results if result.verdict != "not testable here"]
    order: tuple[Verdict, ...] = ("refuted", "not distinguishable", "reproduced")
    return next((verdict for verdict in order if verdict in verdicts), "not testable here")


def greater(number: str, group: str, *, than: str) -> Check:
    """The mean of a number is greater in one group than in another, paired by seed.

    Sign-flip test, exact up to 32 seeds; the interval must exclude 0 as well.
    """

    def measure(results: Results) -> Finding:
        return _paired(_values(results, group, number), _values(results, than, number))

    rule = f"{number_name(number)}: {group} above {than}"
    return Check(rule, measure, (group, than), (number,))


def attack_is_stronger(number: str, weaker: str, group: str) -> Check:
    """The accuracy under one attack is below that under a weaker one: else its gradient is hidden."""

    def measure(results: Results) -> Finding:
        return _paired(_values(results, group, weaker), _values(results, group, number))

    rule = f"{number_name(weaker)} above {number_name(number)} of {group}"
    return Check(rule, measure, (group,), (number, weaker))


def trend(number: str, groups: Sequence[str], *, rising: bool) -> Check:
    """A number rises, or falls, along the groups.

    Sign-flip test over seeds of the least-squares slope against the order of the groups; the effect is its
    mean, the change from group to group. It can rise although a step falls; of three groups it is half the
    change from the first to the last, whatever the middle one has.
    """

    def measure(results: Results) -> Finding:
        by_group = [_values(results, group, number) for group in groups]
        seeds = set.intersection(*(set(values) for values in by_group))
        slopes = {seed: _slope([values[seed] for values in by_group]) for seed in seeds}
        finding = _paired(slopes, dict.fromkeys(slopes, 0.0))
        return finding if rising else _reversed(finding)

    way = "rises" if rising else "falls"
    return Check(f"{number_name(number)} {way} along {', '.join(groups)}", measure, tuple(groups), (number,))


def equal(number: str, group: str, other: str, *, margin: float) -> Check:
    """The means of two groups differ by less than a margin: two one-sided t tests of paired differences."""

    def measure(results: Results) -> Finding:
        first, second = (_values(results, name, number) for name in (group, other))
        differences = [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]
        return _inside(differences, -margin, margin)

    rule = f"{number_name(number)}: {group} and {other} differ by less than {margin:g}"
    return Check(rule, measure, (group, other), (number,))


def within(number: str, group: str, low: float = -math.inf, high: float = math.inf) -> Check:
    """The mean of a number lies in a range: one-sided t tests against its ends.

    The interval of a fraction ends at 0 and 1.
    """

    def measure(results: Results) -> Finding:
        found = _inside(list(_values(results, group, number).values()), low, high)
        if _spec(number).unit not in ("percent", "fraction"):
            return found
        return found._replace(low=max(found.low, 0.0), high=min(found.high, 1.0))

    ends = f"from {low:g} to {high:g}" if math.isfinite(low + high) else ""
    ends = ends or (f"at least {low:g}" if math.isfinite(low) else f"at most {high:g}")
    return Check(f"{number_name(number)} of {group} is {ends}", measure, (group,), (number,))


def axis_scale(group: str, published: float, *, factor: float = 2) -> Check:
    """Features reach as far as the axes of the published figure, within a factor, in the mean over seeds."""
    return within("axis-range", group, published / factor, published * factor)


def even_directions(group: str, classes: int = 10, *, tolerance: float = 0.2) -> Check:
    """In the plane, the smallest angle between two class directions is near the largest possible, 2 pi/C."""
    largest = 360 / classes
    return within("angular-gap", group, (1 - tolerance) * largest, (1 + tolerance) * largest)


def never_below(number: str, group: str, bound: float) -> Check:
    """No run is ever below a bound. No test: a single one refutes it."""

    def measure(results: Results) -> Finding:
        values = list(_values(results, group, number).values())
        effect = min(values, default=math.nan) - bound
        return _certain(effect, len(values), "reproduced" if effect >= 0 else "refuted")

    return Check(f"{number_name(number)} of {group} is never below {bound:.4g}", measure, (group,), (number,))


def target_curve(
    loss: str,
    settings: Mapping[str, Value],
    formula: Callable[[float], float],
    *,
    text: str,
    degrees: tuple[float, float] = (20, 100),
) -> Check:
    """The target logit over the scale, from the code of a loss, is a formula of the angle, within 1e-3."""

    def measure(_: Results) -> Finding:
        import numpy as np

        from ..losses import target_curve as curve_of

        curve = curve_of(loss, dict(settings))
        assert curve is not None, f"{loss} has no target logit"
        angles = np.radians(np.linspace(*degrees, 81))
        values = np.interp(angles, *curve)
        error = max(abs(value - formula(angle)) for angle, value in zip(angles, values, strict=True))
        return _certain(float(error), 0, "reproduced" if error <= 1e-3 else "refuted")

    low, high = degrees
    return Check(f"the target logit of {loss} is {text} from {low:g} to {high:g} degrees", measure)


def combined_curve(m1: float, m2: float, m3: float) -> Check:
    """The target logit of the combined margin is cos(m1 θ + m2) - m3 (ArcFace, eq. 4)."""
    settings = {"scale": 64.0, "m1": m1, "m2": m2, "m3": m3}
    angle = "θ" if m1 == 1 else f"{m1:g} θ"
    text = f"cos({angle}{f' + {m2:g}' if m2 else ''}){f' - {m3:g}' if m3 else ''}"
    return target_curve("combined-margin", settings, lambda t: math.cos(m1 * t + m2) - m3, text=text)


def not_testable(claim: str, why: str) -> Check:
    """A claim of the source that nothing here can test."""
    return Check(claim, None, why=why)


def _measure(check: Check, results: Results) -> tuple[Finding, str]:
    """What a check finds, and why it has no verdict; '' where it has one."""
    nothing = _certain(math.nan, 0, "not testable here")
    if check.measure is None:
        return nothing, check.why
    finding = check.measure(results)
    if math.isnan(finding.effect):
        return nothing, "no run has the number"
    if check.groups and finding.seeds < 2:
        return finding, "fewer than two seeds have the number"
    return finding, ""


def _values(results: Results, group: str, number: str) -> dict[int, float]:
    return {seed: numbers[number] for seed, numbers in results[group].items() if number in numbers}


def _paired(values: Mapping[int, float], baseline: Mapping[int, float]) -> Finding:
    paired = compare_paired(values, baseline)
    said: Mapping[str, Verdict] = {"better": "reproduced", "worse": "refuted"}
    return _finding(paired.difference, paired.p, lambda p: said.get(paired.verdict(p), "not distinguishable"))


def _reversed(finding: Finding) -> Finding:
    """The finding of the opposite claim, with the same effect."""
    swapped: Mapping[Verdict, Verdict] = {"reproduced": "refuted", "refuted": "reproduced"}

    def decide(p: float) -> Verdict:
        verdict = finding.decide(p)
        return swapped.get(verdict, verdict)

    return finding._replace(decide=decide)


def _inside(values: Sequence[float], low: float, high: float) -> Finding:
    mean, inside, outside = equivalence_test(values, low, high)
    said: Verdict = "reproduced" if inside <= outside else "refuted"
    return _finding(mean, min(inside, outside), lambda p: said if p <= _LEVEL else "not distinguishable")


def _finding(interval: Interval, p: float, decide: Callable[[float], Verdict]) -> Finding:
    mean, half_width, count = interval
    return Finding(mean, mean - half_width, mean + half_width, count, p, decide)


def _certain(effect: float, seeds: int, verdict: Verdict) -> Finding:
    """The finding of a check without a test."""
    return Finding(effect, math.nan, math.nan, seeds, math.nan, lambda _: verdict)


def _slope(values: Sequence[float]) -> float:
    """Least-squares slope of values at 0, 1, 2 ..."""
    middle = (len(values) - 1) / 2
    return math.fsum((i - middle) * value for i, value in enumerate(values)) / math.fsum(
        (i - middle) ** 2 for i in range(len(values))
    )


def number_name(number: str) -> str:
    """A number that a rule speaks of, in a sentence."""
    return f"{'unseen ' if number.startswith(UNSEEN) else ''}{_spec(number).title}"


def number_meaning(number: str) -> str:
    """What a number measures, and its unit; rules have fractions as they are, never in percent."""
    spec = _spec(number)
    classes = ", of unseen classes" if number.startswith(UNSEEN) else ""
    unit = "" if spec.unit in ("", "percent", "fraction") else f" ({spec.unit})"
    return f"{spec.summary}{classes}{unit}"


def _spec(number: str) -> MetricSpec:
    return OWN_NUMBERS.get(number) or number_spec(number)


def is_metric(number: str) -> bool:
    """Whether a number is a metric that may have to be measured after training."""
    return number not in OWN_NUMBERS and number not in RUN_NUMBERS
