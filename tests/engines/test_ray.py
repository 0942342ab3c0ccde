"""The engine on Ray, on real clusters of this machine: equal to the local one, whoever is killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lossbench.__main__ import main
from lossbench.engines import EngineOptions, _cluster
from lossbench.engines import ray as executor
from lossbench.errors import RunError, UsageError
from lossbench.files import to_json
from lossbench.runs.outcome import Outcome
from lossbench.runs.result import RunResult, Status
from lossbench.runs.store import Store
from lossbench.specs import plugins

from ..helpers.runs import Recorder, small
from ..reliability.results_folders import contents
from .conftest import LEAN
from .test_scheduler import ENGINES, begin, outcomes_of, statuses

ray = pytest.importorskip("ray")
ROOT = Path(__file__).parents[2]
SWEEP = ["sweep", "--loss", "center", "--lambda", "0.01", "--seeds", "0-1", "--dataset", "digits"]
SWEEP += ["--epochs", "8", "--batch-size", "100", "--precision", "fp32", "--device", "cpu"]


def wait_for(pattern, folder, count, seconds=120):
    """Until so many files are there."""
    until = time.monotonic() + seconds
    while len(found := list(folder.glob(pattern))) < count:
        assert time.monotonic() < until, f"{len(found)} of {count} {pattern}"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same sweep by the local engine."""
    folder = tmp_path_factory.mktemp("local")
    assert main([*SWEEP, "--jobs", "1", "--results", str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_a_node_killed_in_the_middle_loses_nothing_and_tables_equal_the_local_ones(
    cluster, undisturbed, tmp_path
):
    node = cluster.add_node(num_cpus=1, **LEAN)
    killed = threading.Thread(
        target=lambda: (wait_for("runs/*/resume.pt", tmp_path, 2), cluster.remove_node(node, False))
    )
    killed.start()
    assert main([*SWEEP, "--engine", "ray", "--address", cluster.address, "--results", str(tmp_path)]) == 0
    killed.join()
    assert contents(tmp_path) == contents(undisturbed)
    logs = [path.read_text() for path in tmp_path.glob("runs/*/log.txt")]
    assert sum("continues in epoch" in log for log in logs) == 1, "it began again from the state sent home"


def printed(capsys):
    """The document; this session's Ray may have said before it that a node died."""
    out = capsys.readouterr().out
    return json.loads(out[out.index("{") :])


@pytest.mark.slow
def test_a_search_sends_its_trials_there_and_finds_what_it_finds_here(cluster, tmp_path, capsys):
    """Two at a time; the first is the defaults, whose value is the same bit for bit."""
    tuning = [
        "tune",
        "--loss",
        "softmax",
        "--trials",
        "4",
        "--seeds",
        "0",
        "--json",
        *SWEEP[7:9],
        *SWEEP[11:],
    ]
    tuning += ["--epochs", "2"]
    assert main([*tuning, "--results", str(tmp_path / "here")]) == 0
    here = printed(capsys)
    node = cluster.add_node(num_cpus=1, **LEAN)
    there = ["--engine", "ray", "--address", cluster.address, "--results", str(tmp_path / "there")]
    assert main([*tuning, *there]) == 0
    cluster.remove_node(node)
    found = printed(capsys)
    assert len(found["values"]) == found["trials"] == 4
    assert found["default_value"] == here["default_value"]
    assert not list((tmp_path / "there").glob("tuned/*/*/*/*/trial-*[0-9]")), "what was tried is tidied away"


@pytest.mark.slow
def test_nodes_with_other_versions_are_refused_in_a_sentence(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "versions", lambda: {**_cluster.versions(), "torch": "0.4.1"})
    with pytest.raises(RunError, match=r"^Node \S+ has torch 2\.\S+, this process 0\.4\.1; install"):
        outcomes_of([small("softmax")], tmp_path, ENGINES["ray"])


@pytest.mark.slow
def test_a_share_that_no_node_has_is_refused(cluster, tmp_path):
    with pytest.raises(UsageError, match="No node of the Ray cluster has 1 CPUs and 0.5 GPUs for a run"):
        outcomes_of([small("softmax")], tmp_path, {"engine": EngineOptions("ray", gpus_per_run=0.5)})


@pytest.mark.slow
def test_a_killed_driver_leaves_finished_runs_and_the_same_command_does_the_rest(
    cluster, undisturbed, tmp_path
):
    command = [*SWEEP, "--engine", "ray", "--address", cluster.address, "--results", str(tmp_path)]
    driver = subprocess.Popen(
        [sys.executable, "-m", "lossbench", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for("runs/*/result.json", tmp_path, 1)
    driver.kill()
    driver.wait()
    stored = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/result.json")}
    assert 0 < len(stored) < 2
    configs = [run.config for run in Store(undisturbed).all()[0]]
    again = Recorder()
    assert statuses(configs, tmp_path, ENGINES["ray"], again) == [Status.DONE] * len(configs)
    assert {path: path.stat().st_mtime_ns for path in stored} == stored
    assert contents(tmp_path / "runs") == contents(undisturbed / "runs")


@pytest.mark.parametrize(
    "cpus, gpus, has, runs",
    [
        (1, 0, {"CPU": 16}, 16),
        (3, 0, {"CPU": 16}, 5),
        (1, 0.25, {"CPU": 16, "GPU": 2}, 8),
        (1, 0.4, {"CPU": 16, "GPU": 2}, 4),  # two to a GPU: no run lies on two
        (1, 0.1, {"CPU": 4, "GPU": 1}, 4),
        (1, 2, {"CPU": 16, "GPU": 5}, 2),
        (1, 1, {"CPU": 16}, 0),
        (1, 0, {}, 0),
    ],
)
def test_how_many_runs_fit_on_a_node(cpus, gpus, has, runs):
    assert _cluster.runs_that_fit(EngineOptions("ray", None, gpus, cpus), has) == runs


@pytest.mark.slow
def test_a_cluster_with_a_token_opens_to_those_who_have_it(tmp_path):
    """As two machines are joined in the README, with one of them, in a home of its own."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    plain |= {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    known = plain | {"RAY_AUTH_MODE": "token"}
    scripts = [sys.executable, "-m", "ray.scripts.scripts"]
    subprocess.run([*scripts, "get-auth-token", "--generate"], env=known, check=True, capture_output=True)
    head = ["start", "--head", "--block", "--port", address.partition(":")[2], "--num-cpus", "1"]
    head += ["--node-ip-address", "127.0.0.1", "--include-dashboard", "false"]
    sweep = [
        sys.executable,
        "-m",
        "lossbench",
        *SWEEP,
        "--seeds",
        "0",
        "--engine",
        "ray",
        "--address",
        address,
    ]
    sweep += ["--results", str(tmp_path / "results")]
    with subprocess.Popen(
        [*scripts, *head], env=known, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as server:
        try:
            wait_for_server(address)
            refused = subprocess.run(sweep, env=plain, capture_output=True, text=True, timeout=120)
            assert refused.returncode == 1
            assert "it asks for its token: set RAY_AUTH_MODE=token" in refused.stderr
            assert subprocess.run(sweep, env=known, capture_output=True, timeout=120).returncode == 0
        finally:
            server.terminate()


def wait_for_server(address):
    host, _, port = address.partition(":")
    for _ in range(120):
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.5)
    pytest.fail("no cluster came up")


@pytest.mark.parametrize("data", [[], ["--dataset", "mnist", "--data-dir"]])
def test_without_ray_the_extra_is_named_before_any_data_are_read(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "data").mkdir()  # without MNIST
    data = [*data, *([str(tmp_path / "data")] if data else [])]
    assert main([*SWEEP, *data, "--engine", "ray", "--results", str(tmp_path / "results")]) == 2
    assert capsys.readouterr().err == "lossbench: --engine ray needs Ray: pip install 'lossbench[ray]'.\n"


@pytest.mark.parametrize(
    "options, code, told",
    [
        (["--engine", "slurm"], 2, "Unknown engine 'slurm'"),
        (["--address", "auto"], 2, "--address is for --engine ray."),
        (["--engine", "local", "--gpus-per-run", "0.5"], 2, "--gpus-per-run is for --engine ray."),
        (["--engine", "ray", "--gpus-per-run", "1.5"], 2, "a part of one GPU, or a whole number"),
        (["--engine", "ray", "--cpus-per-run", "0"], 2, "at least 1"),
        (["--engine", "ray", "--address", "ray://head:10001"], 2, "write auto or HOST:PORT"),
        (["--engine", "ray", "--address", "127.0.0.1:1"], 1, "No Ray cluster answers at 127.0.0.1:1"),
        (["--engine", "ray", "--address", "a..b:1"], 1, "No Ray cluster answers at a..b:1"),
    ],
)
def test_options_that_make_no_sense(options, code, told, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # as in a process of its own
    assert main([*SWEEP, *options, "--results", str(tmp_path)]) == code
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert told in said
    assert "Errno" not in said
    assert not list(tmp_path.glob("runs/*"))


def test_the_signal_handlers_of_this_process_are_kept():
    before = signal.getsignal(signal.SIGTERM)
    with _cluster._signal_handlers_kept():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    after = signal.signal(signal.SIGTERM, before)
    assert after == before != signal.SIG_IGN


def test_what_is_no_ray_cluster_is_told_quickly():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with server.accept()[0] as line:
                line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(RunError, match="No Ray cluster answers at .*: something else does"):
            _cluster.check_reachable(f"127.0.0.1:{server.getsockname()[1]}")


def test_a_node_with_other_code_of_a_user_trains_nothing_with_it(tmp_path, monkeypatch):
    (tmp_path / "there.py").write_text("from torch import nn\n\nclass Net(nn.Flatten):\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    run = Store(tmp_path).run(small(network="there:Net"))
    digests = run.code_digests()
    assert executor._code_problem(run, digests) == ""
    node = f"Node {socket.gethostname()}"
    changed = executor._code_problem(run, dict.fromkeys(digests, "0"))
    assert changed == f"{node} has other code of there:Net than this process; copy it to all nodes."
    plugins.find.cache_clear()
    monkeypatch.delitem(sys.modules, "there")
    (tmp_path / "there.py").unlink()
    missing = executor._code_problem(run, digests)
    assert missing.startswith(f"{node}: The network there:Net cannot be imported: ModuleNotFoundError")


FILES = {
    "features.npz": bytes(70_000),
    "model.safetensors": bytes(470_000),
    "epochs.csv": b"",
    "log.txt": b"",
}


def write_files(task_input, queues, arrays):
    """In place of training, on the node: 10 ms, all messages, and files as large as those of digits."""
    run = Store(Path("nowhere")).run(task_input.config)
    reporter = executor._Reporter(queues, task_input.queue, run)
    reporter.send_and_wait("begun")
    reporter.started(run.name, 1, 1, 0)
    time.sleep(0.01)
    reporter.send_and_wait("ended")
    result = RunResult(run=run.name, status=Status.DONE)
    content = to_json(result.to_dict()).encode()
    return Outcome(task_input.config, Status.DONE, result), {**FILES, "result.json": content}


def memory():
    """Bytes that are in memory for this process alone."""
    return 4096 * (lambda _, resident, shared: resident - shared)(
        *map(int, Path("/proc/self/statm").read_text().split()[:3])
    )


@pytest.mark.slow
def test_two_thousand_trivial_runs_cost_little_and_leave_nothing_in_memory(cluster, tmp_path, monkeypatch):
    """At most 20 ms of this process for each, and no memory that grows with the runs."""
    monkeypatch.setattr(executor, "_train", write_files)
    configs = [small("softmax", seed=seed) for seed in range(2000)]
    rss, began, cpu = [], 0.0, 0.0
    for number, outcome in enumerate(begin(configs, tmp_path, ENGINES["ray"])):
        assert outcome.status is Status.DONE, outcome.message
        if number == 100:  # the workers have started
            began, cpu = time.perf_counter(), time.process_time()
        if number % 100 == 0:
            rss.append(memory())
    wall, cpu = (time.perf_counter() - began) / 1899, (time.process_time() - cpu) / 1899
    print(f"per run {1e3 * wall:.1f} ms, driver's CPU {1e3 * cpu:.1f} ms; MB {[r >> 20 for r in rss]}")
    assert len(list(tmp_path.glob("runs/*/result.json"))) == 2000
    assert cpu < 0.02
    assert rss[-1] - rss[9] < 30e6, rss  # over the last thousand, of which each brought half a megabyte


@pytest.mark.slow
def test_what_keeps_ray_from_starting_is_a_sentence(tmp_path):
    """A folder for temporary files whose sockets would have too long a name."""
    command = [sys.executable, "-m", "lossbench", *SWEEP, "--engine", "ray", "--results", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(tmp_path / ("long" * 25))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("lossbench: No Ray cluster can be used on this machine: ") and "AF_UNIX" in last
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_interrupt_on_a_cluster_of_ones_own_saves_and_leaves_no_process(tmp_path, undisturbed):
    """Ctrl-C goes to the whole group of processes, Ray's among them."""
    command = [sys.executable, "-W", "error", "-m", "lossbench", *SWEEP, "--engine", "ray"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen(
        [*command, "--results", str(tmp_path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for("runs/*/resume.pt", tmp_path, 1)
    os.killpg(driver.pid, signal.SIGINT)
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert out == ""
    assert "the same command continues" in err.splitlines()[-1]
    assert all(re.search("center-|Interrupted with", line) for line in err.splitlines()), err
    with pytest.raises(ProcessLookupError):
        os.killpg(driver.pid, 0)
    assert main([*SWEEP, "--jobs", "1", "--results", str(tmp_path)]) == 0
    assert contents(tmp_path / "runs") == contents(undisturbed / "runs")
    assert sum("continues in" in path.read_text() for path in tmp_path.glob("runs/*/log.txt")) >= 1
