"""Checkpoints: everything a run needs to go on, and everything others need to use its networks."""

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from i2ibench import __version__
from i2ibench.files import write_file
from i2ibench.registry import HOOKS


@HOOKS.register_module()
class Checkpoints(Hook):
    """Writes `epoch_N.pth` to the work directory, whole or not at all.

    The file opens with `weights_only=True`; the config is in it as JSON, never as Python.
    `grown_from` is the SHA-256 of the checkpoint that the stage began with, None for the first.

    Args:
        interval: epochs between two checkpoints; the last epoch always has one.
        keep: how many of the newest to keep; all with 0.
    """

    priority = "VERY_LOW"

    def __init__(self, interval: int = 1, keep: int = 2) -> None:
        self.interval, self.keep = interval, keep
        self.grown_from: str | None = None

    def after_train_epoch(self, runner: Runner) -> None:
        """Save, then remove the oldest."""
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            self._save(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Continue the random numbers, and the line of descent, where the checkpoint left them."""
        self.grown_from = checkpoint["meta"].get("grown_from")
        _restore_random_state(checkpoint["random_state"])

    @master_only
    def _save(self, runner: Runner) -> None:
        folder = Path(runner.work_dir)
        checkpoint = _contents(runner)
        checkpoint["meta"]["grown_from"] = self.grown_from
        path = folder / f"epoch_{runner.epoch + 1:04d}.pth"
        write_file(path, lambda aside: torch.save(checkpoint, aside))
        if self.keep:
            for old in list_checkpoints(folder)[: -self.keep]:
                old.unlink()


def list_checkpoints(work_dir: Path) -> list[Path]:
    """The run's checkpoints, oldest first."""
    found = [p for p in work_dir.glob("epoch_*.pth") if p.stem.removeprefix("epoch_").isdigit()]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("epoch_")))


def stage_folders(work_dir: Path) -> list[Path]:
    """The folders of a run's stages in order; none if it has no stages."""
    folders = [p for p in work_dir.glob("*_*") if re.fullmatch(r"\d{1,3}_\w+", p.name)]
    return sorted(folders, key=lambda path: int(path.name.partition("_")[0]))


def _contents(runner: Runner) -> dict[str, Any]:
    schedulers = runner.param_schedulers or {}
    return {
        "i2ibench": __version__,
        "config": json.dumps(runner.cfg.to_dict()),
        "meta": {
            "epoch": runner.epoch + 1,
            "iter": runner.iter,
            "seed": runner.seed,
            "dataset_meta": runner.train_dataloader.dataset.metainfo,
        },
        "state_dict": runner.model.state_dict(),
        "optimizer": runner.optim_wrapper.state_dict(),
        "param_schedulers": {
            name: [scheduler.state_dict() for scheduler in group]
            for name, group in schedulers.items()
        },
        "random_state": _random_state(),
        # The Runner asks for this key; the losses of this project do not go through the hub.
        "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
    }


def _random_state() -> dict[str, Any]:
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    assert isinstance(keys, np.ndarray)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": [version, list(words), gauss],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _restore_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"].cpu())
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    words = keys.cpu().numpy().astype(np.uint32)
    np.random.set_state((name, words, position, has_gauss, cached))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
