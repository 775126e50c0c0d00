"""Checks of a checkpoint's contents, before anything is built from them.

Checkpoints are not trusted. Nothing in them is executed, and they name neither files to write nor
code to import.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from i2ibench.data.pixel_formats import check_format
from i2ibench.errors import UserError
from i2ibench.io.safe_names import safe_text
from i2ibench.registry.configuration import RESERVED_KEYS, check_values

KINDS = {"config": str, "meta": dict, "state_dict": dict}

MOST_CLASSES = 2**16

EARLIER_NAMES = {
    "RefinementGenerator": "CRNGenerator",
    "RefinementLoss": "CRNLoss",
    "ValidationPictures": "ValidationImages",
}
"""Names of parts in older checkpoints, and their present names."""


def check_contents(saved: Any, path: Path) -> None:
    """Check that a file has the entries of a checkpoint, and that their types are right.

    The entries are `config`, `meta` and `state_dict`; `ema_state_dict` may be missing. Whether the
    weights fit the config is not checked.

    Args:
        saved: the content of the file, read without executing a pickle.
        path: the file, for the messages.

    Raises:
        UserError: an entry is missing or wrong; the message names it and the file.
    """
    if not isinstance(saved, dict) or not all(
        isinstance(saved.get(k), t) for k, t in KINDS.items()
    ):
        raise UserError(f"{path} is no i2ibench checkpoint: it lacks config, meta or state_dict.")
    for key in ("state_dict", "ema_state_dict"):
        pairs = saved.get(key, {})
        named = isinstance(pairs, dict) and all(
            isinstance(name, str) and isinstance(value, torch.Tensor)
            for name, value in pairs.items()
        )
        _require(named, path, key, "weights by name")
    config = read_config(saved, path)
    _check_meta(saved["meta"], path)
    _check_config(config, path)


def read_config(saved: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the config in a checkpoint as plain values, with the present names of parts.

    Args:
        saved: the content of the checkpoint, whose `config` is a JSON text.
        path: the file, for the messages.

    Raises:
        UserError: the config is not a JSON object.
    """
    try:
        config = json.loads(saved["config"], object_hook=_with_new_name)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is no i2ibench checkpoint: its config is not JSON: {error}"
        ) from None
    _require(isinstance(config, dict), path, "config", "a JSON object")
    assert isinstance(config, dict)
    hooks = config.get("hooks")
    if isinstance(hooks, dict) and "pictures" in hooks:
        hooks["images"] = hooks.pop("pictures")
    return config


def _with_new_name(part: dict[str, Any]) -> dict[str, Any]:
    """Replace the `type` of a dict by its present name, in place, if it is one of EARLIER_NAMES."""
    kind = part.get("type")
    if isinstance(kind, str) and kind in EARLIER_NAMES:
        part["type"] = EARLIER_NAMES[kind]
    return part


def _check_config(config: dict[str, Any], path: Path) -> None:
    """Check the types of a config's entries that are used when a checkpoint is opened."""
    place = f"The config in {path}"
    for key in RESERVED_KEYS:
        if key in config:
            raise UserError(f"{place} has the key {key!r}, which no config has.")
    for key in ("model", "data_preprocessor"):
        _require(isinstance(config.get(key), dict), path, f"config.{key}", "a dict")
    check_values(config, place)
    for loader in ("train_dataloader", "val_dataloader"):
        dataset = config.get(loader, {}).get("dataset", {})
        _require(isinstance(dataset, dict), path, f"{loader}.dataset", "a dict")
        transforms = dataset.get("transforms", [])
        listed = isinstance(transforms, list) and all(isinstance(t, dict) for t in transforms)
        _require(listed, path, f"{loader}.dataset.transforms", "a list of dicts")
    _require(isinstance(config.get("data_root"), str | None), path, "data_root", "a folder")
    protocol = config.get("protocol")
    _require(isinstance(protocol, str | dict | None), path, "protocol", "a name or a dict")


def _check_meta(meta: dict[str, Any], path: Path) -> None:
    """Check the epoch, and the class table of the data set, in a checkpoint's `meta`.

    All lists of the table but `scored_classes` need as many entries as there are classes.
    """
    _require(type(meta.get("epoch")) is int, path, "meta.epoch", "a number of epochs")
    table = meta.get("dataset_meta")
    _require(isinstance(table, dict), path, "meta.dataset_meta", "a class table")
    assert isinstance(table, dict)
    checks: dict[str, Callable[[Any], bool]] = {
        "classes": lambda v: isinstance(v, str),
        "palette": _is_colour,
        "ids": lambda v: type(v) is int and 0 <= v < MOST_CLASSES,
        "scored_ids": lambda v: type(v) is int and 0 <= v < MOST_CLASSES,
        "scored_classes": lambda v: isinstance(v, str),
    }
    count = len(table["classes"]) if isinstance(table.get("classes"), list) else 0
    for key, fits in checks.items():
        values = table.get(key)
        rows = isinstance(values, list) and len(values) < MOST_CLASSES and all(map(fits, values))
        _require(rows, path, f"dataset_meta.{key}", "a list with an entry for each class")
        if key != "scored_classes" and len(table[key]) != count:
            raise UserError(
                f"{path}: dataset_meta.{key} has {len(table[key])} entries for {count} classes."
            )
    stated = (table.get("image_channels", 3), table.get("image_depth", 8))
    formats = table.get("formats", {})
    _require(isinstance(formats, dict), path, "dataset_meta.formats", "formats by kind of image")
    for kind, entry in {"image": stated, **formats}.items():
        check_format(kind, entry, f"{path}: the format of {kind!r} in its dataset_meta")
    _require(isinstance(table.get("dataset"), str), path, "dataset_meta.dataset", "a name")
    for name in (table["dataset"], *table["classes"], *table["scored_classes"]):
        safe_text(name, f"{path}, dataset_meta")


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(type(level) is int and 0 <= level <= 255 for level in value)
    )


def _require(holds: bool, path: Path, key: str, what: str) -> None:
    if not holds:
        raise UserError(f"{path} is no i2ibench checkpoint: its {key} is not {what}.")
