"""CRN's losses against loops."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import vgg19

from i2ibench.errors import UserError
from i2ibench.models.losses import CRNLoss, DiversityLoss
from i2ibench.models.losses.crn import WEIGHTS_512P
from i2ibench.structures import Step


class TwoLevels(nn.Module):
    """Stands for VGG19: the image, and the image at half size with other channels."""

    def forward(self, image):
        return [image * 127.5, F.avg_pool2d(image, 2).repeat(1, 2, 1, 1)]


def loss(kind, weights=(1.0, 0.5), mean_share=0.001):
    made = kind.__new__(kind)
    nn.Module.__init__(made)
    made.levels, made.layer_weights, made.mean_share = TwoLevels(), weights, mean_share
    return made


def step(images=1):
    condition = F.one_hot(torch.randint(0, 3, (2, 8, 12)), 3).permute(0, 3, 1, 2).float()
    return Step(condition, torch.rand(2, 3 * images, 8, 12), torch.rand(2, 3, 8, 12))


def test_refinement_loss_is_the_weighted_sum_of_mean_differences():
    some = step()
    levels = zip(TwoLevels()(some.fake), TwoLevels()(some.real), strict=True)
    expected = sum(w * (a - b).abs().mean() for w, (a, b) in zip((1.0, 0.5), levels, strict=True))
    torch.testing.assert_close(loss(CRNLoss)(some), expected)


def test_the_released_weights_are_six():
    assert len(WEIGHTS_512P) == 6 and WEIGHTS_512P[0] == 1 and WEIGHTS_512P[-1] == 10 / 1.5


def diversity_by_loop(some, weights, mean_share):
    """Return the loss of each scene: each class's best image, and a share of the mean."""
    scenes, classes = some.condition.shape[:2]
    total, real = 0.0, TwoLevels()(some.real)
    for b in range(scenes):
        per_class = torch.zeros(some.fake.shape[1] // 3, classes)
        for k in range(len(per_class)):
            fake = TwoLevels()(some.fake[b : b + 1, 3 * k : 3 * k + 3])
            for c in range(classes):
                mask = some.condition[b : b + 1, c : c + 1]
                for w, x, y in zip(weights, fake, real, strict=True):
                    small = F.interpolate(mask, size=x.shape[-2:], mode="area")
                    difference = (x - y[b : b + 1]).abs().mean(1)
                    per_class[k, c] += w * (small[:, 0] * difference).mean()
        best = per_class.min(0).values.sum()
        total += ((1 - mean_share) * best + mean_share * per_class.mean(0).sum()) / scenes
    return total


def test_diversity_loss_counts_the_best_image_of_every_class():
    some = step(images=4)
    expected = diversity_by_loop(some, (1.0, 0.5), 0.1)
    torch.testing.assert_close(loss(DiversityLoss, mean_share=0.1)(some), expected)


def test_a_perfect_image_among_others_leaves_only_the_share_of_the_mean():
    some = step(images=2)
    fake = torch.cat([some.fake[:, :3], some.real], 1)
    value = loss(DiversityLoss, mean_share=0.0)(Step(some.condition, fake, some.real))
    assert value.item() == 0


def test_channels_that_are_no_images_are_refused():
    some = step()
    with pytest.raises(UserError, match="K images of 3 channels, got 4"):
        loss(DiversityLoss)(Step(some.condition, torch.rand(2, 4, 8, 12), some.real))


def test_features_are_brought_back_to_the_size_that_the_weights_are_for(tmp_path):
    """Compare with the network for grey levels minus the mean, as in the released code."""
    torch.save(vgg19(weights=None).state_dict(), tmp_path / "vgg19.pth")
    made = CRNLoss(weights=str(tmp_path / "vgg19.pth"))
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    mean = 255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    released = made.levels.network((image + 1) * 127.5 - mean)
    for own, theirs in zip(made.levels(image)[1:], released, strict=True):
        assert 0.8 < (own.abs().mean() / theirs.abs().mean()).item() < 1.25
