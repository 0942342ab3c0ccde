"""Runs by what was swept: shared by the figures that draw numbers against settings."""

from collections.abc import Sequence

from ..errors import RunError, UsageError
from ..records import RunView
from ..specs import Value, catalog, setting_text, symbol, value_text
from ..specs.expressions import split_names
from ..specs.quantities import in_unit
from ..tables import counted, seeds_text


def varied(runs: Sequence[RunView]) -> dict[str, list[Value]]:
    """The settings along which the runs differ, with their values in order; seeds are not a setting."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    values_by_name: dict[str, list[Value]] = {}
    for name in names:
        values = dict.fromkeys(run.settings[name] for run in runs if name in run.settings)
        if len(values) > 1:
            values_by_name[name] = sorted(values, key=order)
    return values_by_name


def order(value: Value | None) -> tuple[bool, bool, Value]:
    """Numbers, then words, then None: an option that the optimizer, for example, does not have."""
    return (value is None, isinstance(value, str), 0 if value is None else value)


def axes_of(runs: Sequence[RunView], over: str, count: int) -> list[str]:
    """`count` swept numeric settings: those named in `over` (commas between), else the first that vary. One
    of the values may be a word, like the `all` of a training set that is not limited.

    Raises UsageError for a name that does not vary and for too many names, RunError when too few vary.
    """
    values = varied(runs)
    numeric = [n for n, vs in values.items() if None not in vs and isinstance(vs[0], int | float)]
    given = list(filter(None, split_names(over)))
    if len(given) > count:
        raise UsageError(
            f"--over {over}: this figure takes {'one name' if count == 1 else f'{count} names'}."
        )
    for name in given:
        if name not in numeric:
            raise UsageError(f"--over {name}: no such axis; {_described(runs, numeric)}.")
    names = [*given, *(name for name in numeric if name not in given)][:count]
    if len(names) < count:
        raise RunError(
            f"This figure needs runs that differ in {counted(count, 'numeric setting')}; "
            f"{_described(runs, numeric)}. `lossbench sweep` makes such runs."
        )
    return names


def grouped(runs: Sequence[RunView], without: Sequence[str] = ()) -> dict[str, list[RunView]]:
    """Runs of equal settings, those of `without` aside, by a label of what tells the groups apart: the loss
    where there are several, the settings in which the runs of one loss differ, the conditions in which runs
    of different losses differ, and the seeds where they are not the same in all groups."""
    by_loss: dict[Value, list[RunView]] = {}
    for run in runs:
        by_loss.setdefault(run.settings.get("loss", ""), []).append(run)
    names = {loss: [name for name in varied(alike) if name not in without] for loss, alike in by_loss.items()}
    groups: dict[str, list[RunView]] = {}
    for run in runs:
        differing = [n for n in names[run.settings.get("loss", "")] if run.settings.get(n) is not None]
        parts = [setting_text(name, run.settings[name]) for name in differing]
        if len(by_loss) > 1:
            parts = [run.title, *parts, *([run.conditions] if run.conditions and not differing else [])]
        groups.setdefault(", ".join(parts), []).append(run)
    seeds = {label: sorted({run.seed for run in alike}) for label, alike in groups.items()}
    if len({tuple(each) for each in seeds.values()}) <= 1:
        return groups
    return {
        ", ".join(filter(None, [label, seeds_text(seeds[label])])): alike for label, alike in groups.items()
    }


def with_setting(runs: Sequence[RunView], names: Sequence[str]) -> list[RunView]:
    """The runs that have all these settings. Raises UsageError where a loss would be left out."""
    kept = [run for run in runs if all(name in run.settings for name in names)]
    titles = {run.title for run in kept}
    if absent := [run.title for run in runs if run.title not in titles]:
        raise UsageError(f"{absent[0]} has no {' and '.join(names)}; leave it out, or name another --over.")
    return kept


def axis_title(name: str, runs: Sequence[RunView]) -> str:
    """A setting as the axis of runs has it, with its unit where their losses give it the same one."""
    term, _, key = name.rpartition(".")
    names = {term} if term else {loss for run in runs for loss in str(run.settings.get("loss")).split("+")}
    declared = [catalog.spec("losses", loss).settings for loss in names & {*catalog.names("losses")}]
    units = {settings[key].unit for settings in declared if key in settings}
    unit = units.pop() if len(units) == 1 else ""
    words = {"margin": "margin m", "scale": "scale s"}.get(name, symbol(name))
    return f"{words} ({unit})" if unit else words


def tick_text(value: Value) -> str:
    """A value at an axis, with the minus of its other numbers."""
    return value if isinstance(value, str) else value_text(value).replace("-", "−")


def number_of(run: RunView, metric: str) -> float | None:
    """One number of a run in the unit in which it is shown; None where it has none."""
    value = run.numbers.get(metric)
    return None if value is None else in_unit(metric, value)


def check_measured(runs: Sequence[RunView], metric: str) -> None:
    """Raise RunError when none of the runs has this number."""
    if all(number_of(run, metric) is None for run in runs):
        raise RunError(
            f"None of these runs has {metric}; `lossbench compare --metric {metric}` measures it "
            "where it is defined."
        )


def _described(runs: Sequence[RunView], names: Sequence[str]) -> str:
    """Which runs these are, and in which settings they differ."""
    losses = ", ".join(dict.fromkeys(str(run.settings.get("loss", run.title)) for run in runs))
    if len(runs) == 1:
        return f"there is one run of {losses} only"
    return f"the {len(runs)} runs of {losses} differ in {', '.join(names) or 'none'}"
