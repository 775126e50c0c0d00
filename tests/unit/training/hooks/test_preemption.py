"""Listening to signals."""

import os
import signal

import pytest

from i2ibench.training.hooks import Preemption
from i2ibench.training.hooks.preemption import SIGNALS


@pytest.fixture(autouse=True)
def _handlers():
    before = {name: signal.getsignal(name) for name in SIGNALS}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_is_heard_and_repeating_it_changes_nothing(name):
    with Preemption() as preemption:
        assert not preemption.asked
        for _ in range(3):
            os.kill(os.getpid(), name)
    os.kill(os.getpid(), name)  # on the way out, between saving and the exit code
    assert preemption.asked


def test_without_a_signal_the_handlers_before_are_back():
    before = [signal.getsignal(name) for name in SIGNALS]
    with Preemption():
        assert [signal.getsignal(name) for name in SIGNALS] != before
    assert [signal.getsignal(name) for name in SIGNALS] == before
