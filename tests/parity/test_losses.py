"""Losses give the released code's values."""

import pytest
import torch
from torch import nn

from i2ibench.models.layers.imagenet_features import NETWORKS, FeatureTaps
from i2ibench.models.losses import FeatureMatching, LeastSquaresGAN, PerceptualLoss, VanillaGAN
from i2ibench.structures import Step
from tests.parity.recordings import GRADIENT, OUTPUT, recording

SCALAR = {"atol": 1e-5, "rtol": 1e-5}


def scales(side):
    record = recording("losses")
    num_scales, num_layers = record.config["num_D"], record.config["n_layers"]
    return [
        [record[f"in/{side}/scale{k}/feat{j}"] for j in range(num_layers + 2)]
        for k in range(num_scales)
    ]


def recorded(key):
    return recording("losses")[key].float().reshape(())


def test_least_squares_values():
    real, fake, loss = scales("real"), scales("fake"), LeastSquaresGAN()
    on_real, on_fake = loss.discriminator(real, fake)
    torch.testing.assert_close(loss.generator(fake), recorded("out/G_GAN"), **SCALAR)
    torch.testing.assert_close(2 * on_real, recorded("out/D_real"), **SCALAR)
    torch.testing.assert_close(2 * on_fake, recorded("out/D_fake"), **SCALAR)


def test_feature_matching_value():
    zeros = torch.zeros(1)
    loss = FeatureMatching()(Step(zeros, zeros, zeros, scales("fake"), scales("real")))
    weight = recording("losses").config["lambda_feat"]
    torch.testing.assert_close(weight * loss, recorded("out/G_GAN_Feat"), atol=1e-4, rtol=1e-5)


KINDS = {"lsgan": LeastSquaresGAN, "vanilla": VanillaGAN}


@pytest.mark.parametrize(
    "key", recording("losses").keys("out/lsgan") + recording("losses").keys("out/vanilla")
)
def test_gan_loss_for_either_target(key):
    _, kind, case = key.split("/")
    side, _, target = case.split("_")
    loss, predictions = KINDS[kind](), scales(side)
    value = loss.generator(predictions)
    if target == "fake":
        value = 2 * loss.discriminator(predictions, predictions)[1]
    torch.testing.assert_close(value, recorded(key), **SCALAR)


def narrow_vgg(record) -> nn.Sequential:
    """torchvision's `vgg19().features` at the recorded widths."""
    layers: list[nn.Module] = []
    channels = 3
    for width, repeats in zip(record.config["widths"], (2, 2, 4, 4, 4), strict=True):
        for _ in range(repeats):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    network = nn.Sequential(*layers)
    own = {name.removeprefix("features."): value for name, value in record.weights().items()}
    missing, unexpected = network.load_state_dict(own, strict=False)
    assert not unexpected and all(int(n.split(".")[0]) > 29 for n in missing)
    return network


def test_perceptual_loss_value_gradient_and_taps():
    record = recording("vgg_loss")
    loss = PerceptualLoss.__new__(PerceptualLoss)
    nn.Module.__init__(loss)
    loss.layer_weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    loss.imagenet_statistics = False
    loss.network = FeatureTaps(narrow_vgg(record), NETWORKS["vgg19"].taps)
    fake = record["in/x"].requires_grad_()
    value = loss(Step(torch.zeros(1), fake, record["in/y"]))
    torch.testing.assert_close(value, record["out/loss"].float().reshape(()), **SCALAR)
    value.backward()
    torch.testing.assert_close(fake.grad, record["out/grad_x"], **GRADIENT)
    for number, activation in enumerate(loss.network(record["in/x"])):
        torch.testing.assert_close(activation, record[f"out/feat{number}"], **OUTPUT)
