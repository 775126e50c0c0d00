"""One tab's scene: what it is now, how it came about, and what was asked of it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.editor.editor import Editor
from i2ibench.apps.editor.history import History, PixelBox, changed_box
from i2ibench.apps.editor.instances import labels_of
from i2ibench.apps.editor.library import OpenedScene
from i2ibench.apps.editor.messages import Request
from i2ibench.apps.editor.operations import (
    EDITS,
    Fields,
    brush_of,
    instances_to_style,
    require_styles,
)
from i2ibench.apps.editor.scene import Brush, Scene, Style, Vector, brush_stroke, set_styles
from i2ibench.apps.editor.scene_files import Saved, new_scene, read_scene_zip
from i2ibench.apps.editor.uploaded_images import read_instance_png, read_label_png, read_photo
from i2ibench.errors import UserError


@dataclass(frozen=True)
class Outcome:
    """The result of a request.

    Attributes:
        changed: the box of the maps that is different now; None for none.
        finished: whether an operation ended, so that instances and autosave follow.
        opened: whether the session has another scene now.
        instance: what the request was about.
    """

    changed: PixelBox | None = None
    finished: bool = False
    opened: bool = False
    instance: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """A session at one moment."""

    token: str
    version: int
    scene: Scene
    first: Scene


@dataclass(frozen=True)
class _Stroke:
    number: int
    paint: Brush
    before: Scene


class Session:
    """One tab's scene with its history; not for several threads at once.

    Attributes:
        version: counts the states of the scene.
        connected: whether a page is.
        left: when the last page left, in monotonic seconds.

    Args:
        token: its name, which only its page knows.
        editor: what all sessions share.
        opened: the scene to begin with.
    """

    def __init__(self, token: str, editor: Editor, opened: OpenedScene) -> None:
        self.token, self.editor = token, editor
        self.version = 0
        self.history = History()
        self.connected = False
        self.left = 0.0
        self._opening: tuple[Scene, NDArray[np.uint8]] | None = None
        self._newest: tuple[Scene, NDArray[np.uint8]] | None = None
        self._stroke: _Stroke | None = None
        self._begin(opened)

    def _begin(self, opened: OpenedScene) -> None:
        self.scene = self.first = opened.scene
        self.photo, self.notes = opened.photo, opened.notes
        self._style_photo: NDArray[np.uint8] | None = None
        self._photo_name = ""
        self.history = History()
        self._stroke = None

    @property
    def brushing(self) -> bool:
        """Return whether a stroke has begun and not ended."""
        return self._stroke is not None

    def take_notes(self) -> list[str]:
        """What the page is to be told once."""
        notes, self.notes = self.notes, []
        return notes

    def keep(self, scene: Scene, image: NDArray[np.uint8]) -> None:
        """Remember the whole image of the scene as it was opened, and the last of another."""
        if scene is self.first:
            self._opening = scene, image
        else:
            self._newest = scene, image

    def image_of(self, scene: Scene) -> NDArray[np.uint8] | None:
        """The image that was kept for a scene, if it was."""
        for kept in (self._opening, self._newest):
            if kept is not None and kept[0] is scene:
                return kept[1]
        return None

    def snapshot(self) -> "Snapshot":
        """The session as it is now, for a file."""
        return Snapshot(self.token, self.version, self.scene, self.first)

    def restore(self, saved: Saved) -> None:
        """Go on with a saved scene; its photo is the data's, where the names agree."""
        notes = [*saved.notes]
        styles, dropped = self._usable(saved.scene)
        if dropped:
            notes.append(f"{dropped} styles do not fit this checkpoint and were dropped.")
        photo = self.editor.library.photo(saved.scene.name)
        if photo is not None and photo.shape[:2] != saved.scene.size:
            photo = None
        self._begin(OpenedScene(saved.opened, photo, notes))
        self.scene = replace(saved.scene, styles=styles)
        self.version += 1

    def copy(self, token: str) -> "Session":
        """A session of its own with the same scene and history."""
        other = Session(token, self.editor, OpenedScene(self.first, self.photo, self.notes))
        other.scene, other.version, other.history = self.scene, self.version, self.history.copy()
        other._style_photo, other._photo_name = self._style_photo, self._photo_name
        return other

    def apply(self, request: Request) -> Outcome:
        """Do what an editing request asks for.

        Raises:
            UserError: it cannot be done; nothing has changed.
        """
        if request.type == "stroke":
            return self._draw(request.fields)
        self.end_stroke()
        if request.type == "open":
            return self._open(self.editor.library.open(request.fields["scene"]))
        if request.type == "upload":
            return self._upload(request)
        if request.type in ("undo", "redo"):
            step = self.history.undo if request.type == "undo" else self.history.redo
            return self._become(step(self.scene), None, record=False)
        if request.type == "reset":
            return self._become(self.first)
        if request.type == "style_from_photo":
            return self._become(
                self._styled_by_photo(request.fields), request.fields.get("instance")
            )
        after, instance = EDITS[request.type](self.scene, self.editor, request.fields)
        return self._become(after, instance)

    def end_stroke(self) -> bool:
        """Make what has been drawn one step, and tell whether anything was."""
        stroke, self._stroke = self._stroke, None
        return stroke is not None and self.history.record(stroke.before, self.scene)

    def _draw(self, fields: Fields) -> Outcome:
        stroke = self._stroke
        if stroke is None or stroke.number != fields["stroke"]:
            paint = brush_of(self.scene, self.editor, fields)
            self.end_stroke()
            stroke = _Stroke(fields["stroke"], paint, self.scene)
        before = self.scene
        self.scene = brush_stroke(before, fields["points"], fields["radius"], stroke.paint)
        self._stroke = stroke
        changed = changed_box(before, self.scene)
        self.version += changed is not None
        if fields["end"]:
            self.end_stroke()
        return Outcome(changed, bool(fields["end"]), instance=stroke.paint.instance)

    def _become(self, after: Scene, instance: int | None = None, record: bool = True) -> Outcome:
        before = self.scene
        changed = changed_box(before, after)
        if record:
            self.version += self.history.record(before, after)
        else:
            self.version += after is not before
        self.scene = after
        return Outcome(changed, finished=True, instance=instance)

    def _open(self, opened: OpenedScene) -> Outcome:
        self._begin(opened)
        self.version += 1
        return Outcome(finished=True, opened=True)

    def _upload(self, request: Request) -> Outcome:
        kind, data, classes = request.fields["kind"], request.payload, self.editor.classes
        name, most = request.fields.get("name", kind), self.editor.max_pixels
        if kind == "photo":
            self._style_photo, self._photo_name = read_photo(data, *self.scene.size), name
            return Outcome()
        if kind == "scene":
            self.restore(read_scene_zip(data, classes, most))
            return Outcome(finished=True, opened=True)
        if kind == "label":
            scene, notes = new_scene(name, read_label_png(data, classes, most, name), None, classes)
            return self._open(OpenedScene(scene, None, notes))
        ids = read_instance_png(data, max(most, self.scene.label.size))
        scene, self.notes = new_scene(self.scene.name, self.scene.label.copy(), ids, classes)
        return self._become(replace(scene, draw=self.scene.draw))

    def _styled_by_photo(self, fields: Fields) -> Scene:
        require_styles(self.editor)
        ids = instances_to_style(self.scene, fields)
        photo, name = self._style_photo, self._photo_name
        if photo is None:
            photo, name = self.photo, f"the photo of {self.scene.name}"
        if photo is None:
            raise UserError("There is no photo to take styles from; upload one.")
        values = self.editor.renderer.encode(self.scene, photo)
        return set_styles(self.scene, {i: Vector(values[i], name) for i in ids})

    def _usable(self, scene: Scene) -> tuple[dict[int, Style], int]:
        """The styles that the style bank has, and how many it has not."""
        fits = self.editor.renderer.fits
        labels = labels_of(scene, np.array(list(scene.styles), np.int64)).tolist()
        kept = {
            i: style
            for (i, style), label in zip(scene.styles.items(), labels, strict=True)
            if fits(label, style)
        }
        return kept, len(scene.styles) - len(kept)
