"""A system goes to a hub and comes back equal: against a server of this machine."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

import i2ibench
from i2ibench.errors import UserError
from i2ibench.inference.checkpoint_names import find_checkpoint
from i2ibench.inference.hub import repository
from i2ibench.inference.hub.model_folder import CONFIG, WEIGHTS, read_folder
from i2ibench.inference.hub.repository import is_hub_name
from tests.integration.runs import command, refusal

hub = pytest.importorskip("huggingface_hub")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LICENCES = ["--licence", "apache-2.0", "--data-licence", "Drawn by this project, free of claims."]


class FakeHub(ThreadingHTTPServer):
    """As much of the hub's API as its client asks for: files by repository, in memory."""

    daemon_threads = True

    def __init__(self):
        self.files: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, content, code=200, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def missing(self, kind="RepoNotFound"):
        self.answer({"error": "not here"}, 404, X_Error_Code=kind, X_Error_Message="not here")

    def do_GET(self):
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            name = "/".join(parts[2:4])
            files = self.server.files.get(name)
            if files is None:
                self.missing()
            elif "tree" in parts:
                rows = [{"type": "file", "path": f, "size": len(c), "oid": "0" * 40}
                        for f, c in files.items()]  # fmt: skip
                self.answer(rows)
            else:
                siblings = [{"rfilename": f} for f in files]
                self.answer({"id": name, "sha": COMMIT, "siblings": siblings, "private": False})
            return
        name, file = "/".join(parts[:2]), "/".join(parts[4:])
        content = self.server.files.get(name, {}).get(file)
        if content is None:
            self.missing("EntryNotFound" if name in self.server.files else "RepoNotFound")
            return
        etag = f'"{hashlib.sha1(content).hexdigest()}"'
        self.answer(content, ETag=etag, X_Repo_Commit=COMMIT)

    do_HEAD = do_GET

    def do_POST(self):
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(f"POST {path}")
        body = self.body()
        if path == "/api/repos/create":
            made = json.loads(body)
            name = f"{made.get('organization') or 'lab'}/{made['name']}"
            self.server.files.setdefault(name, {})
            self.answer({"url": f"http://{self.headers['Host']}/{name}"})
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                     for f in files]  # fmt: skip
            self.answer({"files": modes})
        elif "/commit/" in path:
            name = "/".join(path.split("/")[3:5])
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    self.server.files[name][value["path"]] = base64.b64decode(value["content"])
            address = f"http://{self.headers['Host']}/{name}/commit/{COMMIT}"
            self.answer({"commitUrl": address, "commitOid": COMMIT, "commitMessage": ""})
        else:
            self.answer({"error": "unknown"}, 404)


@pytest.fixture
def server(monkeypatch, tmp_path):
    running = FakeHub()
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{running.server_address[1]}"
    monkeypatch.setattr(hub.constants, "ENDPOINT", address)
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_of_this_test")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def test_a_system_comes_back_equal(server, capsys):
    command("push", "toystreet", "lab/streets", *LICENCES)
    assert "published: http://" in capsys.readouterr().out
    files = server.files["lab/streets"]
    assert {WEIGHTS, CONFIG, "README.md", "example_1.png"} <= files.keys()
    own, theirs = (i2ibench.load(n, device="cpu") for n in ("toystreet", "lab/streets"))
    scenes = own.opened.path.with_name("scenes")
    maps = [scenes / kind / "street1.png" for kind in ("label", "instance")]
    assert np.array_equal(own(*maps, output="numpy"), theirs(*maps, output="numpy"))
    before = len(server.asked)
    assert find_checkpoint("lab/streets").is_file()
    assert not [line for line in server.asked[before:] if "/resolve/" in line and "GET" in line]


def test_the_card_has_use_scores_data_and_limits(server):
    command("push", "toystreet", "lab/streets", *LICENCES)
    card = server.files["lab/streets"]["README.md"].decode()
    assert 'license: "apache-2.0"' in card and "Drawn by this project" in card
    assert 'i2ibench.load("lab/streets")' in card
    assert "| toystreet, styles sampled | 0.954 | 0.720 |" in card
    assert "real photos (oracle)" in card and "protocol toystreet" in card
    assert "not evidence of anything real" in card and "![example_4.png]" in card


def test_nothing_of_the_machine_is_published(server, tmp_path):
    command("push", "toystreet", "lab/streets", *LICENCES, "--folder", "look")
    assert server.asked == [], "--folder publishes nothing"
    content = json.loads(Path("look/config.json").read_text())
    assert str(tmp_path) not in json.dumps(content)
    assert content["config"]["work_dir"] == "work_dirs/toystreet"


def test_licences_are_the_users_statement(capsys):
    with pytest.raises(SystemExit):
        command("push", "toystreet", "lab/streets", "--licence", "apache-2.0")
    assert "--data-licence" in capsys.readouterr().err


def test_what_is_not_there_is_told(server, capsys, monkeypatch):
    assert "The hub has no model 'lab/nothing'" in refusal(capsys, "edit", "lab/nothing")
    server.files["lab/other"] = {"README.md": b"another model"}
    assert "is no system of i2ibench" in refusal(capsys, "edit", "lab/other")
    server.files["lab/other"][CONFIG] = b'{"format": "x"}'
    server.files["lab/other"][WEIGHTS] = b"nothing"
    monkeypatch.setattr(repository, "_cache", lambda: Path("second"))
    said = refusal(capsys, "edit", "lab/other")
    assert "is no system of i2ibench" in said or "is not of i2ibench" in said
    monkeypatch.setattr(repository, "find_spec", lambda name: None)
    assert "pip install 'i2ibench[hub]'" in refusal(capsys, "edit", "lab/streets")


def test_damaged_folders_are_refused_and_leave_no_checkpoint(tmp_path):
    for name, content, message in (
        (CONFIG, b"{", "is no JSON|cannot be read|not valid"),
        (CONFIG, b"[]", "is not of i2ibench"),
        (WEIGHTS, b"abc", "cannot be read"),
    ):
        (tmp_path / CONFIG).write_text(json.dumps({"format": "i2ibench/hub@1"}))
        (tmp_path / WEIGHTS).write_bytes(b"")
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_folder(tmp_path, tmp_path / "made.pth")
        assert not (tmp_path / "made.pth").exists()


def test_a_misspelt_path_is_not_asked_of_the_hub(server, tmp_path):
    (tmp_path / "work_dirs").mkdir()
    with pytest.raises(UserError, match="There is no checkpoint at work_dirs/typo"):
        find_checkpoint("work_dirs/typo")
    assert server.asked == []
    assert is_hub_name("lab/streets") and not is_hub_name("lab/streets.pth")
    assert not is_hub_name("toystreet") and not is_hub_name("a/b/c") and not is_hub_name("../x")
