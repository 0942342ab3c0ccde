"""Networks are built from the shape of the images."""

from __future__ import annotations

import pytest
import torch

from lossbench.errors import UsageError
from lossbench.specs import catalog


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 40, 25), (4, 64, 64)])
@pytest.mark.parametrize("name", catalog.names("networks"))
def test_a_network_takes_images_of_any_size_and_channels(name: str, shape: tuple[int, int, int]) -> None:
    network = catalog.load("networks", name)(shape, 3)
    assert all(module.training for module in network.modules())
    features = network(torch.rand(2, *shape))
    assert features.shape == (2, 3)
    features.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "smallest"), [("compact", 21), ("stride3", 25), ("lenet", 16), ("lenet++", 12)]
)
def test_images_too_small_for_a_network_are_refused(name: str, smallest: int) -> None:
    catalog.load("networks", name)((1, smallest, smallest), 2)
    with pytest.raises(UsageError, match=f"Images of {smallest - 1} x 40 are too small"):
        catalog.load("networks", name)((1, smallest - 1, 40), 2)
