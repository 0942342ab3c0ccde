"""The command line: assembles the commands, one file each; nothing here imports torch."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from .animate import animate
from .bench import bench
from .compare import compare
from .explain import explain
from .explore import explore
from .losses import losses
from .plot import plot
from .report import report
from .runs import runs
from .sweep import sweep
from .train import train
from .tune import tune

app = typer.Typer(
    help="See what a loss does to a feature space, and trust the comparison.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, compare, sweep, tune, plot, animate, explore, report, runs, losses, explain):
    app.command()(command)
app.add_typer(bench, name="bench")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lossbench {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """See what a loss does to a feature space, and trust the comparison."""
