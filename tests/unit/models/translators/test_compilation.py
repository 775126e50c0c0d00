"""Compiled networks and losses: the same numbers under the same names, without graph breaks."""

import copy

import pytest
import torch
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from i2ibench.errors import UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.models.discriminators import MultiScaleDiscriminator, PatchDiscriminator
from i2ibench.models.encoders import InstanceEncoder
from i2ibench.models.generators import CoarseToFineGenerator, CRNGenerator, UNetGenerator
from i2ibench.models.layers.imagenet_features import FeatureTaps
from i2ibench.models.losses import FeatureMatching, PerceptualLoss, perceptual
from i2ibench.models.translators.compilation import (
    is_compiled,
    require_compiler,
)
from i2ibench.structures import Step
from tests.unit.models.translators.test_paired import data, optimizers, translator
from tests.unit.models.translators.test_updates import pieces

# torch.compile looks at it itself, of tensors that have none.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")

EXACT = {"backend": "aot_eager", "fullgraph": True}
"""Everything that compiling does but for writing code: derived gradients, no operator joined."""

LOCAL = dict(
    type="CoarseToFineGenerator", base_channels=4, num_enhancers=1, num_downsamplings=2,
    num_blocks=1, num_enhancer_blocks=1,
)  # fmt: skip
UNET = dict(type="UNetGenerator", num_levels=5, base_channels=4, norm_type="batch")


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    torch._dynamo.reset()


def pair(**changes):
    """Return a plain and a compiled system of equal weights."""
    parts = ["generator", "discriminator", "losses.feature_matching"]
    parts += ["encoder"] if changes.get("encoder", True) else []
    return translator(**changes), translator(**changes, compiled=dict.fromkeys(parts, EXACT))


