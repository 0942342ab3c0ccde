"""Losses compared with a baseline over the same seeds: which is better, by how much, with what certainty."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from ..runs.conditions import unique_titles
from ..runs.config import BASE_LOSS, LOSS_OPTIONS, RUN_OPTIONS, RunConfig
from ..runs.config_builder import config_at
from ..runs.loss_terms import lambda_target
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.store import Store
from ..specs import Value, value_text
from ..specs.expressions import parse_sum
from ..specs.quantities import higher_is_better
from ..statistics import PairedDifference, Verdict, compare_paired, holm, seeds_needed
from . import tuning_result
from .grid import Axes, axes_by_loss, expand


class ComparisonRow(NamedTuple):
    """One loss compared with the baseline, by one metric, on one data set.

    baseline, loss: short names. title, settings: of the loss, for people to read; the labels are titles
    with the settings where a title alone is not unique. done, failed: runs of the loss; diverged ones failed.
    p_holm: the p value adjusted for all comparisons of the command, and needed: seeds that would show a
    difference of this size among all of them; both are None or NaN where no test was made.
    """

    dataset: str
    metric: str
    baseline: str
    baseline_label: str
    loss: str
    title: str
    label: str
    settings: str
    done: int
    failed: int
    paired: PairedDifference
    p_holm: float = math.nan
    needed: int | None = None

    @property
    def verdict(self) -> Verdict | None:
        """Whether the loss is better or worse at the 5 % level; None where no test was made."""
        return None if math.isnan(self.paired.p) else self.paired.verdict(self.p_holm)

    @property
    def decided(self) -> bool:
        """Whether the loss is better or worse."""
        return self.verdict in ("better", "worse")

    @property
    def missing(self) -> str:
        """Failed runs, or seeds that only one of the two has a number for; empty when there are none."""
        pairs, unpaired = self.paired.n, self.paired.unpaired
        if self.failed:
            return f"{self.failed} of {self.done + self.failed} failed"
        return f"{pairs} of {pairs + unpaired} paired" if unpaired else ""


def compare_losses(
    groups: Mapping[str, Sequence[Outcome]], baseline: str, metrics: Sequence[str], datasets: Sequence[str]
) -> list[ComparisonRow]:
    """Every loss compared with the baseline, by each metric that has a better side, on each data set.

    `groups` are the outcomes by loss as the user named it. Holm's family is all comparisons of the result;
    those without two pairs of finite numbers do not count.
    """
    rows = [
        row
        for dataset in datasets
        for metric in metrics
        if higher_is_better(metric) is not None
        for row in _compare(groups, baseline, metric, dataset)
    ]
    level = 0.05 / max(1, family_size(rows))
    return [
        row._replace(p_holm=p, needed=seeds_needed(row.paired.differences, level=level))
        for row, p in zip(rows, holm([row.paired.p for row in rows]), strict=True)
    ]


def family_size(rows: Sequence[ComparisonRow]) -> int:
    """How many tests were made, which is what Holm's method counts."""
    return sum(not math.isnan(row.paired.p) for row in rows)


def unique_labels(configs: Sequence[RunConfig]) -> list[str]:
    """Titles; where several have the same one, with the settings in which these differ."""
    titles, texts = unique_titles(configs), dict[str, list[list[str]]]()
    for title, config in zip(titles, configs, strict=True):
        texts.setdefault(title, []).append(config.setting_texts)
    labels = []
    for title, config in zip(titles, configs, strict=True):
        differing = [t for t in config.setting_texts if not all(t in each for each in texts[title])]
        labels.append(f"{title} ({', '.join(differing)})" if differing else title)
    return labels


def mean_scores(
    groups: Mapping[str, Sequence[Outcome]], metric: str, datasets: Sequence[str]
) -> np.ndarray | None:
    """Mean over seeds (data sets, losses); None unless every loss has a number on every data set."""
    scores = [
        [list(_by_seed(outcomes, metric, dataset).values()) for outcomes in groups.values()]
        for dataset in datasets
    ]
    if not all(values for line in scores for values in line):
        return None
    return np.array([[np.mean(values) for values in line] for line in scores])


