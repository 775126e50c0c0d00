"""Feature networks, which describe images as vectors whose distributions are compared."""

from i2ibench.evaluation.features.networks import (
    InceptionFeatures,
    TorchScriptFeatures,
    TorchvisionFeatures,
)
