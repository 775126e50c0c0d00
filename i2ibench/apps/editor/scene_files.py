"""Write scenes to zip files and read them.

A scene's zip holds `label.png` (8 bits, the values of the data's label files), `instance.png`
(16 bits) and `styles.json`. Everything is read from memory, and no name in a zip becomes a path.
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
from i2ibench.data.image_reading import MapPixels
from i2ibench.data.maps import label_map_of
from i2ibench.errors import UserError

MAX_MAP_BYTES = 24 * 2**20
"""The largest size of a PNG. The largest map with 16 bits of noise per pixel has 17 million."""
MAX_STYLES_BYTES = 4 * 2**20
"""The largest size of styles.json. Reading it takes up to fifty times as much memory."""
MAX_BRACKETS = 4 * 2**16
"""The most brackets in styles.json, twice as many as the styles of all instances need. Reading more
would take seconds."""
MAX_ENTRIES = 64
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The allowed compression methods. With others, Python unpacks a block however large it becomes."""
_LISTED = b"PK\x01\x02"
"""The first bytes of every entry in the table of contents of a zip."""
_FORMAT = 1
_OPENED = "opened/"
"""The folder in an autosave that holds the scene as it was opened."""
_MAPS = [f"{prefix}{kind}.png" for prefix in ("", _OPENED) for kind in ("label", "instance")]


@dataclass(frozen=True)
class Saved:
    """A scene from a zip.

    Attributes:
        scene: the scene.
        opened: the scene as it was opened, if the zip holds it, else the scene; in both cases
            without chosen styles and with the first random draw.
        notes: messages about what had to be changed in the maps of `scene`.
    """

    scene: Scene
    opened: Scene
    notes: list[str]


def scene_zip(scene: Scene, classes: Classes, opened: Scene | None = None) -> bytes:
    """Return the content of a zip with a scene's maps, chosen styles and random draw.

    Args:
        scene: the scene.
        classes: the classes of the checkpoint. The zip names them.
        opened: the scene as it was opened, whose maps are added to the zip; None to leave them out.

    Raises:
        UserError: the styles are too large to be read again.
    """
    meta = {
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
            archive.writestr(f"{prefix}label.png", encode_png(values))
            archive.writestr(f"{prefix}instance.png", encode_png(each.instance.astype(np.uint16)))
        archive.writestr("styles.json", _checked(json.dumps(meta, separators=(",", ":"))))
    return buffer.getvalue()


def _checked(styles: str) -> str:
    """Return the text of styles.json unchanged if it is small enough to be read again."""
    if len(styles) > MAX_STYLES_BYTES or _brackets(styles) > MAX_BRACKETS:
        raise UserError(
            f"The scene cannot be saved: its styles take {len(styles) / 2**20:.1f} MiB, and "
            f"{MAX_STYLES_BYTES // 2**20} MiB is the limit. Give fewer objects styles from photos."
        )
    return styles


def _brackets(styles: str) -> int:
    return styles.count("[") + styles.count("{")


def read_scene_zip(data: bytes, classes: Classes, max_pixels: int = MAX_PIXELS) -> Saved:
    """Read a scene from the content of a zip that `scene_zip` wrote. The content may be malicious.

    Styles of instances that the scene does not have are left out. See `new_scene` for what is
    changed in the maps.

    Args:
        data: the content of the zip.
        classes: the classes of the checkpoint.
        max_pixels: the largest area of the scene, in pixels.

    Raises:
        UserError: the data is no such zip, is too large, or has other classes; or the scene and the
            one it was opened as differ in size.
    """
    entries = _read_entries(
        data, {"styles.json": MAX_STYLES_BYTES, **dict.fromkeys(_MAPS, MAX_MAP_BYTES)}
    )
    if _brackets(entries.get("styles.json", b"").decode("latin-1")) > MAX_BRACKETS:
        raise UserError(f"styles.json has more than {MAX_BRACKETS} objects.")
    try:
        meta = parse_json(entries["styles.json"])
    except KeyError:
        raise UserError("This is no zip of a scene: it has no styles.json.") from None
    except ValueError as error:
        raise UserError(f"This is no zip of a scene: styles.json is no JSON: {error}") from None
    if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
        raise UserError(f"styles.json is not of format {_FORMAT}.")
    if meta.get("classes") != list(classes.names):
        raise UserError("The scene belongs to a checkpoint with other classes.")
    scene, notes = _scene(meta, entries, "", classes, max_pixels)
    opened = None
    if f"{_OPENED}label.png" in entries:
        opened = _scene(meta, entries, _OPENED, classes, max_pixels)[0]
    if opened is not None and opened.size != scene.size:
        raise UserError("The scene and the one it began with differ in size.")
    styles, draw = _read_styles(meta, scene)
    edited = Scene(scene.name, scene.label, scene.instance, styles, draw)
    return Saved(edited, opened or scene, notes)


def new_scene(
    name: str, label: NDArray[np.uint8], instance: NDArray[np.int32] | None, classes: Classes
) -> tuple[Scene, list[str]]:
    """Return a scene of given maps, in which every instance has one class, and notes on changes.

    An instance keeps the class of most of its pixels. Its pixels of other classes become instances
    of their own, and the only note says so. Nothing is noted if the instances are derived.

    Args:
        name: the name of the scene.
        label: uint8 [H,W], the class number of each pixel. The array becomes read-only.
        instance: int32 [H,W]; None derives the instances, see `derived_instances`.
        classes: the classes of the checkpoint.

    Raises:
        UserError: the maps are empty, too large or differ in size, an instance id lies outside
            0..65535, or there are too many instances.
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
    meta: dict[str, Any], entries: dict[str, bytes], prefix: str, classes: Classes, max_pixels: int
) -> tuple[Scene, list[str]]:
    try:
        name = check_text(meta.get("name"))
    except ValueError:
        raise UserError("styles.json names no scene.") from None
    for kind in ("label", "instance"):
        if f"{prefix}{kind}.png" not in entries:
            raise UserError(f"The zip has no {prefix}{kind}.png.")
    values = read_integers(entries[f"{prefix}label.png"], "label map", max_pixels)
    channels = label_map_of(MapPixels(values), Path("label.png"), classes.table()).channels
    ids = read_instance_png(entries[f"{prefix}instance.png"], max_pixels)
    return new_scene(name, channels, ids, classes)


def _read_styles(meta: dict[str, Any], scene: Scene) -> tuple[dict[int, Style], int]:
    draw, stored = meta.get("draw", 0), meta.get("styles", {})
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


def encode_png(pixels: NDArray[Any]) -> bytes:
    """Return the PNG of an image uint8 [H,W,3] or a map uint8 or uint16 [H,W].

    It is compressed quickly and therefore little.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _read_entries(data: bytes, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Unpack the named files of a zip of unknown origin, and return their contents by name.

    Names that the zip lacks are missing in the result. Other files of the zip are not unpacked.
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
    except Exception as error:  # decoders raise many kinds of errors
        raise UserError(f"This is no zip of a scene: {error}") from None


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    if info.compress_type not in METHODS:
        raise UserError(f"{info.filename} in the zip is not packed by the usual method (deflate).")
    content = b""
    if info.file_size <= most:  # the stated size, which may be false
        with archive.open(info) as file:
            content = file.read(most + 1)
    if info.file_size > most or len(content) > most:
        raise UserError(f"{info.filename} in the zip is larger than {most / 2**20:g} MiB.")
    return content