SYSTEMS = {
    "joint": {},
    "accumulated, D first": {"discriminator_first": True},
    "frozen part, checkpointed parts": {
        "generator": {**LOCAL, "checkpointed": ["coarse", "head"]},
        "frozen": ["generator.coarse"],
    },
    "U-Net, batch norms": {"generator": UNET, "encoder": None, "discriminator": dict(
        type="PatchDiscriminator", base_channels=4, norm_type="batch")},
}  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_compiled_system_takes_the_same_steps(system):
    plain, compiled = pair(**SYSTEMS[system])
    assert list(plain.state_dict()) == list(compiled.state_dict())
    batch = data(batch=2)
    batch = pieces(batch, 1) if "accumulated" in system else batch
    wrappers = (plain, optimizers(plain)), (compiled, optimizers(compiled))
    for _ in range(2):
        logs = [seeded_step(*own, batch) for own in wrappers]
        torch.testing.assert_close(*logs, rtol=1e-5, atol=1e-6)
    for name, value in plain.state_dict().items():
        own = compiled.state_dict()[name]
        torch.testing.assert_close(own, value, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_a_copy_has_the_weights_and_is_not_compiled():
    """Copy a system on the meta device, as the checks before a run do."""
    compiled = translator(compiled={"generator": {"backend": "eager"}})
    twin = copy.deepcopy(compiled)
    assert is_compiled(compiled.generator) and not is_compiled(twin.generator)
    twin.load_state_dict(compiled.state_dict())
    x = torch.randn(1, 9, 32, 64)
    torch.testing.assert_close(twin.generator(x), compiled.generator(x))


def seeded_step(model, wrappers, batch):
    torch.manual_seed(1)  # of dropout
    return model.train_step(batch, wrappers)


def test_the_discriminators_convolutions_are_left_out():
    """Check that autograd can skip their weights' gradients in the generator's update."""
    compiled = translator(compiled={"discriminator": EXACT})
    for scale in compiled.discriminator.scales:
        rests = [layer.rest for layer in scale.layers[1:-1]]
        assert all(is_compiled(rest) for rest in rests)
        convolutions = [m for m in scale.modules() if isinstance(m, nn.Conv2d)]
        assert not any(is_compiled(m) for m in (scale, *scale.layers, *convolutions))
        assert not any(isinstance(m, nn.Conv2d) for rest in rests for m in rest.modules())


def scene(channels):
    return torch.randn(1, channels, 32, 64)


NETWORKS = {
    "coarse to fine": lambda: (
        CoarseToFineGenerator(4, base_channels=4, num_enhancers=1, num_downsamplings=2,
                              num_blocks=1), scene(4)),
    "checkpointed": lambda: (
        CoarseToFineGenerator(4, base_channels=4, num_downsamplings=2, num_blocks=1,
                              checkpointed=["coarse", "head"]), scene(4)),
    "U-Net": lambda: (UNetGenerator(4, num_levels=5, base_channels=4), scene(4)),
    "CRN": lambda: (CRNGenerator(4, height=32, max_channels=8), scene(4)),
    "patches": lambda: (PatchDiscriminator(7, base_channels=4), scene(7)),
    "scales": lambda: (MultiScaleDiscriminator(7, num_scales=2, base_channels=4), scene(7)),
    "encoder": lambda: (InstanceEncoder(base_channels=4, num_downsamplings=1).layers, scene(3)),
    "feature matching": lambda: (FeatureMatching(), step()),
    "perceptual": lambda: (random_perceptual(), step()),
}  # fmt: skip


def step():
    discriminator = MultiScaleDiscriminator(7, num_scales=2, base_channels=4)
    fake, real = scene(3).requires_grad_(), scene(3)
    condition = scene(4)
    return Step(condition, fake, real, *discriminator.of_several(condition, [fake, real]))


def random_perceptual():
    with pytest.MonkeyPatch.context() as patch:
        random_vgg19 = lambda name, taps, weights: FeatureTaps(make_layers(cfgs["E"]), taps)  # noqa: E731
        patch.setattr(perceptual, "pretrained_features", random_vgg19)
        return PerceptualLoss()


@pytest.mark.parametrize("kind", NETWORKS)
def test_there_is_no_graph_break(kind):
    network, x = NETWORKS[kind]()
    found = torch._dynamo.explain(network)(x)
    assert (found.graph_count, found.graph_break_count) == (1, 0), found.break_reasons


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        ({"generatr": {}}, "no part 'generatr' to compile. Did you mean 'generator'"),
        ({"generator.coarse": {}}, "Parts: generator, encoder, discriminator, losses.feature"),
        ({"generator": {"moed": "default"}}, "no option 'moed'.*Did you mean 'mode'"),
        ({"generator": {"mode": "fast"}}, "compiled.generator.*mode=fast"),
        ({"encoder": {"backend": "inducktor"}}, "Invalid backend: 'inducktor'"),
        ({"generator": "default"}, "dict of torch.compile's options, not 'default'"),
    ],
)
def test_a_wrong_part_or_option_is_refused(compiled, message):
    with pytest.raises(UserError, match=message):
        translator(compiled=compiled)


def test_a_machine_without_a_compiler_is_refused_before_any_work(monkeypatch):
    def broken(graph, inputs):
        raise RuntimeError("no g++")

    with pytest.raises(UserError, match=r"does not work here on the cpu.*no g\+\+"):
        require_compiler({"generator": {"backend": broken}}, "cpu")
    monkeypatch.setattr(torch, "compile", lambda *_, **options: nn.Identity())
    require_compiler({"generator": {"mode": "default"}}, "cpu")


def test_compiled_translations_of_any_size_are_the_same(monkeypatch):
    model = translator(encoder=None).eval()
    batches = [data(height=h, width=w) for h, w in ((32, 64), (33, 61), (64, 96))]
    expected = [Inference(model).predict(batch)[1]["fake"] for batch in batches]
    own = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self, mode: own(self, **EXACT))
    monkeypatch.setattr("i2ibench.inference.inference.require_compiler", lambda *arguments: None)
    compiled = Inference(model, InferenceOptions(compile_mode="default"))
    assert is_compiled(model.generator)
    for batch, image in zip(batches, expected, strict=True):
        again = compiled.predict(batch)[1]["fake"]
        assert (again.int() - image.int()).abs().max() <= 1
