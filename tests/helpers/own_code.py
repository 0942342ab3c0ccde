"""Modules of a user that a test writes, imports and changes."""

from __future__ import annotations

import linecache
import sys

from lossbench.specs import catalog, plugins


def forget(*modules: str) -> None:
    """Let this process know no more of the modules and of what is found in them than a new one would."""
    for name in modules:
        sys.modules.pop(name, None)
    linecache.clearcache()
    for cached in (plugins.find, catalog.spec, catalog.load):
        cached.cache_clear()
