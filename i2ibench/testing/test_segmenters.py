"""A segmenter promises one class per pixel of a photo."""

import pytest
import torch

NUM_CLASSES = 5


@pytest.mark.contract("segmenter")
def test_a_segmenter_gives_one_class_per_pixel(name, contract_part):
    names = [f"class {row}" for row in range(NUM_CLASSES)]
    network = contract_part("segmenter", name, num_classes=NUM_CLASSES, scored_classes=names).eval()
    images = torch.randint(0, 255, (2, 3, 33, 50), dtype=torch.uint8)
    labels = network(images)
    assert labels.shape == (2, 33, 50) and labels.dtype == torch.int64, (
        "a segmenter must give class ids BHW (int64) for photos B3HW (uint8); "
        f"{name} gave {tuple(labels.shape)}, {labels.dtype}"
    )
    low, high = labels.min().item(), labels.max().item()
    assert low >= 0 and high <= NUM_CLASSES, (
        f"a segmenter of {NUM_CLASSES} classes must give 0..{NUM_CLASSES - 1}, or {NUM_CLASSES} "
        f"for something else; {name} gave {low}..{high}"
    )
    assert torch.equal(labels[:1], network(images[:1])), (
        f"a segmenter must judge each photo by itself; {name}'s answer depends on the batch"
    )
    file = network.weights_file
    if "weights" in contract_part.options("segmenter", name):
        assert file is not None and file.is_file(), (
            "a segmenter must name the file of its weights as .weights_file, so that results do; "
            f"{name} says {file}"
        )
    else:
        assert file is None, f"{name} was given no weights, yet says weights_file = {file}"
