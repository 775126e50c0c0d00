"""Losses against the formulas written out."""

import pytest
import torch
import torch.nn.functional as F
import torchvision

from i2ibench.errors import UserError
from i2ibench.models.layers.imagenet_features import FeatureTaps
from i2ibench.models.losses import (
    FeatureMatching,
    LeastSquaresGAN,
    PerceptualLoss,
    PixelLoss,
    VanillaGAN,
)
from i2ibench.structures import Step


def scales(*seeds: int) -> list:
    result = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        result.append([torch.randn(2, c, 5, 6, generator=generator) for c in (4, 8, 1)])
    return result


def step(fake: torch.Tensor, real: torch.Tensor, fakes=None, reals=None) -> Step:
    return Step(torch.zeros(1), fake, real, fakes, reals)


def test_least_squares_sums_over_scales_and_halves_the_discriminators_terms():
    fake, real = scales(0, 1), scales(2, 3)
    loss = LeastSquaresGAN()
    generator = sum(((s[-1] - 1) ** 2).mean() for s in fake)
    on_real = sum(((s[-1] - 1) ** 2).mean() for s in real) / 2
    on_fake = sum((s[-1] ** 2).mean() for s in fake) / 2
    torch.testing.assert_close(loss.generator(fake), generator)
    torch.testing.assert_close(loss.discriminator(real, fake), (on_real, on_fake))


def test_vanilla_is_the_cross_entropy_of_probabilities():
    fake, real = scales(0, 1), scales(2, 3)
    loss = VanillaGAN()
    generator = sum(-s[-1].sigmoid().log().mean() for s in fake)
    on_real = sum(-s[-1].sigmoid().log().mean() for s in real) / 2
    on_fake = sum(-(1 - s[-1].sigmoid()).log().mean() for s in fake) / 2
    torch.testing.assert_close(loss.generator(fake), generator)
    torch.testing.assert_close(loss.discriminator(real, fake), (on_real, on_fake))


def test_feature_matching_has_the_released_codes_factors_and_leaves_the_scores_out():
    fake, real = scales(0, 1, 4), scales(2, 3, 5)
    num_layers = 1  # two feature layers and the scores
    expected = sum(
        F.l1_loss(f, r) * 4 / (num_layers + 1) / len(fake)
        for fs, rs in zip(fake, real, strict=True)
        for f, r in zip(fs[:-1], rs[:-1], strict=True)
    )
    image = torch.zeros(1)
    torch.testing.assert_close(FeatureMatching()(step(image, image, fake, real)), expected)


def test_feature_matching_sends_no_gradient_to_the_photos_features():
    fake, real = scales(0), scales(1)
    for layer in [*fake[0], *real[0]]:
        layer.requires_grad_()
    FeatureMatching()(step(torch.zeros(1), torch.zeros(1), fake, real)).backward()
    assert fake[0][0].grad is not None and real[0][0].grad is None


def test_pixel_loss_is_the_mean_absolute_difference():
    fake, real = torch.randn(1, 3, 4, 4), torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(PixelLoss()(step(fake, real)), (fake - real).abs().mean())


def narrow_perceptual_loss() -> PerceptualLoss:
    loss = PerceptualLoss.__new__(PerceptualLoss)
    torch.nn.Module.__init__(loss)
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 5, 3), torch.nn.ReLU()]
    loss.network = FeatureTaps(torch.nn.Sequential(*layers), (1, 3))
    loss.layer_weights = (0.25, 1.0)
    loss.imagenet_statistics = False
    return loss


def test_perceptual_loss_weighs_the_taps():
    loss = narrow_perceptual_loss()
    fake, real = torch.randn(2, 3, 8, 8, requires_grad=True), torch.randn(2, 3, 8, 8)
    f, r = loss.network(fake), loss.network(real)
    expected = 0.25 * F.l1_loss(f[0], r[0]) + F.l1_loss(f[1], r[1])
    torch.testing.assert_close(loss(step(fake, real)), expected)
    loss(step(fake, real)).backward()
    assert fake.grad.abs().sum() > 0


