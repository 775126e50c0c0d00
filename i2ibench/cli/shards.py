"""Write a config's data sets as WebDataset shards, which load faster than many small files.

The shards hold the files unchanged. The data set `Shards` reads the shards instead of the folders
and returns the same samples in the same order.
"""

import argparse
from pathlib import Path

from i2ibench.cli.arguments import add_config_arguments, config_of, positive
from i2ibench.data.datasets.shards import index_path, write_shards
from i2ibench.data.loaders import build_dataset, prepare_datasets
from i2ibench.errors import UserError
from i2ibench.io.progress import Progress
from i2ibench.registry.configuration import Config, own_work_dir


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `shards` to its parser, in place."""
    add_config_arguments(parser)
    parser.add_argument("target", type=Path, help="the folder to write")
    parser.add_argument(
        "--megabytes", type=positive, default=512, help="size of a shard in MB (default: 512)"
    )


def run(options: argparse.Namespace) -> None:
    """Write the shards of the splits train and val to a folder.

    Raises:
        UserError: the folder has shards already, or the data or the folder cannot be used.
    """
    config = config_of(options)
    with own_work_dir(options.target, "writing shards", "choose another folder"):
        _write(options, config)


def _write(options: argparse.Namespace, config: Config) -> None:
    splits = ("train", "val")
    for split in splits:
        if index_path(options.target, split).exists():
            raise UserError(
                f"{options.target} has shards of {split!r} already; choose another folder."
            )
    prepare_datasets(config)
    for split in splits:
        dataset = build_dataset(config[f"{split}_dataloader"], config.get("data_root"))
        size = options.megabytes * 10**6
        with Progress(f"writing {split} shards", len(dataset)) as progress:
            paths = write_shards(dataset, options.target, split, size, progress.advance)
        print(f"{split}: {len(dataset)} scenes in {len(paths)} shards")
    print(
        f"To read the shards, set data_root = {str(options.target)!r}, and for each split "
        'dataset = dict(type="Shards", split="train") with its transforms'
    )
