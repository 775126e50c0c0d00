"""Evaluation of checkpoints and folders of images by a protocol."""

from i2ibench.evaluation.evaluate import WRITTEN, evaluate
from i2ibench.evaluation.systems import SystemSource, parse_systems
