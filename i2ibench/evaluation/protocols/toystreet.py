"""The protocol of the drawn street scenes."""

from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.evaluation.protocols.shared_metrics import common_metrics
from i2ibench.registry import PROTOCOLS


@PROTOCOLS.register_module(name="toystreet")
def toystreet(
    num_scenes: int = 60, samples: int = 3, width: int = 256, height: int = 128
) -> Protocol:
    """ToyStreet's test scenes, which no training looks at, and the shipped CompactSegmenter.

    The scenes record how their instances truly look, so that styles are measured too.

    Args:
        num_scenes: scenes of the test split.
        samples: images per scene of a system that draws styles.
        width, height: size that scenes are drawn at, pixels.
    """
    size = {"width": width, "height": height}
    data = {"type": "ToyStreet", "split": "test", "num_scenes": num_scenes, **size}
    segmenter = {"type": "CompactSegmenter", "weights": "toystreet"}
    styles = {
        "style_features": {"type": "StyleFeatures"},
        "style_control": {"type": "StyleControl"},
    }
    metrics = common_metrics(segmenter) | styles
    return Protocol("toystreet", metrics, data, samples=samples, root="data/toystreet")
