"""A server keeps as many connections as the limit of open files allows."""

import sys

import pytest

from i2ibench.apps.web.connection_limits import (
    FEWEST,
    FOR_OTHER_FILES,
    PER_CONNECTION,
    connections_that_fit,
)

resource = pytest.importorskip("resource", reason="Windows has no such limit")


@pytest.mark.parametrize(
    ("soft", "hard", "expected", "raised"),
    [
        (2000, 2000, 512, None),
        (256, 2000, 512, PER_CONNECTION * 512 + FOR_OTHER_FILES),
        (256, resource.RLIM_INFINITY, 512, PER_CONNECTION * 512 + FOR_OTHER_FILES),
        (256, 328, (328 - FOR_OTHER_FILES) // PER_CONNECTION, 328),
        (64, 64, FEWEST, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 512, None),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed_and_allowed(
    soft, hard, expected, raised, monkeypatch
):
    wanted = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: wanted.append(limits))
    assert connections_that_fit(512) == expected
    assert wanted in ([], [(soft, hard)], [(raised, hard)])
    assert bool(raised) == (wanted == [(raised, hard)])


def test_a_system_that_refuses_keeps_its_limit(monkeypatch):
    def refuse(*_):
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 10_000))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert connections_that_fit(512) == (256 - FOR_OTHER_FILES) // PER_CONNECTION


def test_a_system_without_such_limits_keeps_what_is_wanted(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert connections_that_fit(512) == 512
