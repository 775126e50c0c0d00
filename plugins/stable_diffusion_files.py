"""Reading a folder with a Stable Diffusion in the layout of the library diffusers.

Nothing is downloaded, and no program in the folder is run: weights are .safetensors.

Licence: Apache-2.0, like the rest.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256 as hash_of
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.io.provenance import sha256
from i2ibench.io.weights import search_folders
from i2ibench.models.ops.peak_memory import has_values

FOLDERS = ("unet", "vae", "scheduler", "text_encoder", "tokenizer")
READ = re.compile(r".+\.(json|txt)|(diffusion_pytorch_)?model(-\d+-of-\d+)?\.safetensors")
"""Names of the files that are read; others, such as copies in half precision, are ignored."""

LATENT_STRIDE = 8
"""Pixels of the image along each side of a latent; diffusers' ControlNet takes no other number."""

PREDICTIONS = {"epsilon": "noise", "v_prediction": "velocity"}
"""What a UNet predicts, by diffusers' name."""

DOWNLOAD = "hf download stable-diffusion-v1-5/stable-diffusion-v1-5 --local-dir FOLDER"


def library(name: str) -> Any:
    """Import an optional package by its name and return the module.

    Raises:
        UserError: the package is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UserError(
            f'A ControlNet needs {name} ({error}): pip install "i2ibench[diffusion]"'
        ) from None


def find_folder(folder: str) -> Path:
    """Return the path of a folder with a Stable Diffusion.

    Args:
        folder: a path, which is tried first; its last part is also looked for in the
            `search_folders` of weights.

    Raises:
        UserError: there is no such folder, or it lacks a sub-folder.
    """
    places = [Path(folder), *(place / Path(folder).name for place in search_folders())]
    path = next((place for place in places if place.is_dir()), None)
    if path is None:
        raise UserError(
            f"There is no folder with a Stable Diffusion at {', '.join(map(str, places))}. Put one "
            f"in diffusers' layout ({', '.join(FOLDERS)}) there, or name one by the option "
            "model.folder, which is $STABLE_DIFFUSION_ROOT in configs/controlnet_cityscapes.py. "
            f"Nothing is downloaded here; elsewhere: {DOWNLOAD}"
        )
    missing = [name for name in FOLDERS if not (path / name).is_dir()]
    if missing:
        raise UserError(
            f"{path} lacks the sub-folder{'s' if len(missing) > 1 else ''} {', '.join(missing)}: a "
            f"Stable Diffusion in diffusers' layout has {', '.join(FOLDERS)}."
        )
    return path


def content_hash(folder: Path) -> str:
    """Return the hexadecimal SHA-256 of the names and contents of the files that are read."""
    paths = sorted(
        path for name in FOLDERS for path in (folder / name).iterdir() if READ.fullmatch(path.name)
    )
    names = {path.relative_to(folder).as_posix(): sha256(path) for path in paths}
    return hash_of(json.dumps(names, sort_keys=True).encode()).hexdigest()


def without_values() -> bool:
    """Return whether new tensors have no values here, as on the meta device."""
    return not has_values(torch.empty(0))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the errors of the libraries in a `with` block into a UserError that names the path.

    Raises:
        UserError: a file is missing or broken.
    """
    try:
        yield
    except Exception as error:  # foreign files can make the libraries raise anything
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} cannot be read as a part of a Stable Diffusion (JSON files, weights as "
            f".safetensors): {reason[:300]}"
        ) from None


def load_network(kind: Any, path: Path) -> Any:
    """Return a network of diffusers in float32, with random weights where tensors have no values.

    Args:
        kind: the class of the network.
        path: the sub-folder with config.json and diffusion_pytorch_model.safetensors.

    Raises:
        UserError: a file or a weight is missing or broken.
    """
    with reading(path):
        if without_values():
            return kind.from_config(kind.load_config(path, local_files_only=True))
        network, report = kind.from_pretrained(
            path, local_files_only=True, use_safetensors=True, output_loading_info=True,
            torch_dtype=torch.float32, low_cpu_mem_usage=find_spec("accelerate") is not None,
        )  # fmt: skip
    require_whole(report, path)
    return network


