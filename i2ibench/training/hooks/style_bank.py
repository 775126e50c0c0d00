"""The hook that fits the style bank during training."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from i2ibench.inference.inference import Inference
from i2ibench.inference.styles.instance_features import (
    collect_features,
    evenly_spread,
    read_batches,
    without_random,
)
from i2ibench.registry import HOOKS
from i2ibench.training.hooks.ema import averages


@HOOKS.register_module()
class FitStyleBank(Hook):
    """Clusters the encoder's features on training scenes before a checkpoint is saved.

    Random transforms, such as flips and crops, are not applied; see `without_random`.

    Args:
        interval: epochs between two fits; the bank is always fitted after the last epoch.
        max_scenes: the number of training scenes to read, evenly spread; 0 reads all.
        min_area: leave out instances that cover no more than this share of an image, 0..1. The
            released code of pix2pixHD uses 1/64; the paper clusters all instances.
    """

    priority = "LOW"  # before Checkpoints, whose priority is VERY_LOW

    def __init__(self, interval: int = 1, max_scenes: int = 0, min_area: float = 0.0) -> None:
        self.interval, self.max_scenes, self.min_area = interval, max_scenes, min_area

    def after_train_epoch(self, runner: Runner) -> None:
        """Fit the style bank of the weights, and that of the averaged weights if there are any.

        Nothing happens in epochs between the intervals, or if the model has no style bank. All
        processes compute the same result.
        """
        due = self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)
        if due and runner.model.style_bank is not None:
            self._fit(runner)
            for average in averages(runner):
                with average.averaged(runner.model):
                    self._fit(runner)

    def _fit(self, runner: Runner) -> None:
        model, loader = runner.model, runner.train_dataloader
        dataset = without_random(loader.dataset)
        scenes = read_batches(
            dataset,
            evenly_spread(len(dataset), self.max_scenes),
            runner.cfg.train_dataloader.get("batch_size", 1),
            loader.num_workers,
            loader.worker_init_fn,
        )
        batches = (model.data_preprocessor(data) for data in scenes)
        model.style_bank.fit(collect_features(Inference(model), batches, self.min_area))
