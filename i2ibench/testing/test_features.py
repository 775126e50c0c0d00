"""What a feature network promises: to say what it is called, and that it is not available."""

from pathlib import Path

import pytest

from i2ibench.registry import FEATURES


@pytest.mark.contract("feature")
def test_a_feature_network_without_its_weights_says_so_and_is_never_called_fid(
    name: str, tmp_path: Path
) -> None:
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
