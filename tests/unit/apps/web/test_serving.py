"""A saved file's name suits every system, and clients cannot flood a server's log."""

import logging
import re
import time
from urllib.parse import unquote

import pytest

from i2ibench.apps.web import serving
from i2ibench.apps.web.serving import LONGEST_NAME, attachment


@pytest.fixture
def noon():
    return time.mktime((2026, 11, 29, 12, 30, 5, 0, 0, -1))


@pytest.mark.parametrize(
    ("name", "plain", "whole"),
    [
        ("street1", "street1", None),
        ("Zürich 上", "Z_rich _", "Zürich 上"),
        ("Zu\u0308rich", "Z_rich", "Zürich"),
        ("../a/b\\c", "_a_b_c", None),
        ('x"; filename="y.exe', "x_; filename=_y.exe", None),
        ("a\r\nSet-Cookie: b", "a__Set-Cookie_ b", None),
        ("photo\u202egnp.exe", "photo_gnp.exe", None),
        ("\udcff", "_", None),
        ("...", "scene", None),
        ("", "scene", None),
        ("100%41", "100_41", None),
    ],
)
def test_names_are_those_of_files_everywhere(name, plain, whole, noon):
    (header,) = attachment(name, ".zip", noon).values()
    assert header.isascii() and header.isprintable()
    assert re.search(r'filename="([^"]*)"', header)[1] == f"{plain}_2026-11-29_123005.zip"
    extended = re.search(r"filename\*=UTF-8''(\S*)$", header)
    assert (extended and unquote(extended[1])) == (whole and f"{whole}_2026-11-29_123005.zip")


def test_long_names_are_cut(noon):
    (header,) = attachment("上" * 1000, ".png", noon).values()
    whole = unquote(re.search(r"filename\*=UTF-8''(\S*)$", header)[1])
    assert whole.startswith("上" * LONGEST_NAME + "_2026") and len(whole.encode()) < 255


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(serving.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def logger(caplog):
    logger = logging.Logger("test")
    logger.addFilter(serving.OncePerMinute())
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
    for number in range(3 * serving.MOST_KINDS):
        logger.warning(f"message {number}")
    assert len(each._passed) <= serving.MOST_KINDS
