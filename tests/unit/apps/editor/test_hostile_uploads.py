"""Small uploads that would fill the memory are refused, or take a bounded amount of it."""

import io
import json
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from i2ibench.apps.editor.editor import open_editor
from i2ibench.apps.editor.messages import UploadRequest
from i2ibench.apps.editor.scene_files import (
    MAX_ENTRIES,
    MAX_MAP_BYTES,
    MAX_STYLES_BYTES,
    read_scene_zip,
    scene_zip,
)
from i2ibench.apps.editor.session import Session
from i2ibench.apps.editor.uploaded_images import MAX_UPLOAD_PIXELS
from i2ibench.errors import UserError
from tests.unit.apps.editor.conftest import CLASSES, open_small, street, write_data

MAX_GROWTH_MB = 300
NESTED = b"[[[[[[]]]]]],"


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=9)
    return buffer.getvalue()


def flat_png(width, height, depth=8):
    """A PNG of zeros that is never unpacked here."""

    def chunk(kind, content):
        crc = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + crc

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((depth, 0, 0, 0, 0))
    packer, row = zlib.compressobj(9), b"\0" * (width * depth // 8 + 1)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def with_texts(data, at, number, size):
    """The PNG with compressed texts of so many bytes each."""
    kind, content = b"zTXt", b"k\0\0" + zlib.compress(b"a" * size, 9)
    crc = zlib.crc32(kind + content).to_bytes(4, "big")
    return data[:at] + (len(content).to_bytes(4, "big") + kind + content + crc) * number + data[at:]


def zipped(entries, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def lying(data, size):
    """The zip whose table of contents states another size for every entry."""
    changed, at = bytearray(data), 0
    while (at := changed.find(b"PK\x01\x02", at)) >= 0:
        changed[at + 24 : at + 28] = size.to_bytes(4, "little")
        at += 4
    return bytes(changed)


def uploads():
    """(kind, upload) by name; each has less than a megabyte."""
    about = {"format": 1, "name": "x", "draw": 0, "classes": list(CLASSES.names), "styles": {}}
    styles = json.dumps(about).encode()
    label = np.full((1024, 2048), 7, np.uint8)
    cars = label.copy()
    cars[::8, ::16] = 26
    ids = np.tile(np.arange(2**16, dtype=np.uint16), 32).reshape(label.shape)
    maps = [("label.png", png(label)), ("instance.png", png(ids))]
    whole = [("styles.json", styles), *maps, *((f"opened/{name}", data) for name, data in maps)]
    bombs = [(name, b"\0" * (40 * 2**20)) for name, _ in maps]
    nested = b'{"format":1,"styles":[' + NESTED * (MAX_STYLES_BYTES // len(NESTED) - 9) + b"0]}"
    return {
        "a large map": ("label", flat_png(4096, 2048)),
        "a huge map": ("label", flat_png(20_000, 10_000)),
        "a map at the limit": ("label", png(label)),
        "many cars": ("label", png(cars)),
        "many instances": ("instance", png(ids)),
        "a large photo": ("photo", png(np.zeros((2048, 4096, 3), np.uint8))),
        "a deep photo": ("photo", flat_png(4096, 2048, 16)),
        "long texts": ("label", with_texts(png(label[:8, :8]), 33, 300, 1_000_000)),
        "late texts": ("label", with_texts(png(label[:8, :8]), -12, 100, 7_900_000)),
        "a whole scene": ("scene", zipped(whole)),
        "bombs in a zip": ("scene", zipped([("styles.json", styles), *bombs])),
        "nested styles": ("scene", zipped([("styles.json", nested)])),
        "huge styles": ("scene", zipped([("styles.json", b" " * (64 * 2**20))])),
        "a lie about sizes": ("scene", lying(zipped([("styles.json", b" " * (64 * 2**20))]), 9)),
        "bzip2": ("scene", zipped([("styles.json", b" " * (32 * 2**20))], zipfile.ZIP_BZIP2)),
        "many names": ("scene", zipped([(str(n), b"") for n in range(8000)])),
    }


def measure(folder):
    """Print by how many megabytes the process grew at most over all uploads, and what was said."""
    import resource

    from tests.unit.apps.editor import test_hostile_uploads as here

    made = json.loads((folder / "uploads.json").read_text())
    session = Session(
        "x" * 32, open_editor(open_small(), write_data(folder / "data", 1)), here.first()
    )
    base, said = None, {}
    for name, kind in [("a whole scene", None), *made.items()]:
        if kind is None:  # not counted: what the first use of every library takes
            session.apply(upload("scene", scene_zip(street(), CLASSES)))
            base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            continue
        try:
            content = (folder / name).read_bytes()
            session.apply(upload(kind, content))
            said[name] = "taken"
        except UserError as error:
            said[name] = str(error)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / unit
    sys.stdout.write(json.dumps({"grown": grown, "said": said}) + "\n")


def upload(kind, content):
    return UploadRequest(type="upload", id=1, kind=kind, payload=content)


def first():
    from i2ibench.apps.editor.library import OpenedScene

    return OpenedScene(street(), None, [])


def test_no_small_upload_fills_the_memory(tmp_path):
    pytest.importorskip("resource", reason="Windows does not tell a process's peak")
    made = uploads()
    for name, (_, content) in made.items():
        assert len(content) < 2**20, name
        (tmp_path / name).write_bytes(content)
    (tmp_path / "uploads.json").write_text(json.dumps({n: kind for n, (kind, _) in made.items()}))
    program = (
        "import pathlib, sys; from tests.unit.apps.editor.test_hostile_uploads import measure; "
        "measure(pathlib.Path(sys.argv[1]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["grown"] < MAX_GROWTH_MB
    taken = {name for name, said in told["said"].items() if said == "taken"}
    assert taken == {
        "a map at the limit",
        "many cars",
        "many instances",
        "a large photo",
        "a whole scene",
        "late texts",
    }
    for name, word in (
        ("a large map", "4096x2048"), ("a huge map", "pixels"), ("long texts", "text"),
        ("a deep photo", "8 bits"), ("bombs in a zip", "24 MiB"), ("nested styles", "objects"),
        ("huge styles", "4 MiB"), ("a lie about sizes", "styles.json"), ("bzip2", "deflate"),
        ("many names", f"{MAX_ENTRIES} files"),
    ):  # fmt: skip
        assert word in told["said"][name], told["said"][name]


def test_a_scene_with_more_styles_than_can_be_read_again_is_not_saved(scene, monkeypatch):
    monkeypatch.setattr("i2ibench.apps.editor.scene_files.MAX_STYLES_BYTES", 50)
    with pytest.raises(UserError, match="cannot be saved: its styles"):
        scene_zip(scene, CLASSES)


def test_scenes_of_the_data_may_be_larger_than_uploads(classes):
    side = 2048
    assert side * side > MAX_UPLOAD_PIXELS and side * side * 3 < MAX_MAP_BYTES
    large = scene_zip(street(side, side), classes)
    assert read_scene_zip(large, classes).scene.size == (side, side)  # as an autosave is read
    with pytest.raises(UserError, match=f"2048x2048.*{MAX_UPLOAD_PIXELS}"):
        read_scene_zip(large, classes, MAX_UPLOAD_PIXELS)
