"""The frames that tell a page about its session: state, maps, instances and images."""

import io
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from i2ibench.apps.editor.instances import list_instances
from i2ibench.apps.editor.library import Stamp
from i2ibench.apps.editor.messages import (
    MAX_MESSAGE_BYTES,
    MAX_POINTS,
    MAX_RADIUS,
    MAX_UPLOAD_BYTES,
    frame,
)
from i2ibench.apps.editor.rasterise import PixelBox, box_of
from i2ibench.apps.editor.render import Strip
from i2ibench.apps.editor.scene import Mode, Vector
from i2ibench.apps.editor.scene_files import encode_png
from i2ibench.apps.editor.session import Session
from i2ibench.apps.editor.uploaded_images import MAX_SIDE

LIMITS = {
    "upload_bytes": MAX_UPLOAD_BYTES,
    "points": MAX_POINTS,
    "radius": MAX_RADIUS,
    "message_bytes": MAX_MESSAGE_BYTES,
    "side": MAX_SIDE,
}


def welcome(session: Session) -> bytes:
    """Return the binary WebSocket message that begins a scene on a page.

    Its header has the session's token, the name and size of the scene, the names of all scenes, the
    path of the checkpoint, the classes with their numbers of style modes, whether the checkpoint
    has styles and can take them from photos, whether the scene has a real photo, the limits of
    requests, and the session's notes. The session forgets the notes. There is no payload.
    """
    editor, scene = session.editor, session.scene
    height, width = scene.size
    classes = editor.classes
    rows = zip(classes.names, classes.colours, classes.things, strict=True)
    return frame(
        type="welcome",
        session=session.token,
        scene=scene.name,
        scenes=editor.library.names,
        width=width,
        height=height,
        classes=[
            {"name": n, "colour": list(c), "thing": t, "modes": editor.renderer.num_modes(label)}
            for label, (n, c, t) in enumerate(rows)
        ],
        styles=editor.renderer.has_styles,
        photo=editor.renderer.reads_photos,
        real_photo=session.photo is not None,
        checkpoint=editor.checkpoint,
        limits=LIMITS,
        notes=session.take_notes(),
    )


def maps(session: Session, box: PixelBox | None = None) -> bytes:
    """Return the binary WebSocket message with a session's label map and instance map inside a box.

    The payload is compressed by zlib: the class numbers as uint8, then the instance ids as
    little-endian int32, both row by row. The header has the box and the scene's version.

    Args:
        session: the session.
        box: the part of the maps; None for the whole maps.
    """
    height, width = session.scene.size
    box = box or PixelBox(0, 0, width, height)
    label, instance = (a[box.slices] for a in (session.scene.label, session.scene.instance))
    payload = zlib.compress(label.tobytes() + instance.astype("<i4").tobytes(), 1)
    return frame(payload, type="maps", **vars(box), version=session.version)


def instances(session: Session) -> bytes:
    """Return the binary WebSocket message with a table of all instances of a session's scene.

    The header has the class number, area, box (left, top, width, height) and style of each instance
    by id, whether undo and redo are possible, and the scene's version. There is no payload.
    """
    scene = session.scene
    table = list_instances(scene.label, scene.instance)
    modes = session.editor.renderer.modes(scene, table.ids, table.labels)
    rows = zip(
        table.ids.tolist(), table.labels.tolist(), table.areas.tolist(), table.boxes.tolist(),
        modes, strict=True,
    )  # fmt: skip
    return frame(
        type="instances",
        instances={
            i: {"label": label, "area": area, "box": box, "style": _style(session, i, mode)}
            for i, label, area, box, mode in rows
        },
        can_undo=session.history.can_undo,
        can_redo=session.history.can_redo,
        version=session.version,
    )


def _style(session: Session, instance: int, mode: int) -> dict[str, Any]:
    chosen = session.scene.styles.get(instance)
    if isinstance(chosen, Vector):
        return {"kind": "vector", "source": chosen.source}
    kind = "mode" if isinstance(chosen, Mode) else "drawn"
    return {"kind": kind, "mode": mode} if mode >= 0 else {"kind": kind}


def image(
    pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None, version: int, seconds: float
) -> bytes:
    """Return the binary WebSocket message with a final image as PNG.

    The PNG shows only the box in which the image differs from the one that the page has. If the
    images are equal, the payload and the box are empty.

    Args:
        pixels: the image, uint8 [H,W,3].
        before: the image that the page has; None if it has none of this scene. The image is then
            sent whole, as for a `before` of another size.
        version: the version of the scene that the image shows.
        seconds: the time that the rendering took.
    """
    height, width = pixels.shape[:2]
    box: PixelBox | None = PixelBox(0, 0, width, height)
    if before is not None and before.shape == pixels.shape:
        box = box_of((before != pixels).any(2))
    payload = b"" if box is None else encode_png(pixels[box.slices])
    return frame(
        payload, type="picture", **vars(box or PixelBox(0, 0, 0, 0)), scale=1, version=version,
        final=True, seconds=seconds,
    )  # fmt: skip


def preview(
    pixels: NDArray[np.uint8], size: tuple[int, int], scale: int, version: int, seconds: float
) -> bytes:
    """Return the binary WebSocket message with a small image as JPEG, for display during a stroke.

    Args:
        pixels: the image, uint8 [h,w,3], `scale` times smaller than the scene.
        size: the (height, width) of the scene.
        scale: how many times smaller the image is.
        version: the version of the scene that the image shows.
        seconds: the time that the rendering took.
    """
    box = PixelBox(0, 0, size[1], size[0])
    return frame(
        _jpeg(pixels), type="picture", **vars(box), scale=scale, version=version, final=False,
        seconds=seconds,
    )  # fmt: skip


def strip(instance: int, modes: Strip) -> bytes:
    """Return the binary WebSocket message with an instance's thumbnails as one JPEG, side by side.

    The header has the instance's id, the number and size of the thumbnails, the part of the scene
    that they show, and whether they are approximate.

    Args:
        instance: the id of the instance.
        modes: the thumbnails, one for each style mode of the instance's class.
    """
    number, height, width, _ = modes.tiles.shape
    row = modes.tiles.transpose(1, 0, 2, 3).reshape(height, number * width, 3)
    box = [modes.box.x, modes.box.y, modes.box.width, modes.box.height]
    return frame(
        _jpeg(row), type="strip", instance=instance, modes=number, width=width, height=height,
        box=box, approximate=modes.approximate,
    )  # fmt: skip


def silhouettes(label: int, stamps: list[Stamp]) -> bytes:
    """Return the binary WebSocket message with the silhouettes of a class that can be added.

    The header has the class number and the name, width and height of each silhouette. The payload
    has the masks in the same order, row by row, one byte per pixel: 1 on the object, else 0.

    Args:
        label: the number of the class.
        stamps: the silhouettes.
    """
    sizes = [{"name": s.name, "width": s.mask.shape[1], "height": s.mask.shape[0]} for s in stamps]
    payload = b"".join(stamp.mask.astype(np.uint8).tobytes() for stamp in stamps)
    return frame(payload, type="silhouettes", label=label, stamps=sizes)


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
