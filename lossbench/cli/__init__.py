"""The command line: one file for each command, imported when it is called; nothing here imports torch."""

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
PANELS = (None, "Loss", "Training", "Data", "Comparison", "Search", "Figure", "Machine", "Output")
"""The panels of options, in the order of every help text."""


class Commands(Mapping[str, Any]):
    """The commands by name; each is imported and built when it is called."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        function = getattr(importlib.import_module(f"{__name__}.{name}"), name)
        group = function if isinstance(function, typer.Typer) else typer.Typer(add_completion=False)
        if group is not function:
            group.command(name)(function)
        command: Any = typer.main.get_command(group)
        command.name = name
        for each in (command, *getattr(command, "commands", {}).values()):
            _arrange(each)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _arrange(command: Any) -> None:
    """Put the options in the order of their panels, and show the defaults as text in the help."""
    command.params.sort(key=lambda option: PANELS.index(getattr(option, "rich_help_panel", None)))
    for option in command.params:
        if option.show_default and option.default is not None and option.default is not False:
            option.help = f"{option.help.rstrip('.')} (default: {option.default})."
        option.show_default = False


class _Group(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = Commands()

    def format_help(self, *arguments: Any) -> None:
        """Show the commands with the first sentences of their docstrings, without importing them."""
        self.commands = {name: TyperCommand(name, help=_docstring(name)) for name in COMMANDS}
        super().format_help(*arguments)
        self.commands = Commands()


def _docstring(name: str) -> str:
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


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"lossbench {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """See what a loss does to a feature space, and trust the comparison."""
