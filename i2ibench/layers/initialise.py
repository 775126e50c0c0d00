"""Weight initialisation of the GANs of this family."""

from torch import nn


def normal_(module: nn.Module, std: float = 0.02) -> None:
    """Draw every convolution weight of `module` from N(0, std); biases keep torch's default.

    pix2pixHD's released code does the same (pix2pix zeroes the biases).
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, std)
