"""A saved file is named by scene and time, in characters that every system takes."""

import re
from urllib.parse import unquote

import pytest

from i2ibench.apps.web.downloads import LONGEST_NAME, attachment


@pytest.fixture
def noon():
    import time

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
