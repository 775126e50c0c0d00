"""The training step of the paired translator."""

import copy

import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.training.optimizers import build_optimizers

ADAM = {"type": "Adam", "lr": 1e-3, "betas": (0.5, 0.999)}


def translator(**changes):
    torch.manual_seed(0)
    cfg = dict(
        type="PairedTranslator",
        generator=dict(
            type="CoarseToFineGenerator", base_channels=4, num_downsamplings=2, num_blocks=1
        ),
        discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=4),
        encoder=dict(type="InstanceEncoder", base_channels=4, num_downsamplings=1),
        adversarial=dict(type="LeastSquaresGAN"),
        losses=dict(
            feature_matching=dict(type="FeatureMatching", weight=10),
            pixel=dict(type="PixelLoss", weight=3),
        ),
    )
    cfg.update(changes)
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=5)
    return TRANSLATORS.build(cfg, data_preprocessor=preprocessor)


def optimizers(model):
    return build_optimizers(model.networks(), {"generator": ADAM, "discriminator": ADAM})


def data(batch=2, height=32, width=64, photo=True):
    label = torch.randint(0, 5, (batch, 1, height, width), dtype=torch.uint8)
    result = {
        "name": [f"s{i}" for i in range(batch)],
        "label": label,
        "instance": label.int() * 1000 + torch.randint(0, 2, label.shape, dtype=torch.int32),
    }
    if photo:
        result["image"] = torch.randint(0, 255, (batch, 3, height, width), dtype=torch.uint8)
    return result


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def gradients(network):
    return torch.cat([p.grad.flatten() for p in network.parameters()])


def test_both_updates_use_the_gradients_of_separate_backward_passes():
    """Compare with G's loss for a fixed D, and D's loss for detached fakes, at equal weights."""
    model, batch = translator(), data()
    reference = copy.deepcopy(model)
    model.train_step(batch, optimizers(model))

    prepared = reference.data_preprocessor(batch)
    step = reference.forward_step(prepared)
    total = reference.generator_losses(step).totals["generator"]
    generator_side = torch.nn.ModuleList([reference.generator, reference.encoder])
    expected_g = torch.autograd.grad(total, list(generator_side.parameters()))
    fake = step.fake.detach()
    real_outputs, fake_outputs = (
        reference.discriminator(torch.cat([prepared["condition"], image], 1))
        for image in (prepared["real"], fake)
    )
    losses = reference.adversarial.discriminator(real_outputs, fake_outputs)
    expected_d = torch.autograd.grad(sum(losses), list(reference.discriminator.parameters()))

    own = torch.nn.ModuleList([model.generator, model.encoder])
    for network, expected in ((own, expected_g), (model.discriminator, expected_d)):
        flat = torch.cat([g.flatten() for g in expected])
        torch.testing.assert_close(gradients(network), flat, atol=1e-6, rtol=1e-4)


def test_a_step_asks_the_discriminator_twice():
    """Count one pass for the real and one for the fake images, which both updates share."""
    model, calls = translator(), []
    scores = [m for m in model.discriminator.modules() if isinstance(m, torch.nn.Conv2d)][-1]
    scores.register_forward_hook(lambda *_: calls.append(1))
    model.train_step(data(), optimizers(model))
    assert len(calls) == 2


def test_the_generators_update_leaves_the_discriminator_alone():
    model = translator()
    before = weights(model.discriminator)
    optimizer = optimizers(model)
    step = model.forward_step(model.data_preprocessor(data()))
    optimizer["generator"].update(model.generator_losses(step).totals["generator"])
    assert torch.equal(weights(model.discriminator), before)
    assert all(p.grad is None for p in model.discriminator.parameters())


