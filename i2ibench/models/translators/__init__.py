"""Translators: generator, discriminator, encoder and losses put together."""

from i2ibench.models.translators.conditions import (
    ColourPreprocessor,
    ConditionPreprocessor,
    ImagePreprocessor,
    LabelPreprocessor,
)
from i2ibench.models.translators.paired import PairedTranslator