def _compare(
    groups: Mapping[str, Sequence[Outcome]], baseline: str, metric: str, dataset: str
) -> list[ComparisonRow]:
    on_dataset = {name: [o for o in group if o.config.dataset == dataset] for name, group in groups.items()}
    reference = on_dataset.pop(baseline)
    configs = [reference[0].config, *(outcomes[0].config for outcomes in on_dataset.values())]
    baseline_label, *labels = unique_labels(configs)
    titles, rows = unique_titles(configs)[1:], []
    for config, title, label, outcomes in zip(configs[1:], titles, labels, on_dataset.values(), strict=True):
        done = sum(outcome.status is Status.DONE for outcome in outcomes)
        paired = compare_paired(
            _by_seed(outcomes, metric, dataset),
            _by_seed(reference, metric, dataset),
            higher_is_better=higher_is_better(metric) is not False,
        )
        rows.append(
            ComparisonRow(
                dataset=dataset,
                metric=metric,
                baseline=configs[0].loss,
                baseline_label=baseline_label,
                loss=config.loss,
                title=title,
                label=label,
                settings=config.subtitle,
                done=done,
                failed=len(outcomes) - done,
                paired=paired,
            )
        )
    return rows


def _by_seed(outcomes: Sequence[Outcome], metric: str, dataset: str) -> dict[int, float]:
    numbers = {o.config.seed: o.numbers for o in outcomes if o.config.dataset == dataset}
    return {seed: values[metric] for seed, values in numbers.items() if metric in values}


def comparison_configs(losses: Sequence[str], axes: Axes) -> dict[str, list[RunConfig]]:
    """The runs of each loss, by the name that the user gave it; `all` stands for every loss.

    Raises UsageError for an axis that none of them has, and for a grid that is too large.
    """
    return {loss: expand(loss, of_loss) for loss, of_loss in axes_by_loss(losses, axes).items()}


def distinct(configs: Mapping[str, list[RunConfig]]) -> dict[str, list[RunConfig]]:
    """The runs without other names of the same ones, each of which would count as a comparison more."""
    names: dict[tuple[RunConfig, ...], str] = {}
    for loss, group in configs.items():
        names.setdefault(tuple(group), loss)
    return {loss: configs[loss] for loss in names.values()}


def tuned_configs(
    store: Store, configs: Mapping[str, list[RunConfig]], given: Collection[str] = ()
) -> tuple[dict[str, list[RunConfig]], str, bool]:
    """The same runs with the settings that `tune` found, a sentence on how, and whether all were tuned alike,
    and under the conditions of the runs.

    given: the names of the options that the user gave. Raises UsageError for a loss that was not tuned, for a
    seed on which it was, and for an option that tuning found another value of.
    """
    results = {
        config: tuning_result.read_result(store, config, loss)
        for loss, group in configs.items()
        for config in group
    }
    tuning_result.check_other_seeds(results)
    at_points = {}
    for loss, group in configs.items():
        at_points[loss] = [_at_point(loss, config, results[config].point) for config in group]
        for config, tuned in zip(group, at_points[loss], strict=True):
            _check_given(config, tuned, results[config].point, given)
    return at_points, *tuning_result.describe_tuning(results)


def _check_given(
    config: RunConfig, tuned: RunConfig, searched: Collection[str], given: Collection[str]
) -> None:
    """Raise UsageError for a given option, one of those searched, that has another value when tuned."""
    for key in searched:
        value, found = config.value_of(key), tuned.value_of(key)
        for name in {key, key.rpartition(".")[2]}.intersection(given) if value != found else ():
            is_option = name in RUN_OPTIONS or name in LOSS_OPTIONS
            option = f"--{name} {value_text(value)}" if is_option else f"--set {name}={value_text(value)}"
            raise UsageError(
                f"{option}: tuning found {value_text(found)} for {config.loss}, which --tuned takes; leave "
                f"one of them out, or tune with {option}."
            )


def _at_point(loss: str, config: RunConfig, point: Mapping[str, Value]) -> RunConfig:
    """The same run of a loss at another point."""
    values: dict[str, Any] = {name: getattr(config, name) for name in RUN_OPTIONS}
    for term in config.terms:  # a setting that tuning was given stands in the point without its term
        values |= {f"{term.name}.{key}": value for key, value in term.settings if key not in point}
    if lambda_target(parse_sum(loss)) is not None:
        values["lambda"] = config.value_of("lambda")
    return config_at(loss, values | dict(point))


def choose_baseline(baseline: str | None, configs: Mapping[str, Sequence[RunConfig]]) -> str:
    """The loss that the others are compared with: the first name of its runs. Raises UsageError for one that
    is not among them."""
    if baseline is None:
        return BASE_LOSS if BASE_LOSS in configs else next(iter(configs))
    terms = parse_sum(baseline)  # however it is spaced
    named = [group for loss, group in configs.items() if parse_sum(loss) == terms]
    if not named:
        raise UsageError(f"--baseline {baseline} is not one of the losses compared: {', '.join(configs)}.")
    return next(loss for loss, group in configs.items() if group == named[0])
