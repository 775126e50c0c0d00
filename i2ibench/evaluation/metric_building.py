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
    """Build the metrics of a config by name, without those that are None.

    Metrics get the metainfo of the data set that their constructors ask for, such as the classes. A
    metric that needs RGB is unavailable if the images of the data are neither RGB nor 8-bit grey.

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
                metrics[name].unavailable = _reason_not_rgb(metainfo) or metrics[name].unavailable
    return metrics


def _reason_not_rgb(metainfo: Mapping[str, Any]) -> str | None:
    image_format = format_in(metainfo)
    if image_format.shows_as_rgb:
        return None
    return f"It needs RGB images of 8 bits, and the data's have {image_format}."


def rows_of(metric: Metric, predictions: Sequence[Prediction]) -> list[Any]:
    """Measure predictions with a metric; grey images become RGB for a metric that needs RGB."""
    if metric.needs_rgb:
        predictions = [_in_rgb(prediction) for prediction in predictions]
    return list(metric.measure(predictions))


def _in_rgb(prediction: Prediction) -> Prediction:
    converted: Any = dict(prediction)
    for key in prediction.keys() & {"fake", "real", "samples"}:
        converted[key] = as_rgb(converted[key], "This metric")
    result: Prediction = converted
    return result
