"""Losses under DistributedDataParallel, as docs/python.md has it: two processes, gloo, on the CPU."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn

from lossbench.losses import Center, Softmax, WeightedSum

from ..helpers.command_server import ROOT

STEPS, RATE = 2, 0.1


class Model(nn.Module):
    """A network with its loss: what is wrapped."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Linear(4, 2)
        self.loss = WeightedSum({"softmax": Softmax(3, 2), "center": Center(3, 2)}, [1.0, 0.5])

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        value: Tensor = self.loss(self.network(x), y)
        return value


def batch(rank: int, step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(10 * rank + step)
    return torch.randn(12, 4, generator=generator), torch.arange(12) % 3


def states_of_process(rank: int, folder: Path) -> None:
    """What a process does: each step's state goes to a file."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    model = Model()
    wrapped = nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    states = []
    for step in range(STEPS):
        optimizer.zero_grad()
        wrapped(*batch(rank, step)).backward()
        optimizer.step()
        states.append(copy.deepcopy(model.state_dict()))
    torch.save(states, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_gloo_available(), reason="needs gloo")
def test_centers_move_by_the_samples_of_their_process_from_those_of_rank_0(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.losses.test_distributed", str(tmp_path)]
    processes = [subprocess.Popen([*command, str(rank)], env=env, cwd=ROOT) for rank in range(2)]
    assert [process.wait(timeout=240) for process in processes] == [0, 0]
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    models = [Model(), Model()]  # the same without DDP
    for step in range(STEPS):
        models[1].load_state_dict(models[0].state_dict())
        for rank, model in enumerate(models):
            model.zero_grad()
            model(*batch(rank, step)).backward()
        with torch.no_grad():
            for pair in zip(*(model.parameters() for model in models), strict=True):
                mean = (pair[0].grad + pair[1].grad) / 2
                for parameter in pair:
                    parameter -= RATE * mean
        for rank, model in enumerate(models):
            for key, value in model.state_dict().items():
                torch.testing.assert_close(found[rank][step][key], value, rtol=1e-5, atol=1e-6)
        centers = [states[step]["loss.losses.1.centers"] for states in found]
        assert (centers[0] - centers[1]).abs().max() > 0.01


if __name__ == "__main__":
    states_of_process(int(sys.argv[2]), Path(sys.argv[1]))
