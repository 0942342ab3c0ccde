"""`lossbench reproduce benchmark`: the comparison of all losses, part by part."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

from ..errors import LossbenchError, UsageError
from ..experiments.loss_benchmark import PARTS, Part
from ..runs.outcome import Outcome
from ..runs.result import Status
from ._options import Request, Storage
from ._output import command_line, print_json, print_message, print_warning


def run_benchmark(
    request: Request,
    storage: Storage,
    *,
    part: str | None,
    seeds: str | None,
    quick: bool,
    jobs: int | None,
    json: bool,
) -> None:
    """Run the parts one after the other, each published when it is complete; the same command continues.

    quick: in a results folder of its own.
    """
    from ..experiments.grid import parse_seeds
    from ..reports.loss_benchmark import write_part
    from ..reports.loss_benchmark_page import write_page
    from ..runs.store import Store
    from ._training import fail_if_any

    if quick:
        storage = dataclasses.replace(storage, results=storage.results / "benchmark-quick")
    store = Store(storage.results)
    outcomes: list[Outcome] = []
    written: list[str] = []
    for name in _names(part):
        spec = PARTS[name].quick() if quick else PARTS[name]
        chosen = parse_seeds(seeds) if seeds and spec.settings != "search" else spec.seeds
        if not set(chosen) & set(spec.seeds):
            raise UsageError(f"--seeds {seeds}: {name} has the seeds {spec.seeds[0]}-{spec.seeds[-1]}.")
        print_message(f"Part {name}: {spec.title}.")
        found, tuning, data = _run_part(spec, chosen, request, storage, jobs)
        outcomes += found
        write_part(store, name, spec, found, command=command_line(), tuning=tuning, data=data, quick=quick)
        written.append(str(store.benchmark / f"{name}.json"))
    page = write_page(store)
    print_message(f"Page: {page}")
    document: dict[str, object] = {"parts": written, "page": str(page)}
    try:
        fail_if_any(outcomes)
    except LossbenchError as error:
        error.document = document | {"status": Status.FAILED.value}
        raise
    if json:
        print_json(document)


def _names(part: str | None) -> list[str]:
    names = list(PARTS) if part is None else [name.strip() for name in part.split(",")]
    for name in names:
        if name not in PARTS:
            raise UsageError(f"--part {name} is none of {', '.join(PARTS)}.")
    return names


def _run_part(
    part: Part, seeds: Sequence[int], request: Request, storage: Storage, jobs: int | None
) -> tuple[list[Outcome], str, list[dict[str, object]]]:
    """What became of the runs, how settings were found, and for a search the result of each loss."""
    from ..experiments.comparison import tuned_configs
    from ..experiments.trials import tune
    from ..runs.store import Store
    from ._training import run_configs, with_metrics
    from ._trials import in_threads

    store = Store(storage.results)
    if part.settings == "search":
        results = []
        for study in part.studies():
            print_message(f"{study.loss}: {part.trials} trials.")
            work = partial(tune, study, trials=part.trials)
            results.append(in_threads(request, study, store, jobs, part.trials, work).to_dict())
        return [], "", results
    configs, tuning = part.configs(seeds), ""
    if part.settings == "tuned":
        configs, tuning, alike = tuned_configs(store, configs)
        if not alike:
            print_warning(tuning)
    every = list(dict.fromkeys(config for group in configs.values() for config in group))
    by_seed = sorted(every, key=lambda config: config.seed)  # what is interrupted has equal seeds
    outcomes = with_metrics(
        run_configs(by_seed, request, storage, jobs=jobs), store, part.metrics, request.data_dir
    )
    by_config = {outcome.config: outcome for outcome in outcomes}
    return [by_config[config] for config in every], tuning, []
