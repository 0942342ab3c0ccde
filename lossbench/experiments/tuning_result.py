"""The result of tuning a loss: the best point, how it was found, and the JSON file that keeps it.

results/tuned/<dataset>/<network>/<loss>.json          of the last search
results/tuned/<dataset>/<network>/<loss>/<study>.json  of an earlier one
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RunError, UnknownName, UsageError, at_most
from ..files import read_bytes, read_json, slug, to_json, write_atomically
from ..runs.conditions import condition_differences, option_differences
from ..runs.config import BASE_LOSS, FORMAT, RUN_OPTIONS, RunConfig
from ..runs.config_builder import config_at, sampling
from ..runs.loss_terms import lambda_target
from ..runs.options import with_defaults
from ..runs.store import Store
from ..runs.stored_config import config_from_dict
from ..runs.suggested_commands import dataset_argument
from ..specs import Value, plugins, value_text
from ..specs.expressions import parse_sum
from ..specs.quantities import higher_is_better, metric_name
from ..tables import counted, seeds_text
from .search_space import Range

_KEYS = {"pruned": "hopeless"}
"""The keys of JSON that are not the names of fields."""


@dataclass(frozen=True, kw_only=True)
class TuningResult:
    """The best point of a study, and how it was found.

    point: every parameter that the study varied or the user fixed. value: the metric there, a mean over the
    seeds on the validation split; default_value: at the defaults, None if that trial was not completed.
    values: of each trial, None where it diverged or was pruned; curve: the best value after each trial.
    config: the first seed's run at the defaults.
    """

    loss: str
    study: str
    point: Mapping[str, Value]
    value: float
    default_value: float | None
    metric: str
    seeds: Sequence[int]
    trials: int
    diverged: int
    pruned: int
    space: Mapping[str, Range]
    values: Sequence[float | None]
    curve: Sequence[float | None]
    config: RunConfig

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data: dict[str, Any] = {"format": FORMAT}
        for field in dataclasses.fields(self):
            data[_KEYS.get(field.name, field.name)] = getattr(self, field.name)
        data["space"] = {name: bounds._asdict() for name, bounds in self.space.items()}
        return data | {"config": self.config.to_dict()}

    @classmethod
    def from_dict(cls, data: Any) -> TuningResult:
        """The result from the data of `to_dict`. Raises RunError for other data, as files may be
        edited, and UnknownName for a loss that is not here."""
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"it has another format than {FORMAT}")
            values = {f.name: data[_KEYS.get(f.name, f.name)] for f in dataclasses.fields(cls)}
            values["space"] = {name: Range(**bounds) for name, bounds in data["space"].items()}
            values["config"] = config_from_dict(data["config"])
            result = cls(**values)
            higher_is_better(result.metric)
            if not any(term.external for term in result.config.terms):  # else checked when the point is used
                with plugins.without_external_code():
                    config_at(result.loss, result.point)
            numbers = [*result.curve, *result.values]
            if (
                None in result.point.values()
                or not all(number is None or math.isfinite(number) for number in numbers)
                or not len(result.curve) == len(result.values) == result.trials > 0
                or result.curve[-1] is None
            ):
                raise ValueError("its numbers do not fit together")
        except UnknownName:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):  # UsageError is a ValueError
            raise RunError("No result of tuning, of another format, or changed by hand.") from None
        return result


def tuned_folder(store: Store, dataset: str, network: str) -> Path:
    """The folder of all results and studies for a data set and network."""
    return store.root / "tuned" / dataset / network


def study_folder(store: Store, config: RunConfig, loss: str) -> Path:
    """The folder of all studies of a loss, as the user wrote it; the JSON file has the same name, in which
    the weights stand that were written."""
    written = {name: weight for name, weight in parse_sum(loss) if weight is not None}
    if written.get(BASE_LOSS) == 1:
        del written[BASE_LOSS]
    named = {*written, *config.loss.split("+")}
    names = [term.name for term in config.terms if term.name in named]
    text = "+".join(f"{written[name]:g}*{name}" if name in written else name for name in names)
    return tuned_folder(store, config.dataset, config.network) / slug(text)[:60]


def result_path(store: Store, config: RunConfig, loss: str) -> Path:
    """The JSON file of the result for a loss and the data set and network of a config."""
    return study_folder(store, config, loss).with_suffix(".json")


def write_result(store: Store, result: TuningResult) -> str:
    """Write the JSON file. One of another search is kept elsewhere; returns a sentence on that, else ''.

    Raises RunError.
    """
    path, said = result_path(store, result.config, result.loss), ""
    content = to_json(result.to_dict()).encode()
    if read_bytes(path) == content:  # as in a folder that is only read
        return ""
    before = _readable(path)
    if before is not None and before.study != result.study:
        kept = path.with_suffix("") / f"{slug(before.study)}.json"
        write_atomically(kept, to_json(before.to_dict()).encode())
        place, kept = (each.relative_to(store.root) for each in (path, kept))
        said = f"{place} had the settings of another {describe_search(before)}; they are in {kept} now."
    write_atomically(path, content)
    return said


def stored_result(store: Store, config: RunConfig, loss: str, study: str) -> TuningResult | None:
    """The stored result of a study, the last or an earlier one, else None."""
    path = result_path(store, config, loss)
    found = map(_readable, (path, path.with_suffix("") / f"{study}.json"))
    return next((each for each in found if each is not None and each.study == study), None)


def read_results(store: Store, dataset: str, network: str) -> tuple[list[TuningResult], list[str]]:
    """All results for a data set and network, and a sentence for each unreadable file. The last searches of
    all losses come first, then the earlier ones, the newest first."""
    results, problems = [], []
    folder = tuned_folder(store, dataset, network)
    kept = sorted(folder.glob("*/*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in [*sorted(folder.glob("*.json")), *kept]:
        try:
            results.append(_read(path))
        except RunError as error:
            problems.append(str(error))
    return results, problems


def read_result(store: Store, config: RunConfig, loss: str) -> TuningResult:
    """The result for a config's loss, data set and network; `loss` as the user wrote it.

    Raises UsageError where there is none, or one of another loss of the same file name or another sum of the
    same losses; RunError for a file that was cut or edited.
    """
    path = result_path(store, config, loss)
    if not path.exists():
        dataset = dataset_argument(config.dataset)
        words = ["--loss", loss, "--dataset", dataset, "--network", config.network]
        raise UsageError(f"{path} is not there; `lossbench tune {shlex.join(words)}` makes it.")
    result = _read(path)
    if [term.name for term in result.config.terms] != [term.name for term in config.terms]:
        raise UsageError(f"{path} is a search of {result.loss}, not of {loss}.")
    searched = "lambda" in result.point
    weights = [[(t.name, t.weight) for t in each.terms] for each in (result.config, config)]
    if lambda_target(parse_sum(loss)) is None if searched else weights[0] != weights[1]:
        raise UsageError(f"{path} is a search of {result.loss}, whose weights are others.")
    return result


def check_other_seeds(results: Mapping[RunConfig, TuningResult]) -> None:
    """Raise UsageError for a run with a seed on which its loss was tuned: the settings suit that seed."""
    used = {config: result for config, result in results.items() if config.seed in result.seeds}
    if used:
        losses = list(dict.fromkeys(result.loss for result in used.values()))
        were = "was" if len(losses) == 1 else "were"
        seeds = sorted({config.seed for config in used})
        every = {seed for result in results.values() for seed in result.seeds}
        others = [seed for seed in range(len(every) + 5) if seed not in every][:5]
        raise UsageError(
            f"{', '.join(losses)} {were} tuned on seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}; "
            f"compare on others, such as --seeds {','.join(map(str, others))}."
        )


def tuned_alike(first: TuningResult, second: TuningResult) -> bool:
    """Whether two losses were tuned by the same metric and seeds under the same conditions: so that their
    values can be shown together, whatever their numbers of trials are."""
    different = any(condition_differences([first.config, second.config], ("lr",)))
    return not different and (first.metric, [*first.seeds]) == (second.metric, [*second.seeds])


def comparable_results(store: Store, result: TuningResult) -> tuple[list[TuningResult], list[str]]:
    """The last search of each loss that was tuned as this one, and a sentence for each unreadable file."""
    results, problems = read_results(store, result.config.dataset, result.config.network)
    last: dict[Path, TuningResult] = {}
    for each in results:
        if tuned_alike(each, result):
            last.setdefault(result_path(store, each.config, each.loss), each)
    return [last[path] for path in sorted(last)], problems


def search_conditions(result: TuningResult) -> str:
    """By what and under which conditions a loss was tuned, as far as these are not the defaults: what
    searches that are `tuned_alike` have in common."""
    run = result.config
    given = {name: getattr(run, name) for name in ("dataset", "network", "optimizer", "schedule")}
    plain = with_defaults(RUN_OPTIONS, given)
    plain |= {name: RUN_OPTIONS[name].default for name in ("optimizer", "schedule")}
    plain |= sampling(plain, (), run.classes)
    kept = ("seed", "eval_split", "lr")
    default = dataclasses.replace(run, **{name: plain[name] for name in plain if name not in kept})
    words = [f"by {metric_name(result.metric)}", seeds_text(sorted(result.seeds))]
    differences = condition_differences([run, default])[0]
    return " · ".join([*words, *([differences] if differences else [])])


def describe_search(result: TuningResult) -> str:
    """A search in words, with what was fixed, like 'search of center (by gap · seed 0 · trials 30)'."""
    fixed = [f"{name} {value_text(v)}" for name, v in result.point.items() if name not in result.space]
    words = [search_conditions(result), *fixed, f"trials {result.trials}"]
    return f"search of {result.loss} ({' · '.join(words)})"


def describe_tuning(results: Mapping[RunConfig, TuningResult]) -> tuple[str, bool]:
    """Sentences on how the settings of runs were found, and whether all losses of a data set were tuned by
    the same metric, number of trials and seeds, under the conditions of the runs."""
    ways: dict[str, dict[str, str]] = {}  # by data set and loss
    others: dict[tuple[str, ...], list[str]] = {}  # losses by how the conditions of their search differ
    for run, result in results.items():
        pair = option_differences([result.config, run], ("lr", "eval_split"))
        losses = others.setdefault(tuple(map(", ".join, pair)), [])
        losses += [] if result.loss in losses else [result.loss]
        config = result.config
        words = [
            f"by {metric_name(result.metric)}",
            f"{counted(result.trials, 'trial')} of {counted(config.epochs, 'epoch')}",
        ]
        words += [seeds_text(sorted(result.seeds)), f"{config.feature_dim}-D features"]
        words += [counted(config.val_size, "validation image")]
        words += [f"without classes {config.unseen_names}"] if config.unseen else []
        ways.setdefault(config.dataset, {})[result.loss] = ", ".join(words)
    others.pop(("", ""), None)
    more = "".join(
        f" The search of {', '.join(at_most(losses))} had {searched}; these runs have {compared}."
        for (searched, compared), losses in others.items()
    )
    if all(len(set(way.values())) == 1 for way in ways.values()):
        texts = [
            f"{f'{dataset}: ' if len(ways) > 1 else ''}{min(way.values())}" for dataset, way in ways.items()
        ]
        return f"Settings found by `lossbench tune` {'; '.join(texts)}.{more}", not others
    texts = [
        f"{loss}{f' on {dataset}' if len(ways) > 1 else ''} {text}"
        for dataset, way in ways.items()
        for loss, text in way.items()
    ]
    return f"Settings found by `lossbench tune`, not under equal conditions: {'; '.join(texts)}.{more}", False


def _readable(path: Path) -> TuningResult | None:
    """The result in a file, None where there is none that can be read."""
    with contextlib.suppress(RunError):
        return _read(path)
    return None


def _read(path: Path) -> TuningResult:
    data = read_json(path)
    try:
        return TuningResult.from_dict(data)
    except UnknownName as error:
        raise RunError(f"{path} cannot be read. {error}") from None
    except RunError:
        raise RunError(
            f"{path} is not a result of tuning, has another format, or was changed by hand."
        ) from None
