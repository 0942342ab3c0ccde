"""State to bytes and back, and nothing but RunError for bytes that are not ours."""

from __future__ import annotations

import io
import json
import os
import pickle
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lossbench.errors import RunError
from lossbench.runs.config import RunConfig
from lossbench.runs.config_builder import make_config
from lossbench.runs.model import build, load_model, model_bytes
from lossbench.runs.run_folder import RunFolder
from lossbench.runs.stored_config import config_from_dict
from lossbench.specs import catalog
from lossbench.training.checkpoint import load_state, state_bytes

LOSSES = catalog.names("losses")


def made(loss: str = "center", **options: Any) -> RunConfig:
    return make_config(loss=loss, **{"network": "lenet", "dataset": "digits", **options})


def trained(config: RunConfig) -> tuple[nn.Module, nn.Module]:
    """Network and loss after a few real steps, so that buffers and weights have moved."""
    network, loss = build(config)
    optimizer = torch.optim.SGD([*network.parameters(), *loss.parameters()], lr=0.01)
    labels = torch.arange(20) % 10
    for _ in range(2):
        value = loss(network(torch.rand(20, 1, 28, 28)), labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return network, loss


def load(content: bytes | None, config: RunConfig) -> tuple[nn.Module, nn.Module]:
    """Network and loss of a run whose folder holds these bytes as its model."""
    with tempfile.TemporaryDirectory() as folder:
        if content is not None:
            Path(folder, "model.safetensors").write_bytes(content)
        return load_model(RunFolder(Path(folder), config))


def assert_equal_states(first: nn.Module, second: nn.Module) -> None:
    one, two = first.state_dict(), second.state_dict()
    assert list(one) == list(two)
    for key in one:
        assert one[key].dtype == two[key].dtype
        assert torch.equal(one[key], two[key]), key


@pytest.mark.parametrize(
    "loss", ["center", "arcface", "oim", "ghm", "softmax + triplet", "git", "adaface", "lgm"]
)
def test_a_model_comes_back_bit_for_bit(loss: str) -> None:
    config = made(loss)
    network, summed = trained(config)
    content = model_bytes(network, summed, config)
    again_network, again_loss = load(content, config)
    assert_equal_states(again_network, network)
    assert_equal_states(again_loss, summed)
    assert not again_network.training
    assert not again_loss.training
    images = torch.rand(4, 1, 28, 28)
    with torch.inference_mode():
        assert torch.equal(again_network(images), network.eval()(images))


def test_a_model_file_is_plain_safetensors_with_its_config() -> None:
    config = made()
    content = model_bytes(*build(config), config)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert config_from_dict(json.loads(header["__metadata__"]["lossbench"])["config"]) == config
    assert model_bytes(*build(config), config) == content
    assert "network.feature.weight" in header


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("softmax", "center"),
        ("center", "softmax"),
        ("arcface", "softmax"),
        ("triplet", "softmax"),
        ("arcface", "cosface"),  # the same tensors, another meaning
        ("cosface", "arcface"),
        ("0.003*center + softmax", "softmax + 0.003*center"),
    ],
)
def test_the_model_of_another_loss_is_refused(stored: str, asked: str) -> None:
    content = model_bytes(*build(made(stored)), made(stored))
    with pytest.raises(RunError, match=r"/model\.safetensors"):
        load(content, made(asked))


@pytest.mark.parametrize("changed", [{"feature_dim": 3}, {"network": "lenet++"}, {"seed": 1}])
def test_the_model_of_another_config_is_refused(changed: dict[str, Any]) -> None:
    content = model_bytes(*build(made(**changed)), made(**changed))
    with pytest.raises(RunError, match=r"/model\.safetensors"):
        load(content, made())


def test_a_missing_model_says_so() -> None:
    with pytest.raises(RunError, match=r" has no model\.safetensors; its training is not complete"):
        load(None, made())


def test_a_cut_model_is_refused_wherever_it_ends() -> None:
    config = made("softmax")
    content = model_bytes(*build(config), config)
    header = 8 + int.from_bytes(content[:8], "little")
    ends = {0, 1, 7, 8, 9, header - 1, header, header + 1, len(content) - 1, *range(0, len(content), 100_003)}
    for end in sorted(ends):
        with pytest.raises(RunError, match=r"/model\.safetensors is cut short"):
            load(content[:end], config)
    with pytest.raises(RunError):
        load(content + b"\0", config)


@settings(max_examples=60, deadline=None, database=None)
@given(st.data())
def test_an_altered_model_header_raises_nothing_but_run_error(data: st.DataObject) -> None:
    config = made("softmax")
    content = bytearray(MODEL)
    end = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    try:
        modules = load(bytes(content), config)
    except RunError as error:
        assert "/model.safetensors is cut short" in str(error)
        return
    for module, expected in zip(modules, build(config), strict=True):
        shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
        assert shapes == {name: tensor.shape for name, tensor in expected.state_dict().items()}


MODEL = model_bytes(*build(made("softmax")), made("softmax"))


# the resume state


