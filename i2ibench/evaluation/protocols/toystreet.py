"""The protocol of ToyStreet's drawn street scenes."""

from i2ibench.evaluation.protocols.protocol import Protocol, common_metrics
from i2ibench.registry import PROTOCOLS


@PROTOCOLS.register_module(name="toystreet")
def toystreet(
    num_scenes: int = 60, samples: int = 3, width: int = 256, height: int = 128
) -> Protocol:
    """Return the protocol that scores ToyStreet's test scenes with the shipped CompactSegmenter.

    Training never uses the test scenes. They record the true appearance of their instances, so
    styles are measured too.

    Args:
        num_scenes: the number of scenes of the test split.
        samples: the number of images of each scene, for systems with random styles.
        width, height: the size of the drawn scenes in pixels.

    Raises:
        UserError: `samples` is no positive integer.
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
