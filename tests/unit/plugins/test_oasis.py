"""OASIS: its losses in plain loops, its masks, its noise."""

import math

import pytest
import torch
from i2ibench_plugins.oasis import OASISLoss, class_mask, class_weights

from i2ibench.errors import UserError
from i2ibench.registry import DISCRIMINATORS, GENERATORS
from i2ibench.structures import Step

CLASSES = 3


def label_map():
    """Return two scenes of 4x6; class 1 is rare, class 2 is only in the second."""
    label = torch.zeros(2, 1, 4, 6, dtype=torch.uint8)
    label[0, 0, 0, 0] = 1
    label[1, 0, 2:] = 2
    return label


def step(discriminate=None, label=None):
    scores = [[[torch.randn(2, CLASSES + 1, 4, 6, requires_grad=True)]] for _ in range(2)]
    images = torch.rand(2, 3, 4, 6, requires_grad=True), torch.rand(2, 3, 4, 6)
    return Step(
        torch.rand(2, 3, 4, 6),
        *images,
        *scores,
        label_map() if label is None else label,
        discriminate,
    )


def by_hand(scores, label, balanced):
    """Return the mean over pixels of the weighted negative logarithm of the class's share."""
    pixels = [(b, y, x) for b in range(2) for y in range(4) for x in range(6)]
    count = {}
    for b, y, x in pixels:
        c = int(label[b, 0, y, x])
        count[c] = count.get(c, 0) + 1
    total = 0.0
    for b, y, x in pixels:
        c = int(label[b, 0, y, x])
        weight = len(pixels) / count[c] if balanced else 1.0
        shares = [math.exp(v) for v in scores[b, :, y, x].tolist()]
        total -= weight * math.log(shares[c] / sum(shares))
    return total / len(pixels)


def test_the_losses_are_the_papers_cross_entropies_of_n_plus_1_classes():
    some, loss = step(), OASISLoss(label_mix_weight=0)
    fake, real = some.fake_outputs[0][-1], some.real_outputs[0][-1]
    terms = loss.discriminator(some)
    made = torch.full_like(some.label, CLASSES)
    assert loss.generator(some).item() == pytest.approx(by_hand(fake, some.label, True), rel=1e-5)
    assert terms["real"].item() == pytest.approx(by_hand(real, some.label, True), rel=1e-5)
    assert terms["fake"].item() == pytest.approx(by_hand(fake, made, False), rel=1e-5)
    assert terms.keys() == {"real", "fake"}


def test_weights_are_the_inverse_of_a_classs_share_so_that_all_present_count_alike():
    label = label_map()[:, 0].long()
    weights = class_weights(label, CLASSES + 1)
    assert weights.tolist() == pytest.approx([48 / 35, 48, 48 / 12, 0])
    for c in range(CLASSES):
        assert weights[label][label == c].sum() == pytest.approx(48)


def test_weights_of_mean_one_make_a_real_pixel_count_as_much_as_a_fake_one():
    some = step()
    plain, levelled = OASISLoss(0.0), OASISLoss(0.0, mean_weight_one=True)
    torch.testing.assert_close(levelled.generator(some) * CLASSES, plain.generator(some))


def test_a_label_mix_mask_changes_only_where_the_class_does():
    label = torch.randint(0, 5, (4, 1, 16, 16))
    seen = set()
    for _ in range(20):
        mask = class_mask(label, 5)
        assert mask.shape == label.shape and mask.dtype == torch.bool
        for own, classes in zip(mask, label, strict=True):
            for c in range(5):
                values = own[classes == c].unique()
                assert len(values) == 1
                seen.add((c, bool(values[0])))
    assert len(seen) == 10, "every class is taken from photo and fake in turn"


def test_label_mix_compares_the_output_for_the_mixture_with_the_mixture_of_outputs():
    asked = []

    def discriminate(image):
        asked.append(image)
        return [[torch.zeros(2, CLASSES + 1, 4, 6)]]

    some, loss = step(discriminate), OASISLoss(label_mix_weight=7.0)
    torch.manual_seed(5)
    value = loss.discriminator(some)["label_mix"]
    torch.manual_seed(5)
    mask = class_mask(some.label, CLASSES)
    for b in range(2):
        pixel = (b, slice(None), 1, 2)
        origin = some.real if mask[b, 0, 1, 2] else some.fake
        assert torch.equal(asked[0][pixel], origin[pixel])
    answers = torch.where(mask, some.real_outputs[0][-1], some.fake_outputs[0][-1])
    assert value.item() == pytest.approx(7 * answers.square().mean().item(), rel=1e-5)
    assert not asked[0].requires_grad, "the mixture is for the discriminator alone"


def test_label_mix_is_zero_for_a_discriminator_that_scores_each_pixel_alone():
    weight = torch.randn(CLASSES + 1, 3)

    def discriminate(image):
        return [[torch.einsum("nc,bchw->bnhw", weight, image)]]

    some = step()
    outputs = discriminate(some.fake), discriminate(some.real)
    some = Step(some.condition, some.fake, some.real, *outputs, some.label, discriminate)
    assert OASISLoss().discriminator(some)["label_mix"].item() == pytest.approx(0, abs=1e-10)


def test_without_labels_the_loss_says_so():
    some = step()
    without = Step(some.condition, some.fake, some.real, some.fake_outputs, some.real_outputs)
    with pytest.raises(UserError, match="needs label maps"):
        OASISLoss().generator(without)


def test_the_discriminator_scores_every_pixel_of_any_size_and_sees_the_image_alone():
    config = {"type": "SegmentationDiscriminator", "base_channels": 4}
    network = DISCRIMINATORS.build(config, num_classes=CLASSES).eval()
    image = torch.rand(1, 3, 37, 50)
    one, other = (network(torch.cat([torch.rand(1, 5, 37, 50), image], 1)) for _ in range(2))
    assert one[0][-1].shape == (1, CLASSES + 1, 37, 50)
    assert torch.equal(one[0][-1], other[0][-1])


def test_a_scene_has_one_noise_at_all_pixels_and_each_scene_another():
    config = {"type": "OASISGenerator", "base_channels": 2, "hidden_channels": 4}
    network = GENERATORS.build({**config, "num_upsamplings": 2, "noise_channels": 6}, in_channels=3)
    seen = []
    network.trunk.register_forward_hook(lambda _, inputs, __: seen.append(inputs[1]))
    condition = torch.rand(1, 3, 16, 16).expand(2, -1, -1, -1)
    images = network.eval()(condition)
    noise = seen[0][:, :6]
    assert (noise == noise[:, :, :1, :1]).all() and not torch.equal(noise[0], noise[1])
    assert torch.equal(seen[0][:, 6:], condition) and not torch.equal(images[0], images[1])
