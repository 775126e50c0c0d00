"""A page's part of the protocol, for tests: sends requests and mirrors what the server tells."""

import contextlib
import io
import json
import struct
import zlib

import numpy as np
from PIL import Image

ORIGIN = "http://127.0.0.1:8000"
URL = "ws://127.0.0.1:8000/ws"


class Tab:
    """One connected page; use it in a `with` statement.

    Attributes:
        label, instance, image: as the page would show them.
        told: the last frame of every type.
        errors: the messages of all error frames.
    """

    def __init__(self, client, session=None, scene=None, hello=True):
        self._client, self._number = client, 0
        self._hello = hello
        self._asked = {"session": session, "scene": scene}
        self.told, self.errors = {}, []
        self.label = self.instance = self.image = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.socket = stack.enter_context(
                self._client.websocket_connect(URL, headers={"origin": ORIGIN})
            )
            if self._hello:
                self.ask("hello", **{k: v for k, v in self._asked.items() if v is not None})
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.close()

    @property
    def session(self):
        return self.told["welcome"]["session"]

    def read(self):
        """The next frame's header; what it says is taken over."""
        data = self.socket.receive_bytes()
        (length,) = struct.unpack_from("<I", data)
        header, payload = json.loads(data[4 : 4 + length]), data[4 + length :]
        self.told[header["type"]] = header
        if header["type"] == "welcome":
            size = header["height"], header["width"]
            self.label, self.instance = np.zeros(size, np.uint8), np.zeros(size, np.int32)
        if header["type"] == "maps":
            self._take_maps(header, zlib.decompress(payload))
        if header["type"] == "picture" and header["final"]:
            self._take_image(header, payload)
        if header["type"] == "error":
            self.errors.append(header["message"])
        header["payload"] = payload
        return header

    def send(self, kind, payload=None, /, **fields):
        """Send a request; gives its number."""
        self._number += 1
        text = json.dumps({"type": kind, "id": self._number, **fields})
        if payload is None:
            self.socket.send_text(text)
        else:
            head = text.encode()
            self.socket.send_bytes(struct.pack("<I", len(head)) + head + payload)
        return self._number

    def ask(self, kind, payload=None, /, **fields):
        """The answer to a request, which must not be an error."""
        answer = self.answer(self.send(kind, payload, **fields))
        assert answer["type"] == "done", answer["message"]
        return answer

    def refused(self, kind, payload=None, /, **fields):
        """The message of the error that a request gives."""
        answer = self.answer(self.send(kind, payload, **fields))
        assert answer["type"] == "error"
        return answer["message"]

    def answer(self, number):
        """The done or error frame of request `number`."""
        while True:
            header = self.read()
            if header["type"] in ("done", "error") and header["id"] == number:
                return header

    def until(self, kind, version=0):
        """The next frame of a type, of a version or a later one."""
        while True:
            header = self.read()
            if header["type"] == kind and header.get("version", version) >= version:
                return header

    def painted(self, version):
        """Wait for the final image of a version."""
        seen = self.told.get("picture", {})
        while not (seen.get("final") and seen["version"] >= version):
            seen = self.until("picture")
        return self.image

    def _take_maps(self, header, content):
        x, y, width, height = (header[key] for key in ("x", "y", "width", "height"))
        at = slice(y, y + height), slice(x, x + width)
        number = width * height
        self.label[at] = np.frombuffer(content[:number], np.uint8).reshape(height, width)
        self.instance[at] = np.frombuffer(content[number:], "<i4").reshape(height, width)

    def _take_image(self, header, payload):
        if header["width"]:
            pixels = np.array(Image.open(io.BytesIO(payload)))
            x, y = header["x"], header["y"]
            if self.image is None or pixels.shape[:2] == self.label.shape:
                self.image = np.zeros((*self.label.shape, 3), np.uint8)
            self.image[y : y + header["height"], x : x + header["width"]] = pixels
