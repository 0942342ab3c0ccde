"""The battery that every loss of the catalogue must pass; a loss file without SPEC or reference fails here.

A check that cannot hold for a loss is named in its SPEC's `exceptions` with the reason.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lossbench.errors import UsageError
from lossbench.losses._loss import SampleLoss
from lossbench.specs import LossSpec, catalog

from .oracle import CLASSES, advance, build, circle_points, state_of

LOSSES = catalog.names("losses")
pytestmark = pytest.mark.parametrize("name", LOSSES)


def spec_of(name: str, check: str = "") -> LossSpec:
    spec: LossSpec = catalog.spec("losses", name)
    if check in spec.exceptions:
        pytest.skip(f"{name}: {spec.exceptions[check]}")
    return spec


def value_and_gradients(loss: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
    leaf = x.detach().clone().requires_grad_()
    value = seeded(loss, leaf, y)
    parameters = list(loss.parameters())
    gradients = torch.autograd.grad(value, [leaf, *parameters], allow_unused=True)
    return value.detach(), [g for g in gradients if g is not None]


def seeded(loss: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The value of a loss, which may draw random numbers: the same ones each time."""
    torch.default_generator.manual_seed(5)
    value: Tensor = loss(x, y)
    return value


def test_has_a_test_file_with_a_reference(name):
    stem = Path(inspect.getfile(catalog.load("losses", name))).stem
    module = importlib.import_module(f"tests.losses.test_{stem}")
    assert callable(module.reference), "write `reference` from the equation, in plain loops"


def test_signature_equals_spec(name):
    """Settings are keyword-only, in the order and with the defaults of SPEC (None: depends on C and D)."""
    spec = spec_of(name)
    parameters = inspect.signature(catalog.load("losses", name)).parameters
    keywords = {k: p.default for k, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    if issubclass(catalog.load("losses", name), SampleLoss):
        assert keywords.pop("reduction") == "mean"
    defaults = {k: None if callable(s.default) else s.default for k, s in spec.settings.items()}
    if catalog.load("losses", name).takes_counts:
        defaults["counts"] = None
    assert keywords == defaults and list(keywords) == list(defaults)
    assert list(parameters)[:2] == ["num_classes", "feature_dim"]


def test_spec_is_complete(name):
    spec = spec_of(name)
    assert spec.title and spec.summary and spec.paper and spec.equation
    assert (spec.weight is not None) == (spec.kind == "auxiliary")
    assert hasattr(build(name), "logits") == (spec.kind == "classifier")
    for key, setting in spec.settings.items():
        assert setting.help, key
        for classes, dim in ((10, 2), (10, 64), (3, 3), (2, 1)):
            setting.check(key, setting.default_for(classes, dim))


def test_module_explains_itself(name):
    loss = catalog.load("losses", name)
    module = inspect.getmodule(loss)
    assert module is not None and module.__doc__ and " = " in module.__doc__, "the equation belongs on top"
    assert loss.__doc__ and loss.compute.__doc__
    if issubclass(loss, SampleLoss):
        assert inspect.signature(loss.compute).parameters["reduction"].default == "mean"


def test_values_outside_the_bounds_are_refused(name):
    for key, setting in spec_of(name).settings.items():
        wrong: list[object] = ["surely-not"] if setting.type is str and setting.choices else []
        if setting.type in (int, float):
            wrong += [math.nan, math.inf, "x"]
            bounds = (setting.gt, setting.lt, setting.ge - 1, setting.le + 1)
            wrong += [bound for bound in bounds if math.isfinite(bound)]
        for value in wrong:
            with pytest.raises(ValueError, match=key):
                build(name, **{key: value})


@pytest.mark.parametrize("classes,dim", [(10, 2), (10, 1), (3, 7), (2, 2), (10, 64)])
def test_finite_scalar_whose_gradient_reaches_the_features(name, classes, dim):
    x, y = circle_points(classes=classes, dim=dim)
    loss = build(name, classes, dim).double()
    value, gradients = value_and_gradients(loss, x, y)
    assert value.shape == () and torch.isfinite(value)
    assert all(torch.isfinite(g).all() for g in gradients)
    assert gradients[0].abs().sum() > 0


@st.composite
def any_batch(draw: st.DrawFn) -> tuple[int, Tensor, Tensor]:
    """C, features (B, D) with zeros, repeats and lengths over eight decades, and any labels (B,)."""
    classes, dim, size = draw(st.integers(2, 12)), draw(st.integers(1, 8)), draw(st.integers(1, 24))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=size, max_size=size))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    points = torch.randn(size, dim, generator=generator, dtype=torch.float64)
    points = points[torch.randint(0, size, (size,), generator=generator)]  # some twice
    factors = draw(st.lists(st.sampled_from([0.0, 1e-5, 0.1, 1.0, 10.0, 1e3]), min_size=size, max_size=size))
    return classes, points * torch.tensor(factors, dtype=torch.float64).unsqueeze(1), torch.tensor(labels)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(batch=any_batch())
