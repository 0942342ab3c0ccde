"""The benchmark of all losses: its parts, as results/published/PROTOCOL.md states them.

results/benchmark/<part>.json, <part>.csv
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ..runs.config import COMPARED_LOSSES, RunConfig
from ..specs import Value, catalog

if TYPE_CHECKING:
    from .search_space import StudyConfig

MAPS = ("map-at-r-euclidean", "map-at-r-cosine")
"""MAP@R by both distances for every loss: `map-at-r` compares a loss by distance with another by cosine."""
ONE_RULE = "nn-accuracy"
"""The metric that classifies by the same rule under all losses, by the nearest training sample."""
METRICS = (
    "test_accuracy",
    ONE_RULE,
    *MAPS,
    "spread-gap",
    "angular-gap",
    "ece",
    "roc-auc",
    "eer",
    "tar-at-far-1e-3",
    "seconds",
)
UNSEEN_MAPS = tuple(f"unseen-{metric}" for metric in MAPS)
UNSEEN_METRICS = (
    *UNSEEN_MAPS,
    "unseen-roc-auc",
    "unseen-1-shot",
    "unseen-5-shot",
    "open-set-auroc",
)
DECIDING = ("test_accuracy", *MAPS, "seconds", *UNSEEN_MAPS, "open-set-auroc")
"""The metrics of the findings, which are always measured."""
OPEN_SETS = ("2,4,6,7", "0,3,5,9", "1,2,8,9", "0,3,4,6", "1,5,7,8")
"""Digits kept out of training: each digit in two splits; PROTOCOL.md says how they were drawn."""
OTHER_DATA = {"digits": "the digits", "fashion-mnist": "Fashion-MNIST"}
"""Parts on other data than MNIST, and what sentences call it."""
TUNING_METRIC = "map-at-r"
TUNING_SEEDS = (100, 101)
"""Seeds that no comparison uses."""
_QUICK: Mapping[str, tuple[Value, ...]] = {"dataset": ("digits",), "batch_size": (32,), "epochs": (2,)}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the benchmark.

    axes: the values of the options that make its blocks, such as dimensions; every loss is trained in each
    block with all seeds. settings: those of the runs, or `search` for the part that finds them.
    """

    title: str
    seeds: tuple[int, ...]
    losses: tuple[str, ...] = ("all",)
    metrics: tuple[str, ...] = METRICS
    axes: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    settings: Literal["defaults", "tuned", "search"] = "defaults"
    trials: int = 0

    def configs(self, seeds: Sequence[int]) -> dict[str, list[RunConfig]]:
        """The runs of each loss with those of the seeds that belong to the part."""
        from .comparison import comparison_configs  # imports NumPy, which the help of commands does not need

        planned = tuple(seed for seed in seeds if seed in self.seeds)
        return comparison_configs(self.losses, {**self.axes, "seed": planned})

    def studies(self) -> list[StudyConfig]:
        """The searches of the part, one for each loss."""
        from .search_space import StudyConfig

        fixed = {name: values[0] for name, values in self.axes.items()}
        names = catalog.names("losses") if self.losses == ("all",) else self.losses
        return [StudyConfig(loss, fixed, self.seeds, TUNING_METRIC) for loss in names]

    def quick(self) -> Part:
        """The same with three losses on a few epochs of the digits, to see how it works."""
        return replace(
            self,
            losses=COMPARED_LOSSES,
            axes={**self.axes, **_QUICK},
            seeds=self.seeds[:3],
            trials=min(self.trials, 2),
        )


PARTS: Mapping[str, Part] = {
    "defaults": Part(title="Defaults on MNIST", seeds=tuple(range(20))),
    "open-set": Part(
        title="Five open sets of MNIST",
        seeds=tuple(range(5)),
        metrics=UNSEEN_METRICS,
        axes={"unseen": OPEN_SETS},
    ),
    "tuning": Part(title="Search for settings", seeds=TUNING_SEEDS, settings="search", trials=25),
    "tuned": Part(title="Tuned settings on MNIST", seeds=tuple(range(20)), settings="tuned"),
    "dimensions": Part(
        title="Feature dimensions", seeds=tuple(range(5)), axes={"feature_dim": (2, 3, 8, 64)}
    ),
    "digits": Part(title="Defaults on the digits", seeds=tuple(range(20)), axes={"dataset": ("digits",)}),
    "fashion-mnist": Part(
        title="Defaults on Fashion-MNIST", seeds=tuple(range(10)), axes={"dataset": ("fashion-mnist",)}
    ),
}
"""All parts by name, in the order in which they run."""
