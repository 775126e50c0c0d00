"""FID and KID of images: the features are clean-fid's, and the names are true."""

import warnings

import numpy as np
import pytest
import torch
from cleanfid import fid as clean_fid
from cleanfid.inception_torchscript import InceptionV3W
from PIL import Image
from torch import nn
from torchvision.models import resnet18

from i2ibench.errors import UserError
from i2ibench.evaluation.metrics import DistributionDistance
from i2ibench.evaluation.metrics.distances import frechet_distance
from i2ibench.io.provenance import sha256
from i2ibench.io.weights import ALEXNET, INCEPTION, PretrainedWeights
from tests.unit.evaluation.metrics.conftest import save_script
from tests.unit.evaluation.metrics.test_distances import SQRTM_HAS_DISP

CPU = torch.device("cpu")


def scored(metric, predictions, kinds=("fake", "real")):
    rows, reference = (
        np.concatenate(metric.measure([{"name": "", "fake": p[kind]} for p in predictions]))
        for kind in kinds
    )
    return metric.set_scores(rows, reference)


def save_folder(folder, predictions, kind):
    folder.mkdir()
    for p in predictions:
        Image.fromarray(p[kind].permute(1, 2, 0).numpy()).save(folder / f"{p['name']}.png")
    return str(folder)


@pytest.fixture
def folders(tmp_path, predictions):
    return [save_folder(tmp_path / kind, predictions, kind) for kind in ("fake", "real")]


def clean_fid_features(folder, network, mode):
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clean_fid.get_folder_features(
            folder, network, num_workers=0, device=CPU, mode=mode, verbose=False
        )


@pytest.mark.parametrize(("resize", "mode"), [("clean", "clean"), ("legacy", "legacy_pytorch")])
def test_features_are_clean_fids_of_the_saved_images(inception, predictions, folders, resize, mode):
    def network(x):
        return inception.layers((x - 128) / 128)

    metric = DistributionDistance({"type": "InceptionFeatures", "resize": resize})
    rows = np.concatenate(metric.measure(predictions))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, clean_fid_features(folders[0], network, mode), atol=2e-6)


def test_features_are_those_of_clean_fids_own_wrapper(weights_folder, predictions):
    class Wide(nn.Module):  # the wrapper demands 2048 features
        def __init__(self):
            super().__init__()
            convolution = nn.Conv2d(3, 8, 1)
            self.layers = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(16), nn.Flatten())

        def forward(self, x):
            return self.layers(x)

    save_script(Wide(), weights_folder / INCEPTION.filename)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapper = InceptionV3W(str(weights_folder), download=False, resize_inside=False)
    metric = DistributionDistance()
    rows = np.concatenate(metric.measure(predictions))
    resize = clean_fid.build_resizer("clean")
    small = np.stack([resize(p["fake"].permute(1, 2, 0).numpy()) for p in predictions])
    expected = wrapper(torch.from_numpy(small).permute(0, 3, 1, 2)).detach()
    np.testing.assert_allclose(rows, expected, atol=2e-6)


@pytest.mark.skipif(not SQRTM_HAS_DISP, reason="clean-fid 0.1.35 needs SciPy < 1.18")
def test_frechet_distance_of_two_folders_is_clean_fids(tmp_path, predictions, folders):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    save_script(network, tmp_path / "four.pt")
    metric = DistributionDistance(
        {"type": "TorchScriptFeatures", "weights": str(tmp_path / "four.pt")}
    )
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = clean_fid.compute_fid(
            *folders, custom_feat_extractor=network, device=CPU, num_workers=0, verbose=False
        )
    assert scored(metric, predictions)["fd_four"].value == pytest.approx(expected, rel=1e-4)


def test_kernel_distance_of_two_folders_is_clean_fids(inception, predictions, folders):
    def network(x):
        return inception.layers((x - 128) / 128)

    x, y = (clean_fid_features(folder, network, "clean") for folder in folders)
    expected = clean_fid.kernel_distance(x, y, num_subsets=1)
    value = scored(DistributionDistance(), predictions)[f"kid_{INCEPTION.filename[:-3]}"].value
    assert value == pytest.approx(expected, rel=1e-4)


def test_features_depend_on_no_neighbour_and_no_order(inception, predictions):
    metric = DistributionDistance()
    together = metric.measure(predictions)
    alone = [metric.measure([p])[0] for p in reversed(predictions)]
    assert all(np.array_equal(a, b) for a, b in zip(together, reversed(alone), strict=True))


def test_images_are_at_distance_zero_from_themselves(inception, predictions):
    scores = scored(DistributionDistance(), predictions, ("real", "real"))
    assert scores[f"fd_{INCEPTION.filename[:-3]}"].value == pytest.approx(0, abs=1e-9)


def test_another_file_in_inceptions_place_never_gives_a_fid(inception, predictions):
    for resize, ending in (("clean", ""), ("legacy", "_legacy")):
        metric = DistributionDistance({"type": "InceptionFeatures", "resize": resize})
        names = {f"{kind}_inception-2015-12-05{ending}" for kind in ("fd", "kid")}
        assert set(metric.better) == set(scored(metric, predictions)) == names


