"""Muon compared with a plain loop over matrices, with torch's own, and in its state."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from lossbench.optimizers import muon
from lossbench.optimizers.muon import Muon, orthogonalize

CPU = torch.device("cpu")
OPTIONS = {"weight_decay": 0.01, "momentum": 0.9, "nesterov": True, "device": CPU}
ALIKE = {"network": 1.0, "loss": 1.0}
ADAMW_SCALE, BETAS = 0.16, (0.9, 0.99)


def modules():
    """Convolutions with the channels last, two of one shape, a wide matrix, and the feature layer."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.Conv2d(6, 6, 3, bias=False),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, bias=False),
        nn.Flatten(),
        nn.Linear(24, 40, bias=False),
        nn.ReLU(),
        nn.Linear(40, 2),
    )
    return network.to(memory_format=torch.channels_last), nn.Linear(2, 3, bias=False)


def train(network, loss, step, steps):
    images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(8) % 3
    for number in steps:
        nn.functional.cross_entropy(loss(network(images)), labels).backward()
        step(number)
    return [p.detach().clone() for p in (*network.parameters(), *loss.parameters())]


def ours(modules, **options):
    optimizer = Muon(*modules, **{"lr_scale": ALIKE, **OPTIONS, **options})

    def step(number):
        optimizer.set_rate(0.05 / (number + 1))
        optimizer.step()

    return optimizer, step


def in_plain_loops(network, loss):
    """The update of each matrix as the public code computes it, the others by torch's AdamW."""
    matrices = [p for p in network.parameters() if p.ndim >= 2][:-1]
    others = [p for p in (*network.parameters(), *loss.parameters()) if all(p is not m for m in matrices)]
    adamw = torch.optim.AdamW(others, betas=BETAS, weight_decay=0.01)
    momenta = [torch.zeros_like(m) for m in matrices]

    def step(number):
        rate = 0.05 / (number + 1)
        adamw.param_groups[0]["lr"] = ADAMW_SCALE * rate
        adamw.step()
        adamw.zero_grad()
        for matrix, momentum in zip(matrices, momenta, strict=True):
            momentum.mul_(0.9).add_(0.1 * matrix.grad)
            update = (0.1 * matrix.grad + 0.9 * momentum).reshape(len(matrix), -1)
            rows, columns = update.shape
            update = (update.T if rows > columns else update).double()
            update = update / update.norm()
            for _ in range(3):
                product = update @ update.T
                update = 3.4445 * update + (-4.775 * product + 2.0315 * product @ product) @ update
            update = update.T if rows > columns else update
            scale = rate * max(1, rows / columns) ** 0.5
            matrix.data = (1 - rate * 0.01) * matrix.data - scale * update.reshape(matrix.shape).float()
            matrix.grad = None

    return step


def test_steps_are_those_of_the_public_code():
    network, loss = modules()
    got = train(network, loss, ours((network, loss))[1], range(4))
    network, loss = modules()
    expected = train(network, loss, in_plain_loops(network, loss), range(4))
    for mine, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)


def test_the_direction_is_that_of_torchs_muon():
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon")
    weights = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    gradient = torch.randn(6, 10, generator=torch.Generator().manual_seed(1))
    theirs = nn.Parameter(weights.clone())
    theirs.grad = gradient.clone()
    torch.optim.Muon([theirs], lr=0.1, weight_decay=0.0, momentum=0.9, nesterov=True, ns_steps=3).step()
    direction = orthogonalize(gradient[None])[0]
    torch.testing.assert_close(
        (weights - theirs.detach()) / 0.1, direction, rtol=0.02, atol=0.02
    )  # bf16 there


def test_singular_values_come_near_one_and_vectors_stay():
    matrices = torch.randn(2, 5, 9, generator=torch.Generator().manual_seed(2))
    for tensor in (matrices, matrices.mT):
        values = torch.linalg.svdvals(orthogonalize(tensor))
        assert values.min() > 0.6
        assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrices[0], full_matrices=False)
    diagonal = u.T @ orthogonalize(matrices)[0] @ v.T
    torch.testing.assert_close(diagonal, torch.diag(diagonal.diag()), atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_matrices_of_several_shapes_in_one_batch_are_as_each_alone(seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(2, 6, 9), (1, 24, 5), (3, 8, 40), (1, 1, 1)]
    batches = [torch.randn(shape, generator=generator) for shape in shapes]
    padded = torch.zeros(7, 8, 40)
    for _ in range(2):  # a step leaves nothing to the next one
        directions = muon._orthogonalize_together(batches, padded)
        for batch, direction in zip(batches, directions, strict=True):
            torch.testing.assert_close(direction, orthogonalize(batch), rtol=1e-4, atol=1e-6)
        batches = [-2 * batch for batch in batches]


def test_a_zero_gradient_is_no_update():
    assert orthogonalize(torch.zeros(1, 3, 4)).eq(0).all()


def test_parts_have_rates_of_their_own():
    network, loss = modules()
    before = [p.detach().clone() for p in network.parameters()]
    train(network, loss, ours((network, loss), lr_scale={"network": 0.0, "loss": 1.0})[1], range(1))
    assert all(map(torch.equal, network.parameters(), before))
    assert not torch.equal(loss.weight, modules()[1].weight)


def test_a_state_continues_bit_for_bit_and_one_of_other_matrices_is_refused():
    pair = modules()
    optimizer, step = ours(pair)
    train(*pair, step, range(3))
    copies = modules()
    for mine, other in zip(pair, copies, strict=True):
        other.load_state_dict(mine.state_dict())
    continued, step_on = ours(copies)
    continued.load_state_dict(deepcopy(optimizer.state_dict()))
    expected = train(*pair, step, range(3, 5))
    assert all(map(torch.equal, train(*copies, step_on, range(3, 5)), expected))
    smaller = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), nn.Linear(2, 3)
    with pytest.raises(ValueError, match="other matrices"):
        ours(smaller)[0].load_state_dict(optimizer.state_dict())


def test_a_network_of_one_matrix_is_trained_by_adamw():
    network, loss = nn.Linear(4, 2), nn.Linear(2, 3)
    optimizer, step = ours((network, loss))
    loss(network(torch.ones(1, 4))).sum().backward()
    step(0)
    assert optimizer.state_dict()["momenta"] == []
    assert all(p.grad.eq(0).all() for p in network.parameters())


@pytest.mark.parametrize("shape", [(1, 128, 512), (2, 130, 700), (1, 520, 128)])
def test_large_wide_matrices_give_the_same_in_fewer_operations(shape, monkeypatch):
    matrices = torch.randn(
        *shape if len(shape) == 3 else (1, *shape), generator=torch.Generator().manual_seed(0)
    )
    quick = orthogonalize(matrices)
    monkeypatch.setattr(muon, "_LARGE", float("inf"))
    plain = orthogonalize(matrices)
    assert not torch.equal(quick, plain)  # or the same was computed twice
    torch.testing.assert_close(quick, plain, rtol=1e-4, atol=1e-6)
