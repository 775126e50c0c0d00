"""The hook that saves images of the same validation scenes after each validation."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from numpy.typing import NDArray

from i2ibench.inference.input_display import displayed_input
from i2ibench.io.files import write_image
from i2ibench.io.process_group import is_main_process
from i2ibench.models.ops.images import to_displayable
from i2ibench.registry import HOOKS
from i2ibench.structures import Prediction
from i2ibench.training.hooks.ema import validated_average


@HOOKS.register_module()
class ValidationImages(Hook):
    """Writes a panel with one row per scene (input, generated image, real image).

    The panel goes to `pictures/epoch_N.png` in the work directory and to the visualiser, such as
    TensorBoard. The panel of averaged weights is `ema_epoch_N.png`.

    Args:
        num_scenes: the number of scenes, taken from the beginning of the validation set.
    """

    def __init__(self, num_scenes: int = 4) -> None:
        self.num_scenes = num_scenes
        self._kept: list[Prediction] = []

    def before_val_epoch(self, runner: Runner) -> None:
        """Forget the scenes of the previous validation."""
        self._kept = []

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep the predictions in `outputs`, until there are `num_scenes`."""
        room = self.num_scenes - len(self._kept)
        self._kept += list(outputs or [])[:room]

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Draw the panel of the kept scenes, and write it to `pictures/` and to the visualiser.

        Only the main process does this, and only if scenes were kept.
        """
        if not (self._kept and is_main_process()):
            return
        panel = draw_panel(self._kept, runner.val_dataloader.dataset.metainfo["palette"])
        average = validated_average(runner)
        name = "_".join(filter(None, [average, f"epoch_{runner.epoch:04d}.png"]))
        write_image(Path(runner.work_dir) / "pictures" / name, panel)
        title = "_".join(filter(None, ["validation", average]))
        runner.visualizer.add_image(title, panel, step=runner.iter)


def draw_panel(predictions: list[Prediction], palette: list[list[int]]) -> NDArray[np.uint8]:
    """Return a panel with one row per scene, uint8 [H,W,3].

    A row has the input (labels in colour), the generated image and, if the scene has one, the real
    image. Scenes of another size than the first are cropped or padded to its size.

    Args:
        predictions: the scenes, at least one.
        palette: (red, green, blue) in 0..255 of each class, by class id.
    """
    height, width = predictions[0]["fake"].shape[-2:]
    rows = []
    for prediction in predictions:
        tiles = [displayed_input(prediction, palette), prediction["fake"]]
        if "real" in prediction:
            tiles.append(prediction["real"])
        rows.append(torch.cat([_fitted(to_displayable(t).cpu(), height, width) for t in tiles], 2))
    return torch.cat(rows, 1).permute(1, 2, 0).numpy()


def _fitted(tile: torch.Tensor, height: int, width: int) -> torch.Tensor:
    canvas = torch.zeros(3, height, width, dtype=torch.uint8)
    tile = tile[:, :height, :width]
    canvas[:, : tile.shape[1], : tile.shape[2]] = tile
    return canvas
