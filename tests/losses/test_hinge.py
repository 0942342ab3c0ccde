"""Multi-class hinge losses against their equations, scikit-learn and torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.losses import Hinge

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, form, delta, squared, bias):
    """Brackets of all rivals, or of the strongest one alone."""
    total = 0
    for i, label in enumerate(y):
        scores = []
        for j, w in enumerate(state["weight"]):
            score = sum(w[d] * x[i, d] for d in range(len(w)))
            scores.append(score + state["bias"][j] if bias else score)
        rivals = [score for j, score in enumerate(scores) if j != label]
        if form == "crammer-singer":
            rivals = [max(rivals)]
        for rival in rivals:
            violation = delta + rival - scores[label]
            if violation > 0:
                total = total + (violation**2 if squared else violation)
    return total / len(y)


@pytest.mark.parametrize("form", ["crammer-singer", "weston-watkins"])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize(
    ("dim", "delta", "bias"), [(1, 1.0, False), (2, 1.0, True), (2, 3.0, False), (5, 0.5, True)]
)
def test_matches_reference(form, squared, dim, delta, bias):
    assert_matches_reference("hinge", reference, dim=dim, form=form, delta=delta, squared=squared, bias=bias)


def test_crammer_singer_is_scikit_learns_hinge_loss():
    from sklearn.metrics import hinge_loss

    loss = build("hinge", form="crammer-singer").double()
    x, y = circle_points()
    expected = hinge_loss(y.numpy(), loss.logits(x).detach().numpy(), labels=list(range(10)))
    assert loss(x, y).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("delta", [1.0, 2.5])
def test_weston_watkins_is_c_times_torchs_multi_margin_loss(squared, delta):
    loss = build("hinge", form="weston-watkins", delta=delta, squared=squared).double()
    x, y = circle_points()
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    value = loss(ours, y)
    value.backward()
    oracle = torch.nn.MultiMarginLoss(p=2 if squared else 1, margin=delta)
    expected = 10 * oracle(theirs @ loss.weight.T.detach(), y)
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("form", "squared", "expected"), [
    ("crammer-singer", False, 1.5),
    ("weston-watkins", False, 2.0),
    ("crammer-singer", True, 2.25),
    ("weston-watkins", True, 2.5),
])  # fmt: skip
def test_hand_values(form, squared, expected):
    """Scores (0.5, 1, 0, -1) of class 0: the brackets are 1.5, 0.5 and 0."""
    loss = Hinge(4, 1, form=form, squared=squared)
    loss.weight.data = torch.tensor([[0.5], [1.0], [0.0], [-1.0]])
    assert loss(torch.ones(1, 1), torch.tensor([0])).item() == pytest.approx(expected)


@pytest.mark.parametrize("form", ["crammer-singer", "weston-watkins"])
def test_a_satisfied_sample_has_no_gradient(form):
    loss = Hinge(3, 3, form=form)
    loss.weight.data = torch.eye(3)
    x = torch.tensor([[5.0, 1.0, 3.9]], requires_grad=True)
    loss(x, torch.tensor([0])).backward()
    assert loss(x, torch.tensor([0])).item() == 0
    assert torch.equal(x.grad, torch.zeros(1, 3))


@settings(max_examples=25, deadline=None)
@given(batch=st.integers(1, 9), classes=st.integers(1, 6), seed=st.integers(0, 999))
def test_one_rival_costs_at_most_as_much_as_all(batch, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(classes, (batch,), generator=generator)
    one, every = (Hinge(classes, 3, form=form).double() for form in ("crammer-singer", "weston-watkins"))
    every.load_state_dict(one.state_dict())
    low, high = one(x, y).item(), every(x, y).item()
    assert low <= high + 1e-12
    assert high <= max(classes - 1, 0) * low + 1e-12
