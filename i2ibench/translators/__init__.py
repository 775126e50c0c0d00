"""Translators: generator, discriminator, encoder and losses put together."""

from i2ibench.translators.paired import PairedTranslator
from i2ibench.translators.preprocess import (
    ColourPreprocessor,
    ConditionPreprocessor,
    ImagePreprocessor,
    LabelPreprocessor,
)
