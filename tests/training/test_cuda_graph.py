"""Runs that take their steps together: closed in the middle, failing, and after their end."""

from __future__ import annotations

import functools
import threading

import pytest

from lossbench.runs.result import Status
from lossbench.runs.store import Store
from lossbench.training.cuda_graph import RunGroup
from lossbench.training.train import train

from ..helpers.runs import ONE_THREAD, Recorder, run, small


def work(config, folder, observer, run_step):
    options = {"placement": ONE_THREAD, "observer": observer, "stop": observer.stop}
    return train(config, Store(folder), run_step=run_step, **options)


def test_a_closed_group_ends_its_runs_and_frees_their_locks(tmp_path):
    threads = threading.active_count()
    configs, observer, group = [small("center"), small("softmax")], Recorder(), RunGroup()
    for config in configs:
        group.start(functools.partial(work, config, tmp_path, observer))
    for _ in range(15):  # one epoch has 12 steps
        assert group.step() == []
    group.close()
    assert len(group) == 0
    assert threading.active_count() == threads
    for config in configs:
        last = Recorder()
        assert run(config, tmp_path, last).status is Status.DONE
        assert last.began_at == 12, "the state saved after the first epoch"


def test_steps_of_all_runs_are_taken_in_one_thread_and_results_come_once(tmp_path):
    group, threads, config = RunGroup(), [], small("center", epochs=1)

    def noted(run_step):
        def step(trainer):
            trainer.step = functools.partial(noted_step, trainer.step)
            run_step(trainer)

        def noted_step(step):
            threads.append(threading.current_thread())
            step()

        return work(config, tmp_path, Recorder(), step)

    group.start(noted)
    results = []
    while len(group):
        results += group.step()
    group.close()
    assert [result.run for result in results] == [config.run_name]
    assert set(threads) == {threading.main_thread()}


def test_an_error_of_the_work_is_raised_by_the_group():
    group = RunGroup()

    def broken(run_step):
        raise ZeroDivisionError("no run")

    group.start(broken)
    with pytest.raises(ZeroDivisionError, match="no run"):
        group.step()
    group.close()
