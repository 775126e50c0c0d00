"""The editor of a checkpoint: everything that its sessions share."""

from dataclasses import dataclass
from pathlib import Path

from i2ibench.apps.editor.classes import Classes, read_classes
from i2ibench.apps.editor.library import Library, Stamps, open_library
from i2ibench.apps.editor.render import Renderer
from i2ibench.apps.editor.uploaded_images import MAX_UPLOAD_PIXELS
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint


@dataclass(frozen=True)
class Editor:
    """A checkpoint and the data that its sessions edit.

    Attributes:
        checkpoint: the path of the checkpoint.
        classes: the classes of the checkpoint.
        renderer: makes images of scenes.
        library: the scenes that can be opened.
        stamps: the silhouettes that can be added to a scene.
        max_pixels: the largest area of an uploaded scene or map, in pixels.
    """

    checkpoint: str
    classes: Classes
    renderer: Renderer
    library: Library
    stamps: Stamps
    max_pixels: int = MAX_UPLOAD_PIXELS

    def check_class(self, label: int) -> None:
        """Check that the checkpoint has a class of this number; numbers begin with 0.

        Raises:
            UserError: the number is too large. Negative numbers are not checked.
        """
        if label >= len(self.classes):
            raise UserError(f"There is no class {label}; the last is {len(self.classes) - 1}.")


def empty_editor(opened: OpenedCheckpoint) -> Editor:
    """Return the editor of an opened checkpoint without scenes and silhouettes.

    Raises:
        UserError: the checkpoint translates no label maps, or its images cannot be shown.
    """
    classes = read_classes(opened.metainfo)
    library = Library(None, classes)
    return Editor(str(opened.path), classes, Renderer(opened), library, Stamps(library))


def open_editor(
    opened: OpenedCheckpoint, data: Path | None = None, max_pixels: int = MAX_UPLOAD_PIXELS
) -> Editor:
    """Return the editor of an opened checkpoint and of the scenes to edit.

    If no folder is given and the checkpoint's validation data does not exist, the editor begins
    with an empty canvas.

    Args:
        opened: the checkpoint.
        data: the folder of the scenes; None for the validation data of the checkpoint's config.
        max_pixels: the largest area of an uploaded scene or map, in pixels.

    Raises:
        UserError: the checkpoint translates no label maps or its images cannot be shown, the folder
            has no scenes, or the validation data has other classes than the checkpoint.
    """
    renderer = Renderer(opened)
    classes = read_classes(opened.metainfo)
    library = open_library(opened, classes, data)
    return Editor(str(opened.path), classes, renderer, library, Stamps(library), max_pixels)
