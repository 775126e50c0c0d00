"""The option --plugins of every command, which may stand before or after the command's name."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

PLUGIN_OPTION = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
"""A parser with the option, the parent of the parsers of all commands and actions."""

PLUGIN_OPTION.add_argument(
    "--plugins",
    action="append",
    default=[],
    metavar="DIR",
    help="a folder whose .py files are plugins; may be repeated. $I2IBENCH_PLUGINS and the key "
    "`plugins` of a config name such folders too",
)


def take_plugins(arguments: Sequence[str]) -> list[str]:
    """Add the plugin folders of a command line to $I2IBENCH_PLUGINS.

    All options --plugins are read, before and after the command's name.

    Returns:
        The arguments without the options --plugins at their beginning. Later ones stay.

    Raises:
        UserError: a folder does not exist.
    """
    options, _ = PLUGIN_OPTION.parse_known_args(list(arguments))
    if options.plugins or os.environ.get("I2IBENCH_PLUGINS"):
        # The registry imports torch, which takes seconds.
        from i2ibench.registry.plugin_folders import use_plugin_folders

        use_plugin_folders(options.plugins, Path(), "--plugins")
    rest = list(arguments)
    while rest and rest[0].partition("=")[0] == "--plugins":
        del rest[: 1 if "=" in rest[0] else 2]
    return rest
