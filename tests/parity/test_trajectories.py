"""Two whole training steps give the released code's losses, images, weights and gradients."""

import pytest
import torch
from torch import nn

from i2ibench.inference.interop.pix2pixhd import (
    discriminator_from_official,
    discriminator_to_official,
    encoder_from_official,
    encoder_to_official,
    generator_from_official,
    generator_to_official,
)
from i2ibench.models.ops.labels import instance_boundaries, one_hot
from i2ibench.registry import TRANSLATORS
from i2ibench.training.optimizers import build_optimizers
from tests.parity.recordings import recording

NAMES = [f"trajectory_{kind}" for kind in ("global", "feat", "local", "fix", "vanilla")]
CLOSE = {"atol": 5e-5, "rtol": 0}


class Prepared(nn.Module):
    """A preprocessor for batches that are ready: the recordings hold float images."""

    def __init__(self, condition_channels, num_classes):
        super().__init__()
        self.condition_channels, self.num_classes = condition_channels, num_classes

    def forward(self, batch, training=False):
        return batch


def batch_of(record, step):
    label, instance = record["in/label"][step], record["in/inst"][step]
    condition = label
    if record.config["label_nc"]:
        condition = one_hot(label, record.config["label_nc"])
        if not record.config["no_instance"]:
            condition = torch.cat([condition, instance_boundaries(instance)], 1)
    return {"condition": condition, "instance": instance, "real": record["in/image"][step]}


def translator_of(record):
    """The translator that the recording's options describe, with its initial weights."""
    config = record.config
    local = config["netG"] == "local"
    generator = dict(
        type="CoarseToFineGenerator",
        base_channels=config["ngf"],
        num_enhancers=config["n_local_enhancers"] if local else 0,
        num_downsamplings=config["n_downsample_global"],
        num_blocks=config["n_blocks_global"],
        num_enhancer_blocks=config["n_blocks_local"],
    )
    encoder = dict(
        type="InstanceEncoder",
        out_channels=config["feat_num"],
        base_channels=config["nef"],
        num_downsamplings=config["n_downsample_E"],
    )
    matching = dict(type="FeatureMatching", weight=config["lambda_feat"])
    condition = batch_of(record, 0)["condition"].shape[1]
    translator = TRANSLATORS.build(
        dict(
            type="PairedTranslator",
            generator=generator,
            encoder=encoder if config["instance_feat"] else None,
            discriminator=dict(
                type="MultiScaleDiscriminator",
                num_scales=config["num_D"],
                base_channels=config["ndf"],
                num_layers=config["n_layers_D"],
            ),
            adversarial=dict(type="VanillaGAN" if config["no_lsgan"] else "LeastSquaresGAN"),
            losses={} if config["no_ganFeat_loss"] else dict(feature_matching=matching),
        ),
        data_preprocessor=Prepared(condition, config["label_nc"]),
    )
    official = {
        "G": (translator.generator, generator_from_official),
        "D": (translator.discriminator, discriminator_from_official),
        "E": (translator.encoder, encoder_from_official),
    }
    for net in networks_in(record):
        own, read = official[net]
        own.load_state_dict(read(record.weights(f"w/{net}/")).state_dict())
    if config["niter_fix_global"]:
        freeze_all_but_the_outermost_enhancer(translator.generator)
    return translator


def freeze_all_but_the_outermost_enhancer(generator):
    outermost = f"enhancers.{len(generator.enhancers) - 1}."
    for name, parameter in generator.named_parameters():
        parameter.requires_grad_(name.startswith((outermost, "head.")))


def networks_in(record):
    return [net for net in "GDE" if record.keys(f"w/{net}/")]


def official_names(translator, net, exposed):
    """The network's parameters by official name, sharing storage with the network's."""
    if net == "G":
        return generator_to_official(translator.generator)
    if net == "E":
        return encoder_to_official(translator.encoder)
    return discriminator_to_official(translator.discriminator, exposed)


def parameters_by_official_name(translator, net, exposed):
    network = {"G": "generator", "D": "discriminator", "E": "encoder"}[net]
    own = dict(getattr(translator, network).named_parameters())
    by_storage = {p.data_ptr(): p for p in own.values()}
    return {
        name: by_storage[value.data_ptr()]
        for name, value in official_names(translator, net, exposed).items()
    }


