"""A server that forks processes for commands of tests: torch is imported once for hundreds of them.

Each command runs the real command line in a process and session of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class CommandServer:
    """The client: starts commands and waits for them."""

    def __enter__(self) -> CommandServer:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.command_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        self._send()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def start(
        self, arguments: list[str], output: Path, kill_at: int = 0, environment: dict[str, str] | None = None
    ) -> int:
        """The process id of a command whose output goes to a file; it kills itself at its n-th file operation."""
        output.touch()
        return self._send("start", arguments, str(output), kill_at, environment or {})

    def wait(self, pid: int) -> int:
        """The exit code of a command, negative for a signal."""
        return self._send("wait", pid)

    def run(
        self, arguments: list[str], output: Path, kill_at: int = 0, environment: dict[str, str] | None = None
    ) -> int:
        """The exit code of a command that runs to its end."""
        return self.wait(self.start(arguments, output, kill_at, environment))

    def _send(self, *order: Any) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        if order:
            print(json.dumps(order), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def processes_of(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(own) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def workers_of(session: int) -> list[int]:
    """Those of them that are a sweep's workers: children of the server that forks them."""
    parents = {}
    for pid in processes_of(session):
        try:
            if b"multiprocessing.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                status = Path(f"/proc/{pid}/stat").read_text()
                parents[pid] = int(status.rpartition(")")[2].split()[1])
        except OSError:
            continue
    return [pid for pid, parent in parents.items() if parent in parents]


def ends_within(session: int, seconds: float) -> bool:
    """Whether every process of a session ends within so many seconds."""
    deadline = time.monotonic() + seconds
    while processes_of(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _run_command(arguments: list[str], output: str, kill_at: int, environment: dict[str, str]) -> None:
    os.setsid()
    os.environ.update(environment)
    words = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, target in enumerate((os.open(os.devnull, os.O_RDONLY), words, words)):
        os.dup2(target, number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGUSR1):  # what started the tests may ignore them, as nohup does
        signal.signal(number, signal.SIG_DFL)
    from lossbench.__main__ import main

    from ..reliability.file_faults import Operations

    if kill_at:
        Operations(Path(arguments[-1]), kill_at, lambda: os.kill(os.getpid(), signal.SIGKILL)).install()
    code = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _warm_up() -> None:
    """Import what commands import, and load the data; nothing that starts a thread, which no fork inherits."""
    from lossbench.cli import _training  # noqa: F401
    from lossbench.engines import processes  # noqa: F401
    from lossbench.records import NullObserver
    from lossbench.runs.config_builder import make_config
    from lossbench.runs.run_folder import RunFolder
    from lossbench.specs import catalog
    from lossbench.training.process import Placement
    from lossbench.training.trainer import Trainer

    config = make_config(loss="center", dataset="digits", unseen="2,3,4,5,6,7,8,9", batch_size=50)
    trainer = Trainer(RunFolder(Path(), config), Placement("cpu", None, 1), NullObserver(), lambda: False)
    trainer.evaluator.results(trainer.evaluator.evaluate())
    for name in catalog.names("figures"):
        catalog.load("figures", name)


def _serve() -> None:
    _warm_up()
    print("null", flush=True)
    for line in sys.stdin:
        kind, *content = json.loads(line)
        if kind == "start":
            pid = os.fork()
            if not pid:
                try:
                    _run_command(*content)
                finally:
                    os._exit(99)
            print(pid, flush=True)
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(content[0], 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
