"""What the server that forks workers imports once for all of them: torch, and what evaluating a run needs.

Imported by that server alone. When it ends it removes the folder of its socket, which stays where the command
was killed. It does not unload its libraries: that would keep the command's output open for another second.
"""

import atexit
import contextlib
import gc
import os
from multiprocessing import forkserver

import sklearn.neighbors  # noqa: F401

from . import in_process  # noqa: F401

gc.collect()
gc.freeze()  # a worker's garbage collector then does not touch these pages, and they stay shared


def _end() -> None:
    server: object = getattr(forkserver, "_forkserver", None)
    address: str | None = getattr(server, "_forkserver_address", None)
    if address:
        with contextlib.suppress(OSError):
            os.unlink(address)
            os.rmdir(os.path.dirname(address))
    os._exit(0)


atexit.register(_end)
