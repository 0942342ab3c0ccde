"""What a search of settings varies, how it judges, the study that keeps its trials, and what it found."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from filelock import FileLock

from ..errors import RunError, UsageError
from ..runs.config import FORMAT, RunConfig
from ..runs.config_builder import config_at, config_from_dict, lambda_target
from ..specs import Value
from ..specs.expressions import parse_sum
from ..specs.quantities import higher_is_better
from .grid import expand, parse_values

if TYPE_CHECKING:
    import optuna

LEARNING_RATES = "0.001:0.03:log:2"
OVER = ("COMPLETE", "PRUNED")
"""States of the trials that count: brought to an end, or given up."""


class Search(NamedTuple):
    """What is searched: a loss, everything that stays fixed, and how trials are judged."""

    loss: str
    fixed: Mapping[str, Value]
    seeds: tuple[int, ...]
    metric: str

    def config(self, point: Mapping[str, Value], seed: int) -> RunConfig:
        """The run of a trial: one point of the space, one seed, judged on the validation split."""
        whole = {**self.fixed, **point, "seed": seed, "eval_split": "val"}
        return config_at(self.loss, whole)

    @property
    def base(self) -> RunConfig:
        """The first seed's run at the defaults."""
        return self.config({}, self.seeds[0])

    @property
    def name(self) -> str:
        """The study's name: another space, objective, data, network, schedule or seeds is another study."""
        text = json.dumps([self.base.to_dict(), space(self), self.seeds, self.metric], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """`maximize` or `minimize`. Raises UsageError for a metric of which neither is better."""
        better = higher_is_better(self.metric)
        if better is None:
            raise UsageError(f"--metric {self.metric}: neither more nor less of it is better.")
        return "maximize" if better else "minimize"


class Range(NamedTuple):
    """One dimension of the space, from its SPEC's sweep, and the loss as it comes."""

    low: float
    high: float
    log: bool
    whole: bool
    default: float


def space(search: Search) -> dict[str, Range]:
    """The dimensions by name: lambda, the learning rate and every setting whose SPEC has a range,
    less what is fixed."""
    config = search.base
    found = {"lr": _range("lr", LEARNING_RATES, whole=False, default=config.lr)}
    target = lambda_target(parse_sum(search.loss))
    for term in config.terms:
        weight = term.spec.weight
        if weight is not None and weight.sweep and target == term.name:
            found["lambda"] = _range("lambda", weight.sweep, whole=False, default=term.weight)
        values = dict(term.settings)
        for key, setting in term.spec.settings.items():
            if setting.sweep:
                name, whole = f"{term.name}.{key}", setting.type is int
                found[name] = _range(name, setting.sweep, whole=whole, default=float(values[key]))
    # `alpha` fixes the setting of the only term that has it, `center.alpha` that of one term
    return {
        name: bounds
        for name, bounds in found.items()
        if name not in search.fixed and name.rpartition(".")[2] not in search.fixed
    }


def defaults(search: Search) -> dict[str, Value]:
    """The point of the space that is the loss as it comes."""
    return {name: int(r.default) if r.whole else r.default for name, r in space(search).items()}


def _range(name: str, text: str, *, whole: bool, default: float) -> Range:
    """From the text of a sweep, widened so that the default lies within."""
    values = [float(value) for value in parse_values(name, text) if not isinstance(value, str)]
    log = ":log:" in text
    if default > 0 or not log:  # else the smallest value stands for a default that has no logarithm
        values.append(default)
    return Range(min(values), max(values), log, whole, max(default, min(values)))


def distributions(search: Search) -> dict[str, Any]:
    """The space as Optuna takes it."""
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        name: IntDistribution(int(r.low), int(r.high), log=r.log)
        if r.whole
        else FloatDistribution(r.low, r.high, log=r.log)
        for name, r in space(search).items()
    }


class _JournalLock:
    """Keeps the journal to one writer, as Optuna asks for it.

    The operating system frees it when its owner dies; a line that was then left half written is cut off,
    or the next one would continue it and nobody could read the journal again.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        self.lock.acquire()
        content = self.path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(self.path, content.rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self.lock.release()


def open_study(search: Search, folder: Path) -> optuna.Study:
    """The study of a search in its journal, begun with the defaults as its first trial."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UsageError("Tuning needs Optuna: pip install 'lossbench[tune]'.") from None
    direction, first = search.direction, defaults(search)
    if not first:
        raise UsageError(f"Every setting of {search.loss} is fixed: there is nothing to search.")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "journal.log"
    with FileLock(folder / ".lock"):
        try:
            lock: Any = _JournalLock(journal)
            storage = JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
            study = optuna.create_study(
                storage=storage, study_name=search.name, direction=direction, load_if_exists=True
            )
            trials = study.get_trials(deepcopy=False)
        except OSError:
            raise
        except Exception as error:  # an altered line fails in as many ways as there are entries
            raise RunError(f"{journal} cannot be read ({error}); removed, the search begins anew.") from None
        if not trials:
            study.enqueue_trial(first)
    return study


def summary(study: optuna.Study, search: Search) -> dict[str, Any]:
    """The best point with all that says how it was found; `curve` is the best value after each trial.

    The point names every setting that makes the loss what was searched, the fixed ones included.
    """
    over = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in OVER]
    over.sort(key=lambda trial: (str(trial.datetime_complete), trial.number))
    complete = [trial for trial in over if trial.state.name == "COMPLETE"]
    if not complete:
        raise RunError(f"None of {len(over)} trials of {search.loss} came to an end: they all diverged.")
    best_of = max if search.direction == "maximize" else min
    values = [trial.value if trial.state.name == "COMPLETE" else None for trial in over]
    curve: list[float | None] = []
    for value in values:
        seen = [v for v in (*curve[-1:], value) if v is not None]
        curve.append(best_of(seen) if seen else None)
    untouched = [trial.value for trial in complete if trial.params == defaults(search)]
    return {
        "format": FORMAT,
        "loss": search.loss,
        "study": search.name,
        "point": {**_fixed_settings(search), **study.best_params},
        "value": study.best_value,
        "default_value": untouched[0] if untouched else None,
        "metric": search.metric,
        "seeds": list(search.seeds),
        "trials": len(over),
        "diverged": sum(trial.user_attrs.get("given_up") == "diverged" for trial in over),
        "hopeless": sum(trial.user_attrs.get("given_up") == "hopeless" for trial in over),
        "space": {name: r._asdict() for name, r in space(search).items()},
        "values": values,
        "curve": curve,
        "config": search.base.to_dict(),
    }


def _fixed_settings(search: Search) -> dict[str, Value]:
    """What the user fixed of the loss and its learning rate, so of all that a search could have varied."""
    others = {field.name for field in dataclasses.fields(RunConfig)} - {"lr"}
    return {name: value for name, value in search.fixed.items() if name not in others}


def is_found(data: object) -> bool:
    """Whether `data` is what `summary` makes: a file may have been changed by hand."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return False
    try:
        higher_is_better(data["metric"])
        config_from_dict(data["config"])
        expand(data["loss"], {name: (value,) for name, value in data["point"].items()})
        numbers = [*data["curve"], *data["values"]]
        return (
            None not in data["point"].values()
            and all(number is None or math.isfinite(number) for number in numbers)
            and len(data["curve"]) == len(data["values"]) == data["trials"] > 0
            and data["curve"][-1] is not None
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):  # UsageError is a ValueError
        return False
