"""The losses that networks are trained with."""

from i2ibench.models.losses.adversarial import LeastSquaresGAN, VanillaGAN
from i2ibench.models.losses.crn import CRNLoss, DiversityLoss
from i2ibench.models.losses.feature_matching import FeatureMatching
from i2ibench.models.losses.perceptual import PerceptualLoss
from i2ibench.models.losses.pixel import PixelLoss
