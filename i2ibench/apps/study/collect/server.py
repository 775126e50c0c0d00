"""The study's web server: the page, its images, the answers, and the results for the lab."""

import asyncio
import contextlib
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

from i2ibench.apps.study.collect.messages import (
    MAX_MESSAGE_BYTES,
    Answering,
    Consenting,
    Entering,
    Kind,
    Withdrawing,
    read_message,
)
from i2ibench.apps.study.collect.page import public_study
from i2ibench.apps.study.collect.results import add_results
from i2ibench.apps.study.collect.session import (
    ParticipantSession,
    answer_in,
    completion_url,
    page_trials,
)
from i2ibench.apps.study.collect.store import Store
from i2ibench.apps.study.collect.store_errors import (
    ContinuedElsewhere,
    DiskFull,
    StoreFails,
    UnknownParticipant,
)
from i2ibench.apps.study.define.definition import is_web_address
from i2ibench.apps.study.define.study import Study
from i2ibench.apps.web.bodies import read_body
from i2ibench.apps.web.same_origin import PathPrefix, SameOrigin
from i2ibench.apps.web.serving import HEADERS, add_headers, static_files
from i2ibench.errors import UserError

STATIC = Path(__file__).with_name("static")
REFUSAL = (
    "This address is not the study's. Behind a proxy the server must be told the address that "
    "participants see: study serve --public-url"
)
_STATUS = {UnknownParticipant: 404, ContinuedElsewhere: 409}
_FAILURES: dict[
    type[UserError], tuple[int, str]
] = {  # what participants read; the page keeps the answer and sends it again
    DiskFull: (507, "The disk is full: the study's server cannot keep answers just now."),
    StoreFails: (503, "The study's server cannot read or write its answers just now."),
}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}

logger = logging.getLogger("uvicorn.error")
Result = TypeVar("Result")


class StoreExecutor:
    """Does one thing after another with the store, off the event loop: commits wait for the disk.

    Args:
        study: whose answers are kept.
    """

    def __init__(self, study: Study) -> None:
        self.study, self.store = study, Store(study)
        self._thread = ThreadPoolExecutor(1, "store")

    async def do(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """What a function gives that runs in the store's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*arguments))

    def close(self) -> None:
        """Finish what was begun, and let go of the file."""
        self._thread.shutdown()
        self.store.close()


def create_app(
    study: Study, host: str, port: int, public_url: str = "", results_key: str | None = None
) -> FastAPI:
    """The application.

    Args:
        study: that participants take part in.
        host: that the server listens on.
        port: that the server listens on.
        public_url: the page's address where a proxy stands before the server, with its path.
        results_key: opens the results from elsewhere; without it they are read on this machine
            only, and behind a proxy not at all.

    Raises:
        UserError: the study's answers cannot be opened, or the public address is none.
    """
    _check_address(public_url)
    desk = StoreExecutor(study)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", static_files(STATIC), name="static")
    _add_errors(app)
    _add_page(app, study)
    _add_sittings(app, desk)
    add_results(app, study, lambda: desk.do(desk.store.collected), results_key, bool(public_url))
    policy = HEADERS["Content-Security-Policy"].replace(" ws://{host}", "")
    add_headers(app, {**HEADERS, "Content-Security-Policy": policy})
    app.add_middleware(PathPrefix, public_url=public_url)
    app.add_middleware(
        SameOrigin, host=host, port=port, refusal=REFUSAL, public_url=public_url
    )  # the last one added is asked first
    return app


def _check_address(public_url: str) -> None:
    if public_url and not is_web_address(public_url):
        raise UserError(
            f"A public address is one such as https://lab.example/study/, not {public_url!r}."
        )


def _add_page(app: FastAPI, study: Study) -> None:
    """The page, what it says, and its images: of the study's folder nothing else."""
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
        # No FileResponse: its ETag and Last-Modified tell which files were written together.
        return Response(await asyncio.to_thread(path.read_bytes), 200, _FOREVER, "image/png")


def _add_sittings(app: FastAPI, desk: StoreExecutor) -> None:
    """What the page asks and says; every message names the participant's token."""
    store, study = desk.store, desk.study

    def shown(sitting: ParticipantSession) -> dict[str, Any]:
        begun = sitting.slot is not None and not sitting.finished
        trials = page_trials(study, sitting.slot) if begun and sitting.slot is not None else []
        url = completion_url(study, sitting.code)
        return {**asdict(sitting), "consented": sitting.consented, "trials": trials, "url": url}

    @app.post("/api/enter")
    async def enter(request: Request) -> dict[str, Any]:
        message = await _message(request, Entering)
        return await desk.do(lambda: shown(store.enter(message.token)))

    @app.post("/api/consent")
    async def consent(request: Request) -> dict[str, Any]:
        message = await _message(request, Consenting)
        agreed = message.token, message.nonce, message.simulated
        return await desk.do(lambda: shown(store.consent(*agreed)))

    @app.post("/api/answer")
    async def answer(request: Request) -> dict[str, Any]:
        message = await _message(request, Answering)
        given = answer_in(study, message.answer)
        receipt = await desk.do(store.answer, message.token, message.nonce, given)
        return {**asdict(receipt), "url": completion_url(study, receipt.code)}

    @app.post("/api/withdraw")
    async def withdraw(request: Request) -> dict[str, Any]:
        message = await _message(request, Withdrawing)
        return {"deleted": await desk.do(store.forget, message.token)}


def _add_errors(app: FastAPI) -> None:
    """Every error is {"error": message}; a defect's traceback stays in the server's log."""

    @app.exception_handler(UserError)
    async def mistake(request: Request, error: UserError) -> Response:
        if type(error) in _FAILURES:
            logger.error("%s", error)
            return _error(*_FAILURES[type(error)])
        return _error(_STATUS.get(type(error), 400), str(error))

    @app.exception_handler(AnyHTTPException)
    async def refusal(request: Request, error: AnyHTTPException) -> Response:
        return _error(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        return _error(500, "The server made a mistake; it is noted there.")


def _error(status: int, message: str) -> Response:
    # ASCII, because a message may quote half a surrogate pair, which is no UTF-8
    return Response(json.dumps({"error": message}), status, media_type="application/json")


async def _message(request: Request, kind: type[Kind]) -> Kind:
    """The message in a request."""
    return read_message(await read_body(request, MAX_MESSAGE_BYTES), kind)
