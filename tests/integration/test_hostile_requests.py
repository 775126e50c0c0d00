"""Thousands of random requests: none makes the study's or the editor's server fail."""

import asyncio
import contextlib
import json
import random
from urllib.parse import unquote

import pytest

from i2ibench.apps.editor.editor import open_editor
from i2ibench.apps.editor.server import create_app as create_editor
from i2ibench.apps.study.collect.answer_store import AnswerStore
from i2ibench.apps.study.collect.server import create_app as create_study
from tests.study_folder import write_study
from tests.unit.apps.editor.conftest import open_small, write_data

testclient = pytest.importorskip("fastapi.testclient", reason="pip install -e '.[dev]'")

HOME = "http://127.0.0.1:8000"
MESSAGES = 3000
PATHS = 3000
VALUES = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**19, 10**400, -(10**400), 0.5, -0.0, 1e308,
    float("nan"), float("inf"), "", "left", "tie", "0" * 32, "\u0660" * 32, "f" * 33, "a" * 3000,
    "\ud800", "\x00", "\n" + "0" * 31, "0" * 32 + "\n", "é" * 32, "😀", "{}", "__proto__", [], [[]],
    ["0" * 32], {}, {"token": []}, {"trial": 0}, [None] * 50, [0, [1, [2, {"a": [3]}]]],
)  # fmt: skip
RAW = (
    b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"\xef\xbb\xbf{}", b"{}\x00", b"[" * 4000,
    b'{"a":' * 700, b"1" * 4000, b'{"token":NaN}', b'{"token":1e999}', b'{"token":-Infinity}',
    b'{"token":"\xed\xa0\x80"}', b'{"token":"\\ud800"}', b'{"\\ud800":1}', b'{"token":"\xe9"}',
    "{}".encode("utf-16"), "{}".encode("utf-32"), b'{"token":1,"token":"' + b"0" * 32 + b'"}',
    b'{"answer":{"trial":0,"trial":1}}', b" " * 4097, b'{"token":' + b"9" * 3000 + b"}",
)  # fmt: skip
TYPES = (
    "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
    "multipart/form-data; boundary=x", "application/json; charset=utf-16", "\x01", "é", "",
)  # fmt: skip
PIECES = (
    "", ".", "..", "%2e%2e", "%2f", "%00", "%ff", "%ed%a0%80", "\\", "%5c", "~", "a" * 300,
    "a" * 5000,
    "study.json", "answers.sqlite", "static", "pictures", "results", "answers.csv", "api", "enter",
    "export", "photo", "first", "scene.zip", "picture.png", "0" * 24 + ".png", "x.png", "ws", "*",
    "?",
    "#", "?key=%ff", "?key=%00", ";", "con", "C:", "%0d%0aX:1", "index.html", "\u202e", "😀",
)  # fmt: skip
TOKEN = "0" * 32
ANSWER = {
    "trial": 0, "choice": "left", "response_ms": 9, "shown_ms": None, "frame_ms": 16, "dropped": 0,
    "unfocused_ms": 0, "width": 800, "height": 600, "zoom": 1, "showings": 1,
}  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X")
HEADERS = (
    ("range", "bytes=0-0,2-1,-9"), ("range", "bytes=" + "0-1," * 500), ("if-none-match", "*"),
    ("if-modified-since", "yesterday"), ("content-length", "-1"), ("content-length", "9" * 400),
    ("content-length", "²"), ("authorization", "Bearer é"), ("authorization", "Bearer"),
    ("cookie", "\xff"), ("origin", "null"), ("origin", "http://[x"), ("host", "[::1"), ("host", ""),
    ("host", "127.0.0.1:8000:1"), ("upgrade", "websocket"), ("expect", "100-continue"),
    ("x-forwarded-for", "1"), ("accept-encoding", "\x00"), ("if-range", "x"),
)  # fmt: skip


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path)


@pytest.fixture(params=["study", "editor"])
def app(request, tmp_path):
    if request.param == "study":
        return create_study(write_study(tmp_path), "127.0.0.1", 8000)
    editor = open_editor(open_small(), write_data(tmp_path / "data", 1))
    return create_editor(editor, tmp_path / "autosave", "127.0.0.1", 8000)


async def asked(app, method, path, headers=(), body=b""):
    """(status, content) of a request that no client would send; 599 if there is no answer."""
    raw, _, query = path.partition(b"?")
    told = {name for name, _ in headers}
    own = [(b"host", b"127.0.0.1:8000")] if b"host" not in told else []
    scope = {
        "type": "http", "method": method, "path": unquote(raw.decode("latin-1")), "raw_path": raw,
        "query_string": query, "headers": [*own, *headers], "client": ("127.0.0.1", 5555),
        "server": ("127.0.0.1", 8000), "scheme": "http", "http_version": "1.1", "root_path": "",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
    }  # fmt: skip
    said = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        said.append(message)

    with contextlib.suppress(Exception):  # after a 500 the exception is passed on
        await app(scope, receive, send)
    status = said[0]["status"] if said else 599
    return status, b"".join(message.get("body", b"") for message in said)


