"""Networks that predict labels from images, for scoring."""

from i2ibench.evaluation.segmenters.compact import CompactSegmenter
from i2ibench.evaluation.segmenters.espnet import ESPNet
from i2ibench.evaluation.segmenters.espnetv2 import ESPNetv2
from i2ibench.evaluation.segmenters.exported import OnnxSegmenter, TorchScriptSegmenter
from i2ibench.evaluation.segmenters.hugging_face import TransformersSegmenter
from i2ibench.evaluation.segmenters.smp import SMPSegmenter
from i2ibench.evaluation.segmenters.torchvision_models import TorchvisionSegmenter
