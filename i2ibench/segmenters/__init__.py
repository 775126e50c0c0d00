"""Networks that predict labels from images, for scoring."""

from i2ibench.segmenters.compact import CompactSegmenter
