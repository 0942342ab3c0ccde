"""The results folder: the runs in it, and where everything else is.

results/runs/<loss>-<id>/  see `run_folder`
results/figures/  tables/  reproductions/  benchmark/  README.md
"""

import contextlib
import dataclasses
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import LossbenchError, RunError, UsageError, at_most, shown, unknown_name
from ..files import check_folder, read_json
from ..specs import DatasetSpec, catalog, plugins
from .config import RunConfig
from .config_builder import dataset_name
from .run_folder import RunFolder, open_run

_RUN_NAME = re.compile(r"[a-z0-9][a-z0-9+-]*-[0-9a-f]{10}")


class Store:
    """A results folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.runs = root, root / "runs"
        self.figures, self.tables = root / "figures", root / "tables"
        self.reproductions = root / "reproductions"
        self.benchmark = root / "benchmark"

    def run(self, config: RunConfig) -> RunFolder:
        """The folder of a config, whether it exists or not."""
        return RunFolder(self.runs / config.run_name, config)

    def find(self, name: str) -> RunFolder:
        """A stored run by its folder name, its id, or the beginning of either. Raises UsageError, or RunError
        where the results folder is not a folder."""
        names = self._names()
        hits = [n for n in names if n == name] or [
            n for n in names if n.startswith(name) or n.rpartition("-")[2].startswith(name)
        ]
        if not hits or not name:
            raise (
                unknown_name("run", name, names)
                if names
                else UsageError(f"There is no run in {self.runs}; `lossbench train` makes one.")
            )
        if len(hits) > 1:
            raise UsageError(f"'{name}' can be any of {', '.join(at_most(hits))}; give more of the name.")
        return open_run(self.runs / hits[0])

    def all(self) -> tuple[list[RunFolder], list[str]]:
        """All readable runs, oldest result first, and a sentence for each that is not. Raises RunError where
        the results folder is not a folder."""
        runs, problems = [], []
        for name in self._names():
            try:
                runs.append(open_run(self.runs / name))
            except LossbenchError as error:
                problems.append(str(error))
        return sorted(runs, key=lambda run: (_age(run.path), run.name)), problems

    def check_data(self, configs: Iterable[RunConfig]) -> None:
        """Raise RunError where a user's data differ from those of the runs that were trained on this
        place before; not where a run on these data exists as well."""
        for spec in {config.data.name: config.data for config in configs if config.data}.values():
            digests = {}
            for name in self._names():
                with contextlib.suppress(LossbenchError):
                    stored = read_json(self.runs / name / "config.json")
                    if isinstance(stored, dict) and stored.get("location") == spec.location:
                        digests[name] = (
                            stored["data"]["digest"] if isinstance(stored.get("data"), dict) else ""
                        )
            if digests and spec.digest not in digests.values():
                raise RunError(
                    f"The data in {shown(spec.location)} have changed since {min(digests)} was trained; "
                    "--force trains on what is there now."
                )

    def dataset_name(self, text: str) -> str:
        """The name of the data set that a user means, see `config_builder.dataset_name`: the one under which
        runs on the same data are stored here, if there are any.

        Raises InvalidData for a place without data that can be used, and UsageError for data of a user that
        are neither stored here nor named by their place.
        """
        name = dataset_name(text)
        if not catalog.is_external(name, "data"):
            return name
        known, is_place = plugins.known_dataset(name), name != text
        digest, title = (known.digest, known.title) if known else (name.partition("@")[2], "")
        stored = [spec for spec in self._data_of_users() if spec.digest.startswith(digest)]
        if not stored and not known:
            raise UsageError(f"{self.root} has no run on {name}; name the folder or file of these data.")
        if not stored:
            return name
        spec = min(stored, key=lambda each: (each.title != title, each.name != name))
        if known and is_place:
            spec = dataclasses.replace(spec, location=known.location)
        plugins.remember_dataset(spec, named=is_place)
        return spec.name

    def _data_of_users(self) -> Iterator[DatasetSpec]:
        """The data sets of users that runs are stored on, with the place where they were last trained on."""
        for name in self._names():
            with contextlib.suppress(LossbenchError, LookupError, TypeError, ValueError, AttributeError):
                stored = read_json(self.runs / name / "config.json")
                spec, location = DatasetSpec.from_dict(stored["data"]), stored.get("location")
                yield dataclasses.replace(spec, location=location if isinstance(location, str) else "")

    def check_folder(self) -> None:
        """Raise RunError where something other than a folder is in the place of the results folder or of
        its runs."""
        check_folder(self.runs)

    def check_writable(self) -> None:
        """Raise RunError unless files can be made below the results folder."""
        self.check_folder()
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.runs) as file:
                file.write(bytes(4096))
        except OSError as error:
            raise RunError(f"The results folder {self.root} is not writable: {error.strerror}.") from None

    def _names(self) -> list[str]:
        if not self.runs.is_dir():
            self.check_folder()
            return []
        entries = sorted(entry.name for entry in os.scandir(self.runs) if entry.is_dir(follow_symlinks=False))
        return [name for name in entries if _RUN_NAME.fullmatch(name)]


def _age(path: Path) -> float:
    """When the run was completed (its result written), else begun."""
    for name in ("result.json", "config.json"):
        with contextlib.suppress(OSError):
            return os.stat(f"{path}/{name}").st_mtime
    return 0.0
