"""`lossbench bench`: how fast things are on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from ._options import DEFAULT_RESULTS, Json, Results
from ._output import command_line, print_json, print_table, say

bench = typer.Typer(help="Measure how fast things are on this machine.", no_args_is_help=True)


@bench.callback()
def _group() -> None:
    """Measure how fast things are on this machine."""


@bench.command()
def losses(
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Timings of each loss.")] = 25,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Samples B in the batch.")] = 1024,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads (default: what torch chooses).")
    ] = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Time value and gradient of every loss, beside a training step and pytorch-metric-learning."""
    from ..benchmarking import conditions, document, loss_table, measure_losses, write_section

    found = measure_losses(repeats=repeats, batch_size=batch_size, threads=threads)
    path = write_section(results, found, "losses", command_line())
    if json:
        print_json(document(found) | {"file": str(path)})
        return
    print_table(loss_table(found))
    say(f"{conditions(found)}\nTable: {path}")
