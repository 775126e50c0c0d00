"""A discriminator of augmented images (DiffAugment, Zhao et al. 2020, arXiv 2006.10738).

Licence: Apache-2.0, like the rest. Written from the paper (Sec. 3.2); the authors' code, under
BSD-2-Clause, was not used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import UserError, near_match
from i2ibench.registry import DISCRIMINATORS
from i2ibench.registry.contracts import Discriminator
from i2ibench.structures import DiscriminatorOutput

AUGMENTATIONS = ("colour", "translation", "cutout")


@DISCRIMINATORS.register_module()
class DiffAugmentDiscriminator(Discriminator):
    """A discriminator that randomly augments real and fake images for another discriminator.

    Every scene gets its own augmentation. Its condition is translated and cut out with the image.
    The images of one call of `of_several` share an augmentation, so that feature matching compares
    corresponding pixels; the paper draws one for each image. In eval mode nothing is augmented.

    Args:
        in_channels: channels of the condition and the image together.
        image_channels: channels of the image; comes from the data set.
        discriminator: config of the other discriminator; by default a MultiScaleDiscriminator.
        augmentations: some of "colour", "translation" and "cutout"; () for no augmentation.

    Raises:
        UserError: an augmentation is unknown.
    """

    contract_options = {
        "discriminator": {
            "type": "MultiScaleDiscriminator",
            "num_scales": 2,
            "base_channels": 4,
        }
    }

    def __init__(
        self,
        in_channels: int,
        discriminator: Mapping[str, Any] | None = None,
        augmentations: Sequence[str] = AUGMENTATIONS,
        image_channels: int = 3,
    ) -> None:
        super().__init__()
        self.image_channels = image_channels
        for name in augmentations:
            if name not in AUGMENTATIONS:
                raise UserError(
                    f"augmentations are of {AUGMENTATIONS}, not {name!r}."
                    f"{near_match(name, AUGMENTATIONS)}"
                )
        self.augmentations = frozenset(augmentations)
        config = discriminator or {"type": "MultiScaleDiscriminator"}
        options = {"in_channels": in_channels, "image_channels": image_channels}
        self.network = DISCRIMINATORS.build_for(config, options)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return the wrapped discriminator's outputs for the condition and the image.

        In training both are augmented at random first, in eval mode they are not.

        Args:
            x: the condition and the image, concatenated to BCHW; the image is the last
                `image_channels`.
        """
        count = self.image_channels
        return self.of_several(x[:, :-count], [x[:, -count:]])[0]

    def of_several(self, condition: Tensor, images: Sequence[Tensor]) -> list[DiscriminatorOutput]:
        """Return the wrapped discriminator's outputs for several images of one condition, in order.

        In training each scene gets one random augmentation, which its condition and all its images
        share; colours change in the images only. In eval mode nothing is augmented.

        Args:
            condition: BCHW.
            images: several batches BCHW, such as the fake and the real images.
        """
        if self.training and self.augmentations:
            augmentation = Augmentation.random(condition, self.augmentations)
            condition = augmentation.place(condition)
            images = [augmentation.place(augmentation.colour_jitter(image)) for image in images]
        return self.network.of_several(condition, images)


@dataclass(frozen=True)
class Augmentation:
    """An augmentation of each of B images, which gradients can pass.

    Attributes:
        colour: added brightness, factor of saturation, and factor of contrast, float [B,3].
        shift: translation by rows downwards and columns to the right, int64 [B,2].
        cut: first and last row, first and last column of the cut-out rectangle, int64 [B,4].
    """

    colour: Tensor
    shift: Tensor
    cut: Tensor

    @classmethod
    def random(cls, like: Tensor, augmentations: frozenset[str]) -> "Augmentation":
        """Return a random augmentation within the paper's bounds for each of B images.

        Args:
            like: a tensor BCHW with the size and device of the images.
            augmentations: the names of the wanted ones; the others change nothing.
        """
        values = torch.rand(7, len(like), device=like.device)
        brightness, saturation, contrast = values[0] - 0.5, values[1] * 2, values[2] + 0.5
        if "colour" not in augmentations:
            brightness, saturation, contrast = values[0] * 0, values[1] * 0 + 1, values[2] * 0 + 1
        shift, cut = [], []
        for axis, side in enumerate(like.shape[-2:]):
            shift.append(((values[3 + axis] * 2 - 1) * (side / 8)).round().long())
            first = (values[5 + axis] * (side + 1)).long() - side // 4
            cut += [first, first + side // 2 - 1]
        return cls(
            torch.stack([brightness, saturation, contrast], 1),
            torch.stack(shift, 1) * ("translation" in augmentations),
            torch.stack(cut, 1) if "cutout" in augmentations else torch.stack(cut, 1) * 0 - 1,
        )

    def colour_jitter(self, image: Tensor) -> Tensor:
        """Return images BCHW with changed brightness, then saturation, then contrast.

        Brightness is added. Saturation scales each pixel's distance from its grey level, contrast
        the distance from the image's mean. Values are not clamped.
        """
        brightness, saturation, contrast = self.colour.to(image.dtype)[..., None, None].unbind(1)
        image = image + brightness[:, None]
        grey = image.mean(1, keepdim=True)
        image = grey + (image - grey) * saturation[:, None]
        level = image.mean((1, 2, 3), keepdim=True)
        return level + (image - level) * contrast[:, None]

    def place(self, x: Tensor) -> Tensor:
        """Return BCHW translated and then with a cut-out rectangle; both leave zeros."""
        (rows, row_inside), (columns, column_inside) = (
            self._sources(axis, side) for axis, side in enumerate(x.shape[-2:])
        )
        batch = torch.arange(len(x), device=x.device)[:, None, None]
        moved = x.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]]
        kept = row_inside[:, :, None] & column_inside[:, None, :] & ~self._blank(x)
        return (moved * kept[..., None]).permute(0, 3, 1, 2)

    def _sources(self, axis: int, side: int) -> tuple[Tensor, Tensor]:
        """Return the row or column that moves to each place by the translation, int64 [B,side].

        The second result is a mask bool [B,side] of the places whose source lies in the image; the
        others have the nearest one.
        """
        places = torch.arange(side, device=self.shift.device) - self.shift[:, axis, None]
        return places.clamp(0, side - 1), (places >= 0) & (places < side)

    def _blank(self, x: Tensor) -> Tensor:
        """Return a mask of the pixels that are cut out, bool BHW, for images `x` BCHW."""
        height, width = x.shape[-2:]
        rows = torch.arange(height, device=x.device)[None, :, None]
        columns = torch.arange(width, device=x.device)[None, None, :]
        top, bottom, left, right = self.cut[:, :, None, None].unbind(1)
        return (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
