"""The nine-block ResNet generator of CycleGAN and pix2pix (Zhu et al. 2017, arXiv 1703.10593).

Licence: Apache-2.0, like the rest. It is a configuration of the core's CoarseToFineGenerator, whose
global network has this architecture.
"""

from torch import nn

from i2ibench.registry import GENERATORS


@GENERATORS.register_module()
def ResNet9Generator(
    in_channels: int,
    out_channels: int = 3,
    base_channels: int = 64,
    norm_type: str = "instance",
    num_blocks: int = 9,
) -> nn.Module:
    """Return a new generator of two strided convolutions and nine residual blocks by default.

    It has 11.4 million parameters for three channels in and out, and no dropout, as in CycleGAN.
    The state dict is that of CoarseToFineGenerator. `i2ibench convert` reads official files as
    CoarseToFineGenerator, and writes them from checkpoints with that generator only.

    Args:
        in_channels: channels of the condition.
        out_channels: channels of the image.
        base_channels: width at full size. It doubles twice.
        norm_type: "instance" as in CycleGAN, or "batch".
        num_blocks: 9, or 6 for images of 128 rows and fewer.
    """
    config = {
        "type": "CoarseToFineGenerator",
        "num_downsamplings": 2,
        "num_blocks": num_blocks,
        "base_channels": base_channels,
        "norm_type": norm_type,
        "bias_before_norm": norm_type != "batch",
    }
    return GENERATORS.build(config, in_channels=in_channels, out_channels=out_channels)


ResNet9Generator.contract_options = {"base_channels": 4, "num_blocks": 1}
