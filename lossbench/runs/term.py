"""One loss of a run: its name, its weight inside a sum and its settings."""

from dataclasses import dataclass, field

from ..specs import LossSpec, Value, catalog


@dataclass(frozen=True, kw_only=True)
class Term:
    """A loss with its weight inside a sum and its settings, sorted by name."""

    name: str
    weight: float
    settings: tuple[tuple[str, Value], ...]
    by_lambda: bool = field(default=False, compare=False)
    """Whether --lambda set the weight: says which one a sweep varies, and is not part of the run."""

    @property
    def spec(self) -> LossSpec:
        """The loss's SPEC."""
        spec: LossSpec = catalog.spec("losses", self.name)
        return spec

    @property
    def external(self) -> bool:
        """Whether the loss's code lies outside this package; its SPEC is then read only to train."""
        return catalog.is_external(self.name)

    @property
    def title(self) -> str:
        """The title of the loss."""
        return self.name.rpartition(":")[2] if self.external else self.spec.title

    @property
    def has_weight(self) -> bool:
        """Whether the loss is an auxiliary term, whose weight lambda is worth showing."""
        return not self.external and self.spec.weight is not None

    @property
    def stored_settings(self) -> dict[str, Value]:
        """The settings less those that are left out at their default, see HyperParameter."""
        settings = dict(self.settings)
        if self.external:
            return settings
        declared = self.spec.settings
        return {
            key: value
            for key, value in settings.items()
            if declared[key].stored_at_default or value != declared[key].default
        }

    def is_default(self, key: str, classes: int, dim: int) -> bool:
        """Whether a setting has the value that (C, D) gives it."""
        return not self.external and dict(self.settings)[key] == self.spec.settings[key].default_for(
            classes, dim
        )
