"""Time from a stroke's message to its image, through the editor's real WebSocket.

    make bench

`preview`: a segment of a stroke that goes on; `final`: its last segment, whose image is exact.
`maps`: until the server's maps have come, without an image. The systems have the demo's and the
paper's generator with random weights; their speed is that of trained ones. On a machine with a GPU
the larger scenes are measured too.
"""

import json
import struct
import threading

import pytest
import torch
import uvicorn
from mmengine.config import Config, ConfigDict
from websockets.sync.client import connect

from i2ibench.apps.editor.editor import open_editor
from i2ibench.apps.editor.server import create_app
from i2ibench.apps.web.serving import listen
from i2ibench.data.classes import CITYSCAPES_CLASSES
from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.inference import Inference
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.models.translators.build import build_translator

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SYSTEMS = {
    "demo": "configs/pix2pixhd_toystreet.py",
    "paper": "configs/pix2pixhd_cityscapes.py",
}
CASES = [("demo", 256, 128), ("demo", 512, 256)]
if DEVICE == "cuda":
    CASES += [
        ("demo", 1024, 512),
        ("demo", 2048, 1024),
        ("paper", 1024, 512),
        ("paper", 2048, 1024),
    ]
ROUNDS = 15


def opened_checkpoint(system, data_root, width, height):
    config = Config.fromfile(SYSTEMS[system])
    torch.manual_seed(0)
    parts = ("type", "generator", "encoder")
    stages = list(config.get("stages", {}).values())
    if stages:
        config.merge_from_dict(stages[-1])
    model = ConfigDict({key: config.model[key] for key in parts})
    loader = dict(
        dataset=dict(type="ToyStreet", split="val", num_scenes=2, width=width, height=height)
    )
    kept = ConfigDict(
        model=model, data_preprocessor=config.data_preprocessor, data_root=str(data_root),
        val_dataloader=loader,
    )  # fmt: skip
    metainfo = CITYSCAPES_CLASSES.metainfo("ToyStreet")
    translator = build_translator(kept, metainfo).eval().requires_grad_(False).to(DEVICE)
    translator.style_bank.counts.fill_(10)
    translator.style_bank.centres.uniform_(-1, 1)
    return OpenedCheckpoint(
        data_root / "none.pth", kept, metainfo, 0, translator, Inference(translator)
    )


class Page:
    def __init__(self, socket, size):
        self.socket, self.size = socket, size
        self.number, self.version = 0, 0
        self.ask("hello")
        self.until(lambda h: h["type"] == "picture")

    def ask(self, kind, **fields):
        self.number += 1
        self.socket.send(json.dumps({"type": kind, "id": self.number, **fields}))
        done = self.until(lambda h: h["type"] in ("done", "error") and h["id"] == self.number)
        assert done["type"] == "done", done
        self.version = done["version"]

    def until(self, wanted):
        while True:
            data = self.socket.recv()
            (length,) = struct.unpack_from("<I", data)
            header = json.loads(data[4 : 4 + length])
            if wanted(header):
                return header

    def image(self, final):
        self.until(
            lambda h: (
                h["type"] == "picture" and h["final"] == final and h["version"] >= self.version
            )
        )


@pytest.fixture(scope="module", params=CASES, ids=["{} {}x{}".format(*c) for c in CASES])
def page(request, tmp_path_factory):
    system, width, height = request.param
    root = tmp_path_factory.mktemp("toystreet")
    drawn_streets(root, split="val", num_scenes=2, width=width, height=height)
    editor = open_editor(opened_checkpoint(system, root, width, height))
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    app = create_app(editor, tmp_path_factory.mktemp("saved"), "127.0.0.1", port)
    config = uvicorn.Config(app, log_level="error", ws_per_message_deflate=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    address, origin = f"ws://127.0.0.1:{port}/ws", f"http://127.0.0.1:{port}"
    try:
        with connect(address, origin=origin, max_size=None) as socket:
            yield Page(socket, (width, height))
    finally:
        server.should_exit = True
        thread.join()


class Brush:
    """Draws a car's worth of road over the scene, each time somewhere else."""

    def __init__(self, page, end):
        self.page, self.end, self.count = page, end, 0

    def stroke(self):
        self.count += 1
        width, height = self.page.size
        x, y = (self.count * 37) % width, height // 2 + (self.count * 11) % (height // 2)
        self.page.ask(
            "stroke", stroke=self.count if self.end else 10**6, points=[[x, y], [x + 9, y + 3]],
            radius=6, label=(7, 8, 21)[self.count % 3] if self.end else 21, instance="auto",
            end=self.end,
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["preview", "final"])
def test_stroke_to_image(benchmark, page, kind):
    brush = Brush(page, end=kind == "final")

    def act():
        brush.stroke()
        page.image(final=brush.end)

    benchmark.pedantic(act, rounds=ROUNDS, warmup_rounds=2)
    page.ask("undo")
    page.image(final=True)


def test_stroke_to_maps(benchmark, page):
    brush = Brush(page, end=False)
    benchmark.pedantic(brush.stroke, rounds=ROUNDS, warmup_rounds=2)
    page.ask("undo")
    page.image(final=True)