def test_any_shapes_and_values(name, batch):
    """Finite value and gradients in both precisions, which agree, and no order of the batch."""
    classes, x, y = batch
    values = {}
    for dtype in (torch.float64, torch.float32):
        loss = build(name, classes, x.shape[1]).to(dtype)
        values[dtype], gradients = value_and_gradients(loss, x.to(dtype), y)
        assert torch.isfinite(values[dtype]) and all(torch.isfinite(g).all() for g in gradients)
    exceptions = spec_of(name).exceptions
    if "order" in exceptions:
        return
    wide = values[torch.float64]
    if "precision" not in exceptions:
        torch.testing.assert_close(values[torch.float32].double(), wide, rtol=1e-3, atol=1e-3)
    turned = build(name, classes, x.shape[1]).double()(x.flip(0), y.flip(0))
    torch.testing.assert_close(turned, wide, rtol=1e-9, atol=1e-9)


def test_same_seed_same_value(name):
    x, y = circle_points()
    first, second = (value_and_gradients(build(name), x.float(), y) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert all(torch.equal(a, b) for a, b in zip(first[1], second[1], strict=True))


def test_order_of_the_batch_does_not_matter(name):
    spec_of(name, "order")
    x, y = circle_points()
    order = torch.randperm(len(y))
    loss, other = build(name).double(), build(name).double()
    torch.testing.assert_close(loss(x, y), other(x[order], y[order]), rtol=0, atol=1e-10)


def test_rotating_features_and_state_changes_nothing(name):
    spec_of(name, "rotation")
    x, y = circle_points(dim=3)
    rotation = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    loss = build(name, dim=3).double()
    rotated = copy.deepcopy(loss)
    for tensor in [*rotated.parameters(), *rotated.buffers()]:
        if tensor.ndim >= 2 and tensor.shape[-1] == 3:
            tensor.data = tensor.data @ rotation
    torch.testing.assert_close(seeded(loss, x, y), seeded(rotated, x @ rotation, y), rtol=0, atol=1e-9)


def test_class_scores_of_angular_losses_depend_on_directions_only(name):
    """Doubling the class weights changes neither scores nor loss; a no-op normalisation fails here."""
    spec = spec_of(name, "angular")
    if spec.kind != "classifier":
        pytest.skip("a loss without class scores")
    if not spec.angular:
        pytest.skip("a loss that does not compare by direction")
    x, y = circle_points()
    loss = build(name).double()
    doubled = copy.deepcopy(loss)
    with torch.no_grad():
        doubled.weight *= 2
    torch.testing.assert_close(loss.logits(x), doubled.logits(x), rtol=0, atol=1e-10)
    torch.testing.assert_close(seeded(loss, x, y), seeded(doubled, x, y), rtol=0, atol=1e-10)
    assert torch.equal(loss.logits(3 * x).argmax(1), loss.logits(x).argmax(1))


def test_a_classifier_whose_scores_depend_on_directions_alone_is_called_angular(name):
    """By the tag the figures draw angles, and nearest neighbours are found by cosine."""
    x, loss, spec = circle_points()[0], build(name).double(), spec_of(name, "angular")
    if spec.kind != "classifier" or not isinstance(getattr(loss, "weight", None), nn.Parameter):
        pytest.skip("a loss without class weights")
    before = loss.logits(x).detach()
    with torch.no_grad():
        loss.weight *= 2
    assert torch.allclose(loss.logits(x), before) == spec.angular


def test_losses_of_samples(name):
    """`none` gives (B,) losses, of which `sum`, `mean` and weighted means are what their names say."""
    x, y = circle_points()
    weights = torch.rand(len(y), dtype=torch.float64)
    if not isinstance(build(name), SampleLoss):
        assert spec_of(name).kind != "classifier"
        with pytest.raises(ValueError, match="is not a mean over samples, so it takes no sample_weight"):
            build(name)(x, y, weights)
        return
    for progress in (0.1, 0.4, 1.0):

        def value(reduction: str, *weights: Tensor, progress: float = progress) -> Tensor:
            loss = build(name, reduction=reduction).double()
            advance(loss, progress)
            result: Tensor = loss(x, y, *weights)
            return result

        losses = value("none")
        assert losses.shape == y.shape
        for found, expected in (
            (value("mean"), losses.mean()),
            (value("sum"), losses.sum()),
            (value("none", weights), weights * losses),
            (value("sum", weights), weights @ losses),
            (value("mean", weights), weights @ losses / weights.sum()),
            (value("mean", torch.ones(len(y))), losses.mean()),
            (value("mean", torch.zeros(len(y))), 0 * losses.sum()),
            (value("mean", torch.arange(len(y)) < 9), losses[:9].mean()),
        ):
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert build(name).float()(x.float(), y, weights).dtype == torch.float32
    with pytest.raises(ValueError, match="sample_weight has the shape \\(1,\\) for 40 samples"):
        build(name)(x.float(), y, weights[:1])
    strange = (["a"] * len(y), "abc", {}, [None] * len(y), [[1]] + [[1, 2]] * 39, weights.to("meta"), y * 1j)
    for wrong in strange:
        with pytest.raises(UsageError, match="sample_weight is a real number for each of the 40 samples"):
            build(name)(x.float(), y, wrong)
    with pytest.raises(ValueError, match="reduction = median is not one of {mean, sum, none}"):
        build(name, reduction="median")


INTEGERS = [torch.int8, torch.int16, torch.int32, torch.uint8, torch.uint16, torch.uint32, torch.uint64]


def test_labels_of_any_integer_type_give_the_same(name):
    """Also with subcenters and more classes than half of the narrow type holds."""
    x, y = circle_points(200, classes=100)
    expected = value_and_gradients(build(name, 100), x.float(), y)
    for dtype in INTEGERS:
        assert torch.equal(value_and_gradients(build(name, 100), x.float(), y.to(dtype))[0], expected[0]), (
            dtype
        )


def test_sizes_of_any_integer_type_give_the_same(name):
    """Also where a function of both would be too large for a narrow type, such as 2 D."""
    state = build(name, 200, 150).state_dict()
    for kind in (torch.tensor, np.uint8):
        loss = build(name, kind(200), kind(150))
        assert (type(loss.num_classes), type(loss.feature_dim)) == (int, int)
        assert all(torch.equal(state[key], value) for key, value in loss.state_dict().items()), kind


def test_other_labels_are_refused_in_one_sentence(name):
    x, y = circle_points()
    has_classes = spec_of(name).kind != "pairs"
    allowed = "integers in 0 ... 9" if has_classes else "any integers"
    wrong = [y[:, None], y[None], y[:-1], y[0], y.float(), y.bool(), nn.functional.one_hot(y, CLASSES)]
    if has_classes:
        wrong += [y - 1, y + 1, torch.full_like(y, 2**40), torch.full_like(y, 10, dtype=torch.int8)]
        wrong += [torch.full_like(y, 10).to(dtype) for dtype in INTEGERS]
    for labels in wrong:
        loss = build(name)
        before = copy.deepcopy(loss.state_dict())
        with pytest.raises(UsageError) as error:
            loss(x.float(), labels)
        sentence = (
            f"Labels are {allowed}, one for each of the 40 samples; these have the type "
            f"{str(labels.dtype)[6:]} and the shape {tuple(labels.shape)} from {min(labels.flatten().tolist())} "
            f"to {max(labels.flatten().tolist())}."
        )
        assert str(error.value) == sentence
        assert all(torch.equal(before[key], value) for key, value in loss.state_dict().items())


def test_other_features_are_refused_in_one_sentence(name):
    x, y = circle_points()
    x = x.float()
    for features in (x[0], x[None], x[:, :1], torch.cat([x, x], 1), x.to(torch.complex64), x[:, 0]):
        loss = build(name)
        before = copy.deepcopy(loss.state_dict())
        with pytest.raises(UsageError) as error:
            loss(features, y)
        assert str(error.value) == (
            f"Features are real numbers of the shape (B, 2); these have the type {str(features.dtype)[6:]} "
            f"and the shape {tuple(features.shape)}."
        )
        assert all(torch.equal(before[key], value) for key, value in loss.state_dict().items())
    for features, labels, wrong in (
        (x.tolist(), y, "Features"),
        (x, y.numpy(), "Labels"),
        (x, None, "Labels"),
    ):
        with pytest.raises(UsageError, match=f"{wrong} are a torch.Tensor; these have the type"):
            build(name)(features, labels)
    with pytest.raises(UsageError, match="Labels are .* have the type complex64 and the shape"):
        build(name)(x, y.to(torch.complex64))
    for features, labels in ((x, y.to("meta")), (x.to("meta"), y)):
        with pytest.raises(UsageError, match=r"^Labels are on the device \w+, features on \w+\.$"):
            build(name)(features, labels)


def test_shapes_are_known_without_numbers(name):
    """On the device `meta`, on which sizes and operations of large models are counted."""
    x, y = circle_points()
    value = build(name).to("meta")(x.float().to("meta"), y.to("meta"))
    assert value.shape == () and value.dtype == torch.float32


def test_class_scores_of_no_and_of_more_samples(name):
    """The scores of features (..., D) have the shape (..., C)."""
    loss = build(name)
    if hasattr(loss, "logits"):
        x = circle_points()[0].float()
        scores = loss.logits(x)
        assert loss.logits(x[:0]).shape == (0, CLASSES)
        torch.testing.assert_close(loss.logits(x.unflatten(0, (4, -1))).flatten(0, 1), scores)
        torch.testing.assert_close(loss.logits(x[0]), scores[0])
        with pytest.raises(UsageError, match=r"Features are real numbers of the shape \(B, 2\)"):
            loss.logits(x[:, :1])


def test_names_of_classes_may_be_any_number_where_there_are_no_classes(name):
    """Numbers that float32 cannot tell apart, negative ones and the largest there are."""
    if spec_of(name).kind != "pairs":
        pytest.skip("a loss that has classes")
    x, y = circle_points()
    for ids in (2**53 + torch.arange(CLASSES), -torch.arange(CLASSES), 2**63 - 1 - torch.arange(CLASSES)):
        torch.testing.assert_close(build(name)(x, ids[y]), build(name)(x, y), rtol=0, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 40])
