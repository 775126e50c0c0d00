"""The option --plugins, which every command has, before or after its name."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from i2ibench.registry.plugin_folders import use_plugin_folders

PLUGIN_OPTION = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
"""A parent of every command's parser, and of the parser of each action that has its own."""

PLUGIN_OPTION.add_argument(
    "--plugins",
    action="append",
    default=[],
    metavar="DIR",
    help="a folder whose .py files are plugins; may be given several times. $I2IBENCH_PLUGINS and "
    "the key `plugins` of a config name such folders too",
)


def take_plugins(arguments: Sequence[str]) -> list[str]:
    """Name the plugin folders of a command line; give the line without the option at its start.

    Raises:
        UserError: one is no folder.
    """
    options, _ = PLUGIN_OPTION.parse_known_args(list(arguments))
    use_plugin_folders(options.plugins, Path(), "--plugins")
    rest = list(arguments)
    while rest and rest[0].partition("=")[0] == "--plugins":
        del rest[: 1 if "=" in rest[0] else 2]
    return rest
