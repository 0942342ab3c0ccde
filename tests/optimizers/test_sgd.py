"""SGD compared with torch's own, parameter by parameter, and the rate of a part."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lossbench.optimizers.sgd import SGD

CPU = torch.device("cpu")


def trained(optimizer, network, loss, steps=5):
    for step in range(steps):
        if isinstance(optimizer, SGD):
            optimizer.set_rate(0.1 / (step + 1))
        else:
            for group in optimizer.param_groups:
                group["lr"] = group["scale"] * 0.1 / (step + 1)
            optimizer.zero_grad()
        loss(network(torch.linspace(-1, 1, 12).view(3, 4)).tanh()).square().sum().backward()
        optimizer.step()
    return [p.detach().clone() for p in (*network.parameters(), *loss.parameters())]


def modules():
    torch.manual_seed(0)
    return nn.Linear(4, 3), nn.Linear(3, 2, bias=False)


@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_are_torchs_with_a_rate_for_each_part(nesterov):
    options = {"momentum": 0.9, "weight_decay": 0.01, "nesterov": nesterov}
    network, loss = modules()
    ours = SGD(network, loss, lr_scale={"network": 1.0, "loss": 10.0}, device=CPU, **options)
    got = trained(ours, network, loss)
    network, loss = modules()
    groups = [
        {"params": list(network.parameters()), "scale": 1.0},
        {"params": list(loss.parameters()), "scale": 10.0},
    ]
    expected = trained(torch.optim.SGD(groups, lr=0.1, **options), network, loss)
    for mine, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)


def test_a_state_continues():
    options = {"momentum": 0.9, "weight_decay": 0.01, "nesterov": False, "device": CPU}
    scales = {"network": 1.0, "loss": 0.5}
    network, loss = modules()
    begun = SGD(network, loss, lr_scale=scales, **options)
    trained(begun, network, loss, 3)
    copies = modules()
    for mine, other in zip((network, loss), copies, strict=True):
        other.load_state_dict(mine.state_dict())
    continued = SGD(*copies, lr_scale=scales, **options)
    continued.load_state_dict(begun.state_dict())
    assert continued.rate == begun.rate
    assert all(map(torch.equal, trained(continued, *copies, 2), trained(begun, network, loss, 2)))
