"""Generators, encoder and discriminators give the released code's outputs and gradients."""

import pytest
import torch

from i2ibench.inference.interop.pix2pixhd import (
    discriminator_from_official,
    discriminator_to_official,
    encoder_from_official,
    encoder_to_official,
    generator_from_official,
    generator_to_official,
)
from i2ibench.inference.styles.instance_features import features_of_instances, group_by_class
from i2ibench.models.ops.images import pyramid
from tests.parity.recordings import GRADIENT, OUTPUT, recording

GENERATORS = ["global_generator", "local_enhancer_1", "local_enhancer_2"]
DISCRIMINATORS = ["multiscale_d", "multiscale_d_plain"]


def gradient_of(network_output, weight, source):
    return torch.autograd.grad((network_output * weight).sum(), source)[0]


@pytest.mark.parametrize("name", GENERATORS)
def test_generator_output_and_input_gradient(name):
    record = recording(name)
    generator = generator_from_official(record.weights())
    condition = record["in/input"].requires_grad_()
    image = generator(condition)
    torch.testing.assert_close(image, record["out/output"], **OUTPUT)
    gradient = gradient_of(image, record["in/R"], condition)
    torch.testing.assert_close(gradient, record["out/grad_input"], **GRADIENT)


@pytest.mark.parametrize("name", GENERATORS)
def test_generator_has_the_recorded_architecture(name):
    config = recording(name).config
    generator = generator_from_official(recording(name).weights())
    num_enhancers = config.get("n_local_enhancers", 0) if config["netG"] == "local" else 0
    assert len(generator.enhancers) == num_enhancers
    assert generator.stride == 2 ** (config["n_downsample_global"] + num_enhancers)
    assert generator.head[1].in_channels == config["ngf"]


@pytest.mark.parametrize("name", GENERATORS[1:])
def test_generator_pyramid_and_coarse_features(name):
    record = recording(name)
    generator = generator_from_official(record.weights())
    levels = pyramid(record["in/input"], len(generator.enhancers) + 1)
    for key in record.keys("out/pyramid"):
        number = int(key.removeprefix("out/pyramid"))
        torch.testing.assert_close(levels[number], record[key], **OUTPUT)
    features = generator.coarse(levels[-1])
    torch.testing.assert_close(features, record["out/g1_features"], **OUTPUT)


def test_encoder_raw_and_pooled_output_and_gradient():
    record = recording("encoder")
    encoder = encoder_from_official(record.weights())
    image = record["in/image"].requires_grad_()
    torch.testing.assert_close(encoder.layers(image), record["out/raw"], **OUTPUT)
    pooled = encoder(image, record["in/inst"])
    torch.testing.assert_close(pooled, record["out/output"], **OUTPUT)
    gradient = gradient_of(pooled, record["in/R"], image)
    torch.testing.assert_close(gradient, record["out/grad_image"], **GRADIENT)


def test_encoder_feature_rows_for_clustering():
    """The rows the released `encode_features` collects from image 0; last column area / (HW/32)."""
    record = recording("encoder")
    encoder = encoder_from_official(record.weights())
    instance = record["in/inst"][:1]
    # The recording's class rule: an id below 1000 is its own class, else id // 1000.
    label = torch.where(instance < 1000, instance, instance // 1000)
    features = encoder(record["in/image"][:1], instance)
    rows = group_by_class([features_of_instances(features.detach(), label, instance)])
    recorded = {int(k.rpartition("/")[2]): record[k] for k in record.keys("out/feature_rows/")}
    assert rows.keys() == recorded.keys()
    for c, values in recorded.items():
        torch.testing.assert_close(torch.from_numpy(rows[c]), values[:, :-1].float(), **OUTPUT)
        ids = [i for i in instance.unique().tolist() if (i if i < 1000 else i // 1000) == c]
        unit = instance.numel() // 32
        areas = torch.tensor([(instance == i).sum().item() / unit for i in ids])
        torch.testing.assert_close(areas, values[:, -1].float(), **OUTPUT)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminator_features_of_every_scale(name):
    record = recording(name)
    discriminator = discriminator_from_official(record.weights())
    scales = discriminator(record["in/input"])
    assert len(scales) == record.config["num_D"]
    assert {len(layers) for layers in scales} == {record.config["n_layers"] + 2}
    for key in record.keys("out/scale"):
        scale, layer = (int(p.strip("scaleft")) for p in key.removeprefix("out/").split("/"))
        layer = layer if record.config["getIntermFeat"] else -1
        torch.testing.assert_close(scales[scale][layer], record[key], **OUTPUT)
    levels = pyramid(record["in/input"], record.config["num_D"])
    for key in record.keys("out/pyramid"):
        number = int(key.removeprefix("out/pyramid"))
        torch.testing.assert_close(levels[number], record[key], **OUTPUT)


ROUND_TRIPS = [
    *[(name, generator_from_official, generator_to_official) for name in GENERATORS],
    ("encoder", encoder_from_official, encoder_to_official),
    *[(name, discriminator_from_official, None) for name in DISCRIMINATORS],
]


@pytest.mark.parametrize(("name", "read", "write"), ROUND_TRIPS, ids=[r[0] for r in ROUND_TRIPS])
def test_official_weights_survive_the_way_in_and_out(name, read, write):
    record = recording(name)
    network = read({f"module.{k}": v for k, v in record.weights().items()})
    if write is None:
        written = discriminator_to_official(network, exposed=record.config["getIntermFeat"])
    else:
        written = write(network)
    assert written.keys() == record.weights().keys()
    assert all(torch.equal(written[k], v) for k, v in record.weights().items())
