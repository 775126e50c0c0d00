"""The editor's server, as a page sees it."""

import asyncio
import hashlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.websockets import WebSocketDisconnect

from i2ibench.apps.editor.editor import open_editor
from i2ibench.apps.editor.messages import REQUESTS
from i2ibench.apps.editor.scene_files import read_scene_zip
from i2ibench.apps.editor.server import create_app
from i2ibench.apps.editor.sessions import Sessions
from i2ibench.cli.main import main
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.interop.import_official import import_folder
from tests.unit.apps.editor.conftest import CLASSES, PLAIN, open_small, write_data
from tests.unit.apps.editor.tab import ORIGIN, URL, Tab
from tests.unit.apps.editor.test_scene_files import png
from tests.unit.inference.interop.test_export_official import official

__all__ = ["official"]  # a fixture


@pytest.fixture(scope="module")
def editor(tmp_path_factory):
    return open_editor(open_small(), write_data(tmp_path_factory.mktemp("data")))


@contextmanager
def serving(editor, folder):
    with TestClient(create_app(editor, folder, "127.0.0.1", 8000), base_url=ORIGIN) as client:
        yield client


@pytest.fixture
def client(editor, tmp_path):
    with serving(editor, tmp_path) as client:
        yield client


@pytest.fixture
def tab(client):
    with Tab(client) as tab:
        yield tab


def stroke(tab, points, label=1, number=1, end=True, **fields):
    fields = {"radius": 2, "instance": "auto", **fields}
    return tab.ask("stroke", stroke=number, points=points, label=label, end=end, **fields)


def exported(client, token):
    """The scene and the image that the page would download."""
    answer = client.get(f"/export/{token}/scene.zip")
    assert answer.status_code == 200
    scene = read_scene_zip(answer.content, CLASSES).scene
    answer = client.get(f"/export/{token}/picture.png")
    return scene, np.array(Image.open(io.BytesIO(answer.content)))


def test_hello_tells_all_that_the_page_needs(client, tab, editor):
    welcome = tab.told["welcome"]
    assert welcome["scenes"] == ["street0", "street1", "street2"]
    assert (welcome["scene"], welcome["width"], welcome["height"]) == ("street0", 40, 24)
    assert welcome["classes"][2] == {
        "name": "car", "colour": [180, 40, 40], "thing": True, "modes": 5,
    }  # fmt: skip
    assert welcome["styles"] and welcome["photo"] and welcome["real_photo"]
    assert welcome["limits"]["radius"] == 256 and welcome["notes"] == []
    scene = editor.library.open("street0").scene
    np.testing.assert_array_equal(tab.label, scene.label)
    np.testing.assert_array_equal(tab.instance, scene.instance)
    car = tab.told["instances"]["instances"]["26000"]
    assert car["label"] == 2 and car["area"] == 40 and car["box"] == [4, 8, 8, 5]
    assert car["style"]["kind"] == "drawn" and 0 <= car["style"]["mode"] < 5
    np.testing.assert_array_equal(tab.painted(0), editor.renderer.image(scene))


