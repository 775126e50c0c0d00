"""Publish a trained system on the Hugging Face hub, with a card.

push CHECKPOINT USER/NAME --licence apache-2.0 --data-licence "Drawn by us, no restrictions."

The model has the weights that translate (safetensors), the config and class table (JSON), example
images, and a card with use, scores of `results.json` beside the checkpoint, data and limits. Who
may publish weights depends on the licence of the training data: --data-licence is your statement.
--folder writes all of it for a look, and publishes nothing.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from i2ibench.cli.arguments import add_checkpoint_argument, add_weights_argument
from i2ibench.errors import UserError
from i2ibench.inference.checkpoint_names import example_scenes, find_checkpoint
from i2ibench.inference.checkpoints import OpenedCheckpoint, open_checkpoint
from i2ibench.inference.hub.model_card import Licences, model_card
from i2ibench.inference.hub.model_folder import write_folder
from i2ibench.inference.hub.repository import upload_system
from i2ibench.inference.translation import translate
from i2ibench.io.files import write_text
from i2ibench.registry.mmengine_workarounds import silence_third_parties

MOST_IMAGES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `push` to its parser, in place."""
    add_checkpoint_argument(parser)
    parser.add_argument("name", help="the name on the hub, USER/NAME")
    parser.add_argument("--licence", required=True, help="of the weights, such as apache-2.0")
    parser.add_argument(
        "--data-licence", required=True, metavar="TEXT",
        help="which data the system was trained on, and what its licence allows; the card's text",
    )  # fmt: skip
    parser.add_argument("--private", action="store_true", help="only you can see the model")
    parser.add_argument(
        "--scenes", type=Path, metavar="DIR",
        help=f"a folder of scenes as for `translate`; the first {MOST_IMAGES} are shown",
    )  # fmt: skip
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="write the files here, and publish nothing"
    )
    add_weights_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Write a system's folder, and upload it.

    Raises:
        UserError: the checkpoint or the scenes cannot be used, the folder is not empty, or the hub
            refuses.
    """
    silence_third_parties()
    opened = open_checkpoint(find_checkpoint(options.checkpoint), "cpu", options.weights)
    licences = Licences(options.licence, options.data_licence)
    scenes = options.scenes or example_scenes(opened.path)
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside) / "model"
        write_folder(opened, folder)
        images = _write_images(opened, scenes, Path(aside), folder) if scenes else []
        write_text(folder / "README.md", model_card(opened, options.name, licences, images))
        if options.folder is None:
            print(f"published: {upload_system(folder, options.name, options.private)}")
            return
        if options.folder.exists() and any(options.folder.iterdir()):
            raise UserError(f"{options.folder} is not empty; name another folder.")
        shutil.copytree(folder, options.folder, dirs_exist_ok=True)
        print(f"written: {options.folder}")


def _write_images(opened: OpenedCheckpoint, scenes: Path, aside: Path, folder: Path) -> list[str]:
    """Translate the first scenes of a folder; return the names of the images in `folder`."""
    paths = translate(opened, scenes, aside / "images")[:MOST_IMAGES]
    names = [f"example_{number}{path.suffix}" for number, path in enumerate(paths, start=1)]
    for path, name in zip(paths, names, strict=True):
        shutil.copy(path, folder / name)
    return names
