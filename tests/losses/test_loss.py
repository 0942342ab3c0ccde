"""The base of the losses: what its subclasses' constructors take, show and refuse."""

from __future__ import annotations

import ast
import inspect
import pydoc
from pathlib import Path

import numpy as np
import pytest
import torch

import lossbench.losses
from lossbench.errors import UsageError
from lossbench.losses import LDAM, ArcFace, Center, Softmax, Triplet, WeightedSum
from lossbench.losses._loss import Loss
from lossbench.specs import LossSpec, catalog, setting


class Length(Loss):
    """Pulls lengths to a trained radius."""

    SPEC = LossSpec(title="Length", summary="", paper="", equation="", kind="pairs")
    radius: float = setting(lambda classes, dim: classes / dim, "radius at the start", gt=0)
    squared: bool = setting(False, "square the difference")

    def __post_init__(self) -> None:
        start = torch.tensor(vars(self).pop("radius"))
        self.register_parameter("radius", torch.nn.Parameter(start))


def test_fields_become_the_constructor() -> None:
    parameters = inspect.signature(Length).parameters
    assert str(inspect.signature(Length)) == (
        "(num_classes: int, feature_dim: int, *, radius: float | None = None, squared: bool = False)"
    )
    assert list(parameters) == ["num_classes", "feature_dim", "radius", "squared"]
    loss = Length(10, 4, squared=True)
    assert (loss.num_classes, loss.feature_dim, loss.squared) == (10, 4, True)


def test_a_parameter_may_take_the_place_of_a_setting() -> None:
    assert list(Length(10, 4).state_dict()) == ["radius"]
    assert Length(10, 4).radius.item() == 2.5
    assert Length(10, 4, radius=3).radius.item() == 3


@pytest.mark.parametrize(
    ("arguments", "keywords", "error"),
    [
        ((10, 4), {"radius": 0}, UsageError),
        ((10, 4), {"radius": "long"}, UsageError),
        ((0, 4), {}, UsageError),
        ((2.0, 4), {}, UsageError),
        (("10", 4), {}, UsageError),
        ((10, None), {}, UsageError),
        ((10, True), {}, UsageError),
        ((10, 4), {"radios": 1}, TypeError),
        ((10, 4, 3.0), {}, TypeError),
        ((10,), {}, TypeError),
    ],
)
def test_wrong_arguments_are_refused(arguments, keywords, error) -> None:
    with pytest.raises(error):
        Length(*arguments, **keywords)


@pytest.mark.parametrize("loss", [Softmax, LDAM])
@pytest.mark.parametrize("size", [0, -1, 5.0, "5", None, True, torch.tensor(5.0), torch.tensor([5, 5])])
def test_wrong_sizes_are_refused_in_one_sentence(loss, size) -> None:
    for sizes in ((size, 2), (5, size)):
        with pytest.raises(UsageError, match="^num_classes and feature_dim are whole numbers from 1, not "):
            loss(*sizes)


def test_sizes_counts_and_weights_may_come_from_numpy_and_lists() -> None:
    loss = LDAM(np.int64(3), torch.tensor(2), counts=[5, 1, 2])
    assert loss.counts.tolist() == [5, 1, 2]
    assert LDAM(3, 2, counts=[0, 0.5, 4]).counts.tolist() == [1, 1, 4], "a class has one sample at least"
    for wrong in ([-1, 1, 1], [float("nan"), 1, 1], [float("inf"), 1, 1]):
        with pytest.raises(UsageError, match="counts are 3 numbers from 0, one for each class"):
            LDAM(3, 2, counts=wrong)
    assert loss(torch.zeros(3, 2), torch.arange(3), np.ones(3)).item() > 0
    with pytest.raises(UsageError, match="counts are 3 numbers from 0, one for each class"):
        LDAM(3, 2, counts=[1, 2])


@pytest.mark.parametrize("name", catalog.names("losses"))
def test_help_shows_every_hyper_parameter(name: str) -> None:
    text = pydoc.render_doc(catalog.load("losses", name), renderer=pydoc.plaintext)
    for key, each in catalog.spec("losses", name).settings.items():
        default = None if callable(each.default) else each.default
        assert f"{key}: {each.type.__name__}" in text
        assert f"= {default!r}" in text
        assert f"{key}: {each.help}, in {each.bounds}" in text


def test_type_checkers_find_every_class_in_the_package() -> None:
    """Editors complete `from lossbench.losses import ArcFace` by the imports for type checkers alone."""
    tree = ast.parse(Path(lossbench.losses.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1]
    listed = {
        f"from .{node.module} import {each.name} as {each.asname}" for node in imports for each in node.names
    }
    for class_name, name in catalog.by_class_name("losses").items():
        line = f"from .{name.replace('-', '_')} import {class_name} as {class_name}"
        assert line in listed, f"add to lossbench/losses/__init__.py: {line}"


def test_type_checkers_are_told_that_fields_are_keywords() -> None:
    (declared,) = [base for base in ArcFace.__mro__ if "__dataclass_transform__" in vars(base)]
    assert declared.__dataclass_transform__["kw_only_default"]


def test_sums_pass_reduction_and_sample_weights_on() -> None:
    x, y, weights = torch.randn(20, 2), torch.arange(20) % 4, torch.rand(20)

    def weighted(reduction: str) -> WeightedSum:
        torch.default_generator.manual_seed(0)
        terms = {"ce": Softmax(4, 2, reduction=reduction), "center": Center(4, 2, reduction=reduction)}
        return WeightedSum(terms, [1.0, 0.5]).eval()

    losses = weighted("none")(x, y)
    assert losses.shape == (20,)
    torch.testing.assert_close(weighted("none")(x, y, weights), weights * losses)
    torch.testing.assert_close(weighted("sum")(x, y, weights), weights @ losses)
    torch.testing.assert_close(
        weighted("mean")(x, y, sample_weight=weights), weights @ losses / weights.sum()
    )
    pairs = WeightedSum({"ce": Softmax(4, 2), "triplet": Triplet(4, 2)}, [1.0, 0.1])
    with pytest.raises(UsageError, match="Triplet is not a mean over samples, so it takes no sample_weight"):
        pairs(x, y, weights)


def test_a_loss_without_a_formula_says_so() -> None:
    class Nothing(Loss):
        """Has a SPEC alone."""

        SPEC = LossSpec(title="Nothing", summary="", paper="", equation="", kind="pairs")

    with pytest.raises(NotImplementedError):
        Nothing(10, 2)(torch.zeros(4, 2), torch.arange(4))
