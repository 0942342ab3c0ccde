"""What the server that forks workers imports once for all of them: torch, and what evaluating a run needs.

Imported by that server alone. When it ends it has nothing to tidy up; unloading its libraries would only keep
the command's output open for another second.
"""

import atexit
import gc
import os

import sklearn.neighbors  # noqa: F401

from . import in_process  # noqa: F401

gc.collect()
gc.freeze()  # a worker's garbage collector then does not touch these pages, and they stay shared
atexit.register(os._exit, 0)
