"""The learning-rate schedules, one per file: `factor(progress)` is what the peak rate is multiplied by.

`progress` in [0, 1) is the fraction of all steps that are done; a factor lies between 0 and 1.
"""

from collections.abc import Callable

Schedule = Callable[[float], float]
