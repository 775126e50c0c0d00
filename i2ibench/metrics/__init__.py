"""Scores of translated scenes."""

from i2ibench.metrics.classifiers import TorchvisionFeatures
from i2ibench.metrics.crops import ObjectDistance
from i2ibench.metrics.distribution import DistributionDistance
from i2ibench.metrics.diversity import PerceptualDiversity
from i2ibench.metrics.edges import InstanceEdges
from i2ibench.metrics.features import InceptionFeatures, TorchScriptFeatures
from i2ibench.metrics.levels import LevelErrors
from i2ibench.metrics.perceptual import PerceptualDistance
from i2ibench.metrics.pixels import PixelSimilarity
from i2ibench.metrics.segmentation import SegmentationScores
from i2ibench.metrics.styles import StyleFeatures
from i2ibench.metrics.styles_control import StyleControl
from i2ibench.metrics.styles_spread import ColourDiversity
