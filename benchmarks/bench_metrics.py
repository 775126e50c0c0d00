"""Speed of the metrics: scenes a second of each, and the Fréchet distance beside clean-fid's.

    make bench

Figures depend on the machine; compare them within one run. Weights are seeded stand-ins of the
real networks' size.
"""

import time
import warnings
from itertools import combinations

import numpy as np
import pytest
import torch
from side_by_side import in_turns, note
from torch import nn
from torchvision.models import alexnet, inception_v3, vgg16

from i2ibench.evaluation.metrics.distances import frechet_distance, kernel_score
from i2ibench.io.weights import ALEXNET, INCEPTION, VGG16
from i2ibench.registry import METRICS

SCENES = 2

CLASSES = [f"class {number}" for number in range(19)]

CASES = {
    "fid and kid, clean": {"type": "DistributionDistance"},
    "fid and kid, legacy": {
        "type": "DistributionDistance",
        "features": {"type": "InceptionFeatures", "resize": "legacy"},
    },
    "fd and kid, vgg16": {
        "type": "DistributionDistance",
        "features": {"type": "TorchvisionFeatures"},
    },
    "lpips alex": {"type": "PerceptualDistance"},
    "lpips vgg": {"type": "PerceptualDistance", "net": "vgg"},
    "diversity alex, 3 samples": {"type": "PerceptualDiversity"},
    "psnr and ssim": {"type": "PixelSimilarity"},
    "segmentation, borders and instances": {
        "type": "SegmentationScores",
        "segmenter": {"type": "CompactSegmenter"},
        "scored_classes": CLASSES,
        "scored_ids": list(range(len(CLASSES))),
        "thing_ids": {"1": 1},
    },
    "edges between objects": {"type": "InstanceEdges", "thing_ids": {"1": 1}},
    "colour diversity, 3 samples": {"type": "ColourDiversity", "classes": CLASSES},
    "crops, 4 objects": {
        "type": "ObjectDistance",
        "classes": ["road", "car"],
        "scored_ids": [0, 1],
        "thing_ids": {"1": 1},
    },
}


class Inception(nn.Module):
    """torchvision's Inception v3 where the FID network keeps its layers."""

    def __init__(self) -> None:
        super().__init__()
        network = inception_v3(weights=None, init_weights=False, aux_logits=False)
        network.fc, network.transform_input = nn.Identity(), False
        self.layers = network

    def forward(self, x):
        return self.layers(x)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for build, weights in ((alexnet, ALEXNET), (vgg16, VGG16)):
        torch.save(build(weights=None).state_dict(), folder / weights.filename)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and the official file is one
        traced = torch.jit.trace(Inception().eval(), torch.zeros(1, 3, 299, 299))
        traced.save(str(folder / INCEPTION.filename))
    return folder


@pytest.fixture(scope="module")
def scenes():
    torch.manual_seed(0)
    label = torch.zeros(1, 256, 512, dtype=torch.uint8)
    instance = torch.zeros(1, 256, 512, dtype=torch.int32)
    for i in range(4):
        label[:, 80:160, 100 * i : 100 * i + 90] = 1
        instance[:, 80:160, 100 * i : 100 * i + 90] = 1001 + i
    images = torch.randint(0, 256, (SCENES, 5, 3, 256, 512), dtype=torch.uint8)
    return [
        {
            "name": str(i), "fake": own[0], "real": own[1], "samples": own[2:],
            "label": label, "instance": instance,
        }
        for i, own in enumerate(images)
    ]  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_measure_scenes_of_512x256(benchmark, monkeypatch, weights, scenes, name):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(weights))
    metric = METRICS.build(CASES[name])
    benchmark.pedantic(metric.measure, args=(scenes,), rounds=4, warmup_rounds=1)
    benchmark.extra_info["scenes a second"] = round(SCENES / benchmark.stats["median"], 2)


def features(n, seed):
    return np.random.default_rng(seed).gamma(1, 0.4, (n, 2048))


def clean_fid_distance(x, y):
    from cleanfid.fid import frechet_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy announces that sqrtm loses an argument
        moments = [(z.mean(0), np.cov(z, rowvar=False)) for z in (x, y)]
        return frechet_distance(*moments[0], *moments[1])


def test_frechet_distance_beside_clean_fids_at_500_images(benchmark):
    """Both in turn, three times; SciPy >= 1.18 breaks clean-fid 0.1.35."""
    x, y = features(500, 0), features(500, 1)
    seconds = {frechet_distance: [], clean_fid_distance: []}
    values = {}
    for _ in range(3):
        for distance, taken in seconds.items():
            start = time.perf_counter()
            values[distance] = distance(x, y)
            taken.append(time.perf_counter() - start)
    assert values[frechet_distance] == pytest.approx(values[clean_fid_distance], rel=1e-4)
    own, other = (float(np.median(taken)) for taken in seconds.values())
    own_value, other_value = values.values()
    note(benchmark, "Frechet distance, 500 images, wall", other / own, 12, 200)
    benchmark.extra_info |= {
        "own_s": own, "clean_fid_s": other,
        "relative_difference": abs(own_value / other_value - 1),
    }  # fmt: skip
    benchmark.pedantic(frechet_distance, args=(x, y), rounds=3)


@pytest.mark.parametrize(("n", "m"), [(500, 500), (500, 2975)])
def test_kernel_distance_with_its_spread(benchmark, n, m):
    benchmark.pedantic(kernel_score, args=(features(n, 0), features(m, 1)), rounds=2)


def test_diversity_of_three_samples_beside_every_pair_by_itself(
    benchmark, monkeypatch, weights, scenes
):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(weights))
    metric = METRICS.build({"type": "PerceptualDiversity"})
    samples = scenes[0]["samples"]

    def ours():
        return metric.measure([{"samples": samples}])[0][1]

    def pair_by_pair():
        pairs = combinations(samples, 2)
        return np.mean([metric.network.distance(a, b) for a, b in pairs])

    assert ours() == pair_by_pair()
    in_turns(benchmark, ours, pair_by_pair, "LPIPS between 3 samples", 1.5, 2, rounds=3)
