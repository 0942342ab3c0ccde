"""Which stored runs a user asks for: by loss, and by values of options."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..specs import Value, catalog
from ..specs.expressions import parse_sum
from .config import BASE_LOSS, LOSS_OPTIONS, RUN_OPTIONS, RunConfig

FILTER_OPTIONS = {
    **LOSS_OPTIONS,
    **{name: option for name, option in RUN_OPTIONS.items() if option.on_command_line},
}
"""The options by which runs are filtered, by name."""


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs are asked for.

    losses: as in `RunConfig.loss`, or as weighted sums; None: any. values: the allowed values of options, by
    the names of FILTER_OPTIONS; runs of losses without such a setting pass. snapshots: only runs that have
    snapshots.
    """

    losses: tuple[str, ...] | None = None
    values: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    snapshots: bool = False

    def check(self) -> None:
        """Raise UsageError for a loss or a value that cannot exist, with near matches."""
        for loss in self.losses or ():
            for name, _ in parse_sum(loss):
                if not catalog.is_external(name) and name not in catalog.names("losses"):
                    catalog.spec("losses", name)  # raises
        for name, values in self.values.items():
            for value in values:
                FILTER_OPTIONS[name].check(value)

    def accepts(self, config: RunConfig) -> bool:
        """Whether a run has one of the losses and of the values of each option."""
        if self.losses is not None and not any(has_loss(config, loss) for loss in self.losses):
            return False
        found = {name: filtered_value(config, name) for name in self.values}
        return all(value is None or value in self.values[name] for name, value in found.items())

    def __str__(self) -> str:
        """The options as they are typed, without the losses."""
        return " ".join(
            f"{FILTER_OPTIONS[name].flag} {','.join(map(str, values))}"
            for name, values in self.values.items()
        )


def has_loss(config: RunConfig, loss: str) -> bool:
    """Whether a run was trained by this loss; weights that are written in it must be the run's."""
    if config.loss == loss:
        return True
    named = dict(parse_sum(loss))
    weights = {term.name: term.weight for term in config.terms}
    joined = weights.keys() - ({BASE_LOSS} if config.loss != "+".join(weights) else set())
    return named.keys() in (weights.keys(), joined) and all(
        weight is None or weights[name] == weight for name, weight in named.items()
    )


def filtered_value(config: RunConfig, name: str) -> Value | None:
    """The value of an option of FILTER_OPTIONS; None for a setting that none of the losses has."""
    if name == "unseen":
        return config.unseen_names.replace(" ", "") or "none"
    if name == "init":
        return config.init.partition("@")[0] or "none"
    if name == "lambda":
        return config.value_of(name) if any(term.has_weight for term in config.terms) else None
    if name in LOSS_OPTIONS and not any(name in dict(term.settings) for term in config.terms):
        return None
    return config.value_of(name)