def test_every_network_moves_and_every_loss_is_logged():
    model = translator()
    before = {n: weights(getattr(model, n)) for n in ("generator", "discriminator", "encoder")}
    logs = model.train_step(data(), optimizers(model))
    assert set(logs) == {"G/adversarial", "feature_matching", "pixel", "D/real", "D/fake"}
    assert not any(value.requires_grad for value in logs.values())
    assert all(not torch.equal(weights(getattr(model, n)), old) for n, old in before.items())


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("halved", [False, True])
def test_the_discriminators_losses_are_logged_without_the_factor_that_is_trained(halved, first):
    """Compare with the released code's D_real and D_fake, summed over scales."""
    loss = dict(type="LeastSquaresGAN", halve_discriminator=halved)
    model, batch = translator(adversarial=loss, discriminator_first=first), data()
    step = model.forward_step(model.data_preprocessor(batch))
    logs = model.train_step(batch, optimizers(model))
    for name, scales, target in (("real", step.real_outputs, 1), ("fake", step.fake_outputs, 0)):
        expected = sum((layers[-1] - target).square().mean() for layers in scales)
        torch.testing.assert_close(logs[f"D/{name}"], expected.detach())
    trained = model.discriminator_losses(step).totals["discriminator"]
    scale = 0.5 if halved else 1
    torch.testing.assert_close(trained, scale * (logs["D/real"] + logs["D/fake"]))


@pytest.mark.parametrize("dropped", ["feature_matching", "pixel"])
def test_dropping_a_loss_drops_exactly_its_log_entry(dropped):
    losses = {
        "feature_matching": dict(type="FeatureMatching", weight=10),
        "pixel": dict(type="PixelLoss", weight=3),
    }
    full = translator()
    batch = data()
    everything = set(full.train_step(batch, optimizers(full)))
    less = translator(losses={**losses, dropped: None})
    assert everything - set(less.train_step(batch, optimizers(less))) == {dropped}


def test_without_a_discriminator_only_the_generator_trains():
    model = translator(
        discriminator=None,
        adversarial=None,
        encoder=None,
        losses=dict(pixel=dict(type="PixelLoss")),
    )
    assert model.networks()["generator"] and not model.networks()["discriminator"]
    assert set(model.train_step(data(), optimizers(model))) == {"pixel"}


def test_a_discriminator_needs_an_adversarial_loss():
    with pytest.raises(UserError, match="go together"):
        translator(adversarial=None)


@pytest.mark.parametrize("size", [(32, 64), (33, 61), (5, 9), (1, 1)])
def test_predictions_have_exactly_the_size_of_their_label_map(size):
    model = translator().eval()
    predictions = Inference(model).predict(data(height=size[0], width=size[1]))
    assert [p["name"] for p in predictions] == ["s0", "s1"]
    assert predictions[0]["fake"].shape == (3, *size)
    assert predictions[0]["fake"].dtype == torch.uint8


def test_a_scene_is_translated_alike_alone_and_in_a_batch():
    model = translator().eval()
    model.style_bank.fit({c: torch.randn(6, 3).numpy() for c in range(5)})
    batch = data()
    together = Inference(model).predict(batch)[1]["fake"]
    alone = Inference(model).predict({k: v[1:] for k, v in batch.items()})[0]["fake"]
    assert (together.int() - alone.int()).abs().max() <= 1


def test_without_photos_a_fitted_bank_styles_the_scene():
    model = translator().eval()
    unlabelled = data(photo=False)
    plain = Inference(model).predict(unlabelled)[0]
    assert "real" not in plain
    model.style_bank.fit({c: torch.rand(6, 3).numpy() for c in range(5)})
    assert not torch.equal(Inference(model).predict(unlabelled)[0]["fake"], plain["fake"])
    with pytest.raises(UserError, match="photos"):
        Inference(model).predict(unlabelled, encode_photo=True)


def test_an_unknown_precision_is_refused():
    with pytest.raises(UserError, match="bf16"):
        build_optimizers(translator().networks(), {}, precision="int4")


def test_bf16_steps_stay_close_to_float32():
    batch, plain, half = data(), translator(), translator()
    losses = plain.train_step(batch, optimizers(plain))
    wrappers = build_optimizers(
        half.networks(), {"generator": ADAM, "discriminator": ADAM}, precision="bf16"
    )
    for name, value in half.train_step(batch, wrappers).items():
        torch.testing.assert_close(value.float(), losses[name], rtol=0.05, atol=0.02)