def resume_state() -> dict[str, Any]:
    """What training stores: weights, optimizer state, generator states, records."""
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01)
    module(torch.rand(5, 3)).sum().backward()
    optimizer.step()
    return {
        "epoch": 3,
        "step": 17,
        "network": module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "records": [{"epoch": 1, "loss": float("nan"), "terms": {"softmax": 0.1 + 0.2}}, None, True, "text"],
        "odd": torch.tensor([float("nan"), -0.0, float("inf"), 1e-45]),
        "bf16": torch.ones(2, dtype=torch.bfloat16),
    }


def assert_identical(one: Any, two: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert one.dtype == two.dtype
        assert (
            one.numpy(force=True).tobytes() == two.numpy(force=True).tobytes()
            if one.dtype != torch.bfloat16
            else (torch.equal(one, two))
        )
    elif isinstance(one, dict):
        assert list(one) == list(two)
        for key in one:
            assert_identical(one[key], two[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            assert_identical(a, b)
    else:
        assert repr(one) == repr(two)
        assert type(one) is type(two)


def test_a_resume_state_comes_back_bit_for_bit() -> None:
    state = resume_state()
    again = load_state(state_bytes(state), "here")
    assert set(again) == set(state)
    for key in state:
        assert_identical(dict(state[key]) if key == "network" else state[key], again[key])


@pytest.mark.parametrize("device", ["cuda:0", "mps"])
def test_a_state_saved_on_another_device_is_read_on_this_one(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # what torch writes beside the numbers of a tensor there
        patch.setattr(torch.serialization, "location_tag", lambda storage: device)
        content = state_bytes({"epoch": 2, "weights": torch.arange(20.0)})
    assert device.encode() in content
    weights = load_state(content, "here")["weights"]
    assert weights.device.type == "cpu"
    assert torch.equal(weights, torch.arange(20.0))


def test_a_cut_resume_state_is_refused_wherever_it_ends() -> None:
    content = state_bytes({"epoch": 1, "weights": torch.arange(20.0), "records": [1.5, "a"]})
    for end in [*range(0, 120), *range(120, len(content), 7), *range(len(content) - 70, len(content))]:
        with pytest.raises(RunError, match=r"^here/resume\.pt is "):
            load_state(content[:end], "here")


STATE = state_bytes({"epoch": 1, "weights": torch.arange(20.0), "records": [1.5, "a"]})


@settings(max_examples=150, deadline=None, database=None)
@given(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda tail: b"\x80\x02" + tail)))
def test_any_bytes_raise_nothing_but_run_error(content: bytes) -> None:
    with pytest.raises(RunError):
        load_state(content, "here")


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, len(STATE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_altered_bytes_raise_nothing_but_run_error(changes: list[tuple[int, int]]) -> None:
    content = bytearray(STATE)
    for place, value in changes:
        content[place] = value
    try:
        state = load_state(bytes(content), "here")
    except RunError as error:
        assert str(error).startswith("here")
        return
    assert isinstance(state, dict)


class Bomb:
    """Runs a command when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("how", ["torch", "torch-legacy", "pickle"])
def test_a_resume_state_that_holds_code_does_not_run_it(how: str, tmp_path: Path) -> None:
    target, file = tmp_path / "exploded", tmp_path / "resume.pt"
    state = {"format": 1, "epoch": 1, "payload": Bomb(target)}
    if how == "pickle":
        file.write_bytes(pickle.dumps(state))
    else:
        torch.save(state, file, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(RunError, match=r"^here/resume\.pt is "):
        load_state(file.read_bytes(), "here")
    assert not target.exists()
    pickle.loads(pickle.dumps(Bomb(target)))  # the bomb itself works
    assert target.exists()


def test_a_state_of_another_format_is_refused(tmp_path: Path) -> None:
    for stored in ({"epoch": 1}, {"format": 99, "epoch": 1}, [1, 2], torch.zeros(3), {"format": "1"}):
        torch.save(stored, tmp_path / "state")
        with pytest.raises(RunError, match="of another format"):
            load_state((tmp_path / "state").read_bytes(), "here")


# equal conditions


def test_every_loss_starts_from_the_same_network() -> None:
    expected, _ = build(made("softmax"))
    for name in LOSSES:
        network, _ = build(made(name))
        assert_equal_states(network, expected)
    other, _ = build(made("softmax", seed=1))
    assert not torch.equal(other.state_dict()["feature.weight"], expected.state_dict()["feature.weight"])


@pytest.mark.parametrize(
    "loss", ["center", "softmax + 0.1*ring + 0.2*center", "0.5*softmax", "triplet + softmax"]
)
def test_softmax_starts_the_same_with_and_without_other_terms(loss: str) -> None:
    alone = build(made("softmax"))[1].directions("weight")
    joined = build(made(loss))[1].directions("weight")
    assert alone is not None
    assert joined is not None
    assert torch.equal(alone, joined)


def test_building_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    first = build(made("arcface"))
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)
    again = build(made("arcface"))
    assert_equal_states(first[0], again[0])
    assert_equal_states(first[1], again[1])


def test_of_a_state_that_is_refused_torch_says_nothing() -> None:
    content = io.BytesIO(state_bytes({"epoch": 1}))
    with zipfile.ZipFile(content, "a") as file:
        file.writestr("archive/constants.pkl", b"")  # as of TorchScript, of which torch.load warns
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(RunError):
            load_state(content.getvalue(), "run")
    assert said == []
