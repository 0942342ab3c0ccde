"""What a reproduction is: where a figure or claim was published, the runs that it needs, and the rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ..runs.config import RunConfig
from ..runs.config_builder import config_at
from ..specs import Value
from ._checks import Check, is_metric

Locus = Literal[
    "read in the figure", "stated in the text", "from the authors' code", "not verified in the source"
]
FAST: Mapping[str, Value] = {"recipe": "fast"}
FAST_RECIPE = (
    "All groups alike: 2-D features of a small network, four epochs with Muon (`--recipe fast`), so that "
    "20 seeds fit in a day."
)
QUICK_SEEDS = 2
_QUICK: Mapping[str, Value] = {"dataset": "digits", "network": "stride3", "batch_size": 32}


class Drawn(NamedTuple):
    """A figure of `lossbench.figures` with its choices, such as `split`; groups: of which (empty: all)."""

    figure: str
    choices: Mapping[str, str] = {}
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A published figure or claim, made again, and tested by rules that were written before the runs.

    source, locus: the paper with its figure, table or equation, and where its values were found. published:
    what the source shows or says. recipe: the values of the paper, and what was chosen where it says nothing,
    and why. runs: for each group of runs the options of one of them, as `--set` names them, with `loss`;
    common: those of all groups. seeds: of each group, from 0; fewer_seeds: why there are fewer than 20.
    trained: False for what follows from the losses alone.
    """

    title: str
    source: str
    locus: Locus
    question: str
    published: str
    recipe: str
    runs: Mapping[str, Mapping[str, Value]]
    common: Mapping[str, Value] = field(default_factory=dict)
    seeds: int = 20
    fewer_seeds: str = ""
    trained: bool = True
    figures: tuple[Drawn, ...] = ()
    checks: tuple[Check, ...]

    def configs(self, *, quick: bool = False) -> dict[str, list[RunConfig]]:
        """The runs of each group by seed. `quick`: two seeds, few epochs of the digits, the fastest
        network."""
        seeds = range(QUICK_SEEDS if quick else self.seeds if self.trained else 1)
        return {
            group: [self._config(point, seed, quick) for seed in seeds] for group, point in self.runs.items()
        }

    @property
    def count(self) -> int:
        """How many runs it needs."""
        return len(self.runs) * self.seeds if self.trained else 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that its checks and figures need, also of unseen classes."""
        numbers = [number for check in self.checks for number in check.numbers]
        for drawn in self.figures:
            numbers += filter(None, drawn.choices.get("metric", "").split(","))
        return tuple(dict.fromkeys(filter(is_metric, numbers)))

    def _config(self, point: Mapping[str, Value], seed: int, quick: bool) -> RunConfig:
        options = {**self.common, **point, "seed": seed}
        if quick:
            options |= {**_QUICK, "epochs": max(1, int(options.get("epochs", 8)) // 4)}
        loss = str(options.pop("loss"))
        return config_at(loss, options)
