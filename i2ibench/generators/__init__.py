"""Networks that turn a condition into an image."""

from i2ibench.generators.coarse_to_fine import CoarseToFineGenerator
