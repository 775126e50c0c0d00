"""Parameter counts of the published networks (REFERENCE of the released code)."""

import pytest
import torch

from i2ibench.registry import DISCRIMINATORS, ENCODERS, GENERATORS


def count(registry, options, **derived):
    with torch.device("meta"):
        return sum(p.numel() for p in registry.build(options, **derived).parameters())


@pytest.mark.parametrize(
    ("options", "channels", "expected"),
    [
        ({}, 36, 182_546_755),
        ({}, 35, 182_543_619),
        ({}, 39, 182_556_163),
        ({}, 3, 182_443_267),
        ({"num_downsamplings": 3}, 36, 45_696_835),
        ({"norm_type": "batch"}, 36, 182_589_507),
        ({"base_channels": 32, "num_enhancers": 1}, 36, 182_857_059),
        ({"base_channels": 32, "num_enhancers": 1}, 39, 182_871_171),
        ({"base_channels": 16, "num_enhancers": 2}, 36, 182_947_699),
        ({"base_channels": 32, "num_enhancers": 2}, 36, 731_346_659),
    ],
)
def test_coarse_to_fine_generator(options, channels, expected):
    options = {"type": "CoarseToFineGenerator", **options}
    assert count(GENERATORS, options, in_channels=channels) == expected


@pytest.mark.parametrize(
    ("options", "channels", "expected"),
    [
        ({"num_scales": 1}, 39, 2_801_601),
        ({"num_scales": 2}, 39, 5_603_202),
        ({"num_scales": 3}, 39, 8_404_803),
        ({"num_scales": 3}, 38, 8_401_731),
        ({"num_scales": 2}, 6, 5_535_618),
        ({"num_scales": 2, "norm_type": "batch"}, 39, 5_606_786),
        ({"num_scales": 1, "num_layers": 4}, 39, 6_996_417),
        ({"num_scales": 3, "num_layers": 5}, 39, 33_573_699),
    ],
)
def test_multi_scale_discriminator(options, channels, expected):
    options = {"type": "MultiScaleDiscriminator", **options}
    assert count(DISCRIMINATORS, options, in_channels=channels) == expected


@pytest.mark.parametrize(
    ("options", "channels", "expected"),
    [
        ({}, 3, 54_413_955),
        ({}, 1, 54_411_907),
        ({}, 35, 54_446_723),
        ({}, 36, 54_447_747),
        ({"num_levels": 7}, 3, 41_828_995),
        ({"num_levels": 9}, 3, 66_998_915),
        ({"num_levels": 10}, 3, 79_583_875),
        ({"norm_type": "instance"}, 3, 54_409_603),
    ],
)
def test_unet_generator(options, channels, expected):
    assert count(GENERATORS, {"type": "UNetGenerator", **options}, in_channels=channels) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"height": 256, "num_outputs": 9}, 97_875_483),
        ({"height": 512}, 98_622_851),
        ({"height": 1024}, 98_674_531),
    ],
)
def test_refinement_generator(options, expected):
    options = {"type": "CRNGenerator", **options}
    assert count(GENERATORS, options, in_channels=20) == expected


@pytest.mark.parametrize(
    ("channels", "expected"), [(6, 2_768_705), (38, 2_801_473), (39, 2_802_497)]
)
def test_pix2pix_patch_discriminator(channels, expected):
    options = {"type": "PatchDiscriminator", "padding": 1, "norm_type": "batch"}
    options["bias_before_norm"] = False
    assert count(DISCRIMINATORS, options, in_channels=channels) == expected


def test_instance_encoder():
    assert count(ENCODERS, {"type": "InstanceEncoder"}) == 788_803


@pytest.mark.parametrize(
    ("name", "channels", "expected"),
    [
        ("SPADEGenerator", 35, 93_018_051),
        ("SPADEGenerator", 36, 93_048_003),
        ("SPADEGenerator", 151, 96_492_483),
        ("OASISGenerator", 35, 71_107_523),
        ("OASISGenerator", 151, 74_314_691),
    ],
)
def test_contributed_generators(name, channels, expected):
    """Counted here: no published figure could be had to hold them against."""
    assert count(GENERATORS, {"type": name}, in_channels=channels) == expected


@pytest.mark.parametrize(("classes", "expected"), [(35, 22_249_636), (151, 22_257_176)])
def test_segmentation_discriminator(classes, expected):
    options = {"type": "SegmentationDiscriminator"}
    assert count(DISCRIMINATORS, options, num_classes=classes) == expected


def test_resnet_9_blocks():
    """11,388,675 is printed in junyanz/pytorch-CycleGAN-and-pix2pix issue 45, whose instance norms
    had a scale and a shift; the released default and ours have none."""
    normalised = 64 + 128 + 256 + 18 * 256 + 128 + 64
    options = {"type": "ResNet9Generator"}
    assert count(GENERATORS, options, in_channels=3) == 11_388_675 - 2 * normalised


def test_spectral_norm_adds_no_parameters():
    inner = {"type": "MultiScaleDiscriminator", "num_scales": 2}
    options = {"type": "SpectralNormDiscriminator", "discriminator": inner}
    expected = count(DISCRIMINATORS, inner, in_channels=39)
    assert count(DISCRIMINATORS, options, in_channels=39) == expected == 5_603_202