def test_every_edit_reaches_the_maps_the_image_and_the_disk(client, tab, tmp_path):
    assert stroke(tab, [[3, 20], [9, 20]], end=False)["instance"] == 7
    stroke(tab, [[9, 20], [20, 2]])
    tab.ask("stamps", label=2)
    stamps = tab.told["silhouettes"]
    assert len(stamps["payload"]) == sum(s["width"] * s["height"] for s in stamps["stamps"])
    name = stamps["stamps"][0]["name"]
    edits = [
        ("fill", {"x": 0, "y": 0, "label": 3, "instance": "new"}),
        ("relabel", {"instance": 21, "label": 0}),
        ("lasso", {"points": [[1, 1], [9, 1], [9, 9]], "label": 2, "instance": "auto"}),
        ("stamp", {"stamp": name, "x": 20, "y": 9, "scale": 1.5, "flip": True, "label": 2}),
        ("duplicate", {"instance": 26001, "dx": -9, "dy": 1}),
        ("move", {"instance": 26000, "dx": 3, "dy": 2}),
        ("set_style", {"instance": 26001, "mode": 3}),
        ("set_style", {"label": 1, "mode": 2}),
        ("set_style", {"all": True, "mode": 4}),
        ("random_styles", {}),
        ("style_from_photo", {"all": True}),
        ("reset_styles", {}),
        ("delete", {"instance": 26001}),
    ]
    before = None
    for kind, fields in edits:
        done = tab.ask(kind, **fields)
        image = tab.painted(done["version"]).copy()
        scene, downloaded = exported(client, tab.session)
        np.testing.assert_array_equal(tab.label, scene.label, kind)
        np.testing.assert_array_equal(tab.instance, scene.instance, kind)
        np.testing.assert_array_equal(image, downloaded, kind)
        assert before is None or not np.array_equal(image, before), kind
        before = image
    tab.until("saved", done["version"]) if tab.told["saved"]["version"] < done["version"] else 0
    (path,) = tmp_path.glob("*.zip")
    saved = read_scene_zip(path.read_bytes(), CLASSES)
    np.testing.assert_array_equal(saved.scene.instance, tab.instance)
    for _ in range(len(edits) + 1):
        assert tab.told["instances"]["can_undo"]
        tab.ask("undo")
    assert not tab.told["instances"]["can_undo"] and tab.told["instances"]["can_redo"]
    np.testing.assert_array_equal(tab.label, saved.opened.label)
    done = tab.ask("redo")
    assert (tab.label != saved.opened.label).any()
    done = tab.ask("reset")
    np.testing.assert_array_equal(tab.instance, saved.opened.instance)
    first = tab.painted(done["version"])
    tab.ask("render")
    whole = tab.until("picture")
    assert (whole["width"], whole["height"]) == (40, 24)
    np.testing.assert_array_equal(tab.image, first)


def test_previews_come_while_a_stroke_is_drawn_and_a_final_image_after_it(tab):
    tab.painted(0)
    stroke(tab, [[3, 20]], end=False)
    preview = tab.until("picture")
    assert not preview["final"] and preview["scale"] in (1, 2, 4)
    assert Image.open(io.BytesIO(preview["payload"])).format == "JPEG"
    done = stroke(tab, [[3, 20], [15, 20]])
    tab.painted(done["version"])
    tab.ask("undo")
    assert not tab.told["instances"]["can_undo"]  # both segments are one step


def test_another_edit_ends_the_stroke_before_it(tab):
    stroke(tab, [[3, 3]], end=False)
    tab.ask("fill", x=0, y=23, label=0, instance="auto")
    tab.ask("undo")
    assert tab.told["instances"]["can_undo"]
    tab.ask("undo")
    assert not tab.told["instances"]["can_undo"]


def test_the_strip_shows_every_mode(tab):
    tab.ask("thumbnails", instance=26000)
    strip = tab.told["strip"]
    row = Image.open(io.BytesIO(strip["payload"]))
    assert strip["modes"] == 5 and strip["approximate"]
    assert row.size == (5 * strip["width"], strip["height"])
    assert "no modes" in tab.refused("thumbnails", instance=21)


