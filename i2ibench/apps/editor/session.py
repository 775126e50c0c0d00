"""One tab's scene with its history, and the requests that change it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.editor.edit_requests import EDITS, brush_of, instances_to_style, require_styles
from i2ibench.apps.editor.editor import Editor
from i2ibench.apps.editor.history import History, changed_box
from i2ibench.apps.editor.instances import labels_of
from i2ibench.apps.editor.library import OpenedScene
from i2ibench.apps.editor.messages import (
    OpenRequest,
    Request,
    StrokeRequest,
    StyleRequest,
    UploadRequest,
)
from i2ibench.apps.editor.rasterise import PixelBox
from i2ibench.apps.editor.scene import Brush, Scene, Style, Vector, brush_stroke, set_styles
from i2ibench.apps.editor.scene_files import Saved, new_scene, read_scene_zip
from i2ibench.apps.editor.uploaded_images import read_instance_png, read_label_png, read_photo
from i2ibench.errors import UserError


@dataclass(frozen=True)
class Outcome:
    """The result of a request.

    Attributes:
        changed: the box of the maps in which pixels changed; None if none changed.
        finished: whether an operation ended; the instance table is then sent and the scene saved.
        opened: whether the session has another scene now.
        instance: the id of the instance that was edited, if it was one.
    """

    changed: PixelBox | None = None
    finished: bool = False
    opened: bool = False
    instance: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """The state of a session at one moment."""

    token: str
    version: int
    scene: Scene
    first: Scene


@dataclass(frozen=True)
class _Stroke:
    number: int
    brush: Brush
    before: Scene


class Session:
    """One tab's scene with its history. Not safe for several threads at once.

    Attributes:
        version: the number of changes so far.
        first: the scene as it was opened.
        connected: whether a page is connected.
        left: when the last page left, in monotonic seconds.
        notes: messages that the page has not been told yet.

    Args:
        token: the secret name of the session, which only its page knows.
        editor: the editor that all sessions share.
        opened: the scene to begin with.
    """

    def __init__(self, token: str, editor: Editor, opened: OpenedScene) -> None:
        self.token, self.editor = token, editor
        self.version = 0
        self.connected = False
        self.left = 0.0
        self._opening: tuple[Scene, NDArray[np.uint8]] | None = None
        self._newest: tuple[Scene, NDArray[np.uint8]] | None = None
        self._begin(opened)

    def _begin(self, opened: OpenedScene) -> None:
        self.scene = self.first = opened.scene
        self.photo, self.notes = opened.photo, opened.notes
        self._style_photo: NDArray[np.uint8] | None = None
        self._photo_name = ""
        self.history = History()
        self._stroke: _Stroke | None = None

    @property
    def brushing(self) -> bool:
        """Return whether a brush stroke of this session has begun and not ended."""
        return self._stroke is not None

    def take_notes(self) -> list[str]:
        """Return the messages that this session's page has not been told yet, and forget them."""
        notes, self.notes = self.notes, []
        return notes

    def keep(self, scene: Scene, image: NDArray[np.uint8]) -> None:
        """Remember the whole image of a scene, so that it need not be rendered again.

        Two images are remembered: of the scene as it was opened, and the newest of any other scene.

        Args:
            scene: the scene.
            image: its image, uint8 [H,W,3].
        """
        if scene is self.first:
            self._opening = scene, image
        else:
            self._newest = scene, image

    def image_of(self, scene: Scene) -> NDArray[np.uint8] | None:
        """Return the image, uint8 [H,W,3], that `keep` remembers for a scene; None without one.

        The scene must be the same object, not just equal.
        """
        for kept in (self._opening, self._newest):
            if kept is not None and kept[0] is scene:
                return kept[1]
        return None

    def snapshot(self) -> Snapshot:
        """Return the token, version and scene, and the scene as it was opened, at this moment."""
        return Snapshot(self.token, self.version, self.scene, self.first)

    def restore(self, saved: Saved) -> None:
        """Replace the session's scene by one that was read from a zip, and begin a new history.

        Styles that do not fit the checkpoint are dropped, with a note. The photo becomes that of
        the scene of this name in the data, or None if there is none or the sizes differ. An
        uploaded photo is forgotten.

        Args:
            saved: the scene, and the scene as it was opened, to which `reset` goes back.
        """
        notes = [*saved.notes]
        styles = self._usable_styles(saved.scene)
        if dropped := len(saved.scene.styles) - len(styles):
            notes.append(f"{dropped} styles do not fit this checkpoint and were dropped.")
        photo = self.editor.library.photo(saved.scene.name)
        if photo is not None and photo.shape[:2] != saved.scene.size:
            photo = None
        self._begin(OpenedScene(saved.opened, photo, notes))
        self.scene = replace(saved.scene, styles=styles)
        self.version += 1

    def copy(self, token: str) -> "Session":
        """Return a new session with another token and the same scene, history and photos.

        A page is not connected to it. An unfinished stroke has been painted but is no step to undo.

        Args:
            token: the token of the new session.
        """
        other = Session(token, self.editor, OpenedScene(self.first, self.photo, self.notes))
        other.scene, other.version, other.history = self.scene, self.version, self.history.copy()
        other._style_photo, other._photo_name = self._style_photo, self._photo_name
        return other

    def apply(self, request: Request) -> Outcome:
        """Change the session's scene as an editing request asks for, and return what changed.

        Any request but a part of the same stroke first ends the current stroke. If the request then
        fails, the stroke has ended and the scene is as before.

        Args:
            request: a part of a stroke, an edit of EDITS, or a request to open, upload, undo, redo,
                reset, or take styles from a photo. Uploading a photo changes only the photo that
                styles are taken from.

        Raises:
            UserError: the request cannot be done.
        """
        if isinstance(request, StrokeRequest):
            return self._brush(request)
        self.end_stroke()
        if isinstance(request, OpenRequest):
            return self._open(self.editor.library.open(request.scene))
        if isinstance(request, UploadRequest):
            return self._upload(request)
        if request.type in ("undo", "redo"):
            step = self.history.undo if request.type == "undo" else self.history.redo
            return self._become(step(self.scene), None, record=False)
        if request.type == "reset":
            return self._become(self.first)
        if request.type == "style_from_photo" and isinstance(request, StyleRequest):
            return self._become(self._styled_by_photo(request), request.instance)
        after, instance = EDITS[request.type](self.scene, self.editor, request)
        return self._become(after, instance)

    def end_stroke(self) -> bool:
        """Make the current brush stroke one step of the session's history.

        The result is whether the stroke changed the scene; without a stroke it is False.
        """
        stroke, self._stroke = self._stroke, None
        return stroke is not None and self.history.record(stroke.before, self.scene)

    def _brush(self, request: StrokeRequest) -> Outcome:
        stroke = self._stroke
        if stroke is None or stroke.number != request.stroke:
            brush = brush_of(self.scene, self.editor, request)
            self.end_stroke()
            stroke = _Stroke(request.stroke, brush, self.scene)
        before = self.scene
        self.scene = brush_stroke(before, request.points, request.radius, stroke.brush)
        self._stroke = stroke
        changed = changed_box(before, self.scene)
        self.version += changed is not None
        if request.end:
            self.end_stroke()
        return Outcome(changed, request.end, instance=stroke.brush.instance)

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

    def _upload(self, request: UploadRequest) -> Outcome:
        kind, data, classes = request.kind, request.payload, self.editor.classes
        name, most = kind if request.name is None else request.name, self.editor.max_pixels
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

    def _styled_by_photo(self, request: StyleRequest) -> Scene:
        require_styles(self.editor)
        ids = instances_to_style(self.scene, request)
        photo, name = self._style_photo, self._photo_name
        if photo is None:
            photo, name = self.photo, f"the photo of {self.scene.name}"
        if photo is None:
            raise UserError("There is no photo to take styles from; upload one.")
        values = self.editor.renderer.encode(self.scene, photo)
        return set_styles(self.scene, {i: Vector(values[i], name) for i in ids})

    def _usable_styles(self, scene: Scene) -> dict[int, Style]:
        """Return the chosen styles of a scene that the style bank can use, by instance id."""
        ids = np.array(list(scene.styles), np.int64)
        labels = labels_of(scene.label, scene.instance, ids).tolist()
        return {
            i: style
            for (i, style), label in zip(scene.styles.items(), labels, strict=True)
            if self.editor.renderer.fits(label, style)
        }
