"""Training steps: what is counted, what the usual way sees, and that ratios are of the same turn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lossbench.benchmarks import train
from lossbench.benchmarks._plain_pytorch import OwnPixels, PlainTraining, endless, loader
from lossbench.benchmarks.train import measure, operations_per_image

# measure
from lossbench.data._splits import load_splits, normalize
from lossbench.errors import DataError, UsageError
from lossbench.records import SplitSpec
from lossbench.runs.config_builder import make_config
from lossbench.specs import catalog
from lossbench.training.process import Placement

from ..data.test_datasets import write_data_set

HERE = Placement("cpu", None, 1)


def test_operations_are_those_counted_by_hand():
    """Two for a multiplication and addition; forward, to the weights, and to the inputs but of the first layer."""
    first = 2 * 20 * 25 * 24 * 24
    others = 2 * (50 * 20 * 25 * 8 * 8 + 800 * 500 + 500 * 2 + 2 * 10)
    assert operations_per_image(make_config(network="lenet")) == 2 * first + 3 * others


def test_times_a_network_beside_the_usual_way_and_the_ceiling(monkeypatch):
    monkeypatch.setitem(train._SIDE, "cpu", 256)
    before = torch.get_num_threads()
    found = measure(
        networks=["mlp"], threads=[1, 2], batch_size=20, repeats=2, dataset="digits", placement=HERE
    )
    assert torch.get_num_threads() == before
    native = [pace["precision"] for pace in found.data["paces"]]
    assert native in (["fp32", "fp32"], ["fp32", "fp32", "bf16", "bf16"])
    assert [pace["threads"] for pace in found.data["paces"]][:2] == [1, 2]
    for pace in found.data["paces"]:
        for name in ("ours", "usual", "ratio", "ceiling", "share"):
            assert 0 < pace[name]["low"] <= pace[name]["median"] <= pace[name]["high"], name
    assert len(found.table.rows) == len(found.data["paces"])
    assert all(row[9].isdecimal() for row in found.table.rows), "whole images per second"
    header = (
        "network|precision|threads|images/s|middle half|usual images/s|middle half|ours/usual|middle half"
    )
    assert "|".join(found.table.header) == f"{header}|ceiling images/s|% of ceiling|middle half"
    assert found.conditions.startswith(
        "Training steps on digits, B = 20: data, forward, loss, backward, optimizer; medians of 2 turns of 4 steps, "
        "all of a row in turns. Usual: the same network, torchvision.datasets.MNIST with ToTensor"
    )
    assert (
        "Ceiling: a 256 x 256 matrix product in the same precision, over the operations counted per image "
        "(millions: mlp 0.4). "
    ) in found.conditions
    assert "1 or 2 threads" in found.conditions
    assert [found.data[key] for key in ("dataset", "batch_size", "repeats")] == ["digits", 20, 2]


def test_paces_follow_from_the_seconds_of_each_turn(monkeypatch):
    seconds = [[1.0, 2.0, 4.0], [4.0, 4.0, 4.0], [0.5, 0.5, 1.0]]
    monkeypatch.setattr(train, "time_alternately", lambda tasks, repeats, device: seconds)
    config = make_config(network="lenet", batch_size=20, dataset="digits", precision="fp32")
    pace = train._time_steps(config, 1, 3, HERE, torch.device("cpu"))
    images, most = train.STEPS * 20, 2 * 2048**3 / 0.5 / operations_per_image(config)
    assert pace.ours.median == images / 2
    assert pace.usual.median == images / 4
    assert pace.ratio.median == 2
    assert pace.ceiling.median == most
    assert pace.share.median == pytest.approx(images / 2 / most)


def test_a_turn_takes_four_steps_on_other_batches_each_way(monkeypatch):
    usual, ours = [], []
    monkeypatch.setattr(PlainTraining, "step", lambda self, images, labels: usual.append(images))
    monkeypatch.setattr(train.StepGraph, "step_one", lambda self, it: ours.append(it.batch_indices.clone()))
    config = make_config(network="linear", batch_size=20, dataset="digits", precision="fp32")
    train._usual_steps(config, HERE, torch.device("cpu"))()
    train._our_steps(config, HERE)()
    assert [images.shape for images in usual] == [(20, 1, 28, 28)] * 4
    assert len(torch.cat(usual).unique(dim=0)) == len(torch.cat(ours).unique()) == 80


def test_the_usual_way_sees_our_images_as_torchvision_gives_them():
    part = load_splits(SplitSpec("digits", 180)).train
    batches = loader(part, 100)
    assert type(batches.dataset).__module__ == "torchvision.datasets.mnist"
    assert len(batches) == len(part.labels) // 100
    one, label = batches.dataset[7]
    expected = (part.images[7].numpy() / 255 - 0.1307) / 0.3081
    np.testing.assert_allclose(one.numpy(), expected, atol=1e-6)
    assert label == part.labels[7]
    images, labels = next(endless(batches))
    assert images.shape == (100, 1, 28, 28) and labels.shape == (100,)
    assert images.dtype == torch.float32


def test_pixels_reach_the_usual_network_as_it_was_trained():
    part = load_splits(SplitSpec("digits", 180)).train
    given = OwnPixels(torch.nn.Identity())(normalize(part.images[:5], catalog.spec("data", "digits")))
    expected = torch.stack([loader(part, 100).dataset[n][0] for n in range(5)])
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=0)


def test_a_usual_step_is_plain_sgd():
    layer = torch.nn.Linear(2, 3)
    usual = PlainTraining(
        torch.nn.Identity(), layer, lambda x, y: layer(x).square().mean(), torch.device("cpu")
    )
    before = layer.bias.detach().clone()
    x = torch.randn(4, 2)
    expected = layer(x).square().mean()
    expected.backward()
    slope = layer.bias.grad + 0.0005 * before
    assert usual.step(x, torch.zeros(4)) == expected.item()
    torch.testing.assert_close(layer.bias.detach(), before - 0.001 * slope)
    assert usual.optimizer.param_groups[0]["momentum"] == 0.9
    for _ in range(19):
        usual.decay.step()
    assert usual.optimizer.param_groups[0]["lr"] == 0.001
    usual.decay.step()
    assert usual.optimizer.param_groups[0]["lr"] == pytest.approx(0.0008)


def test_what_cannot_be_measured_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="--precisions fp8 is not one of fp32, bf16"):
        measure(precisions=["fp8"], placement=HERE)
    with pytest.raises(UsageError, match="network"):
        measure(networks=["lenet5"], placement=HERE)
    raw = write_data_set(tmp_path, "FashionMNIST")
    (raw / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        measure(networks=["lenet"], dataset="fashion-mnist", placement=HERE._replace(data_dir=tmp_path))
