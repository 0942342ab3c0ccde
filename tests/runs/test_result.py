"""The result of a run as plain data."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

from lossbench.runs.result import RunResult, Status

from ..helpers.runs import run, small


def test_plain_data_has_what_applies_and_comes_back(tmp_path: Path) -> None:
    done = run(small("softmax", epochs=1), tmp_path)
    diverged = dataclasses.replace(done, status=Status.DIVERGED, epoch=2)
    open_set = dataclasses.replace(done, unseen_classes="8, 9", unseen={"nmi": 0.5})
    for result, keys in ((done, set()), (diverged, {"epoch"}), (open_set, {"unseen_classes", "unseen"})):
        data = json.loads(json.dumps(result.to_dict()))
        assert keys == data.keys() & {"epoch", "unseen_classes", "unseen"}
        again = RunResult.from_dict(data)
        assert again.to_dict() == result.to_dict()
        assert (again.status, again.epoch) == (result.status, result.epoch)


def test_what_an_older_result_does_not_say_is_unknown() -> None:
    """Threads 0 leave the number to the program; epochs, parameters and the seed of the split count from 0."""
    old = RunResult.from_dict({"run": "old", "status": "done", "machine": {"device": "cpu"}})
    assert old.machine == ("cpu", "", 0, "", "", "")
    assert (old.epochs, old.parameters, old.split_seed) == (0, 0, 0)
    assert old.numbers == {} and old.test_accuracy is None
    for name in ("seconds", "images_per_second"):  # JSON has no NaN
        again = RunResult.from_dict({"run": "old", "status": "diverged", name: None})
        assert math.isnan(getattr(again, name)) and again.numbers == {}
