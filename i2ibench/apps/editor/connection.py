"""One page's connection: its requests in, the answers out."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from i2ibench.apps.editor import frames
from i2ibench.apps.editor.autosave import Autosave
from i2ibench.apps.editor.messages import MalformedMessage, Request, frame, parse
from i2ibench.apps.editor.page import Page, PageLeft
from i2ibench.apps.editor.session import Outcome, Session
from i2ibench.apps.editor.sessions import Sessions
from i2ibench.apps.editor.stream import ImageStream
from i2ibench.errors import UserError

Result = TypeVar("Result")

MAX_SIDE_TASKS = 8


class Connection:
    """One page's connection.

    Args:
        page: sends requests.
        sessions: all sessions.
        network: runs everything that needs the network, one at a time.
        uploads: unpacks uploads, one at a time, because each may take hundreds of megabytes.
        autosave: writes sessions.
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
        self._threads = {"style_from_photo": network, "upload": uploads}
        self._painter = ImageStream(page, network)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: Session | None = None

    async def serve(self) -> None:
        """Answer until the page leaves."""
        painting = asyncio.create_task(self._painter.run())
        try:
            while True:
                await self._answer(await self._page.receive())
        except PageLeft:
            pass
        finally:
            self._leave()  # before anything that waits: this task may be cancelled as well
            for task in (painting, *self._tasks):
                task.cancel()
            await asyncio.gather(painting, *self._tasks, return_exceptions=True)

    async def _answer(self, message: str | bytes) -> None:
        """Do what a message asks for; whatever goes wrong becomes an error frame."""
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
        if request.type == "hello":
            await self._enter(request)
            return
        if self._session is None:
            raise UserError("The first request of a connection is hello.")
        if request.type in ("thumbnails", "stamps"):
            self._aside(self._show(self._session, request))
        elif request.type == "render":
            self._painter.forget()
            self._painter.wake(self._session)
            await self._page.send(_done(request, self._session))
        else:
            await self._edit(self._session, request)

    async def _enter(self, request: Request) -> None:
        if self._session is not None:
            raise UserError("This connection has said hello already.")
        fields = request.fields

        def work() -> Session:
            return self._sessions.enter(fields.get("session"), fields.get("scene"))

        self._page.settle(True)  # before the work, which may take longer than a page may be silent
        try:
            self._session = session = await self._run(work)
        except BaseException:
            self._page.settle(False)
            raise
        news = await self._run(lambda: _news(session, Outcome(finished=True, opened=True)))
        await self._tell(news, _done(request, session))
        self._painter.wake(session)

    async def _edit(self, session: Session, request: Request) -> None:
        def work() -> tuple[Outcome, list[bytes]]:
            outcome = session.apply(request)
            return outcome, _news(session, outcome)

        outcome, news = await self._run(work, self._threads.get(request.type))
        self._painter.wake(session)
        if outcome.finished:
            self._autosave.save(session, self._saved)
        await self._tell(news, _done(request, session, outcome.instance))

    async def _show(self, session: Session, request: Request) -> None:
        """Answer a request that changes nothing and may take long."""
        try:
            if request.type == "thumbnails":
                made = await self._strip(session, request.fields["instance"])
            else:
                made = await self._silhouettes(session, request.fields["label"])
            await self._tell([made], _done(request, session))
        except PageLeft:
            pass
        except Exception as error:
            with contextlib.suppress(PageLeft):
                await self._page.fail(request.id, error)

    async def _strip(self, session: Session, instance: int) -> bytes:
        scene, renderer = session.scene, session.editor.renderer
        made = await self._run(lambda: renderer.strip(scene, instance), self._network)
        return await self._run(lambda: frames.strip(instance, made))

    async def _silhouettes(self, session: Session, label: int) -> bytes:
        session.editor.check_class(label)
        stamps = session.editor.stamps
        return await self._run(lambda: frames.silhouettes(label, stamps.of_class(label)))

    async def _tell(self, news: list[bytes], done: bytes) -> None:
        for each in (*news, done):
            await self._page.send(each)

    async def _saved(self, version: int, failure: Exception | None) -> None:
        with contextlib.suppress(PageLeft):
            if failure is None:
                await self._page.send(frame(type="saved", version=version))
                return
            await self._page.fail(None, failure)
            await self._page.send(frame(type="saved", version=version, failed=True))

    async def _run(self, work: Callable[[], Result], executor: Executor | None = None) -> Result:
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    def _aside(self, answer: Coroutine[Any, Any, None]) -> None:
        """Let an answer come later than those to the next requests."""
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


def _news(session: Session, outcome: Outcome) -> list[bytes]:
    """The frames about what a request did, in order."""
    news = [frames.welcome(session), frames.maps(session)] if outcome.opened else []
    if outcome.changed is not None:
        news.append(frames.maps(session, outcome.changed))
    if outcome.finished:
        news.append(frames.instances(session))
    return news


def _done(request: Request, session: Session, instance: int | None = None) -> bytes:
    about: dict[str, Any] = {} if instance is None else {"instance": instance}
    return frame(type="done", id=request.id, version=session.version, **about)
