"""A torch optimizer over one flat tensor that holds all parameters.

A small network has many small parameters, and a kernel call for each costs more than its arithmetic.
"""

import inspect
import sys
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

Part = tuple[Sequence[nn.Parameter], float]
"""Parameters and the factor on their learning rate."""
_ALIGNMENT = 16  # numbers: vector units and convolution libraries are fastest on aligned tensors


class FlatOptimizer:
    """A `torch.optim` class, fused, over one tensor for each dtype and learning rate of the parameters.

    The parameters stay the same objects with the same shapes and strides; their data and gradients become
    views of the flat tensors. Gradients are zero instead of None between steps: unlike in torch, a parameter
    that a step does not use decays all the same. On CUDA the learning rate is a tensor, because a CUDA graph
    would freeze a number.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        device: torch.device,
        optimizer: type[torch.optim.Optimizer],
        **options: Any,
    ) -> None:
        self.rate: float | Tensor = torch.zeros((), device=device) if device.type == "cuda" else 0.0
        scales = {parameter: scale for parameters, scale in parts for parameter in parameters}
        self.parameters = list(scales)
        self._numbers = {parameter: number for number, parameter in enumerate(self.parameters)}
        groups: dict[tuple[torch.dtype, float], list[nn.Parameter]] = {}
        for parameter, scale in scales.items():
            if parameter.requires_grad:
                groups.setdefault((parameter.dtype, scale), []).append(parameter)
        self._flat = [FlatParameters(group) for group in groups.values()]
        self._scales = [scale for _, scale in groups]
        fused = device.type in ("cpu", "cuda")
        _construct_without_compiler()
        self._optimizer = optimizer(
            [{"params": [flat.values], "lr": self.rate + 0.0} for flat in self._flat],
            **{"lr": self.rate, "fused": fused, **options},
        )
        self._step = inspect.unwrap(type(self._optimizer).step)  # torch wraps it in what imports the compiler

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps."""
        self.rate = self.rate.fill_(rate) if isinstance(self.rate, Tensor) else rate

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters and set their gradients to zero."""
        for group, scale in zip(self._optimizer.param_groups, self._scales, strict=True):
            if isinstance(group["lr"], Tensor):  # a part of the graph: set_rate launches one kernel
                torch.mul(self.rate, scale, out=group["lr"])
            else:
                group["lr"] = self.rate * scale
        self._step(self._optimizer)
        for flat in self._flat:
            flat.gradients.zero_()

    def state_dict(self) -> dict[str, Any]:
        """The state that the torch optimizer would have over the parameters themselves."""
        state = {}
        for flat in self._flat:
            if stored := self._optimizer.state.get(flat.values):
                for parameter, entry in zip(flat.parameters, flat.split(stored), strict=True):
                    state[self._numbers[parameter]] = entry
        group = self._optimizer.state_dict()["param_groups"][0]
        group |= {"params": list(self._numbers.values()), "lr": self.rate}
        return {"state": state, "param_groups": [group]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state, also one saved on another kind of device.

        Raises ValueError for a state of other parameters.
        """
        stored_group, loaded = state["param_groups"][0], self._optimizer.state_dict()
        if len(stored_group["params"]) != len(self.parameters):
            raise ValueError(f"it has {len(stored_group['params'])} parameters, not {len(self.parameters)}")
        loaded["state"] = {}
        for number, flat in enumerate(self._flat):
            entries = [state["state"].get(self._numbers[p]) for p in flat.parameters]
            if any(entries):
                loaded["state"][number] = flat.join(entries)
        self._optimizer.load_state_dict(loaded)
        self.set_rate(float(stored_group["lr"]))


def scaled_parts(network: nn.Module, loss: nn.Module, lr_scale: Mapping[str, float]) -> list[Part]:
    """The parameters of both modules with the factor of `lr_scale`, which has a key for each part."""
    return [
        (list(module.parameters()), lr_scale[name]) for name, module in (("network", network), ("loss", loss))
    ]


def _construct_without_compiler() -> None:
    """Keep torch optimizers from importing torch's compiler: 1.7 s, a third of the start of a run.

    Some of their methods are wrapped so that `torch.compile` leaves them alone. The first call of each
    imports the compiler to get a function, unless it finds one. Where torch does otherwise, nothing changes.
    """
    for name in ("add_param_group", "load_state_dict", "state_dict"):
        method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if method is not None and "torch._dynamo" not in sys.modules:
            method.__dict__.setdefault("__dynamo_disable", method)


def aligned(size: int) -> int:
    """The numbers that a parameter of so many takes in a flat tensor: the next one is aligned."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT


class FlatParameters:
    """Parameters of one dtype side by side in `values` (N,), their gradients in `gradients` (N,)."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        self._starts = list(accumulate((aligned(p.numel()) for p in parameters), initial=0))
        self.values = nn.Parameter(parameters[0].new_zeros(self._starts[-1]))
        self.values.grad = self.gradients = torch.zeros_like(self.values.data)
        views = zip(parameters, self.views(self.values.data), self.views(self.gradients), strict=True)
        for parameter, value, gradient in views:
            value.copy_(parameter.data)
            parameter.data, parameter.grad = value, gradient

    def views(self, flat: Tensor) -> list[Tensor]:
        """The part of `flat` (N,) that belongs to each parameter, with its shape and strides."""
        return [
            flat[start:].as_strided(p.shape, torch.empty_like(p).stride())
            for p, start in zip(self.parameters, self._starts[:-1], strict=True)
        ]

    def split(self, state: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """The optimizer's state of `values` as one state for each parameter."""
        columns = {
            name: [value.clone() for _ in self.parameters] if name == "step" else self.views(value)
            for name, value in state.items()
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def join(self, states: Sequence[Mapping[str, Tensor] | None]) -> dict[str, Tensor]:
        """The inverse of `split`; None is a parameter without state. Raises ValueError for other shapes."""
        joined = {}
        for name in dict.fromkeys(name for state in states for name in state or ()):
            if name == "step":
                joined[name] = torch.stack([state[name] for state in states if state]).amax()
                continue
            joined[name] = torch.zeros_like(self.values.data)
            for state, view in zip(states, self.views(joined[name]), strict=True):
                if state is None:
                    continue
                if state[name].shape != view.shape:
                    raise ValueError(f"it has {tuple(state[name].shape)} where {tuple(view.shape)} belongs")
                view.copy_(state[name])
        return joined
