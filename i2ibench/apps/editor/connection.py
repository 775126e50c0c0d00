"""The connection of one page: requests come in, answers and images go out."""

import asyncio
import contextlib
import math
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

import numpy as np
from fastapi import WebSocket
from numpy.typing import NDArray

from i2ibench.apps.editor import frames
from i2ibench.apps.editor.messages import (
    ClassRequest,
    HelloRequest,
    InstanceRequest,
    MalformedMessage,
    Request,
    frame,
    parse,
)
from i2ibench.apps.editor.scene import Scene
from i2ibench.apps.editor.session import Outcome, Session
from i2ibench.apps.editor.sessions import Autosave, Sessions
from i2ibench.apps.web.connection_limits import SETTLE
from i2ibench.errors import UserError

Result = TypeVar("Result")

MAX_SIDE_TASKS = 8
"""The most requests of one page that may be answered beside the others at once."""
PROGRESS_AFTER = 0.5
"""Seconds of rendering after which a page hears of the progress."""
PROGRESS_EVERY = 0.1


class PageLeft(Exception):
    """An error that says that the page has closed the connection."""


class Superseded(Exception):
    """An error that ends a rendering: the page has left, or a stroke needs previews."""


class Page:
    """A page at the other end of a WebSocket.

    Args:
        socket: an accepted WebSocket.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._sending = asyncio.Lock()

    def settle(self, settled: bool) -> None:
        """End the server's time limit for pages without a session, or start it again if False."""
        tell_server = self._socket.scope.get("state", {}).get(SETTLE)
        if tell_server is not None:
            tell_server(settled)

    async def receive(self) -> str | bytes:
        """Wait for the page's next WebSocket message and return its text or its bytes.

        Raises:
            PageLeft: the page has closed the connection.
        """
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise PageLeft
        text = message.get("text")
        return text if text is not None else message.get("bytes", b"")

    async def send(self, data: bytes) -> None:
        """Send the page a binary WebSocket message, after those that are being sent.

        Raises:
            PageLeft: the page has closed the connection, or sending fails.
        """
        try:
            async with self._sending:
                await self._socket.send_bytes(data)
        except Exception as error:  # servers raise different errors for a closed socket
            raise PageLeft from error

    async def fail(self, number: int | None, error: Exception) -> None:
        """Send the page an error message, and print the traceback of any error but a UserError.

        Args:
            number: the number of the request that failed; None if it was no request.
            error: the failure.

        Raises:
            PageLeft: the page has closed the connection.
        """
        message = str(error)
        if not isinstance(error, UserError):
            traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
            message = f"{type(error).__name__}: {error}"
        await self.send(frame(type="error", id=number, message=message[:2000]))


class ImageStream:
    """Sends a page images of its session: one at a time, always of the newest state.

    Args:
        page: receives the images.
        network: an executor that runs the networks, one task at a time.
    """

    def __init__(self, page: Page, network: Executor) -> None:
        self._page, self._network = page, network
        self._wake = asyncio.Event()
        self._session: Session | None = None
        self._sent: tuple[Scene, NDArray[np.uint8]] | None = None
        self._seconds_per_pixel = math.inf  # of a whole image; not measured yet
        self._left = False

    def wake(self, session: Session) -> None:
        """Let `run` send an image of this session, because it has changed; return at once."""
        self._session = session
        self._wake.set()

    def forget(self) -> None:
        """Let the next image be sent whole, not as the difference from the last one."""
        self._sent = None

    async def run(self) -> None:
        """Send the page images of the session that `wake` was given, until the page leaves.

        Several wakes during a rendering lead to one more image. Images during a stroke are
        previews, which may be smaller. Rendering errors are sent to the page and do not end this.
        """
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                assert self._session is not None
                try:
                    await self._stream_image(self._session)
                except Superseded:
                    self._wake.set()
                except PageLeft:
                    raise
                except Exception as error:
                    await self._page.fail(None, error)
        except PageLeft:
            pass
        finally:
            self._left = True  # stops the rendering in the network's thread

    async def _stream_image(self, session: Session) -> None:
        state, brushing = session.snapshot(), session.brushing
        num_pixels = math.prod(state.scene.size)
        scale = preview_scale(self._seconds_per_pixel * num_pixels) if brushing else 1
        reporter = _ProgressReporter(self._page, state.version, asyncio.get_running_loop())

        def render() -> tuple[NDArray[np.uint8], float]:
            reporter.begin()

            def layer_done(fraction: float) -> None:
                if self._left or (session.brushing and not brushing):
                    raise Superseded
                reporter.report(fraction)

            pixels = session.editor.renderer.image(state.scene, scale, layer_done)
            return pixels, reporter.seconds

        pixels, seconds = await reporter.loop.run_in_executor(self._network, render)
        size, version = state.scene.size, state.version
        if brushing:
            data = await asyncio.to_thread(frames.preview, pixels, size, scale, version, seconds)
        else:
            before = self._sent[1] if self._sent and self._sent[0] is state.first else None
            data = await asyncio.to_thread(frames.image, pixels, before, version, seconds)
        if session.first is not state.first:  # another scene was opened meanwhile
            return
        if not brushing or math.isinf(self._seconds_per_pixel):
            self._seconds_per_pixel = seconds * scale**2 / num_pixels
        if not brushing:
            self._sent = state.first, pixels
            session.keep(state.scene, pixels)
        await self._page.send(data)


