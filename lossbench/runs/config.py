"""One run, as data: frozen, hashable, fully resolved, and back from its JSON.

A `RunConfig` holds every number that decides what is learned, defaults written out, so its id names
the experiment: the same settings are the same run. Where it runs (device, threads, folders) is no
part of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from ..records import SplitSpec
from ..specs import SYMBOLS, DatasetSpec, LossSpec, Value, catalog

FORMAT = 1
BASE_LOSS = "softmax"  # what an auxiliary term joins when it is named alone
COMPARED_LOSSES = ("softmax", "center", "arcface")
DEFAULT_NETWORK = "compact"
DEFAULT_OPTIMIZER = "adamw"
DEFAULT_SCHEDULE = "linear"
DEFAULT_DATASET = "mnist"
PRECISIONS = ("auto", "fp32", "bf16")
SAMPLERS = ("auto", "shuffled", "balanced")
SHORTCUTS = ("alpha", "margin", "scale")
"""Settings that have a flag of their own, because every paper of the field varies them."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A loss with its weight inside a sum and its settings, sorted by name."""

    name: str
    weight: float
    settings: tuple[tuple[str, Value], ...]
    by_lambda: bool = field(default=False, compare=False)
    """Whether --lambda set the weight: says which one a sweep varies, and is no part of the run."""

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
        """What people call the loss."""
        return self.name.rpartition(":")[2] if self.external else self.spec.title

    @property
    def has_weight(self) -> bool:
        """Whether the loss is an auxiliary term, whose weight lambda is worth showing."""
        return not self.external and self.spec.weight is not None

    def is_default(self, key: str, classes: int, dim: int) -> bool:
        """Whether a setting has the value that (C, D) gives it."""
        return not self.external and dict(self.settings)[key] == self.spec.settings[key].default_for(
            classes, dim
        )


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides what one training learns.

    epochs and sizes are counts, lr is the peak learning rate, weight_decay that of AdamW. A balanced
    sampler draws `samples_per_class` of each of `classes_per_batch` classes (both 0 when shuffled).
    `unseen` classes are kept out of training, and their test images evaluated separately. With `eval_split`
    val the test split is never opened.
    """

    terms: tuple[Term, ...]
    network: str
    feature_dim: int
    dataset: str
    val_size: int
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    seed: int
    precision: str
    sampler: str
    classes_per_batch: int
    samples_per_class: int
    unseen: tuple[int, ...] = ()
    eval_split: str = field(default="test", metadata={"key": "judged_on"})

    @property
    def id(self) -> str:
        """Ten hexadecimal digits derived from all settings."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def loss(self) -> str:
        """The short name: the loss, the auxiliary that joins softmax, or the terms joined by '+'."""
        names = [term.name for term in self.terms]
        if len(names) == 2 and names[0] == BASE_LOSS and self.terms[1].has_weight:
            names = names[1:]
        return "+".join(names)

    @property
    def run_name(self) -> str:
        """The name of the run's folder: short loss name and id."""
        slug = re.sub(r"[^a-z0-9+-]+", "-", self.loss.lower()).strip("-")[:60]
        return f"{slug}-{self.id}"

    @property
    def title(self) -> str:
        """The loss as people call it, e.g. 'Center'."""
        named = self.loss.split("+")
        return " + ".join(term.title for term in self.terms if term.name in named)

    @property
    def subtitle(self) -> str:
        """Weights and numeric settings in the papers' letters, e.g. 'λ = 0.003, α = 0.5'."""
        parts = []
        for term in self.terms:
            if term.has_weight or term.weight != 1:
                parts.append(f"{SYMBOLS['lambda']} = {term.weight:g}")
            for key, value in term.settings:
                if key in SYMBOLS or not term.is_default(key, self.classes, self.feature_dim):
                    shown = f"{value:g}" if isinstance(value, float) else str(value).lower()
                    parts.append(f"{SYMBOLS.get(key, key)} = {shown}")
        return ", ".join(parts)

    @property
    def labels(self) -> tuple[int, ...]:
        """The data set's label of each class as training numbers them: seen ones, then the unseen."""
        every = range(len(dataset_spec(self.dataset).classes))
        return (*(label for label in every if label not in self.unseen), *self.unseen)

    @property
    def unseen_names(self) -> str:
        """What the classes kept out of training are called, like '7, 8, 9'."""
        return ", ".join(dataset_spec(self.dataset).classes[label] for label in self.unseen)

    @property
    def classes(self) -> int:
        """C, the number of classes trained on."""
        return len(dataset_spec(self.dataset).classes) - len(self.unseen)

    @property
    def split_spec(self) -> SplitSpec:
        """What decides the splits of the data; runs with the same one share them."""
        return SplitSpec(self.dataset, self.val_size, self.unseen, self.eval_split)

    @property
    def rule(self) -> str:
        """How a sample is classified: by class scores, else by the nearest training-class mean."""
        if any(term.spec.kind == "classifier" for term in self.terms):
            return "class scores"
        angular = any("angular" in term.spec.tags for term in self.terms)
        return "nearest class mean (cosine)" if angular else "nearest class mean"

    @property
    def cosine(self) -> bool:
        """Whether the loss compares features by direction, so that metrics of pairs do so too."""
        return any("angular" in term.spec.tags for term in self.terms)

    @property
    def probabilities(self) -> bool:
        """Whether softmax of the class scores is the loss's probability of each class."""
        scored = [term.spec for term in self.terms if term.spec.kind == "classifier"]
        return bool(scored) and "no-probabilities" not in scored[0].tags

    def value_of(self, name: str) -> Value:
        """What `name` is here: a field, lambda, or a setting of the only term that has it."""
        if name == "lambda":
            named = [t for t in self.terms if t.by_lambda] or [t for t in self.terms if t.has_weight]
            return (named or self.terms)[0].weight
        if "." in name:
            term_name, _, key = name.partition(".")
            return next(dict(term.settings)[key] for term in self.terms if term.name == term_name)
        for term in self.terms:
            if name in dict(term.settings):
                return dict(term.settings)[name]
        value: Value = getattr(self, name)
        return value

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `resolving.config_from_dict` gives the same config back.

        A setting with a default of its own is left out there, so ids are older than such settings.
        """
        data = {}
        for key, name, default in _FIELDS:
            value = getattr(self, name)
            if value != default:
                data[key] = list(value) if isinstance(value, tuple) else value
        data["terms"] = [
            {"name": term.name, "weight": term.weight, "settings": dict(term.settings)} for term in self.terms
        ]
        return data


_FIELDS = tuple((f.metadata.get("key", f.name), f.name, f.default) for f in dataclasses.fields(RunConfig))


def loss_spec(name: str) -> LossSpec:
    """The SPEC of a loss by name."""
    spec: LossSpec = catalog.spec("losses", name)
    return spec


def dataset_spec(name: str) -> DatasetSpec:
    """The SPEC of a data set by name."""
    spec: DatasetSpec = catalog.spec("data", name)
    return spec
