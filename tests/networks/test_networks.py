"""Every network gives float32 features of any dimension; LeNet++ is the published one, layer by layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lossbench.networks._prelu import PReLU
from lossbench.specs import catalog

NETWORKS = catalog.names("networks")


def build(name: str, dim: int = 2, shape: tuple[int, int, int] = (1, 28, 28)) -> nn.Module:
    network: nn.Module = catalog.load("networks", name)(shape, dim)
    return network.eval()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_images_become_features(name: str, dim: int) -> None:
    network = build(name, dim)
    images = torch.rand(3, 1, 28, 28) * 2 - 1
    features = network(images)
    assert features.shape == (3, dim)
    assert features.dtype == torch.float32
    torch.testing.assert_close(network(images[1:2]), features[1:2], rtol=1e-4, atol=1e-5)
    last = network(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, features, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_features_stay_float32_under_bf16_autocast(name: str) -> None:
    network = build(name)
    images = torch.rand(64, 1, 28, 28) * 2 - 1
    with torch.inference_mode():
        exact = network(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features = network(images)
            hidden = network.get_submodule("trunk")(images)
    assert features.dtype == torch.float32
    # so the convolutions really ran in it; before a linear map there is only a batch norm, in float32
    assert hidden.dtype == (torch.float32 if name == "linear" else torch.bfloat16)
    assert not torch.equal(features, features.bfloat16().float())  # not rounded to bf16's grid
    assert (features - exact).abs().max() < 0.1 * exact.abs().max() + 0.02


@pytest.mark.parametrize("name", NETWORKS)
def test_features_lie_on_both_sides_of_zero_and_every_parameter_learns(name: str) -> None:
    network = build(name, 2).train()
    images = torch.rand(32, 1, 28, 28) * 2 - 1
    features = network(images)
    torch.nn.functional.cross_entropy(features, torch.arange(32) % 2).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().sum() > 0, key
    signs = torch.cat([build(name, 5)(images) for _ in range(4)], 1).sign()
    assert (signs > 0).any()
    assert (signs < 0).any()  # no activation after the feature layer


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_the_generator_s(name: str) -> None:
    torch.default_generator.manual_seed(1)
    first = build(name).state_dict()
    torch.default_generator.manual_seed(1)
    again = build(name).state_dict()
    other = build(name).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["feature.weight"], other["feature.weight"])


def convolutional(widths: tuple[int, ...], kernels: tuple[int, ...], flat: int) -> int:
    """Parameters of convolutions without a bias, a hidden layer of 96 and their batch norms, of one channel."""
    pairs = zip((1, *widths), widths, kernels)  # noqa: B905
    return sum(k * k * a * b + 2 * b for a, b, k in pairs) + 96 * flat * widths[-1] + 2 * 96 + 96 * 2 + 2


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("compact", convolutional((32, 32, 32, 32, 48), (5, 3, 3, 3, 3), 4 * 4)),
        ("stride3", convolutional((32, 32, 32, 48), (7, 3, 3, 3), 2 * 2)),
        ("lenet", 20 * 26 + 20 + 50 * (20 * 25 + 1) + 50 + 500 * (50 * 16 + 1) + 500 + 500 * 2 + 2),
        ("linear", 28 * 28 * 2 + 2),
        ("mlp", 28 * 28 * 128 + 2 * 128 + 128 * 2 + 2),
    ],
)
def test_networks_have_the_sizes_that_results_belong_to(name: str, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in build(name, 2).parameters()) == parameters


def test_lenet_plus_plus_has_the_published_number_of_parameters() -> None:
    network = build("lenet++", 2)
    # per convolution 25 * in * out + out, with one slope per channel; 1152 * 2 + 2 of the feature
    widths = (1, 32, 32, 64, 64, 128, 128)
    by_hand = sum(25 * a * b + b + b for a, b in zip(widths, widths[1:], strict=False)) + 1152 * 2 + 2
    count = sum(parameter.numel() for parameter in network.parameters())
    # the released network: also a slope for each of the two features and a head of 2 -> 10 without bias
    assert count == by_hand == 797_624 - 2 - 20 == 797_602
    assert sum(p.numel() for p in build("lenet++", 5).parameters()) == count + 3 * 1153


def test_lenet_plus_plus_has_the_published_shapes() -> None:
    network = build("lenet++")
    shapes: list[tuple[str, tuple[int, ...]]] = []
    for module in network.modules():
        for kind in (nn.Conv2d, nn.PReLU, nn.MaxPool2d):
            if isinstance(module, kind):
                module.register_forward_hook(
                    lambda _module, _, output, name=kind.__name__: shapes.append(
                        (name, tuple(output.shape[1:]))
                    )
                )
    network(torch.zeros(1, 1, 28, 28))
    stages = [((32, 28, 28), (32, 14, 14)), ((64, 14, 14), (64, 7, 7)), ((128, 7, 7), (128, 3, 3))]
    assert shapes == [
        step
        for full, pooled in stages
        for step in [("Conv2d", full), ("PReLU", full)] * 2 + [("MaxPool2d", pooled)]
    ]
    assert network.get_submodule("trunk")(torch.zeros(1, 1, 28, 28)).flatten(1).shape == (1, 1152)


def test_the_last_pool_of_lenet_plus_plus_sees_the_last_row_and_column() -> None:
    pool = next(m for m in reversed(list(build("lenet++").modules())) if isinstance(m, nn.MaxPool2d))
    hidden = torch.zeros(1, 1, 7, 7)
    hidden[..., 6, 6] = 1
    assert pool(hidden)[0, 0, 2, 2] == 1  # a 2 x 2 pool with floor, as many ports have it, does not


def test_lenet_plus_plus_starts_inside_caffe_s_xavier_bound() -> None:
    network = build("lenet++")
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert [layer.weight[0].numel() for layer in layers] == [25, 800, 800, 1600, 1600, 3200, 1152]
    for layer in layers:
        bound = (3 / layer.weight[0].numel()) ** 0.5
        assert layer.weight.abs().max() <= bound
        assert layer.weight.abs().max() > 0.98 * bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)  # uniform
        assert layer.bias is not None
        assert (layer.bias == 0).all()
    slopes = [module.weight for module in network.modules() if isinstance(module, nn.PReLU)]
    assert [len(slope) for slope in slopes] == [32, 32, 64, 64, 128, 128]
    assert all((slope == 0.25).all() for slope in slopes)


def test_lenet_is_caffe_s_with_slopes() -> None:
    count = sum(parameter.numel() for parameter in build("lenet", 2).parameters())
    assert count == (25 * 20 + 20) + 20 + (25 * 20 * 50 + 50) + 50 + (800 * 500 + 500) + 500 + (500 * 2 + 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(4, 3, 5, 6), (1, 3, 2, 2), (5, 3)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_prelu_is_torch_s(dtype: torch.dtype, shape: tuple[int, ...], layout: torch.memory_format) -> None:
    """Value and gradient for the values to the last bit, at 0 too; for the slopes but for the order of sums."""
    values, upstream = torch.randn(shape).to(dtype), torch.randn(shape).to(dtype)
    values.view(-1)[0] = 0
    if len(shape) == 4:
        values, upstream = (each.contiguous(memory_format=layout) for each in (values, upstream))
    found = []
    for layer in (torch.nn.PReLU(3), PReLU(3)):
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([0.25, -0.3, 0.9]))
        layer.to(torch.float64 if dtype == torch.float64 else torch.float32)
        leaf = values.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            value = layer(leaf)
        value.backward(upstream)
        found.append((value.detach(), leaf.grad, layer.weight.grad))
    (value, inward, slopes), (our_value, our_inward, our_slopes) = found
    assert torch.equal(our_value, value)
    assert torch.equal(our_inward, inward)
    assert our_inward.stride() == inward.stride()
    torch.testing.assert_close(our_slopes, slopes)


def test_values_are_brought_to_one_size_and_noise_is_not_blown_up() -> None:
    """Less their mean, over the root of the variance plus 0.01, without parameters to train."""
    values = torch.randn(200, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = values * torch.tensor([5.0, 1.0, 1e-3]) + torch.tensor([100.0, -1.0, 0.5])
    for name in ("linear", "mlp"):
        trunk = catalog.load("networks", name)((3,), 2).double().get_submodule("trunk")
        first = nn.Sequential(*list(trunk)[:2]).train()
        assert not list(first.parameters())
        expected = (values - values.mean(0)) / (values.var(0, unbiased=False) + 0.01).sqrt()
        torch.testing.assert_close(first(values), expected)


def test_a_block_of_resnet20_adds_every_second_place_and_zeros_for_new_channels() -> None:
    """The shortcut without parameters, option A of He et al.; seen where the other path gives 0."""
    blocks = [m for m in build("resnet20", shape=(3, 32, 32)).modules() if hasattr(m, "residual")]
    sizes = [(16, 16)] * 3 + [(16, 32)] + [(32, 32)] * 2 + [(32, 64)] + [(64, 64)] * 2
    assert len(blocks) == len(sizes)
    for block, (before, after) in zip(blocks, sizes, strict=True):
        nn.init.zeros_(block.residual[-1].weight)
        values = torch.rand(2, before, 8, 8)
        expected = torch.zeros(2, after, 8, 8) if before == after else torch.zeros(2, after, 4, 4)
        expected[:, :before] = values if before == after else values[:, :, ::2, ::2]
        assert torch.equal(block(values), expected)


def test_prelu_gives_gradients_of_single_samples() -> None:
    """By `torch.vmap`, as PyTorch's own."""
    ours, torchs, values = PReLU(3), torch.nn.PReLU(3), torch.randn(4, 3, 5)

    def gradient(layer: nn.Module) -> torch.Tensor:
        return torch.vmap(torch.func.grad(lambda sample: layer(sample[None]).square().sum()))(values)

    assert torch.equal(gradient(ours), gradient(torchs))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_with_batch_norm_needs_two_samples(name: str) -> None:
    norms = [each for each in build(name).modules() if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert catalog.spec("networks", name).smallest_batch == (2 if norms else 1)
