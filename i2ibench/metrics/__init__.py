"""Scores of translated scenes."""

from i2ibench.metrics.frechet import FrechetInceptionDistance
from i2ibench.metrics.perceptual import PerceptualDistance
from i2ibench.metrics.segmentation import SegmentationScores
