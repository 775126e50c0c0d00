"""Validation in a training run: metrics of the protocol, in the form of mmengine's Runner."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.runner import ValLoop

from i2ibench.evaluation.metric_building import build_metrics, rows_of
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.inference import Inference
from i2ibench.io.process_group import is_main_process
from i2ibench.io.progress import say
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction


class ValidationMetric(BaseMetric):
    """A metric of this project with the interface of mmengine's BaseMetric.

    Args:
        metric: an additive metric, whose scores are computed from the sum of one row per scene.
    """

    default_prefix = ""  # score names need no prefix; with None mmengine would print a warning

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self.metric = metric

    def process(self, data_batch: Any, data_samples: Sequence[Prediction]) -> None:
        """Measure the predictions of a batch, and add one row per scene to `results`.

        mmengine gathers the results of all processes.

        Args:
            data_batch: not used.
            data_samples: the predictions of the batch.
        """
        self.results += rows_of(self.metric, data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Return the metric's scores of the sum of all rows, by name.

        Undefined scores (nan) are left out.

        Args:
            results: the rows of all scenes, from all processes.
        """
        scores = self.metric.scores(np.sum(results, axis=0))
        return {name: float(value) for name, value in scores.items() if not np.isnan(value)}


class ValidationLoop(ValLoop):
    """A validation loop that makes the same images as the commands translate and eval."""

    @cached_property
    def inference(self) -> Inference:
        """Return the Inference of the Runner's model, made once with default options."""
        return Inference(self.runner.model)

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Make the images of a batch, and pass them to the metrics and hooks.

        Args:
            idx: the position of the batch in the validation.
            data_batch: the collated samples.
        """
        runner = self.runner
        runner.call_hook("before_val_iter", batch_idx=idx, data_batch=data_batch)
        outputs = self.inference.predict(data_batch)
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        runner.call_hook("after_val_iter", batch_idx=idx, data_batch=data_batch, outputs=outputs)


def build_validation(protocol: Any, metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of a protocol that a training run computes, by name.

    These are the metrics that the protocol names in `validation` and that are not set to None.
    Metrics that are unavailable, such as for missing weights, are included.

    Args:
        protocol: a config's `protocol`, a name or a dict; None for a run without scores, which has
            no metrics.
        metainfo: the metainfo of the validation data.

    Raises:
        UserError: the protocol is unknown, or its options are wrong.
    """
    if protocol is None:
        return {}
    built = build_protocol(protocol)
    chosen = {name: cfg for name, cfg in built.metrics.items() if name in built.validation}
    return build_metrics(chosen, metainfo)


def evaluator_of(metrics: Mapping[str, Any], work_dir: Path) -> Evaluator:
    """Return the Evaluator of mmengine's Runner with the metrics that are available.

    The main process prints a line for each unavailable metric, which is left out.

    Args:
        metrics: from `build_validation`.
        work_dir: the work directory of the run, in which processes exchange their results.
    """
    for name, metric in metrics.items():
        if metric.unavailable and is_main_process():
            say(f"validation without {name}: {metric.unavailable}")
    usable = [ValidationMetric(metric) for metric in metrics.values() if not metric.unavailable]
    for metric in usable:
        metric.collect_dir = str(work_dir / ".collected")
    return Evaluator(usable)
