"""What a benchmark found, and its section in the file of the machine that it ran on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from .. import __version__
from ..errors import RunError
from ..files import write_atomically
from ..runs.result import Machine
from ..tables import Table, code, to_markdown


class Benchmark(NamedTuple):
    """One subject measured: its heading, machine, table, one paragraph of conditions, plain data for JSON."""

    heading: str
    machine: Machine
    table: Table
    conditions: str
    data: dict[str, Any]


def document(benchmark: Benchmark) -> dict[str, Any]:
    """Plain data for JSON."""
    told = {"benchmark": benchmark.heading, "lossbench": __version__, "machine": benchmark.machine._asdict()}
    return told | benchmark.data


def on_machine(machine: Machine, threads: str | None = None) -> str:
    """The sentence that ends every paragraph of conditions: machine, threads, versions."""
    return (
        f"{machine.device_name}, {threads or machine.threads} threads; torch {machine.torch}, "
        f"Python {machine.python}, lossbench {__version__}."
    )


def write_section(root: Path, benchmark: Benchmark, command: str) -> Path:
    """Put the table into `root`/benchmarks/<machine>.md, in place of the section of that heading only.

    Raises RunError for a file that cannot be read or written.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", str(benchmark.machine.device_name).lower()).strip("-") or "machine"
    path = root / "benchmarks" / f"{slug}.md"
    try:
        title = f"# Benchmarks on {benchmark.machine.device_name}\n"
        before = path.read_text(encoding="utf-8") if path.exists() else title
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read: {error}.") from None
    parts = [f"## {benchmark.heading}\n{to_markdown(benchmark.table)}", benchmark.conditions, code(command)]
    sections = re.split(r"^(?=## )", before, flags=re.MULTILINE)
    kept = [text.rstrip("\n") + "\n" for text in sections]
    opening = f"## {benchmark.heading}\n"
    mine = next((n for n, text in enumerate(kept) if text.startswith(opening)), len(kept))
    kept[mine : mine + 1] = ["\n\n".join(parts) + "\n"]
    write_atomically(path, "\n".join(kept).encode())
    return path
