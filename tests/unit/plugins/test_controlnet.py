"""ControlNet over a tiny Stable Diffusion: formulas by diffusers itself, laws, and refusals."""

import copy
import json
import shutil
import sys
from functools import partial

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from i2ibench.errors import UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.inference.checkpoints import load_weights
from i2ibench.inference.trial_translation import try_translation
from i2ibench.testing.network_files import write_stable_diffusion
from i2ibench.testing.translator_fixtures import shaken
from i2ibench.training.optimizers import require_trained
from i2ibench.training.preflight import dry_run
from tests.unit.models.translators.test_paired import data, weights
from tests.unit.models.translators.test_waiting import waits_of
from tests.unit.plugins import denoisers
from tests.unit.plugins.denoisers import built, images_depend_on_scene_and_sample_only

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

PREDICTIONS = ("epsilon", "v_prediction")
every_prediction = pytest.mark.parametrize("prediction", PREDICTIONS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny Stable Diffusion for each kind of prediction."""
    return {
        name: write_stable_diffusion(tmp_path_factory.mktemp("sd") / name, name)
        for name in PREDICTIONS
    }


@pytest.fixture(scope="module")
def folder(folders):
    return folders["epsilon"]


@pytest.fixture
def own_folder(folder, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(folder, tmp_path / "own")


def translator(folder, **options):
    cfg = {"type": "ControlNetTranslator", "folder": str(folder), "settings": {"steps": 2}}
    return built({**cfg, **options})


optimizers = partial(denoisers.optimizers, network="controlnet")


def noise_scheduler(folder):
    return diffusers.DDPMScheduler.from_pretrained(folder / "scheduler")


# The networks


def test_a_new_controlnet_changes_nothing(folder):
    """Its outer convolutions are zeros (Sec. 3.1), so the UNet predicts as it does alone."""
    model, batch = translator(folder), data(batch=2)
    condition = model.data_preprocessor(batch)["condition"]
    latents, times = torch.randn(2, 4, 4, 8), torch.tensor([3, 900])
    alone = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
    text = model.diffusion.texts(2)
    with torch.no_grad():
        wanted = alone(latents, times, text).sample
        torch.testing.assert_close(model.predict(latents, times, condition), wanted)
        shaken(model)
        assert not torch.allclose(model.predict(latents, times, condition), wanted, atol=1e-3)


def test_the_controlnet_starts_as_a_copy_of_the_encoder_and_reads_the_whole_condition(folder):
    model = translator(folder)
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
    for name, value in unet.down_blocks.state_dict().items():
        assert torch.equal(model.controlnet.down_blocks.state_dict()[name], value)
    assert model.controlnet.config.conditioning_channels == 5 + 1


def test_only_the_controlnet_is_trained_and_saved(folder):
    model = translator(folder)
    assert model.networks().keys() == {"controlnet"}
    require_trained(model, model.networks())
    assert {name.partition(".")[0] for name, _ in model.named_parameters()} == {"controlnet"}
    others = {name for name in model.state_dict() if not name.startswith("controlnet.")}
    assert {name for name in others if name.startswith("diffusion")} == {"diffusion._extra_state"}
    assert not any(module.training for module in model.train().diffusion.modules())


@pytest.mark.parametrize("precision", [None, "bf16"])
@every_prediction
def test_a_step_moves_the_controlnet_and_leaves_the_rest(folders, prediction, precision):
    model = translator(folders[prediction])
    before, frozen = weights(model.controlnet), [b.clone() for b in model.diffusion.buffers()]
    logs = model.train_step([data(), data()], optimizers(model, precision))
    assert logs.keys() == {"noise" if prediction == "epsilon" else "velocity"}
    assert all(value.isfinite() for value in logs.values())
    assert weights(model.controlnet).isfinite().all()
    assert not torch.equal(weights(model.controlnet), before)
    assert all(map(torch.equal, frozen, model.diffusion.buffers()))


def test_the_text_is_that_of_the_text_encoder(folder):
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer")
    encoder = transformers.CLIPTextModel.from_pretrained(folder / "text_encoder")
    for prompt in ("", "a wet street"):
        ids = tokenizer(prompt, padding="max_length", max_length=16, return_tensors="pt").input_ids
        with torch.no_grad():
            wanted = encoder(ids).last_hidden_state
        torch.testing.assert_close(translator(folder, prompt=prompt).diffusion.text, wanted)
    empty, street = (translator(folder, prompt=p).diffusion.text for p in ("", "a wet street"))
    assert not torch.equal(empty, street)


# The objective


@every_prediction
def test_the_loss_is_the_mean_squared_error_of_what_diffusers_asks_for(
    folders, prediction, monkeypatch
):
    """Compare with DDPMScheduler's add_noise and get_velocity, and with the VAE's own draw."""
    folder = folders[prediction]
    model, asked = translator(folder), {}
    batch = model.data_preprocessor(data(batch=3))
    monkeypatch.setattr("i2ibench_plugins.controlnet.new_draw", lambda: "#7")
    answer = torch.randn(3, 4, 4, 8)

    def recorded(latents, times, condition):
        asked.update(latents=latents, times=times, condition=condition)
        return answer

    monkeypatch.setattr(model, "predict", recorded)
    losses = model.losses(batch)
    vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae")
    with torch.no_grad():
        found = vae.encode(batch["real"]).latent_dist
        clean = (found.mean + found.std * model.noise(batch, "#7 latents")) * 0.18215
    noise, scheduler = model.noise(batch, "#7"), noise_scheduler(folder)
    torch.testing.assert_close(
        asked["latents"], scheduler.add_noise(clean, noise, asked["times"]), atol=1e-5, rtol=1e-5
    )
    velocity = scheduler.get_velocity(clean, noise, asked["times"])
    target = noise if prediction == "epsilon" else velocity
    wanted = (answer - target).square().mean()
    torch.testing.assert_close(losses.totals["controlnet"], wanted)
    assert losses.totals.keys() == {"controlnet"}


def test_times_are_uniform_and_a_tenth_of_the_conditions_is_hidden(folder, monkeypatch):
    model, asked = translator(folder), {}
    many = 2000
    batch = {
        "names": [f"s{i}" for i in range(many)],
        "condition": torch.ones(many, 6, 16, 16),
        "real": torch.zeros(many, 3, 16, 16),
    }
    monkeypatch.setattr(model.diffusion, "encode", lambda images, noise: noise)
    monkeypatch.setattr(
        model, "predict", lambda latents, t, c: asked.update(times=t, condition=c) or latents
    )
    model.losses(batch)
    times, shown = asked["times"], asked["condition"].mean((1, 2, 3))
    assert times.min() >= 0 and times.max() <= 999 and times.dtype == torch.int64
    counts = torch.bincount(times // 100, minlength=10)
    assert counts.min() > 140 and counts.max() < 260
    assert set(shown.tolist()) == {0.0, 1.0} and 0.07 < (shown == 0).float().mean() < 0.13


def test_a_scene_draws_alike_in_any_batch_of_the_same_step(folder, monkeypatch):
    """Check that two processes would draw the same for a scene as one."""
    model, batch, asked = translator(folder), data(batch=3), []
    monkeypatch.setattr("i2ibench_plugins.controlnet.new_draw", lambda: "#7")
    monkeypatch.setattr(model, "predict", lambda *given: asked.append(given) or given[0])
    for share in (batch, {k: v[1:2] for k, v in batch.items()}):
        model.losses(model.data_preprocessor(share))
    for whole, part in zip(*asked, strict=True):
        torch.testing.assert_close(whole[1:2], part, atol=1e-5, rtol=1e-5)


# The sampler


@every_prediction
def test_images_are_those_of_diffusers_pipeline(folders, prediction):
    """Compare with StableDiffusionControlNetPipeline from the same noise, by DDIM."""
    folder = folders[prediction]
    model = shaken(translator(folder, prompt="street"))
    prepared = model.data_preprocessor(data(batch=1))
    with torch.inference_mode():
        ours = model.synthesise(prepared, model.Settings(steps=5))
    pipeline = diffusers.StableDiffusionControlNetPipeline(
        vae=diffusers.AutoencoderKL.from_pretrained(folder / "vae"),
        text_encoder=transformers.CLIPTextModel.from_pretrained(folder / "text_encoder"),
        tokenizer=transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=diffusers.UNet2DConditionModel.from_pretrained(folder / "unet"),
        controlnet=model.controlnet,
        scheduler=diffusers.DDIMScheduler.from_pretrained(folder / "scheduler"),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        "street", image=prepared["condition"], num_inference_steps=5, guidance_scale=1.0,
        latents=model.noise(prepared), output_type="pt",
    ).images  # fmt: skip
    torch.testing.assert_close(ours / 2 + 0.5, theirs, atol=1e-4, rtol=1e-4)


def test_guidance_of_one_is_none_and_more_moves_away_from_the_blank_condition(folder):
    model = shaken(translator(folder))
    prepared = model.data_preprocessor(data())
    condition, latents = prepared["condition"], model.noise(prepared)
    with torch.inference_mode():
        told, untold = (
            model.guided(latents, 500, c, 1) for c in (condition, torch.zeros_like(condition))
        )
        guided = model.guided(latents, 500, condition, 2.5)
    assert not torch.equal(told, untold)
    torch.testing.assert_close(guided, untold + 2.5 * (told - untold))


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_evaluations_count_the_runs_of_the_networks(folder, guidance, monkeypatch):
    model, asked = translator(folder), []
    monkeypatch.setattr(model, "predict", lambda *given: asked.append(given) or given[0])
    settings = model.Settings(steps=5, guidance=guidance)
    model.synthesise(model.data_preprocessor(data()), settings)
    assert len(asked) == model.evaluations(settings)


def test_an_image_depends_on_its_scene_and_sample_and_not_on_the_batch(folder):
    images_depend_on_scene_and_sample_only(shaken(translator(folder)))


# Checks before training


def test_a_config_is_checked_on_tensors_without_contents(folder):
    model = translator(folder)
    dry_run(model, 32, 64)
    for settings in ({}, {"steps": 3, "guidance": 1.5}):
        try_translation(Inference(model, InferenceOptions(settings=settings)), 30, 62)
    with pytest.raises(UserError, match="'steps' is at most 999 for .*, not 1000"):
        try_translation(Inference(model, InferenceOptions(settings={"steps": 1000})), 30, 62)


def test_without_values_the_json_files_are_enough(own_folder):
    for path in own_folder.rglob("*.safetensors"):
        path.unlink()
    with torch.device("meta"):
        assert translator(own_folder).controlnet.conv_in.weight.is_meta
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = translator(own_folder)
        assert model.diffusion.text.shape == (1, 16, 8)
        model.train_step(data(), optimizers(model))
        images = model.synthesise(model.data_preprocessor(data()), model.settings)
    assert images.shape == (2, 3, 32, 64)
    with pytest.raises(UserError, match="unet cannot be read as a part"):
        translator(own_folder)


def test_a_step_never_makes_a_gpu_wait(folder):
    model = translator(folder).to("meta")
    model.data_preprocessor._device = torch.device("meta")
    batch = model.data_preprocessor(data())
    assert waits_of(lambda: model.losses(batch)) == []
    assert waits_of(lambda: model.synthesise(batch, model.Settings(guidance=2.0))) == []


# The folder and its hash


def test_weights_of_another_folder_are_refused(folder, folders, tmp_path):
    state = translator(folder).state_dict()
    load_weights(translator(folder), state, tmp_path / "a.pth")
    with pytest.raises(UserError, match="are not those that these weights were trained with"):
        load_weights(translator(folders["v_prediction"]), state, tmp_path / "a.pth")


def test_the_hash_covers_what_is_read_and_nothing_else(folder, own_folder):
    def hashed():
        return translator(own_folder).diffusion.folder_hash

    assert len(translator(folder).diffusion.folder_hash) == 64
    assert hashed() == translator(folder).diffusion.folder_hash
    (own_folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"half")
    (own_folder / "README.md").write_text("about")
    assert hashed() == translator(folder).diffusion.folder_hash
    config = own_folder / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("0.012", "0.013"))
    assert hashed() != translator(folder).diffusion.folder_hash


def test_a_copy_makes_the_same_images_and_keeps_the_weights_out(folder):
    model = shaken(translator(folder))
    twin = copy.deepcopy(model)
    assert twin.state_dict().keys() == model.state_dict().keys()
    batch = data()
    one, other = (Inference(m).predict(batch)[0]["fake"] for m in (model, twin))
    assert torch.equal(one, other)


def test_a_folder_is_also_found_among_the_weights(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(folder.parent))
    assert translator("elsewhere/epsilon").diffusion.folder == folder
    with pytest.raises(UserError, match=r"no folder with a Stable Diffusion at .*STABLE_DIFFUSION"):
        translator(tmp_path / "nothing")


def test_missing_sub_folders_are_named(own_folder):
    shutil.rmtree(own_folder / "vae")
    with pytest.raises(UserError, match="lacks the sub-folder vae"):
        translator(own_folder)
    shutil.rmtree(own_folder / "tokenizer")
    with pytest.raises(UserError, match="lacks the sub-folders vae, tokenizer"):
        translator(own_folder)


@pytest.mark.parametrize("package", ["diffusers", "transformers"])
def test_a_missing_package_names_the_extra(folder, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf'needs {package} .*pip install "i2ibench\[diffusion\]"'):
        translator(folder)


@pytest.mark.parametrize(
    "damaged",
    [
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/vocab.json",
    ],
)
@pytest.mark.parametrize("how", ["absent", "garbage"])
def test_a_damaged_part_is_named(own_folder, damaged, how):
    path = own_folder / damaged
    path.unlink()
    if how == "garbage":
        path.write_bytes(b"garbage")
    with pytest.raises(UserError, match=f"{path.parent.name} cannot be read as a part"):
        translator(own_folder)


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model", "text_encoder/model"])
def test_missing_weights_are_refused(own_folder, part):
    from safetensors.torch import load_file, save_file

    path = own_folder / f"{part}.safetensors"
    state = load_file(path)
    state.pop(sorted(state)[0])
    save_file(state, path, {"format": "pt"})
    with pytest.raises(UserError, match="lacks 1 weights"):
        translator(own_folder)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        (
            "scheduler/scheduler_config",
            {"prediction_type": "sample"},
            "prediction_type is 'sample'",
        ),
        ("vae/config", {"shift_factor": 0.1}, "not images at 1/8"),
    ],
)
def test_another_kind_of_model_is_refused(own_folder, part, changes, message):
    path = own_folder / f"{part}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(UserError, match=f"is no Stable Diffusion 1 or 2 .*{message}"):
        translator(own_folder)


def test_a_unet_of_more_inputs_is_refused(own_folder):
    unet = diffusers.UNet2DConditionModel.from_pretrained(own_folder / "unet")
    sizes = {key: unet.config[key] for key in unet.config if not key.startswith("_")}
    for changes, message in (
        ({"in_channels": 9}, "reads 9 channels and its latents have 4"),
        ({"cross_attention_dim": 16}, "texts of width 16 and its text encoder gives 8"),
        ({"class_embed_type": "timestep"}, "more than latents, time and one text"),
    ):
        changed = diffusers.UNet2DConditionModel.from_config({**sizes, **changes})
        changed.save_pretrained(own_folder / "unet")
        with pytest.raises(UserError, match=message):
            translator(own_folder)


def test_photos_of_other_channels_are_refused(folder):
    with pytest.raises(UserError, match="images of 3 channels, and the photos have 1"):
        translator(folder, image_channels=1)


def test_a_long_prompt_is_refused(folder):
    with pytest.raises(UserError, match="The prompt has 22 tokens.* reads 16"):
        translator(folder, prompt="abcdefghijklmnopqrst")


def test_wrong_settings_are_refused(folder):
    for settings, message in (
        ({"step": 3}, "no setting 'step'. Did you mean 'steps'"),
        ({"steps": 0}, "'steps' is from 1 on, not 0"),
    ):
        with pytest.raises(UserError, match=message):
            translator(folder, settings=settings)
