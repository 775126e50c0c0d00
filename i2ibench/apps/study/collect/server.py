"""The study's web server: the page, its images, the answers, and the results for the lab."""

import asyncio
import contextlib
import functools
import json
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from i2ibench.apps.study.collect.answer_store import (
    AnswerStore,
    ContinuedElsewhere,
    DiskFull,
    StoreFails,
    UnknownParticipant,
)
from i2ibench.apps.study.collect.messages import (
    Answering,
    Consenting,
    Entering,
    Withdrawing,
    receive_message,
)
from i2ibench.apps.study.collect.page_texts import public_study
from i2ibench.apps.study.collect.results_pages import add_results
from i2ibench.apps.study.collect.session import (
    ParticipantSession,
    completion_url,
    page_trials,
    read_study_answer,
)
from i2ibench.apps.study.define.study import Study
from i2ibench.apps.web.same_origin import PathPrefix, SameOrigin
from i2ibench.apps.web.serving import HEADERS, add_headers, static_files
from i2ibench.apps.web.web_addresses import check_public_url
from i2ibench.errors import UserError

STATIC = Path(__file__).with_name("static")
REFUSAL = (
    "This address is not the study's. Behind a proxy the server must be told the address that "
    "participants see: study serve --public-url"
)
_STATUS = {UnknownParticipant: 404, ContinuedElsewhere: 409}
_FAILURES: dict[type[UserError], tuple[int, str]] = {
    DiskFull: (507, "The disk is full: the study's server cannot keep answers just now."),
    StoreFails: (503, "The study's server cannot read or write its answers just now."),
}
"""Status and text for participants. The page keeps the answer and sends it again."""
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}

logger = logging.getLogger("uvicorn.error")
Result = TypeVar("Result")


class StoreExecutor:
    """A thread that uses the store, so that commits do not block the event loop.

    Args:
        study: the study whose answers are kept.
    """

    def __init__(self, study: Study) -> None:
        self.study, self.store = study, AnswerStore(study)
        self._thread = ThreadPoolExecutor(1, "store")

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function in the store's thread, and return its result.

        Calls run one after the other. An exception of the function is raised here.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*arguments))

    def close(self) -> None:
        """Wait for all functions that `run` was given, and close the store of answers."""
        self._thread.shutdown()
        self.store.close()


def create_app(
    study: Study, host: str, port: int, public_url: str = "", results_key: str | None = None
) -> FastAPI:
    """Return the web application of a study; it opens the answers now and closes them at its end.

    Args:
        study: the study that participants take part in.
        host: the address that the server listens on.
        port: the port that the server listens on.
        public_url: the page's address, with its path, if a proxy stands before the server. "" is no
            proxy.
        results_key: lets other machines read the results. Without a key, only this machine can
            read the results, and nobody can behind a proxy.

    Raises:
        UserError: the study's answers cannot be opened, or the public address is no web address.
    """
    check_public_url(public_url)
    executor = StoreExecutor(study)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        executor.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", static_files(STATIC), name="static")
    _add_errors(app)
    _add_page(app, study)
    _add_sessions(app, executor)
    collect = functools.partial(executor.run, executor.store.collected)
    add_results(app, study, collect, results_key, bool(public_url))
    policy = HEADERS["Content-Security-Policy"].replace(" ws://{host}", "")
    add_headers(app, {**HEADERS, "Content-Security-Policy": policy})
    app.add_middleware(PathPrefix, public_url=public_url)
    app.add_middleware(  # the middleware that is added last is called first
        SameOrigin, host=host, port=port, refusal=REFUSAL, public_url=public_url
    )
    return app


def _add_page(app: FastAPI, study: Study) -> None:
    """Make an application serve `/`, the page; `/api/study`, its texts; and `/pictures/*.png`.

    No other file of the study's folder is served. A missing image gets status 404.
    """
    images = {study.image_id(*key): study.image_path(*key) for key in study.image_keys}

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/api/study")
    async def texts() -> dict[str, Any]:
        return public_study(study)

    @app.get("/pictures/{name}.png")
    async def image(name: str) -> Response:
        path = images.get(name)
        if path is None or not path.is_file():
            raise HTTPException(404, "There is no such picture.")
        # No FileResponse: its ETag and Last-Modified reveal which files were written together.
        return Response(await asyncio.to_thread(path.read_bytes), 200, _FOREVER, "image/png")


def _add_sessions(app: FastAPI, executor: StoreExecutor) -> None:
    """Make an application answer the page's posts to `/api/enter`, `consent`, `answer`, `withdraw`.

    Every message names the participant's token, except that of a new participant who enters.
    """
    store, study = executor.store, executor.study

    def as_json(session: ParticipantSession) -> dict[str, Any]:
        trials = []
        if session.slot is not None and not session.finished:
            trials = page_trials(study, session.slot)
        url = completion_url(study, session.code)
        return {**asdict(session), "consented": session.consented, "trials": trials, "url": url}

    @app.post("/api/enter")
    async def enter(request: Request) -> dict[str, Any]:
        message = await receive_message(request, Entering)
        return await executor.run(lambda: as_json(store.enter(message.token)))

    @app.post("/api/consent")
    async def consent(request: Request) -> dict[str, Any]:
        message = await receive_message(request, Consenting)
        arguments = message.token, message.nonce, message.simulated
        return await executor.run(lambda: as_json(store.consent(*arguments)))

    @app.post("/api/answer")
    async def answer(request: Request) -> dict[str, Any]:
        message = await receive_message(request, Answering)
        content = read_study_answer(study, message.answer)
        receipt = await executor.run(store.answer, message.token, message.nonce, content)
        return {**asdict(receipt), "url": completion_url(study, receipt.code)}

    @app.post("/api/withdraw")
    async def withdraw(request: Request) -> dict[str, Any]:
        message = await receive_message(request, Withdrawing)
        return {"deleted": await executor.run(store.forget, message.token)}


def _add_errors(app: FastAPI) -> None:
    """Make an application answer every error with {"error": message} and a fitting status.

    Tracebacks stay in the server's log. If the store of answers fails, participants get a general
    text, and the log has the cause.
    """

    @app.exception_handler(UserError)
    async def user_error(request: Request, error: UserError) -> Response:
        if type(error) in _FAILURES:
            logger.error("%s", error)
            return _error(*_FAILURES[type(error)])
        return _error(_STATUS.get(type(error), 400), str(error))

    @app.exception_handler(AnyHTTPException)
    async def http_error(request: Request, error: AnyHTTPException) -> Response:
        return _error(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        return _error(500, "The server made a mistake; it is noted there.")


def _error(status: int, message: str) -> Response:
    # ASCII, because a message may quote half a surrogate pair, which UTF-8 cannot encode
    return Response(json.dumps({"error": message}), status, media_type="application/json")
