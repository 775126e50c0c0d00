"""Weights of a Caffe network, read from its protocol buffer without Caffe."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.errors import UserError

# Field numbers of caffe.proto: layers of NetParameter, old and new; of both kinds of layer the
# name and the blobs; of BlobProto the shape (old: four numbers) and the data.
LAYERS = {100: (1, 7), 2: (4, 6)}
DATA, SHAPE, OLD_SHAPE = 5, 7, (1, 2, 3, 4)

Field = tuple[int, int | memoryview]


def read_caffemodel(path: Path) -> dict[str, list[NDArray[np.float32]]]:
    """The blobs of every layer that has some, by the layer's name: weights, then biases.

    Raises:
        UserError: the file is missing, or no Caffe model.
    """
    try:
        content = memoryview(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    try:
        layers = [
            _layer(value, *LAYERS[number])
            for number, value in fields(content)
            if number in LAYERS and isinstance(value, memoryview)
        ]
        found = {name: blobs for name, blobs in layers if blobs}
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no Caffe model, or not all of it: {error}") from None
    if not found:
        raise UserError(f"{path} holds no layers with weights, so it is no trained Caffe model.")
    return found


def fields(message: memoryview) -> Iterator[Field]:
    """The (number, value) pairs of a message in the wire format of protocol buffers.

    Raises:
        ValueError, IndexError: it is none.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == 0:
            number, position = _varint(message, position)
            yield key >> 3, number
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"wire type {kind} at byte {position}")
        size = {1: 8, 5: 4}.get(kind, 0)
        if kind == 2:
            size, position = _varint(message, position)
        if position + size > len(message):
            raise ValueError(f"it ends within a field at byte {position}")
        yield key >> 3, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7


def _layer(message: memoryview, name: int, blobs: int) -> tuple[str, list[NDArray[np.float32]]]:
    title, found = "", []
    for number, value in fields(message):
        if isinstance(value, memoryview):
            if number == name:
                title = bytes(value).decode()
            elif number == blobs:
                found.append(_blob(value))
    return title, found


def _blob(message: memoryview) -> NDArray[np.float32]:
    data, shape, old = [], [], {}
    for number, value in fields(message):
        if number == DATA and isinstance(value, memoryview):
            data.append(np.frombuffer(value, "<f4"))
        elif number == SHAPE and isinstance(value, memoryview):
            shape = _dimensions(value)
        elif number in OLD_SHAPE and isinstance(value, int):
            old[number] = value
    values = np.concatenate(data) if data else np.empty(0, np.float32)
    return values.reshape(shape or [old.get(number, 1) for number in OLD_SHAPE])


def _dimensions(message: memoryview) -> list[int]:
    """The sizes in a BlobShape, packed or one by one."""
    sizes: list[int] = []
    for _, value in fields(message):
        if isinstance(value, int):
            sizes.append(value)
            continue
        position = 0
        while position < len(value):
            size, position = _varint(value, position)
            sizes.append(size)
    return sizes
