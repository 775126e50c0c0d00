"""Edit label maps in the browser and see the images that a checkpoint makes from them.

--data names a folder of scenes in the layout of `translate`. By default the scenes are the
validation data of the checkpoint or, if it does not exist, an empty canvas. Scenes are saved after
every step, and the page opens its scene again after a restart.
"""

import argparse
import contextlib
from pathlib import Path

from i2ibench.cli.access_keys import read_key
from i2ibench.cli.arguments import (
    add_address_arguments,
    add_checkpoint_argument,
    add_compile_argument,
    add_device_argument,
    add_precision_argument,
    add_public_url_argument,
    add_settings_argument,
    add_weights_argument,
    positive,
    require_web,
)
from i2ibench.errors import UserError
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoint_names import example_scenes, find_checkpoint
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.translation import use_bank
from i2ibench.io.devices import checked_device
from i2ibench.io.files import make_private_folder
from i2ibench.registry.configuration import own_work_dir
from i2ibench.registry.mmengine_workarounds import silence_third_parties


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `edit` to its parser, in place."""
    add_checkpoint_argument(parser)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the scenes to open")
    add_address_arguments(parser)
    add_public_url_argument(parser)
    parser.add_argument(
        "--access-key", type=Path, metavar="FILE",
        help="let only browsers in that open the address with the key, the first line of this "
        "file; a missing file gets a random key",
    )  # fmt: skip
    parser.add_argument(
        "--autosave", type=Path, metavar="DIR",
        help="the folder that scenes are saved to (default: work_dirs/editor/<checkpoint name>)",
    )  # fmt: skip
    parser.add_argument(
        "--bank", type=Path, metavar="FILE",
        help="use the style modes in a file of `styles fit` instead of the checkpoint's",
    )  # fmt: skip
    parser.add_argument(
        "--max-pixels", type=positive, metavar="N",
        help="the largest number of pixels of an uploaded scene or label map, at most 8388608 "
        "(default: 2097152 = 2048x1024)",
    )  # fmt: skip
    add_device_argument(parser)
    add_weights_argument(parser)
    add_precision_argument(parser)
    add_settings_argument(parser)
    # The other modes use CUDA graphs, which support one image size and one thread only.
    add_compile_argument(parser, ["default"])


def run(options: argparse.Namespace) -> None:
    """Open a checkpoint, and serve the editor's web page until Ctrl+C.

    Raises:
        UserError: a package of the web servers is missing, the checkpoint, the scenes or the bank
            cannot be opened, or another process uses the folder for saved scenes.
    """
    silence_third_parties()
    require_web("editor")
    from i2ibench.apps.editor.editor import open_editor
    from i2ibench.apps.editor.messages import MAX_UPLOAD_BYTES
    from i2ibench.apps.editor.server import create_app
    from i2ibench.apps.editor.uploaded_images import MAX_PIXELS, MAX_UPLOAD_PIXELS
    from i2ibench.apps.web.serving import address, listen, serve
    from i2ibench.apps.web.web_addresses import check_public_url

    check_public_url(options.public_url)
    key = None if options.access_key is None else read_key(options.access_key, "--access-key")
    max_pixels = options.max_pixels or MAX_UPLOAD_PIXELS
    if max_pixels > MAX_PIXELS:
        raise UserError(f"--max-pixels is at most {MAX_PIXELS}, not {max_pixels}.")
    checkpoint = find_checkpoint(options.checkpoint)
    how = InferenceOptions(options.amp, options.compile, settings=options.set)
    opened = open_checkpoint(checkpoint, checked_device(options.device), options.weights, how)
    if options.bank is not None:
        use_bank(opened, options.bank)
    editor = open_editor(opened, options.data or example_scenes(checkpoint), max_pixels)
    folder = options.autosave or Path("work_dirs") / "editor" / checkpoint.stem
    with contextlib.suppress(OSError):  # own_work_dir reports why the folder cannot be created
        make_private_folder(folder)
    with own_work_dir(folder, "saving an editor's scenes", "give another folder with --autosave"):
        listening = listen(options.host, options.port)
        host, port = options.host, listening.getsockname()[1]
        app = create_app(editor, folder, host, port, options.public_url, key)
        url = options.public_url or address(host, listening)
        print(f"editor: {_with_key(url, options.access_key)} (Ctrl+C ends it)", flush=True)
        serve(app, listening, MAX_UPLOAD_BYTES + 2**20)


def _with_key(url: str, path: Path | None) -> str:
    """Return the address that a browser opens first."""
    if path is None:
        return url
    return f"{url.rstrip('/')}/?key=KEY, where KEY is the first line of {path}"
