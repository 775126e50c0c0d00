"""The promise of every data set, and the refusal of a class that does not keep it."""

from collections.abc import Callable
from typing import Any

from i2ibench.data.image_files import image_size
from i2ibench.data.scenes import Scenes
from i2ibench.errors import UserError
from i2ibench.registry import options_of
from i2ibench.registry.contracts import Dataset

PROMISE = (
    "A data set takes the option seed, for random transforms, inherits from "
    "i2ibench.registry.contracts.Dataset and sets self.metainfo (ClassTable.metainfo) and "
    "self.scenes (a Scenes, with the files of every scene) in its constructor. "
    "`i2ibench new-plugin dataset NAME` writes an example."
)


def check_class(part: Callable[..., Any]) -> None:
    """Refuse a class without the option `seed`, which every data set is given.

    Raises:
        UserError: names the class, and the promise.
    """
    if "seed" not in options_of(part):
        raise UserError(f"The data set {part.__name__} does not take 'seed'. {PROMISE}")


def check_scenes(dataset: Dataset) -> None:
    """Refuse a data set whose `scenes` are something else.

    Raises:
        UserError: names the class, and the promise.
    """
    if not isinstance(dataset.scenes, Scenes):
        raise UserError(
            f"The data set {type(dataset).__name__} has no 'scenes', a Scenes. {PROMISE}"
        )


def one_scene_of_each_size(dataset: Dataset) -> list[int]:
    """The index of one scene for every size that the data set has."""
    first: dict[tuple[int, int], int] = {}
    for index, files in enumerate(dataset.scenes.files):
        first.setdefault(image_size(files.input), index)
    return list(first.values())
