"""`lossbench losses`: the losses and their settings."""

import textwrap
from typing import Annotated, Any

import typer

from ..errors import unknown_name
from ..specs import HyperParameter, LossSpec, catalog, value_text
from ..tables import Table
from ._flags import Json, flag
from ._output import print_json, print_message, print_table, print_text


def losses(
    name: Annotated[
        str | None, typer.Argument(help="Only this loss, with its settings (default: all).")
    ] = None,
    classes: Annotated[int, flag("--classes", "Number of classes C; defaults depend on it.", min=2)] = 10,
    dim: Annotated[int, flag("--dim", "Feature dimension D; defaults depend on it.", min=1)] = 2,
    kind: Annotated[
        str | None,
        flag(
            "--kind",
            "Only this kind (classifier, auxiliary or pairs), with what each loss does (default: all).",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the losses: kind, settings with default and bounds, paper."""
    names = catalog.names("losses") if name is None else (catalog.canonical(name),)
    specs: dict[str, LossSpec] = {each: catalog.spec("losses", each) for each in names}
    if kind is not None:
        kinds = {spec.kind for spec in specs.values()}
        if kind not in kinds:
            raise unknown_name("kind of losses", kind, kinds)
        specs = {each: spec for each, spec in specs.items() if spec.kind == kind}
    if json:
        print_json([_document(each, spec, classes, dim) for each, spec in specs.items()])
    elif kind is not None:
        rows = [[each, spec.summary] for each, spec in specs.items()]
        print_table(Table(["loss", "what it does"], rows))
    elif name is None:
        for each_kind in dict.fromkeys(spec.kind for spec in specs.values()):
            of_kind = [each for each, spec in specs.items() if spec.kind == each_kind]
            print_text(f"{each_kind} ({len(of_kind)})", style="bold")
            print_text(textwrap.indent(", ".join(of_kind), "  "))
        print_message(
            "`lossbench losses --kind pairs` says what each does, `losses center` lists the settings of one."
        )
    else:
        (spec,) = specs.values()
        aliases = f"\nAlso called {', '.join(spec.aliases)}." if spec.aliases else ""
        print_text(f"{spec.title}: {spec.summary}\n{spec.equation}\n{spec.paper}{aliases}")
        rows = [
            [key, value_text(s.default_for(classes, dim)), s.bounds, s.unit, s.paper, s.help]
            for key, s in _all_settings(spec).items()
        ]
        header = ["setting", f"default (C={classes}, D={dim})", "bounds", "unit", "paper", "meaning"]
        has_unit = any(s.unit for s in _all_settings(spec).values())
        print_table(Table(header, rows).without([] if has_unit else ["unit"]))


def _all_settings(spec: LossSpec) -> dict[str, HyperParameter]:
    return ({"lambda": spec.weight} if spec.weight else {}) | dict(spec.settings)


def _document(name: str, spec: LossSpec, classes: int, dim: int) -> dict[str, Any]:
    of_loss = ("title", "aliases", "kind", "summary", "equation", "paper", "sampler")
    of_setting = ("bounds", "unit", "paper", "sweep", "help")
    settings = {
        key: {"default": setting.default_for(classes, dim)} | {f: getattr(setting, f) for f in of_setting}
        for key, setting in _all_settings(spec).items()
    }
    return {"name": name, **{field: getattr(spec, field) for field in of_loss}, "settings": settings}
