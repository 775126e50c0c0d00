"""Functions that build the metrics of a protocol and measure predictions with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from i2ibench.data.pixel_formats import format_in
from i2ibench.errors import UserError
from i2ibench.models.ops.images import as_rgb
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction


def build_metrics(cfg: Mapping[str, Any], metainfo: Mapping[str, Any]) -> dict[str, Metric]:
    """Build the metrics of a config by name, without those whose options are None.

    A metric whose constructor has a parameter such as `classes` gets the entry of that name from
    the data set's metainfo. A metric that needs RGB is built but marked as unavailable if the
    images of the data are neither RGB nor grey of 8 bits.

    Args:
        cfg: for each metric a dict with `type` and options, or None.
        metainfo: the metainfo of the data set.

    Raises:
        UserError: a metric or an option is unknown, or options are no dict.
    """
    metrics = {}
    for name, options in cfg.items():
        if options is not None and not isinstance(options, Mapping):
            raise UserError(f"The metric {name!r} is a dict with a 'type', not {options!r}.")
        if options is not None:
            metrics[name] = METRICS.build_for(options, metainfo)
            if metrics[name].needs_rgb:
                metrics[name].unavailable = _reason_not_rgb(metainfo) or metrics[name].unavailable
    return metrics


def _reason_not_rgb(metainfo: Mapping[str, Any]) -> str | None:
    image_format = format_in(metainfo)
    if image_format.shows_as_rgb:
        return None
    return f"It needs RGB images of 8 bits, and the data's have {image_format}."


def rows_of(metric: Metric, predictions: Sequence[Prediction]) -> list[Any]:
    """Measure predictions with a metric and return its row for each prediction, in order.

    For a metric that needs RGB, grey images are converted to RGB first.
    """
    if metric.needs_rgb:
        predictions = [_in_rgb(prediction) for prediction in predictions]
    return list(metric.measure(predictions))


def _in_rgb(prediction: Prediction) -> Prediction:
    converted: Any = dict(prediction)
    for key in prediction.keys() & {"fake", "real", "samples"}:
        converted[key] = as_rgb(converted[key], "This metric")
    result: Prediction = converted
    return result
