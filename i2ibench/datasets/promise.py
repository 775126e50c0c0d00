"""The promise of every data set, and the refusal of a class that does not keep it."""

from collections.abc import Callable, Mapping
from typing import Any

from i2ibench.datasets.scenes import Scenes
from i2ibench.errors import UserError
from i2ibench.registry import options_of

PROMISE = (
    "A data set takes the option seed, for random transforms, and has len(dataset), dataset[i], "
    "dataset.metainfo (ClassTable.metainfo) and dataset.scenes (a Scenes, with the files of every "
    "scene). The base i2ibench.datasets.scenes.ScenesOnDisk has most of it, and "
    "`i2ibench new-plugin dataset NAME` writes an example."
)


def check_class(part: Callable[..., Any]) -> None:
    """Refuse a class without the option `seed`, which every data set is given.

    Raises:
        UserError: names the class, and the promise.
    """
    if "seed" not in options_of(part):
        raise UserError(f"The data set {getattr(part, '__name__', part)} does not take 'seed'. "
                        f"{PROMISE}")  # fmt: skip


def check_dataset(dataset: Any) -> None:
    """Refuse an object that lacks what every data set promises.

    Raises:
        UserError: names what is missing, and the promise.
    """
    kind = type(dataset).__name__
    if not isinstance(getattr(dataset, "scenes", None), Scenes):
        raise UserError(f"The data set {kind} has no 'scenes', a Scenes. {PROMISE}")
    if not isinstance(getattr(dataset, "metainfo", None), Mapping):
        raise UserError(f"The data set {kind} has no 'metainfo', a dict. {PROMISE}")
    for method in ("__len__", "__getitem__"):
        if not hasattr(dataset, method):
            raise UserError(f"The data set {kind} has no {method}. {PROMISE}")
