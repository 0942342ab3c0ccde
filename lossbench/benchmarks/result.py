"""The result of a benchmark, and its section in the file of the machine that it ran on."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from .. import __version__
from ..errors import ForeignFile, RunError, first_line
from ..files import slug, write_atomically
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
    """Plain data for JSON, with the machine and the version."""
    head = {"benchmark": benchmark.heading, "lossbench": __version__, "machine": benchmark.machine._asdict()}
    return head | benchmark.data


def machine_text(machine: Machine, threads: str | None = None) -> str:
    """The sentence that ends every paragraph of conditions: machine, threads, versions."""
    return (
        f"{machine.device_name}, {threads or machine.threads} threads; torch {machine.torch}, "
        f"Python {machine.python}, lossbench {__version__}."
    )


def write_section(root: Path, benchmark: Benchmark, command: str) -> Path:
    """Write the table into `root`/benchmarks/<machine>.md, in place of the section of that heading only.

    Raises RunError for a file that cannot be read or written.
    """
    device_name, heading = benchmark.machine.device_name, f"## {benchmark.heading}\n"
    path = root / "benchmarks" / f"{slug(device_name) or 'machine'}.md"
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else f"# Benchmarks on {device_name}\n"
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read: {first_line(error)}.") from None
    if not before.startswith("# Benchmarks on "):
        raise ForeignFile(path)
    parts = [heading + to_markdown(benchmark.table), benchmark.conditions, code(command)]
    sections = [text.rstrip("\n") + "\n" for text in re.split(r"^(?=## )", before, flags=re.MULTILINE)]
    number = next((n for n, text in enumerate(sections) if text.startswith(heading)), len(sections))
    sections[number : number + 1] = ["\n\n".join(parts) + "\n"]
    write_atomically(path, "\n".join(sections).encode())
    return path
