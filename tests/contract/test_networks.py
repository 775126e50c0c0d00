"""Every registered network keeps the promises that the registry table makes."""

import pytest
import torch

from i2ibench.registry import DISCRIMINATORS, ENCODERS, FEATURES, GENERATORS, SEGMENTERS
from tests.contract.cases import IN_CHANNELS, config
from tests.unit.segmenters.files import from_file

generators = pytest.mark.parametrize("name", GENERATORS.names())
discriminators = pytest.mark.parametrize("name", DISCRIMINATORS.names())
encoders = pytest.mark.parametrize("name", ENCODERS.names())
segmenters = pytest.mark.parametrize("name", SEGMENTERS.names())


def generator(name):
    torch.manual_seed(0)
    return GENERATORS.build(config(name), in_channels=IN_CHANNELS)


def discriminator(name):
    torch.manual_seed(0)
    return DISCRIMINATORS.build(config(name), in_channels=IN_CHANNELS)


def assert_every_parameter_learns(network, output):
    output.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def assert_round_trip(build, name, *inputs):
    first, second = build(name), build(name)
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.zero_()
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(first(*inputs), second(*inputs))


@generators
@pytest.mark.parametrize("batch", [1, 3])
def test_a_generator_gives_an_image_of_the_conditions_size(name, batch):
    image = generator(name).eval()(torch.randn(batch, IN_CHANNELS, 16, 24))
    assert image.shape == (batch, 3, 16, 24)
    assert image.isfinite().all() and image.abs().max() <= 1


@generators
def test_a_generator_learns_with_every_parameter_and_is_reproducible(name):
    condition = torch.randn(1, IN_CHANNELS, 16, 32)
    network = generator(name)
    assert_every_parameter_learns(network, network(condition).square().sum())
    torch.testing.assert_close(generator(name)(condition), generator(name)(condition))
    assert_round_trip(generator, name, condition)


@generators
def test_a_generator_does_not_mix_the_images_of_a_batch(name):
    network, condition = generator(name).eval(), torch.randn(2, IN_CHANNELS, 16, 32)
    alone = network(condition[:1])
    torch.testing.assert_close(network(condition)[:1], alone, atol=1e-5, rtol=1e-4)


@discriminators
@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_a_discriminator_gives_scores_per_scale_after_its_features(name, size):
    scales = discriminator(name)(torch.randn(2, IN_CHANNELS, *size))
    assert isinstance(scales, list) and scales
    for layers in scales:
        assert len(layers) >= 2, "feature matching needs layers before the scores"
        assert layers[-1].shape[:2] == (2, 1)
        assert all(layer.isfinite().all() and layer.shape[0] == 2 for layer in layers)
    heights = [layers[-1].shape[-2] for layers in scales]
    assert heights == sorted(heights, reverse=True), "finest scale first"


@discriminators
def test_a_discriminator_learns_with_every_parameter_and_is_reproducible(name):
    image = torch.randn(1, IN_CHANNELS, 32, 48)
    network = discriminator(name)
    scores = [layers[-1].square().sum() for layers in network(image)]
    assert_every_parameter_learns(network, torch.stack(scores).sum())
    assert_round_trip(discriminator, name, image)


@discriminators
@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_answers_of_several_images_are_those_of_each_alone(name, size):
    network = discriminator(name).double()
    if not hasattr(network, "of_several"):
        pytest.skip("it judges images one by one")
    condition = torch.randn(2, IN_CHANNELS - 3, *size, dtype=torch.float64)
    images = list(torch.randn(2, 2, 3, *size, dtype=torch.float64))
    results = []
    for answers in (
        network.of_several(condition, images),
        [network(torch.cat([condition, image], 1)) for image in images],
    ):
        layers = [layer for scales in answers for scale in scales for layer in scale]
        total = torch.stack([(i + 1) * x.square().mean() for i, x in enumerate(layers)]).sum()
        results.append((layers, torch.autograd.grad(total, list(network.parameters()))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


@encoders
def test_an_encoder_is_constant_on_each_instance(name):
    torch.manual_seed(0)
    network = ENCODERS.build(config(name))
    instance = torch.zeros(2, 1, 32, 48, dtype=torch.int32)
    instance[:, :, 8:20, 8:30] = 24001
    features = network(torch.rand(2, 3, 32, 48) * 2 - 1, instance)
    assert features.shape == (2, network.out_channels, 32, 48)
    assert features.abs().max() <= 1
    for b in range(2):
        for i in (0, 24001):
            inside = features[b][:, instance[b, 0] == i]
            assert inside.std(1).max() < 1e-6
    assert_every_parameter_learns(network, features.square().sum())


@segmenters
def test_a_segmenter_gives_one_class_per_pixel(name, tmp_path):
    names = [f"class {row}" for row in range(5)]
    options = {**config(name), **from_file(name, tmp_path, num_outputs=6)}
    facts = {"num_classes": 5, "scored_classes": names}
    torch.manual_seed(0)
    network = SEGMENTERS.build_for(options, facts).eval()
    images = torch.randint(0, 255, (2, 3, 33, 50), dtype=torch.uint8)
    labels = network(images)
    assert labels.shape == (2, 33, 50) and labels.dtype == torch.int64
    assert labels.min() >= 0 and labels.max() <= 5, "5 stands for something else"
    assert torch.equal(labels[:1], network(images[:1]))
    file = getattr(network, "weights_file", None)
    assert file.is_file() if "weights" in options else file is None


def test_switches_of_the_coarse_to_fine_generator_change_the_image():
    condition = torch.rand(1, IN_CHANNELS, 16, 32)
    options = {**config("CoarseToFineGenerator"), "num_enhancers": 1}

    def image(**switches):
        torch.manual_seed(0)
        return GENERATORS.build({**options, **switches}, in_channels=IN_CHANNELS)(condition)

    for switch in ({"padding_mode": "reflect"}, {"hard_condition": True}, {"zero_bias": True}):
        assert not torch.allclose(image(), image(**switch)), switch


@pytest.mark.parametrize("name", FEATURES.names())
def test_a_feature_network_without_its_weights_says_so_and_is_never_called_fid(name, tmp_path):
    network = FEATURES.build({"type": name, "weights": str(tmp_path / "mine.pt")})
    assert "mine.pt" in network.unavailable and network.weight_files == []
    assert isinstance(network.frechet_name, str) and network.kernel_name.startswith("kid")
