"""Differentiable augmentation: bounds, gradients, and nothing when it is off."""

import pytest
import torch
from i2ibench_plugins.diffaugment import AUGMENTATIONS, Augmentation

from i2ibench.errors import UserError
from i2ibench.registry import DISCRIMINATORS

INNER = {"type": "MultiScaleDiscriminator", "num_scales": 2, "base_channels": 4}


def discriminator(**options):
    torch.manual_seed(0)
    config = {"type": "DiffAugmentDiscriminator", "discriminator": INNER, **options}
    return DISCRIMINATORS.build(config, in_channels=6)


def scores(scales):
    return [layers[-1] for layers in scales]


def test_images_are_not_augmented_without_augmentations_or_in_eval_mode():
    x = torch.rand(2, 6, 32, 48)
    off, evaluated, trained = (
        discriminator(augmentations=()), discriminator().eval(), discriminator()
    )  # fmt: skip
    plain = scores(off.network(x))
    for network in (off, evaluated):
        for one, other in zip(scores(network(x)), plain, strict=True):
            torch.testing.assert_close(one, other)
    assert not torch.allclose(scores(trained(x))[0], plain[0])


def test_an_augmentation_of_nothing_is_the_identity():
    x = torch.rand(2, 3, 16, 24)
    draw = Augmentation.random(x, frozenset())
    torch.testing.assert_close(draw.place(draw.colour_jitter(x)), x)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_changes_the_image_and_lets_the_gradient_through(name):
    x = torch.rand(3, 3, 16, 24, dtype=torch.float64, requires_grad=True)
    draw = Augmentation.random(x, frozenset([name]))
    assert not torch.allclose(draw.place(draw.colour_jitter(x)), x)
    assert torch.autograd.gradcheck(lambda y: draw.place(draw.colour_jitter(y)), x, fast_mode=True)


def test_images_move_by_an_eighth_at_most_with_zeros_and_lose_a_quarter_at_most():
    x = torch.arange(1.0, 16 * 24 + 1).view(1, 1, 16, 24).expand(200, -1, -1, -1)
    moved = Augmentation.random(x, frozenset(["translation"]))
    assert moved.shift.abs().amax(0).tolist() == [2, 3]
    one = moved.place(x)[0, 0]
    down, right = moved.shift[0].tolist()
    for row in range(16):
        for column in range(24):
            inside = 0 <= row - down < 16 and 0 <= column - right < 24
            expected = x[0, 0, row - down, column - right].item() if inside else 0.0
            assert one[row, column] == expected
    cut = Augmentation.random(x, frozenset(["cutout"])).place(x)[:, 0]
    assert (cut == 0).sum((1, 2)).max() == 8 * 12
    assert ((cut == 0) | (cut == x[:, 0])).all()


def test_colours_stay_within_the_papers_bounds():
    x = torch.rand(500, 3, 4, 4)
    low, high = Augmentation.random(x, frozenset(["colour"])).colour.aminmax(dim=0)
    assert (low >= torch.tensor([-0.5, 0.0, 0.5])).all()
    assert (high <= torch.tensor([0.5, 2.0, 1.5])).all()
    assert (high - low > torch.tensor([0.9, 1.8, 0.9])).all()


def test_images_scored_together_are_augmented_alike_with_their_condition():
    network = discriminator()
    condition, image = torch.rand(2, 3, 32, 48), torch.rand(2, 3, 32, 48)
    first, second = network.of_several(condition, [image, image])
    for one, other in zip(scores(first), scores(second), strict=True):
        assert torch.equal(one, other)
    draw = Augmentation.random(condition, frozenset(["translation", "cutout"]))
    pair = draw.place(torch.cat([condition, image], 1))
    assert torch.equal(pair[:, :3], draw.place(condition))


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(UserError, match="Did you mean 'cutout'"):
        discriminator(augmentations=["cutuot"])
