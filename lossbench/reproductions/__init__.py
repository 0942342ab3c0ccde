"""Published figures and claims, one per file: the runs that each needs and the rules that it is tested by."""

from ._checks import Check, CheckResult, Results, Verdict, apply_rules, number_meaning, number_name, overall
from ._reproduction import Drawn, Reproduction
from ._results import collect_results

__all__ = [
    "Check", "CheckResult", "Drawn", "Reproduction", "Results", "Verdict", "apply_rules", "collect_results",
    "number_meaning", "number_name", "overall",
]  # fmt: skip
