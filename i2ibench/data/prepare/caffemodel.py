"""Reading the weights of a Caffe network from its protocol buffer, without Caffe."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.errors import UserError

# Field numbers of caffe.proto.
LAYERS = {100: (1, 7), 2: (4, 6)}  # of NetParameter, new and old, with a layer's name and blobs
DATA, SHAPE, OLD_SHAPE = 5, 7, (1, 2, 3, 4)  # of BlobProto; old shapes are four numbers


def read_caffemodel(path: Path) -> dict[str, list[NDArray[np.float32]]]:
    """Return the arrays of every layer that has some, by the layer's name: usually weight and bias.

    Layers without arrays are left out.

    Raises:
        UserError: the file cannot be read, is no Caffe model or is incomplete, or has no arrays.
    """
    try:
        content = memoryview(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    try:
        layers = [
            _layer(value, *LAYERS[number])
            for number, value in _fields(content)
            if number in LAYERS and isinstance(value, memoryview)
        ]
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is no Caffe model, or is incomplete: {error}. Download it again."
        ) from None
    blobs_of_layer = {name: blobs for name, blobs in layers if blobs}
    if not blobs_of_layer:
        raise UserError(f"{path} holds no layers with weights, so it is no trained Caffe model.")
    return blobs_of_layer


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value) for each field of a message in the protocol buffer encoding.

    A value is an int for a varint field. For any other field it is the field's bytes. See
    https://protobuf.dev/programming-guides/encoding.
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
    """Return the name of a Caffe layer, "" if it has none, and its arrays in the file's order."""
    fields = [(n, value) for n, value in _fields(message) if isinstance(value, memoryview)]
    names = [bytes(value).decode() for number, value in fields if number == name]
    return names[-1] if names else "", [_blob(value) for n, value in fields if n == blobs]


def _blob(message: memoryview) -> NDArray[np.float32]:
    data, shape, old = [], [], {}
    for number, value in _fields(message):
        if number == DATA and isinstance(value, memoryview):
            data.append(np.frombuffer(value, "<f4"))
        elif number == SHAPE and isinstance(value, memoryview):
            shape = _dimensions(value)
        elif number in OLD_SHAPE and isinstance(value, int):
            old[number] = value
    values = np.concatenate(data) if data else np.empty(0, np.float32)
    return values.reshape(shape or [old.get(number, 1) for number in OLD_SHAPE])


def _dimensions(message: memoryview) -> list[int]:
    """Return the shape of an array from a BlobShape message, whose sizes may be packed or not."""
    sizes: list[int] = []
    for _, value in _fields(message):
        if isinstance(value, int):
            sizes.append(value)
            continue
        position = 0
        while position < len(value):
            size, position = _varint(value, position)
            sizes.append(size)
    return sizes
