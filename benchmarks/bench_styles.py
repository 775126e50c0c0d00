"""Speed of collecting the encoder's features and of sampling styles, against plain numpy loops.

    make bench

Each pair runs in turns, so that a busy machine slows both; the ratio is noted for the table.
The results are equal: the same rows, and the same image of styles for the same modes.
"""

import numpy as np
import pytest
import torch
from side_by_side import in_turns
from torch.utils.data import default_collate

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.inference.styles.instance_features import features_of_instances
from i2ibench.models.ops.labels import instance_average
from i2ibench.models.styles.bank import StyleBank

ROUNDS = 7


@pytest.fixture(
    scope="module", params=[(256, 128, 8), (1024, 512, 4), (2048, 1024, 1)],
    ids=["256x128 B8", "1024x512 B4", "2048x1024 B1"],
)  # fmt: skip
def batch(request, tmp_path_factory):
    width, height, size = request.param
    root = tmp_path_factory.mktemp("toystreet")
    dataset = drawn_streets(root, num_scenes=size, width=width, height=height)
    data = default_collate([dataset[i] for i in range(size)])
    features = instance_average(torch.rand(size, 3, height, width), data["instance"])
    return data["label"], data["instance"], features


def loop_rows(features, label, instance):
    """Collecting: a loop over ids, the middle pixel of each, as the released code does it."""
    rows, labels = [], []
    for number in np.unique(instance):
        places = np.argwhere(instance[0] == number)
        y, x = places[len(places) // 2]
        labels.append(label[0, y, x])
        rows.append(features[:, y, x])
    return np.array(labels), np.array(rows)


def loop_sample(bank, name, label, instance):
    """Sampling: a loop over ids, each mode painted channel by channel, as the released code."""
    painted = np.zeros((bank.centres.shape[2], *instance.shape[1:]), np.float32)
    for number in np.unique(instance):
        y, x = (instance[0] == number).nonzero()
        own = torch.tensor([int(label[0, y[0], x[0]])])
        mode = bank.choose(name, torch.tensor([int(number)]), own)
        vector = bank.vectors(own, mode)[0]
        for channel in range(len(painted)):
            painted[channel, y, x] = vector[channel].item()
    return painted


def test_collecting_features(benchmark, batch):
    """A batch at a time, as `styles fit` does it."""
    label, instance, features = batch
    arrays = [x.numpy() for x in (features, label, instance)]

    def loop():
        return [loop_rows(*one) for one in zip(*arrays, strict=True)]

    rows = features_of_instances(features, label, instance)
    labels, expected = (np.concatenate(x) for x in zip(*loop(), strict=True))
    np.testing.assert_array_equal(rows.labels, labels)
    np.testing.assert_array_equal(rows.features, expected)
    row = f"style features: collect, {size_of(label)}"
    in_turns(
        benchmark,
        lambda: features_of_instances(features, label, instance),
        loop,
        row,
        6,
        12,
        ROUNDS,
    )


def test_sampling_styles(benchmark, batch):
    """Scene by scene, as translations need it."""
    label, instance, _ = batch
    bank = StyleBank(35, 3)
    rng = np.random.default_rng(0)
    bank.fit({c: rng.random((20, 3), np.float32) for c in range(35)})
    arrays = label[0].numpy(), instance[0].numpy()
    painted = bank.sample("s", label[0], instance[0]).numpy()
    np.testing.assert_array_equal(painted, loop_sample(bank, "s", *arrays))
    in_turns(
        benchmark,
        lambda: bank.sample("s", label[0], instance[0]),
        lambda: loop_sample(bank, "s", *arrays),
        f"style features: sample, {size_of(label[:1])}", 5, 9, ROUNDS,
    )  # fmt: skip


def size_of(label):
    return f"{label.shape[-1]}x{label.shape[-2]} B{len(label)}"
