"""Networks that judge images, patch by patch."""

from i2ibench.discriminators.multi_scale import MultiScaleDiscriminator
from i2ibench.discriminators.patch import PatchDiscriminator
