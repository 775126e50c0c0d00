"""Networks that label images, for scores."""

from i2ibench.evaluation.segmenters.compact import CompactSegmenter
from i2ibench.evaluation.segmenters.exported import OnnxSegmenter, TorchScriptSegmenter
from i2ibench.evaluation.segmenters.libraries import (
    SMPSegmenter,
    TorchvisionSegmenter,
    TransformersSegmenter,
)
