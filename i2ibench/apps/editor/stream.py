"""Images for one page: one in the making at a time, always of the newest state."""

import asyncio
import math
import time
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.editor import frames
from i2ibench.apps.editor.messages import frame
from i2ibench.apps.editor.page import Page, PageLeft
from i2ibench.apps.editor.scene import Scene
from i2ibench.apps.editor.session import Session

PROGRESS_AFTER = 0.5
PROGRESS_EVERY = 0.1


class Superseded(Exception):
    """Nobody waits for the image: the page has left, or a stroke has begun and needs previews."""


class ImageStream:
    """Sends a page images of its session.

    Args:
        page: gets them.
        network: runs the networks, one thing at a time.
    """

    def __init__(self, page: Page, network: Executor) -> None:
        self._page, self._network = page, network
        self._wake = asyncio.Event()
        self._session: Session | None = None
        self._sent: tuple[Scene, NDArray[np.uint8]] | None = None
        self._seconds_per_pixel = math.inf  # of a whole image; not known yet
        self._left = False

    def wake(self, session: Session) -> None:
        """Note that the session has changed."""
        self._session = session
        self._wake.set()

    def forget(self) -> None:
        """Send the next image whole."""
        self._sent = None

    async def run(self) -> None:
        """Send an image whenever something has changed, until the page leaves."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                assert self._session is not None
                try:
                    await self._paint(self._session)
                except Superseded:
                    self._wake.set()
                except PageLeft:
                    raise
                except Exception as error:
                    await self._page.fail(None, error)
        except PageLeft:
            pass
        finally:
            self._left = True  # ends what the network's thread still paints

    async def _paint(self, session: Session) -> None:
        state, brushing = session.snapshot(), session.brushing
        pixels_in_all = math.prod(state.scene.size)
        scale = preview_scale(self._seconds_per_pixel * pixels_in_all) if brushing else 1
        watch = _ProgressReporter(self._page, state.version, asyncio.get_running_loop())

        def work() -> tuple[NDArray[np.uint8], float]:
            watch.begin()

            def layer_done(fraction: float) -> None:
                if self._left or (session.brushing and not brushing):
                    raise Superseded
                watch.tell(fraction)

            pixels = session.editor.renderer.image(state.scene, scale, layer_done)
            return pixels, watch.seconds

        pixels, seconds = await watch.loop.run_in_executor(self._network, work)
        size, version = state.scene.size, state.version
        if brushing:
            made = await asyncio.to_thread(frames.preview, pixels, size, scale, version, seconds)
        else:
            before = self._sent[1] if self._sent and self._sent[0] is state.first else None
            made = await asyncio.to_thread(frames.image, pixels, before, version, seconds)
        if session.first is not state.first:  # another scene was opened meanwhile
            return
        if not brushing or math.isinf(self._seconds_per_pixel):
            self._seconds_per_pixel = seconds * scale**2 / pixels_in_all
        if not brushing:
            self._sent = state.first, pixels
            session.keep(state.scene, pixels)
        await self._page.send(made)


class _ProgressReporter:
    """Tells a page how far an image is, once it has taken long."""

    def __init__(self, page: Page, version: int, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._page, self._version = page, version
        self.begin()

    def begin(self) -> None:
        """Start the clock."""
        self._began, self._next = time.perf_counter(), PROGRESS_AFTER

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._began

    def tell(self, fraction: float) -> None:
        """Send a frame now and then; called from the network's thread."""
        if self.seconds < self._next:
            return
        self._next = self.seconds + PROGRESS_EVERY
        told = frame(type="progress", fraction=round(fraction, 3), version=self._version)
        asyncio.run_coroutine_threadsafe(self._page.send(told), self.loop)


def preview_scale(seconds: float) -> int:
    """How much smaller a preview is, from the time that a whole image takes."""
    if seconds <= 0.15:
        return 1
    return 2 if seconds <= 0.6 else 4
