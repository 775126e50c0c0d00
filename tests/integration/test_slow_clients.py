"""Clients that keep a server waiting do not keep others out."""

import base64
import contextlib
import http.client
import json
import logging
import os
import re
import socket
import struct
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from i2ibench.apps.editor.editor import open_editor
from i2ibench.apps.editor.server import create_app as create_editor
from i2ibench.apps.study.collect.server import create_app as create_study
from i2ibench.apps.web.connection_limits import ConnectionLimits
from i2ibench.apps.web.serving import served
from tests.study_folder import write_study
from tests.unit.apps.editor.conftest import open_small, write_data

HALF_OPEN = 300
WITHIN = 2.0
FEW = ConnectionLimits(connections=100)
HURRIED = ConnectionLimits(head_seconds=1, body_seconds=1, stalled_seconds=1)


@pytest.fixture(scope="module")
def editor(tmp_path_factory):
    return open_editor(open_small(), write_data(tmp_path_factory.mktemp("data"), 1))


@contextlib.contextmanager
def serving(kind, editor, tmp_path, limits):
    def make(port):
        if kind == "editor":
            return create_editor(editor, tmp_path / "autosave", "127.0.0.1", port)
        return create_study(write_study(tmp_path), "127.0.0.1", port)

    with served(make, limits) as url:
        yield urlsplit(url)


@contextlib.contextmanager
def many(url, number, begun):
    """Connections that have sent the beginning of something; nothing more comes."""
    with contextlib.ExitStack() as stack:
        opened = []
        for n in range(number):
            one = stack.enter_context(socket.create_connection((url.hostname, url.port), 10))
            one.sendall(begun[n % len(begun)])
            opened.append(one)
        yield opened


def status_of(url, path="/"):
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    with contextlib.closing(connection):
        begun = time.monotonic()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.monotonic() - begun


def handshake(url):
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /ws HTTP/1.1\r\nHost: {url.netloc}\r\nOrigin: http://{url.netloc}\r\n"
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


def text_frame(**message):
    data, mask = json.dumps(message).encode(), os.urandom(4)
    hidden = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
    assert len(data) < 126
    return struct.pack("BB", 0x81, 0x80 | len(data)) + mask + hidden


def say_hello(page):
    """Open a page's session."""
    while b"101" not in page.recv(2**16):
        pass
    page.sendall(text_frame(type="hello", id=1))
    heard = b""
    while b'"welcome"' not in heard:
        part = page.recv(2**16)
        assert part
        heard += part


def is_closed(connection, seconds):
    """Whether the server closes a connection within so many seconds."""
    connection.settimeout(seconds)
    try:
        while connection.recv(2**16):
            pass
    except (TimeoutError, BlockingIOError):
        return False
    except ConnectionError:
        pass
    return True


def halves(url):
    """What half-open requests begin with: nothing, half a line, half a head, half a body."""
    host = f"Host: {url.netloc}\r\n".encode()
    return [
        b"",
        b"GE",
        b"GET / HTTP/1.1\r\n" + host + b"X: ",
        b"POST /api/enter HTTP/1.1\r\n" + host + b"Content-Length: 900\r\n\r\n{",
        handshake(url)[:-2],
    ]


@pytest.mark.parametrize("kind", ["study", "editor"])
def test_hundreds_of_half_open_requests_do_not_keep_a_client_out(kind, editor, tmp_path):
    with (
        serving(kind, editor, tmp_path, FEW) as url,
        many(url, HALF_OPEN, halves(url)) as waiting,
    ):
        for _ in range(3):
            status, seconds = status_of(url)
            assert status == 200 and seconds < WITHIN
        gone = sum(is_closed(each, 0) for each in waiting)
        assert gone >= HALF_OPEN - FEW.connections


