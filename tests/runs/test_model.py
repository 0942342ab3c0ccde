"""The network and the loss of a run, as its config builds them."""

import numpy as np
import pytest
import torch

from lossbench.errors import UsageError
from lossbench.losses import Center
from lossbench.runs.model import build_loss, build_network
from lossbench.runs.store import Store
from lossbench.runs.stored_run import StoredRun

from ..helpers.runs import run, small


def test_a_relu_after_the_feature_leaves_one_quadrant(tmp_path):
    """The network is otherwise the same, and so is its id without the option."""
    plain, rectified = small("softmax"), small("softmax", feature_activation="relu")
    assert plain.id == small("softmax", feature_activation="none").id != rectified.id
    images = torch.rand(8, *plain.input_shape)
    expected = build_network(plain).eval()(images).clamp_min(0)
    assert torch.equal(build_network(rectified).eval()(images), expected)
    run(rectified, tmp_path)
    view = StoredRun(Store(tmp_path).run(rectified))
    features = view.splits["test"].features
    assert features.min() == 0 < features.max()
    images = view.samples("test")[:50]
    assert np.allclose(view.load_network()(images).detach(), features[:50], atol=1e-4)


def test_an_unknown_activation_is_a_sentence():
    with pytest.raises(UsageError, match="feature-activation"):
        small("softmax", feature_activation="tanh")


def test_a_fault_in_a_loss_of_ours_is_no_mistake_of_the_user(monkeypatch):
    """It keeps its class, so the command line shows where it is."""

    def fail(loss):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Center, "__post_init__", fail)
    with pytest.raises(RuntimeError, match=r"^a fault of ours$"):
        build_loss(small("center"))
