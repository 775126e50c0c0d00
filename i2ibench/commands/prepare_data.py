"""Draw the ToyStreet data set, with progress; training draws it too if it is not there."""

import argparse
from pathlib import Path

from i2ibench.commands.arguments import add_config_arguments, config_of
from i2ibench.datasets.toystreet.dataset import draw_split
from i2ibench.errors import UserError
from i2ibench.progress import Progress
from i2ibench.registry import DATASETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Draw the splits that the config names."""
    config = config_of(options)
    for loader in (config.train_dataloader, config.val_dataloader):
        dataset = dict(loader.dataset)
        if dataset["type"] != "ToyStreet":
            raise UserError(f"Only ToyStreet is drawn; {options.config} uses {dataset['type']}.")
        value = _values(dataset)
        root, split = Path(dataset.get("root", config.get("data_root"))), value["split"]
        with Progress(f"drawing {split} scenes", value["num_scenes"]) as progress:
            size = (value["width"], value["height"])
            draw_split(
                root, split, value["num_scenes"], size, value["scene_seed"], progress.advance
            )
        print(f"{split}: {value['num_scenes']} scenes in {root}")


def _values(dataset: dict) -> dict:
    """The data set's options, the constructor's defaults where the config is silent."""
    import inspect

    parameters = inspect.signature(DATASETS.find("ToyStreet")).parameters
    return {name: dataset.get(name, parameter.default) for name, parameter in parameters.items()}
