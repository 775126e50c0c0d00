"""The options of converted networks: the check against option files, dropout, and eval mode.

The weights have precedence, then the user's options, then the option files beside the weights. A
property that affects images and stands in none of them is an error.
"""

from typing import Any

from i2ibench.errors import UserError
from i2ibench.inference.interop.conversion_options import (
    PIX2PIX,
    RELEASED,
    TEST,
    WEIGHTS,
    Conversion,
)
from i2ibench.models.generators.unet import NUM_PLAIN_LEVELS

Options = dict[str, Any]

YES_NO = {True: "yes", False: "no"}


def check_option_files(conversion: Conversion, networks: dict[str, Options], program: str) -> None:
    """Check that the option files beside the weights agree with the networks' sizes and norm.

    Options that no option file has are not checked. A norm "syncbatch" in a file is not compared.

    Args:
        conversion: with the option files.
        networks: the options of each network here, by kind.
        program: PIX2PIX or PIX2PIXHD.

    Raises:
        UserError: names the option and both values.
    """
    norm = conversion.option_files.find("norm")
    for file, expected in released_sizes(networks, program).items():
        if norm is not None and norm.text == "syncbatch":  # batch norm over several GPUs
            expected.pop("norm", None)
        conversion.check_option_files(file, expected)


def released_sizes(networks: dict[str, Options], program: str) -> dict[str, Options]:
    """Return the released code's options, such as ngf, whose values follow from the weights.

    Args:
        networks: the options of each network here, by kind.
        program: PIX2PIX or PIX2PIXHD.

    Returns:
        A dict by weights file, such as "latest_net_G.pth", for the networks that are there. Each
            value is a dict of option values. A key is an option's name, or several names of the
            same option separated by spaces.
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
    if program == PIX2PIX:  # uses its n_layers_D only with netD n_layers
        others["discriminator"] = {"ndf": "base_channels"}
    for kind, names in others.items():
        if kind in networks:
            values = {name: networks[kind][option] for name, option in names.items()}
            sizes[f"latest_net_{kind[0].upper()}.pth"] = values
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
        local = {"n_local_enhancers": enhancers, "n_blocks_local": generator["num_enhancer_blocks"]}
        sizes |= local
    return sizes


def set_dropout_and_mode(conversion: Conversion, networks: dict[str, Options]) -> None:
    """Set dropout and the mode at test time in the options of the generator and the encoder.

    `always_train` (training mode at test time) is set if there is dropout or batch norm, and
    removed otherwise; a U-Net always has it. `dropout` is set for a U-Net only.

    Args:
        conversion: gets rows about all networks, dropout and the mode.
        networks: the options of each network here, by kind; they are changed in place.

    Raises:
        UserError: it is unknown whether a U-Net has dropout, or an option contradicts the weights.
    """
    generator = networks["generator"]
    _report_networks(conversion, networks)
    dropout = _dropout(conversion, generator)
    translating = [networks[kind] for kind in ("generator", "encoder") if kind in networks]
    for options in translating:
        options.pop("always_train", None)
    if generator["type"] == "UNetGenerator":
        generator |= {"dropout": dropout, "always_train": False}
    if dropout or generator.get("norm_type") == "batch":
        evaluation = _evaluation_mode(conversion)
        for options in translating:
            options["always_train"] = not evaluation


def _report_networks(conversion: Conversion, networks: dict[str, Options]) -> None:
    for kind, options in networks.items():
        sizes = {k: v for k, v in options.items() if isinstance(v, int) and not isinstance(v, bool)}
        listing = ", ".join(f"{name} {size}" for name, size in sizes.items())
        conversion.report(kind, f"{options['type']}: {listing}", WEIGHTS)
    norm = networks["generator"].get("norm_type", "instance")
    conversion.report("norm", norm, f"{WEIGHTS} (a norm without weights is the instance norm)")


def _dropout(conversion: Conversion, generator: Options) -> float:
    """Return the generator's probability of dropout, 0.5 or 0, and report it.

    The weights of a U-Net with more than five levels do not tell; the user's option, then
    no_dropout in an option file does. A smaller U-Net has none, and a ResNet's weights tell.
    """
    given, option = conversion.options.dropout, conversion.option_files.find("no_dropout")
    stated = None if option is None else not option.flag()
    wanted = stated if given is None else given
    if generator.get("num_levels", 0) > NUM_PLAIN_LEVELS:
        if wanted is None:
            raise UserError(
                f"{conversion.folder} holds pix2pix's U-Net. Its weights do not tell whether it "
                "was trained with dropout, and no train_opt.txt beside them does. Pass --dropout "
                "yes (pix2pix's default), or --dropout no if it was trained with --no_dropout; the "
                "images differ."
            )
        conversion.report("dropout", YES_NO[wanted], conversion.source_of(given, option))
        return 0.5 if wanted else 0.0
    in_weights = bool(generator.get("dropout"))
    # Files with label_nc are pix2pixHD's, in which no_dropout has no meaning.
    if conversion.option_files.find("label_nc"):
        option = None
    is_stated = given is not None or option is not None
    if generator["type"] != "UNetGenerator" and is_stated and wanted != in_weights:
        place = option.file if given is None and option is not None else "--dropout"
        raise UserError(
            f"{place} says that dropout is {YES_NO[bool(wanted)]}, but the residual blocks in "
            f"latest_net_G.pth say {YES_NO[in_weights]}."
        )
    conversion.report("dropout", YES_NO[in_weights], WEIGHTS)
    return 0.5 if in_weights else 0.0


def _evaluation_mode(conversion: Conversion) -> bool:
    """Return whether test.py translated in evaluation mode (`--eval`), and report it.

    The user's option has precedence over `eval` in an option file; without both the answer is
    False.
    """
    given = conversion.options.evaluation_mode
    option = conversion.option_files.find("eval", files=TEST)
    stated = None if option is None else option.flag()
    evaluation = bool(stated if given is None else given)
    conversion.report(
        "batch norm and dropout in images",
        "evaluation mode" if evaluation else "training mode, each image alone",
        conversion.source_of(given, option, f"{RELEASED} (test.py without --eval)"),
    )
    return evaluation
