"""Registries of parts, their contracts, the discovery of plugins, and configs that name parts."""

from i2ibench.registry.discovery import load_plugins
from i2ibench.registry.registries import (
    DATASETS,
    DISCRIMINATORS,
    ENCODERS,
    EXECUTORS,
    FEATURES,
    GENERATORS,
    HOOKS,
    LOSSES,
    METRICS,
    PREPROCESSORS,
    PROTOCOLS,
    READERS,
    REGISTRIES,
    SEGMENTERS,
    TRANSFORMS,
    TRANSLATORS,
    Registry,
    check_names,
    check_options,
    options_of,
)

Registry.finders.append(load_plugins)
