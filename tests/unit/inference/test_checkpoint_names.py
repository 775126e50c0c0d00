"""What a user may write for a checkpoint."""

from pathlib import Path

import pytest

from i2ibench.errors import UserError
from i2ibench.inference import checkpoint_names
from i2ibench.inference.checkpoint_names import example_scenes, find_checkpoint, shipped_systems


@pytest.fixture(autouse=True)
def systems(tmp_path, monkeypatch):
    """A package with one system, and an empty folder to work in."""
    file = tmp_path / "package" / "town" / "town.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    monkeypatch.setattr(checkpoint_names, "_SYSTEMS", tmp_path / "package")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return {"town": file}


def test_a_file_is_itself_whatever_its_name(systems):
    Path("town").write_bytes(b"the user's own")
    assert find_checkpoint("town") == Path("town")
    assert example_scenes(Path("town")) is None


def test_a_name_is_that_of_a_system_in_the_package(systems):
    assert shipped_systems() == systems
    assert find_checkpoint("town") == systems["town"]
    assert example_scenes(systems["town"]) == systems["town"].parent / "scenes"


def test_a_folder_without_a_run_does_not_hide_the_package(systems):
    Path("town").mkdir()
    assert find_checkpoint("town") == systems["town"]


def test_a_run_is_its_newest_epoch(monkeypatch):
    newest = Path("run/epoch_0002.pth")
    Path("run").mkdir()
    monkeypatch.setattr(checkpoint_names, "newest_of_run", {Path("run"): newest}.get)
    assert find_checkpoint("run") == newest


def test_everything_else_is_refused_with_what_there_is():
    with pytest.raises(UserError, match=r"no checkpoint at twn\. Did you mean 'town'\?.*: town\."):
        find_checkpoint("twn")
    with pytest.raises(UserError, match="spade_toystreet is a config.*train spade_toystreet"):
        find_checkpoint("spade_toystreet")
    Path("empty").mkdir()
    with pytest.raises(UserError, match="empty has no checkpoint of a complete epoch"):
        find_checkpoint("empty")
