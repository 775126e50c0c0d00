"""One-step translation: the student starts as its teacher, and learns the teacher's images."""

import json

import pytest
import torch
from i2ibench_plugins.flow import Sampling
from i2ibench_plugins.one_step import OneStepTranslator

from i2ibench.data.classes import class_table
from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.models.translators import scene_noise as noises
from i2ibench.training.optimizers import build_optimizers
from tests.unit.models.translators.test_paired import data
from tests.unit.plugins.denoisers import built

SIZES = {"widths": (8, 16), "num_blocks": 1}
ENCODER = {"type": "InstanceEncoder", "base_channels": 4, "num_downsamplings": 1}
GAN = dict(
    discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=4),
    adversarial=dict(type="LeastSquaresGAN"),
    losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),
)


@pytest.fixture(params=[None, ENCODER], ids=["no encoder", "encoder"])
def encoder(request):
    return request.param


@pytest.fixture
def teacher(encoder):
    return built({"type": "FlowTranslator", **SIZES, "encoder": encoder}, trained=True).eval()


@pytest.fixture
def path(teacher, tmp_path):
    path = tmp_path / "epoch_1.pth"
    meta = {"epoch": 1, "dataset_meta": class_table(list("abcde")).metainfo("made")}
    config = json.dumps({"model": {}, "data_preprocessor": {}})
    torch.save({"config": config, "meta": meta, "state_dict": teacher.state_dict()}, path)
    return str(path)


def student(path, encoder=None, **options):
    generator = {"type": "OneStepUNet", **SIZES}
    cfg = {"type": "OneStepTranslator", "generator": generator, "encoder": encoder}
    return built({**cfg, "teacher": path, **options})


def fakes(model, batch, features, settings=None):
    inputs = {**batch, "features": features} if features is not None else batch
    with torch.inference_mode():
        return model.synthesise(inputs, settings)


def test_a_student_begins_as_its_teacher_in_one_step(teacher, path, encoder):
    model = student(path, encoder).eval()
    batch = model.data_preprocessor(data())
    features = (
        None if encoder is None else torch.rand(len(batch["names"]), 3, *batch["real"].shape[-2:])
    )
    found = fakes(model, batch, features)
    assert found.std() > 0.05
    torch.testing.assert_close(found, fakes(teacher, batch, features, Sampling(steps=1)))


def test_the_distillation_loss_is_the_distance_to_the_teachers_steps_from_the_same_noise(
    teacher, path, encoder, monkeypatch
):
    monkeypatch.setattr("i2ibench_plugins.one_step.new_draw", lambda: "#a draw")
    model = student(path, encoder, teacher_steps=3).train()
    batch = model.data_preprocessor(data(), training=True)
    losses = model.losses(batch)
    condition, names = batch["condition"], batch["names"]
    if encoder is not None:
        condition = torch.cat([condition, teacher.encoder(batch["real"], batch["instance"])], 1)
    noise = noises.scene_noise(batch, 3, condition.shape[-2:], "#a draw")
    ours = teacher.denoiser(noise, torch.zeros(len(names)), condition)
    x = noise
    for step in range(3):
        t = torch.full((len(names),), step / 3)
        x = x + (teacher.denoiser(x, t, condition) - x) / (1 - step / 3) / 3
    expected = (ours - x.clamp(-1, 1)).abs().mean()
    torch.testing.assert_close(losses.logs["distillation"], expected)
    torch.testing.assert_close(losses.totals["generator"], 10 * expected)


def test_training_moves_the_student_and_neither_teacher_nor_encoder(path, encoder):
    model = student(path, encoder, **GAN).train()
    taught = {n: x.clone() for n, x in model._teacher[0].state_dict().items()}
    weights = (n for n in model.state_dict() if not n.startswith("style_bank"))
    before = {n: model.state_dict()[n].clone() for n in weights}
    adam = {"type": "Adam", "lr": 1e-3}
    optimizers = build_optimizers(model.networks(), {"generator": adam, "discriminator": adam})
    logs = model.train_step(data(), optimizers)
    assert {"G/adversarial", "D/real", "D/fake", "feature_matching", "distillation"} <= logs.keys()
    after = model.state_dict()
    moved = {n.split(".")[0] for n, x in before.items() if (after[n] != x).any()}
    assert moved == {"generator", "discriminator"}
    for name, value in model._teacher[0].state_dict().items():
        torch.testing.assert_close(value, taught[name], rtol=0, atol=0, equal_nan=True)


def test_averaged_weights_of_the_teacher_are_preferred(teacher, path):
    saved = torch.load(path, weights_only=False)
    average = {n: x * 2 for n, x in saved["state_dict"].items() if n.startswith("denoiser")}
    torch.save({**saved, "ema_state_dict": average}, path)
    if teacher.encoder is None:
        leave = student(path).generator.unet.leave.weight
        torch.testing.assert_close(leave, 2 * teacher.denoiser.leave.weight)


def test_a_checkpoint_of_a_student_has_no_teacher_and_opens_without_its_file(path, encoder):
    model = student(path, encoder)
    assert not [name for name in model.state_dict() if "teacher" in name]
    opened = student(None, encoder)
    opened.load_state_dict(model.state_dict())
    assert {"teacher", "teacher_steps", "distillation_weight"} <= set(
        OneStepTranslator.TRAINING_ONLY
    )


def test_scenes_of_a_batch_are_as_alone(path):
    model = student(None).eval()
    inference = Inference(model)
    batch = inference.prepared(data(batch=2))
    both = inference.images(batch, None)
    for index in range(2):
        one = {k: v[index : index + 1] for k, v in batch.items()}
        torch.testing.assert_close(inference.images(one, None)[0], both[index])


def test_wrong_teachers_and_generators_are_refused(path, encoder, tmp_path):
    with pytest.raises(UserError, match="cannot be the teacher"):
        student(path, {**ENCODER, "base_channels": 8})
    with pytest.raises(UserError, match=r"none\.pth"):
        student(str(tmp_path / "none.pth"), encoder)
    with pytest.raises(UserError, match="needs a OneStepUNet"):
        built({"type": "OneStepTranslator", "generator": {"type": "CoarseToFineGenerator"}})
