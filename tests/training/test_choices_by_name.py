"""A run is trained with the optimizer and the schedule that its config names."""

from __future__ import annotations

import dataclasses

import pytest

from lossbench.runs.store import Store
from lossbench.specs import catalog
from lossbench.training.process import Placement
from lossbench.training.trainer import Trainer

from ..helpers.runs import Recorder, small


@pytest.mark.parametrize("field", ["optimizer", "schedule"])
def test_the_trainer_loads_what_the_config_names(field, tmp_path, monkeypatch):
    class Other:
        def __init__(self, *_, **__):
            pass

    load = catalog.load
    monkeypatch.setattr(catalog, "load", lambda kind, name: Other if name == "other" else load(kind, name))
    config = dataclasses.replace(small("softmax"), **{field: "other"})
    recorder = Recorder()
    trainer = Trainer(Store(tmp_path).run(config), Placement("cpu", None, 1), recorder, recorder.stop)
    built = getattr(trainer, field)
    assert built is Other or isinstance(built, Other)
