"""A discriminator that sees augmented images (DiffAugment, Zhao et al. 2020, arXiv 2006.10738).

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
    """Another discriminator's answers to randomly augmented photos and fakes.

    Every scene gets its own augmentation; its condition is moved and cut with the image, so
    that they stay a pair. The images of one condition that are judged together share it, so
    that feature matching compares like with like; the paper draws for each. In evaluation mode
    nothing is augmented.

    Args:
        in_channels: channels of the condition and the image together.
        image_channels: of the image; comes from the data set.
        discriminator: config of the other one; a MultiScaleDiscriminator by default.
        augmentations: some of "colour", "translation" and "cutout"; none judges images as
            they are.

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
        facts = {"in_channels": in_channels, "image_channels": image_channels}
        self.network = DISCRIMINATORS.build_for(config, facts)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Per scale the activations of all layers, the scores last, for BCHW."""
        own = self.image_channels
        return self.of_several(x[:, :-own], [x[:, -own:]])[0]

    def of_several(self, condition: Tensor, images: Sequence[Tensor]) -> list[DiscriminatorOutput]:
        """The answer to each of several images B3HW of one condition BCHW, augmented alike."""
        if self.training and self.augmentations:
            draw = Augmentation.drawn(condition, self.augmentations)
            condition = draw.placed(condition)
            images = [draw.placed(draw.coloured(image)) for image in images]
        return self.network.of_several(condition, images)


@dataclass(frozen=True)
class Augmentation:
    """What happens to each of B images of one size, differentiable by the images.

    Attributes:
        colour: float [B,3]: added brightness, factor of saturation, factor of contrast.
        shift: int64 [B,2]: rows down and columns to the right.
        cut: int64 [B,4]: first and last row, first and last column that are blanked.
    """

    colour: Tensor
    shift: Tensor
    cut: Tensor

    @classmethod
    def drawn(cls, like: Tensor, augmentations: frozenset[str]) -> "Augmentation":
        """Random ones, within the paper's bounds, for images of the size of `like` BCHW."""
        random = torch.rand(7, len(like), device=like.device)
        brightness, saturation, contrast = random[0] - 0.5, random[1] * 2, random[2] + 0.5
        if "colour" not in augmentations:
            brightness, saturation, contrast = random[0] * 0, random[1] * 0 + 1, random[2] * 0 + 1
        shift, cut = [], []
        for axis, side in enumerate(like.shape[-2:]):
            shift.append(((random[3 + axis] * 2 - 1) * (side / 8)).round().long())
            first = (random[5 + axis] * (side + 1)).long() - side // 4
            cut += [first, first + side // 2 - 1]
        return cls(
            torch.stack([brightness, saturation, contrast], 1),
            torch.stack(shift, 1) * ("translation" in augmentations),
            torch.stack(cut, 1) if "cutout" in augmentations else torch.stack(cut, 1) * 0 - 1,
        )

    def coloured(self, image: Tensor) -> Tensor:
        """The images B3HW, brighter or darker, then of other saturation, then of contrast."""
        brightness, saturation, contrast = self.colour.to(image.dtype)[..., None, None].unbind(1)
        image = image + brightness[:, None]
        grey = image.mean(1, keepdim=True)
        image = grey + (image - grey) * saturation[:, None]
        level = image.mean((1, 2, 3), keepdim=True)
        return level + (image - level) * contrast[:, None]

    def placed(self, x: Tensor) -> Tensor:
        """BCHW moved, zeros coming in, with a rectangle of zeros."""
        (rows, row_inside), (columns, column_inside) = (
            self._sources(axis, side) for axis, side in enumerate(x.shape[-2:])
        )
        batch = torch.arange(len(x), device=x.device)[:, None, None]
        moved = x.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]]
        kept = row_inside[:, :, None] & column_inside[:, None, :] & ~self._blank(x)
        return (moved * kept[..., None]).permute(0, 3, 1, 2)

    def _sources(self, axis: int, side: int) -> tuple[Tensor, Tensor]:
        """Where each row or column comes from, int64 [B,side], and whether that is inside."""
        places = torch.arange(side, device=self.shift.device) - self.shift[:, axis, None]
        return places.clamp(0, side - 1), (places >= 0) & (places < side)

    def _blank(self, x: Tensor) -> Tensor:
        """The pixels that are cut out, bool BHW."""
        height, width = x.shape[-2:]
        rows = torch.arange(height, device=x.device)[None, :, None]
        columns = torch.arange(width, device=x.device)[None, None, :]
        top, bottom, left, right = self.cut[:, :, None, None].unbind(1)
        return (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
