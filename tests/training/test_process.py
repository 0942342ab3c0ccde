"""What a run takes from the machine: memory that a step has freed is there for the next one."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from lossbench.runs.config_builder import make_config
from lossbench.training import process
from lossbench.training.process import Placement, prepare_process, threads_of, torch_settings_kept

_TEN_STEPS = """
import resource, torch
from lossbench.training.process import prepare_process
prepare_process(1)
def step():
    torch.zeros(2**24).add(1)  # twice 64 MB
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()  # until all that a step needs at once is there
before = faults()
for _ in range(10):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back that soon")
def test_memory_that_a_step_frees_is_kept_for_the_next():
    ran = subprocess.run([sys.executable, "-c", _TEN_STEPS], capture_output=True, text=True, check=True)
    # of 4 KB each; 300,000 where all is given back, 16,000 where alignment asks for one block more
    assert int(ran.stdout) < 50_000


def test_threads_follow_from_the_network_and_the_number_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = make_config(), make_config(network="lenet++")
    for cores in (2, 16):
        monkeypatch.setattr(process, "cores", lambda cores=cores: cores)
        assert threads_of(small, Placement()) == 1
        assert threads_of(large, Placement()) == 2
        assert threads_of(large, Placement().for_workers(2)) == 1
        assert threads_of(small, Placement(threads=4).for_workers(2)) == 4
    monkeypatch.setattr(process, "cores", lambda: 1)
    assert threads_of(large, Placement()) == 1, "threads that share a core wait for each other"


def test_threads_and_the_choice_of_convolutions_are_put_back() -> None:
    def settings() -> tuple[int, bool]:
        return torch.get_num_threads(), torch.backends.cudnn.deterministic

    before = settings()
    with pytest.raises(ZeroDivisionError), torch_settings_kept():
        prepare_process(before[0] + 1)
        assert settings() == (before[0] + 1, True)
        raise ZeroDivisionError
    assert settings() == before
