"""What describes an option: its help, default and allowed values.

`RunConfig` declares each of its fields with an `Option`. The flags and help texts of the command line, the
checks with their messages, and the options whose values a sweep varies follow from it.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..specs import catalog


@dataclass(frozen=True)
class Option:
    """One option. A dataclass field is declared as `name: type = option(...)`.

    help: one sentence. panel: the heading under which the help text shows it.
    default: the value where none is given (else `absent`, see `option`). source: the option whose SPEC has
    the default instead, as a data set has a number of epochs. default_text: the default in words, where the
    value does not explain itself. empty: what 0, an empty text or no class stands for, in words.
    ge, gt, le: numbers must be at least, more than, at most this. choices: the allowed words.
    catalog: the kind of catalogue entry that it names. own: what of the user it takes as well, in words.
    sweep: whether a sweep takes a list or a range of values. on_command_line: whether there is a flag.
    key: its key in stored JSON. name, type: those of the field. several: whether the field is a tuple.
    """

    help: str
    panel: str = "Training"
    _: dataclasses.KW_ONLY
    default: Any = None
    source: str = ""
    default_text: str = ""
    empty: str = ""
    ge: float = 0
    gt: float = -math.inf
    le: float = 2**31
    choices: tuple[str, ...] = ()
    catalog: catalog.Kind | None = None
    own: str = ""
    sweep: bool = False
    on_command_line: bool = True
    key: str = ""
    name: str = ""
    type: type = str
    several: bool = False

    @property
    def flag(self) -> str:
        """The flag on the command line, such as `--batch-size`."""
        return "--" + self.name.replace("_", "-")

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are allowed; empty where there is no list of them."""
        return self.choices or (catalog.names(self.catalog) if self.catalog else ())

    @property
    def bounds(self) -> str:
        """The allowed numbers in words."""
        if self.type not in (int, float):
            return ""
        if self.le < Option.le:
            return f"{self.ge:g} to {self.le:g}"
        return f"more than {self.gt:g}" if self.gt >= self.ge else f"at least {self.ge:g}"

    def shown(self, value: Any) -> Any:
        """The value, or in words what an empty one stands for."""
        return value or self.empty or value

    def check(self, value: Any) -> Any:
        """The value, a number in the type of this option. Raises UsageError that names the flag."""
        if self.catalog:
            if not isinstance(value, str):
                raise UsageError(f"{self.flag} {value} is not a name.")
            if not catalog.is_external(value, self.catalog):
                catalog.spec(self.catalog, value)  # raises for an unknown name
        elif self.choices and value not in self.choices:
            raise UsageError(f"{self.flag} {value} is not one of {', '.join(self.choices)}.")
        elif self.type is str and not isinstance(value, Iterable if self.several else str):
            kinds = "a text or a list" if self.several else "a text"
            raise UsageError(f"{self.flag} takes {kinds}, not {type(value).__name__}.")
        if self.type is bool and not isinstance(value, bool):
            raise UsageError(f"{self.flag} {str(value)[:20]} is neither true nor false.")
        return self._number(value) if self.type in (int, float) else value

    def _number(self, value: Any) -> int | float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or (isinstance(value, float) and not math.isfinite(value)):
            finite = "finite " if isinstance(value, float) and math.isinf(value) else ""
            raise UsageError(f"{self.flag} {value} is not a {finite}number.")
        if value > self.le:
            raise UsageError(f"{self.flag} {str(value)[:20]} is too large; the limit is {self.le}.")
        if self.type is int and not isinstance(value, int):
            raise UsageError(f"{self.flag} {value} is not a whole number.")
        if not (value >= self.ge and value > self.gt):
            raise UsageError(f"{self.flag} {value} is too small; it must be {self.bounds}.")
        return float(value) if self.type is float else int(value)


Options = Mapping[str, Option]


def by_parameter(options: Options) -> dict[str, Option]:
    """The options by the names that parameters of Python functions can have: `lam` for `lambda`."""
    return {"lam" if name == "lambda" else name: option for name, option in options.items()}


def option(help: str, panel: str = Option.panel, *, absent: Any = dataclasses.MISSING, **more: Any) -> Any:
    """A dataclass field that is an option, see `Option`; `absent`: its value where stored JSON has none."""
    return dataclasses.field(default=absent, metadata={"option": Option(help, panel, **more)})


def options_of(declaration: type) -> dict[str, Option]:
    """The options that a dataclass declares, by the names of its fields."""
    hints = typing.get_type_hints(declaration)
    options = {}
    for field in dataclasses.fields(declaration):
        if declared := field.metadata.get("option"):
            absent = None if field.default is dataclasses.MISSING else field.default
            options[field.name] = dataclasses.replace(
                declared,
                name=field.name,
                key=declared.key or field.name,
                type=_scalar(hints[field.name]),
                several=any(typing.get_origin(kind) is tuple for kind in _kinds(hints[field.name])),
                default=absent if declared.default is None and not declared.source else declared.default,
            )
    return options


def _scalar(hint: Any) -> type:
    """The type of one value: `float` for `float | None`, `str` for a tuple."""
    return next((kind for kind in _kinds(hint) if kind in (int, float, bool, Path)), str)


def _kinds(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def with_defaults(options: Options, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values checked; for None and absent ones the defaults.

    Raises UsageError for a value that is not allowed, TypeError for an unknown option.
    """
    if unknown := set(given) - set(options):
        raise TypeError(f"There is no option '{min(unknown)}'.")
    values = {name: option.default for name, option in options.items()}
    values |= {name: options[name].check(value) for name, value in given.items() if value is not None}
    for name, option in options.items():
        if not option.source:
            continue
        default = _default_of(options, option, values[option.source])
        if default is None and values[name] is not None and options[option.source].catalog:
            raise UsageError(f"{option.flag}: {option.source} {values[option.source]} has no such option.")
        values[name] = default if values[name] is None else values[name]
    return values


def default_text(options: Options, option: Option) -> str:
    """The default of an option as its help shows it: '2', or "the data set's, 4 for mnist"."""
    if option.default_text or not option.source:
        return option.default_text or str(option.shown(option.default))
    source = options[option.source]
    value = _default_of(options, option, source.default)
    shown = {"True": "on", "False": "off"}.get(str(value), str(value).lower())
    return f"the {source.help.rstrip('.').lower()}'s, {shown} for {source.default}"


def _default_of(options: Options, option: Option, entry: Any) -> Any:
    kind = options[option.source].catalog
    return getattr(catalog.spec(kind, entry), option.name) if kind else None
