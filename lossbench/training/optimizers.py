"""AdamW with a rate that rises and falls, over all parameters at once.

A small network has many small parameters, and a call for each costs more than its arithmetic: here they
lie side by side in one tensor, and so do their gradients. On CUDA all that a recorded step reads stays where
it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

WARM_UP = 0.2
"""Fraction of the steps during which the learning rate rises."""
BETAS = (0.9, 0.99)
_ALIGNED = 16  # numbers: a view begins where vector units and convolution libraries like it
_MOMENTS = ("exp_avg", "exp_avg_sq")


def learning_rate(progress: float, peak: float) -> float:
    """The rate at `progress` in [0, 1): a linear rise to `peak` during WARM_UP, then linear to zero."""
    rise = (progress + 1e-3) / WARM_UP
    return peak * min(rise, (1 - progress) / (1 - WARM_UP))


class Optimizer:
    """AdamW (Loshchilov and Hutter, ICLR 2019, arXiv 1711.05101, algorithm 2) in one fused kernel.

    Parameters stay the objects they are, with their shapes and strides, but move into one tensor for each
    type of number. Gradients are zero instead of None between steps: other than in torch, a parameter that
    a step does not use decays all the same. The rate is a tensor on CUDA: a graph would freeze a number.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float, device: torch.device) -> None:
        recordable = device.type == "cuda"
        self.rate: float | Tensor = torch.zeros((), device=device) if recordable else 0.0
        self.parameters = list(parameters)
        self._numbers = {parameter: number for number, parameter in enumerate(self.parameters)}
        trained = [p for p in self.parameters if p.requires_grad]
        types = dict.fromkeys(p.dtype for p in trained)
        self._rows = [_Row([p for p in trained if p.dtype == dtype]) for dtype in types]
        self.adamw = torch.optim.AdamW(
            [row.values for row in self._rows],
            lr=self.rate,
            betas=BETAS,
            weight_decay=weight_decay,
            fused=device.type in ("cpu", "cuda"),
            capturable=recordable,
        )

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next steps."""
        self.rate = self.rate.fill_(rate) if isinstance(self.rate, Tensor) else rate
        for group in self.adamw.param_groups:
            group["lr"] = self.rate

    def step(self) -> None:
        """Move the parameters and forget the gradients."""
        self.adamw.step()
        for row in self._rows:
            row.gradients.zero_()

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs: the state of a torch.optim.AdamW over the same parameters."""
        state: dict[int, dict[str, Tensor]] = {}
        for row in self._rows:
            if own := self.adamw.state.get(row.values):
                parts = zip(row.parameters, *(row.views(own[name]) for name in _MOMENTS), strict=True)
                for parameter, *moments in parts:
                    named = dict(zip(_MOMENTS, moments, strict=True))
                    state[self._numbers[parameter]] = {"step": own["step"].clone(), **named}
        group = self.adamw.state_dict()["param_groups"][0] | {"params": list(self._numbers.values())}
        return {"state": state, "param_groups": [group]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, also one that was saved on another kind of device. Raises ValueError for one of
        other parameters."""
        group, own = state["param_groups"][0], self.adamw.state_dict()
        if len(group["params"]) != len(self.parameters):
            raise ValueError(f"it has {len(group['params'])} parameters, not {len(self.parameters)}")
        found = [[state["state"].get(self._numbers[p]) for p in row.parameters] for row in self._rows]
        own["state"] = {
            number: row.joined(parts)
            for number, (row, parts) in enumerate(zip(self._rows, found, strict=True))
            if any(parts)
        }
        self.adamw.load_state_dict(own)
        self.set_rate(float(group["lr"]))


class _Row:
    """Parameters of one type side by side in `values` (N,), their gradients in `gradients` (N,)."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        rooms = [-(-p.numel() // _ALIGNED) * _ALIGNED for p in parameters]
        self._starts = list(accumulate(rooms, initial=0))
        self.values = nn.Parameter(parameters[0].new_zeros(self._starts[-1]))
        self.gradients = torch.zeros_like(self.values.data)
        self.values.grad = self.gradients
        views = zip(parameters, self.views(self.values.data), self.views(self.gradients), strict=True)
        for parameter, value, gradient in views:
            value.copy_(parameter.data)
            parameter.data, parameter.grad = value, gradient

    def views(self, row: Tensor) -> list[Tensor]:
        """The parts of `row` (N,) that belong to each parameter, in its shape and order of bytes."""
        return [
            row[start:].as_strided(p.shape, torch.empty_like(p).stride())
            for p, start in zip(self.parameters, self._starts[:-1], strict=True)
        ]

    def joined(self, parts: list[dict[str, Tensor] | None]) -> dict[str, Tensor]:
        """The moments of each parameter, None where it has none yet, as those of the whole row."""
        own = {name: torch.zeros_like(self.values.data) for name in _MOMENTS}
        for name, row in own.items():
            for part, view in zip(parts, self.views(row), strict=True):
                if part is None:
                    continue
                if part[name].shape != view.shape:
                    raise ValueError(f"it has {tuple(part[name].shape)} where {tuple(view.shape)} belongs")
                view.copy_(part[name])
        return {"step": torch.stack([part["step"] for part in parts if part]).amax(), **own}
