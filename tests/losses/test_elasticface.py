"""ElasticFace against its equation with the margins that were drawn, and against its parents."""

from __future__ import annotations

import pytest
import torch

from .oracle import advance, assert_matches_reference, build, circle_points

SEED = 11


def reference(x, y, state, *, form, scale, margin, cosine_margin, sigma, plus, soft_start):
    """Angles by acos; the n-th margin drawn is that of the n-th sample, or with `plus` that of its rank."""
    torch.default_generator.manual_seed(SEED)
    deviations = [sigma * float(draw) for draw in torch.randn(len(y))]
    torch.default_generator.manual_seed(SEED)  # the loss, which is called next, draws the same
    cosines = []
    for i in range(len(y)):
        row = []
        for w in state["weight"]:
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            row.append(dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt()))
        cosines.append(row)
    if plus:
        own = [float(row[label].detach()) for row, label in zip(cosines, y, strict=True)]
        nearest_first = sorted(range(len(y)), key=lambda i: -own[i])
        ordered = sorted(deviations)
        for place, i in enumerate(nearest_first):
            deviations[i] = ordered[place]
    total = 0
    for i, label in enumerate(y):
        if form == "arc":
            target = torch.cos(torch.acos(cosines[i][label]) + margin + deviations[i])
        else:
            target = cosines[i][label] - cosine_margin - deviations[i]
        shares = [torch.exp(scale * (target if j == label else c)) for j, c in enumerate(cosines[i])]
        total = total - torch.log(shares[label] / sum(shares))
    return total / len(y)


@pytest.mark.parametrize("form", ["arc", "cos"])
@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(form, plus, dim):
    settings = {"form": form, "plus": plus, "sigma": 0.1, "scale": 8.0}
    assert_matches_reference("elasticface", reference, dim=dim, **settings)


@pytest.mark.parametrize(
    ("form", "parent", "settings"), [("arc", "arcface", {"monotone": False}), ("cos", "cosface", {})]
)
def test_without_deviation_or_in_evaluation_it_is_its_parent(form, parent, settings):
    x, y = circle_points()
    expected = build(parent, **settings).double()(x, y)
    still = build("elasticface", form=form, sigma=0.0).double()
    torch.testing.assert_close(still(x, y), expected, rtol=0, atol=1e-12)
    evaluated = build("elasticface", form=form, sigma=0.5).double().eval()
    torch.testing.assert_close(evaluated(x, y), expected, rtol=0, atol=1e-12)


def test_margins_differ_from_call_to_call():
    x, y = circle_points()
    loss = build("elasticface").double()
    assert loss(x, y) != loss(x, y)


def test_margins_have_the_given_deviation():
    loss = build("elasticface", form="cos", sigma=0.05, cosine_margin=0.2)
    drawn = -loss._target(torch.zeros(100_000), torch.zeros(100_000))
    assert drawn.mean().item() == pytest.approx(0.2, abs=1e-3)
    assert drawn.std().item() == pytest.approx(0.05, rel=0.02)


def test_plus_does_not_depend_on_the_order_of_the_batch():
    x, y = circle_points()
    values = []
    for order in (torch.arange(40), torch.arange(39, -1, -1)):
        loss = build("elasticface", plus=True).double()
        torch.default_generator.manual_seed(SEED)
        values.append(loss(x[order], y[order]))
    torch.testing.assert_close(*values, rtol=0, atol=1e-12)


def test_soft_start_is_modified_softmax_first():
    loss = build("elasticface", soft_start=0.3)
    x, y = circle_points()
    advance(loss, 0.1)
    torch.testing.assert_close(loss(x.float(), y), build("modified-softmax")(x.float(), y))
