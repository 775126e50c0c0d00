"""The editor's web server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import FileResponse, PlainTextResponse

from i2ibench.apps.editor.connection import Connection, Page
from i2ibench.apps.editor.editor import Editor
from i2ibench.apps.editor.messages import TOKEN
from i2ibench.apps.editor.scene import Scene
from i2ibench.apps.editor.scene_files import encode_png, scene_zip
from i2ibench.apps.editor.session import Session
from i2ibench.apps.editor.sessions import IDLE_SECONDS, Autosave, Sessions
from i2ibench.apps.web.access_key import AccessKey
from i2ibench.apps.web.same_origin import PathPrefix, SameOrigin
from i2ibench.apps.web.serving import HEADERS, add_headers, attachment, static_files
from i2ibench.apps.web.web_addresses import check_public_url
from i2ibench.errors import UserError

STATIC = Path(__file__).with_name("static")


def create_app(
    editor: Editor, folder: Path, host: str, port: int, public_url: str = "", key: str | None = None
) -> FastAPI:
    """Return the editor's web application, with its page, its WebSocket and its downloads.

    The folder is made if it is missing. When the application ends, it waits for the autosaves.

    Args:
        editor: the checkpoint and the data to edit.
        folder: the folder of the autosaves.
        host: the address that the server listens on. It decides which requests are refused.
        port: the port that the server listens on.
        public_url: the page's address, with its path, if a proxy stands before the server. "" is no
            proxy.
        key: the key that a browser has to know, see `AccessKey`; None lets every browser in.

    Raises:
        UserError: the public address is no web address.
    """
    check_public_url(public_url)
    sessions = Sessions(editor, folder)
    network = ThreadPoolExecutor(1, "network")  # one thread is the lock around the network
    uploads = ThreadPoolExecutor(1, "uploads")
    autosave = Autosave(sessions)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        idle = asyncio.create_task(_drop_idle(sessions))
        yield
        idle.cancel()
        await autosave.finish()
        for threads in (network, uploads):
            threads.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", static_files(STATIC), name="static")

    @app.exception_handler(UserError)
    async def mistake(request: Request, error: UserError) -> Response:
        return PlainTextResponse(str(error).encode(errors="replace"), status_code=400)

    add_headers(app, _headers(public_url))
    app.add_middleware(PathPrefix, public_url=public_url)
    if key is not None:
        app.add_middleware(AccessKey, key=key, port=port, public_url=public_url)
    # The middleware that is added last is called first.
    app.add_middleware(SameOrigin, host=host, port=port, public_url=public_url)

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.websocket("/ws")
    async def connect(socket: WebSocket) -> None:
        await socket.accept()
        await Connection(Page(socket), sessions, network, uploads, autosave).serve()

    _add_downloads(app, sessions, network)
    return app


def _headers(public_url: str) -> dict[str, str]:
    """Return the headers of every response, which allow a socket to the public address, too."""
    parts = urlsplit(public_url)
    socket = f" {parts.scheme.replace('http', 'ws')}://{parts.netloc}" if public_url else ""
    policy = HEADERS["Content-Security-Policy"]
    return {
        **HEADERS,
        "Content-Security-Policy": policy.replace("ws://{host}", "ws://{host}" + socket),
    }


def _add_downloads(app: FastAPI, sessions: Sessions, network: ThreadPoolExecutor) -> None:
    """Add the routes that return a session's image, first image and photo as PNG, and scene as zip.

    The first image is that of the scene as it was opened.
    """

    async def respond(
        make: Callable[[], bytes], media_type: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        content = await asyncio.get_running_loop().run_in_executor(network, make)
        return Response(content, media_type=media_type, headers=headers)

    @app.get("/export/{token}/picture.png")
    async def image(token: str) -> Response:
        session = _session_of(sessions, token)
        headers = attachment(session.scene.name, ".png")
        return await respond(lambda: _png_of(session, session.scene), "image/png", headers)

    @app.get("/first/{token}.png")
    async def first(token: str) -> Response:
        session = _session_of(sessions, token)
        return await respond(lambda: _png_of(session, session.first), "image/png")

    @app.get("/export/{token}/scene.zip")
    async def scene(token: str) -> Response:
        session = _session_of(sessions, token)
        return await respond(
            lambda: scene_zip(session.scene, sessions.editor.classes), "application/zip",
            attachment(session.scene.name, ".zip"),
        )  # fmt: skip

    @app.get("/photo/{token}.png")
    async def photo(token: str) -> Response:
        pixels = _session_of(sessions, token).photo
        if pixels is None:
            raise HTTPException(404, "The scene has no photo.")
        return await respond(lambda: encode_png(pixels), "image/png")


def _session_of(sessions: Sessions, token: str) -> Session:
    """Return the session of a token in an address from memory."""
    session = sessions.get(token) if TOKEN.fullmatch(token) else None
    if session is None:
        raise HTTPException(404, "There is no such session.")
    return session


def _png_of(session: Session, scene: Scene) -> bytes:
    """Return the image of a session's scene as PNG, rendered if the session has not kept it."""
    pixels = session.image_of(scene)
    if pixels is None:
        pixels = session.editor.renderer.image(scene)
        session.keep(scene, pixels)
    return encode_png(pixels)


async def _drop_idle(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(IDLE_SECONDS / 10)
        sessions.drop_idle()