def test_a_batch_that_is_not_finite_moves_no_state(name, rows):
    x, y = (t.float() if t.is_floating_point() else t for t in circle_points())
    loss, other = build(name), build(name)
    before = copy.deepcopy(loss.state_dict())
    for fault in (math.nan, math.inf, -math.inf):
        broken = x.clone()
        broken[:rows] = fault
        loss(broken, y)
        assert all(torch.equal(before[key], value) for key, value in loss.state_dict().items()), fault
    torch.default_generator.manual_seed(0)  # for a loss that draws
    value = loss(x, y)
    torch.default_generator.manual_seed(0)
    assert torch.equal(value, other(x, y))
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in loss.state_dict().items())


def test_an_empty_batch_is_zero_and_moves_no_state(name):
    loss = build(name)
    before = copy.deepcopy(loss.state_dict())
    x = torch.zeros(0, 2, requires_grad=True)
    value = loss(x, torch.zeros(0, dtype=torch.int64))
    value.backward()
    assert value.shape == () and value == 0
    assert x.grad is not None and all((p.grad == 0).all() for p in loss.parameters() if p.grad is not None)
    assert all(torch.equal(before[key], value) for key, value in loss.state_dict().items())
    loss(x.detach(), torch.zeros(0, dtype=torch.uint8))
    if isinstance(loss, SampleLoss):
        assert build(name, reduction="none")(x, torch.zeros(0, dtype=torch.int64)).shape == (0,)


FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("module", FLOATS)
def test_any_floating_types(name, module):
    """Value and gradients as in float32 or float64 from the same rounded numbers; state keeps its type."""
    spec = spec_of(name, "precision")
    for inputs in FLOATS:
        check_types(spec, name, module, inputs)


def check_types(spec: LossSpec, name: str, module: torch.dtype, inputs: torch.dtype) -> None:
    x, y = circle_points()
    x = (x / 2).to(inputs)
    loss = build(name).to(module)
    own = {tensor.dtype for tensor in loss.state_dict().values()}  # nothing where a loss has no state
    wide = torch.float64 if torch.float64 in {inputs, *own} else torch.float32
    reference = copy.deepcopy(loss).to(wide)
    if spec.kind == "classifier":
        torch.testing.assert_close(loss.logits(x), reference.logits(x.to(wide)))
    (value, gradients), expected = (
        value_and_gradients(loss, x, y),
        value_and_gradients(reference, x.to(wide), y),
    )
    assert value.dtype == wide
    torch.testing.assert_close(value, expected[0])
    assert [g.dtype for g in gradients] == [inputs] + [module] * (len(gradients) - 1)
    for key, tensor in loss.state_dict().items():
        assert tensor.dtype == module
        torch.testing.assert_close(tensor, reference.state_dict()[key].to(module))


