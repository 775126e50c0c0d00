"""Writing a checkpoint as official pix2pixHD or pix2pix files."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.inference.checkpoint_checks import read_config
from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.inference.interop import pix2pix, pix2pixhd
from i2ibench.inference.interop.conversion_options import PIX2PIX
from i2ibench.inference.interop.import_official import (
    CLUSTERS_FILE,
    WEIGHT_FILES,
    network_config,
    program_of,
)
from i2ibench.inference.interop.network_option_checks import released_sizes
from i2ibench.inference.interop.style_clusters import write_clusters
from i2ibench.io.files import write_file, write_text
from i2ibench.io.progress import say
from i2ibench.models.generators.unet import NUM_PLAIN_LEVELS

OPTIONS_FILE = "opt.txt"

OFFICIAL_NAMES = {
    "CoarseToFineGenerator": pix2pix.generator_names,
    "UNetGenerator": pix2pix.generator_names,
    "MultiScaleDiscriminator": pix2pixhd.discriminator_names,
    "PatchDiscriminator": pix2pix.discriminator_names,
    "InstanceEncoder": pix2pixhd.encoder_names,
}
"""By type of network a function that gives its state dict the official names."""

CONDITIONS: dict[tuple[str, ...], dict[str, Any]] = {
    ("labels", "instances"): {"no_instance": False},
    ("labels",): {"no_instance": True},
    ("image", "instances"): {"label_nc": 0, "no_instance": False},
    ("image",): {"label_nc": 0, "no_instance": True},
}
"""The options of pix2pixHD for each condition; label_nc is the number of classes if not given."""

PREPROCESSORS = {"ImagePreprocessor": ("image",), "ColourPreprocessor": ("colours",)}
"""The condition of preprocessors that have no option for it."""


def export_folder(checkpoint: Path, folder: Path) -> list[Path]:
    """Write a checkpoint's networks as official files into `folder`; return the paths.

    The files are the generator, the discriminator and encoder if the checkpoint has them, the
    K-means file if the style bank is not empty, and `opt.txt`. Existing files are replaced.
    `opt.txt` holds the options that the weights do not tell, in the released code's format. The
    released programs do not read `opt.txt`: give them the same options. A warning is printed for
    properties that the released program lacks.

    Raises:
        UserError: the checkpoint is broken, or the released code does not have its networks.
            Nothing has been written then.
    """
    saved = read_checkpoint(checkpoint)
    state, config = saved["state_dict"], read_config(saved, checkpoint)
    weights = _official_weights(checkpoint, state, config["model"])
    options = _released_options(checkpoint, config, saved["meta"]["dataset_meta"], weights)
    paths = []
    for kind, official in weights.items():
        paths.append(folder / WEIGHT_FILES[kind])
        write_file(paths[-1], partial(torch.save, official))
    if "style_bank.counts" in state and state["style_bank.counts"].any():
        counts, centres = state["style_bank.counts"], state["style_bank.centres"]
        clusters = {c: centres[c, :n].numpy() for c, n in enumerate(counts.tolist()) if n}
        paths.append(folder / CLUSTERS_FILE)
        write_clusters(clusters, paths[-1])
    lines = [f"{name}: {value}" for name, value in sorted(options.items())]
    frame = "------------ Options -------------", "-------------- End ----------------"
    paths.append(folder / OPTIONS_FILE)
    write_text(paths[-1], "\n".join([frame[0], *lines, frame[1], ""]))
    return paths


def _official_weights(
    checkpoint: Path, state: dict[str, Tensor], model: dict[str, Any]
) -> dict[str, dict[str, Tensor]]:
    """Return the state dict of each network under the official names, by kind of network."""
    weights = {}
    for kind in WEIGHT_FILES:
        options = model.get(kind)
        if not options:
            continue
        network = options.get("type")
        if not isinstance(network, str) or network not in OFFICIAL_NAMES:
            raise UserError(
                f"{checkpoint} has the {kind} {network!r}, which neither pix2pixHD nor pix2pix has."
            )
        _require_released(checkpoint, kind, options)
        prefix = f"{kind}."
        own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        try:
            weights[kind] = OFFICIAL_NAMES[network](own)
        except (AttributeError, IndexError, TypeError, ValueError):  # names of other weights
            raise UserError(f"The weights in {checkpoint} are not a {network}'s.") from None
    if "generator" not in weights:
        raise UserError(f"{checkpoint} has no generator.")
    return weights


def _require_released(checkpoint: Path, kind: str, options: Mapping[str, Any]) -> None:
    """Check that the released code can be given a network's options."""
    released: dict[str, tuple[Any, ...]] = {
        "padding_mode": ("zeros",), "upsampling": ("transposed",), "hard_condition": (False,),
        "dropout": (0, 0.5),
    }  # fmt: skip
    if options["type"] == "PatchDiscriminator":
        released["padding"] = (1,)
        options = {"padding": 2, **options}  # the default here is pix2pixHD's
    for name, values in released.items():
        if name in options and options[name] not in values:
            raise UserError(
                f"{checkpoint} uses {name}={options[name]!r} in its {kind}, which the released "
                "code has not."
            )


def _released_options(
    checkpoint: Path,
    config: Mapping[str, Any],
    metainfo: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, Tensor]],
) -> dict[str, Any]:
    """Return the options, by name, with which the released program makes the same images.

    A warning is printed for a property of the checkpoint that the program lacks.
    """
    networks = {kind: network_config(kind, state) for kind, state in weights.items()}
    program = program_of(networks)
    options = {
        names.split()[0]: value
        for sizes in released_sizes(networks, program).values()
        for names, value in sizes.items()
    }
    generator = config["model"]["generator"]
    is_unet = generator["type"] == "UNetGenerator"
    if program == PIX2PIX:
        dropout = bool(networks["generator"].get("dropout"))
        if is_unet:  # whose weights do not tell
            deep = networks["generator"]["num_levels"] > NUM_PLAIN_LEVELS
            dropout = deep and bool(generator.get("dropout", 0.5))
        options |= {"no_dropout": not dropout, "eval": not generator.get("always_train", is_unet)}
    elif networks["generator"].get("norm_type") == "batch" and not generator.get("always_train"):
        say(
            f"{checkpoint} has batch norm in evaluation mode; the released pix2pixHD always takes "
            "an image's own statistics, so that its images differ."
        )
    if "encoder" in networks:
        options |= {"instance_feat": True, "label_feat": False, "n_clusters": 10}
    return options | _condition(checkpoint, config["data_preprocessor"], metainfo, program)


def _condition(
    checkpoint: Path, preprocessor: Mapping[str, Any], metainfo: Mapping[str, Any], program: str
) -> dict[str, Any]:
    """Return the released program's options for the condition that a preprocessor makes.

    If the program cannot make this condition, a warning is printed and there are no options.
    """
    name = preprocessor.get("type")
    kinds = PREPROCESSORS.get(str(name), tuple(preprocessor.get("condition", ())))
    if name == "LabelPreprocessor":
        kinds = ("labels", "instances") if preprocessor.get("boundaries", True) else ("labels",)
    kinds = tuple(kind for kind in kinds if kind != "features")
    if program == PIX2PIX and kinds == ("image",):
        return {}
    if program == PIX2PIX and kinds == ("colours",):
        return {"label_nc": len(metainfo["classes"])}
    if kinds not in CONDITIONS:
        say(f"The condition of {checkpoint} is {' + '.join(kinds)}, which {program} cannot make.")
        return {}
    return {"label_nc": len(metainfo["classes"]), **CONDITIONS[kinds]}
