"""A transform promises to change all images of a scene alike."""

from typing import Any

import numpy as np
import pytest

SEEDS = 16


def _arrays(seed: int) -> dict[str, Any]:
    """Return a scene of 8x5 blocks of 8x8 pixels, each with its number as label and brightness.

    Instance ids are the labels plus 70000. `rng` is a generator with the seed.
    """
    label = np.kron(np.arange(40, dtype=np.uint8).reshape(5, 8), np.ones((8, 8), np.uint8))
    return {
        "label": label,
        "instance": label.astype(np.int32) + 70000,
        "image": np.repeat(label[..., None], 3, 2),
        "source": np.repeat(label[..., None], 3, 2),
        "rng": np.random.default_rng(seed),
    }


@pytest.mark.contract("transform")
def test_a_transform_treats_label_instance_and_photo_alike(name, contract_part):
    after = contract_part("transform", name)(_arrays(0))
    assert np.array_equal(after["instance"], after["label"].astype(np.int32) + 70000), (
        f"a transform must move labels and instances alike, without mixing ids; {name} does not"
    )
    assert np.array_equal(after["image"], after["source"]), (
        f"a transform must treat photo and source alike; {name} does not"
    )
    assert after["image"].shape == (*after["label"].shape, 3), (
        f"a transform must keep all maps of one size; {name} gave {after['image'].shape} and "
        f"{after['label'].shape}"
    )
    # Bicubic photos agree with nearest labels except next to an edge between two blocks.
    near = np.abs(after["image"][..., 0].astype(int) - after["label"]) <= 1
    assert near.mean() > 0.5, f"after {name} the photo does not lie on the labels any more"


@pytest.mark.contract("transform")
def test_a_transform_says_whether_it_draws_random_numbers(name, contract_part):
    transform = contract_part("transform", name)
    labels = [transform(_arrays(seed))["label"] for seed in (0, *range(SEEDS))]
    assert np.array_equal(labels[0], labels[1]), (
        f"a transform must draw from arrays['rng'] alone; {name} differs with the same numbers"
    )
    varies = any(not np.array_equal(label, labels[0]) for label in labels)
    if transform.deterministic:
        assert not varies, (
            f"{name} says deterministic = True and gives other labels for other random numbers, so "
            "a cache would keep the first ones: let it say deterministic = False"
        )
    else:
        assert varies, (
            f"{name} gives the same labels for {SEEDS} seeds: let it say deterministic = True, or "
            "it is left out where scenes are read without random changes"
        )
