"""Scenes as zip files.

A scene's zip holds `label.png` (the values of the data set's label files, 8 bit), `instance.png`
(16 bit) and `styles.json`. Everything is read from memory; no name in an archive becomes a path.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from i2ibench.apps.editor.classes import Classes
from i2ibench.apps.editor.instances import derived_instances, one_class_each
from i2ibench.apps.editor.messages import check_text
from i2ibench.apps.editor.scene import DRAWS, Mode, Scene, Style, Vector
from i2ibench.apps.editor.uploaded_images import (
    MAX_PIXELS,
    check_size,
    read_instance_png,
    read_integers,
)
from i2ibench.apps.web.json_text import parse_json
from i2ibench.data.image_files import MapPixels
from i2ibench.data.maps import label_map_of
from i2ibench.errors import UserError

MAX_MAP_BYTES = 24 * 2**20
"""Of a PNG; the largest map with 16 bits of noise a pixel has 17 million."""
MAX_STYLES_BYTES = 4 * 2**20
"""Of styles.json, which takes up to fifty times as much memory when it is read."""
MAX_BRACKETS = 4 * 2**16
"""In styles.json: twice as many as it has if every instance has a style. More would be objects that
take seconds to read."""
MAX_ENTRIES = 64
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Of the other methods Python unpacks a piece at once, however large it becomes."""
_LISTED = b"PK\x01\x02"
"""Begins every entry of a zip's table of contents."""
_FORMAT = 1
_OPENED = "opened/"
"""Where an autosave keeps the scene as it was opened."""
_MAPS = [f"{prefix}{kind}.png" for prefix in ("", _OPENED) for kind in ("label", "instance")]


@dataclass(frozen=True)
class Saved:
    """A scene from a zip.

    Attributes:
        scene: the scene.
        opened: as it was opened, if the zip tells; otherwise the scene itself.
        notes: what had to be changed.
    """

    scene: Scene
    opened: Scene
    notes: list[str]


