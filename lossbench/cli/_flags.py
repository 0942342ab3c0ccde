"""The options of commands that are not options of a run; nothing here reads how runs are configured."""

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..specs import catalog
from ..specs.expressions import canonical_sum

DEFAULT_RESULTS = Path("results")


def flag(name: str, text: str, panel: str | None = None, **bounds: Any) -> Any:
    """An option that is not an option of a run, for Typer."""
    return typer.Option(name, help=text, rich_help_panel=panel, **bounds)


def parameters_of(command: Callable[..., None]) -> dict[str, tuple[Any, Any]]:
    """The annotation and the default of each parameter of a command."""
    # get_type_hints of Python 3.10 adds an Optional
    parameters = inspect.signature(command, eval_str=True).parameters
    return {name: (each.annotation, each.default) for name, each in parameters.items()}


def with_parameters(
    call: Callable[..., None], command: Callable[..., None], parameters: Mapping[str, tuple[Any, Any]]
) -> Any:
    """`call` in place of a command: Typer sees its name and help, and these annotations and defaults."""
    described: Any = functools.update_wrapper(call, command)
    described.__signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
            for name, (hint, default) in parameters.items()
        ]
    )
    described.__annotations__ = {name: hint for name, (hint, _) in parameters.items()}
    return described


def as_path(text: str | os.PathLike[str]) -> Path:
    """A path of the user, with `~`, which a shell leaves alone after `=`, in full. Raises UsageError for an
    empty one, such as an unset variable gives, and for what is not a path."""
    path: object = os.fspath(text) if isinstance(text, os.PathLike) else text
    if not isinstance(path, str):
        raise UsageError(f"A path is text or a pathlib.Path, not {type(text).__name__}.")
    if not path:
        raise UsageError("A path is empty; the working folder is written as a dot.")
    return Path(os.path.expanduser(path))


def _parse_path(text: str | os.PathLike[str]) -> Path:
    try:
        return as_path(text)
    except UsageError as error:  # as Typer says that a value is wrong: with the name of the option
        raise typer.BadParameter(str(error)) from None


def path_flag(name: str, text: str, panel: str | None = "Output", **more: Any) -> Any:
    """An option whose value is a path."""
    return flag(name, text, panel, parser=_parse_path, **more)


Results = Annotated[Path, path_flag("--results", "Folder for runs, figures and tables.")]
Json = Annotated[bool, flag("--json", "Print one JSON document and nothing else.", "Output")]
Output = Annotated[Path | None, path_flag("--output", "File to write (default: in results/figures).")]
Style = Annotated[str, flag("--style", "paper, slides or dark.", "Output")]
Seeds = Annotated[str, flag("--seeds", "Seeds: 0-4 or 0,3,5-7.", "Training")]


def canonical_losses(losses: str | None) -> str | None:
    """Losses or sums, separated by commas, with the canonical names of all losses. Raises UsageError."""
    if losses is None:
        return None
    names = losses.split(",")
    if not all(map(str.strip, names)):
        raise UsageError(f"Losses '{losses[:40]}': there is an empty name in the list.")
    return ",".join(map(canonical_sum, names))


LossName = Annotated[
    str,
    flag(
        "--loss",
        "A loss, or a weighted sum such as 'softmax + 0.003*center'; `lossbench losses` lists them.",
        "Loss",
        callback=canonical_losses,
    ),
]
Settings = Annotated[
    list[str] | None,
    flag("--set", "A setting as name=value or loss.name=value; repeatable (default: the loss's).", "Loss"),
]
Jobs = Annotated[
    int | None,
    flag(
        "--jobs",
        "Runs trained at the same time, each on a CPU thread; 0: as many as fit "
        "(default: 1 for a `compare` below 20 s, else 0).",
        "Machine",
        min=0,
    ),
]


def parse_settings(texts: list[str] | None) -> dict[str, str]:
    """The values of `--set name=value`, by name. Raises UsageError for anything else."""
    settings = {}
    for text in texts or ():
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise UsageError(f"--set {text}: write it as name=value, for example --set alpha=0.3.")
        term, dot, key = name.rpartition(".")
        name = catalog.canonical(term) + dot + key
        if name in settings:
            raise UsageError(f"--set {text}: {name} is given twice; a sweep takes --set {name}=VALUE,VALUE.")
        settings[name] = value
    return settings
