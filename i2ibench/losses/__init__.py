"""What the networks are trained to make small."""

from i2ibench.losses.adversarial import LeastSquaresGAN, VanillaGAN
from i2ibench.losses.feature_matching import FeatureMatching
from i2ibench.losses.perceptual import PerceptualLoss
from i2ibench.losses.pixel import PixelLoss
from i2ibench.losses.refinement import DiversityLoss, RefinementLoss
