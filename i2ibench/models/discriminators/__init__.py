"""Networks that score images, patch by patch."""

from i2ibench.models.discriminators.multi_scale import MultiScaleDiscriminator
from i2ibench.models.discriminators.patch import PatchDiscriminator
