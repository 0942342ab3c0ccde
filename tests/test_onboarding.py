"""What CONTRIBUTING says of adding something, done: in a copy of the package, one new file for each kind.

A command needs one line more: its place in the help. Nothing else in the package is edited.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "lossbench"

NEW_FILES = {
    "losses/half_squared.py": '''
"""Half the squared distance of class scores to one-hot targets."""

import torch.nn.functional as F

from ..specs import LossSpec, setting
from ._geometry import reduce
from ._linear import LinearLoss


class HalfSquared(LinearLoss):
    """Class scores of a linear layer."""

    SPEC = LossSpec(
        title="Half squared",
        summary="Half the squared distance of scores to one-hot targets.",
        paper="a test",
        equation="L = 1/2 ||W x - t e_y||^2",
        kind="classifier",
    )
    target: float = setting(1.0, "score t of the true class", gt=0)

    def compute(self, features, labels, reduction="mean"):
        """Half the squared distance."""
        targets = self.target * F.one_hot(labels, self.num_classes)
        return reduce((self.logits(features) - targets).square().sum(1), reduction) / 2
''',
    "data/stripes.py": '''
"""Colour images 32 x 32 of 25 classes, each of one colour and brightness."""

import torch

from ..records import LabelledImages
from ..specs import DatasetSpec

SPEC = DatasetSpec(
    title="Stripes",
    summary="coloured stripes",
    source="a test",
    classes=tuple(f"class {label}" for label in range(25)),
    shape=(3, 32, 32),
    val_size=50,
    epochs=2,
    needs_files=False,
)


def load(folder, part, download=True):
    """500 training or 100 test images."""
    labels = torch.arange(500 if part == "train" else 100) % 25
    images = torch.zeros(len(labels), 3, 32, 32, dtype=torch.uint8)
    for image, label in zip(images, labels.tolist()):
        image[label % 3, label:label + 4] = 255
    return LabelledImages(images, labels)
''',
    "metrics/longest.py": '''
"""The length of the longest feature."""

import numpy as np

from ..specs import MetricSpec

SPEC = MetricSpec(title="longest feature", summary="length of the longest feature", higher_is_better=True)


def compute(inputs):
    """The length in feature units."""
    return float(np.linalg.norm(inputs.evaluated.features, axis=1).max())
''',
    "networks/flat.py": '''
"""One linear layer."""

from torch import nn

from ..specs import NetworkSpec
from ._feature_layer import FeatureLayer, output_size

SPEC = NetworkSpec(title="Flat", summary="one linear layer")


class Flat(nn.Module):
    """Images (B, C, H, W) to features (B, D)."""

    def __init__(self, input_shape, feature_dim):
        super().__init__()
        self.feature = FeatureLayer(output_size([nn.Flatten()], input_shape), feature_dim)

    def forward(self, images):
        """Normalized images (B, C, H, W) to features (B, D)."""
        return self.feature(images)
''',
    "figures/lengths.py": '''
"""How long the test features of each run are."""

import numpy as np

from ..specs import FigureSpec

SPEC = FigureSpec(title="lengths", summary="histogram of the lengths of test features")


def draw_figure(figure, runs):
    """A histogram for each run."""
    axes = figure.subplots()
    for run in runs:
        axes.hist(np.linalg.norm(run.splits["test"].features, axis=1), label=run.title)
    axes.legend()
''',
    "optimizers/heavy_ball.py": '''
"""Gradient descent with much momentum."""

import torch

from ..specs import OptimizerSpec
from ._flat import FlatOptimizer, scaled_parts

SPEC = OptimizerSpec(
    title="Heavy ball", summary="gradient descent with momentum", source="a test", lr=0.01, weight_decay=0.0
)


class HeavyBall(FlatOptimizer):
    """`torch.optim.SGD` with momentum 0.9."""

    def __init__(self, network, loss, *, weight_decay, lr_scale, device):
        super().__init__(
            scaled_parts(network, loss, lr_scale),
            device,
            torch.optim.SGD,
            momentum=0.9,
            weight_decay=weight_decay,
        )
''',
    "schedules/half.py": '''
"""Half the rate."""

from ..specs import ScheduleSpec

SPEC = ScheduleSpec(title="Half", summary="half the peak rate in every step")


def factor(progress, *, warmup):
    """The factor at `progress` in [0, 1)."""
    return 0.5
''',
    "cli/hello.py": '''
"""`lossbench hello`: a greeting."""

from ._output import results


def hello() -> None:
    """Greet."""
    results.print("hello")
''',
}

COMMANDS = """
import sys
from lossbench.__main__ import main

run = ["--dataset", "stripes", "--epochs", "1", "--device", "cpu", "--optimizer", "heavy-ball"]
for command in (
    ["losses", "half-squared"],
    ["train", "--loss", "half-squared", "--set", "target=2", *run],
    ["compare", "--losses", "softmax,half-squared", "--metric", "longest", "--schedule", "half", *run],
    ["plot", "features"],
    ["train", "--dataset", "stripes", "--network", "flat", "--epochs", "1", "--device", "cpu"],
    ["plot", "lengths"],
    ["plot", "hardest"],
    ["hello"],
):
    code = main(command)
    if code:
        sys.exit(f"{command}: {code}")
"""


def test_a_new_file_of_each_kind_is_found_and_works(tmp_path):
    copy = tmp_path / "lossbench"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, content in NEW_FILES.items():
        (copy / name).write_text(content.lstrip(), encoding="utf-8")
    listing = copy / "cli" / "__init__.py"
    listing.write_text(listing.read_text(encoding="utf-8").replace('"bench"', '"bench", "hello"'), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Half squared" in done.stdout
    assert "longest feature" in done.stdout
    assert done.stdout.rstrip().endswith("hello")