def test_with_the_discriminator_first_the_generator_meets_the_new_discriminator():
    """Compare with pix2pix's order as two separate updates."""
    changes = dict(discriminator_first=True, encoder=None)
    model, reference, batch = translator(**changes), translator(**changes), data()
    model.train_step(batch, optimizers(model))
    own = optimizers(reference)
    step = reference.forward_step(reference.data_preprocessor(batch))
    losses = reference.discriminator_losses(step)
    own["discriminator"].update(losses.totals["discriminator"])
    step = reference.forward_step(reference.data_preprocessor(batch))
    own["generator"].update(reference.generator_losses(step).totals["generator"])
    for one, two in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-6, rtol=1e-4)


def test_frozen_parts_have_no_optimizer_and_no_gradient():
    model = translator(frozen=["generator.coarse"])
    before = weights(model.generator.coarse)
    model.train_step(data(), optimizers(model))
    assert torch.equal(weights(model.generator.coarse), before)
    assert all(p.grad is None for p in model.generator.coarse.parameters())
    with pytest.raises(UserError, match="Did you mean 'encoder'"):
        translator(frozen=["encodr"])


@pytest.mark.parametrize("encoder", ["none", "frozen"])
def test_nothing_goes_back_through_a_frozen_coarse_network(encoder):
    frozen = ["generator.coarse"] + ["encoder"] * (encoder == "frozen")
    changes = {"encoder": None} if encoder == "none" else {}
    generator = dict(type="CoarseToFineGenerator", base_channels=4, num_enhancers=1,
                     num_downsamplings=2, num_blocks=1)  # fmt: skip
    model = translator(generator=generator, frozen=frozen, **changes)
    features = []
    model.generator.coarse.register_forward_hook(lambda *call: features.append(call[2]))
    model.train_step(data(), optimizers(model))
    assert [x.requires_grad for x in features] == [False]


def test_images_in_bf16_are_close_to_those_in_float32():
    model, batch = translator().eval(), data()
    whole = Inference(model).predict(batch)[0]["fake"]
    inference = Inference(model, InferenceOptions("bf16"))
    half = (
        inference.predict(batch, encode_photo=True)[0]["fake"],
        inference.predict(batch)[0]["fake"],
    )
    difference = (half[1].float() - whole.float()).abs()
    assert 0 < difference.mean() < 4
    assert half[0].dtype == torch.uint8


def unet(**options):
    generator = dict(type="UNetGenerator", num_levels=6, base_channels=4, **options)
    return translator(generator=generator, encoder=None)


def test_dropout_at_test_time_is_on_and_depends_on_the_scene_alone():
    model, batch = unet(norm_type="instance").eval(), data()
    together = Inference(model).predict(batch)[1]["fake"]
    alone = Inference(model).predict({k: v[1:] for k, v in batch.items()})[0]["fake"]
    assert torch.equal(together, alone)
    renamed = {**{k: v[1:] for k, v in batch.items()}, "name": ["other"]}
    assert not torch.equal(Inference(model).predict(renamed)[0]["fake"], alone)
    plain = unet(norm_type="instance", always_train=False).eval()
    renamed_plain = Inference(plain).predict(renamed)[0]["fake"]
    again = Inference(plain).predict({**renamed, "name": ["x"]})[0]["fake"]
    assert torch.equal(again, renamed_plain)


def test_a_frozen_batch_norm_keeps_its_statistics():
    model = translator(
        generator=dict(type="UNetGenerator", num_levels=3, base_channels=4),
        encoder=None,
        frozen=["generator.downs"],
    )
    before = {k: v.clone() for k, v in model.generator.downs.state_dict().items()}
    model.train_step(data(), optimizers(model))
    after = model.generator.downs.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items() if "tracked" not in k)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("frozen", [["discriminator"], ["generator", "encoder"]])
def test_a_whole_network_can_be_frozen(frozen, first):
    model = translator(frozen=frozen, discriminator_first=first)
    before = {name: weights(getattr(model, name)) for name in ("generator", "discriminator")}
    model.train_step(data(), build_optimizers(model.networks(), BOTH))
    for name, old in before.items():
        assert torch.equal(weights(getattr(model, name)), old) == (name in frozen)


BOTH = {"generator": ADAM, "discriminator": ADAM}


def test_when_everything_is_frozen_there_is_nothing_to_train():
    model = translator(frozen=["generator", "encoder", "discriminator"])
    with pytest.raises(UserError, match="every network is frozen"):
        build_optimizers(model.networks(), BOTH)
