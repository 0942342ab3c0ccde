"""Published figures and claims, one per file: the runs that each needs and the rules that judge it."""

from ._checks import Check, CheckResult, Results, Verdict, judge, number_name, overall
from ._reproduction import Drawn, Reproduction
from ._results import collect_results

__all__ = [
    "Check", "CheckResult", "Drawn", "Reproduction", "Results", "Verdict", "collect_results", "judge",
    "number_name", "overall",
]  # fmt: skip
