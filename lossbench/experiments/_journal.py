"""The journal file of a study: one line for each change, written by one process at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunError, first_line
from ..files import file_lock
from .search_space import SeveralLosses, StudyConfig

if TYPE_CHECKING:
    import optuna


class _JournalLock:
    """Gives the journal one writer at a time, in the interface that Optuna asks for.

    The operating system frees it when its owner dies. A line that was half written then is cut off: the next
    one would be appended to it, and the journal could not be read again.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, file_lock(path.with_name(f"{path.name}.lock"))

    def acquire(self) -> bool:
        self.lock.acquire()
        content = self.path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(self.path, content.rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self.lock.release()


def open_journal(path: Path, config: StudyConfig | SeveralLosses) -> optuna.Study:
    """The study in a journal, which is created if there is none. Raises RunError for an unreadable one."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        lock: Any = _JournalLock(path)
        storage = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
        study = optuna.create_study(
            storage=storage, study_name=config.name, direction=config.direction, load_if_exists=True
        )
        study.get_trials(deepcopy=False)
    except OSError:
        raise
    except Exception as error:  # an altered line fails in as many ways as there are entries
        raise RunError(
            f"{path} cannot be read ({first_line(error)}); remove it to start the search over."
        ) from None
    return study
