"""Names from files: those that stay in a folder, and those that would leave it."""

import pytest

from i2ibench.errors import UserError
from i2ibench.io.safe_names import safe_name, safe_text

GOOD = ["scene_1", "aachen/aachen_000000_000019", "a.b", "..a", "Straße 5", "12:30", "東京"]

BAD = [
    "", ".", "..", "../x", "a/../../x", "/etc/passwd", "//host/share", "a//b", "a/", "./a",
    "\\\\host\\share", "a\\..\\b", "C:", "C:x", "c:/x", "C:\\x", "a\0b", "a\nb", "a\x7f", "\ud800",
    "x" * 1001, None, 3, ["a"], b"a",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_name_that_stays_in_its_folder_is_taken_as_it_is(name):
    assert safe_name(name, "index.json: a scene") == name


@pytest.mark.parametrize("name", BAD, ids=lambda name: repr(name)[:20])
def test_a_name_that_would_leave_its_folder_is_refused_with_the_file_that_says_it(name):
    with pytest.raises(UserError, match=r"^index\.json: a scene: "):
        safe_name(name, "index.json: a scene")


def test_a_name_without_folders_can_be_asked_for():
    with pytest.raises(UserError, match="has a folder in it"):
        safe_name("a/b", "x", folders=False)


def test_a_text_with_half_a_character_is_refused():
    assert safe_text("a\U0001f600b", "x") == "a\U0001f600b"
    with pytest.raises(UserError, match="half a character"):
        safe_text("a\udc80", "x")


@pytest.mark.parametrize("text", ["a\x1b[2J", "a\nb", "\x00", "\x9b"])
def test_a_text_that_could_change_the_terminal_is_refused(text):
    with pytest.raises(UserError, match="control character"):
        safe_text(text, "x")


def test_a_text_of_several_lines_can_be_asked_for():
    assert safe_text("a\n\tb", "x", lines=True) == "a\n\tb"
