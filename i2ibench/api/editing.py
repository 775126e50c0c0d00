"""A scene that is edited step by step, with the tools of the interactive editor."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from i2ibench.errors import UserError, near_match
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.io.files import write_file

Point = tuple[int, int]
Target = int | str
"""The id of the instance to draw into, "new" for a new one, or "auto": stuff goes to its class's
own id, and a stroke that begins on an instance of the class extends that instance."""


class Editing:
    """A scene and its history. Every edit returns the object, so that edits can be chained.

    Classes are given by name or number. Points are (x, y) in pixels.

    Args:
        opened: a checkpoint that translates label maps.
        label: the class numbers, uint8 [H,W].
        instance: the instance ids, int32 [H,W]; None makes every connected region of a thing an
            instance.
        photo: the real image uint8 [H,W,3], or None.
        name: the name of the scene, which seeds its random styles.

    Raises:
        UserError: the maps do not fit together, the checkpoint translates no label maps, or a
            package of the extra `web` is missing.
    """

    def __init__(
        self,
        opened: OpenedCheckpoint,
        label: NDArray[np.uint8],
        instance: NDArray[np.int32] | None,
        photo: NDArray[np.uint8] | None,
        name: str = "scene",
    ) -> None:
        try:
            from i2ibench.apps.editor.editor import empty_editor
            from i2ibench.apps.editor.library import OpenedScene
            from i2ibench.apps.editor.scene_files import new_scene
            from i2ibench.apps.editor.session import Session
        except ModuleNotFoundError as error:
            raise UserError(
                f"Editing needs {error.name}; install it with: pip install 'i2ibench[web]'"
            ) from None
        editor = empty_editor(opened)
        scene, self.notes = new_scene(name, label, instance, editor.classes)
        if photo is not None and photo.shape[:2] != scene.size:
            sizes = [f"{a.shape[1]}x{a.shape[0]}" for a in (photo, scene.label)]
            raise UserError(f"The photo has {sizes[0]} pixels and the label map {sizes[1]}.")
        self._classes, self._renderer = editor.classes, editor.renderer
        self._session = Session("", editor, OpenedScene(scene, photo, []))

    @property
    def label(self) -> NDArray[Any]:
        """Return the label map, the class ids [H,W] of label files."""
        values: NDArray[Any] = self._classes.values()[self._session.scene.label]
        return values

    @property
    def instance(self) -> NDArray[np.int32]:
        """Return a copy of the instance ids, int32 [H,W]."""
        return self._session.scene.instance.copy()

    @property
    def instances(self) -> dict[int, str]:
        """Return the class name of every instance by id."""
        from i2ibench.apps.editor.instances import list_instances

        scene = self._session.scene
        table = list_instances(scene.label, scene.instance)
        names = [self._classes.names[n] for n in table.labels.tolist()]
        return dict(zip(table.ids.tolist(), names, strict=True))

    def image(self) -> Image.Image:
        """Return the translation of the scene as it is now."""
        return Image.fromarray(self._renderer.image(self._session.scene))

    def modes(self, instance: int) -> list[Image.Image]:
        """Return thumbnails of an instance in every mode of its class, in the modes' order.

        Raises:
            UserError: there is no such instance, or its class has no modes.
        """
        strip = self._renderer.strip(self._session.scene, instance)
        return [Image.fromarray(tile) for tile in strip.tiles]

    def stroke(
        self, points: Sequence[Point], label: str | int, radius: int = 8, instance: Target = "auto"
    ) -> "Editing":
        """Draw a class along a line of points with a round brush of a radius in pixels."""
        return self._apply(
            "stroke", points=[list(p) for p in points], label=self._number(label), radius=radius,
            instance=instance, stroke=self._session.version + 1, end=True,
        )  # fmt: skip

    def fill(self, x: int, y: int, label: str | int, instance: Target = "auto") -> "Editing":
        """Draw a class over the connected part of an instance around a pixel."""
        return self._apply("fill", x=x, y=y, label=self._number(label), instance=instance)

    def polygon(
        self, points: Sequence[Point], label: str | int, instance: Target = "auto"
    ) -> "Editing":
        """Draw a class over the inside of a polygon."""
        corners = [list(p) for p in points]
        return self._apply("lasso", points=corners, label=self._number(label), instance=instance)

    def relabel(self, instance: int, label: str | int) -> "Editing":
        """Give an instance another class."""
        return self._apply("relabel", instance=instance, label=self._number(label))

    def move(self, instance: int, dx: int, dy: int) -> "Editing":
        """Move an instance; its surroundings grow into the place that it leaves."""
        return self._apply("move", instance=instance, dx=dx, dy=dy)

    def duplicate(self, instance: int, dx: int, dy: int) -> "Editing":
        """Copy an instance to another place, in the same style."""
        return self._apply("duplicate", instance=instance, dx=dx, dy=dy)

    def delete(self, instance: int) -> "Editing":
        """Remove an instance; its surroundings grow into its place."""
        return self._apply("delete", instance=instance)

    def style(
        self, mode: int, instance: int | None = None, label: str | int | None = None
    ) -> "Editing":
        """Give one instance, or all instances of a class, a mode of the style bank."""
        return self._apply("set_style", mode=mode, **self._selected(instance, label))

    def style_from_photo(
        self, instance: int | None = None, label: str | int | None = None
    ) -> "Editing":
        """Give an instance, a class, or without both every instance, the styles of the photo."""
        return self._apply("style_from_photo", **self._selected(instance, label))

    def random_styles(self) -> "Editing":
        """Draw all styles anew, those that were chosen as well."""
        return self._apply("random_styles")

    def undo(self) -> "Editing":
        """Undo the last edit."""
        return self._apply("undo")

    def redo(self) -> "Editing":
        """Do an edit again that was undone."""
        return self._apply("redo")

    def reset(self) -> "Editing":
        """Go back to the scene as it was in the beginning; this can be undone."""
        return self._apply("reset")

    def save(self, path: str | Path) -> Path:
        """Write the scene as a zip that the interactive editor opens; return its path.

        Raises:
            UserError: the file's name does not end in .zip.
            OSError: the file cannot be written.
        """
        from i2ibench.apps.editor.scene_files import scene_zip

        if Path(path).suffix != ".zip":
            raise UserError(f"{path}: a saved scene is a zip file; image().save writes its image.")
        session = self._session
        content = scene_zip(session.scene, self._classes, session.first)
        write_file(Path(path), lambda aside: aside.write_bytes(content))
        return Path(path)

    def _repr_png_(self) -> bytes:
        from i2ibench.apps.editor.scene_files import encode_png

        return encode_png(self._renderer.image(self._session.scene))

    def _apply(self, kind: str, **fields: Any) -> "Editing":
        """Change the scene by a request of the editor's page, which checks every field."""
        from i2ibench.apps.editor.messages import parse

        given = {name: value for name, value in fields.items() if value is not None}
        try:
            message = json.dumps({"type": kind, "id": 0, **given}, default=_plain)
        except TypeError as error:
            raise UserError(f"{kind}: {error}") from None
        self._session.apply(parse(message))
        return self

    def _selected(self, instance: int | None, label: str | int | None) -> dict[str, Any]:
        if instance is None and label is None:
            return {"all": True}
        return {"instance": instance, "label": None if label is None else self._number(label)}

    def _number(self, label: str | int) -> int:
        """Return the number of a class, given by name or number."""
        if not isinstance(label, str):
            return label
        if label not in self._classes.names:
            close = near_match(label, self._classes.names)
            raise UserError(
                f"There is no class {label!r}.{close} Classes: {', '.join(self._classes.names)}."
            )
        return self._classes.names.index(label)


def _plain(value: Any) -> Any:
    """Return a NumPy number as Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is no number or text")
