"""The command line: one file for each command, imported when it is asked for; nothing here imports torch."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from .. import __version__

COMMANDS = (
    *("train", "compare", "sweep", "tune", "plot", "animate", "explore"),
    *("report", "runs", "losses", "explain", "bench"),
)
"""All commands, in the order of the help: `name` is the function, or the group, `name` in `cli/name.py`."""


class Commands(Mapping[str, Any]):
    """The commands by name; each is imported and built when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        found = getattr(importlib.import_module(f"{__name__}.{name}"), name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
            alone.command(name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Group(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = Commands()

    def format_help(self, *arguments: Any) -> None:
        """The list of commands needs their names and first sentences, which their files tell unimported."""
        self.commands = {name: TyperCommand(name, help=_purpose(name)) for name in COMMANDS}
        super().format_help(*arguments)
        self.commands = Commands()


def _purpose(name: str) -> str:
    """The docstring of a command's function, or of its module for a group."""
    module = ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
    functions = (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return ast.get_docstring(next(functions, module)) or ""


app = typer.Typer(
    cls=_Group,
    help="See what a loss does to a feature space, and trust the comparison.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
