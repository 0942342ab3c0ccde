"""Sums of losses made of modules: `softmax + 0.003 * center`, in anybody's training loop."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lossbench.errors import UsageError
from lossbench.losses import ArcFace, Center, Softmax, Triplet, WeightedSum

FEATURES = torch.randn(20, 2, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(20) % 4


class Own(nn.Module):
    """A module that knows nothing of lossbench, and returns its scores as well."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 4)

    def forward(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.linear(features)
        return nn.functional.cross_entropy(scores, labels), scores


def test_the_operators_give_the_weighted_sum():
    softmax, center = Softmax(4, 2), Center(4, 2)
    total = softmax + 0.003 * center
    assert isinstance(total, WeightedSum)
    assert (total.names, total.weights) == (["Softmax", "Center"], [1.0, 0.003])
    before = center.centers.clone()
    written = WeightedSum({"softmax": softmax, "center": center}, [1.0, 0.003])(FEATURES, LABELS)
    center.centers.copy_(before)  # each call in training mode moves them
    assert torch.equal(total(FEATURES, LABELS), written)
    assert "1*Softmax + 0.003*Center" in repr(total)


def test_sums_are_flat_and_can_be_scaled():
    softmax, center, triplet = Softmax(4, 2), Center(4, 2), Triplet(4, 2)
    total = 2 * (softmax + center * 0.5) + triplet
    assert total.weights == [2.0, 1.0, 1.0]
    assert list(total.losses) == [softmax, center, triplet]
    assert (triplet + total).names == ["Triplet-0", "Softmax", "Center", "Triplet-3"]
    assert sum([softmax, center]).weights == [1.0, 1.0]
    assert total.classifier() is softmax
    assert (np.float64(0.5) * center).weights == [0.5]


@pytest.mark.parametrize("sum_", [lambda own, loss: own + loss, lambda own, loss: loss + own])
def test_a_module_of_anybody_can_be_added(sum_):
    own, arcface = Own(), ArcFace(4, 2)
    value = sum_(own, 0.5 * arcface)(FEATURES, LABELS)
    assert value.item() == pytest.approx((own(FEATURES, LABELS)[0] + 0.5 * arcface(FEATURES, LABELS)).item())


def test_a_loop_trains_it_and_its_state_is_restored():
    torch.default_generator.manual_seed(0)
    network, total = nn.Linear(2, 2), Softmax(4, 2) + 0.1 * Center(4, 2)
    optimizer = torch.optim.SGD([*network.parameters(), *total.parameters()], lr=0.1)
    first = total(network(FEATURES), LABELS).item()
    for _ in range(30):
        optimizer.zero_grad()
        value = total(network(FEATURES), LABELS)
        value.backward()
        optimizer.step()
    assert value.item() < first
    file = io.BytesIO()
    torch.save(total.state_dict(), file)
    file.seek(0)
    again = (Softmax(4, 2) + 0.1 * Center(4, 2)).eval()
    assert set(again.state_dict()) == {"losses.0.weight", "losses.1.centers"}
    again.load_state_dict(torch.load(file))
    assert torch.equal(again(FEATURES, LABELS), total.eval()(FEATURES, LABELS))


def test_a_term_of_weight_zero_has_no_gradient():
    softmax = Softmax(4, 2)
    features = FEATURES.clone().requires_grad_()
    total = softmax + 0 * Center(4, 2)
    assert torch.equal(total(features, LABELS), softmax(features, LABELS))
    assert total.losses[1].centers.abs().sum() > 0


@pytest.mark.parametrize("losses", [[Softmax], [Softmax, Center]])
def test_a_sum_whose_weights_are_all_zero_is_zero(losses):
    total = WeightedSum({loss.__name__: loss(4, 2) for loss in losses}, [0.0] * len(losses))
    value = total(FEATURES.clone().requires_grad_(), LABELS)
    value.backward()
    assert (value.item(), value.shape) == (0, ())


@pytest.mark.parametrize(
    "make",
    [
        lambda: WeightedSum({}, []),
        lambda: WeightedSum({"softmax": Softmax(4, 2)}, [1.0, 2.0]),
        lambda: float("nan") * Softmax(4, 2),
    ],
)
def test_weights_that_are_none_are_refused(make):
    with pytest.raises(UsageError, match="finite numbers"):
        make()


@pytest.mark.parametrize("other", ["center", None, 3])
def test_only_modules_are_added(other):
    for add in (lambda: Softmax(4, 2) + other, lambda: other + Softmax(4, 2)):
        with pytest.raises(TypeError):
            add()
    with pytest.raises(TypeError):
        Softmax(4, 2) * Softmax(4, 2)
