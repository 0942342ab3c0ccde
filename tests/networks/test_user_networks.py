"""Networks of a user, training that starts from a stored network, and the residual network."""

from __future__ import annotations

import json
import shutil
import textwrap
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from lossbench.__main__ import main
from lossbench.errors import Interrupted, RunError, UsageError
from lossbench.runs.config_builder import make_config
from lossbench.runs.model import initial_network
from lossbench.runs.store import Store
from lossbench.runs.stored_config import config_from_dict
from lossbench.runs.stored_run import StoredRun
from lossbench.specs import catalog, plugins

from ..helpers.own_code import forget
from ..helpers.runs import Recorder, run, small
from ..helpers.user_data import digits

MINE = """
    import torch
    from torch import nn

    class Wide(nn.Module):
        \"\"\"One hidden layer of 50.\"\"\"

        def __init__(self, input_shape, feature_dim):
            super().__init__()
            channels, height, width = input_shape
            self.layers = nn.Sequential(
                nn.Flatten(), nn.Linear(channels * height * width, 50), nn.ReLU(), nn.Linear(50, feature_dim)
            )

        def forward(self, images):
            return self.layers(images)

    class Three(Wide):
        def forward(self, images):
            return torch.zeros(len(images), 3)

    class Pair(Wide):
        def forward(self, images):
            return super().forward(images), None

    class TrainsToPair(Wide):
        def forward(self, images):
            features = super().forward(images)
            return self.trained(features) if self.training else features

        def trained(self, features):
            return features, features

    class TrainsToMean(TrainsToPair):
        def trained(self, features):
            return features.mean(0, keepdim=True)

    class TrainsToThree(TrainsToPair):
        def trained(self, features):
            return features[:, [0, 1, 1]]

    class Detached(Wide):
        def forward(self, images):
            return super().forward(images).detach()

    class Strange(nn.Module):
        def __init__(self, size):
            super().__init__()

        def forward(self, images):
            return images

    def function():
        pass
"""
QUICK = ["--dataset", "digits", "--epochs", "1", "--device", "cpu"]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "my_networks.py").write_text(textwrap.dedent(MINE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    forget("my_networks")


@pytest.mark.filterwarnings("default")
def test_a_network_that_learns_nothing_is_warned_of(mine, capsys):
    one_step = ["--batch-size", "1000"]
    assert main(["train", "--network", "my_networks:Detached", *QUICK, *one_step]) == 0
    assert "warning: The network learns nothing from the loss softmax" in capsys.readouterr().err


def test_a_network_of_the_users_trains_and_its_run_is_opened_without_its_code(mine, capsys):
    command = [
        "compare",
        "--losses",
        "softmax,center",
        "--seeds",
        "0",
        "--network",
        "my_networks:Wide",
        *QUICK,
    ]
    assert main([*command, "--jobs", "2"]) == 0
    runs = Store(mine / "results").all()[0]
    assert {each.config.network for each in runs} == {"my_networks:Wide"}
    model = load_file(runs[0].path / "model.safetensors")
    assert model["network.layers.1.weight"].shape == (50, 784)
    capsys.readouterr()
    (mine / "my_networks.py").write_text("raise SystemExit('the code of a stored run was executed')")
    forget("my_networks")
    for shown in (["runs"], ["plot"], ["plot", "regions"], ["plot", "hardest"], ["explore"], ["report"]):
        assert main(shown) == 0, shown
    assert main(["plot", "--network", "my_networks:Wide"]) == 0
    (mine / "my_networks.py").write_text(textwrap.dedent(MINE).replace("50", "60"))
    forget("my_networks")
    assert main([*command]) == 1  # other code is no equal run
    assert "code of my_networks:Wide has changed" in capsys.readouterr().err
    with pytest.raises(RunError, match="code of my_networks:Wide has changed"):
        StoredRun(runs[0]).load_network()


def test_interrupted_and_continued_is_uninterrupted(mine, tmp_path):
    config = small(network="my_networks:Wide")
    run(config, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(config, tmp_path / "parts", Recorder(stop_after=20))
    run(config, tmp_path / "parts")
    files = [tmp_path / name / "runs" / config.run_name / "model.safetensors" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("network", "found"),
    [("TrainsToPair", "tuple"), ("TrainsToMean", "(1, 2)"), ("TrainsToThree", "(128, 3)")],
)
def test_features_of_training_are_checked_too(mine, capsys, network, found):
    assert main(["train", "--network", f"my_networks:{network}", *QUICK]) == 2
    assert f"The network my_networks:{network} returns {found} for 128 samples" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ("no_such_module:Net", "cannot be imported"),
        ("my_networks:Nothing", "cannot be imported"),
        ("my_networks:function", "is not a torch.nn.Module class"),
        ("my_networks:Strange", r"cannot be used for samples of shape \(1, 28, 28\): TypeError"),
        ("my_networks:Three", r"returns \(2, 3\) for 2 samples; features of shape \(2, 2\) are needed"),
        ("my_networks:Pair", "returns tuple for 2 samples"),
        ("my_networks.py:Wide", "is named as my_networks:Wide, without a folder or the ending .py"),
        ("./my_networks.py:Wide", "is named as my_networks:Wide, without"),
        ("compakt", "did you mean compact"),
        ("mlp:", "cannot be imported"),
    ],
)
def test_what_is_no_network_is_refused_in_one_sentence(mine, network, sentence, capsys):
    assert main(["train", "--network", network, *QUICK]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    import re

    assert re.search(sentence, said), said
    assert not (mine / "results").exists()


def test_an_installed_package_can_offer_networks(mine, monkeypatch):
    point = EntryPoint("wide", "my_networks:Wide", "lossbench.networks")
    monkeypatch.setattr(plugins, "offered_of", lambda kind: {"wide": point} if kind == "networks" else {})
    config = make_config(network="wide", dataset="digits")
    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert catalog.load("networks", "wide").__name__ == "Wide"


def test_training_starts_from_a_stored_network_also_with_other_classes(tmp_path):
    first = small("softmax", network="linear", unseen="7,8,9", epochs=2)
    run(first, tmp_path)
    stored = Store(tmp_path).run(first)
    second = small("center", network="linear", init=initial_network(stored), lr=1e-12, weight_decay=0.0)
    run(second, tmp_path)
    before, after = (load_file(Store(tmp_path).run(c).path / "model.safetensors") for c in (first, second))
    np.testing.assert_allclose(after["network.feature.weight"], before["network.feature.weight"], atol=1e-6)
    weights = [model["loss.losses.0.weight"] for model in (before, after)]
    assert [len(each) for each in weights] == [7, 10]
    assert second.id != small("center", network="linear", lr=1e-12, weight_decay=0.0).id
    assert config_from_dict(json.loads(json.dumps(second.to_dict()))) == second


def test_a_run_from_a_stored_network_is_continued_bit_for_bit(tmp_path):
    first = small("softmax", network="linear", epochs=1)
    run(first, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    config = small("softmax", network="linear", init=initial_network(Store(tmp_path / "whole").run(first)))
    run(config, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(config, tmp_path / "parts", Recorder(stop_after=20))
    shutil.rmtree(tmp_path / "parts" / "runs" / first.run_name)  # no longer needed
    run(config, tmp_path / "parts")
    files = [tmp_path / name / "runs" / config.run_name / "model.safetensors" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_command_names_a_run_and_refuses_what_does_not_fit(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quick = [*QUICK, "--network", "linear"]
    assert main(["train", *quick, "--json"]) == 0
    name = json.loads(capsys.readouterr().out)["run"]
    command = ["compare", "--losses", "softmax,center", "--seeds", "0-1", "--init", name, *quick]
    assert main([*command, "--jobs", "2"]) == 0
    assert {
        c.init.partition("@")[0] for c in (each.config for each in Store(tmp_path / "results").all()[0])
    } == {"", name}
    assert main(["plot", "--init", name]) == 0
    capsys.readouterr()
    for more, sentence in (
        (["--feature-dim", "3"], "does not fit linear with samples of 1 x 28 x 28 and 3-D features"),
        (["--network", "mlp"], "does not fit mlp"),
        (["--init", "nothing"], "Unknown run 'nothing'"),
    ):
        assert main(["train", *quick, "--init", name, *more]) == 2
        assert sentence in capsys.readouterr().err
    with pytest.raises(UsageError, match="not a run that is stored here"):
        make_config(init="../../etc@0123456789abcdef")
    config = make_config(
        dataset="digits", network="linear", init="softmax-0123456789@0123456789abcdef", epochs=1
    )
    with pytest.raises(RunError, match="is not in"):
        run(config, tmp_path / "other")


def test_resnet20_has_the_published_size_and_learns_colour_images(tmp_path):
    network = catalog.load("networks", "resnet20")((3, 32, 32), 10)
    assert sum(p.numel() for p in network.parameters()) == 269_722  # 0.27 M in the paper
    images, labels = digits(4)
    np.savez(tmp_path / "a.npz", images=np.stack([images, 255 - images, images // 2], -1), labels=labels)
    config = make_config(dataset=str(tmp_path / "a.npz"), network="resnet20", epochs=6, batch_size=64)
    assert config.input_shape == (3, 8, 8)
    assert run(config, tmp_path).test_accuracy > 0.9


@pytest.mark.parametrize("name", ["compact", "lenet", "lenet++", "stride3", "resnet20"])
def test_networks_of_images_refuse_features(name):
    with pytest.raises(UsageError, match="linear and mlp"):
        catalog.load("networks", name)((64,), 2)


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_values_that_differ_in_size_count_alike(name):
    network = catalog.load("networks", name)((3,), 2).train()
    samples = torch.randn(1000, 3) * torch.tensor([1.0, 1000.0, 0.2])
    for _ in range(50):
        network(samples)
    values = network.trunk[0](network.trunk[1](samples)) if name == "mlp" else network.trunk(samples)
    assert float(values.std(0).min()) > 0.8 and float(values.std(0).max()) < 1.1
