"""The evaluator: the metrics of a config by name."""

from collections.abc import Mapping
from typing import Any

from i2ibench.errors import UserError
from i2ibench.registry import METRICS


def build_metrics(cfg: Mapping[str, Any], metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of a config by name, those set to None left out.

    A metric that asks for the data set's classes gets them.

    Raises:
        UserError: an unknown metric or option.
    """
    metrics = {}
    for name, options in cfg.items():
        if options is not None and not isinstance(options, Mapping):
            raise UserError(f"The metric {name!r} is a dict with a 'type', not {options!r}.")
        if options is not None:
            metrics[name] = METRICS.build_for(options, metainfo)
    return metrics
