"""The base of the losses: their hyper-parameters are the annotated fields of the class."""

import inspect
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from typing_extensions import dataclass_transform

from ..errors import UsageError
from ..specs import CLASS_COUNTS, LossSpec, Value, whole_size
from ._geometry import full_precision, reduce
from ._labels import check_labels, check_weights
from ._weighted_sum import Summable

REDUCTIONS = ("mean", "sum", "none")


@dataclass_transform(kw_only_default=True, eq_default=False)
class _Declared(Summable):
    """Makes the constructor of a subclass from its fields; type checkers and editors see it too.

    A class with a `SPEC` gets the signature `(num_classes, feature_dim, *, field=default, ...)` and a list
    of its hyper-parameters at the end of its docstring. None stands for a default that depends on (C, D).
    """

    SPEC: ClassVar[LossSpec]
    __signature__: ClassVar[inspect.Signature]
    takes_counts: ClassVar[bool] = False

    def __init_subclass__(cls, *, kw_only: bool = True) -> None:
        super().__init_subclass__()
        if "SPEC" not in vars(cls):
            return
        cls.SPEC = cls.SPEC.with_settings(vars(cls))
        cls.takes_counts = vars(cls).get("counts") is CLASS_COUNTS
        for name in {*cls.SPEC.settings, *(["counts"] if cls.takes_counts else [])} & vars(cls).keys():
            delattr(cls, name)  # a class attribute would hide the parameter or buffer of the same name
        cls.__signature__ = _signature(cls)
        lines = (f"    {name}: {each.help}, in {each.bounds}" for name, each in cls.SPEC.settings.items())
        cls.__doc__ = "\n".join([f"{cls.__doc__ or cls.__name__}\n\nHyper-parameters:", *lines])


class Loss(_Declared, kw_only=False):
    """A loss for `num_classes` C and features of `feature_dim` D, with its hyper-parameters as attributes.

    Raises UsageError (a ValueError) for a hyper-parameter out of bounds. A loss with the hyper-parameter
    `soft_start` has the buffer `progress` () and the attribute `starting`, see _soft_start.py. A loss that
    declares `counts: Tensor = CLASS_COUNTS` takes the argument `counts` (C,) and has the buffer of that name.
    A subclass writes `compute`.
    """

    num_classes: int
    feature_dim: int

    def __init__(self, num_classes: int, feature_dim: int, **settings: Value | None) -> None:
        super().__init__()
        inspect.signature(type(self)).bind(num_classes, feature_dim, **settings)
        num_classes, feature_dim = whole_size(num_classes), whole_size(feature_dim)
        if self.takes_counts:
            counts = class_counts(cast("Tensor | None", settings.pop("counts", None)), num_classes)
            self.register_buffer("counts", counts)
        self.num_classes, self.feature_dim = num_classes, feature_dim
        for name, value in self.SPEC.resolve(num_classes, feature_dim, **settings).items():
            setattr(self, name, value)
        if "soft_start" in self.SPEC.settings:
            self.progress: Tensor = nn.Buffer(torch.ones(()))
            self.starting = False
        self.__post_init__()

    def __post_init__(self) -> None:
        """Create parameters and buffers; called when the hyper-parameters are set."""

    @full_precision
    def forward(self, features: Tensor, labels: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The loss of a batch of features (B, D).

        labels (B,): integers of any type, in 0 ... C-1 where the loss has classes. sample_weight (B,): how
        much each sample counts, for a loss that is a mean over samples. An empty batch has the value 0.
        In training the buffers move, by all samples alike, unless the value is not finite.
        Raises UsageError (a ValueError) for other inputs, or for weights where the loss takes none.
        """
        labels = check_labels(labels, features, None if self.SPEC.kind == "pairs" else self.num_classes)
        return self._value(features, labels, sample_weight)

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The value () of a batch that is not empty, features (B, D) in float32 or float64, labels int64."""
        raise NotImplementedError

    @torch.no_grad()
    def move_state(self, value: Tensor, **buffers: Tensor) -> None:
        """In training, set buffers to their next values; not if the value of the batch is not finite."""
        if self.training:
            finite = value.isfinite().all()
            for name, new in buffers.items():
                buffer = getattr(self, name)
                buffer.copy_(torch.where(finite, new, buffer))

    def _value(self, features: Tensor, labels: Tensor, sample_weight: Tensor | None) -> Tensor:
        if sample_weight is not None:
            raise UsageError(f"{self.SPEC.title} is not a mean over samples, so it takes no sample_weight.")
        return self.compute(features, labels) if len(labels) else self._zero(features).sum()

    def _zero(self, features: Tensor) -> Tensor:
        """The losses (0,) of an empty batch, with a gradient, so that backward works."""
        return features.sum(-1) + sum(p.flatten()[:0].sum() for p in self.parameters())


class SampleLoss(Loss):
    """A loss that is a mean over samples, so that it can also be had for each of them.

    reduction: what `forward` returns: the `mean` or the `sum` over the batch (), or each sample's loss (B,)
    (`none`). With sample_weight w (B,) these are sum(w l) / sum(w), or 0 if all w are 0, sum(w l) and w l.
    """

    reduction: str = "mean"

    def __init__(
        self, num_classes: int, feature_dim: int, *, reduction: str = "mean", **settings: Value | None
    ) -> None:
        super().__init__(num_classes, feature_dim, **settings)
        if reduction not in REDUCTIONS:
            raise UsageError(f"reduction = {reduction} is not one of {{{', '.join(REDUCTIONS)}}}.")
        self.reduction = reduction

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """As in Loss; reduction as in torch.nn.functional."""
        raise NotImplementedError

    def _value(self, features: Tensor, labels: Tensor, sample_weight: Tensor | None) -> Tensor:
        if not len(labels):
            return reduce(self._zero(features), "none" if self.reduction == "none" else "sum")
        if sample_weight is None:
            return self.compute(features, labels, self.reduction)
        sample_weight = check_weights(sample_weight, features)
        losses = self.compute(features, labels, "none")
        sample_weight = sample_weight.to(losses.dtype)
        losses = losses * sample_weight
        if self.reduction == "mean":
            total = sample_weight.sum()
            return losses.sum() / torch.where(total == 0, 1, total)
        return reduce(losses, self.reduction)


def class_counts(counts: Tensor | None, num_classes: int) -> Tensor:
    """Samples of each class (C,), at least one; ones for None. Raises UsageError for anything else."""
    if counts is None:
        return torch.ones(num_classes)
    counts = torch.as_tensor(counts)
    if counts.shape != (num_classes,) or not bool((counts.isfinite() & (counts >= 0)).all()):
        raise UsageError(f"counts are {num_classes} numbers from 0, one for each class.")
    return counts.float().clamp(min=1)


def _signature(cls: type[_Declared]) -> inspect.Signature:
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=int)
        for name in ("num_classes", "feature_dim")
    ]
    kind = inspect.Parameter.KEYWORD_ONLY
    for name, each in cls.SPEC.settings.items():
        # None stands for a default that depends on (C, D)
        default, annotation = (
            (None, each.type | None) if callable(each.default) else (each.default, each.type)
        )
        parameters.append(inspect.Parameter(name, kind, default=default, annotation=annotation))
    if cls.takes_counts:
        parameters.append(inspect.Parameter("counts", kind, default=None, annotation=Tensor | None))
    if issubclass(cls, SampleLoss):
        parameters.append(inspect.Parameter("reduction", kind, default="mean", annotation=str))
    return inspect.Signature(parameters)
