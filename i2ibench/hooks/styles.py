"""Fitting the style bank while training."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Subset

from i2ibench.hooks.ema import averages
from i2ibench.registry import HOOKS
from i2ibench.styles.bank import Rows, instance_rows, merge_rows
from i2ibench.translators.paired import PairedTranslator
from i2ibench.translators.updates import batches_of


@HOOKS.register_module()
class FitStyleBank(Hook):
    """Clusters the encoder's features on training scenes, before a checkpoint is saved.

    Args:
        interval: epochs between two fits; the last epoch always has one.
        max_scenes: how many training scenes are read, evenly spread; all with 0.
        min_area: leave out instances that cover no more than this share of a picture; the released
            code's is 1/64, the paper clusters all.
    """

    priority = "LOW"  # before Checkpoints, which is VERY_LOW

    def __init__(self, interval: int = 1, max_scenes: int = 0, min_area: float = 0.0) -> None:
        self.interval, self.max_scenes, self.min_area = interval, max_scenes, min_area

    def after_train_epoch(self, runner: Runner) -> None:
        """Fit the bank of the Runner's translator, and of its averaged weights if it has them.

        All processes compute the same.
        """
        due = self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)
        if due and runner.model.style_bank is not None:
            self._fit(runner)
            for average in averages(runner):
                with average.averaged(runner.model):
                    self._fit(runner)

    def _fit(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        rows = collect_rows(runner.model, loader, self.max_scenes, self.min_area)
        runner.model.style_bank.fit(rows)


@torch.inference_mode()
def collect_rows(
    translator: PairedTranslator, loader: DataLoader, max_scenes: int = 0, min_area: float = 0.0
) -> Rows:
    """The encoder's features for every instance of a loader's data set, by class."""
    size = len(loader.dataset)  # type: ignore[arg-type]
    step = -(-size // max_scenes) if max_scenes else 1
    scenes = DataLoader(
        Subset(loader.dataset, range(0, size, step)),
        batch_size=loader.batch_size,
        num_workers=loader.num_workers,
        worker_init_fn=loader.worker_init_fn,
        collate_fn=loader.collate_fn,
    )
    parts = []
    for data in (batch for group in scenes for batch in batches_of(group)):
        batch = translator.data_preprocessor(data)
        maps = zip(translator.encode(batch), batch["label"], batch["instance"], strict=True)
        parts += [instance_rows(*one, min_area=min_area) for one in maps]
    return merge_rows(parts)
