"""The optimizers, one per file: a class built from parameters by role, weight decay and device."""

from ._interface import Optimizer, Parameters, Role

__all__ = ["Optimizer", "Parameters", "Role"]
