"""Every config loads, builds on the meta device and has no option that a part lacks."""

from pathlib import Path

import pytest
import torch

from i2ibench.apps.study.define.definition import load_definition
from i2ibench.apps.study.define.design import Design
from i2ibench.data.classes import CITYSCAPES_CLASSES, class_table
from i2ibench.errors import UserError
from i2ibench.models.translators.build import build_translator
from i2ibench.registry import DATASETS, TRANSFORMS, check_options
from i2ibench.registry.configuration import list_stages, load_config
from i2ibench.testing.network_files import write_stable_diffusion
from i2ibench.training.optimizers import build_optimizers
from i2ibench.training.previous_stage import previous_stage_weights
from i2ibench.training.stage import build_hooks

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.py"))
STUDIES = sorted((Path(__file__).parents[2] / "configs" / "studies").glob("*.py"))
every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)


def without_vgg(config):
    """VGG's weights cannot be had in tests; its options are checked in the contract tests."""
    for name in ("perceptual", "refinement"):
        config.model.get("losses", {}).pop(name, None)
    return config


def metainfo(config):
    classes = config.train_dataloader.dataset.get("classes")
    if classes is None:
        return CITYSCAPES_CLASSES.metainfo("x")
    return class_table(classes).metainfo("x")


@every_config
def test_a_config_builds_its_translator_optimizers_and_hooks(path, tmp_path, monkeypatch):
    if "$STABLE_DIFFUSION_ROOT" in path.read_text():
        monkeypatch.setenv("STABLE_DIFFUSION_ROOT", str(write_stable_diffusion(tmp_path)))
    before = {}
    for stage in list_stages(load_config(path)):
        config = without_vgg(stage)
        with torch.device("meta"):
            translator = build_translator(config, metainfo(config))
        assert build_optimizers(translator.networks(), config.optimizers)
        assert build_hooks(config.hooks)
        previous_stage_weights(translator, before)
        before = translator.state_dict()


@every_config
def test_a_configs_data_sets_take_their_options(path):
    config = load_config(path)
    for loader in (config.train_dataloader, config.val_dataloader):
        options = dict(loader.dataset)
        check_options(DATASETS.find(options.pop("type")), {"root": "x", **options})
        for transform in options.get("transforms", []):
            TRANSFORMS.build(transform)


@every_config
def test_a_config_is_a_few_lines(path):
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) <= 40 and lines[0].startswith('"""')


def test_the_full_size_system_translates_2048x1024_on_meta():
    config = without_vgg(load_config(CONFIGS[0].parent / "pix2pixhd_cityscapes.py"))
    with torch.device("meta"):
        translator = build_translator(config, metainfo(config))
        condition = torch.zeros(1, 36, 1024, 2048)
        fake = translator(condition)
        scales = translator.discriminator(torch.cat([condition, fake], 1))
    assert fake.shape == (1, 3, 1024, 2048)
    assert len(scales) == 3 and [len(s) for s in scales] == [5, 5, 5]


def write(tmp_path, text):
    path = tmp_path / "c.py"
    path.write_text(text)
    return path


def test_an_unknown_key_is_refused_with_the_near_match(tmp_path):
    with pytest.raises(UserError, match="unknown key 'modle'. Did you mean 'model'"):
        load_config(write(tmp_path, "modle = dict()"))


def test_a_misspelt_override_is_refused(tiny_config):
    with pytest.raises(UserError, match="unknown key 'trian_cfg'. Did you mean 'train_cfg'"):
        load_config(tiny_config, {"trian_cfg.max_epochs": 2})


def test_a_config_that_is_not_there_names_the_near_match():
    with pytest.raises(UserError, match="Did you mean 'pix2pixhd_toystreet'"):
        load_config(Path("configs/pix2pixhd_toystret.py"))


def test_a_config_with_an_error_is_reported(tmp_path):
    with pytest.raises(UserError, match="cannot be loaded"):
        load_config(write(tmp_path, "model = dict("))


def test_a_lacking_key_is_named(tmp_path):
    with pytest.raises(UserError, match="lacks the key 'data_preprocessor'"):
        load_config(write(tmp_path, "model = dict()"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_a_study_is_a_few_lines_and_can_be_planned(path):
    definition = load_definition(path)
    scenes = [f"scene_{i}" for i in range(definition.scenes.number or 500)]
    assert Design(definition, scenes, next(iter(definition.methods))).plan(0)
    assert len(path.read_text().splitlines()) <= 30
