"""Who may read what participants answered: this machine, or whoever has the key."""

import hmac
import ipaddress
from collections.abc import Mapping

from starlette.requests import Request

# What proxies add to requests; through a proxy that adds nothing everybody looks local.
_FORWARDED = {
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip",
    "fastly-client-ip",
}  # fmt: skip
_FORWARDING = ("x-forwarded-", "cf-")

_WITH_KEY = (
    "with the key that the server was started with (study serve --results-key FILE): add ?key=KEY "
    "to the address, or send Authorization: Bearer KEY."
)


def may_read(request: Request, key: str | None, behind_proxy: bool) -> bool:
    """Return whether a request may read the results.

    With the right key always. Without one, only if the connection comes from this machine and
    nothing says that it was made for somebody else: behind a proxy every visitor does.
    """
    given = _given_key(request)
    if given is not None:
        return key is not None and hmac.compare_digest(given.encode(), key.encode())
    return not behind_proxy and not _is_forwarded(request.headers) and _is_local(request)


def refusal(behind_proxy: bool) -> str:
    """Return the message for readers who are not allowed to see the results."""
    here = "" if behind_proxy else "on the server's own machine, at its loopback address, or "
    return f"Results are read {here}{_WITH_KEY}"


def _given_key(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else request.query_params.get("key")


def _is_forwarded(headers: Mapping[str, str]) -> bool:
    return any(name in _FORWARDED or name.startswith(_FORWARDING) for name in headers)


def _is_local(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