def test_hundreds_of_silent_web_sockets_do_not_keep_an_editors_page_out(editor, tmp_path):
    with (
        serving("editor", editor, tmp_path, FEW) as url,
        many(url, 1, [handshake(url)]) as (early,),
    ):
        say_hello(early)
        with many(url, HALF_OPEN, [handshake(url), handshake(url) + b"\x81"]):
            begun = time.monotonic()
            with many(url, 1, [handshake(url)]) as (late,):
                say_hello(late)
            assert time.monotonic() - begun < WITHIN
            assert status_of(url)[0] == 200
        assert not is_closed(early, 0.1)  # a page with a session is never closed for others


def test_a_client_that_stops_is_waited_for_so_long_and_no_longer(editor, tmp_path):
    with serving("editor", editor, tmp_path, HURRIED) as url:
        with many(url, 5, halves(url)) as waiting:
            assert all(is_closed(each, 4) for each in waiting)
        with many(url, 1, [handshake(url)]) as (silent,):
            assert is_closed(silent, 4)
        with many(url, 1, [handshake(url)]) as (page,):
            say_hello(page)
            assert not is_closed(page, 3)


def test_a_client_that_drips_has_no_more_time(editor, tmp_path):
    with serving("study", editor, tmp_path, HURRIED) as url:
        for begun in halves(url)[1:4]:
            with many(url, 1, [begun]) as (slow,):
                begun_at = time.monotonic()
                with contextlib.suppress(ConnectionError):
                    while time.monotonic() - begun_at < 6:
                        slow.sendall(b"a")
                        time.sleep(0.1)
                assert time.monotonic() - begun_at < 4


def test_chunks_count_as_they_come(editor, tmp_path):
    with serving("study", editor, tmp_path, FEW) as url:
        head = (
            f"POST /api/enter HTTP/1.1\r\nHost: {url.netloc}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        with many(url, 1, [head.encode()]) as (one,):
            with contextlib.suppress(ConnectionError):
                for _ in range(6):
                    one.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
            assert one.recv(2**16).startswith(b"HTTP/1.1 413")


def test_a_client_that_reads_nothing_is_left(editor, tmp_path):
    with serving("study", editor, tmp_path, HURRIED) as url:
        ask = f"GET /static/study.css HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode()
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect((url.hostname, url.port))
            one.settimeout(10)
            with pytest.raises(ConnectionError):
                for _ in range(60):
                    one.sendall(ask * 100)
                    time.sleep(0.1)
        assert status_of(url)[0] == 200


SERVE = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from i2ibench.apps.study.collect.server import create_app
from i2ibench.apps.study.define.study import open_study
from i2ibench.apps.web.serving import address, listen, serve
listening = listen("127.0.0.1", 0)
study = open_study(Path(sys.argv[1]))
print(address("127.0.0.1", listening), flush=True)
serve(create_app(study, "127.0.0.1", listening.getsockname()[1]), listening)
"""


def test_few_file_descriptors_are_enough_and_the_log_stays_short(tmp_path):
    write_study(tmp_path)
    command = [sys.executable, "-c", SERVE, str(tmp_path)]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        url = urlsplit(server.stdout.readline().strip())
        with many(url, HALF_OPEN, [*halves(url), b"rubbish\r\n\r\n"]):
            for _ in range(3):
                status, seconds = status_of(url)
                assert status == 200 and seconds < WITHIN
                time.sleep(0.6)
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()
    written = (tmp_path / "log").read_text()
    assert re.search(r"\d+ connections were closed", written)
    assert "Too many open files" not in written
    assert len(written.splitlines()) < 10, written


def test_a_message_that_clients_cause_is_logged_once_a_minute(editor, tmp_path, caplog):
    caplog.set_level(logging.WARNING, "uvicorn.error")
    with (
        serving("study", editor, tmp_path, FEW) as url,
        many(url, 50, [b"rubbish\r\n\r\n"]) as sent,
    ):
        assert all(is_closed(each, 5) for each in sent)
    invalid = [r for r in caplog.records if "Invalid HTTP request" in r.getMessage()]
    assert len(invalid) <= 1
