"""Draw the ToyStreet data set, with progress; training draws it too if it is not there."""

import argparse
from pathlib import Path

from mmengine.config import Config

from i2ibench.commands.arguments import add_config_arguments, config_of
from i2ibench.datasets.toystreet.dataset import draw_split, is_drawn
from i2ibench.errors import UserError
from i2ibench.progress import Progress
from i2ibench.registry import DATASETS, check_names, options_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Draw the splits that the config names."""
    config = config_of(options)
    drawn = draw_streets(config)
    if not drawn:
        kind = config.train_dataloader.dataset.type
        raise UserError(f"Only ToyStreet is drawn; {options.config} uses {kind}.")
    for folder in drawn:
        print(f"ready: {folder}")


def draw_streets(config: Config) -> list[Path]:
    """Draw what is missing of the config's ToyStreet splits, with progress; gives their folders."""
    folders = []
    for loader in (config.train_dataloader, config.val_dataloader):
        dataset = dict(loader.dataset)
        if dataset.get("type") == "ToyStreet":
            value = _values(dataset)
            root = Path(dataset.get("root") or config.data_root)
            split, count = value["split"], value["num_scenes"]
            streets = (root, split, count, (value["width"], value["height"]), value["scene_seed"])
            if not is_drawn(*streets):
                with Progress(f"drawing {split} scenes", count) as progress:
                    draw_split(*streets, on_scene=progress.advance)
            folders.append(root / "leftImg8bit" / split)
    return folders


def _values(dataset: dict) -> dict:
    """The data set's options, the constructor's defaults where the config is silent."""
    part = DATASETS.find("ToyStreet")
    check_names(part, [name for name in dataset if name != "type"])
    return {name: dataset.get(name, p.default) for name, p in options_of(part).items()}
