"""The metrics of a protocol by name, and how mmengine's Runner uses them for validation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from i2ibench.data.pixel_formats import format_in
from i2ibench.errors import UserError
from i2ibench.models.ops.images import as_rgb
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction


def build_metrics(cfg: Mapping[str, Any], metainfo: Mapping[str, Any]) -> dict[str, Metric]:
    """The metrics of a config by name, those set to None left out.

    A metric that asks for the data set's classes gets them. One that needs RGB is unavailable
    where the data's photos are neither RGB nor grey of 8 bits.

    Raises:
        UserError: an unknown metric or option.
    """
    metrics = {}
    for name, options in cfg.items():
        if options is not None and not isinstance(options, Mapping):
            raise UserError(f"The metric {name!r} is a dict with a 'type', not {options!r}.")
        if options is not None:
            metrics[name] = METRICS.build_for(options, metainfo)
            if metrics[name].needs_rgb:
                metrics[name].unavailable = _why_not_rgb(metainfo) or metrics[name].unavailable
    return metrics


def _why_not_rgb(metainfo: Mapping[str, Any]) -> str | None:
    made = format_in(metainfo)
    if made.shows_as_rgb:
        return None
    return f"It needs RGB pictures of 8 bits, and the data's have {made}."


def rows_of(metric: Metric, predictions: Sequence[Prediction]) -> list[Any]:
    """Return the rows of a metric, which is given grey pictures as it asks for them."""
    if metric.needs_rgb:
        predictions = [_in_rgb(prediction) for prediction in predictions]
    return list(metric.measure(predictions))


def _in_rgb(prediction: Prediction) -> Prediction:
    found: Any = dict(prediction)
    for key in prediction.keys() & {"fake", "real", "samples"}:
        found[key] = as_rgb(found[key], "This metric")
    shown: Prediction = found
    return shown


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
