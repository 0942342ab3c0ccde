"""Any loss of pytorch-metric-learning, with any of its miners, under the contract of this package."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from pytorch_metric_learning import losses, miners
from torch import Tensor, nn

from ..errors import UsageError, unknown_name
from ..specs import HyperParameter, LossSpec
from ._geometry import full_precision
from ._labels import check_labels

_NO_MINER = "none"
_WRAPPED = {"loss", "losses", "mat_based_loss"}  # arguments of wrappers around another loss
_UNUSABLE = {
    "ManifoldLoss": "it takes no labels",
    "VICRegLoss": "it takes two views of each image and no labels",
    "DynamicSoftMarginLoss": "its histogram ends before the largest difference of distances",
    "HistogramLoss": "its histogram has no bin for a cosine of 1",
}
_REQUIRED: dict[str, dict[str, float]] = {"RankedListLoss": {"margin": 0.4, "Tn": 10.0}}


def find(name: str) -> tuple[Callable[..., nn.Module], LossSpec]:
    """Constructor and SPEC of the library's loss `name`. Raises UsageError for an unknown one."""
    if name in _UNUSABLE:
        raise UsageError(f"{name} of pytorch-metric-learning cannot be used: {_UNUSABLE[name]}.")
    classes = _classes(losses)
    if name not in classes:
        raise unknown_name("loss of pytorch-metric-learning", name, classes)
    loss_class = classes[name]
    parameters = _parameters(loss_class)
    defaults = {key: p.default for key, p in parameters.items()} | _REQUIRED.get(name, {})
    settings = {
        # an int default is not a proof of the type: alpha=2 may become 2.5
        key: HyperParameter(
            default=float(default) if type(default) is int else default, help="see pytorch-metric-learning"
        )
        for key, default in defaults.items()
        if isinstance(default, bool | int | float | str)
    }
    settings["miner"] = HyperParameter(
        default=_NO_MINER, choices=(_NO_MINER, *_classes(miners)), help="which tuples of the batch count"
    )
    classifies = hasattr(loss_class, "get_logits")
    spec = LossSpec(
        title=f"PML {name.removesuffix('Loss')}",
        summary=(loss_class.__doc__ or name).strip().splitlines()[0],
        paper="pytorch-metric-learning",
        equation=f"pytorch_metric_learning.losses.{name}",
        kind="classifier" if classifies else "pairs",
        sampler="shuffled" if "num_classes" in parameters else "balanced",
        angular=True,  # its distances normalise by default
        settings=settings,
    )
    adapter = _Classifier if classifies else _Wrapped

    @functools.wraps(loss_class, updated=())
    def construct(num_classes: int, feature_dim: int, **values: Any) -> nn.Module:
        return adapter(loss_class, num_classes, feature_dim, **values)

    return construct, spec


class _Wrapped(nn.Module):
    """A loss of the library, which gets `num_classes` and `embedding_size` if it takes them."""

    def __init__(
        self,
        loss_class: type[nn.Module],
        num_classes: int,
        feature_dim: int,
        *,
        miner: str = _NO_MINER,
        **settings: Any,
    ) -> None:
        super().__init__()
        shape = {"num_classes": num_classes} | dict.fromkeys(
            ("embedding_size", "descriptors_dim", "l"), feature_dim
        )
        values = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in settings.items()}
        self.loss = loss_class(**{k: v for k, v in shape.items() if k in _parameters(loss_class)}, **values)
        self.miner = None if miner == _NO_MINER else _classes(miners)[miner]()

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the library's value."""
        labels = check_labels(labels, features, None)
        tuples = None if self.miner is None else self.miner(features, labels)
        value: Tensor = self.loss(features, labels, tuples)
        return value


class _Classifier(_Wrapped):
    """A loss of the library with class scores."""

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """The library's margin-free class scores (B, C)."""
        scores: Tensor = self.loss.get_logits(features)  # type: ignore[operator]
        return scores


def _parameters(loss_class: type) -> dict[str, inspect.Parameter]:
    """What the constructor takes, also through `*args` and `**kwargs` of its parents."""
    parameters: dict[str, inspect.Parameter] = {}
    for parent in loss_class.__mro__:
        if parent.__module__.startswith("pytorch_metric_learning.losses") and "__init__" in vars(parent):
            parameters = dict(inspect.signature(parent).parameters) | parameters
    return {key: p for key, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def _classes(module: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and name.endswith(("Loss", "Miner"))
        and not _WRAPPED & set(inspect.signature(value).parameters)
        and not name.startswith("Base")
        and name not in _UNUSABLE
    }
