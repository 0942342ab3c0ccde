"""One run as data: frozen, hashable, every default filled in, and to JSON and back.

A `RunConfig` holds every value that decides what is learned, so its id names the experiment: the same
values are the same run. Where it runs (device, threads, folders) is not part of it.
"""

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..files import slug
from ..records import SplitSpec, TrainingConditions
from ..specs import SYMBOLS, DatasetSpec, LossSpec, Value, catalog, plugins, setting_text, symbol
from ..tables import distinct
from .option_values import parse_scales
from .options import Option, option, options_of
from .term import Term

FORMAT = 1
BASE_LOSS = "softmax"  # what an auxiliary term joins when it is named alone
COMPARED_LOSSES = ("softmax", "center", "arcface")
DEFAULT_NETWORK = "stride3"
DEFAULT_FEATURE_NETWORK = "mlp"  # of data that are features of another network
DEFAULT_OPTIMIZER = "muon"
DEFAULT_DATASET = "mnist"
PRECISIONS = ("auto", "fp32", "bf16")
NOISE_KINDS = ("symmetric", "pair")
SAMPLERS = ("auto", "shuffled", "balanced")
FEATURE_ACTIVATIONS = ("none", "relu")
OPTIMIZER = "Optimizer"  # a panel of the help text


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides what one training learns; each option is declared here and nowhere else.

    An option with `absent` is left out of the stored JSON when it has that value, so that it can be
    added without changing the ids of stored runs; what a command takes by default may be another value.
    """

    terms: tuple[Term, ...]
    network: str = option("Network.", default=DEFAULT_NETWORK, catalog="networks", own="your module:Class")
    init: str = option(
        "Stored run whose trained network the training starts from.",
        absent="", default_text="random weights", empty="none",
    )  # fmt: skip
    feature_dim: int = option("Feature dimension D.", default=2, ge=1, le=4096, sweep=True)
    feature_activation: str = option(
        "Activation after the feature.", absent="none", default="none", choices=FEATURE_ACTIVATIONS
    )
    dataset: str = option(
        "Data set.", "Data", default=DEFAULT_DATASET, catalog="data", own="your folder or file"
    )
    image_size: int = option(
        "Side in pixels to which images of a folder are cropped and resized.",
        "Data", absent=0, empty="as stored", le=4096,
    )  # fmt: skip
    val_size: int = option(
        "Number of validation images held out of training; 0 trains on all.", "Data", source="dataset"
    )
    epochs: int = option("Number of epochs.", source="dataset", ge=1, le=100_000, sweep=True)
    batch_size: int = option("Samples per step.", default=128, ge=1, sweep=True)
    augment: str = option(
        "Random changes of training images: shift, rotate, shift,rotate or none.",
        absent="none", source="dataset",
    )  # fmt: skip
    optimizer: str = option(
        "Optimizer.", OPTIMIZER, absent="adamw", default=DEFAULT_OPTIMIZER, catalog="optimizers", sweep=True
    )
    lr: float = option("Peak learning rate.", OPTIMIZER, source="optimizer", gt=0, sweep=True)
    weight_decay: float = option("Weight decay.", OPTIMIZER, source="optimizer", sweep=True)
    momentum: float | None = option(
        "Momentum (sgd, muon).", OPTIMIZER, absent=None, source="optimizer", le=0.999, sweep=True
    )
    nesterov: bool | None = option(
        "Momentum in Nesterov's form (sgd, muon).", OPTIMIZER, absent=None, source="optimizer"
    )
    lr_scale: str = option(
        "Factor on the learning rate of the network or of the loss's parameters, such as loss=10.",
        OPTIMIZER, absent="", empty="1 for both",
    )  # fmt: skip
    schedule: str = option(
        "Learning-rate schedule.", OPTIMIZER, absent="linear", catalog="schedules", sweep=True
    )
    warmup: float = option(
        "Fraction of the steps in which the learning rate rises.",
        OPTIMIZER, absent=0.2, source="schedule", le=0.9, sweep=True,
    )  # fmt: skip
    milestones: tuple[float, ...] | None = option(
        "Fractions of the steps after which the learning rate decays (step).",
        OPTIMIZER, absent=None, source="schedule",
    )  # fmt: skip
    decay: float | None = option(
        "Factor on the learning rate at each milestone (step).",
        OPTIMIZER, absent=None, source="schedule", gt=0, le=1, sweep=True,
    )  # fmt: skip
    seed: int = option("Seed of all random numbers.", default=0)
    precision: str = option("Data type of the convolutions.", "Machine", default="auto", choices=PRECISIONS)
    sampler: str = option(
        "How batches are drawn (auto: as the loss needs).", default="auto", choices=SAMPLERS
    )
    classes_per_batch: int = option(
        "Classes P of a balanced batch.", default=0, default_text="all classes", empty="none"
    )
    samples_per_class: int = option(
        "Samples K of each class in a balanced batch.", default=0, default_text="batch size / P", empty="none"
    )
    unseen: tuple[int, ...] = option(
        "Classes kept out of training and evaluated separately (open set), such as 7,8,9 or 7-9.",
        "Data", absent=(), empty="none",
    )  # fmt: skip
    train_size: int = option(
        "Number of training images to keep, each class in proportion.",
        "Data", absent=0, empty="all", sweep=True,
    )  # fmt: skip
    imbalance: float = option(
        "Samples of the first class per sample of the last; in between they fall exponentially.",
        "Data", absent=1.0, ge=1, le=1e6, sweep=True,
    )  # fmt: skip
    label_noise: float = option(
        "Fraction of training labels that are wrong.", "Data", absent=0.0, le=1, sweep=True
    )
    noise_kind: str = option(
        "Wrong labels are any other class (symmetric) or the next one (pair).",
        "Data", absent="symmetric", choices=NOISE_KINDS,
    )  # fmt: skip
    eval_split: str = option(
        "The split that is evaluated; with val the test split is never opened.",
        absent="test", choices=("test", "val"), on_command_line=False, key="judged_on",
    )  # fmt: skip

    def __getstate__(self) -> tuple[dict[str, Any], DatasetSpec | None]:
        return dict(self.__dict__), self.data

    def __setstate__(self, state: tuple[dict[str, Any], DatasetSpec | None]) -> None:  # in another process
        values, data = state
        self.__dict__.update(values)
        if data:
            plugins.remember_dataset(data)

    @property
    def data(self) -> DatasetSpec | None:
        """The SPEC of a user's data set, whose name contains its digest; None for one of this package."""
        return plugins.known_dataset(self.dataset)

    @property
    def id(self) -> str:
        """Ten hexadecimal digits derived from all settings."""
        return _id_of(self.to_dict())

    @property
    def loss(self) -> str:
        """The short name: the loss, the auxiliary that joins softmax, or the terms joined by '+'."""
        names = [term.name for term in self.terms]
        if len(names) == 2 and names[0] == BASE_LOSS and self.terms[1].has_weight:
            names = names[1:]
        return "+".join(names)

    @property
    def own_code(self) -> dict[str, Literal["losses", "networks"]]:
        """The names of its losses and its network that lie outside this package, with the kind of each."""
        own: dict[str, Literal["losses", "networks"]] = {t.name: "losses" for t in self.terms if t.external}
        return own | ({self.network: "networks"} if catalog.is_external(self.network, "networks") else {})

    @property
    def in_script(self) -> bool:
        """Whether its data or user code is defined in a script or notebook, which no worker imports."""
        names = [*self.own_code, self.data.location if self.data else ""]
        return any(name.startswith("__main__:") for name in names)

    @property
    def run_name(self) -> str:
        """The name of the run's folder: short loss name and id."""
        return self.name_with(self.to_dict())

    def name_with(self, settings: Mapping[str, Any]) -> str:
        """The name of the run's folder where its settings are stored like this."""
        return f"{slug(self.loss)[:60]}-{_id_of(settings)}"

    @property
    def title(self) -> str:
        """The title of the loss, e.g. 'Center'."""
        named = self.loss.split("+")
        return " + ".join(term.title for term in self.terms if term.name in named)

    @property
    def subtitle(self) -> str:
        """Weights and numeric settings in the papers' letters, e.g. 'λ = 0.003, α = 0.5'; the loss before
        a letter that several have."""
        return ", ".join(self.setting_texts)

    @property
    def setting_texts(self) -> list[str]:
        """The parts of `subtitle`."""
        values = [_weight_of(term) | dict(term.settings) for term in self.terms]
        letters = Counter(symbol(key) for own in values for key in own)
        parts = []
        for term, own in zip(self.terms, values, strict=True):
            for key, value in own.items():
                shown = key in SYMBOLS or key not in dict(term.settings)
                if shown or not term.is_default(key, self.classes, self.feature_dim):
                    several = letters[symbol(key)] > 1
                    parts.append(setting_text(f"{term.name}.{key}" if several else key, value))
        return parts

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
    def lr_scales(self) -> dict[str, float]:
        """The factor on the learning rate of the parameters of `network` and `loss`."""
        return {"network": 1.0, "loss": 1.0, **parse_scales(self.lr_scale)}

    @property
    def split_spec(self) -> SplitSpec:
        """What decides the splits of the data; runs with the same one share them."""
        return SplitSpec(self.dataset, self.val_size, self.unseen, self.eval_split, self.image_size)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of a sample: (channels, height, width) of an image or (D0,) of features."""
        shape = dataset_spec(self.dataset).shape
        return (shape[0], self.image_size, self.image_size) if self.image_size else shape

    @property
    def training_conditions(self) -> TrainingConditions:
        """What changes the training split; drawn with the seed of the run."""
        return TrainingConditions(*(getattr(self, name) for name in TrainingConditions._fields))

    @property
    def rule(self) -> str:
        """How a sample is classified: by class scores, else by the nearest training-class mean."""
        if any(term.spec.kind == "classifier" for term in self.terms):
            return "class scores"
        return "nearest class mean (cosine)" if self.cosine else "nearest class mean"

    @property
    def cosine(self) -> bool:
        """Whether the loss compares features by direction, so that metrics of pairs do so too."""
        return any(term.spec.angular for term in self.terms)

    @property
    def probabilities(self) -> bool:
        """Whether softmax of the class scores is the loss's probability of each class."""
        scored = [term.spec for term in self.terms if term.spec.kind == "classifier"]
        return bool(scored) and scored[0].probabilities

    def value_of(self, name: str) -> Value:
        """What `name` is here: a field, lambda, or a setting of the only term that has it."""
        if name == "lambda":
            named = [t for t in self.terms if t.by_lambda] or [t for t in self.terms if t.has_weight]
            return (named or self.terms)[0].weight
        if "." in name:
            term_name, _, key = name.rpartition(".")
            term_name = catalog.canonical(term_name)
            return next(dict(term.settings)[key] for term in self.terms if term.name == term_name)
        for term in self.terms:
            if name in dict(term.settings):
                return dict(term.settings)[name]
        value: Value = getattr(self, name)
        return value

    def setting_name(self, name: str) -> str:
        """The name of a setting such as `center.alpha` without its term, unless two terms have such a one."""
        key = name.rpartition(".")[2]
        return key if sum(key in dict(term.settings) for term in self.terms) == 1 else name

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `stored_config.config_from_dict` gives the same config back.

        An option or setting that was added later is left out at its default, which keeps older ids.
        """
        terms = [
            {"name": term.name, "weight": term.weight, "settings": term.stored_settings}
            for term in self.terms
        ]
        data: dict[str, Any] = {"terms": terms}
        for name, declared in RUN_OPTIONS.items():
            value = getattr(self, name)
            if name not in STORED_DEFAULTS or value != STORED_DEFAULTS[name]:
                data[declared.key] = list(value) if isinstance(value, tuple) else value
        return data | ({"data": self.data.to_dict()} if self.data else {})


def _id_of(settings: Mapping[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


RUN_OPTIONS = options_of(RunConfig)
"""The options of a run by field name: for the command line, checks and documentation."""
STORED_DEFAULTS = {
    field.name: field.default
    for field in dataclasses.fields(RunConfig)
    if field.default is not dataclasses.MISSING
}
"""The value of a field that is missing in stored JSON; the other fields are always there."""
REQUIRED = {"terms", *RUN_OPTIONS} - STORED_DEFAULTS.keys()
RECIPE_OPTION = Option(
    "Recipe, a set of defaults for the other options.",
    OPTIMIZER,
    name="recipe",
    default="fast",
    catalog="recipes",
)
LOSS_OPTIONS = {
    name: Option(text, "Loss", name=name, default_text="the loss's", type=float, sweep=True)
    for name, text in {
        "lambda": "Weight of the auxiliary term.",
        "alpha": "Setting alpha, such as the rate of the center updates.",
        "margin": "Margin m (radians when an angle).",
        "scale": "Scale s.",
    }.items()
}
"""The weight of a term, and the settings of losses that most papers vary: each has a flag."""


def _weight_of(term: Term) -> dict[str, Value]:
    """The weight where it is worth showing, as λ unless a setting of the loss has that letter."""
    if not term.has_weight and term.weight == 1:
        return {}
    taken = symbol("lambda") in (symbol(key) for key, _ in term.settings)
    return {"weight" if taken else "lambda": term.weight}


def loss_spec(name: str) -> LossSpec:
    """The SPEC of a loss by name."""
    spec: LossSpec = catalog.spec("losses", name)
    return spec


def dataset_spec(name: str) -> DatasetSpec:
    """The SPEC of a data set by name. Raises UsageError for an unknown one."""
    spec: DatasetSpec = catalog.spec("data", name)
    return spec


def dataset_title(name: str) -> str:
    """The title of a data set, for people."""
    return catalog.title("data", name)


def dataset_titles(names: Sequence[str]) -> list[str]:
    """The titles of data sets; the name where others have the same title, as a user's may."""
    return distinct([dataset_title(name) for name in names], names)