def test_uploads_replace_the_scene_or_a_part_of_it(client, tab, editor):
    label = np.array(CLASSES.ids, np.uint8)[np.tile([[0, 2], [1, 1]], (8, 8)).astype(int)]
    tab.ask("upload", png(label), kind="label")
    assert tab.told["welcome"]["width"] == 16 and not tab.told["welcome"]["real_photo"]
    assert tab.label[0].tolist() == [0, 2] * 8
    assert len(np.unique(tab.instance[tab.label == 2])) == 64
    ids = (np.arange(256).reshape(16, 16) // 64).astype(np.uint16)
    tab.ask("upload", png(ids), kind="instance")
    assert len(np.unique(tab.instance)) > 4  # ids of several classes are parted
    assert "3x3" in tab.refused("upload", png(np.zeros((3, 3), np.uint8)), kind="instance")
    assert "no photo" in tab.refused("style_from_photo", all=True)
    tab.ask("upload", png(np.full((9, 9, 3), 200, np.uint8), "JPEG"), kind="photo")
    tab.ask("style_from_photo", all=True)
    styles = [i["style"]["kind"] for i in tab.told["instances"]["instances"].values()]
    assert set(styles) == {"vector"}
    with Tab(client, scene="street2") as other:
        other.ask("upload", client.get(f"/export/{tab.session}/scene.zip").content, kind="scene")
        np.testing.assert_array_equal(other.instance, tab.instance)
        np.testing.assert_array_equal(
            other.painted(other.told["done"]["version"]), tab.painted(tab.told["done"]["version"])
        )
    tab.ask("open", scene="street1")
    assert tab.told["welcome"]["scene"] == "street1" and tab.label.shape == (32, 48)
    assert "no scene" in tab.refused("open", scene="../../etc/passwd")
    with zipfile.ZipFile(io.BytesIO(client.get(f"/export/{tab.session}/scene.zip").content)) as z:
        assert sorted(z.namelist()) == ["instance.png", "label.png", "styles.json"]


def test_the_photo_is_the_scenes(client, tab, editor):
    answer = client.get(f"/photo/{tab.session}.png")
    photo = np.array(Image.open(io.BytesIO(answer.content)))
    np.testing.assert_array_equal(photo, editor.library.open("street0").photo)
    tab.ask("upload", png(np.full((4, 4), 7, np.uint8)), kind="label")
    assert client.get(f"/photo/{tab.session}.png").status_code == 404


def test_the_first_image_stays_that_of_the_scene_as_it_was_opened(editor, tmp_path):
    def first(client, tab):
        return np.array(Image.open(io.BytesIO(client.get(f"/first/{tab.session}.png").content)))

    with serving(editor, tmp_path) as client, Tab(client) as tab:
        before = tab.painted(0).copy()
        done = stroke(tab, [[5, 5], [30, 5]])
        tab.until("saved", done["version"])
        assert (tab.painted(done["version"]) != before).any()
        np.testing.assert_array_equal(first(client, tab), before)
    with serving(editor, tmp_path) as client, Tab(client, tab.session) as tab:
        np.testing.assert_array_equal(first(client, tab), before)


def test_two_tabs_have_two_scenes(client):
    with Tab(client) as one, Tab(client) as other:
        assert one.session != other.session
        stroke(one, [[5, 5], [30, 5]])
        stroke(other, [[5, 20]], label=2)
        assert (one.label != other.label).any()
        for tab in (one, other):
            scene, _ = exported(client, tab.session)
            np.testing.assert_array_equal(scene.instance, tab.instance)


def test_a_page_finds_its_scene_and_its_history_again(client):
    with Tab(client) as tab:
        stroke(tab, [[5, 5], [30, 5]])
        stroke(tab, [[5, 9]], number=2, end=False)  # the page goes in the middle of a stroke
        label, token = tab.label, tab.session
    with Tab(client, token) as again:
        assert again.session == token
        np.testing.assert_array_equal(again.label, label)
        again.ask("undo")
        again.ask("undo")
        assert not again.told["instances"]["can_undo"]


def test_a_second_page_with_a_connected_session_gets_a_copy(client, tab):
    stroke(tab, [[5, 5], [30, 5]])
    with Tab(client, tab.session) as copy:
        assert copy.session != tab.session
        np.testing.assert_array_equal(copy.label, tab.label)
        copy.ask("undo")
        assert (copy.label != tab.label).any()
        assert exported(client, tab.session)[0].label[5, 20] == 1


def test_nothing_is_lost_when_the_server_restarts(editor, tmp_path):
    with serving(editor, tmp_path) as client, Tab(client) as tab:
        stroke(tab, [[5, 5], [30, 5]])
        done = tab.ask("set_style", instance=26000, mode=2)
        tab.until("saved", done["version"])
        label, token, image = tab.label, tab.session, tab.painted(done["version"])
    with serving(editor, tmp_path) as client, Tab(client, token) as tab:
        assert tab.session == token and not tab.told["welcome"]["notes"]
        np.testing.assert_array_equal(tab.label, label)
        assert tab.told["instances"]["instances"]["26000"]["style"] == {"kind": "mode", "mode": 2}
        np.testing.assert_array_equal(tab.painted(0), image)
        assert tab.told["welcome"]["real_photo"]
        tab.ask("reset")
        np.testing.assert_array_equal(tab.label, editor.library.open("street0").scene.label)


def test_an_autosave_that_cannot_be_used_is_told_and_kept(client, tmp_path):
    path = tmp_path / f"scene_{hashlib.sha256(b'a' * 32).hexdigest()}.zip"
    path.write_bytes(b"half a zip")
    with Tab(client, "a" * 32) as tab:
        assert tab.session != "a" * 32
        assert "cannot be read" in tab.told["welcome"]["notes"][0]
    with Tab(client, "b" * 32) as tab:
        assert "gone" in tab.told["welcome"]["notes"][0]
    assert path.read_bytes() == b"half a zip"


def test_idle_sessions_leave_memory_and_come_back_from_disk(editor, tmp_path):
    sessions = Sessions(editor, tmp_path)
    session = sessions.enter(None)
    sessions.drop_idle(0)
    assert sessions.get(session.token) is session  # a page is connected
    sessions.save(session.snapshot())
    sessions.leave(session)
    sessions.drop_idle(1000)
    assert sessions.get(session.token) is session
    sessions.drop_idle(0)
    assert sessions.get(session.token) is None
    assert sessions.enter(session.token).token == session.token


def test_memory_holds_a_limited_number_of_sessions(editor, tmp_path, monkeypatch):
    monkeypatch.setattr("i2ibench.apps.editor.sessions.MAX_SESSIONS", 2)
    sessions = Sessions(editor, tmp_path)
    one, two = sessions.enter(None), sessions.enter(None)
    with pytest.raises(UserError, match="2 pages"):
        sessions.enter(None)
    sessions.leave(one)
    three = sessions.enter(None)
    assert sessions.get(one.token) is None
    assert sessions.get(two.token) is two and sessions.get(three.token) is three


def test_pages_that_left_make_room(client, monkeypatch):
    monkeypatch.setattr("i2ibench.apps.editor.sessions.MAX_SESSIONS", 1)
    tokens = set()
    for _ in range(4):
        with Tab(client) as tab:
            tokens.add(tab.session)
    assert len(tokens) == 4


SAVES_FOR_EVER = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from i2ibench.apps.editor.classes import Classes
from i2ibench.apps.editor.scene_files import read_scene_zip, scene_zip
from i2ibench.apps.editor.scene import Scene
from i2ibench.io.files import write_file

classes = Classes(("a", "b"), ((0, 0, 0), (9, 9, 9)), (0, 1), (False, False), 0)
path = Path(sys.argv[1])
rng = np.random.default_rng(0)
label = rng.integers(0, 2, (64, 64)).astype(np.uint8)

def save(n):
    scene = Scene(str(n), label, np.where(label == 0, 0, n % 60000 + 1).astype(np.int32))
    write_file(path, lambda aside: aside.write_bytes(scene_zip(scene, classes, scene)))

save(0)
for round in range(12):
    child = os.fork()
    if child == 0:
        for n in range(1, 10**6):
            save(n)
    time.sleep(0.01 + random.Random(round).random() / 20)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    saved = read_scene_zip(path.read_bytes(), classes)
    assert int(saved.scene.name) % 60000 + 1 == saved.scene.instance.max()
print("readable", int(saved.scene.name) > 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_in_the_middle_of_an_autosave_leaves_a_readable_one(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SAVES_FOR_EVER, str(tmp_path / "x.zip")],
        capture_output=True, text=True, timeout=100, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.stdout == "readable True\n", done.stderr


def test_a_full_disk_is_told_and_the_next_save_works(client, tab, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("i2ibench.apps.editor.sessions.write_private", full)
    stroke(tab, [[5, 5]])
    while "error" not in tab.told:
        tab.read()
    assert tab.told["error"]["message"].startswith("The disk is full")
    assert "next edit saves" in tab.told["error"]["message"]
    assert tab.until("saved")["failed"]
    monkeypatch.undo()
    done = stroke(tab, [[9, 9]], number=2)
    tab.until("saved", done["version"])


@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
def test_other_pages_may_not_connect(client, origin):
    headers = {"origin": origin} if origin else {}
    with pytest.raises(WebSocketDisconnect) as closed:
        client.websocket_connect(URL, headers=headers).__enter__()
    assert closed.value.code == 1008


def test_other_names_are_not_answered(client, tab):
    for path in ("/", "/static/main.js", f"/export/{tab.session}/scene.zip"):
        assert client.get(path, headers={"host": "evil.example"}).status_code == 400


def test_a_request_without_a_host_is_refused_like_a_foreign_one(editor, tmp_path):
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    asyncio.run(create_app(editor, tmp_path, "127.0.0.1", 8000)(scope, receive, send))
    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    "token", ["", "x", "a" * 32, "../" * 10 + "aa", "%2e%2e%2fsecret", "a" * 33]
)
@pytest.mark.parametrize(
    "path", ["/export/{}/scene.zip", "/export/{}/picture.png", "/photo/{}.png", "/first/{}.png"]
)
def test_unknown_sessions_have_no_files(client, token, path):
    assert client.get(path.format(token)).status_code == 404


def test_no_other_file_is_served(client):
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/server.py", "/docs"):
        assert client.get(path).status_code == 404


def test_the_page_may_load_nothing_from_elsewhere(client):
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "ws://127.0.0.1:8000" in policy
    assert "http:" not in policy.replace("ws://127.0.0.1:8000", "")


def test_requests_before_hello_are_refused_and_a_second_hello_too(client):
    with Tab(client, hello=False) as tab:
        assert "hello" in tab.refused("undo")
        assert "no scene" in tab.refused("hello", scene="../secret")
        tab.ask("hello", scene="street1")
        assert "already" in tab.refused("hello")


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("fill", {"x": 99, "y": 0, "label": 0, "instance": "auto"}, "outside"),
        ("fill", {"x": 0, "y": 0, "label": 4, "instance": "auto"}, "no class 4"),
        ("fill", {"x": 0, "y": 0, "label": 0, "instance": 5}, "no instance 5"),
        ("relabel", {"instance": 23, "label": 9}, "no class 9"),
        ("stamp", {"stamp": "?", "x": 0, "y": 0, "scale": 1, "flip": False, "label": 2}, "silh"),
        ("duplicate", {"instance": 26000, "dx": 999, "dy": 0}, "outside"),
        ("move", {"instance": 1, "dx": 0, "dy": 1}, "no instance 1"),
        ("delete", {"instance": 1}, "no instance 1"),
        ("set_style", {"instance": 26000, "mode": 5}, "no mode 5"),
        ("set_style", {"instance": 21, "mode": 0}, "no mode 0"),
        ("set_style", {"mode": 0}, "one of"),
        ("set_style", {"instance": 7, "all": True, "mode": 0}, "one of"),
        ("style_from_photo", {"label": 200}, "class 200"),
        ("stamps", {"label": 77}, "no class 77"),
        ("thumbnails", {"instance": 1}, "no instance 1"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(client, tab, kind, fields, said):
    version = tab.told["done"]["version"]
    assert said in tab.refused(kind, **fields)
    assert tab.ask("render")["version"] == version
    assert not tab.told["instances"]["can_undo"]


def test_limits_are_told(tab, monkeypatch):
    assert "4096 points" in tab.refused(
        "stroke", stroke=1, points=[[0, 0]] * 5000, radius=1, label=0, instance="auto", end=True
    )
    tab.socket.send_text(" " * (2**20 + 1))
    assert "bytes" in tab.until("error")["message"]
    monkeypatch.setattr("i2ibench.apps.editor.messages.MAX_UPLOAD_BYTES", 1000)
    tab.send("upload", b"\0" * 1000, kind="photo")
    assert "MiB" in tab.until("error")["message"]
    monkeypatch.undo()
    wide = png(np.full((1, 4097), 23, np.uint8))
    assert "4097x1" in tab.refused("upload", wide, kind="label")
    tab.ask("undo")


def test_a_defect_in_one_session_is_told_there_and_others_go_on(
    client, tab, editor, monkeypatch, capsys
):
    tab.painted(0)
    real = type(editor.renderer).image

    def broken(self, scene, *rest):
        if (scene.label[:3] == 3).any():
            raise RuntimeError("boom")
        return real(self, scene, *rest)

    monkeypatch.setattr(type(editor.renderer), "image", broken)
    with Tab(client) as other:
        tab.ask("fill", x=0, y=0, label=3, instance="auto")
        assert "RuntimeError: boom" in tab.until("error")["message"]
        done = stroke(other, [[5, 20]], label=0)
        other.painted(done["version"])
        tab.painted(tab.ask("undo")["version"])
    assert "boom" in capsys.readouterr().err


def test_a_system_without_styles_is_edited_and_says_so(tmp_path):
    editor = open_editor(open_small(PLAIN), write_data(tmp_path / "data"))
    with serving(editor, tmp_path / "saved") as client, Tab(client) as tab:
        welcome = tab.told["welcome"]
        assert welcome["styles"] is False and welcome["photo"] is False
        assert all(c["modes"] == 0 for c in welcome["classes"])
        first = tab.painted(0).copy()
        done = tab.ask("delete", instance=26000)
        assert (tab.painted(done["version"]) != first).any()
        for kind, fields in (
            ("set_style", {"all": True, "mode": 0}), ("random_styles", {}), ("reset_styles", {}),
            ("style_from_photo", {"all": True}),
        ):  # fmt: skip
            assert "no styles" in tab.refused(kind, **fields)


def test_a_converted_official_checkpoint_is_edited(official, tmp_path):
    import_folder(official, tmp_path / "native.pth")
    editor = open_editor(open_checkpoint(tmp_path / "native.pth"))
    with serving(editor, tmp_path / "saved") as client, Tab(client) as tab:
        welcome = tab.told["welcome"]
        assert [c["modes"] for c in welcome["classes"] if c["modes"]] == [1, 3]
        assert welcome["scenes"] == ["empty canvas"] and welcome["styles"]
        first = tab.painted(0).copy()
        car = stroke(tab, [[100, 200], [160, 200]], label=26, radius=30)["instance"]
        assert tab.told["instances"]["instances"][str(car)]["style"]["mode"] in (0, 1, 2)
        done = tab.ask("set_style", instance=car, mode=2)
        assert (tab.painted(done["version"]) != first).any()


VALUES = st.one_of(
    st.integers(-3, 70_000), st.integers(), st.floats(), st.text(max_size=5), st.none(),
    st.sampled_from(["auto", "new", True, False, "street1", "car 1", 26000, 7, 1.5]),
    st.lists(st.lists(st.integers(-9000, 9000), max_size=3), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
PLAUSIBLE = {
    "x": st.integers(-5, 45), "y": st.integers(-5, 30), "label": st.integers(0, 4),
    "instance": st.sampled_from(["auto", "new", 7, 23, 26000, 26001, 26002]),
    "dx": st.integers(-50, 50), "dy": st.integers(-50, 50), "mode": st.integers(0, 6),
    "stroke": st.integers(0, 2), "radius": st.integers(0, 40), "end": st.booleans(),
    "points": st.lists(st.tuples(st.integers(-50, 90), st.integers(-50, 90)), max_size=5),
    "scene": st.sampled_from(["street0", "street1", "?"]), "all": st.just(True),
    "kind": st.sampled_from(["scene", "label", "instance", "photo"]), "flip": st.booleans(),
    "stamp": st.sampled_from(["car 1", "?"]), "scale": st.floats(0.1, 8),
}  # fmt: skip


@st.composite
def requests(draw):
    """A request, more or less well-formed."""
    kind = draw(st.sampled_from(sorted(REQUESTS)))
    message = {"type": kind, "id": draw(st.integers(0, 99))}
    for name, field in REQUESTS[kind].model_fields.items():
        if name in ("type", "id", "payload"):
            continue
        if draw(st.integers(0, 9)) and (field.is_required() or draw(st.booleans())):
            wild = not draw(st.integers(0, 9))
            message[name] = draw(VALUES if wild else PLAUSIBLE.get(name, VALUES))
    return json.dumps(message)


@st.composite
def uploads(draw):
    """A binary frame, more or less well-formed."""
    head = draw(requests()).encode()
    content = draw(st.binary(max_size=50) | st.just(png(np.full((6, 9), 7, np.uint8))))
    length = draw(st.just(len(head)) | st.integers(0, 2**32 - 1))
    return length.to_bytes(4, "little") + head + content


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    st.lists(requests() | uploads() | st.text(max_size=30) | st.binary(max_size=30), max_size=12)
)
def test_no_stream_of_messages_stops_the_server_or_touches_another_scene(client, tab, messages):
    before = tab.instance.copy()
    with Tab(client) as hostile:
        for message in messages:
            send = (
                hostile.socket.send_text if isinstance(message, str) else hostile.socket.send_bytes
            )
            send(message)
        hostile.answer(hostile.send("render"))  # it still answers
        defects = [e for e in hostile.errors if re.match(r"\w+(Error|Exception|Warning): ", e)]
        assert not defects
    np.testing.assert_array_equal(exported(client, tab.session)[0].instance, before)


def test_deep_and_huge_json_is_answered(tab):
    for message in ("[" * 200_000, '{"a":' * 100_000, "9" * 500_000, '{"id": 1e99999}', "\ud83d"):
        tab.socket.send_text(message)
        assert tab.until("error")["id"] is None
    tab.ask("undo")


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "websockets"])
def test_without_the_extra_the_command_says_what_to_install(missing, monkeypatch, capsys):
    for name in [n for n in sys.modules if n.startswith("i2ibench.apps.editor.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit) as ended:
        main("edit", ["none.pth"])
    assert ended.value.code == 2
    assert (
        f"needs {missing}; install it with: pip install 'i2ibench[web]'" in capsys.readouterr().err
    )


def test_the_command_serves_until_ctrl_c_and_names_what_is_wrong(tmp_path, tiny_config, capsys):
    work_dir = tmp_path / "run"
    options = ["--work-dir", str(work_dir), "--cfg-options", "train_cfg.max_epochs=1"]
    main("train", [str(tiny_config), *options])
    checkpoint = next(work_dir.glob("epoch_*.pth"))
    command = [sys.executable, "-m", "i2ibench.cli", "edit", str(checkpoint), "--port", "0",
               "--device", "cpu", "--autosave", str(tmp_path / "saved")]  # fmt: skip
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        line = server.stdout.readline()
        assert line.startswith("editor: http://127.0.0.1:") and "Ctrl+C" in line
        port = line.split(":")[3].split("/")[0]
        with socket.create_connection(("127.0.0.1", int(port))) as page:
            page.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert page.recv(15) == b"HTTP/1.1 200 OK"
        with pytest.raises(SystemExit) as ended:
            main("edit", [str(checkpoint), "--port", port, "--device", "cpu",
                          "--autosave", str(tmp_path / "other")])  # fmt: skip
        assert ended.value.code == 2 and f"127.0.0.1:{port}" in capsys.readouterr().err
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=30) == 0, server.stderr.read()
    finally:
        server.kill()
        server.communicate()