def test_gradcheck(name):
    spec_of(name, "gradcheck")
    x, y = circle_points(12, classes=4)
    loss = build(name, classes=4).double()
    state = {key: value.clone() for key, value in loss.state_dict().items()}

    def value(features: Tensor, *parameters: Tensor) -> Tensor:
        with torch.no_grad():
            for key, buffer in loss.named_buffers():
                buffer.copy_(state[key])  # a training step moves it; every probe starts from the same
        given = dict(zip(dict(loss.named_parameters()), parameters, strict=True))
        torch.default_generator.manual_seed(0)
        result: Tensor = torch.func.functional_call(loss, given, (features, y))
        return result

    inputs = [x.clone().requires_grad_(), *(p.detach().clone().requires_grad_() for p in loss.parameters())]
    assert torch.autograd.gradcheck(value, inputs, eps=1e-6, atol=1e-6)


def edge_batches() -> dict[str, tuple[Tensor, Tensor]]:
    """Features by a recipe on W (10, 2); the loss's own W is put in by `on_weights`."""
    y = torch.arange(20) % CLASSES
    spread = circle_points(20)[0].float()
    return {
        "zero vector": (torch.zeros(20, 2), y),
        "one zero vector": (torch.cat([torch.zeros(1, 2), spread[1:]]), y),
        "identical points": (torch.ones(20, 2), y),
        "one class only": (spread, torch.full((20,), 3)),
        "batch of one": (spread[:1], y[:1]),
        "no positive pair": (spread[:10], y[:10]),
        "absent classes": (spread, y % 4),
        "identical pairs": (spread[:10].repeat(2, 1), y),
        "huge": (1e4 * spread, y),
        "tiny": (1e-8 * spread, y),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
def test_finite_on_the_edges(name, dtype, training):
    batches = edge_batches()
    weight = state_of(build(name)).get("weight")
    if weight is not None and weight.shape == (CLASSES, 2):
        y = batches["huge"][1]
        batches["parallel to W"] = (weight[y].detach(), y)
        batches["opposite to W"] = (-weight[y].detach(), y)
        batches["very long, parallel to W"] = (1e4 * weight[y].detach(), y)
    for edge, (x, y) in batches.items():
        loss = build(name).train(training)
        value, gradients = value_and_gradients(loss, x.to(dtype), y)
        assert torch.isfinite(value), edge
        assert all(torch.isfinite(g).all() for g in gradients), edge
        assert value.dtype == torch.float32, f"{edge}: computed in {value.dtype}"
        for key, tensor in state_of(loss).items():
            assert torch.isfinite(tensor).all(), f"{edge}: {key}"


def test_computes_in_float32_under_autocast(name):
    x, y = circle_points()
    plain = build(name)(x.float(), y)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(build(name)(x.float(), y), plain)


def test_evaluation_moves_no_state(name):
    x, y = circle_points()
    loss = build(name).eval()
    before = copy.deepcopy(loss.state_dict())
    loss(x.float(), y)
    if hasattr(loss, "logits"):
        loss.train().logits(x.float())
    after = loss.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_state_survives_round_trips(name):
    """After some steps: state dict, deep copy and pickle give the same value and the same next state."""
    x, y = circle_points()
    x = x.float()
    loss = build(name)
    for _ in range(3):
        loss(x, y)
    restored = build(name, seed=99)
    restored.load_state_dict(loss.state_dict())
    copies = [restored, copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))]
    torch.default_generator.manual_seed(5)
    expected = loss(x, y)
    for other in copies:
        torch.default_generator.manual_seed(5)
        assert torch.equal(other(x, y), expected)
        for key, tensor in loss.state_dict().items():
            assert torch.equal(other.state_dict()[key], tensor)