def scene_zip(scene: Scene, classes: Classes, opened: Scene | None = None) -> bytes:
    """The scene as a zip; with the scene as it was opened, if that is given."""
    about = {
        "format": _FORMAT,
        "name": scene.name,
        "draw": scene.draw,
        "classes": list(classes.names),
        "styles": {str(i): _style_to_json(style) for i, style in scene.styles.items()},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored: PNG are compressed already
        for prefix, each in [("", scene)] + ([(_OPENED, opened)] if opened is not None else []):
            values = classes.values()[each.label]
            archive.writestr(f"{prefix}label.png", _png(values))
            archive.writestr(f"{prefix}instance.png", _png(each.instance.astype(np.uint16)))
        archive.writestr("styles.json", _checked(json.dumps(about, separators=(",", ":"))))
    return buffer.getvalue()


def _checked(styles: str) -> str:
    """Refuse to write what could not be read again."""
    if len(styles) > MAX_STYLES_BYTES or _brackets(styles) > MAX_BRACKETS:
        raise UserError(
            f"The scene cannot be saved: its styles take {len(styles) / 2**20:.1f} MiB, and "
            f"{MAX_STYLES_BYTES // 2**20} MiB is the limit. Give fewer objects styles from photos."
        )
    return styles


def _brackets(styles: str) -> int:
    return styles.count("[") + styles.count("{")


def read_scene_zip(data: bytes, classes: Classes, max_pixels: int = MAX_PIXELS) -> Saved:
    """Return the scene in a zip that `scene_zip` made.

    Args:
        data: the zip.
        classes: the checkpoint's.
        max_pixels: of the scene.

    Raises:
        UserError: it is no such zip, is too large, or belongs to other classes.
    """
    found = _read_entries(
        data, {"styles.json": MAX_STYLES_BYTES, **dict.fromkeys(_MAPS, MAX_MAP_BYTES)}
    )
    if _brackets(found.get("styles.json", b"").decode("latin-1")) > MAX_BRACKETS:
        raise UserError(f"styles.json has more than {MAX_BRACKETS} objects.")
    try:
        about = parse_json(found["styles.json"])
    except KeyError:
        raise UserError("This is no zip of a scene: it has no styles.json.") from None
    except ValueError as error:
        raise UserError(f"This is no zip of a scene: styles.json is no JSON: {error}") from None
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise UserError(f"styles.json is not of format {_FORMAT}.")
    if about.get("classes") != list(classes.names):
        raise UserError("The scene belongs to a checkpoint with other classes.")
    scene, notes = _scene(about, found, "", classes, max_pixels)
    opened = None
    if f"{_OPENED}label.png" in found:
        opened = _scene(about, found, _OPENED, classes, max_pixels)[0]
    if opened is not None and opened.size != scene.size:
        raise UserError("The scene and the one it began with differ in size.")
    styles, draw = _read_styles(about, scene)
    edited = Scene(scene.name, scene.label, scene.instance, styles, draw)
    return Saved(edited, opened or scene, notes)


def new_scene(
    name: str, label: NDArray[np.uint8], instance: NDArray[np.int32] | None, classes: Classes
) -> tuple[Scene, list[str]]:
    """A scene of maps from elsewhere, in which every instance has one class, and notes.

    Args:
        name: the scene's.
        label: uint8 [H,W], channels.
        instance: int32 [H,W]; None derives one.
        classes: the checkpoint's.

    Raises:
        UserError: too large, or too many instances.
    """
    check_size(label.shape[1], label.shape[0])
    if instance is None:
        return Scene(name, label, derived_instances(label, classes)), []
    if instance.shape != label.shape:
        sizes = [f"{a.shape[1]}x{a.shape[0]}" for a in (instance, label)]
        raise UserError(f"The instance map has {sizes[0]} pixels and the label map {sizes[1]}.")
    repaired, notes = one_class_each(label, instance)
    return Scene(name, label, repaired), notes


def _scene(
    about: dict[str, Any], found: dict[str, bytes], prefix: str, classes: Classes, max_pixels: int
) -> tuple[Scene, list[str]]:
    try:
        name = check_text(about.get("name"))
    except ValueError:
        raise UserError("styles.json names no scene.") from None
    for kind in ("label", "instance"):
        if f"{prefix}{kind}.png" not in found:
            raise UserError(f"The zip has no {prefix}{kind}.png.")
    values = read_integers(found[f"{prefix}label.png"], "label map", max_pixels)
    channels = label_map_of(MapPixels(values), Path("label.png"), classes.table()).channels
    ids = read_instance_png(found[f"{prefix}instance.png"], max_pixels)
    return new_scene(name, channels, ids, classes)


def _read_styles(about: dict[str, Any], scene: Scene) -> tuple[dict[int, Style], int]:
    draw, stored = about.get("draw", 0), about.get("styles", {})
    if type(draw) is not int or not 0 <= draw < DRAWS or not isinstance(stored, dict):
        raise UserError("styles.json is malformed: draw or styles.")
    present = set(np.flatnonzero(np.bincount(scene.instance.ravel())).tolist())
    styles: dict[int, Style] = {}
    for key, value in stored.items():
        if key.isascii() and key.isdigit() and len(key) < 6 and int(key) in present:
            styles[int(key)] = _style_from_json(value)
    return styles, draw


def _style_to_json(style: Style) -> dict[str, Any]:
    if isinstance(style, Mode):
        return {"kind": "mode", "mode": style.index}
    return {"kind": "vector", "values": list(style.values), "source": style.source}


def _style_from_json(value: Any) -> Style:
    fields = value if isinstance(value, dict) else {}
    index, numbers = fields.get("mode"), fields.get("values")
    if fields.get("kind") == "mode" and type(index) is int and 0 <= index < 2**31:
        return Mode(index)
    finite = isinstance(numbers, list) and all(
        isinstance(n, float | int) and abs(n) <= 1e6 for n in numbers
    )
    if fields.get("kind") == "vector" and numbers and finite:
        return Vector(tuple(float(n) for n in numbers), str(fields.get("source", ""))[:200])
    raise UserError("styles.json has a style that is neither a mode nor numbers.")


def _png(pixels: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _read_entries(data: bytes, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Return the named entries of a zip file, those that it has.

    Args:
        data: the zip file.
        limits: by entry's name the most bytes that the unpacked entry may have.

    Raises:
        UserError: it is no zip file, has too many entries, or an entry is too large or packed by an
            unusual method.
    """
    if data.count(_LISTED) > MAX_ENTRIES:
        raise UserError(f"The zip has more than {MAX_ENTRIES} files; a scene has at most 5.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {
                name: _entry(archive, archive.NameToInfo[name], most)
                for name, most in limits.items()
                if name in archive.NameToInfo
            }
    except UserError:
        raise
    except Exception as error:  # whatever a foreign file makes the decoders raise
        raise UserError(f"This is no zip of a scene: {error}") from None


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    if info.compress_type not in METHODS:
        raise UserError(f"{info.filename} in the zip is not packed by the usual method (deflate).")
    content = b""
    if info.file_size <= most:  # what is stated; it may be a lie
        with archive.open(info) as file:
            content = file.read(most + 1)
    if info.file_size > most or len(content) > most:
        raise UserError(f"{info.filename} in the zip is larger than {most / 2**20:g} MiB.")
    return content
