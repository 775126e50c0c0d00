"""The protocol of anyone's own data."""

from collections.abc import Mapping
from typing import Any

from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.evaluation.protocols.shared_metrics import common_metrics
from i2ibench.registry import PROTOCOLS


@PROTOCOLS.register_module(name="own")
def own(
    segmenter: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    reference: Mapping[str, Any] | None = None,
    samples: int = 1,
    resize: str | None = None,
) -> Protocol:
    """The config's validation scenes, or other data, with the usual metrics.

    Args:
        segmenter: config; None leaves the segmentation scores out.
        data: config of a data set without its root; None for the config's validation set.
        reference: config of the data set that distances refer to; None for the scored photos.
        samples: images per scene of a system that draws styles.
        resize: filter for images of another size; None refuses them.
    """
    metrics = common_metrics(segmenter)
    watched = ("segmentation", "levels")  # the second one where a config adds it
    return Protocol(
        "own", metrics, data, reference, samples=samples, resize=resize, validation=watched
    )
