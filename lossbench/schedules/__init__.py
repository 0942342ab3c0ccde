"""The learning-rate schedules, one per file: `factor(progress, **options)` multiplies the peak rate.

`progress` in [0, 1) is the fraction of all steps that are done; a factor lies between 0 and 1. The options
are those that the SPEC has, `warmup` always.
"""

from collections.abc import Callable

Schedule = Callable[[float], float]
