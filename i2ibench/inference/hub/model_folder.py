"""A trained system as a folder without pickles: model.safetensors and config.json."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from i2ibench import __version__
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint, read_checkpoint
from i2ibench.io.files import read_json, write_file, write_text

FORMAT = "i2ibench/hub@1"
WEIGHTS, CONFIG = "model.safetensors", "config.json"


def write_folder(opened: OpenedCheckpoint, folder: Path) -> None:
    """Write what translates of a checkpoint: the weights that were opened, config and class table.

    Absolute paths in the config, which name folders of this machine, are replaced by data/NAME.

    Args:
        opened: the checkpoint.
        folder: the folder to write to; it is created.
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved = read_checkpoint(opened.path)
    state = opened.translator.state_dict()
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    write_file(folder / WEIGHTS, lambda aside: save_file(weights, aside, {"format": "pt"}))
    content = {
        "format": FORMAT,
        "i2ibench": __version__,
        "config": _without_machine(json.loads(saved["config"])),
        "meta": saved["meta"],
    }
    write_text(folder / CONFIG, json.dumps(content, indent=2))


def read_folder(folder: Path, target: Path) -> None:
    """Write the checkpoint of a folder that `write_folder` wrote; nothing in it is executed.

    The contents are checked when the checkpoint is opened, as those of any checkpoint.

    Args:
        folder: the folder.
        target: the checkpoint's file, which is written completely or not at all.

    Raises:
        UserError: a file is missing, broken or of another program.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(f"{folder} is no system of i2ibench: it lacks {name}.")
    content = read_json(folder / CONFIG)
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise UserError(f"{folder / CONFIG} is not of i2ibench (format {FORMAT!r}).")
    try:
        state = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{folder / WEIGHTS} cannot be read: {error}") from None
    saved = {
        "i2ibench": str(content.get("i2ibench", "")),
        "config": json.dumps(content.get("config")),
        "meta": content.get("meta"),
        "state_dict": state,
    }
    write_file(target, lambda aside: torch.save(saved, aside))


def _without_machine(value: Any) -> Any:
    """Return a config in which absolute paths are data/ and their last part."""
    if isinstance(value, Mapping):
        return {key: _without_machine(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_machine(one) for one in value]
    if isinstance(value, str):
        for path in (PurePosixPath(value), PureWindowsPath(value)):
            if path.is_absolute():
                return f"data/{path.name}"
    return value
