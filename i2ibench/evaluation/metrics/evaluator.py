"""The metrics of a protocol, built by name, and their rows of measurements."""

from collections.abc import Mapping, Sequence
from typing import Any

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
    return f"It needs RGB images of 8 bits, and the data's have {made}."


def rows_of(metric: Metric, predictions: Sequence[Prediction]) -> list[Any]:
    """Return the rows of a metric, which is given grey images as it asks for them."""
    if metric.needs_rgb:
        predictions = [_in_rgb(prediction) for prediction in predictions]
    return list(metric.measure(predictions))


def _in_rgb(prediction: Prediction) -> Prediction:
    found: Any = dict(prediction)
    for key in prediction.keys() & {"fake", "real", "samples"}:
        found[key] = as_rgb(found[key], "This metric")
    shown: Prediction = found
    return shown
