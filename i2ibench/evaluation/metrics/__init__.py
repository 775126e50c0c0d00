"""Scores of translated scenes."""

from i2ibench.evaluation.metrics.checkerboard import CheckerboardEnergy
from i2ibench.evaluation.metrics.distribution import DistributionDistance
from i2ibench.evaluation.metrics.diversity import ColourDiversity, PerceptualDiversity
from i2ibench.evaluation.metrics.instance_edges import InstanceEdges
from i2ibench.evaluation.metrics.object_distribution import ObjectDistance
from i2ibench.evaluation.metrics.perceptual import PerceptualDistance
from i2ibench.evaluation.metrics.pixels import LevelErrors, PixelSimilarity
from i2ibench.evaluation.metrics.segmentation import SegmentationScores
from i2ibench.evaluation.metrics.style_control import StyleControl
from i2ibench.evaluation.metrics.style_features import StyleFeatures
