"""Building: the translator that a config describes."""

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
    """The translator of a config for data with the given classes.

    Raises:
        UserError: the config names an unknown part or option, or features without an encoder.
    """
    facts = dataset_options(metainfo)
    preprocessor: Preprocessor = PREPROCESSORS.build_for(config["data_preprocessor"], facts)
    if preprocessor.takes_features and not config["model"].get("encoder"):
        raise UserError(
            "The condition has 'features', which an encoder makes: set model.encoder, or leave "
            "'features' out of data_preprocessor.condition."
        )
    method_of(config)
    made = format_in(metainfo)
    others = {} if made.channels == 3 else {"image_channels": made.channels}
    translator: Translator = TRANSLATORS.build(
        config["model"], data_preprocessor=preprocessor, **others
    )
    translator.image_depth = made.bits
    return translator


def training_only(config: ConfigDict) -> tuple[str, ...]:
    """Return the options and submodules that a config's method translates without.

    Raises:
        UserError: the config's model is of no registered method.
    """
    found: tuple[str, ...] = method_of(config).TRAINING_ONLY
    return found


def drop_training_parts(translator: Translator) -> Translator:
    """Return the translator without the submodules that only training needs.

    Most methods leave them out if their options are not given; others build them all the same.
    """
    for name, _ in [*translator.named_children()]:
        if name in translator.TRAINING_ONLY:
            setattr(translator, name, None)
    return translator


def method_of(config: Mapping[str, Any]) -> type[Translator]:
    """Return the class of a config's translator.

    Raises:
        UserError: the config's model is of no registered method.
    """
    model = config.get("model")
    if not isinstance(model, Mapping) or "type" not in model:
        raise UserError("The config's model is a dict with the type of a translator.")
    return method_named(model["type"])