def require_whole(report: dict[str, Any], path: Path) -> None:
    """Check a report of diffusers or transformers on a loaded network.

    Raises:
        UserError: weights are missing, which would stay random.
    """
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(f"{path} lacks {len(missing)} weights, first {missing[0]}: get it again.")


def load_schedule(kind: Any, path: Path) -> Any:
    """Return the noise schedule of a sub-folder as a scheduler of the class `kind`."""
    with reading(path):
        return kind.from_config(kind.load_config(path, local_files_only=True))


@torch.no_grad()
def embedding(prompt: str, folder: Path) -> Tensor:
    """Return the text encoder's embedding of a prompt, float32 [1,L,D]; zeros without values.

    Raises:
        UserError: transformers is not installed, a file is missing or broken, or the prompt is too
            long.
    """
    transformers, path = library("transformers"), folder / "text_encoder"
    with reading(path):
        config = transformers.CLIPTextConfig.from_pretrained(path, local_files_only=True)
    length = config.max_position_embeddings
    if without_values():
        return torch.zeros(1, length, config.hidden_size)
    with reading(folder / "tokenizer"):
        tokenizer = transformers.CLIPTokenizer.from_pretrained(
            folder / "tokenizer", local_files_only=True
        )
    words = tokenizer(prompt, padding="max_length", max_length=length).input_ids
    if len(words) > length:
        raise UserError(
            f"The prompt has {len(words)} tokens, and the text encoder in {folder} reads {length}: "
            f"shorten {prompt[:40]!r}."
        )
    with reading(path), quiet(transformers.utils.logging):
        encoder, report = transformers.CLIPTextModel.from_pretrained(
            path, local_files_only=True, use_safetensors=True, output_loading_info=True,
            dtype=torch.float32,
        )  # fmt: skip
    require_whole(report, path)
    text: Tensor = encoder.eval()(torch.tensor([words]))[0]
    return text


@contextmanager
def quiet(log: Any) -> Iterator[None]:
    """Switch off the progress bars of transformers in a `with` block."""
    shown = log.is_progress_bar_enabled()
    log.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            log.enable_progress_bar()


def require_supported(unet: Any, vae: Any, schedule: Any, text: Tensor, path: Path) -> None:
    """Check that a folder is a Stable Diffusion 1 or 2, whose UNet gets latents, time and one text.

    Args:
        unet: the config of the UNet.
        vae: the config of the VAE.
        schedule: the config of the noise schedule.
        text: the embedding of the prompt.
        path: the folder, for the message.

    Raises:
        UserError: it is another kind of model; the message says in what.
    """
    more = (unet.addition_embed_type, unet.class_embed_type, unet.encoder_hid_dim_type)
    checks = {
        "its UNet reads more than latents, time and one text": not any(more),
        f"its UNet reads {unet.in_channels} channels and its latents have {vae.latent_channels}":
            unet.in_channels == vae.latent_channels,
        f"its UNet reads texts of width {unet.cross_attention_dim} and its text encoder gives "
        f"{text.shape[-1]}": unet.cross_attention_dim == text.shape[-1],
        f"its latents are not images at 1/{LATENT_STRIDE} of the size, at one scale":
            2 ** (len(vae.block_out_channels) - 1) == LATENT_STRIDE and not vae.shift_factor,
        f"its prediction_type is {schedule.prediction_type!r}, not one of {', '.join(PREDICTIONS)}":
            schedule.prediction_type in PREDICTIONS,
    }  # fmt: skip
    wrong = [what for what, right in checks.items() if not right]
    if wrong:
        raise UserError(
            f"{path} is no Stable Diffusion 1 or 2 for images from texts: {'; '.join(wrong)}. Set "
            "model.folder to one."
        )
