"""The command line: one file for each command, imported when it is called; nothing here imports torch."""

import ast
import functools
import importlib
import inspect
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from .. import __version__

COMMANDS = (
    *("train", "compare", "sweep", "tune", "reproduce", "plot", "animate", "explore", "export"),
    *("report", "runs", "losses", "explain", "bench"),
)
"""All commands, in the order of the help: `name` is the function, or the group, `name` in `cli/name.py`."""
PANELS = (
    *(None, "Loss", "Training", "Optimizer", "Data", "Comparison", "Search", "Figure", "Machine", "Output"),
)
"""The headings of options, in the order of every help text."""
METAVARS = {int: "INTEGER", float: "NUMBER", Path: "PATH"}
"""What stands for a value of a type in the help; TEXT for any other."""
_HELP: dict[str, Any] = {
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 120},
}


class Commands(Mapping[str, Any]):
    """The commands by name; each is imported and built when it is called."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        function = getattr(importlib.import_module(f"{__name__}.{name}"), name)
        group = function if isinstance(function, typer.Typer) else typer.Typer(add_completion=False, **_HELP)
        if group is not function:
            group.command(name)(function)
        for registered in group.registered_commands:
            registered.callback = _with_quiet(registered.callback)
        command: Any = typer.main.get_command(group)
        command.name = name
        for each in (command, *getattr(command, "commands", {}).values()):
            _arrange(each)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _with_quiet(command: Any) -> Any:
    """The function of a command with the option `--quiet`, which every command has."""
    if "quiet" in inspect.signature(command).parameters:
        return command
    from ._flags import flag, parameters_of, with_parameters

    def call(quiet: bool, **given: Any) -> None:
        from ._output import set_folders, set_quiet

        set_quiet(quiet)
        set_folders(given.get("results"), given.get("data_dir"))
        command(**given)

    hint = Annotated[bool, flag("--quiet", "Print results, warnings and errors only.", "Output")]
    return with_parameters(call, command, {**parameters_of(command), "quiet": (hint, False)})


def _arrange(command: Any) -> None:
    """Put the options in the order of their panels, and show types and defaults as text in the help."""
    command.short_help = _first_paragraph(command.help or "")  # `python -OO` has no docstrings
    if command.callback is None:  # a group
        return
    command.format_options = functools.partial(_format_options, command)
    command.parse_args = functools.partial(_parse_args, command)
    parameters = inspect.signature(command.callback, eval_str=True).parameters
    command.params.sort(key=lambda option: PANELS.index(getattr(option, "rich_help_panel", None)))
    for option in command.params:
        hint = typing.get_args(parameters[option.name].annotation)[0]
        kinds = [kind for kind in METAVARS if kind in (hint, *typing.get_args(hint))]
        if option.param_type_name == "argument":
            option.metavar = option.name.upper()
        elif not option.is_flag:
            option.metavar = METAVARS[kinds[0]] if kinds else "TEXT"
        if option.show_default and option.default is not None:
            default = "off" if option.default is False else option.default
            option.help = f"{option.help.rstrip('.')} (default: {default})."
        option.show_default = False


def _parse_args(command: Any, ctx: Any, words: list[str]) -> Any:
    """Parse as Typer does. Raises UsageError for an option that is a setting of a loss: `--set` takes it."""
    try:
        return type(command).parse_args(command, ctx, words)
    except Exception as error:  # Typer's class of it has moved between its versions
        if hasattr(error, "possibilities") and any(each.name == "settings" for each in command.params):
            from ..errors import UsageError
            from ..specs import catalog

            option: str = getattr(error, "option_name", "")
            name = option.lstrip("-").replace("-", "_")
            if any(name in catalog.spec("losses", loss).settings for loss in catalog.names("losses")):
                text = f"No such option: {option}; the setting is written --set {name}=VALUE."
                raise UsageError(text) from None
        raise


def _format_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Write the options below the headings of their panels. Typer's own way to do so, with Rich, imports a
    Markdown parser and a highlighter first, which takes as long as all the rest."""
    panels: dict[str, list[tuple[str, str]]] = {panel: [] for panel in ("Arguments", "Options", *PANELS[1:])}
    for option in command.get_params(ctx):
        if option.param_type_name == "argument":
            panels["Arguments"].append((option.metavar, option.help))
        else:
            panel = getattr(option, "rich_help_panel", None) or "Options"
            panels[panel].append(option.get_help_record(ctx))
    for panel, records in panels.items():
        if records:
            with formatter.section(typer.style(panel, bold=True)):
                formatter.write_dl(records)


def _first_paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


class _Group(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = Commands()

    def format_help(self, *arguments: Any) -> None:
        """Show the commands with the first sentences of their docstrings, without importing them."""
        self.commands = {
            name: TyperCommand(name, short_help=_first_paragraph(_docstring(name))) for name in COMMANDS
        }
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
    pretty_exceptions_enable=False,
    **_HELP,
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
