"""`lossbench reproduce`: published figures and claims, one command each, with a verdict."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

import typer

from ..errors import DataError, LossbenchError, RunError, UsageError, unknown_name
from ..experiments.loss_benchmark import PARTS
from ..files import read_json
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs import FigureSpec, catalog
from ..tables import Table
from ._flags import Jobs, Json, flag
from ._options import Request, Storage, run_options
from ._output import command_line, print_json, print_message, print_table, print_text

if TYPE_CHECKING:
    from ..reports.document import Drawing
    from ..reports.reproduction_page import ReproductionDocument
    from ..reproductions import Reproduction
    from ..runs.store import Store
    from ..runs.stored_run import StoredRun


@run_options(of_runs=False)
def reproduce(
    request: Request,
    storage: Storage,
    name: Annotated[
        str | None,
        typer.Argument(
            help="A name, `all`, or `benchmark`, which compares all losses (default: list the names)."
        ),
    ] = None,
    part: Annotated[
        str | None,
        flag(
            "--part",
            f"Parts of `benchmark`, separated by commas: {', '.join(PARTS)} (default: all).",
            "Training",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        flag("--seeds", "Seeds of `benchmark`: 0-4 or 0,3,5-7 (default: those of a part).", "Training"),
    ] = None,
    metric: Annotated[
        str | None,
        flag(
            "--metric",
            "Metrics of `benchmark` besides those of its findings (default: all of a part).",
            "Training",
        ),
    ] = None,
    quick: Annotated[
        bool,
        flag(
            "--quick",
            "Try it: few epochs, two seeds, the digits; seconds for one name, no verdict.",
            "Training",
        ),
    ] = False,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Make a published figure or claim again, and check it by rules that were written before the runs."""
    from ..runs.store import Store
    from ._benchmark import PartOptions, run_benchmark

    if name == "benchmark":
        options = PartOptions(part, seeds, metric, quick)
        run_benchmark(request, storage, options, jobs=jobs or 0, json=json)
    elif (part, seeds, metric) != (None, None, None):
        raise UsageError("--part, --seeds and --metric are options of `reproduce benchmark`.")
    elif name is None:
        _list(Store(storage.results), json=json)
    else:
        _reproduce(request, storage, name, quick=quick, jobs=jobs or 0, json=json)


class _Case(NamedTuple):
    """A reproduction that is made: its name, its runs by group, whether in small."""

    name: str
    spec: Reproduction
    configs: Mapping[str, Sequence[RunConfig]]
    quick: bool


def _reproduce(request: Request, storage: Storage, name: str, *, quick: bool, jobs: int, json: bool) -> None:
    """One reproduction, or all."""
    from ..runs.store import Store
    from ._publish import finish
    from ._training import run_configs

    store = Store(storage.results)
    every = catalog.names("reproductions")
    if name not in (*every, "all"):
        raise unknown_name("reproduction", name, every, ("all", "benchmark"))
    cases, problems = [], list[str]()
    for each in every if name == "all" else (name,):
        spec: Reproduction = catalog.spec("reproductions", each)
        cases.append(_Case(each, spec, spec.configs(quick=quick), quick))
    if name == "all":
        missing = _without_data(cases, request.data_dir)
        problems += (f"{each} is left out: {reason}" for each, reason in missing.items())
        cases = [case for case in cases if case.name not in missing]
    else:
        rules = (f"- {check.rule}" for check in cases[0].spec.checks)
        print_message("\n".join([cases[0].spec.question, *rules]))
    metrics: dict[RunConfig, set[str]] = {}
    for case in cases:
        for config in itertools.chain(*case.configs.values()) if case.spec.trained else ():
            metrics.setdefault(config, set()).update(case.spec.metrics)
    outcomes = run_configs(list(metrics), request, storage, jobs=jobs, metrics=metrics) if metrics else []
    documents = []
    for case in cases:
        document, page, failures = _write_document(store, case, outcomes, request.data_dir)
        documents.append(document)
        problems += failures
        if not json and name != "all":
            _print(store, document, page)
    if not json and name == "all":
        verdicts = {d.about.name: "quick" if d.quick else d.verdict for d in documents}
        _print_list({case.name: case.spec for case in cases}, verdicts)
    shown: list[dict[str, Any]] = [document.to_dict() for document in documents]
    content = {"reproductions": shown} if name == "all" else shown[0]
    finish(content | {"status": Status.DONE.value}, outcomes, problems, json=json)


def _without_data(cases: Sequence[_Case], data_dir: Path | None) -> dict[str, str]:
    """Why the data set of a reproduction is not there, by its name; it may be fetched for that."""
    from ..data import load_splits

    reasons: dict[str, str] = {}
    by_dataset: dict[str, str] = {}
    for case in cases:
        if not case.spec.trained:
            continue
        config = next(iter(case.configs.values()))[0]
        if config.dataset not in by_dataset:
            by_dataset[config.dataset] = ""
            try:
                load_splits(config.split_spec, data_dir)
            except DataError as error:
                by_dataset[config.dataset] = str(error)
        if by_dataset[config.dataset]:
            reasons[case.name] = by_dataset[config.dataset]
    return reasons


