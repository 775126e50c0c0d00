"""Networks that turn a condition into an image."""

from i2ibench.generators.coarse_to_fine import CoarseToFineGenerator
from i2ibench.generators.refinement import RefinementGenerator
from i2ibench.generators.unet import UNetGenerator
