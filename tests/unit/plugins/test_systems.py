"""SPADE and OASIS as whole systems: steps in either order, in bf16, and translations."""

import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.training.optimizers import build_optimizers
from i2ibench.training.preflight import dry_run
from tests.unit.models.translators.test_paired import ADAM, data, gradients, weights
from tests.unit.models.translators.test_waiting import waits_of

GENERATOR = {"base_channels": 2, "hidden_channels": 4, "num_upsamplings": 2}
SYSTEMS = {
    "spade": dict(
        generator=dict(type="SPADEGenerator", **GENERATOR),
        discriminator=dict(
            type="SpectralNormDiscriminator",
            discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=4),
        ),
        adversarial=dict(type="HingeGAN"),
        losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),
    ),
    "oasis": dict(
        generator=dict(type="OASISGenerator", noise_channels=4, **GENERATOR),
        discriminator=dict(type="SegmentationDiscriminator", base_channels=4),
        adversarial=dict(type="OASISLoss"),
    ),
}
every_system = pytest.mark.parametrize("name", SYSTEMS)


def translator(name, **changes):
    torch.manual_seed(0)
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=5)
    cfg = {"type": "PairedTranslator", **SYSTEMS[name], **changes}
    return TRANSLATORS.build(cfg, data_preprocessor=preprocessor)


def optimizers(model, precision=None):
    return build_optimizers(model.networks(), {"generator": ADAM, "discriminator": ADAM}, precision)


@every_system
@pytest.mark.parametrize("discriminator_first", [False, True])
@pytest.mark.parametrize("precision", [None, "bf16"])
def test_a_step_moves_both_networks(name, discriminator_first, precision):
    model = translator(name, discriminator_first=discriminator_first)
    before = {n: weights(getattr(model, n)) for n in ("generator", "discriminator")}
    logs = model.train_step([data(), data()], optimizers(model, precision))
    assert all(value.isfinite() for value in logs.values())
    assert {"G/adversarial", "D/real", "D/fake"} <= logs.keys()
    assert ("D/label_mix" in logs) == (name == "oasis")
    for n, old in before.items():
        assert weights(getattr(model, n)).isfinite().all()
        assert not torch.equal(weights(getattr(model, n)), old)


def test_label_mix_reaches_the_discriminator_and_leaves_the_generator_alone():
    with_mix, without = translator("oasis"), translator(
        "oasis", adversarial=dict(type="OASISLoss", label_mix_weight=0.0)
    )  # fmt: skip
    batch = data()
    for model in (with_mix, without):
        torch.manual_seed(1)
        model.train_step(batch, optimizers(model))
    torch.testing.assert_close(gradients(with_mix.generator), gradients(without.generator))
    assert not torch.allclose(gradients(with_mix.discriminator), gradients(without.discriminator))


@every_system
def test_a_translation_depends_on_its_name_alone_and_varies_only_with_noise(name):
    model = translator(name).eval()
    batch = data(batch=3, height=30, width=50)
    together = Inference(model).predict(batch)
    alone = Inference(model).predict({k: v[1:2] for k, v in batch.items()})
    difference = together[1]["fake"].int() - alone[0]["fake"].int()
    assert together[1]["fake"].shape == (3, 30, 50) and difference.abs().max() <= 1
    assert model.varies == (name == "oasis")
    other = Inference(model).predict(batch, sample=1)[1]["fake"]
    assert torch.equal(other, together[1]["fake"]) == (name == "spade")


@every_system
def test_a_checkpoint_translates_alike(name):
    model, twin = translator(name), translator(name)
    model.train_step(data(), optimizers(model))
    twin.load_state_dict(model.state_dict())
    batch = data()
    one, other = (Inference(m.eval()).predict(batch)[0]["fake"] for m in (model, twin))
    assert torch.equal(one, other)


@every_system
def test_a_dry_run_finds_a_size_that_does_not_fit(name):
    dry_run(translator(name), 32, 64)
    with pytest.raises(UserError, match="multiples of 4"):
        dry_run(translator(name), 32, 62)


AUGMENTED = dict(discriminator=dict(type="DiffAugmentDiscriminator",
                                    discriminator=SYSTEMS["spade"]["discriminator"]))  # fmt: skip


@pytest.mark.parametrize(("name", "changes"), [("spade", {}), ("oasis", {}), ("spade", AUGMENTED)])
def test_a_step_never_makes_a_gpu_wait(name, changes):
    model = translator(name, **changes).to("meta")
    model.data_preprocessor._device = torch.device("meta")
    wrappers = optimizers(model)
    batch = model.data_preprocessor(data())

    def step():
        made = model.forward_step(batch)
        model.generator_losses(made)
        model.discriminator_losses(made)

    assert waits_of(step) == [] and wrappers


def test_oasis_without_label_maps_is_refused_before_training():
    preprocessor = PREPROCESSORS.build({"type": "ImagePreprocessor"}, num_classes=5)
    cfg = {"type": "PairedTranslator", **SYSTEMS["oasis"]}
    with pytest.raises(UserError, match="needs label maps"):
        dry_run(TRANSLATORS.build(cfg, data_preprocessor=preprocessor), 32, 64)
