"""Questions that official weights leave open: dropout, and the mode at test time.

Each is answered by the weights if they can, else by the command, else by an option file beside the
weights. What decides images and is answered by none of them is asked for.
"""

from typing import Any

from i2ibench.errors import UserError
from i2ibench.inference.interop.findings import RELEASED, WEIGHTS, Findings
from i2ibench.inference.interop.option_files import TEST
from i2ibench.models.generators.unet import NUM_PLAIN_LEVELS

Options = dict[str, Any]

PIX2PIX, PIX2PIXHD = "pix2pix", "pix2pixHD"
YES_NO = {True: "yes", False: "no"}


def check_options(findings: Findings, networks: dict[str, Options], program: str) -> None:
    """Refuse an option file that contradicts the weights.

    Raises:
        UserError: names the option and both values.
    """
    option = findings.files.find("norm")
    for file, expected in sizes_of(networks, program).items():
        if option is not None and option.text == "syncbatch":  # batch norm over several GPUs
            expected.pop("norm", None)
        findings.check(file, expected)


def sizes_of(networks: dict[str, Options], program: str) -> dict[str, Options]:
    """Return by official file the released code's options that its weights tell.

    Args:
        networks: their options here.
        program: PIX2PIX or PIX2PIXHD.

    Returns:
        by an option's names, separated by blanks, the value.
    """
    sizes = {"latest_net_G.pth": _generator_sizes(networks["generator"], program)}
    others = {
        "discriminator": {
            "num_D": "num_scales", "n_layers_D": "num_layers", "ndf": "base_channels",
        },
        "encoder": {
            "feat_num": "out_channels", "nef": "base_channels",
            "n_downsample_E": "num_downsamplings",
        },
    }  # fmt: skip
    if program == PIX2PIX:  # its n_layers_D counts only with netD n_layers
        others["discriminator"] = {"ndf": "base_channels"}
    for kind, names in others.items():
        if kind in networks:
            own = {name: networks[kind][option] for name, option in names.items()}
            sizes[f"latest_net_{kind[0].upper()}.pth"] = own
    return sizes


def _generator_sizes(generator: Options, program: str) -> Options:
    sizes: Options = {
        "ngf": generator["base_channels"],
        "output_nc": generator["out_channels"],
        "norm": generator.get("norm_type", "instance"),
    }
    levels, enhancers = generator.get("num_levels"), generator.get("num_enhancers", 0)
    if program == PIX2PIX:
        name = f"unet_{2**levels}" if levels else f"resnet_{generator['num_blocks']}blocks"
        return sizes | {"netG which_model_netG": name, "input_nc": generator["in_channels"]}
    sizes |= {
        "netG": "local" if enhancers else "global",
        "n_downsample_global": generator["num_downsamplings"],
        "n_blocks_global": generator["num_blocks"],
    }
    if enhancers:
        sizes |= {
            "n_local_enhancers": enhancers,
            "n_blocks_local": generator["num_enhancer_blocks"],
        }
    return sizes


def settle_networks(findings: Findings, networks: dict[str, Options]) -> None:
    """Put dropout and the mode at test time into the networks' options.

    Raises:
        UserError: neither the weights nor anything beside them tells of dropout.
    """
    generator = networks["generator"]
    _note_networks(findings, networks)
    dropout = _dropout(findings, generator)
    batch = generator.get("norm_type") == "batch"
    random = bool(dropout) or batch
    own = [networks[kind] for kind in ("generator", "encoder") if kind in networks]
    for options in own:
        options.pop("always_train", None)
    if generator["type"] == "UNetGenerator":
        generator |= {"dropout": dropout, "always_train": False}
    if random:
        evaluation = _evaluation_mode(findings)
        for options in own:
            options["always_train"] = not evaluation


def _note_networks(findings: Findings, networks: dict[str, Options]) -> None:
    for kind, options in networks.items():
        sizes = {k: v for k, v in options.items() if isinstance(v, int) and not isinstance(v, bool)}
        listing = ", ".join(f"{name} {size}" for name, size in sizes.items())
        findings.note(kind, f"{options['type']}: {listing}", WEIGHTS)
    norm = networks["generator"].get("norm_type", "instance")
    findings.note("norm", norm, f"{WEIGHTS} (a norm without weights is the instance norm)")


def _dropout(findings: Findings, generator: Options) -> float:
    """Return the probability of dropout; the U-Net's leaves no trace in its weights.

    Raises:
        UserError: nothing tells of it, or the weights contradict what is said.
    """
    answer, option = findings.answers.dropout, findings.files.find("no_dropout")
    said = None if option is None else not option.flag()
    wanted = said if answer is None else answer
    if generator.get("num_levels", 0) > NUM_PLAIN_LEVELS:
        if wanted is None:
            raise UserError(
                f"{findings.folder} holds pix2pix's U-Net. Its weights do not tell whether it was "
                "trained with dropout, and no train_opt.txt beside them does. Pass --dropout yes "
                "(pix2pix's default), or --dropout no if it was trained with --no_dropout; the "
                "images differ."
            )
        source = findings.chosen(answer, option.source if option else None)
        findings.note("dropout", YES_NO[wanted], source)
        return 0.5 if wanted else 0.0
    own = bool(generator.get("dropout"))
    told = answer is not None or (option is not None and option.name in _pix2pix_only(findings))
    if generator["type"] != "UNetGenerator" and told and wanted != own:
        place = "--dropout" if answer is not None else f"{option.file}"  # type: ignore[union-attr]
        raise UserError(
            f"{place} says that dropout is {YES_NO[bool(wanted)]}, but the residual blocks in "
            f"latest_net_G.pth say {YES_NO[own]}."
        )
    findings.note("dropout", YES_NO[own], WEIGHTS)
    return 0.5 if own else 0.0


def _pix2pix_only(findings: Findings) -> tuple[str, ...]:
    """Return the options that have a meaning in pix2pix's code; pix2pixHD's has no dropout."""
    return () if findings.files.find("label_nc") else ("no_dropout",)


def _evaluation_mode(findings: Findings) -> bool:
    """Return whether test.py was told to leave training mode (`--eval`)."""
    answer, option = findings.answers.evaluation_mode, findings.files.find("eval", files=TEST)
    said = None if option is None else option.flag()
    evaluation = bool(said if answer is None else answer)
    findings.note(
        "batch norm and dropout in images",
        "evaluation mode" if evaluation else "training mode, each image alone",
        findings.chosen(
            answer, option.source if option else None, f"{RELEASED} (test.py without --eval)"
        ),
    )
    return evaluation
