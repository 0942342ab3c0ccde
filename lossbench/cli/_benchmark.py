"""`lossbench reproduce benchmark`: the comparison of all losses, part by part."""

import dataclasses
from functools import partial
from typing import NamedTuple

from ..errors import UsageError
from ..experiments.grid import parse_seeds
from ..experiments.loss_benchmark import DECIDING, PARTS, Part
from ..runs.outcome import Outcome
from ..specs.expressions import split_names
from ..tables import counted
from ._options import Request, Storage
from ._output import command_line, print_message, print_warning


class PartOptions(NamedTuple):
    """What of the benchmark is run, None for all of it. quick: in a results folder of its own."""

    part: str | None
    seeds: str | None
    metric: str | None
    quick: bool


def run_benchmark(
    request: Request, storage: Storage, options: PartOptions, *, jobs: int | None, json: bool
) -> None:
    """Run the parts one after the other, each published when it is complete; the same command continues."""
    from ..reports.loss_benchmark.documents import check_earlier_seeds, write_part
    from ..reports.loss_benchmark.page import write_page
    from ..runs.store import Store
    from ._publish import finish

    if options.quick:
        storage = dataclasses.replace(storage, results=storage.results / "benchmark-quick")
    store = Store(storage.results)
    outcomes: list[Outcome] = []
    written: list[str] = []
    parts = _parts(options)
    for name, spec in parts.items():
        check_earlier_seeds(store, name, spec, quick=options.quick)
    for name, spec in parts.items():
        print_message(f"Part {name}: {spec.title}.")
        of_part, tuning, data = _run_part(spec, request, storage, jobs)
        outcomes += of_part
        command = command_line()
        write_part(store, name, spec, of_part, command=command, tuning=tuning, data=data, quick=options.quick)
        written.append(str(store.benchmark / f"{name}.json"))
        print_message(f"Page: {write_page(store)}")
    document: dict[str, object] = {"parts": written, "page": str(store.benchmark / "README.md")}
    finish(document, outcomes, json=json)


def _parts(options: PartOptions) -> dict[str, Part]:
    """The parts with the seeds and metrics of the options. Raises UsageError for what they do not have."""
    names = list(PARTS) if options.part is None else split_names(options.part)
    for name in names:
        if name not in PARTS:
            raise UsageError(f"--part {name} is not one of {', '.join(PARTS)}.")
    parts = {name: PARTS[name].quick() if options.quick else PARTS[name] for name in names}
    for name, part in parts.items():
        seeds, metrics = part.seeds, part.metrics
        if options.seeds is not None:
            wanted = parse_seeds(options.seeds)
            seeds = tuple(seed for seed in part.seeds if seed in wanted)
            if part.settings == "search" and len(parts) > 1:
                seeds = seeds or part.seeds  # a search has seeds of its own, beside those of the other parts
        if options.metric is not None and part.settings != "search":
            named = split_names(options.metric)
            if unknown := [metric for metric in named if metric not in part.metrics]:
                raise UsageError(f"--metric {unknown[0]}: {name} has {', '.join(part.metrics)}.")
            metrics = tuple(metric for metric in part.metrics if metric in (*named, *DECIDING))
        if not seeds:
            raise UsageError(f"--seeds {options.seeds}: {name} has {part.seeds[0]}-{part.seeds[-1]}.")
        parts[name] = dataclasses.replace(part, seeds=seeds, metrics=metrics)
    return parts


def _run_part(
    part: Part, request: Request, storage: Storage, jobs: int | None
) -> tuple[list[Outcome], str, list[dict[str, object]]]:
    """What became of the runs, how settings were found, and for a search the result of each loss."""
    from ..experiments.comparison import tuned_configs
    from ..experiments.trials import tune
    from ..runs.store import Store
    from ._training import run_groups
    from ._trials import in_threads

    store = Store(storage.results)
    if part.settings == "search":
        results = []
        for study in part.studies():
            print_message(f"{study.loss}: {counted(part.trials, 'trial')}.")
            work = partial(tune, study, trials=part.trials)
            results.append(in_threads(request, study, store, jobs, part.trials, work).to_dict())
        return [], "", results
    configs, tuning = part.configs(part.seeds), ""
    if part.settings == "tuned":
        configs, tuning, alike = tuned_configs(store, configs)
        if not alike:
            print_warning(tuning)
    groups = run_groups(configs, request, storage, part.metrics, jobs)
    outcomes = {outcome.config: outcome for group in groups.values() for outcome in group}
    return list(outcomes.values()), tuning, []
