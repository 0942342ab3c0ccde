"""The cores that a process may use: those of the machine, fewer in a container with a quota."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lossbench.errors import UsageError
from lossbench.training import device as device_module
from lossbench.training.device import core_quota, cores, default_workers, resolve_device, resolve_precision

AVAILABLE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def machine(root: Path, group: str, files: dict[str, str]) -> Path:
    """A folder with the files of the kernel: the process's group, and others by path below the mounts."""
    files = {"proc/self/cgroup": group, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("group", "files", "quota"),
    [
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/", {"cpu.max": "400000"}, 4),  # the period has a default
        ("0::/", {}, None),
        ("0::/a/b", {"a/cpu.max": "50000 100000", "a/b/cpu.max": "300000 100000"}, 0.5),  # the strictest counts
        ("0::/a/b", {"a/cpu.max": "max 100000", "a/b/cpu.max": "300000 100000"}, 3),
        ("0::/../other", {"cpu.max": "100000 100000"}, 1),  # a namespace of its own
        ("2:cpu,cpuacct:/d\n1:memory:/x", {"cpu,cpuacct/d/cpu.cfs_quota_us": "250000",
         "cpu,cpuacct/d/cpu.cfs_period_us": "100000"}, 2.5),
        ("2:cpu:/docker/1", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"}, 2),
        ("2:cpuacct,cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("1:cpu:/\n0::/", {"unified/cpu.max": "100000 100000", "cpu/cpu.cfs_quota_us": "-1"}, 1),
        ("nonsense", {"cpu.max": "1 2 3"}, None),
        ("0::/", {"cpu.max": "100000 0"}, None),
        ("0::/", {"cpu.max": ""}, None),
    ],
)  # fmt: skip
def test_quotas_of_both_versions_of_control_groups(
    tmp_path: Path, group: str, files: dict[str, str], quota: float | None
) -> None:
    assert core_quota(machine(tmp_path, group, files)) == quota


@pytest.mark.parametrize(
    ("processor", "vectors", "instructions", "dtype"),
    [
        ("AMD EPYC 9654", "AVX512", {"avx512_bf16"}, torch.bfloat16),
        ("Intel(R) Xeon(R) Processor", "AVX512", {"avx512_bf16", "amx_tile"}, torch.bfloat16),
        ("Intel(R) Xeon(R) Processor", "AVX512", {"avx512_bf16"}, torch.float32),  # slower in bfloat16
        ("AMD EPYC 7763", "AVX2", set(), torch.float32),
        ("AMD EPYC 9654", "AVX2", {"avx512_bf16"}, torch.float32),  # ATEN_CPU_CAPABILITY=avx2
        ("Intel(R) Xeon(R) Platinum 8175M", "AVX512", set(), torch.float32),
    ],
)
def test_bfloat16_by_default_only_where_the_processor_is_faster_in_it(
    monkeypatch: pytest.MonkeyPatch, processor: str, vectors: str, instructions: set[str], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(device_module, "_processor_name", lambda: processor)
    monkeypatch.setattr(device_module, "_cpu_supports", instructions.__contains__)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: vectors)
    assert resolve_precision("auto", torch.device("cpu")) == dtype
    assert resolve_precision("bf16", torch.device("cpu")) == torch.bfloat16


def test_a_machine_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert core_quota(tmp_path) is None
    assert cores(tmp_path) == AVAILABLE


@pytest.mark.parametrize(("quota", "count"), [(1000, 1), (100_000, 1), (10**9, AVAILABLE)])
def test_a_quota_counts_as_cores(tmp_path: Path, quota: int, count: int) -> None:
    assert cores(machine(tmp_path, "0::/", {"cpu.max": f"{quota} 100000"})) == count


@contextlib.contextmanager
def group_with_quota() -> Iterator[Path]:
    """A real control group with a quota of one core."""
    group = Path(f"/sys/fs/cgroup/cpu/lossbench-{os.getpid()}")
    try:
        group.mkdir()
    except OSError:
        pytest.skip("cannot make a control group here")
    try:
        (group / "cpu.cfs_quota_us").write_text("100000")
        yield group
    finally:
        group.rmdir()


def test_a_process_in_a_real_group_uses_one_core_and_one_thread() -> None:
    if AVAILABLE == 1:
        pytest.skip("one core anyway")
    report = (
        "from lossbench.runs.config_builder import make_config; "
        "from lossbench.training.device import cores; "
        "from lossbench.training.process import Placement, threads_of; "
        'print(cores(), threads_of(make_config(network="lenet++"), Placement()))'
    )
    with group_with_quota() as group:
        command = f"echo $$ > {group}/cgroup.procs; exec {sys.executable} -c '{report}'"
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["1", "1"], done.stderr


def test_runs_at_a_time_by_device() -> None:
    assert default_workers(torch.device("cuda")) == 32
    assert default_workers(torch.device("mps")) == 1
    assert default_workers(torch.device("cpu")) == cores()


@pytest.mark.parametrize(
    ("name", "gpus", "mps", "found"),
    [
        ("auto", 0, False, "cpu"),
        ("auto", 0, True, "mps"),
        ("auto", 2, True, "cuda"),
        ("cpu", 2, True, "cpu"),
        ("cuda:1", 2, False, "cuda:1"),
        ("mps", 0, True, "mps"),
        ("tpu", 0, False, "Unknown device 'tpu'"),
        ("cuda", 0, True, "no usable CUDA device"),
        ("mps", 2, False, "no usable MPS device"),
        ("cuda:2", 2, False, "There is no cuda:2: this machine has 2 CUDA devices."),
    ],
)
def test_a_name_means_a_device_that_the_machine_has(
    name: str, gpus: int, mps: bool, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    if " " not in found:
        assert resolve_device(name) == torch.device(found)
        return
    with pytest.raises(UsageError, match=found):
        resolve_device(name)


@pytest.mark.parametrize("answer", [True, False])
def test_the_processor_is_asked_for_its_instructions(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: answer, raising=False)
    assert device_module._cpu_supports("amx_tile") is answer
    assert device_module._cpu_supports("unknown") is False
