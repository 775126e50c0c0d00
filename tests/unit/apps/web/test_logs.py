"""What clients can make a server log is written once a minute."""

import logging

import pytest

from i2ibench.apps.web import logs


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def logger(caplog):
    logger = logging.Logger("test")
    logger.addFilter(logs.OncePerMinute())
    logger.addHandler(caplog.handler)
    return logger


def test_a_message_passes_once_a_minute_with_the_number_left_out(logger, clock, caplog):
    for number in range(100):
        logger.warning("invalid request of %d", number)
    logger.warning("something else")
    clock[0] += 61
    logger.warning("invalid request of %d", 7)
    assert caplog.messages == [
        "invalid request of 0", "something else",
        "invalid request of 7 (99 more like this since the last such line)",
    ]  # fmt: skip


def test_errors_of_different_types_are_different_messages(logger, clock, caplog):
    for error in (ValueError("a"), ValueError("b"), OSError("c")):
        try:
            raise error
        except Exception:
            logger.exception("a defect")
    assert [record.exc_info[0] for record in caplog.records] == [ValueError, OSError]


def test_messages_that_differ_without_end_fill_no_memory(logger, clock, caplog):
    (each,) = logger.filters
    for number in range(3 * logs.MOST_KINDS):
        logger.warning(f"message {number}")
    assert len(each._passed) <= logs.MOST_KINDS
