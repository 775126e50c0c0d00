"""Validation in a training run: the Runner's loader and the protocol's metrics."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import ValLoop

from i2ibench.contracts import Dataset
from i2ibench.inference import Inference
from i2ibench.loaders import build_loader
from i2ibench.metrics.evaluator import ValidationMetric, build_metrics
from i2ibench.progress import say
from i2ibench.protocols.protocol import build_protocol


class ValidationLoop(ValLoop):
    """The Runner's validation, with the pictures that translate and eval would make."""

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Make the pictures of a batch and give them to the metrics."""
        runner = self.runner
        runner.call_hook("before_val_iter", batch_idx=idx, data_batch=data_batch)
        outputs = Inference(runner.model).predict(data_batch)
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        runner.call_hook("after_val_iter", batch_idx=idx, data_batch=data_batch, outputs=outputs)


def validation_of(config: Config, dataset: Dataset) -> dict[str, Any]:
    """The Runner's validation arguments: only metrics whose weights are at hand.

    Raises:
        UserError: the config's protocol or loader is wrong.
    """
    metrics = validation_metrics(config, dataset)
    for name, metric in metrics.items():
        if metric.unavailable and is_main_process():
            say(f"validation goes without {name}: {metric.unavailable}")
    usable = [ValidationMetric(metric) for metric in metrics.values() if not metric.unavailable]
    for metric in usable:
        metric.collect_dir = str(Path(config.work_dir) / ".collected")
    loader = build_loader(dataset, config.val_dataloader, training=False)
    return {
        "val_dataloader": loader,
        "val_evaluator": Evaluator(usable),
        "val_cfg": {"type": ValidationLoop},
    }


def validation_metrics(config: Config, dataset: Dataset) -> dict[str, Any]:
    """The metrics of the config's protocol that a training run computes, by name.

    Raises:
        UserError: the protocol is wrong.
    """
    if config.get("protocol") is None:
        return {}
    protocol = build_protocol(config.protocol)
    chosen = {name: cfg for name, cfg in protocol.metrics.items() if name in protocol.validation}
    return build_metrics(chosen, dataset.metainfo)