def _list(store: Store, *, json: bool) -> None:
    from ..reports.reproduction_page import describe

    store.check_folder()
    specs = {each: catalog.spec("reproductions", each) for each in catalog.names("reproductions")}
    verdicts = {}
    for each in specs:
        verdicts[each] = ""
        with contextlib.suppress(RunError):  # a damaged file is not a verdict
            stored = read_json(store.reproductions / f"{each}.json")
            verdicts[each] = str(stored.get("verdict", "")) if isinstance(stored, dict) else ""
    if json:
        print_json([
            {
                **describe(each, spec)._asdict(),
                "rules": [check.rule for check in spec.checks],
                "runs": spec.count,
                "verdict": verdicts[each] or None,
                "status": Status.DONE.value,
            }
            for each, spec in specs.items()
        ])  # fmt: skip
        return
    _print_list(specs, verdicts)
    print_message(
        "`lossbench reproduce NAME` runs one; docs/reproductions.md has questions and rules of all. "
        "`lossbench reproduce benchmark` compares all losses, which takes hours."
    )


def _print_list(specs: Mapping[str, Reproduction], verdicts: Mapping[str, str]) -> None:
    rows = [[each, spec.title, str(spec.count), verdicts[each] or "–"] for each, spec in specs.items()]
    print_table(Table(["name", "what", "runs", "verdict"], rows))


def _write_document(
    store: Store, case: _Case, outcomes: Sequence[Outcome], data_dir: Path | None
) -> tuple[ReproductionDocument, Path | None, list[str]]:
    """What was found, the page (None where it was not written), and a sentence for each file that failed."""
    from ..reports.conditions_text import conditions
    from ..reports.reproduction_page import ReproductionDocument, describe, group_rows, write_reproduction
    from ..reproductions import apply_rules, collect_results, overall
    from ._publish import draw_figures
    from ._training import with_metrics

    spec, configs = case.spec, case.configs
    needed = {config for members in configs.values() for config in members}
    used = [outcome for outcome in outcomes if outcome.config in needed]
    used = with_metrics(used, store, spec.metrics, data_dir)
    by_config = {outcome.config: outcome for outcome in used}
    results = collect_results(configs, by_config, store)
    checks = apply_rules(spec.checks, results, decides=not case.quick)
    document = ReproductionDocument(
        about=describe(case.name, spec),
        quick=case.quick,
        verdict=overall(checks),
        checks=checks,
        groups=group_rows(configs, results, spec.checks) if spec.trained else [],
        conditions=conditions(used, spec.metrics),
        command=command_line(),
        runs=[config.run_name for config in by_config],
    )
    files, problems = draw_figures(store, _drawings(store, case, by_config))
    document = replace(document, files=files)
    page = None
    try:
        page = write_reproduction(store, document)
    except LossbenchError as error:
        problems.append(str(error))
    return document, page, problems


def _drawings(store: Store, case: _Case, outcomes: Mapping[RunConfig, Outcome]) -> Iterator[Drawing]:
    """Each figure of the reproduction, of one seed of each group unless it shows several."""
    from ..reports.document import Drawing
    from ..reports.reproduction_page import file_name, group_label
    from ..runs.conditions import one_seed
    from ..runs.stored_run import UntrainedRun, done_runs

    for drawn in case.spec.figures:
        view = f"-{drawn.choices['view']}" if "view" in drawn.choices else ""
        path = store.reproductions / f"{file_name(case.name, case.quick)}-{drawn.figure}{view}.png"
        groups = {each: m for each, m in case.configs.items() if not drawn.groups or each in drawn.groups}
        if not case.spec.trained:
            untrained = [cast("StoredRun", UntrainedRun(members[0])) for members in groups.values()]
            yield Drawing(path, drawn.figure, untrained, drawn.choices)
            continue
        runs = [
            done_runs(store, (outcomes[c] for c in members if c in outcomes)) for members in groups.values()
        ]
        for group, members in zip(groups, runs, strict=True):
            for run in members:
                run.conditions = group_label(group, run.config)
        figure: FigureSpec = catalog.spec("figures", drawn.figure)
        shown = [run for members in runs for run in members] if figure.pooled else one_seed(runs)
        if shown:
            yield Drawing(path, drawn.figure, shown, drawn.choices)


def _print(store: Store, document: ReproductionDocument, page: Path | None) -> None:
    from ..reports.reproduction_page import QUICK, checks_table

    print_table(checks_table(document.checks), document.about.title, f"{page} has all." if page else "")
    print_text(QUICK if document.quick else f"Verdict: {document.verdict}")
    for text in [f"Page: {page}"] * bool(page) + [f"Figure: {store.root / f.path}" for f in document.files]:
        print_message(text)
