"""ColourDiversity against variances that numpy takes of planted colours."""

import numpy as np
import pytest
import torch

from i2ibench.evaluation.metrics.diversity import ColourDiversity


def scene(colours, photo=None):
    """A scene of 16x8: its left half one instance, its right another; a colour each per sample."""
    instance = torch.zeros(1, 8, 16, dtype=torch.int32)
    instance[..., 8:] = 300
    samples = torch.zeros(len(colours), 3, 8, 16, dtype=torch.uint8)
    for sample, (left, right) in zip(samples, colours, strict=True):
        sample[:, :, :8], sample[:, :, 8:] = left, right
    found = {"name": "s", "label": (instance > 0).to(torch.uint8), "instance": instance}
    found |= {"samples": samples, "fake": samples[0]}
    if photo is not None:
        found["real"] = scene([photo])["samples"][0]
    return found


def scored(*scenes):
    metric = ColourDiversity(["a", "b"])
    sums = np.sum(metric.measure(scenes), axis=0)
    return {name: float(v) for name, v in metric.scores(sums).items()}


def test_equal_samples_have_no_diversity():
    assert scored(scene([(10, 200)] * 3))["div/colour"] == 0


def test_it_is_the_root_of_the_mean_variance():
    one, two = [(10, 200), (30, 200), (80, 210)], [(0, 0), (255, 0), (0, 0)]
    columns = [*zip(*one, strict=True), *zip(*two, strict=True)]
    expected = np.sqrt(np.mean([np.var(c, ddof=1) for c in columns]))
    assert scored(scene(one), scene(two))["div/colour"] == pytest.approx(expected)


def test_photos_spread_over_the_instances_of_a_class():
    scenes = [scene([(0, 0)] * 2, photo=p) for p in [(10, 90), (30, 100), (20, 200)]]
    variances = [np.var([10, 30, 20], ddof=1), np.var([90, 100, 200], ddof=1)]
    assert scored(*scenes)["div/colour_photos"] == pytest.approx(np.sqrt(np.mean(variances)))


def test_one_sample_says_nothing():
    assert np.isnan(scored(scene([(10, 200)]))["div/colour"])


def test_small_instances_do_not_count():
    found = scene([(0, 0), (0, 0)])
    found["instance"][0, 0, 0] = 9
    found["samples"][1, :, 0, 0] = 255
    metric = ColourDiversity(["a", "b"], min_area=1 / 64)
    assert metric.scores(metric.measure([found])[0])["div/colour"] < 1
