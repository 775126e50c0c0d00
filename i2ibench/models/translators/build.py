"""Building the translator of a config."""

from collections.abc import Mapping
from typing import Any

from i2ibench.data.pixel_formats import format_in
from i2ibench.errors import UserError
from i2ibench.models.translators.base import Translator, method_named
from i2ibench.models.translators.conditions import dataset_options
from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.registry.configuration import ConfigDict
from i2ibench.registry.contracts import Preprocessor


def build_translator(config: ConfigDict, metainfo: dict[str, Any]) -> Translator:
    """Return the translator of a config, with new weights, built for a data set.

    Args:
        config: the resolved config; `model` and `data_preprocessor` are used.
        metainfo: the class table and image formats of the data set.

    Raises:
        UserError: the config names an unknown part or option, or its condition has features without
            an encoder.
    """
    preprocessor: Preprocessor = PREPROCESSORS.build_for(
        config["data_preprocessor"], dataset_options(metainfo)
    )
    if preprocessor.takes_features and not config["model"].get("encoder"):
        raise UserError(
            "The condition has 'features', which an encoder computes: set model.encoder, or leave "
            "'features' out of data_preprocessor.condition."
        )
    method_of(config)
    image = format_in(metainfo)
    others = {} if image.channels == 3 else {"image_channels": image.channels}
    translator: Translator = TRANSLATORS.build(
        config["model"], data_preprocessor=preprocessor, **others
    )
    translator.image_depth = image.bits
    return translator


def drop_training_parts(translator: Translator) -> Translator:
    """Set the submodules in the translator's `TRAINING_ONLY` to None, and return the translator.

    Most methods do not build them without their options; some methods always do.
    """
    for name, _ in [*translator.named_children()]:
        if name in translator.TRAINING_ONLY:
            setattr(translator, name, None)
    return translator


def method_of(config: Mapping[str, Any]) -> type[Translator]:
    """Return the class of a config's translator, which the config's `model.type` names.

    Raises:
        UserError: the config has no `model` with a type, or the type is no valid translator.
    """
    model = config.get("model")
    if not isinstance(model, Mapping) or "type" not in model:
        raise UserError("The config's model must be a dict with the type of a translator.")
    return method_named(model["type"])
