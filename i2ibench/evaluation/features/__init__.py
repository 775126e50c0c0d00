"""Feature networks: images as vectors whose distributions are compared."""

from i2ibench.evaluation.features.classifiers import TorchvisionFeatures
from i2ibench.evaluation.features.networks import InceptionFeatures, TorchScriptFeatures
