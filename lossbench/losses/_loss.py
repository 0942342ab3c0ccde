"""The base of the losses: their hyper-parameters are the annotated fields of the class."""

from __future__ import annotations

import inspect
from typing import ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import dataclass_transform

from ..specs import LossSpec, Value


@dataclass_transform(kw_only_default=True, eq_default=False)
class _Declared(nn.Module):
    """Makes the constructor of a subclass from its fields; type checkers and editors see it too.

    A class with a `SPEC` gets the signature `(num_classes, feature_dim, *, field=default, ...)` and a list
    of its hyper-parameters at the end of its docstring. None stands for a default that depends on (C, D).
    """

    SPEC: ClassVar[LossSpec]
    __signature__: ClassVar[inspect.Signature]

    def __init_subclass__(cls, *, kw_only: bool = True) -> None:
        super().__init_subclass__()
        if "SPEC" not in vars(cls):
            return
        cls.SPEC = cls.SPEC.with_settings(vars(cls))
        for name in cls.SPEC.settings.keys() & vars(cls).keys():
            delattr(cls, name)  # a class attribute would hide the parameter or buffer of the same name
        cls.__signature__ = _signature(cls.SPEC)
        lines = (f"    {name}: {each.help}, in {each.bounds}" for name, each in cls.SPEC.settings.items())
        cls.__doc__ = "\n".join([f"{cls.__doc__}\n\nHyper-parameters:", *lines])


class Loss(_Declared, kw_only=False):
    """A loss for `num_classes` C and features of `feature_dim` D, with its hyper-parameters as attributes.

    Raises UsageError (a ValueError) for a hyper-parameter out of bounds. A loss with the hyper-parameter
    `soft_start` has the buffer `progress` () and the attribute `starting`, see _soft_start.py.
    """

    num_classes: int
    feature_dim: int

    def __init__(self, num_classes: int, feature_dim: int, **settings: Value | None) -> None:
        super().__init__()
        inspect.signature(type(self)).bind(num_classes, feature_dim, **settings)
        self.num_classes, self.feature_dim = num_classes, feature_dim
        for name, value in self.SPEC.resolve(num_classes, feature_dim, **settings).items():
            setattr(self, name, value)
        if "soft_start" in self.SPEC.settings:
            self.progress: Tensor = nn.Buffer(torch.ones(()))
            self.starting = False
        self.__post_init__()

    def __post_init__(self) -> None:
        """Create parameters and buffers; called when the hyper-parameters are set."""


def _signature(spec: LossSpec) -> inspect.Signature:
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=int)
        for name in ("num_classes", "feature_dim")
    ]
    for name, each in spec.settings.items():
        # None stands for a default that depends on (C, D)
        default, annotation = (
            (None, each.type | None) if callable(each.default) else (each.default, each.type)
        )
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(name, kind, default=default, annotation=annotation))
    return inspect.Signature(parameters)
