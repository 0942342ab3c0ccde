"""Training on a CUDA device: recorded steps, runs that train together, and what a CPU computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lossbench.__main__ import main
from lossbench.data import epoch_batches
from lossbench.engines.in_process import GroupExecutor
from lossbench.engines.scheduler import ProgressMonitor, Scheduler
from lossbench.errors import Interrupted
from lossbench.networks._image_convolution import ImageConvolution
from lossbench.optimizers.muon import Muon
from lossbench.records import NullObserver
from lossbench.runs.result import Status
from lossbench.runs.run_folder import RunFolder
from lossbench.runs.store import Store
from lossbench.specs import catalog
from lossbench.training.cuda_graph import StepGraph
from lossbench.training.process import Placement, prepare_process
from lossbench.training.train import train
from lossbench.training.trainer import Trainer

from ..helpers.runs import Recorder, small

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device"),
]
GPU = Placement("cuda")
LOSSES = ("softmax", "center", "arcface", "cosface", "triplet", "circle", "oim", "supcon")


def trainer(config, placement=GPU):
    prepare_process(1)
    made = Trainer(RunFolder(Path(), config), placement, NullObserver(), lambda: False)
    made.network.train()
    made.loss.train()
    return made


def take_steps(made, count, graph):
    labels, config = made.splits.train.labels, made.config
    size = {"classes_per_batch": config.classes_per_batch, "samples_per_class": config.samples_per_class}
    order = epoch_batches(labels, batch_size=config.batch_size, seed=0, epoch=0, **size).to(made.device)
    for number in range(count):
        made._set_progress(number / count)
        made.batch_indices.copy_(order[number % len(order)])
        graph.step_one(made)


def weights(made):
    return torch.cat(
        [p.detach().flatten().cpu() for p in (*made.network.parameters(), *made.loss.parameters())]
    )


class Eager:
    def step_one(self, made):
        made.step()


@pytest.mark.parametrize("loss", catalog.names("losses"))
def test_the_step_of_every_loss_is_recorded(loss):
    made, graph = trainer(small(loss)), StepGraph()
    take_steps(made, 30, graph)  # a soft start ends among them
    assert graph.recorded
    assert weights(made).isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", catalog.names("optimizers"))
def test_recorded_steps_are_those_of_single_kernels(loss, optimizer):
    config = small(loss, optimizer=optimizer)
    recorded, eager = trainer(config), trainer(config)
    take_steps(recorded, 30, StepGraph())
    take_steps(eager, 30, Eager())
    torch.testing.assert_close(weights(recorded), weights(eager))
    torch.testing.assert_close(recorded.loss_sums, eager.loss_sums)


def test_a_changed_step_is_recorded_again_and_a_soft_start_ends():
    made, graph = trainer(small("arcface", epochs=3)), StepGraph()
    take_steps(made, 30, graph)
    assert made.step_version > 0
    assert graph.recorded


def test_runs_that_train_together_are_what_each_is_alone(tmp_path):
    configs = [small(loss, seed=seed) for loss in LOSSES for seed in range(2)]
    monitor = ProgressMonitor(NullObserver())
    group = GroupExecutor(Store(tmp_path / "together"), GPU, monitor, lambda: False, 6)
    outcomes = list(Scheduler(group, monitor, lambda: False).run(configs))
    assert {outcome.status for outcome in outcomes} == {Status.DONE}, [each.message for each in outcomes]
    for outcome in outcomes:
        alone = train(
            outcome.config,
            Store(tmp_path / "alone"),
            placement=GPU,
            observer=NullObserver(),
            stop=lambda: False,
        )
        assert outcome.result.test_accuracy == pytest.approx(alone.test_accuracy, abs=0.01)
        assert outcome.result.loss == pytest.approx(alone.loss, rel=0.02)


@pytest.mark.parametrize("loss", ["center", "arcface", "triplet"])
def test_an_interrupted_run_continues(tmp_path, loss):
    config, first = small(loss), Recorder(stop_after=17)
    store = Store(tmp_path / "interrupted")
    with pytest.raises(Interrupted):
        train(config, store, placement=GPU, observer=first, stop=first.stop)
    found = train(config, store, placement=GPU, observer=NullObserver(), stop=lambda: False)
    whole = train(config, Store(tmp_path / "w"), placement=GPU, observer=NullObserver(), stop=lambda: False)
    assert found.loss == pytest.approx(whole.loss, rel=0.02)
    assert found.test_accuracy == pytest.approx(whole.test_accuracy, abs=0.01)


def test_a_state_of_a_gpu_continues_on_a_cpu(tmp_path):
    config, first, store = small("center"), Recorder(stop_after=17), Store(tmp_path)
    with pytest.raises(Interrupted):
        train(config, store, placement=GPU, observer=first, stop=first.stop)
    found = train(config, store, placement=Placement("cpu"), observer=NullObserver(), stop=lambda: False)
    assert found.test_accuracy > 0.5


@pytest.mark.parametrize("network", catalog.names("networks"))
def test_features_are_those_of_a_cpu(network):
    config = small("softmax", network=network)
    gpu, cpu = trainer(config), trainer(config, Placement("cpu"))
    images = cpu.splits.test.images[:50]
    found = gpu.evaluator.embed(images.to(gpu.device)).cpu()
    torch.testing.assert_close(found, cpu.evaluator.embed(images), rtol=1e-2, atol=1e-3)


def test_a_loss_that_waits_for_the_device_trains_without_a_graph(tmp_path, monkeypatch):
    source = (
        "import torch\nfrom lossbench.losses.softmax import Softmax\nclass Waiting(Softmax):\n"
        "    def forward(self, features, labels):\n        value = super().forward(features, labels)\n"
        "        return value if value.item() >= 0 else -value\n"
    )
    (tmp_path / "waiting.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    made, graph = trainer(small("waiting:Waiting")), StepGraph()
    take_steps(made, 8, graph)
    assert not graph.recorded
    assert weights(made).isfinite().all()


def test_muon_moves_matrices_as_on_a_cpu():
    moved = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Linear(40, 30),
            torch.nn.ReLU(),
            torch.nn.Linear(30, 90),
            torch.nn.Linear(90, 8),
            torch.nn.Linear(8, 2),
        ).to(device)
        options = {"weight_decay": 0.0, "momentum": 0.9, "nesterov": True}
        optimizer = Muon(
            network,
            torch.nn.Linear(2, 3).to(device),
            lr_scale={"network": 1.0, "loss": 1.0},
            device=torch.device(device),
            **options,
        )
        optimizer.set_rate(0.1)
        before = [p.detach().clone() for p in network.parameters() if p.ndim == 2]
        inputs = torch.randn(200, 40, generator=torch.Generator().manual_seed(1)).to(device)
        network(inputs).square().sum().backward()
        optimizer.step()
        after = [p.detach() for p in network.parameters() if p.ndim == 2]
        moved.append([(b - a).cpu() for b, a in zip(before, after, strict=True)])
    for on_cpu, on_gpu in zip(*moved, strict=True):
        assert (on_gpu - on_cpu).norm() < 0.1 * on_cpu.norm()  # bfloat16: 0.066 was seen


def test_the_first_convolution_is_that_of_a_cpu():
    torch.manual_seed(0)
    layer, images = ImageConvolution(1, 8, 5, padding=2), torch.randn(3, 1, 20, 20)
    expected = layer(images)
    torch.testing.assert_close(layer.cuda()(images.cuda()).cpu(), expected, rtol=1e-2, atol=1e-2)  # TF32


def test_the_commands_work_on_a_gpu(tmp_path):
    options = ["--dataset", "digits", "--epochs", "1", "--device", "cuda", "--results", str(tmp_path)]
    assert main(["train", "--loss", "center", *options]) == 0
    assert [run.result().machine.device for run in Store(tmp_path).all()[0]] == ["cuda"]
    assert main(["compare", "--losses", "softmax,center,arcface", "--seeds", "0-1", *options]) == 0
    assert main(["plot", "--results", str(tmp_path)]) == 0
