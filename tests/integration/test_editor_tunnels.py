"""The editor's page through a tunnel, below a path, and with a key, in a real browser."""

import contextlib
import re
import socket
import threading
from pathlib import Path

import pytest

from tests.integration.editor_driver import agreed_maps, drag, settle, start, trained_run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tunnels")
    trained_run(folder)
    return folder


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def editor(folder, port, *options):
    """A running editor of the run's newest checkpoint."""
    arguments = ["work_dirs/tiny", "--port", port, "--autosave", folder / f"saved{port}", *options]
    server = start(ROOT / "tools/edit.py", *arguments, cwd=folder)
    try:
        said = ""
        while "editor: http" not in said:
            line = server.stdout.readline()
            assert line, said
            said += line
        yield said
    finally:
        server.terminate()
        server.communicate(timeout=20)


@contextlib.contextmanager
def tunnel(port):
    """Another port of this machine that leads to a port, as an SSH tunnel does."""
    listening = socket.create_server(("127.0.0.1", 0))
    opened = [listening]

    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(2**16):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection(("127.0.0.1", port))
                opened.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        for one in opened:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def draws(page):
    """A stroke reaches the server and comes back as maps and an image."""
    settle(page)
    before = page.evaluate("[...editor.maps.label]")
    drag(page, (10, 5), (30, 8))
    settle(page)
    assert page.evaluate("[...editor.maps.label]") != before
    assert page.locator("text=refused").count() == 0


def test_a_tunnel_to_another_port_needs_no_option(folder, browser):
    port = free_port()
    with editor(folder, port), tunnel(port) as near:
        page = browser.new_page()
        page.goto(f"http://localhost:{near}/")
        draws(page)
        agreed_maps(page, f"http://localhost:{near}/")
        page.close()


def test_below_a_path_and_with_a_key(folder, browser):
    port = free_port()
    public = f"http://127.0.0.1:{port}/tools/editor/"
    key = folder / "editor.key"
    with editor(folder, port, "--public-url", public, "--access-key", key) as said:
        assert f"{public}?key=KEY, where KEY is the first line of {key}" in said
        context = browser.new_context()
        page = context.new_page()
        assert page.goto(public).status == 401
        page.goto(f"{public}?key={key.read_text().strip()}")
        assert page.url == public, "the key has left the address"
        draws(page)
        page.reload()
        settle(page)
        pictures = page.evaluate(
            "fetch(`export/${editor.store.session}/picture.png`).then((a) => a.status)"
        )
        assert pictures == 200
        context.close()
        stranger = browser.new_page()
        assert stranger.goto(public).status == 401
        stranger.close()


def test_a_public_address_that_is_none_is_refused(folder):
    server = start(
        ROOT / "tools/edit.py", "work_dirs/tiny", "--public-url", "lab.example/x", cwd=folder
    )
    said, _ = server.communicate(timeout=60)
    assert server.returncode == 2
    assert re.search(r"A public address must be one such as .*, not 'lab.example/x'", said)
