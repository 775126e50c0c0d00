"""Only browsers that know the key reach the application."""

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from i2ibench.apps.web.access_key import AccessKey

KEY = "correct horse battery"


def client(public_url="", base_url="http://localhost:8000"):
    app = FastAPI()

    @app.get("/")
    async def page() -> str:
        return "inside"

    @app.post("/")
    async def change() -> str:
        return "changed"

    @app.websocket("/ws")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("inside")

    app.add_middleware(AccessKey, key=KEY, port=8000, public_url=public_url)
    return TestClient(app, base_url=base_url, follow_redirects=False)


def test_without_the_key_nothing_is_reached():
    browser = client()
    for answer in (browser.get("/"), browser.get("/?key=wrong"), browser.post(f"/?key={KEY}")):
        assert answer.status_code == 401 and "inside" not in answer.text
    with pytest.raises(WebSocketDisconnect) as closed, browser.websocket_connect("/ws"):
        pass
    assert closed.value.code == 1008


def test_the_key_becomes_a_cookie_and_leaves_the_address():
    browser = client()
    answer = browser.get("/", params={"key": KEY})
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert KEY not in cookie and "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert "Secure" not in cookie
    assert browser.get("/").json() == "inside" and browser.post("/").json() == "changed"
    with browser.websocket_connect("ws://localhost:8000/ws") as socket:
        assert socket.receive_text() == "inside"


def test_behind_https_the_cookie_is_secure_and_of_the_page_alone():
    browser = client("https://lab.example/tools/editor/", "https://lab.example")
    answer = browser.get("/", params={"key": KEY})
    assert answer.headers["location"] == "/tools/editor/"
    assert "Secure" in answer.headers["set-cookie"]
    assert "Path=/tools/editor/" in answer.headers["set-cookie"]


@pytest.mark.parametrize("value", ["", "wrong", "\x80", "a=b; i2ibench_8000", '"\\"'])
def test_other_cookies_are_not_the_key(value):
    headers = {"cookie": f"i2ibench_8000={value}; other=1".encode("latin-1")}
    assert client().get("/", headers=headers).status_code == 401
