"""Weight initialisation of the GANs of this family."""

from torch import nn


def normal_(module: nn.Module, std: float = 0.02, zero_bias: bool = False) -> None:
    """Draw every convolution weight of `module` from N(0, std).

    Args:
        module: whose weights.
        std: standard deviation.
        zero_bias: set the biases to 0 as pix2pix does; pix2pixHD keeps torch's default.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, std)
            if zero_bias and layer.bias is not None:
                nn.init.zeros_(layer.bias)
