"""The multi-scale discriminator of pix2pixHD (Sec. 3.2)."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from i2ibench.models.discriminators.patch import PatchDiscriminator
from i2ibench.models.ops.images import pyramid
from i2ibench.registry import DISCRIMINATORS
from i2ibench.registry.contracts import Discriminator
from i2ibench.structures import DiscriminatorOutput


@DISCRIMINATORS.register_module()
class MultiScaleDiscriminator(Discriminator):
    """Patch discriminators of equal architecture, one for each level of an image pyramid.

    Args:
        in_channels: channels of the condition and the image together.
        num_scales: the number of levels, each at half the size of the one before: 3 in the paper, 2
            by default in the released code.
        base_channels: see PatchDiscriminator.
        num_layers: see PatchDiscriminator.
        max_channels: see PatchDiscriminator.
        norm_type: "instance" as in the paper, or "batch".
    """

    def __init__(
        self,
        in_channels: int,
        num_scales: int = 3,
        base_channels: int = 64,
        num_layers: int = 3,
        max_channels: int = 512,
        norm_type: str = "instance",
    ) -> None:
        super().__init__()
        self.scales: Any = nn.ModuleList(
            PatchDiscriminator(
                in_channels, base_channels, num_layers, max_channels, norm_type=norm_type
            )
            for _ in range(num_scales)
        )

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return the activations at each level of an image pyramid, finest level first.

        Each level has half the size of the one before. Every entry lists the activations of all
        layers of that level's patch discriminator, the scores B1HW last.

        Args:
            x: the condition and the image, concatenated to BCHW.
        """
        levels = pyramid(x, len(self.scales))
        return [scale(level)[0] for scale, level in zip(self.scales, levels, strict=True)]

    def of_several(self, condition: Tensor, images: Sequence[Tensor]) -> list[DiscriminatorOutput]:
        """Return the outputs of this discriminator for several images of one condition.

        The outputs are in the order of the images. Each equals that of `forward` for the condition
        and the image, up to rounding. The first convolution of the condition is computed once at
        each scale.

        Args:
            condition: BCHW, which needs no gradient.
            images: several batches BCHW, such as the fake and the real images.
        """
        count = len(self.scales)
        levels = zip(*(pyramid(image, count) for image in images), strict=True)
        parts = zip(self.scales, pyramid(condition, count), levels, strict=True)
        by_scale = [scale.of_several(level, own) for scale, level, own in parts]
        return [[output[0] for output in outputs] for outputs in zip(*by_scale, strict=True)]

    def compile(self, *arguments: Any, **options: Any) -> None:
        """Compile the patch discriminators of all scales in place, apart from their convolutions.

        Compilation happens at the first call; see `PatchDiscriminator.compile`.

        Args:
            arguments, options: those of torch.nn.Module.compile.
        """
        for scale in self.scales:
            scale.compile(*arguments, **options)
