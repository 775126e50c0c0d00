"""Sessions: the pages that they belong to, and what is left of them when files or disks fail."""

import asyncio
import errno
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from i2ibench.apps.editor.editor import open_editor
from i2ibench.apps.editor.library import EMPTY
from i2ibench.apps.editor.sessions import Autosave, Sessions
from i2ibench.errors import UserError
from tests.unit.apps.editor.conftest import open_small, write_data


@pytest.fixture
def folder(tmp_path):
    """Three scenes, the first called street0."""
    return write_data(tmp_path / "data")


@pytest.fixture
def editor(folder):
    return open_editor(open_small(), folder)


def test_a_broken_first_scene_leaves_a_canvas_and_the_others(editor, folder, tmp_path):
    (folder / "label" / "street0.png").write_bytes(b"broken")
    session = Sessions(editor, tmp_path).enter(None)
    assert session.scene.name == EMPTY
    (note,) = session.notes
    assert "street0.png" in note and "empty canvas" in note
    assert Sessions(editor, tmp_path).enter(None, "street1").scene.name == "street1"


def test_a_saved_scene_comes_back_though_its_data_is_gone(editor, folder, tmp_path):
    before = Sessions(editor, tmp_path)
    session = before.enter(None)
    before.save(session.snapshot())
    (folder / "image" / "street0.png").write_bytes(b"broken")
    again = Sessions(editor, tmp_path).enter(session.token)
    assert again.token == session.token and again.photo is None
    np.testing.assert_array_equal(again.scene.label, session.scene.label)


def test_pages_that_come_at_once_with_one_token_get_scenes_of_their_own(editor, tmp_path):
    sessions = Sessions(editor, tmp_path)
    session = sessions.enter(None)
    sessions.save(session.snapshot())
    for _ in range(10):
        sessions = Sessions(editor, tmp_path)
        together = threading.Barrier(4)

        def enter(sessions=sessions, together=together):
            together.wait()
            return sessions.enter(session.token)

        with ThreadPoolExecutor(4) as pages:
            found = [page.result() for page in [pages.submit(enter) for _ in range(4)]]
        assert len({each.token for each in found}) == 4
        assert sum(each.token == session.token for each in found) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_autosaves_are_for_their_owner_alone_and_no_name_tells_the_token(editor, tmp_path):
    folder = tmp_path / "a" / "b"
    sessions = Sessions(editor, folder)
    session = sessions.enter(None)
    for _ in range(2):
        sessions.save(session.snapshot())
        (path,) = folder.iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert session.token not in path.name and session.token.encode() not in path.read_bytes()
    assert path.stem.removeprefix("scene_") == hashlib.sha256(session.token.encode()).hexdigest()
    with pytest.raises(AssertionError):
        sessions.save(replace(session.snapshot(), token="../" + "a" * 29))


def test_autosaves_that_earlier_versions_named_by_token_are_found(editor, tmp_path):
    sessions = Sessions(editor, tmp_path)
    session = sessions.enter(None, "street1")
    sessions.save(session.snapshot())
    (path,) = tmp_path.glob("*.zip")
    path.rename(tmp_path / f"{session.token}.zip").chmod(0o644)
    (tmp_path / "mine.zip").write_bytes(b"not an autosave")
    again = Sessions(editor, tmp_path).enter(session.token)
    assert (again.token, again.scene.name) == (session.token, "street1")
    assert {p.name for p in tmp_path.glob("*.zip")} == {path.name, "mine.zip"}
    assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_told_as_such(editor, tmp_path, monkeypatch):
    sessions = Sessions(editor, tmp_path)
    session = sessions.enter(None)
    sessions.save(session.snapshot())
    before = {path: path.read_bytes() for path in tmp_path.glob("*.zip")}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "write_bytes", full)
        with pytest.raises(UserError, match="^The disk is full, so the scene was not saved"):
            sessions.save(session.snapshot())
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    sessions.save(session.snapshot())


def test_whatever_keeps_a_scene_from_being_saved_is_told(editor, tmp_path, monkeypatch, capsys):
    sessions = Sessions(editor, tmp_path)
    session = sessions.enter(None)
    told = []

    def broken(state):
        raise ValueError("a defect")

    monkeypatch.setattr(sessions, "save", broken)

    async def tell(version, failure):
        told.append((version, str(failure)))

    async def save():
        autosave = Autosave(sessions)
        autosave.save(session, tell)
        await autosave.finish()
        autosave.save(session)  # its page has left
        await autosave.finish()

    asyncio.run(save())
    assert told == [(0, "a defect")]
    assert "could not be saved: a defect" in capsys.readouterr().err


def test_the_canvas_says_that_the_checkpoints_data_is_not_there(tmp_path):
    opened = open_small()
    config = opened.config.copy()
    config.update(val_dataloader={"dataset": {"type": "X"}}, data_root=str(tmp_path / "moved"))
    session = Sessions(open_editor(replace(opened, config=config)), tmp_path).enter(None)
    (note,) = session.notes
    assert f"{tmp_path / 'moved'}" in note and "--data" in note