@pytest.mark.parametrize(("resize", "ending"), [("clean", ""), ("legacy", "_legacy")])
def test_the_published_file_gives_fid_and_kid_under_any_file_name(
    inception, weights_folder, monkeypatch, resize, ending
):
    file = (weights_folder / INCEPTION.filename).rename(weights_folder / "renamed.pt")
    monkeypatch.setattr(PretrainedWeights, "is_genuine", lambda self, path: path == file)
    cfg = {"type": "InceptionFeatures", "weights": str(file), "resize": resize}
    assert set(DistributionDistance(cfg).better) == {f"fid{ending}", f"kid{ending}"}


def test_a_file_is_genuine_by_its_hash_alone(tmp_path):
    path = tmp_path / "inception-2015-12-05.pt"
    path.write_bytes(b"weights")
    fields = {"name": "", "filename": "", "purpose": "", "obtain": "", "licence": ""}
    assert PretrainedWeights(**fields, sha256=sha256(path)).is_genuine(path)
    assert not INCEPTION.is_genuine(path)
    assert not PretrainedWeights(**fields).is_genuine(path)


def test_a_torchscript_file_gives_its_name_and_none_that_is_taken(tmp_path, predictions):
    network = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    save_script(network, tmp_path / "pooled.pt")
    cfg = {"type": "TorchScriptFeatures", "weights": str(tmp_path / "pooled.pt"), "size": 64}
    assert set(scored(DistributionDistance(cfg), predictions)) == {"fd_pooled", "kid_pooled"}
    with pytest.raises(UserError, match="Rename"):
        DistributionDistance({"type": "TorchScriptFeatures", "weights": "legacy.pt"})


def test_torchvision_features_are_one_layer_of_the_network_averaged(trunk, predictions):
    """The file holds the convolutions alone; nothing behind the layer is asked for."""
    metric = DistributionDistance({"type": "TorchvisionFeatures", "name": "alexnet"})
    rows = np.concatenate(metric.measure(predictions[:2]))
    resize = clean_fid.make_resizer("PIL", False, "bicubic", (224, 224))
    small = np.stack([resize(p["fake"].permute(1, 2, 0).numpy()) for p in predictions[:2]])
    mean, deviation = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    x = torch.from_numpy((small / 255 - mean) / deviation).permute(0, 3, 1, 2).float()
    expected = trunk.eval().features[:12](x).mean((2, 3)).detach()
    np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-6)
    assert set(metric.better) == {"fd_alexnet", "kid_alexnet"}


def test_own_weights_and_layers_of_torchvision_networks_are_named(tmp_path, predictions):
    path = tmp_path / "mine.pth"
    torch.save(resnet18(weights=None).state_dict(), path)
    cfg = {"type": "TorchvisionFeatures", "name": "resnet18", "weights": str(path)}
    metric = DistributionDistance({**cfg, "layer": "layer4"})
    assert metric.measure(predictions[:1])[0].shape == (1, 512)
    assert set(metric.better) == {"fd_resnet18_layer4_mine", "kid_resnet18_layer4_mine"}
    with pytest.raises(UserError, match="needs weights and layer"):
        DistributionDistance(cfg)
    with pytest.raises(UserError, match="layer9"):
        DistributionDistance({**cfg, "layer": "layer9"}).measure(predictions[:1])


def test_weights_that_do_not_fit_the_network_are_refused(weights_folder, predictions):
    torch.save({"features.0.weight": torch.zeros(1)}, weights_folder / ALEXNET.filename)
    metric = DistributionDistance({"type": "TorchvisionFeatures", "name": "alexnet"})
    with pytest.raises(UserError, match="cannot be used as alexnet"):
        metric.measure(predictions[:1])
    (weights_folder / INCEPTION.filename).write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot be read as TorchScript"):
        DistributionDistance().measure(predictions[:1])


def test_a_file_without_inceptions_layers_is_refused(weights_folder, predictions):
    save_script(nn.Flatten(), weights_folder / INCEPTION.filename)
    with pytest.raises(UserError, match="is not the FID Inception"):
        DistributionDistance().measure(predictions[:1])


def test_missing_weights_leave_the_metric_uncomputed_with_the_way_out(weights_folder):
    assert "i2ibench get fid" in DistributionDistance().unavailable
    assert set(DistributionDistance().better) == {"fid", "kid"}
    elsewhere = DistributionDistance({"type": "InceptionFeatures", "weights": "nowhere.pt"})
    assert elsewhere.unavailable == "There are no weights at nowhere.pt."
    vgg = DistributionDistance({"type": "TorchvisionFeatures"})
    assert "vgg16-397923af.pth" in vgg.unavailable


def test_a_misspelt_feature_network_is_named_with_the_near_match():
    with pytest.raises(UserError, match="Did you mean 'InceptionFeatures'"):
        DistributionDistance({"type": "InceptionFeature"})
    with pytest.raises(UserError, match="'sharp'"):
        DistributionDistance({"type": "InceptionFeatures", "resize": "sharp"})


def test_the_legacy_resizer_leaves_warnings_on(inception, predictions):
    before = list(warnings.filters)
    DistributionDistance({"type": "InceptionFeatures", "resize": "legacy"}).measure(predictions[:1])
    assert warnings.filters == before


def test_shuffled_images_score_the_same(inception, predictions):
    """The distances are blind to the condition; that is why they never stand alone."""
    metric = DistributionDistance()
    rows = np.concatenate(metric.measure(predictions)).astype(float)
    shifted = np.concatenate(metric.measure(predictions[1:] + predictions[:1])).astype(float)
    assert frechet_distance(rows, shifted) == pytest.approx(0, abs=1e-9)
