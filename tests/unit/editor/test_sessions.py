"""Sessions: whom they belong to, and what is left of them when files or disks fail."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from i2ibench.editor.autosave import Autosave
from i2ibench.editor.library import EMPTY
from i2ibench.editor.sessions import Sessions
from i2ibench.editor.studio import open_studio
from tests.unit.editor.conftest import open_small, write_data


@pytest.fixture
def folder(tmp_path):
    """Three scenes, the first called street0."""
    return write_data(tmp_path / "data")


@pytest.fixture
def studio(folder):
    return open_studio(open_small(), folder)


def test_a_broken_first_scene_leaves_a_canvas_and_the_others(studio, folder, tmp_path):
    (folder / "label" / "street0.png").write_bytes(b"broken")
    session = Sessions(studio, tmp_path).enter(None)
    assert session.scene.name == EMPTY
    (note,) = session.notes
    assert "street0.png" in note and "empty canvas" in note
    assert Sessions(studio, tmp_path).enter(None, "street1").scene.name == "street1"


def test_a_saved_scene_comes_back_though_its_data_is_gone(studio, folder, tmp_path):
    before = Sessions(studio, tmp_path)
    session = before.enter(None)
    before.save(session.snapshot())
    (folder / "image" / "street0.png").write_bytes(b"broken")
    again = Sessions(studio, tmp_path).enter(session.token)
    assert again.token == session.token and again.photo is None
    np.testing.assert_array_equal(again.scene.label, session.scene.label)


def test_pages_that_come_at_once_with_one_token_get_scenes_of_their_own(studio, tmp_path):
    sessions = Sessions(studio, tmp_path)
    session = sessions.enter(None)
    sessions.save(session.snapshot())
    for _ in range(10):
        sessions = Sessions(studio, tmp_path)
        together = threading.Barrier(4)

        def enter(sessions=sessions, together=together):
            together.wait()
            return sessions.enter(session.token)

        with ThreadPoolExecutor(4) as pages:
            found = [page.result() for page in [pages.submit(enter) for _ in range(4)]]
        assert len({each.token for each in found}) == 4
        assert sum(each.token == session.token for each in found) == 1


def test_whatever_keeps_a_scene_from_being_saved_is_told(studio, tmp_path, monkeypatch, capsys):
    sessions = Sessions(studio, tmp_path)
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
    session = Sessions(open_studio(replace(opened, config=config)), tmp_path).enter(None)
    (note,) = session.notes
    assert f"{tmp_path / 'moved'}" in note and "--data" in note
