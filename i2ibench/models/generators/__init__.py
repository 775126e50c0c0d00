"""Networks that turn a condition into an image."""

from i2ibench.models.generators.coarse_to_fine import CoarseToFineGenerator
from i2ibench.models.generators.crn import CRNGenerator
from i2ibench.models.generators.unet import UNetGenerator
