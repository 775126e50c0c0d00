"""The path under which a proxy shows a server."""

from urllib.parse import urlsplit

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class PathPrefix:
    """Answers under the public address's path as under none, whether the proxy strips it or not.

    Args:
        app: what is served.
        public_url: the address that browsers see, such as https://lab.example/study/.
    """

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app, self._prefix = app, urlsplit(public_url).path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the prefix without its slash is led to the one with it."""
        path = scope.get("path", "")
        if scope["type"] == "http" and self._prefix and path == self._prefix:
            await RedirectResponse(f"{self._prefix}/")(scope, receive, send)
        elif self._prefix and path.startswith(f"{self._prefix}/"):
            await self._app({**scope, "path": path[len(self._prefix) :]}, receive, send)
        else:
            await self._app(scope, receive, send)
