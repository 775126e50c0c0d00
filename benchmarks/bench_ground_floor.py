"""Milliseconds of what every run does: drawing a scene, reading it, and a step of the demo.

    make bench

Figures depend on the machine; compare them within one run.
"""

import pytest
import torch

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.data.toystreet.render import render_scene
from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.training.optimizers import build_optimizers

ADAM = {"type": "Adam", "lr": 2e-4, "betas": (0.5, 0.999), "fused": True}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp("toystreet")
    return drawn_streets(root, num_scenes=4, width=512, height=256)


@pytest.mark.parametrize("size", [(256, 128), (512, 256), (2048, 1024)])
def test_draw_a_toystreet_scene(benchmark, size):
    benchmark.pedantic(render_scene, args=(0, 0, *size), rounds=5, warmup_rounds=1)


def test_read_a_scene(benchmark, scenes):
    benchmark(lambda: scenes[0])


def test_training_step_of_the_demo(benchmark, scenes):
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=35)
    model = dict(
        type="PairedTranslator",
        generator=dict(
            type="CoarseToFineGenerator", num_enhancers=1, base_channels=16, num_downsamplings=3,
            num_blocks=4, num_enhancer_blocks=2,
        ),
        discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=32),
        encoder=dict(type="InstanceEncoder", base_channels=8, num_downsamplings=2),
        adversarial=dict(type="LeastSquaresGAN"),
        losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),
    )  # fmt: skip
    translator = TRANSLATORS.build(model, data_preprocessor=preprocessor)
    optimizers = build_optimizers(translator.networks(), {"generator": ADAM, "discriminator": ADAM})
    data = torch.utils.data.default_collate([scenes[0]])
    benchmark.pedantic(translator.train_step, args=(data, optimizers), rounds=5, warmup_rounds=2)
