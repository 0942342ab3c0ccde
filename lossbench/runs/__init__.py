"""One run: its configuration, its result, its files, and the run as figures see it."""

import sys
from types import ModuleType

from .. import runs as _list_runs


class _Package(ModuleType):
    """`lossbench.runs` is this package and, as it hides it, the function of that name."""

    __call__ = staticmethod(_list_runs)


sys.modules[__name__].__class__ = _Package
