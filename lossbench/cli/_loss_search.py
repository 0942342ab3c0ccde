"""`lossbench tune --losses`: which loss, with which settings."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..runs.config import LOSS_OPTIONS, RUN_OPTIONS, dataset_title
from ..specs.quantities import column_title, format_value, metric_name
from ..tables import Table
from ._flags import DEFAULT_RESULTS
from ._options import Request
from ._output import print_json, print_message, print_table

if TYPE_CHECKING:
    from ..experiments.loss_search import SearchResult


def show_search(request: Request, result: SearchResult, budget: str, results: Path, *, json: bool) -> None:
    """Print what a search over losses found, and the command that goes on."""
    command = _next_command(request, result.candidates, result.seeds, results)
    if json:
        print_json({**result.to_dict(), "budget": parse_budget(budget), "command": command})
        return
    dataset = dataset_title(result.config.dataset)
    title = f"{metric_name(result.metric)} on {dataset}, {result.config.network}"
    print_table(_table(result), title)
    print_message(
        f"Means over seeds {', '.join(map(str, result.seeds))} of the validation images that chose the "
        "settings.\nThe same command continues the search. To compare them on other seeds and on test "
        f"images:\n{command}"
    )


def _next_command(request: Request, losses: Sequence[str], seeds: Sequence[int], results: Path) -> str:
    """`lossbench compare` of these losses with the settings that were found, on ten other seeds."""
    words = ["--losses", ",".join(losses), "--tuned"]
    for name, value in request.point.items():
        is_option = name in RUN_OPTIONS or name in LOSS_OPTIONS
        words += [f"--{name.replace('_', '-')}", str(value)] if is_option else ["--set", f"{name}={value}"]
    others = [seed for seed in range(len(seeds) + 10) if seed not in seeds][:10]
    words += ["--seeds", "0-9" if others == list(range(10)) else ",".join(map(str, others))]
    words += [] if results == DEFAULT_RESULTS else ["--results", str(results)]
    words += [] if request.data_dir is None else ["--data-dir", str(request.data_dir)]
    return shlex.join(["lossbench", "compare", *words])


def _table(result: SearchResult) -> Table:
    """A row for each loss, the best first."""
    rows = []
    for each in result.outcomes:
        to_best = None if each.verdict == "best" else each.difference
        difference = format_value(result.metric, *to_best[:2], signed=True) if to_best else "–"
        value = format_value(result.metric, each.value)
        rows.append([each.loss, value, difference, each.verdict, str(each.trials), str(each.complete)])
    header = ["loss", column_title(result.metric), "difference", "verdict", "trials", "to the end"]
    return Table(header, rows)


def parse_budget(budget: str | float) -> float:
    """The seconds of `90s`, `10m` or `2h`, or of a number of seconds. Raises UsageError."""
    if isinstance(budget, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", budget.strip())
        seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    else:
        seconds = budget
    if not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise UsageError(f"--budget {budget}: a time such as 90s, 10m or 2h.")
    return seconds
