"""What commands write and print of what was found: tables, figures, the README of the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import ForeignFile, LossbenchError, with_class
from ..runs.outcome import STORED, Outcome
from ..runs.result import Status, diverged_text
from ..runs.store import Store
from ..tables import counted
from ._output import print_json, print_message, print_table, print_warning, run_document

if TYPE_CHECKING:
    from pathlib import Path

    from ..reports.document import Document, Drawing, WrittenFile
    from ..reports.experiment import Experiment


def finish(
    document: Mapping[str, object], outcomes: Sequence[Outcome], problems: Sequence[str] = (), *, json: bool
) -> None:
    """End a command whose results are published: print its document with `json`.

    Raises LossbenchError (exit code 1), with that document, that counts the runs that failed or diverged, if
    any, or with the last of the problems; warns of the other ones.
    """
    reasons = [outcome.message for outcome in outcomes if outcome.status is Status.FAILED]
    failed = len(reasons)
    diverged = sum(outcome.status is Status.DIVERGED for outcome in outcomes)
    if failed or diverged:
        counts = [f"{n} {word}" for n, word in ((failed, "failed"), (diverged, "diverged")) if n]
        again = ", and the same command tries the failed ones again" if failed else ""
        ended = " and ".join(counts).replace(" ", f" of {counted(len(outcomes), 'run')} ", 1)
        why = f" (the first: {reasons[0].rstrip('.')})" if reasons else ""  # no log is on a full disk
        problems = [*problems, f"{ended}{why}; their folders hold a log{again}."]
    for problem in problems[:-1]:
        print_warning(problem)
    if problems:
        error = LossbenchError(problems[-1])
        error.document = {**document, "status": Status.FAILED.value}
        raise error
    if json:
        print_json(document)


def draw_figures(store: Store, drawings: Iterable[Drawing]) -> tuple[list[WrittenFile], list[str]]:
    """The figures that were drawn, and a sentence for each that failed, in whatever way: no figure may
    hide the results."""
    from ..reports.document import written_file

    files, problems = [], []
    try:
        for drawing in drawings:
            try:
                drawing.write()
                files.append(written_file(store, drawing.path, drawing.kind, drawing.runs))
            except Exception as error:
                problems.append(_drawing_problem(drawing.path, error))
    except Exception as error:  # for example a run that the next figure shows was deleted meanwhile
        problems.append(_drawing_problem(store.figures, error))
    return files, problems


def _drawing_problem(path: Path, error: Exception) -> str:
    """Why a figure is not there. Matplotlib and its fonts and settings fail in many ways."""
    if isinstance(error, LossbenchError):
        return str(error)
    return f"{path} could not be drawn ({with_class(error)})."


def publish(experiment: Experiment, *, json: bool) -> None:
    """Write and print the tables of what was found, then draw its figures.

    Raises LossbenchError (exit code 1), after all else, for figures or runs that failed.
    """
    from ..reports.result_tables import captioned_tables, no_verdict
    from ..reports.results_page import write_readme

    store, name, document = experiment.store, experiment.name, experiment.document
    outcomes = experiment.outcomes
    done = any(outcome.status is Status.DONE for outcome in outcomes)
    problems = _write_tables(store, name, document) if done else []
    places = [f"Tables: {store.tables}"] if done and not problems else []
    if not json:
        for number, (caption, table, _) in enumerate(captioned_tables(document)):
            more = f"{store.tables / name}{'-against' if number else ''}.csv has all." if places else ""
            print_table(table, caption if number else "", more)
        if document.against and (reason := no_verdict(document.against).strip()):
            print_message(reason)
    if done and not problems:
        files, problems = draw_figures(store, experiment.drawings())
        document = dataclasses.replace(document, files=files)
        problems += _write_tables(store, name, document)
        try:
            write_readme(store)
        except ForeignFile as error:
            print_warning(str(error))
        except LossbenchError as error:
            problems.append(str(error))
    figures = [str(store.root / file.path) for file in document.files]
    runs = [_outcome_document(store, outcome) for outcome in outcomes]
    content = {**document.to_dict(), "runs": runs, "figures": figures}
    try:
        finish(content, outcomes, problems, json=json)
    finally:
        if not json:
            for text in (*places, *(f"Figure: {path}" for path in figures)):
                print_message(text)


def _write_tables(store: Store, name: str, document: Document) -> list[str]:
    """Write tables, or return the reason why not: they are printed all the same."""
    from ..reports.result_tables import write_tables

    try:
        write_tables(store, name, document)
    except LossbenchError as error:
        return [str(error)]
    return []


def _outcome_document(store: Store, outcome: Outcome) -> dict[str, object]:
    stored = outcome.message == STORED
    reason = "" if stored and outcome.status is Status.DONE else outcome.message
    if outcome.status is Status.DIVERGED and outcome.result is not None:
        reason = diverged_text(outcome.result)
    path = store.run(outcome.config).path
    return run_document(outcome.config, path, outcome.status, outcome.result, reason)