def test_moves_between_dtypes(name):
    x, y = circle_points()
    loss = build(name)
    there_and_back = copy.deepcopy(loss).double().float()
    assert torch.equal(there_and_back(x.float(), y), build(name)(x.float(), y))
    assert loss.double()(x, y).dtype == torch.float64


def test_compiles_as_one_graph(name):
    spec_of(name, "compile")
    x, y = circle_points()
    loss, compiled = build(name), build(name)
    torch._dynamo.reset()
    program = torch.compile(compiled, fullgraph=True, backend="eager")
    (value, gradients), expected = (value_and_gradients(each, x.float(), y) for each in (program, loss))
    torch.testing.assert_close((value, gradients), expected, rtol=1e-5, atol=1e-6)


def test_runs_under_vmap(name):
    """Two losses with stacked state give, in one call, what they give apart: value, gradient and new state."""
    spec_of(name, "vmap")
    x, y = circle_points()
    x = x.float()
    batches = torch.stack([x, 1.3 * x.flip(1)])
    losses = [build(name, seed=1), build(name, seed=2)]
    params, buffers = torch.func.stack_module_state(losses)  # type: ignore[arg-type]

    def one(params: dict[str, Tensor], buffers: dict[str, Tensor], features: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(losses[0], (params, buffers), (features, y))
        return result

    gradient = torch.func.grad_and_value(one, argnums=2)
    torch.default_generator.manual_seed(5)
    grads, values = torch.vmap(gradient, randomness="same")(params, buffers, batches)
    for k, loss in enumerate(losses):
        leaf = batches[k].clone().requires_grad_()
        value = seeded(loss, leaf, y)
        (grad,) = torch.autograd.grad(value, leaf)
        torch.testing.assert_close(values[k], value.detach(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(grads[k], grad, rtol=1e-4, atol=1e-6)
        for key, buffer in loss.named_buffers():
            torch.testing.assert_close(buffers[key][k], buffer, rtol=1e-5, atol=1e-6)


def test_separated_clusters_score_lower_than_a_mixed_cloud(name):
    spec_of(name, "separation")
    generator = torch.Generator().manual_seed(1)
    y = torch.arange(60) % CLASSES
    loss = build(name)
    directions = torch.stack([torch.cos(y * 0.628318), torch.sin(y * 0.628318)], 1)
    with torch.no_grad():
        for key, tensor in [*loss.named_parameters(), *loss.named_buffers()]:
            if tensor.shape == (CLASSES, 2) and key in ("weight", "centers"):
                tensor.copy_(6 * directions[:CLASSES])
    loss.eval()
    tight = 6 * directions + 0.01 * torch.randn(60, 2, generator=generator)
    mixed = tight[torch.randperm(60, generator=generator)]
    assert loss(tight, y) < loss(mixed, y)


def test_steps_on_free_points_reduce_it(name):
    spec_of(name, "descent")
    x, y = circle_points()
    points = nn.Parameter(x.float())
    loss = build(name)
    optimizer = torch.optim.Adam([points, *loss.parameters()], lr=0.02)
    values = []
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(points, y)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert sum(values[-5:]) < sum(values[:5])
