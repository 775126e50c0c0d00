"""A preprocessor promises the condition that it declares."""

import pytest
import torch

from i2ibench.errors import UserError


@pytest.mark.contract("preprocessor")
def test_a_preprocessor_gives_as_many_channels_as_it_says(name, contract_part):
    palette = [[10 * c] * 3 for c in range(5)]
    preprocessor = contract_part("preprocessor", name, num_classes=5, palette=palette)
    label = torch.randint(0, 5, (2, 1, 8, 9), dtype=torch.uint8)
    image = torch.randint(0, 255, (2, 3, 8, 9), dtype=torch.uint8)
    data = {"name": ["a", "b"], "label": label, "instance": label.int(), "image": image}
    data["source"] = image
    batch = preprocessor(data)
    for kind in preprocessor.needs:
        with pytest.raises(UserError, match="The data has no"):
            preprocessor({k: v for k, v in data.items() if k != kind})
    wanted = (2, preprocessor.condition_channels, 8, 9)
    assert batch["condition"].shape == wanted and batch["condition"].dtype == torch.float32, (
        f"the condition must be float32 {wanted}, as condition_channels says; {name} gave "
        f"{batch['condition'].dtype} {tuple(batch['condition'].shape)}"
    )
    if preprocessor.one_hot_channels:
        planes = batch["condition"][:, : preprocessor.one_hot_channels]
        assert torch.equal(planes.argmax(1, keepdim=True), label.long()), (
            f"{name} says one_hot_channels = {preprocessor.one_hot_channels}, so the condition "
            "must begin with the one-hot labels; it does not"
        )
    low, high = batch["real"].min().item(), batch["real"].max().item()
    assert low >= -1 and high <= 1, f"real must lie in [-1, 1]; {name} gave {low:.3g}..{high:.3g}"
    assert batch["names"] == ["a", "b"], f"the names must be kept; {name} gave {batch['names']}"
