"""What the server that forks workers imports once for all of them: torch, and what judging a run needs.

Imported by that server alone. When it ends it has nothing to tidy up; unloading its libraries would only keep
the command's output open for another second.
"""

import atexit
import gc
import os

import sklearn.neighbors  # noqa: F401

from ..training import train as running  # noqa: F401

gc.collect()
gc.freeze()  # a worker's garbage collector then leaves these pages alone, and they stay shared
atexit.register(os._exit, 0)
