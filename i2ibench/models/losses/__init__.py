"""What the networks are trained to make small."""

from i2ibench.models.losses.adversarial import LeastSquaresGAN, VanillaGAN
from i2ibench.models.losses.crn import CRNLoss, DiversityLoss
from i2ibench.models.losses.feature_matching import FeatureMatching
from i2ibench.models.losses.perceptual import PerceptualLoss
from i2ibench.models.losses.pixel import PixelLoss
