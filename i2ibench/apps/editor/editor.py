"""What all sessions of one editor share."""

from dataclasses import dataclass
from pathlib import Path

from i2ibench.apps.editor.classes import Classes, read_classes
from i2ibench.apps.editor.library import Library, open_library
from i2ibench.apps.editor.render import Renderer
from i2ibench.apps.editor.stamps import Stamps
from i2ibench.apps.editor.uploaded_images import MAX_UPLOAD_PIXELS
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint


@dataclass(frozen=True)
class Editor:
    """The checkpoint's classes and renderer, the data's scenes and silhouettes.

    `max_pixels` is the most that an uploaded scene or map may have.
    """

    checkpoint: str
    classes: Classes
    renderer: Renderer
    library: Library
    stamps: Stamps
    max_pixels: int = MAX_UPLOAD_PIXELS

    def check_class(self, label: int) -> None:
        """Refuse a class that there is not.

        Raises:
            UserError: states how many there are.
        """
        if label >= len(self.classes):
            raise UserError(f"There is no class {label}; the last is {len(self.classes) - 1}.")


def open_editor(
    opened: OpenedCheckpoint, data: Path | None = None, max_pixels: int = MAX_UPLOAD_PIXELS
) -> Editor:
    """Return the editor of a checkpoint and a folder of scenes (None: its own validation data).

    Raises:
        UserError: the checkpoint's condition is no label map, or the folder has no scenes.
    """
    renderer = Renderer(opened)
    classes = read_classes(opened.metainfo)
    library = open_library(opened, classes, data)
    return Editor(str(opened.path), classes, renderer, library, Stamps(library), max_pixels)
