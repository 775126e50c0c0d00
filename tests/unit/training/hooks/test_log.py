"""The log: which time is counted as waiting for data, and what advice a user gets."""

from types import SimpleNamespace

import pytest

from i2ibench.training.hooks import log
from i2ibench.training.hooks.log import StepTimer, loading_advice


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(log.time, "perf_counter", lambda: now.seconds)
    return now


def loader(workers=0, cached=False):
    scenes = SimpleNamespace(is_cached=cached)
    return SimpleNamespace(
        waited=0.0, num_workers=workers, dataset=SimpleNamespace(scenes=scenes)
    )  # fmt: skip


def step(timer, clock, waiting, working):
    clock.seconds += waiting + working
    timer.loader.waited += waiting
    timer.steps += 1


def test_the_share_is_of_the_steps_and_begins_anew_each_time(clock):
    timer = StepTimer(loader())
    timer.start()
    step(timer, clock, 1, 3)
    step(timer, clock, 1, 3)
    assert timer.restart() == (4, 0.25)
    step(timer, clock, 0, 2)
    assert timer.restart() == (2, 0)


def test_validation_between_two_steps_is_neither_step_nor_waiting(clock):
    timer = StepTimer(loader())
    timer.start()
    step(timer, clock, 1, 1)
    for _ in range(2):  # averaged weights are validated after the others
        timer.stop()
        clock.seconds += 100
        timer.loader.waited += 50
        timer.start()
    step(timer, clock, 1, 1)
    assert timer.restart() == (2, 0.5)


def test_advice_names_what_is_left_to_do(monkeypatch):
    monkeypatch.setattr(log.os, "cpu_count", lambda: 4)
    assert loading_advice(loader(), 0.1) == ""
    assert "40% of a training step" in loading_advice(loader(), 0.4)
    assert "cache=True or num_workers=4 (now 0)" in loading_advice(loader(), 0.4)
    assert "num_workers" not in loading_advice(loader(workers=3), 0.4)
    assert "cache" not in loading_advice(loader(cached=True), 0.4)
    assert loading_advice(loader(workers=4, cached=True), 0.4) == ""