def test_perceptual_network_has_no_parameters_and_stays_out_of_checkpoints():
    loss = narrow_perceptual_loss()
    assert not list(loss.parameters()) and not loss.state_dict()


def test_feature_matching_of_the_paper_sums_over_layers_and_scales():
    fake, real = scales(0, 1), scales(2, 3)
    pairs = [
        F.l1_loss(f, r)
        for fs, rs in zip(fake, real, strict=True)
        for f, r in zip(fs, rs, strict=True)
    ]
    paper = FeatureMatching(sum_over_scales=True, sum_over_layers=True, with_scores=True)
    image = torch.zeros(1)
    torch.testing.assert_close(paper(step(image, image, fake, real)), sum(pairs))


def test_switches_of_the_adversarial_losses_scale_their_terms():
    fake, real = scales(0, 1), scales(2, 3)
    for kind in (LeastSquaresGAN, VanillaGAN):
        plain, changed = kind(), kind(mean_over_scales=True, halve_discriminator=False)
        torch.testing.assert_close(changed.generator(fake), plain.generator(fake) / 2)
        on_real, on_fake = plain.discriminator(real, fake)
        torch.testing.assert_close(changed.discriminator(real, fake), (on_real, on_fake))


@pytest.mark.parametrize("name", ["vgg19", "vgg16", "alexnet"])
def test_perceptual_loss_compares_five_activations_of_any_imagenet_network(name, tmp_path):
    """Compare with a sum over torchvision's own layers; a file of the convolutions is enough."""
    torch.manual_seed(0)
    network = getattr(torchvision.models, name)(weights=None).features
    state = {f"features.{key}": value for key, value in network.state_dict().items()}
    torch.save(state, tmp_path / "weights.pth")
    loss = PerceptualLoss(network=name, weights=str(tmp_path / "weights.pth"))
    fake, real = torch.rand(2, 1, 3, 64, 64)
    expected, x, y, weights = 0.0, fake, real, list(loss.layer_weights)
    relus = [i for i, layer in enumerate(network) if isinstance(layer, torch.nn.ReLU)]
    pools = [i for i, layer in enumerate(network) if isinstance(layer, torch.nn.MaxPool2d)]
    blocks = [min(i for i in relus if i > pool) for pool in (-1, *pools[:-1])]
    chosen = relus if name == "alexnet" else blocks
    for index, layer in enumerate(network.requires_grad_(False)):
        x, y = layer(x), layer(y)
        if index in chosen:
            expected += weights.pop(0) * (x - y).abs().mean().item()
    step = Step(fake, fake, real)
    assert loss(step).item() == pytest.approx(expected, rel=1e-5)
    assert not loss.state_dict() and not list(loss.parameters())


def test_perceptual_loss_refuses_an_unknown_network_and_other_weights(tmp_path):
    with pytest.raises(UserError, match="Did you mean 'vgg19'"):
        PerceptualLoss(network="vgg18")
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), tmp_path / "a.pth")
    with pytest.raises(UserError, match="does not hold torchvision's VGG16"):
        PerceptualLoss(network="vgg16", weights=str(tmp_path / "a.pth"))


def test_perceptual_loss_can_normalise_as_vgg_was_trained():
    loss = narrow_perceptual_loss()
    loss.imagenet_statistics = True
    fake, real = torch.rand(1, 3, 8, 8) * 2 - 1, torch.rand(1, 3, 8, 8) * 2 - 1
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    normal = [((x + 1) / 2 - mean) / std for x in (fake, real)]
    f, r = (loss.network(x) for x in normal)
    expected = 0.25 * F.l1_loss(f[0], r[0]) + F.l1_loss(f[1], r[1])
    torch.testing.assert_close(loss(step(fake, real)), expected)