def take_step(translator, optimizers, batch):
    """The step's named losses under the released code's names, and the image before it."""
    with torch.no_grad():
        fake = translator.forward_step(batch).fake
    logs = translator.train_step(batch, optimizers)
    losses = {
        "G_GAN": logs["G/adversarial"],
        "D_real": logs["D/real"],
        "D_fake": logs["D/fake"],
        "loss_D": 0.5 * (logs["D/real"] + logs["D/fake"]),
        "loss_G": logs["G/adversarial"],
    }
    if "feature_matching" in logs:
        losses["G_GAN_Feat"] = translator.weights["feature_matching"] * logs["feature_matching"]
        losses["loss_G"] = losses["G_GAN"] + losses["G_GAN_Feat"]
    return losses, fake


def optimizers_of(record, translator):
    config = record.config
    adam = dict(
        type="Adam", lr=config["lr"], betas=(config["beta1"], config["beta2"]), eps=config["eps"]
    )
    return build_optimizers(translator.networks(), {"generator": adam, "discriminator": adam})


def sums(record, key, names):
    return dict(zip(names, record[key].tolist(), strict=True))


def assert_checksums(record, step, net, parameters):
    """Weights after the step; biases before a norm are rounding noise that Adam amplifies."""
    names = [str(n) for n in record.arrays[f"meta/{net}/names"]]
    noise = dict(zip(names, record[f"meta/{net}/is_noise_bias"].tolist(), strict=True))
    assert set(names) == set(parameters)
    bound = 2 * record.config["lr"] * (step + 1)
    for kind, measure in (("sum", torch.sum), ("abssum", lambda p: p.abs().sum())):
        for name, value in sums(record, f"out/step{step}/{net}/{kind}", names).items():
            own = measure(parameters[name].detach().double()).item()
            size = parameters[name].numel()
            limit = bound * size if noise[name] else 5e-5
            assert abs(own - value) <= limit, (net, name, kind, own, value)
    return names, noise


def assert_gradients(record, step, net, parameters, names, noise):
    for name, value in sums(record, f"out/step{step}/{net}/grad_abssum", names).items():
        if not noise[name]:
            own = parameters[name].grad.double().abs().sum().item()
            assert own == pytest.approx(value, rel=1e-3), (net, name)


@pytest.mark.parametrize("name", NAMES)
def test_trajectory(name):
    record = recording(name)
    translator = translator_of(record)
    optimizers = optimizers_of(record, translator)
    exposed = not record.config["no_ganFeat_loss"]
    for step in range(record.config["steps"]):
        losses, fake = take_step(translator, optimizers, batch_of(record, step))
        torch.testing.assert_close(fake, record[f"out/step{step}/fake"], **CLOSE)
        for key, value in losses.items():
            expected = record[f"out/step{step}/{key}"].float().reshape(())
            torch.testing.assert_close(value, expected, **CLOSE, msg=lambda m, k=key: f"{k}: {m}")
        for net in networks_in(record):
            parameters = parameters_by_official_name(translator, net, exposed)
            names, noise = assert_checksums(record, step, net, parameters)
            if f"out/step{step}/{net}/grad_abssum" in record.arrays:
                assert_gradients(record, step, net, parameters, names, noise)


def test_the_frozen_part_is_the_recordings_and_does_not_move_by_a_bit():
    record = recording("trajectory_fix")
    translator = translator_of(record)
    parameters = parameters_by_official_name(translator, "G", True)
    before = {n: p.detach().clone() for n, p in parameters.items()}
    take_step(translator, optimizers_of(record, translator), batch_of(record, 0))
    names = [str(n) for n in record.arrays["meta/G/names"]]
    trained = dict(zip(names, record["meta/G/in_optimizer"].tolist(), strict=True))
    for name, parameter in parameters.items():
        assert parameter.requires_grad == bool(trained[name]), name
        assert torch.equal(parameter.detach(), before[name]) == (not trained[name]), name
