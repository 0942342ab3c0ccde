"""`lossbench losses`: what there is, and what can be set."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..specs import HyperParameter, LossSpec, catalog
from ._options import Json
from ._output import print_json, print_table, say


def losses(
    name: Annotated[
        str | None, typer.Argument(help="Only this loss, with its settings (default: all).")
    ] = None,
    classes: Annotated[int, typer.Option("--classes", min=2, help="Defaults for so many classes.")] = 10,
    dim: Annotated[int, typer.Option("--dim", min=1, help="Defaults for so many dimensions.")] = 2,
    json: Json = False,
) -> None:
    """List the losses: kind, settings with default and bounds, paper."""
    from ..tables import Table

    names = catalog.names("losses") if name is None else (name,)
    specs: dict[str, LossSpec] = {each: catalog.spec("losses", each) for each in names}
    if json:
        print_json([_document(each, spec, classes, dim) for each, spec in specs.items()])
    elif name is None:
        rows = []
        for each, spec in specs.items():
            settings = _all_settings(spec)
            shown = ", ".join(f"{key}={_shown(s, classes, dim)}" for key, s in settings.items())
            rows.append([each, spec.kind, spec.summary, shown, spec.paper])
        print_table(Table(["loss", "kind", "what it does", "settings", "source"], rows))
    else:
        spec = specs[name]
        say(f"{spec.title}: {spec.summary}\n{spec.equation}\n{spec.paper}")
        rows = [
            [key, _shown(s, classes, dim), s.bounds, s.unit, s.paper, s.help]
            for key, s in _all_settings(spec).items()
        ]
        print_table(
            Table(["setting", f"default (C={classes}, D={dim})", "bounds", "unit", "paper", ""], rows)
        )


def _all_settings(spec: LossSpec) -> dict[str, HyperParameter]:
    return ({"lambda": spec.weight} if spec.weight else {}) | dict(spec.settings)


def _shown(setting: HyperParameter, classes: int, dim: int) -> str:
    value = setting.default_for(classes, dim)
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _document(name: str, spec: LossSpec, classes: int, dim: int) -> dict[str, Any]:
    return {
        "name": name,
        "title": spec.title,
        "kind": spec.kind,
        "summary": spec.summary,
        "equation": spec.equation,
        "paper": spec.paper,
        "sampler": spec.sampler,
        "settings": {
            key: {
                "default": setting.default_for(classes, dim),
                "bounds": setting.bounds,
                "unit": setting.unit,
                "paper": setting.paper,
                "sweep": setting.sweep,
                "help": setting.help,
            }
            for key, setting in _all_settings(spec).items()
        },
    }
