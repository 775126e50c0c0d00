"""OASIS: a segmentation discriminator, its loss, and a generator with noise (Sushko et al. 2021).

arXiv 2012.04781. Licence: Apache-2.0, like the rest. Written from the paper; the authors' code is
under AGPL-3.0 and was not used. The generator consists of the blocks in `spade.py`.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from i2ibench.errors import UserError
from i2ibench.models.ops.images import require_multiple
from i2ibench.registry import DISCRIMINATORS, GENERATORS, LOSSES
from i2ibench.registry.contracts import AdversarialLoss, Discriminator, Generator
from i2ibench.structures import DiscriminatorOutput, Step

from .spade import SPADETrunk, check_upsamplings, glorot, resized

GENERATOR_WIDTHS = (16, 16, 16, 8, 4, 2, 1)
DOWN_WIDTHS = (2, 2, 4, 4, 8, 8)
UP_WIDTHS = (8, 4, 4, 2, 2, 1)
"""Widths of the networks' blocks, in units of `base_channels`."""


@GENERATORS.register_module()
class OASISGenerator(Generator):
    """A SPADE generator whose condition is concatenated with noise in every layer (Sec. 3.3).

    Each scene has one noise vector for all of its pixels. There are six SPADE blocks, one less than
    in SPADE. Parameters: 71.1 million for Cityscapes (35 classes), 74.3 million for ADE20K (151).

    Args:
        in_channels: channels of the condition.
        out_channels: channels of the image.
        base_channels: width of the last block. The first blocks are 16 times as wide.
        hidden_channels: channels between the condition and the modulation.
        num_upsamplings: the size doubles before each of so many last blocks; 5 make 256 rows of 8.
        norm_type: "batch" as in the paper, or "instance"; see SPADEGenerator.
        noise_channels: length of the noise vector; 0 makes the translation deterministic.

    Raises:
        UserError: the norm is unknown, or `num_upsamplings` exceeds the number of blocks.
    """

    contract_options = {
        "base_channels": 2,
        "hidden_channels": 4,
        "num_upsamplings": 2,
        "noise_channels": 4,
    }

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        base_channels: int = 64,
        hidden_channels: int = 128,
        num_upsamplings: int = 5,
        norm_type: str = "batch",
        noise_channels: int = 64,
    ) -> None:
        super().__init__()
        self.stride = 2 ** check_upsamplings(num_upsamplings, len(GENERATOR_WIDTHS) - 2)
        self.smallest_side = 2 * self.stride
        self.noise_channels, self.draws_noise = noise_channels, noise_channels > 0
        widths = [base_channels * width for width in GENERATOR_WIDTHS]
        channels = in_channels + noise_channels
        self.first = nn.Conv2d(channels, widths[0], kernel_size=3, padding=1)
        self.trunk = SPADETrunk(
            widths, channels, out_channels, hidden_channels, num_upsamplings, norm_type
        )
        glorot(self)

    def forward(self, condition: Tensor) -> Tensor:
        """Return the image, BCHW in [-1, 1], for a condition BCHW; each call draws new noise.

        The noise comes from torch's global random numbers.

        Raises:
            UserError: height or width is not a multiple of `stride`.
        """
        require_multiple(condition, self.stride)
        batch, _, height, width = condition.shape
        noise = torch.randn(batch, self.noise_channels, 1, 1, device=condition.device)
        inputs = torch.cat([noise.expand(-1, -1, height, width), condition], 1)
        coarse = resized(inputs, height // self.stride, width // self.stride)
        return self.trunk(self.first(coarse), inputs)


@DISCRIMINATORS.register_module()
class SegmentationDiscriminator(Discriminator):
    """A U-Net that classifies each pixel as one of N classes or, last, as fake (Sec. 3.1).

    It sees only the image. 22.25 million parameters for Cityscapes, 22.26 million for ADE20K.

    Args:
        num_classes: N; comes from the data set.
        base_channels: width of the last block. The innermost block is 8 times as wide.
        image_channels: channels of the images; comes from the data set.
    """

    contract_options = {"base_channels": 4}

    def __init__(self, num_classes: int, base_channels: int = 64, image_channels: int = 3) -> None:
        super().__init__()
        self.image_channels = image_channels
        downs = [image_channels, *(base_channels * width for width in DOWN_WIDTHS)]
        ups = [base_channels * width for width in UP_WIDTHS]
        skips = [0, *reversed(downs[1:-1])]
        below = [downs[-1], *ups[:-1]]
        self.downs = nn.ModuleList(
            _PreActivationBlock(i, o, n > 0) for n, (i, o) in enumerate(pairwise(downs))
        )
        self.ups = nn.ModuleList(
            _PreActivationBlock(skip + i, o) for skip, i, o in zip(skips, below, ups, strict=True)
        )
        self.scores = spectral_norm(nn.Conv2d(ups[-1], num_classes + 1, kernel_size=1))

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return a list with one entry: the activations of all blocks, each BCHW, and the scores.

        The entry stands for the only scale. The scores B(N+1)HW come last and have the size of the
        image.

        Args:
            x: BCHW with the image in its last channels; the condition is ignored.
        """
        levels = [x[:, -self.image_channels :]]
        for down in self.downs:
            levels.append(F.avg_pool2d(down(levels[-1]), 2, ceil_mode=True))
        features, activations = levels.pop(), levels[1:]
        for number, up in enumerate(self.ups):
            if number:
                features = torch.cat([features, levels.pop()], 1)
            features = up(resized(features, *levels[-1].shape[-2:]))
            activations.append(features)
        return [[*activations, self.scores(features)]]


class _PreActivationBlock(nn.Module):
    """A residual block of two spectrally normalised 3x3 convolutions after leaky ReLUs.

    The block whose input is the image has no first ReLU.
    """

    def __init__(self, in_channels: int, out_channels: int, activated: bool = True) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        second = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1)
        leak = [nn.LeakyReLU(0.2)] if activated else []
        layers = *leak, spectral_norm(conv), nn.LeakyReLU(0.2), spectral_norm(second)
        self.branch = nn.Sequential(*layers)
        self.skip: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.skip = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features `x` BCHW plus the output of the two convolutions for them, BCHW.

        If the number of channels changes, the features pass a 1x1 convolution before the sum.
        """
        return self.skip(x) + self.branch(x)


@LOSSES.register_module()
class OASISLoss(AdversarialLoss):
    """Class-balanced cross entropy of N+1 classes, and LabelMix (Eq. 1 to 4).

    The discriminator learns to classify real pixels by their label map, and fake pixels as fake.
    The generator learns fake pixels that are classified by the label map. The paper's sums over
    pixels are means here.

    Args:
        label_mix_weight: weight of the LabelMix term; 10 for Cityscapes, 5 for ADE20K in the paper.
        mean_weight_one: divide the class weights by their mean over the pixels, so that the real
            term weighs as much as the fake term. In Eq. 2 as written, each class weighs as much as
            the fake term.
    """

    takes_step = True

    def __init__(self, label_mix_weight: float = 10.0, mean_weight_one: bool = False) -> None:
        super().__init__()
        self.label_mix_weight = label_mix_weight
        self.discriminator_weights = {"label_mix": label_mix_weight} if label_mix_weight else {}
        self.mean_weight_one = mean_weight_one

    def generator(self, step: Step) -> Tensor:
        """Return the generator's loss: the cross entropy of the fake pixels' true classes.

        The result is a scalar. Classes are weighted by the inverse of their share of the pixels.

        Raises:
            UserError: the data has no label maps.
        """
        return self._as_classes(_scores(step.fake_outputs), _label(step))

    def discriminator(self, step: Step) -> dict[str, Tensor]:
        """Return the discriminator's scalar losses by name: "real", "fake" and "label_mix".

        They are the balanced cross entropy of real pixels' classes, the cross entropy of fake
        pixels as fake, and the weighted squared distance of the scores for a mixture of both images
        from the mixture of their scores. The last one is absent if its weight is 0.

        Raises:
            UserError: the data has no label maps.
        """
        label, real, fake = _label(step), _scores(step.real_outputs), _scores(step.fake_outputs)
        fake_class = torch.full_like(label, fake.shape[1] - 1)
        terms = {"real": self._as_classes(real, label), "fake": F.cross_entropy(fake, fake_class)}
        if self.label_mix_weight:
            assert step.discriminate is not None
            mask = class_mask(label[:, None], fake.shape[1] - 1)
            mixed = _scores(step.discriminate(torch.where(mask, step.real, step.fake.detach())))
            expected = torch.where(mask, real, fake)
            terms["label_mix"] = self.label_mix_weight * F.mse_loss(mixed, expected)
        return terms

    def _as_classes(self, scores: Tensor, label: Tensor) -> Tensor:
        """Return the class-balanced cross entropy of scores, the mean over all pixels, a scalar.

        With `mean_weight_one` it is divided by the mean weight of the pixels.
        """
        weights = class_weights(label, scores.shape[1])
        losses = F.cross_entropy(scores, label, weights, reduction="none")
        return losses.mean() / weights[label].mean() if self.mean_weight_one else losses.mean()


def class_weights(label: Tensor, count: int) -> Tensor:
    """Return the inverse of each class's share of a batch's pixels, float [count] (Eq. 2).

    Args:
        label: the classes of the pixels, int64 BHW.
        count: the number of classes; absent classes get 0.
    """
    ones = torch.ones(label.numel(), device=label.device)
    pixels = ones.new_zeros(count).index_add_(0, label.flatten(), ones)
    return torch.where(pixels > 0, label.numel() / pixels.clamp(min=1), 0.0)


def class_mask(label: Tensor, num_classes: int) -> Tensor:
    """Return a mask bool B1HW that takes or leaves each class of each scene as a whole, at random.

    Args:
        label: integer B1HW below `num_classes`.
        num_classes: N.
    """
    chosen = torch.rand(len(label), num_classes, device=label.device) < 0.5
    return chosen.gather(1, label.long().flatten(1)).view_as(label)


def _scores(outputs: DiscriminatorOutput | None) -> Tensor:
    assert outputs is not None
    return outputs[0][-1].float()


def _label(step: Step) -> Tensor:
    """Return the classes of a training step's pixels, int64 BHW."""
    if step.label is None:
        raise UserError("OASISLoss needs label maps; this data has none.")
    return step.label[:, 0].long()
