"""Which stored runs a user asks for: by loss, and by values of options."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError
from ..specs import Value, catalog
from ..specs.expressions import parse_sum
from .config import BASE_LOSS, LOSS_OPTIONS, RUN_OPTIONS, RunConfig, dataset_spec
from .option_values import augmentation_names, milestone_fractions, scale_text, unseen_labels

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
        """Whether a run has one of the losses, and for each option one of its values."""
        if self.losses is not None and not any(has_loss(config, loss) for loss in self.losses):
            return False
        found = {name: filtered_value(config, name, values) for name, values in self.values.items()}
        return all(value is None or value in self.values[name] for name, value in found.items())

    def __str__(self) -> str:
        """The options as a user types them, without the losses."""
        return " ".join(
            f"{FILTER_OPTIONS[name].flag} {','.join(map(typed, values))}"
            for name, values in self.values.items()
        )


def typed(value: Value) -> str:
    """A value as a user types it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


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


def filter_value(name: str, value: Value | Sequence[float]) -> Value:
    """One value of an option of WITH_COMMAS, in the spelling of `filtered_value`.

    Raises UsageError for what training does not take either.
    """
    FILTER_OPTIONS[name].check(value)
    return WITH_COMMAS[name](value)


def filtered_value(config: RunConfig, name: str, wanted: Sequence[Value] = ()) -> Value | None:
    """The value of an option of FILTER_OPTIONS; None for a setting that none of the losses has. Where one of
    the `wanted` values stands for it in other words, that one."""
    if name == "lambda" and not any(term.has_weight for term in config.terms):
        return None
    if name != "lambda" and name in LOSS_OPTIONS and not any(name in dict(t.settings) for t in config.terms):
        return None
    value = _TEXTS[name](config) if name in _TEXTS else config.value_of(name)
    if stands_for := _OTHER_WORDS.get(name):
        return next((text for text in wanted if text != value and stands_for(str(text), config)), value)
    return value


def _joined(classes: str | Sequence[int]) -> str:
    words = classes.split(",") if isinstance(classes, str) else map(str, classes)
    return ",".join(word.strip() for word in words)


def _is_run(text: str, config: RunConfig) -> bool:
    """Whether a text is the beginning of the name or the id of the run that training started from."""
    name = _TEXTS["init"](config) or ""
    return any(each.startswith(text) for each in (name, name.rpartition("-")[2]))


def _are_classes(text: str, config: RunConfig) -> bool:
    """Whether a text names the unseen classes of a run, in any order or as a range."""
    if text == "none":
        return False
    classes, words = dataset_spec(config.dataset).classes, text.split(",")
    labels = all(word.isdecimal() and word not in classes for word in words)  # as Python code has them
    try:
        return unseen_labels([*map(int, words)] if labels else text, classes) == config.unseen
    except UsageError:  # of another data set
        return False


def _is_sampler(text: str, config: RunConfig) -> bool:
    """Whether a text means the value that the losses of a run choose; losses in user code are not asked."""
    if any(term.external for term in config.terms):
        return text == "auto"
    balanced = any(term.spec.sampler == "balanced" for term in config.terms)
    return text == "auto" and config.sampler == ("balanced" if balanced else "shuffled")


def _is_same_data(text: str, config: RunConfig) -> bool:
    """Whether a user's data are those of a run, by whatever name the folder has by now."""
    return text.partition("@")[1:] == config.dataset.partition("@")[1:] != ("", "")


_NO_SCALE = "loss=1"
WITH_COMMAS: Mapping[str, Callable[[Any], str]] = {
    "augment": augmentation_names,
    "lr_scale": lambda text: scale_text(text) or _NO_SCALE,
    "milestones": lambda fractions: ",".join(map(str, milestone_fractions(fractions) or ())),
    "unseen": _joined,
}
"""The options that have commas within one value, with the one spelling of what is asked for."""
_TEXTS: Mapping[str, Callable[[RunConfig], str | None]] = {
    "init": lambda config: config.init.partition("@")[0] or "none",
    "lr_scale": lambda config: config.lr_scale or _NO_SCALE,
    "milestones": lambda config: ",".join(map(str, config.milestones)) if config.milestones else None,
    "unseen": lambda config: config.unseen_names.replace(" ", "") or "none",
}
"""The values of options that are not shown as they are stored."""
_OTHER_WORDS: Mapping[str, Callable[[str, RunConfig], bool]] = {
    "dataset": _is_same_data,
    "init": _is_run,
    "precision": lambda text, config: text == "auto",  # the machine's choice, whichever that was
    "sampler": _is_sampler,
    "unseen": _are_classes,
}
"""Whether a text stands for a run's value of an option."""
