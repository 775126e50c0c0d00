"""ESPNet and ESPNetv2: published sizes, weights files, settings that follow from them."""

import pytest
import torch
import torch.nn.functional as F
from i2ibench_plugins.espnet import _ESP, CAMVID, CITYSCAPES, ESPNet, ESPNetwork
from i2ibench_plugins.espnetv2 import _EESP, ESPNetv2, ESPNetv2Network, _dilations
from torch import nn

from i2ibench.errors import MissingWeightsError, UserError

CLASSES = [f"class {row}" for row in range(11)]
IMAGES = torch.randint(0, 255, (1, 3, 32, 48), dtype=torch.uint8)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def randomised(network: nn.Module) -> nn.Module:
    """The network with running statistics and slopes that are not the initial ones."""
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(value + torch.rand_like(value) * 0.1)
    return network


def saved(network: nn.Module, path):
    torch.save(randomised(network).state_dict(), path)
    return str(path)


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (lambda: ESPNetwork(20, fuses_image=False), 364_569),
        (lambda: ESPNetwork(12, fuses_image=True), 354_517),
        (lambda: ESPNetv2Network(20, 32, 128), 789_242),
        (lambda: ESPNetv2Network(20, 32, 96), 468_362),
    ],
)
def test_the_networks_have_as_many_parameters_as_the_released_weights(network, parameters):
    assert count(network()) == parameters


def test_dilations_grow_by_one_and_stay_within_the_largest_kernel():
    assert _dilations(9) == [1, 2, 3, 4]
    assert _dilations(7) == [1, 1, 2, 3]
    assert _dilations(3) == [1, 1, 1, 1]


def test_an_esp_module_adds_each_dilations_output_to_those_before_it():
    block, x = randomised(_ESP(12, 12)).eval(), torch.randn(2, 12, 9, 11)
    reduced = F.conv2d(x, block.c1.conv.weight)
    one, two, four, eight, sixteen = (
        F.conv2d(reduced, getattr(block, f"d{d}").conv.weight, padding=d, dilation=d)
        for d in (1, 2, 4, 8, 16)
    )
    sums = [two, two + four, two + four + eight, two + four + eight + sixteen]
    assert one.shape[1] == 4 and two.shape[1] == 2, "12 = 4 + 4 * 2"
    torch.testing.assert_close(block(x), block.bn(x + torch.cat([one, *sums], 1)))


def test_an_eesp_module_sums_from_the_first_branch_on_and_keeps_its_input():
    block, x = randomised(_EESP(16, 16, largest_kernel=7)).eval(), torch.randn(2, 16, 9, 11)
    narrow, total, sums = block.proj_1x1(x), 0, []
    for conv, dilation in zip(block.spp_dw, (1, 1, 2, 3), strict=True):
        weight = conv.conv.weight
        total = total + F.conv2d(narrow, weight, padding=dilation, dilation=dilation, groups=4)
        sums.append(total)
    expanded = block.conv_1x1_exp(block.br_after_cat(torch.cat(sums, 1)))
    torch.testing.assert_close(block(x), F.prelu(x + expanded, block.module_act.weight))


@pytest.mark.parametrize("fuses_image", [True, False])
@pytest.mark.parametrize(("level2", "level3"), [(2, 8), (2, 3), (1, 2)])
def test_espnets_depth_and_fusion_are_read_off_the_weights(tmp_path, fuses_image, level2, level3):
    network = ESPNetwork(12, level2, level3, fuses_image)
    segmenter = ESPNet(CLASSES, weights=saved(network, tmp_path / "x.pth")).eval()
    assert segmenter.weights_file == tmp_path / "x.pth"
    prepared = CAMVID.prepared(IMAGES.float())
    torch.testing.assert_close(segmenter.logits(IMAGES), network.eval()(prepared))


@pytest.mark.parametrize(("half", "quarter"), [(16, 32), (32, 96)])
def test_espnetv2s_width_is_read_off_the_weights(tmp_path, half, quarter):
    network = ESPNetv2Network(12, half, quarter)
    segmenter = ESPNetv2(CLASSES, weights=saved(network, tmp_path / "x.pth")).eval()
    assert count(segmenter) == count(network)
    assert segmenter(IMAGES).max() <= 11
    for name, value in network.state_dict().items():
        assert torch.equal(segmenter.network.state_dict()[name], value), name


def test_a_file_of_an_old_torch_without_batch_counters_loads(tmp_path):
    state = ESPNetwork(12).state_dict()
    state = {name: v for name, v in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    ESPNet(CLASSES, weights=str(tmp_path / "old.pth"))


def test_weights_are_found_by_name_in_the_folder_of_weights(tmp_path, monkeypatch):
    saved(ESPNetwork(12), tmp_path / "own.pth")
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    assert ESPNet(CLASSES, weights="own.pth").weights_file == tmp_path / "own.pth"
    with pytest.raises(MissingWeightsError, match="other.pth.*I2IBENCH_WEIGHTS"):
        ESPNet(CLASSES, weights="other.pth")


def test_espnets_statistics_follow_from_the_released_outputs(tmp_path):
    camvid = ESPNet(CLASSES, weights=saved(ESPNetwork(12), tmp_path / "12.pth"))
    cityscapes = ESPNet(CLASSES, weights=saved(ESPNetwork(20), tmp_path / "20.pth"))
    assert (camvid.framing.pixels, cityscapes.framing.pixels) == (CAMVID, CITYSCAPES)
    own = saved(ESPNetwork(15), tmp_path / "15.pth")
    with pytest.raises(UserError, match="15 outputs.*State the mean and std"):
        ESPNet(CLASSES, weights=own)
    pixels = {"mean": (1.0, 2.0, 3.0), "std": (4.0, 5.0, 6.0)}
    values = ESPNet(CLASSES, weights=own, pixels=pixels).framing.pixels
    assert (values.mean, values.bgr, values.divisor) == ((1.0, 2.0, 3.0), True, 255.0)


def test_random_weights_are_marked_as_such():
    assert ESPNet(CLASSES).weights_file is None and ESPNetv2(CLASSES).weights_file is None


@pytest.mark.parametrize("kind", [ESPNet, ESPNetv2])
def test_weights_of_another_network_or_of_other_classes_are_refused(tmp_path, kind):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(UserError, match="does not fit"):
        kind(CLASSES, weights=str(tmp_path / "linear.pth"))
    network = {ESPNet: ESPNetwork, ESPNetv2: ESPNetv2Network}[kind]
    weights = saved(network(12), tmp_path / "12.pth")
    with pytest.raises(UserError, match="12 outputs.*describe 2"):
        kind(CLASSES, weights=weights, outputs=["class 0", None])
    state = torch.load(weights, weights_only=True)
    state.popitem()
    torch.save(state, tmp_path / "cut.pth")
    with pytest.raises(UserError, match="Missing key"):
        kind(CLASSES, weights=str(tmp_path / "cut.pth"))


def test_espnet_refuses_fewer_outputs_than_its_pyramid_has_branches():
    with pytest.raises(UserError, match="at least 5 outputs"):
        ESPNet(["sky", "road"])
