import asyncio

import pytest

from i2ibench.apps.web.same_origin import SameOrigin


def passed(
    kind: str,
    listening: tuple[str, int],
    host: str,
    origin: str | None,
    method: str = "GET",
    public_url: str = "",
) -> bool:
    """Return whether a request reaches the application."""
    reached = []

    async def app(scope, receive, send):
        reached.append(scope)

    async def receive():
        return {"type": "websocket.connect"}

    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    scope = {"type": kind, "headers": headers, "method": method, "path": "/"}
    asyncio.run(SameOrigin(app, *listening, public_url=public_url)(scope, receive, send))
    if not reached:
        refusal = {"http": {"status": 400}, "websocket": {"code": 1008}}[kind]
        assert refusal.items() <= sent[0].items()
    return bool(reached)


LOOPBACK = ("127.0.0.1", 8000)


@pytest.mark.parametrize(
    ("listening", "host", "expected"),
    [
        (LOOPBACK, "127.0.0.1:8000", True),
        (LOOPBACK, "localhost:8000", True),
        (LOOPBACK, "LOCALHOST:8000", True),
        (LOOPBACK, "[::1]:8000", True),
        (LOOPBACK, "127.0.0.1:8001", True),  # a tunnel shows the page at another port
        (LOOPBACK, "localhost", True),
        (LOOPBACK, "localhost:x", False),
        (("192.168.1.5", 8000), "192.168.1.5:8001", False),
        (LOOPBACK, "evil.example:8000", False),
        (LOOPBACK, "127.0.0.1.evil.example:8000", False),
        (LOOPBACK, "", False),
        (LOOPBACK, ":8000", False),
        (("127.0.0.1", 80), "127.0.0.1", True),
        (("0.0.0.0", 8000), "192.168.1.5:8000", True),
        (("0.0.0.0", 8000), "evil.example:8000", False),
        (("::", 8000), "[fe80::1]:8000", True),
        (("gpu.lab", 8000), "gpu.lab:8000", True),
        (("gpu.lab", 8000), "127.0.0.1:8000", False),
    ],
)
def test_only_the_servers_own_names_are_answered(listening, host, expected):
    assert passed("http", listening, host, None) is expected
    assert passed("websocket", listening, host, f"http://{host}") is expected


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "https://127.0.0.1:8000", "http://127.0.0.1:8001",
     "http://localhost:8000", "http://127.0.0.1:8000.evil.example"],
)  # fmt: skip
def test_other_pages_sockets_are_closed(origin):
    assert not passed("websocket", LOOPBACK, "127.0.0.1:8000", origin)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [(None, True), ("http://127.0.0.1:8000", True), ("null", False),
     ("http://evil.example", False), ("http://localhost:8000", False)],
)  # fmt: skip
def test_other_pages_post_nothing(origin, expected):
    assert passed("http", LOOPBACK, "127.0.0.1:8000", origin, "POST") is expected
    assert passed("http", LOOPBACK, "127.0.0.1:8000", origin, "GET")


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [("lab.example", "https://lab.example", True), ("127.0.0.1:8000", "https://lab.example", True),
     ("lab.example", "http://lab.example", True), ("lab.example", "https://evil.example", False),
     ("evil.example", "https://lab.example", False), ("", "https://lab.example", False)],
)  # fmt: skip
def test_a_proxys_public_address_is_right_too(host, origin, expected):
    public = "https://lab.example/study/"
    assert passed("http", LOOPBACK, host, origin, "POST", public) is expected
    assert not passed("http", LOOPBACK, "lab.example", None)
    assert not passed("http", LOOPBACK, "127.0.0.1:8000", "https://lab.example", "POST")
