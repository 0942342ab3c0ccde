"""AdamW compared with the equations of its paper, in plain loops, and with torch's own, also in its state."""

from __future__ import annotations

import itertools
import math
from copy import deepcopy

import pytest
import torch
from torch import nn

from lossbench.optimizers.adamw import AdamW

CPU = torch.device("cpu")
DECAY = 0.05
BETAS = (0.9, 0.99)


def adamw(parameters, weight_decay=DECAY):
    """The first parameter is the network's, the others are the loss's."""
    network, loss = nn.ParameterList(parameters[:1]), nn.ParameterList(parameters[1:])
    return AdamW(network, loss, weight_decay=weight_decay, lr_scale={"network": 1.0, "loss": 1.0}, device=CPU)


def parameters(dtype=torch.float32):
    """A vector, a number, a weight with the channels last, and a frozen one in between."""
    draw = torch.Generator().manual_seed(3)
    weight = torch.randn(5, 3, 2, 2, generator=draw, dtype=torch.float64).to(
        memory_format=torch.channels_last
    )
    values = [torch.randn(7, generator=draw, dtype=torch.float64), torch.tensor(0.3), torch.ones(4), weight]
    made = [nn.Parameter(value.to(dtype)) for value in values]
    made[2].requires_grad_(False)
    return made


def value(own, step):
    """A scalar with another gradient in each step."""
    factor = math.cos(step)
    return (own[0] * factor).square().sum() * own[1] + (own[3].flip(0) * own[3]).sum() * factor + own[0].sum()


def trained(optimizer, own, steps, begin=0):
    for step in range(begin, begin + steps):
        if isinstance(optimizer, AdamW):
            optimizer.set_rate(0.01 / (step + 1))
        else:
            optimizer.param_groups[0]["lr"] = 0.01 / (step + 1)
        value(own, step).backward()
        optimizer.step()
        if not isinstance(optimizer, AdamW):
            optimizer.zero_grad()
    return [p.detach().clone() for p in own]


def by_the_paper(own, steps):
    """Algorithm 2 of Loshchilov and Hutter, number by number, with torch's decay lr x lambda x theta."""
    own, (b1, b2) = [p.detach().clone().requires_grad_(p.requires_grad) for p in own], BETAS
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in own]
    for step in range(steps):
        rate = 0.01 / (step + 1)
        used = [p for p in own if p.requires_grad]
        grads = dict(zip(map(id, used), torch.autograd.grad(value(own, step), used), strict=True))
        with torch.no_grad():
            for p, (m, v) in zip(own, moments, strict=True):
                if id(p) not in grads:
                    continue
                for i in itertools.product(*map(range, p.shape)):
                    g = grads[id(p)][i]
                    m[i] = b1 * m[i] + (1 - b1) * g
                    v[i] = b2 * v[i] + (1 - b2) * g * g
                    m_hat, v_hat = m[i] / (1 - b1 ** (step + 1)), v[i] / (1 - b2 ** (step + 1))
                    p[i] -= rate * (DECAY * p[i] + m_hat / (v_hat.sqrt() + 1e-8))
    return [p.detach() for p in own]


@pytest.mark.parametrize(("dtype", "within"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_steps_are_those_of_the_paper(dtype, within):
    own = parameters(dtype)
    got = trained(adamw(own), own, 6)
    for mine, theirs in zip(got, by_the_paper(parameters(dtype), 6), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=within, atol=within)


def test_parameters_stay_the_objects_they_are():
    own, before = parameters(), parameters()
    optimizer = adamw(own)
    assert optimizer.parameters == own
    for parameter, old in zip(own, before, strict=True):
        assert torch.equal(parameter, old)
        assert (parameter.stride(), parameter.dtype) == (old.stride(), old.dtype)
    trained(optimizer, own, 1)
    assert not any(p.grad.any() for p in own if p.requires_grad), "forgotten after the step"
    assert torch.equal(own[2], before[2]), "frozen"


def test_types_of_numbers_do_not_mix():
    own = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2, dtype=torch.float64))]
    optimizer = adamw(own, 0.0)
    optimizer.set_rate(0.25)
    (own[0].sum() + own[1].sum()).backward()
    optimizer.step()
    for parameter, dtype in zip(own, (torch.float32, torch.float64), strict=True):
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, 0.75, dtype=dtype))


def test_an_unused_parameter_decays_as_if_its_gradient_were_zero():
    own = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))]
    optimizer = adamw(own)
    optimizer.set_rate(0.5)
    own[0].sum().backward()
    optimizer.step()
    torch.testing.assert_close(own[1].detach(), torch.full((2,), 1 - 0.5 * DECAY))


@pytest.mark.parametrize("back", [False, True])
def test_the_state_is_that_of_torchs_own(back):
    """Three steps with the one, three more with the other, which knows only the state."""

    def theirs(own):
        return torch.optim.AdamW(own, lr=0.0, betas=BETAS, weight_decay=DECAY)

    def ours(own):
        return adamw(own)

    first, second = (theirs, ours) if back else (ours, theirs)
    own = parameters()
    begun = first(own)
    trained(begun, own, 3)
    other = [nn.Parameter(p.detach().clone(), requires_grad=p.requires_grad) for p in own]
    goes_on = second(other)
    goes_on.load_state_dict(deepcopy(begun.state_dict()))
    got = trained(goes_on, other, 3, begin=3)
    for mine, same in zip(got, trained(begun, own, 3, begin=3), strict=True):
        torch.testing.assert_close(mine, same, rtol=1e-5, atol=1e-6)


def test_a_state_before_the_first_step_is_a_state():
    own = parameters()
    fresh = adamw(own)
    fresh.load_state_dict(adamw(parameters()).state_dict())
    other = parameters()
    expected = trained(adamw(other), other, 2)
    assert all(map(torch.equal, trained(fresh, own, 2), expected))


def test_a_state_of_other_parameters_is_refused():
    own, fewer, wider = parameters(), parameters()[:2], parameters()
    wider[0] = nn.Parameter(torch.zeros(1))  # a moment of one number would spread over all seven
    for others in (fewer, wider):
        optimizer = adamw(others)
        sum(p.sum() for p in others).backward()
        optimizer.step()
        with pytest.raises(ValueError, match=r"it has .*(not 4|where \(7,\) belongs)"):
            adamw(own).load_state_dict(optimizer.state_dict())
