"""Check every file of a config's data sets and list all faults."""

import argparse

from i2ibench.commands.arguments import add_config_arguments, config_of
from i2ibench.datasets.validate import find_faults
from i2ibench.errors import UserError
from i2ibench.loaders import build_dataset
from i2ibench.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Validate."""
    config = config_of(options)
    faults = []
    for split in ("train", "val"):
        dataset = build_dataset(config[f"{split}_dataloader"], config.get("data_root"))
        with Progress(f"checking {split}", len(dataset)) as progress:
            found = find_faults(dataset.scenes, progress.advance)
        print(f"{split}: {len(dataset)} scenes, {len(found)} with faults")
        faults += found
    if faults:
        raise UserError("\n".join(faults))
