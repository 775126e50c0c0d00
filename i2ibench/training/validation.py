"""Validation in a training run: the protocol's metrics, and how the Runner computes them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.runner import ValLoop

from i2ibench.evaluation.metrics.evaluator import build_metrics, rows_of
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.inference import Inference
from i2ibench.io.processes import is_main_process
from i2ibench.io.progress import say
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction


class ValidationMetric(BaseMetric):
    """A metric of this project in mmengine's form, for the Runner's validation loop.

    Args:
        metric: an additive metric, whose scores follow from the sum of one row per scene.
    """

    default_prefix = ""  # the scores' names are whole; None would make mmengine warn

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self.metric = metric

    def process(self, data_batch: Any, data_samples: Sequence[Prediction]) -> None:
        """One row per scene; mmengine gathers them from all processes."""
        self.results += rows_of(self.metric, data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """The scores of the scenes' sum."""
        scores = self.metric.scores(np.sum(results, axis=0))
        return {name: float(value) for name, value in scores.items() if not np.isnan(value)}


class ValidationLoop(ValLoop):
    """The Runner's validation, with the images that translate and eval would make."""

    @cached_property
    def inference(self) -> Inference:
        """Return what makes images with the Runner's model, whose weights go on changing."""
        return Inference(self.runner.model)

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Make the images of a batch and give them to the metrics."""
        runner = self.runner
        runner.call_hook("before_val_iter", batch_idx=idx, data_batch=data_batch)
        outputs = self.inference.predict(data_batch)
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        runner.call_hook("after_val_iter", batch_idx=idx, data_batch=data_batch, outputs=outputs)


def build_validation(protocol: Any, metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of a protocol that a training run computes, by name.

    Args:
        protocol: a config's `protocol`; None for a run without scores.
        metainfo: of the validation data.

    Raises:
        UserError: the protocol is wrong.
    """
    if protocol is None:
        return {}
    built = build_protocol(protocol)
    chosen = {name: cfg for name, cfg in built.metrics.items() if name in built.validation}
    return build_metrics(chosen, metainfo)


def evaluator_of(metrics: Mapping[str, Any], work_dir: Path) -> Evaluator:
    """Return the Runner's evaluator with the metrics whose weights are at hand; say which are not.

    Args:
        metrics: from `build_validation`.
        work_dir: the run's, in which processes exchange their results.
    """
    for name, metric in metrics.items():
        if metric.unavailable and is_main_process():
            say(f"validation goes without {name}: {metric.unavailable}")
    usable = [ValidationMetric(metric) for metric in metrics.values() if not metric.unavailable]
    for metric in usable:
        metric.collect_dir = str(work_dir / ".collected")
    return Evaluator(usable)
