"""Finding files: all of the data and only it, by names that mean the same to every system."""

import os
import unicodedata
from pathlib import Path

import pytest

from i2ibench.data.file_formats import EXTENSIONS
from i2ibench.data.file_search import (
    files_by_name,
    find_images,
    ignored_notes,
    short_names,
    walk_files,
)
from i2ibench.errors import UserError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_every_ending_of_a_format_that_is_read_is_taken_in_any_case(tmp_path):
    touch(tmp_path, *(f"{n}{e}" for n, e in enumerate(EXTENSIONS)), "z.PNG")
    assert len(files_by_name(tmp_path)) == len(EXTENSIONS) + 1


def test_links_to_files_and_folders_are_followed(tmp_path):
    touch(tmp_path / "elsewhere", "a.png", "deep/b.png")
    data = touch(tmp_path / "data", "own/c.png")
    (data / "town").symlink_to(tmp_path / "elsewhere")
    (data / "d.png").symlink_to(tmp_path / "elsewhere/a.png")
    assert sorted(files_by_name(data)) == ["d", "own/c", "town/a", "town/deep/b"]


def test_a_folder_that_links_to_one_above_it_is_read_once(tmp_path):
    data = touch(tmp_path / "data", "a.png", "in/b.png")
    (data / "in/loop").symlink_to(data)
    (data / "self").symlink_to(".")
    assert sorted(files_by_name(data)) == ["a", "in/b"]


def test_two_links_to_one_folder_are_two_places(tmp_path):
    touch(tmp_path / "elsewhere", "a.png")
    (tmp_path / "data").mkdir()
    for name in ("x", "y"):
        (tmp_path / "data" / name).symlink_to(tmp_path / "elsewhere")
    assert sorted(files_by_name(tmp_path / "data")) == ["x/a", "y/a"]


@pytest.mark.parametrize("name", ["b.png", "folder"])
def test_a_link_that_leads_nowhere_is_an_error(tmp_path, name):
    touch(tmp_path, "a.png")
    (tmp_path / name).symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=f"link .*{name} leads to .*gone, which does not exist"):
        files_by_name(tmp_path)


def test_a_link_to_itself_is_an_error(tmp_path):
    touch(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to("b.png")
    with pytest.raises(UserError, match="link .*b.png leads to .*, which does not exist"):
        files_by_name(tmp_path)


def test_hidden_files_and_folders_are_left_out_but_the_folder_itself_may_be_hidden(tmp_path):
    data = touch(
        tmp_path / ".data", "a.png", ".b.png", ".thumbnails/c.png", "x/.ipynb_checkpoints/d.png",
        "__MACOSX/e.png", "x/@eaDir/f.png", "x/g.png",
    )  # fmt: skip
    assert sorted(files_by_name(data)) == ["a", "x/g"]
    assert not find_images(data).ignored


def test_what_is_not_read_is_counted_by_ending(tmp_path):
    touch(tmp_path, "a.png", "b.npz", "c.npz", "d/e.heic", "README", "Thumbs.db")
    (note,) = ignored_notes([tmp_path])
    assert (
        note == f"4 other files are not read in {tmp_path}: 1 .heic, 2 .npz, 1 without an ending."
    )


def test_a_folder_without_images_names_what_is_there(tmp_path):
    touch(tmp_path, "b.npz")
    with pytest.raises(UserError, match=r"holds no image .*1 other file is not read .*1 \.npz"):
        files_by_name(tmp_path)


def test_names_are_compared_in_one_unicode_form(tmp_path):
    name = "straße_über_café"
    touch(tmp_path / "nfd", unicodedata.normalize("NFD", f"é/{name}") + ".png")
    touch(tmp_path / "nfc", unicodedata.normalize("NFC", f"é/{name}") + ".png")
    assert files_by_name(tmp_path / "nfd").keys() == files_by_name(tmp_path / "nfc").keys()


def test_two_spellings_of_one_name_in_one_folder_are_refused(tmp_path):
    touch(tmp_path, unicodedata.normalize("NFD", "é.png"), unicodedata.normalize("NFC", "é.png"))
    with pytest.raises(UserError, match="would be the same scene"):
        files_by_name(tmp_path)


def test_two_formats_of_one_name_are_refused(tmp_path):
    with pytest.raises(UserError, match="would be the same scene 'a'"):
        files_by_name(touch(tmp_path, "a.png", "a.webp"))


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path):
    data = touch(tmp_path / "data", "a.png", "shut/b.png")
    (data / "shut").chmod(0)
    if os.access(data / "shut", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(UserError, match="shut cannot be read"):
        files_by_name(data)


def test_files_come_in_the_order_of_their_names(tmp_path):
    touch(tmp_path, "b/1.png", "a.png", "b/0.png", "c.png")
    found = [path.relative_to(tmp_path).as_posix() for path in walk_files(tmp_path)]
    assert found == ["a.png", "b/0.png", "b/1.png", "c.png"]


def test_short_names_are_the_files_own_unless_two_towns_share_one(tmp_path):
    one = [tmp_path / "a/x_l.png", tmp_path / "b/y_l.png"]
    assert short_names(one, tmp_path, "_l.png") == ["x", "y"]
    two = [tmp_path / "a/x_l.png", tmp_path / "b/x_l.png", tmp_path / "b/y_l.png"]
    assert short_names(two, tmp_path, "_l.png") == ["a/x", "b/x", "b/y"]
