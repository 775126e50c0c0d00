"""Contracts: one base class for each kind of part, whose promises are typed attributes."""

from i2ibench.registry.contracts.data import Dataset, ImageShape, Preprocessor, Reader, Transform
from i2ibench.registry.contracts.executors import Executor
from i2ibench.registry.contracts.losses import AdversarialLoss, Loss
from i2ibench.registry.contracts.metrics import Feature, Metric, SegmentationMetric
from i2ibench.registry.contracts.networks import Discriminator, Encoder, Generator
from i2ibench.registry.contracts.segmenters import Segmenter
