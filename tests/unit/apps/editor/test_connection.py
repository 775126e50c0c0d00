"""The painter: what it paints first, and when it stops."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from i2ibench.apps.editor.connection import ImageStream, preview_scale
from i2ibench.apps.editor.editor import open_editor
from i2ibench.apps.editor.sessions import Sessions
from tests.unit.apps.editor.conftest import open_small


class SlowRenderer:
    """Paints for a minute, layer by layer, unless it is stopped."""

    has_styles = False

    def __init__(self):
        self.scales, self.started, self.seconds = [], threading.Event(), 0.0

    def image(self, scene, step, on_progress):
        began = time.monotonic()
        self.scales.append(step)
        self.started.set()
        try:
            for layer in range(6000):
                on_progress(layer / 6000)
                time.sleep(0.01)
        finally:
            self.seconds = time.monotonic() - began


@pytest.fixture
def session(tmp_path):
    editor = replace(open_editor(open_small()), renderer=SlowRenderer())
    return Sessions(editor, tmp_path).enter(None)


async def begin_and_leave(session):
    """A painter paints the session's scene until nobody waits for it, which is at once."""
    with ThreadPoolExecutor(1) as network:
        painter = ImageStream(None, network)
        painting = asyncio.create_task(painter.run())
        painter.wake(session)
        await asyncio.to_thread(session.editor.renderer.started.wait)
        painting.cancel()
        await asyncio.gather(painting, return_exceptions=True)


def test_an_image_that_nobody_waits_for_is_given_up(session):
    asyncio.run(begin_and_leave(session))  # the executor ends when its thread does
    assert session.editor.renderer.seconds < 10


def test_a_stroke_before_the_first_image_gets_the_coarsest_preview(session, monkeypatch):
    monkeypatch.setattr(type(session), "brushing", True)
    asyncio.run(begin_and_leave(session))
    assert session.editor.renderer.scales == [4]


def test_previews_are_the_coarser_the_longer_a_image_takes():
    expected = {0.0: 1, 0.15: 1, 0.16: 2, 0.6: 2, 0.61: 4, float("inf"): 4}
    assert {seconds: preview_scale(seconds) for seconds in expected} == expected
