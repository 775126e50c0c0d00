"""The pace of training: what is counted as waiting, and what a user is told about it."""

from types import SimpleNamespace

import pytest

from i2ibench.training.hooks import throughput as pace
from i2ibench.training.hooks.throughput import Pace, advice


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now.seconds)
    return now


def loader(workers=0, cached=False):
    scenes = SimpleNamespace(is_cached=cached)
    return SimpleNamespace(
        waited=0.0, num_workers=workers, dataset=SimpleNamespace(scenes=scenes)
    )  # fmt: skip


def step(pace, clock, waiting, working):
    clock.seconds += waiting + working
    pace.loader.waited += waiting
    pace.steps += 1


def test_the_share_is_of_the_steps_and_begins_anew_each_time(clock):
    pace = Pace(loader())
    pace.go()
    step(pace, clock, 1, 3)
    step(pace, clock, 1, 3)
    assert pace.take() == (4, 0.25)
    step(pace, clock, 0, 2)
    assert pace.take() == (2, 0)


def test_validation_between_two_steps_is_neither_step_nor_waiting(clock):
    pace = Pace(loader())
    pace.go()
    step(pace, clock, 1, 1)
    for _ in range(2):  # averaged weights are validated after the others
        pace.stop()
        clock.seconds += 100
        pace.loader.waited += 50
        pace.go()
    step(pace, clock, 1, 1)
    assert pace.take() == (2, 0.5)


def test_advice_names_what_is_left_to_do(monkeypatch):
    monkeypatch.setattr(pace.os, "cpu_count", lambda: 4)
    assert advice(loader(), 0.1) == ""
    assert "40% of a training step" in advice(loader(), 0.4)
    assert "cache=True or num_workers=4 (now 0)" in advice(loader(), 0.4)
    assert "num_workers" not in advice(loader(workers=3), 0.4)
    assert "cache" not in advice(loader(cached=True), 0.4)
    assert advice(loader(workers=4, cached=True), 0.4) == ""
