"""Weights & Biases with the training's own steps (https://docs.wandb.ai/ref/python).

vis_backends = [dict(type="LocalVisBackend"), dict(type="WandbLog", project="streets")]
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import VISBACKENDS
from mmengine.visualization.vis_backend import BaseVisBackend, force_init_env

from i2ibench.errors import UserError


@VISBACKENDS.register_module()
class WandbLog(BaseVisBackend):
    """A log of scalars, images and the config at wandb, in the steps of the training.

    mmengine's WandbVisBackend counts each call as a step and ends with a call that wandb has
    removed. A resumed run continues the same log: its name at wandb is kept in `wandb_run.txt`.

    Args:
        save_dir: the folder of the run's logs, which mmengine passes.
        project: the project at wandb; None for wandb's default.
        mode: "online", "offline" (for `wandb sync` later) or "disabled"; None for $WANDB_MODE.
        init: further options of `wandb.init`, such as dict(entity="lab", tags=["small"]).

    Raises:
        UserError: wandb is not installed.
    """

    def __init__(
        self,
        save_dir: str,
        project: str | None = None,
        mode: str | None = None,
        init: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(save_dir)
        try:
            import wandb
        except ImportError:
            raise UserError("WandbLog needs wandb; install it with: pip install wandb") from None
        self._wandb = wandb
        self._options = {"project": project, "mode": mode, **(init or {})}
        self._run: Any = None

    @property
    @force_init_env
    def experiment(self) -> Any:
        """Return wandb's run."""
        return self._run

    def _init_env(self) -> None:
        # mmengine makes a new folder for the logs of every start, below the run's folder.
        folder = Path(self._save_dir)
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder.parent.parent / "wandb_run.txt"
        name = kept.read_text(encoding="utf-8").strip() if kept.is_file() else None
        self._run = self._wandb.init(dir=folder, id=name, resume="allow", **self._options)
        kept.write_text(f"{self._run.id}\n", encoding="utf-8")

    @force_init_env
    def add_config(self, config: Any, **_: Any) -> None:
        """Record the config of the run."""
        self._run.config.update(config.to_dict(), allow_val_change=True)

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **_: Any) -> None:
        """Record an image, uint8 [H,W,3], at a step."""
        self._run.log({name: self._wandb.Image(image)}, step=step)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **_: Any) -> None:
        """Record a number at a step."""
        self._run.log({name: _number(value)}, step=step)

    @force_init_env
    def add_scalars(
        self, scalar_dict: dict[str, Any], step: int = 0, file_path: str | None = None, **_: Any
    ) -> None:
        """Record numbers by name at a step; `file_path` is ignored."""
        self._run.log({name: _number(value) for name, value in scalar_dict.items()}, step=step)

    def close(self) -> None:
        """End the log, so that everything is sent."""
        if self._run is not None:
            self._run.finish()


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) else value