class _ProgressReporter:
    """Sends a page the progress of an image that takes long."""

    def __init__(self, page: Page, version: int, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._page, self._version = page, version
        self.begin()

    def begin(self) -> None:
        """Start the clock of this image, from which PROGRESS_AFTER and `seconds` are counted."""
        self._began, self._next = time.perf_counter(), PROGRESS_AFTER

    @property
    def seconds(self) -> float:
        """Return the seconds since `begin`."""
        return time.perf_counter() - self._began

    def report(self, fraction: float) -> None:
        """Send the page the fraction of the image that is done, 0..1, and return at once.

        Reports before PROGRESS_AFTER seconds, or within PROGRESS_EVERY of another, are left out.
        """
        if self.seconds < self._next:
            return
        self._next = self.seconds + PROGRESS_EVERY
        data = frame(type="progress", fraction=round(fraction, 3), version=self._version)
        asyncio.run_coroutine_threadsafe(self._page.send(data), self.loop)


def preview_scale(seconds: float) -> int:
    """Return how many times smaller a preview is, 1, 2 or 4, if a whole image takes `seconds`."""
    if seconds <= 0.15:
        return 1
    return 2 if seconds <= 0.6 else 4


class Connection:
    """Answers the requests of one page.

    Args:
        page: sends the requests.
        sessions: the sessions of all pages.
        network: an executor that runs all work with the networks, one task at a time.
        uploads: an executor that unpacks uploads, one at a time, because each may need hundreds of
            megabytes of memory.
        autosave: writes sessions to disk.
    """

    def __init__(
        self,
        page: Page,
        sessions: Sessions,
        network: Executor,
        uploads: Executor,
        autosave: Autosave,
    ) -> None:
        self._page, self._sessions = page, sessions
        self._network, self._autosave = network, autosave
        self._executors = {"style_from_photo": network, "upload": uploads}
        self._images = ImageStream(page, network)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: Session | None = None

    async def serve(self) -> None:
        """Answer the page's requests in order and send images, until the page leaves.

        An unfinished stroke is then saved, and the session is marked as left by its page.
        """
        streaming = asyncio.create_task(self._images.run())
        try:
            while True:
                await self._answer(await self._page.receive())
        except PageLeft:
            pass
        finally:
            self._leave()  # before any await, because this task may be cancelled as well
            for task in (streaming, *self._tasks):
                task.cancel()
            await asyncio.gather(streaming, *self._tasks, return_exceptions=True)

    async def _answer(self, message: str | bytes) -> None:
        """Do what a message asks for. Every error but PageLeft is sent to the page."""
        number: int | None = None
        try:
            request = parse(message)
            number = request.id
            await self._do(request)
        except PageLeft:
            raise
        except MalformedMessage as error:
            await self._page.fail(error.id, error)
        except Exception as error:
            await self._page.fail(number, error)

    async def _do(self, request: Request) -> None:
        if isinstance(request, HelloRequest):
            await self._enter(request)
            return
        if self._session is None:
            raise UserError("The first request of a connection is hello.")
        if request.type in ("thumbnails", "stamps"):
            self._answer_later(self._show(self._session, request))
        elif request.type == "render":
            self._images.forget()
            self._images.wake(self._session)
            await self._page.send(_done(request, self._session))
        else:
            await self._edit(self._session, request)

    async def _enter(self, request: HelloRequest) -> None:
        if self._session is not None:
            raise UserError("This connection has said hello already.")
        self._page.settle(True)  # before entering, which may outlast the limit for silent pages
        try:
            self._session = session = await self._run(
                lambda: self._sessions.enter(request.session, request.scene)
            )
        except BaseException:
            self._page.settle(False)
            raise
        opened = await self._run(lambda: _changes(session, Outcome(finished=True, opened=True)))
        await self._send(*opened, _done(request, session))
        self._images.wake(session)

    async def _edit(self, session: Session, request: Request) -> None:
        def edit() -> tuple[Outcome, list[bytes]]:
            outcome = session.apply(request)
            return outcome, _changes(session, outcome)

        outcome, changes = await self._run(edit, self._executors.get(request.type))
        self._images.wake(session)
        if outcome.finished:
            self._autosave.save(session, self._saved)
        await self._send(*changes, _done(request, session, outcome.instance))

    async def _show(self, session: Session, request: Request) -> None:
        """Send the thumbnails or silhouettes that a request asks for, or an error message."""
        try:
            data = b""
            if isinstance(request, InstanceRequest):
                data = await self._strip(session, request.instance)
            elif isinstance(request, ClassRequest):
                data = await self._silhouettes(session, request.label)
            await self._send(data, _done(request, session))
        except PageLeft:
            pass
        except Exception as error:
            with contextlib.suppress(PageLeft):
                await self._page.fail(request.id, error)

    async def _strip(self, session: Session, instance: int) -> bytes:
        scene, renderer = session.scene, session.editor.renderer
        strip = await self._run(lambda: renderer.strip(scene, instance), self._network)
        return await self._run(lambda: frames.strip(instance, strip))

    async def _silhouettes(self, session: Session, label: int) -> bytes:
        session.editor.check_class(label)
        stamps = session.editor.stamps
        return await self._run(lambda: frames.silhouettes(label, stamps.of_class(label)))

    async def _send(self, *frames_in_order: bytes) -> None:
        for data in frames_in_order:
            await self._page.send(data)

    async def _saved(self, version: int, failure: Exception | None) -> None:
        with contextlib.suppress(PageLeft):
            if failure is None:
                await self._page.send(frame(type="saved", version=version))
                return
            await self._page.fail(None, failure)
            await self._page.send(frame(type="saved", version=version, failed=True))

    async def _run(self, work: Callable[[], Result], executor: Executor | None = None) -> Result:
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    def _answer_later(self, answer: Coroutine[Any, Any, None]) -> None:
        """Start a task for an answer, so that the next requests do not wait for it."""
        if len(self._tasks) >= MAX_SIDE_TASKS:
            answer.close()
            raise UserError("Too many such requests at once; wait for an answer.")
        task = asyncio.create_task(answer)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _leave(self) -> None:
        session = self._session
        if session is not None:
            if session.end_stroke():
                self._autosave.save(session)
            self._sessions.leave(session)


def _changes(session: Session, outcome: Outcome) -> list[bytes]:
    """Return WebSocket messages that show a page the changed scene, maps and instances."""
    changes = [frames.welcome(session), frames.maps(session)] if outcome.opened else []
    if outcome.changed is not None:
        changes.append(frames.maps(session, outcome.changed))
    if outcome.finished:
        changes.append(frames.instances(session))
    return changes


def _done(request: Request, session: Session, instance: int | None = None) -> bytes:
    about: dict[str, Any] = {} if instance is None else {"instance": instance}
    return frame(type="done", id=request.id, version=session.version, **about)
