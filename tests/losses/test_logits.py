"""`logits` of every classifier compared with its loss: without a margin the loss is their cross-entropy."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from lossbench.losses import LGM
from lossbench.specs import catalog

CLASSES, DIM = 7, 3
NEUTRAL = {
    "combined-margin": {"m1": 1.0, "m2": 0.0, "m3": 0.0},
    "elasticface": {"margin": 0.0, "cosine_margin": 0.0},
    "focal": {"gamma": 0.0},
    "gcpl": {"lam": 0.0},
    "l-softmax": {"margin": 1},
    "label-smoothing": {"smoothing": 0.0},
    "lgm": {"alpha": 0.0, "lam": 0.0},
    "magface": {"lower_margin": 0.0, "upper_margin": 0.0, "lambda_g": 0.0},
    "mv-softmax": {"margin": 0.0, "cosine_margin": 0.0, "t": 1.0},
    "poly-1": {"epsilon": 0.0},
    "softtriple": {"margin": 0.0, "tau": 0.0},
    "sphereface": {"margin": 1.0},
    "squentropy": {"squares": 0.0},
}
"""Settings without which a loss has a margin or a second term; {"margin": 0} for the others."""
NO_CROSS_ENTROPY = {
    "circle": "each pair has a weight of its own",
    "curricularface": "cosines above that of the true class are raised without a margin, too",
    "generalized-ce": "cross-entropy only in the limit q = 0",
    "ghm": "samples have weights",
    "proxy-nca": "the true class is left out of the sum",
}
CLASSIFIERS = [
    name
    for name in catalog.names("losses")
    if catalog.spec("losses", name).kind == "classifier"
    and catalog.spec("losses", name).probabilities
    and name not in NO_CROSS_ENTROPY
]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_without_a_margin_the_loss_is_the_cross_entropy_of_the_logits(name: str) -> None:
    settings = catalog.spec("losses", name).settings
    neutral = NEUTRAL.get(name, {"margin": 0.0} if "margin" in settings else {})
    torch.default_generator.manual_seed(3)
    loss = catalog.load("losses", name)(CLASSES, DIM, **neutral).double().eval()
    features = 3 * torch.randn(40, DIM, dtype=torch.float64)
    labels = torch.arange(40) % CLASSES
    with torch.no_grad():
        value, logits = loss(features, labels), loss.logits(features)
    torch.testing.assert_close(value, F.cross_entropy(logits, labels), rtol=1e-6, atol=1e-8)
    assert logits.std() > 0.1, "scores that are all alike would agree with anything"


def test_every_exception_is_a_loss_that_is_no_cross_entropy() -> None:
    """An exception that is no longer needed is to be deleted."""
    torch.default_generator.manual_seed(3)
    features, labels = torch.randn(40, DIM), torch.arange(40) % CLASSES
    for name in NO_CROSS_ENTROPY:
        neutral = {"margin": 0.0} if "margin" in catalog.spec("losses", name).settings else {}
        loss = catalog.load("losses", name)(CLASSES, DIM, **neutral).eval()
        with torch.no_grad():
            value = loss(features, labels)
            assert not math.isclose(value, F.cross_entropy(loss.logits(features), labels), rel_tol=1e-3), name


def test_logits_of_lgm_are_the_log_densities_of_its_gaussians() -> None:
    """With a variance for each class and dimension; torch.distributions has the density."""
    torch.default_generator.manual_seed(0)
    loss = LGM(4, DIM, covariance="diagonal").double()
    with torch.no_grad():
        loss.log_variance.uniform_(-2, 2)
        loss.centers.uniform_(-3, 3)
        features = torch.randn(50, DIM, dtype=torch.float64) * 2
        deviations = (loss.log_variance / 2).exp()
        density = torch.distributions.Normal(loss.centers, deviations).log_prob(features[:, None]).sum(-1)
        torch.testing.assert_close(
            loss.logits(features).log_softmax(1), density.log_softmax(1), rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("name", ["center", "git", "island", "contrastive-center", "triplet-center", "gcpl"])
def test_centers_start_apart(name: str) -> None:
    """On one point the push between classes would have no direction."""
    torch.default_generator.manual_seed(0)
    loss = catalog.load("losses", name)(CLASSES, DIM)
    centers = dict(loss.state_dict())["centers" if hasattr(loss, "centers") else "prototypes"]
    points = centers.reshape(-1, DIM)
    assert torch.pdist(points).min() > 1e-3
    assert points.norm(dim=1).min() > 1e-3
