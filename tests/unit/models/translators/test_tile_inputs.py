"""Images made in tiles are those made as a whole."""

import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.registry import PREPROCESSORS, TRANSLATORS

SMALL = dict(base_channels=4, num_downsamplings=2, num_blocks=1, num_enhancer_blocks=1)
BATCH_NORM = dict(norm_type="batch", dropout=0.5, bias_before_norm=False)
PALETTE = [[0, 0, 0], [128, 64, 128], [70, 70, 70], [220, 20, 60], [0, 0, 142]]

JOINED = {
    "type": "ConditionPreprocessor",
    "condition": ["labels", "edges", "image"],
    "edges_of": "photo",
}


def translator(preprocessor=None, encoder=None, **generator):
    torch.manual_seed(0)
    own = {"type": "LabelPreprocessor"} | (preprocessor or {})
    facts = {"num_classes": 5, "palette": PALETTE}
    cfg = dict(
        type="PairedTranslator",
        generator={"type": "CoarseToFineGenerator", **SMALL, **generator},
        encoder=encoder,
    )
    built = PREPROCESSORS.build_for(own, facts)
    return TRANSLATORS.build(cfg, data_preprocessor=built).eval().requires_grad_(False)


def scenes(batch=1, height=128, width=200):
    """Return scenes with regions of classes, and all other kinds of data."""
    blobs = torch.randint(0, 5, (batch, 1, 1 + height // 16, 1 + width // 16), dtype=torch.uint8)
    label = blobs.repeat_interleave(16, 2).repeat_interleave(16, 3)[..., :height, :width]
    photo, source = torch.randint(0, 255, (2, batch, 3, height, width), dtype=torch.uint8)
    names = [f"s{i}" for i in range(batch)]
    instance = label.int() * 1000 + torch.randint(0, 2, label.shape, dtype=torch.int32)
    return {"name": names, "label": label, "instance": instance, "image": photo, "source": source}


def in_tiles(model, tile=(64, 64), precision=None):
    return Inference(model, InferenceOptions(precision, tile=tile))


@torch.inference_mode()
def both(model, data, tile, features=None, precision=None):
    """Return images in [-1, 1] as a whole and in tiles."""
    batch = model.data_preprocessor(data)
    whole = Inference(model, InferenceOptions(precision)).images(batch, features)
    tiled = in_tiles(model, tile, precision)
    found = [tiled.images(b, features) for b in (batch, tiled.prepared(data))]
    assert torch.equal(*found), "the condition was made otherwise"
    return whole, found[0]


def assert_equal(whole, tiled):
    assert whole.std() > 0.1
    torch.testing.assert_close(tiled, whole, atol=2e-5, rtol=0)


@pytest.mark.parametrize("num_enhancers", [0, 1, 2])
@pytest.mark.parametrize(
    "options",
    [{}, {"padding_mode": "reflect"}, {"upsampling": "nearest"}, {"hard_condition": True}],
)
def test_every_depth_and_border(num_enhancers, options):
    model = translator(num_enhancers=num_enhancers, **options)
    assert_equal(*both(model, scenes(), (64, 64)))


@pytest.mark.parametrize("size", [(97, 203), (64, 64), (63, 66), (30, 131), (129, 128)])
@pytest.mark.parametrize("tile", [(64, 64), (130, 64), (4096, 4096)])
def test_any_size_and_tile(size, tile):
    assert_equal(*both(translator(num_enhancers=1), scenes(1, *size), tile))


@pytest.mark.parametrize(
    "preprocessor",
    [{"boundaries": False}, {"type": "ColourPreprocessor"}, {"type": "ImagePreprocessor"}, JOINED],
    ids=["no boundaries", "colours", "another image", "labels, edges of photos and an image"],
)
def test_every_condition(preprocessor):
    data = scenes(height=100, width=150)
    assert_equal(*both(translator(preprocessor, num_enhancers=1), data, (64, 64)))


@pytest.mark.parametrize("always_train", [True, False])
def test_batch_norm_and_dropout_that_depends_on_the_scene_alone(always_train):
    model, data = translator(**BATCH_NORM, always_train=always_train), scenes(batch=2)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    model.generator.train()(model.data_preprocessor(data)["condition"])
    model.eval()
    before = model.generator.coarse[2].running_mean.clone()
    in_tiles(model).predict(data)
    assert torch.equal(model.generator.coarse[2].running_mean, before)
    assert_equal(*both(model, data, (64, 64)))


def test_styles_are_kept():
    encoder = dict(type="InstanceEncoder", base_channels=4, num_downsamplings=1)
    model, data = translator(num_enhancers=1, encoder=encoder), scenes(2, 90, 141)
    bank = model.style_bank
    bank.centres.copy_(torch.rand(bank.centres.shape) * 2 - 1)
    bank.counts.fill_(3)
    styles = Inference(model).sample_styles(model.data_preprocessor(data))
    whole, tiled = both(model, data, (64, 64), styles)
    assert_equal(whole, tiled)
    zeros = both(model, data, (64, 64), torch.zeros_like(styles))[1]
    assert (zeros - tiled).abs().mean() > 0.01
    for options in ({}, {"encode_photo": True}, {"sample": 1}):
        pictures = []
        for tile in (None, (64, 64)):
            predictions = in_tiles(model, tile).predict(data, **options)
            pictures.append(torch.stack([p["fake"] for p in predictions]))
        difference = (pictures[0].int() - pictures[1].int()).abs()
        assert difference.max() <= 1 and (difference > 0).float().mean() < 1e-3


@pytest.mark.parametrize("num_downsamplings", [0, 1, 2])
def test_features_of_photos_are_kept(num_downsamplings):
    encoder = dict(type="InstanceEncoder", base_channels=4, num_downsamplings=num_downsamplings)
    model = translator(num_enhancers=1, encoder=encoder)
    batch = model.data_preprocessor(scenes(2, 90, 141))
    with torch.inference_mode():
        whole = Inference(model).encode(batch)
        torch.testing.assert_close(in_tiles(model).encode(batch), whole, atol=2e-5, rtol=0)
    assert whole.std() > 0.01


def test_bf16_in_tiles_is_as_close_as_bf16_is():
    model, data = translator(num_enhancers=1), scenes()
    exact, _ = both(model, data, (64, 64))
    whole, tiled = both(model, data, (64, 64), precision="bf16")
    assert 0 < (tiled - exact).abs().mean() < 1.5 * (whole - exact).abs().mean()


def test_the_moments_of_parts_are_those_of_the_whole_far_from_zero():
    from i2ibench.models.layers.tiles import _moments

    x = torch.randn(2, 3, 40, 60) + torch.tensor([0.0, 100, -1000]).view(1, 3, 1, 1)
    for dims in ((2, 3), (0, 2, 3)):
        mean, variance = _moments(iter(x.split(7, dim=3)), dims)
        expected = torch.var_mean(x.double(), dims, correction=0, keepdim=True)
        torch.testing.assert_close(variance, expected[0], rtol=1e-4, atol=0)
        torch.testing.assert_close(mean, expected[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("tile", "generator", "way_out"),
    [
        ((512, 63), {}, "512x64"),
        ((32, 130), {}, "64x130"),
        ((129, 128), {}, "130x128"),
        ((64, 64), {"type": "UNetGenerator"}, "--amp bf16"),
        ((64, 64), {"type": "CRNGenerator"}, "--amp bf16"),
        ((64, 64), {"num_downsamplings": 0}, "num_downsamplings"),
    ],
)
def test_methods_and_sizes_that_cannot_work_in_tiles_are_refused(tile, generator, way_out):
    small = {} if "type" in generator else {**SMALL}
    cfg = dict(type="PairedTranslator",
               generator={"type": "CoarseToFineGenerator", **small, **generator})  # fmt: skip
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=5)
    model = TRANSLATORS.build(cfg, data_preprocessor=preprocessor).eval()
    with pytest.raises(UserError, match=way_out):
        in_tiles(model, tile)


def test_tiles_and_compiled_networks_exclude_each_other():
    with pytest.raises(UserError, match="leave --compile or --tile out"):
        InferenceOptions(compile_mode="default", tile=(64, 64))
