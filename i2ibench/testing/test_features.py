"""A feature network promises to say what it is called, and that it is not available."""

import pytest
import torch

from i2ibench.registry import FEATURES


@pytest.mark.contract("feature")
def test_features_are_one_vector_per_image(name, contract_part):
    network = contract_part("feature", name)
    if network.unavailable:
        pytest.skip(network.unavailable)
    images = torch.randint(0, 256, (3, 3, 40, 48), dtype=torch.uint8)
    features = network.extract(images)
    assert features.ndim == 2 and len(features) == 3 and features.dtype == torch.float32, (
        f"extract must give float32 [N,D] for uint8 N3HW; {name} gave {features.dtype} "
        f"{tuple(features.shape)}"
    )
    torch.testing.assert_close(
        network.extract(images[:1]),
        features[:1],
        msg=f"an image's features must not depend on the others; {name}'s do",
    )


@pytest.mark.contract("feature")
def test_a_feature_network_without_its_weights_says_so_and_is_never_called_fid(name, tmp_path):
    if "weights" not in FEATURES.parameters(name):
        pytest.skip("it needs no weights")
    network = FEATURES.build({"type": name, "weights": str(tmp_path / "mine.pt")})
    assert "mine.pt" in (network.unavailable or ""), (
        f"without its weights a feature network must say so in .unavailable, naming the file; "
        f"{name} says {network.unavailable!r}"
    )
    assert network.weight_files == [], f"{name}.weight_files must name only files that are there"
    assert isinstance(network.frechet_name, str), f"{name}.frechet_name must name the distance"
    assert network.kernel_name.startswith("kid"), f"{name}.kernel_name must begin with kid"
