"""Time to an accuracy: both trainings are real, and the ratio says when it is only a lower bound."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from lossbench import __version__
from lossbench.benchmarks import _plain_pytorch
from lossbench.benchmarks.quality import Epoch, TrainingCurve, _train_usual, measure, ratio, to_benchmark
from lossbench.data import load_splits
from lossbench.errors import DataError
from lossbench.randomness import seeded
from lossbench.runs.config_builder import make_config
from lossbench.runs.model import build
from lossbench.runs.result import Machine
from lossbench.training.process import Placement

from ..data.test_datasets import write_data_set
from ..helpers.runs import small

HERE = Placement("cpu", None, 1)


def course(name, *accuracies):
    return TrainingCurve(name, [Epoch(2.0, accuracy) for accuracy in accuracies])


def test_trains_both_ways_and_judges_each_epoch():
    found = measure(small("center", epochs=3), target=0.2, epochs=1, placement=HERE)
    ours, shortest, usual = found.data["courses"]
    assert len(ours["epochs"]) == 3 and ours["reached"]
    assert ours["epochs"][-1]["accuracy"] > 0.2
    assert shortest["name"] == "ours, --epochs 1" and len(shortest["epochs"]) == shortest["reached"] == 1
    assert shortest["epochs"][-1]["accuracy"] >= 0.2
    assert usual["reached"] is None and len(usual["epochs"]) == 1  # SGD at 0.001 has hardly begun
    for course in found.data["courses"]:
        for epoch in course["epochs"]:
            assert epoch["seconds"] > 0 and 0 < epoch["accuracy"] < 1
    assert ours["is_lower_bound"] and shortest["is_lower_bound"]
    assert ours["times_sooner"] == pytest.approx(usual["seconds"] / ours["seconds"])
    assert "20 % test accuracy on digits" in found.conditions and "λ = 0.003" in found.conditions


def test_the_usual_way_is_a_plain_loop_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """SGD with momentum by hand, at a rate that learns something in three epochs and falls after each."""
    for name, value in {"LEARNING_RATE": 0.03, "DECAY": 0.3, "DECAY_EVERY": 1}.items():
        monkeypatch.setattr(_plain_pytorch, name, value)
    config = small("softmax")
    found = _train_usual(config, 2.0, 3, HERE)
    splits = load_splits(config.split_spec)
    train, test = splits.train, splits.test
    network, loss = build(config)
    pixels, targets = [((part.images / 255 - 0.1307) / 0.3081) for part in (train, test)], test.labels
    batches = DataLoader(
        TensorDataset(pixels[0], train.labels), config.batch_size, shuffle=True, drop_last=True
    )
    (weights,) = loss.parameters()
    parameters = [*network.parameters(), weights]
    speeds, expected = [torch.zeros_like(each) for each in parameters], []
    with seeded(config.seed, "training"):
        for rate in (0.03, 0.009, 0.0027):
            network.train()
            for images, labels in batches:
                value = F.cross_entropy(network(images) @ weights.T, labels)
                with torch.no_grad():
                    gradients = torch.autograd.grad(value, parameters)
                    for weight, gradient, speed in zip(parameters, gradients, speeds, strict=True):
                        speed.mul_(0.9).add_(gradient + 0.0005 * weight)
                        weight.sub_(rate * speed)
            network.eval()
            with torch.no_grad():
                expected.append(((network(pixels[1]) @ weights.T).argmax(1) == targets).float().mean().item())
    assert expected[0] < expected[2] > 0.5
    assert [epoch.accuracy for epoch in found] == pytest.approx(expected, abs=0.003)  # an image of 364


@pytest.mark.slow
def test_the_usual_way_ends_where_the_target_is_reached():
    found = measure(small("triplet", epochs=1), target=0.02, epochs=2, placement=HERE)
    ours, usual = found.data["courses"]
    assert usual["reached"] == 1 and len(usual["epochs"]) == 1
    assert not ours["is_lower_bound"]


def test_ratio_of_times_to_the_target():
    ours = course("ours", 0.5, 0.9, 0.95)
    assert (ours.reached(0.9), ours.seconds(0.9)) == (2, 4.0)
    assert ratio(ours, course("usual", 0.1, 0.2, 0.3, 0.9, 0.99), 0.9) == (2.0, False)
    assert ratio(ours, course("usual", 0.1, 0.2, 0.3), 0.9) == (1.5, True)
    never, bound = ratio(course("ours", 0.5), course("usual", 0.9), 0.9)
    assert math.isnan(never) and not bound


def test_a_table_says_more_than_where_the_target_was_not_reached():
    machine = Machine("cpu", "A CPU", 2, "2", "3")
    ours, shortest, usual = course("six", 0.5, 0.9), course("one", 0.9), course("usual", 0.1, 0.2, 0.3)
    shown = to_benchmark(small("center"), [ours, shortest], usual, target=0.9, machine=machine).table.rows
    assert shown[0] == ["six", "2", "4.0", "2.0", "> 1.5", "50.00 90.00"]
    assert shown[1] == ["one", "1", "2.0", "2.0", "> 3.0", "90.00"]
    assert shown[2] == ["usual", "> 3", "> 6.0", "2.0", "1", "10.00 20.00 30.00"]
    found = to_benchmark(small("center"), [ours, shortest], usual, target=0.9, machine=machine)
    header = "training|epochs|seconds|s per epoch|sooner than usual|test (%) after each epoch"
    assert "|".join(found.table.header) == header
    assert found.conditions == (
        "Training time to 90 % test accuracy on digits, evaluated after each epoch; network stride3, D = 2, "
        f"Center (λ = 0.003, α = 0.5), B = {small('center').batch_size}, seed 0. Ours: `lossbench train`, and the "
        "fewest `--epochs` that end there. Usual: torchvision.datasets.MNIST with ToTensor and Normalize, "
        "DataLoader without workers, float32 contiguous, SGD at 0.001, momentum 0.9, weight decay 0.0005, "
        "`.item()` after every step, times 0.8 every 20 epochs. A CPU, 2 threads; torch 2, Python 3, lossbench "
        f"{__version__}."
    )
    assert [curve["name"] for curve in found.data["courses"]] == ["six", "one", "usual"]
    assert (found.data["target"], found.data["courses"][2]["reached"]) == (0.9, None)


def test_a_missing_data_set_is_a_data_error(tmp_path):
    raw = write_data_set(tmp_path, "FashionMNIST")
    (raw / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    config = make_config(loss="center", dataset="fashion-mnist")
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        measure(config, target=0.9, epochs=1, placement=HERE._replace(data_dir=tmp_path))
