"""The protocol for a user's own data."""

from collections.abc import Mapping
from typing import Any

from i2ibench.evaluation.protocols.protocol import Protocol, common_metrics
from i2ibench.registry import PROTOCOLS


@PROTOCOLS.register_module(name="own")
def own(
    segmenter: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    reference: Mapping[str, Any] | None = None,
    samples: int = 1,
    resize: str | None = None,
) -> Protocol:
    """Return the protocol that scores a user's own data with the common metrics.

    Args:
        segmenter: the config of the segmenter; None disables the segmentation scores.
        data: the config of a data set without its root; None for the validation set of the config
            that is evaluated.
        reference: the config of the data set whose real images distances of distributions are
            measured from; None for the real images of the scored scenes.
        samples: the number of images of each scene, for systems with random styles.
        resize: the filter that resizes images of another size; None refuses such images.

    Raises:
        UserError: `samples` or `resize` has an impossible value.
    """
    metrics = common_metrics(segmenter)
    watched = ("segmentation", "levels")  # "levels" exists if a config adds it
    return Protocol(
        "own", metrics, data, reference, samples=samples, resize=resize, validation=watched
    )
