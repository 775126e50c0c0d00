"""Speed of what every run does: drawing, reading, conditions, instance averages, one step.

    make bench

Figures depend on the machine; compare them within one run.
"""

import numpy as np
import pytest
import torch

from i2ibench.datasets.toystreet import ToyStreet
from i2ibench.datasets.toystreet.render import render_scene
from i2ibench.ops.labels import instance_average
from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.translators.optimizers import build_optimizers

ADAM = {"type": "Adam", "lr": 2e-4, "betas": (0.5, 0.999), "fused": True}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp("toystreet")
    return ToyStreet(str(root), num_scenes=4, width=512, height=256)


@pytest.mark.parametrize("size", [(256, 128), (512, 256), (2048, 1024)])
def test_draw_a_toystreet_scene(benchmark, size):
    benchmark.pedantic(render_scene, args=(0, 0, *size), rounds=5, warmup_rounds=1)


def test_read_a_scene(benchmark, scenes):
    benchmark(lambda: scenes[0])


def loop_average(features, instance):
    """The plain way: a loop over ids and channels."""
    result = features.clone()
    for b in range(len(features)):
        for i in np.unique(instance[b].numpy()):
            inside = instance[b, 0] == int(i)
            for c in range(features.shape[1]):
                result[b, c][inside] = features[b, c][inside].mean()
    return result


@pytest.mark.parametrize("average", [instance_average, loop_average])
def test_average_over_instances(benchmark, scenes, average):
    instance = torch.stack([scenes[i]["instance"] for i in range(4)])
    features = torch.randn(4, 3, 256, 512)
    torch.testing.assert_close(average(features, instance), loop_average(features, instance))
    benchmark(average, features, instance)


def test_condition(benchmark, scenes):
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=35)
    data = torch.utils.data.default_collate([scenes[0]])
    benchmark(preprocessor, data)


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
