"""The released programs' options of a checkpoint that is written as official files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.inference.interop.official import network_options, program_of
from i2ibench.inference.interop.questions import PIX2PIX, sizes_of
from i2ibench.io.progress import say
from i2ibench.models.generators.unet import NUM_PLAIN_LEVELS

OPTIONS_FILE = "opt.txt"

CONDITIONS: dict[tuple[str, ...], dict[str, Any]] = {
    ("labels", "instances"): {"no_instance": False},
    ("labels",): {"no_instance": True},
    ("image", "instances"): {"label_nc": 0, "no_instance": False},
    ("image",): {"label_nc": 0, "no_instance": True},
}
"""By condition the options of pix2pixHD that say it; label_nc is the number of classes."""

PREPROCESSORS = {
    "ImagePreprocessor": ("image",),
    "ColourPreprocessor": ("colours",),
}
"""What the short forms of ConditionPreprocessor have in their condition."""


def require_released(checkpoint: Path, kind: str, options: Mapping[str, Any]) -> None:
    """Refuse a switch that changes images or training and that the released code lacks.

    Args:
        checkpoint: named in the message.
        kind: generator, discriminator or encoder.
        options: of the network.

    Raises:
        UserError: names the switch and its value.
    """
    released: dict[str, tuple[Any, ...]] = {
        "padding_mode": ("zeros",), "hard_condition": (False,), "dropout": (0, 0.5),
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


def released_options(
    checkpoint: Path,
    config: Mapping[str, Any],
    metainfo: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, Tensor]],
) -> dict[str, Any]:
    """Return the options with which the released program makes the same images.

    Args:
        checkpoint: named in what is said of a condition that the program lacks.
        config: of the checkpoint.
        metainfo: of its classes.
        weights: by kind, under the official names.
    """
    networks = {kind: network_options(kind, state) for kind, state in weights.items()}
    program = program_of(networks)
    options = {
        names.split()[0]: value
        for sizes in sizes_of(networks, program).values()
        for names, value in sizes.items()
    }
    generator = config["model"]["generator"]
    if program == PIX2PIX:
        options |= {"no_dropout": not _drops(generator, networks["generator"])}
        options |= {"eval": not generator.get("always_train", _default_mode(generator))}
    elif networks["generator"].get("norm_type") == "batch" and not generator.get("always_train"):
        say(
            f"{checkpoint} has batch norm in evaluation mode; the released pix2pixHD always takes "
            "an image's own statistics, so that its images differ."
        )
    if "encoder" in networks:
        options |= {"instance_feat": True, "label_feat": False, "n_clusters": 10}
    return options | _condition(checkpoint, config["data_preprocessor"], metainfo, program)


def _drops(generator: Mapping[str, Any], read: Mapping[str, Any]) -> bool:
    """Return whether dropout is on; `read` is what the weights tell."""
    if generator["type"] != "UNetGenerator":
        return bool(read.get("dropout"))
    return read["num_levels"] > NUM_PLAIN_LEVELS and bool(generator.get("dropout", 0.5))


def _default_mode(generator: Mapping[str, Any]) -> bool:
    """Return the default of a generator's always_train."""
    return bool(generator["type"] == "UNetGenerator")


def _condition(
    checkpoint: Path, preprocessor: Mapping[str, Any], metainfo: Mapping[str, Any], program: str
) -> dict[str, Any]:
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


def option_text(options: Mapping[str, Any]) -> str:
    """Return the text of an option file."""
    lines = [f"{name}: {value}" for name, value in sorted(options.items())]
    edge = "------------"
    return "\n".join(
        [f"{edge} Options -------------", *lines, f"{edge}-- End ----------------", ""]
    )
