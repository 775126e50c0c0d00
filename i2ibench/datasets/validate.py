"""Validation: every file of a data set read and checked before it is needed."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from i2ibench.datasets.scenes import SceneFiles, Scenes, read_image, read_instance, read_label
from i2ibench.errors import UserError


def find_faults(
    scenes: Scenes, photos: bool = False, on_scene: Callable[[], None] | None = None
) -> list[str]:
    """One message per scene that cannot be used, in the scenes' order.

    Args:
        scenes: what to check; label and instance maps are read in full.
        photos: read the photos in full as well.
        on_scene: called after each scene.
    """

    def check(files: SceneFiles) -> str | None:
        try:
            _read_maps(files, scenes, photos)
            return None
        except UserError as error:
            return str(error)
        finally:
            if on_scene is not None:
                on_scene()

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return [fault for fault in pool.map(check, scenes.files) if fault]


def require_faultless(scenes: Scenes, on_scene: Callable[[], None] | None = None) -> None:
    """Read every label and instance map.

    Raises:
        UserError: some cannot be used; the first five are named.
    """
    faults = find_faults(scenes, on_scene=on_scene)
    if faults:
        more = f"\n... and {len(faults) - 5} more scenes." if len(faults) > 5 else ""
        raise UserError("\n".join(faults[:5]) + more)


def _read_maps(files: SceneFiles, scenes: Scenes, photos: bool) -> None:
    read_label(files.label, scenes.classes)
    if files.instance is not None:
        read_instance(files.instance)
    if photos and files.image is not None:
        read_image(files.image)