def wrong(rng, message):
    """The message with some fields left out, replaced, added or nested."""
    changed = {k: v for k, v in message.items() if rng.random() > 0.15}
    for name in rng.sample([*message, "more", "\ud800", ""], rng.randint(0, 2)):
        changed[name] = rng.choice(VALUES)
    answer = changed.get("answer")
    if isinstance(answer, dict) and rng.random() < 0.7:
        changed["answer"] = wrong(rng, answer)
    return changed


def body_of(rng, message):
    if rng.random() < 0.2:
        return rng.choice(RAW)
    content = json.dumps(wrong(rng, message), ensure_ascii=rng.random() < 0.7)
    data = bytearray(content.encode("utf-8", "surrogatepass"))
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def test_no_message_makes_the_study_fail(study):
    rng, seen = random.Random(0), set()
    app = create_study(study, "127.0.0.1", 8000)

    async def post(path, body, kind=b"application/json"):
        status, content = await asked(
            app, "POST", f"/api/{path}".encode(), [(b"content-type", kind)], body
        )
        return status, json.loads(content)

    async def attack():
        _, new = await post("enter", b"{}")
        known = {name: new[name] for name in ("token", "nonce")}
        await post("consent", json.dumps(known).encode())
        messages = {
            "enter": {"token": known["token"]}, "consent": {**known, "simulated": False},
            "answer": {**known, "answer": ANSWER}, "withdraw": {"token": "f" * 32},
        }  # fmt: skip
        for _ in range(MESSAGES):
            path = rng.choice(list(messages))
            body = body_of(rng, messages[path])
            status, content = await post(path, body, rng.choice(TYPES).encode("latin-1"))
            seen.add(status)
            assert status < 500, (path, body)
            if status >= 400:
                assert list(content) == ["error"] and "Traceback" not in content["error"], body

    async def run():
        async with app.router.lifespan_context(app):
            await attack()

    asyncio.run(run())
    assert {200, 400, 404, 409, 413} >= seen >= {200, 400, 413}
    with AnswerStore(study) as store:  # whatever was taken can be read again
        assert store.collected().participants


def test_no_address_method_or_header_makes_a_server_fail(app):
    rng, seen = random.Random(1), set()

    async def run():
        async with app.router.lifespan_context(app):
            for _ in range(PATHS):
                path = "/" + "/".join(rng.choice(PIECES) for _ in range(rng.randint(0, 4)))
                headers = [
                    (name.encode(), value.encode("latin-1", "replace"))
                    for name, value in rng.sample(HEADERS, rng.choice((0, 0, 1, 2)))
                ]
                asks = rng.choice(METHODS), path.encode(), headers, rng.choice(RAW)
                status, content = await asked(app, *asks)
                seen.add(status)
                assert status < 500 and b"Traceback" not in content, asks

    asyncio.run(run())
    assert seen >= {200, 400, 404, 405}


@pytest.mark.parametrize(
    ("path", "message", "said"),
    [
        ("enter", {"token": []}, "'token' must be 32 hexadecimal digits, or null."),
        ("enter", {"more": 1}, "'more', which it must not have."),
        ("consent", {"token": "0" * 32}, "The message lacks 'nonce'."),
        ("consent", {"token": "0" * 32, "nonce": 7}, "'nonce' must be the nonce from /api/enter."),
        ("consent", {"token": TOKEN, "nonce": "a", "simulated": 1},
         "'simulated' must be true or false."),
        ("answer", {"token": TOKEN, "nonce": "a", "answer": []}, "'answer' must be a JSON object."),
        ("withdraw", {}, "The message lacks 'token'."),
        ("withdraw", {"token": "0" * 32 + "\n"}, "'token' must be 32 hexadecimal digits."),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field_and_what_it_must_be(study, path, message, said):
    app = create_study(study, "127.0.0.1", 8000)
    with testclient.TestClient(app, base_url=HOME) as client:
        response = client.post(f"/api/{path}", json=message)
    assert response.status_code == 400 and response.json()["error"].endswith(said)


@pytest.mark.parametrize(
    "body", [b'{"token": NaN}', b'{"a": 1, "a": 1}', b"\xef\xbb\xbf{}", b"\xff"]
)
def test_a_message_is_strict_json(study, body):
    app = create_study(study, "127.0.0.1", 8000)
    with testclient.TestClient(app, base_url=HOME) as client:
        response = client.post("/api/enter", content=body)
    assert response.status_code == 400 and "JSON in UTF-8" in response.json()["error"]
