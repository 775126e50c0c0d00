"""Networks that predict labels from images, for scoring."""

from i2ibench.segmenters.compact import CompactSegmenter
from i2ibench.segmenters.espnet import ESPNet
from i2ibench.segmenters.espnetv2 import ESPNetv2
from i2ibench.segmenters.exported import OnnxSegmenter, TorchScriptSegmenter
from i2ibench.segmenters.hugging_face import TransformersSegmenter
from i2ibench.segmenters.smp import SMPSegmenter
from i2ibench.segmenters.torchvision_models import TorchvisionSegmenter
