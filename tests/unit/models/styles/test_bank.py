"""The style bank."""

import hashlib

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from i2ibench.errors import UserError
from i2ibench.models.ops.instance_regions import instances_of
from i2ibench.models.styles.bank import StyleBank


def planted(sizes=(30, 12, 20), noise=0.01):
    """Return feature vectors around three centres, and the centres."""
    rng = np.random.default_rng(0)
    centres = np.array([[-0.8, 0.0], [0.8, 0.5], [0.1, -0.7]])
    rows = [
        centre + rng.normal(0, noise, (size, 2))
        for centre, size in zip(centres, sizes, strict=True)
    ]
    return np.concatenate(rows).astype(np.float32), centres


def fitted(num_classes=3, num_styles=4):
    """Return a bank in which class 0 has 4 modes, class 1 two, the others none."""
    bank = StyleBank(num_classes, 2, num_styles)
    rng = np.random.default_rng(0)
    bank.fit({0: rng.random((9, 2), np.float32), 1: np.eye(2, dtype=np.float32)})
    return bank


def test_clusters_are_found_again_the_largest_first():
    rows, centres = planted()
    bank = StyleBank(num_classes=3, channels=2, num_styles=3)
    bank.fit({1: rows})
    expected = torch.from_numpy(centres[[0, 2, 1]]).float()
    torch.testing.assert_close(bank.centres[1], expected, atol=0.02, rtol=0)
    assert bank.counts.tolist() == [0, 3, 0]
    assert bank.sizes.tolist() == [[0] * 3, [30, 20, 12], [0] * 3]
    assert bank.instances.tolist() == [0, 62, 0]
    assert bank.explained[1] > 0.99 and bank.explained[[0, 2]].isnan().all()


def test_modes_and_sizes_are_those_of_scikit_learn():
    rows = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    bank = StyleBank(1, 3, num_styles=6, seed=5)
    bank.fit({0: rows})
    means = KMeans(6, random_state=5, n_init=10).fit(rows.astype(np.float64))
    order = np.argsort(-np.bincount(means.labels_), kind="stable")
    np.testing.assert_allclose(bank.centres[0], means.cluster_centers_[order], rtol=1e-6)
    assert bank.sizes[0].tolist() == np.bincount(means.labels_)[order].tolist()
    nearest = ((rows[:, None] - bank.centres[0].numpy()) ** 2).sum(2).min(1).sum()
    total = ((rows - rows.mean(0)) ** 2).sum()
    assert bank.explained[0].item() == pytest.approx(1 - nearest / total, abs=1e-5)


def test_a_class_with_few_rows_has_as_many_modes_and_explains_all():
    bank = StyleBank(2, 3, num_styles=10)
    bank.fit({0: np.ones((4, 3), np.float32), 1: np.eye(3, dtype=np.float32)})
    assert bank.counts.tolist() == [1, 3]
    assert bank.explained.tolist() == [1.0, 1.0]
    assert bank.sizes[0, 0] == 4 and bank.sizes[1, :3].tolist() == [1, 1, 1]


def test_a_new_fit_forgets_the_old_one():
    bank = fitted()
    bank.fit({1: np.zeros((1, 2), np.float32)})
    assert bank.counts.tolist() == [0, 1, 0] and bank.centres[0].count_nonzero() == 0
    assert bank.instances.tolist() == [0, 1, 0] and bank.explained[0].isnan()


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(UserError, match="instances of class 1"):
        StyleBank(2, 1).fit({1: np.array([[0.0], [np.nan]], np.float32)})


def test_every_instance_is_painted_with_one_mode_of_its_class():
    bank = fitted()
    label = torch.tensor([[[0, 0, 1], [1, 2, 2]]])
    instance = torch.tensor([[[5, 6, 1001], [1002, 9, 9]]])
    painted = bank.sample("scene", label, instance)
    assert painted.shape == (2, 2, 3)
    assert any(torch.equal(painted[:, 0, 0], c) for c in bank.centres[0])
    assert any(torch.equal(painted[:, 0, 2], c) for c in bank.centres[1, :2])
    assert torch.equal(painted[:, 1, 1], torch.zeros(2))  # class 2 has no modes


def test_sampling_is_choosing_and_painting():
    bank = fitted()
    label = torch.randint(0, 3, (1, 8, 8), dtype=torch.uint8)
    instance = label.int() * 7 + 3
    found = instances_of(label, instance)
    modes = bank.choose("a", found.ids, found.labels)
    vectors = bank.vectors(found.labels, modes)
    expected = torch.stack([vectors[i] for i in found.members.flatten()])
    assert torch.equal(bank.sample("a", label, instance).flatten(1).T, expected)


def test_a_draw_depends_on_seed_scene_and_the_instances_own_id_alone():
    bank = fitted(num_styles=4)
    ids = torch.arange(64)
    labels = torch.zeros_like(ids)
    first = bank.choose("a", ids, labels)
    assert torch.equal(first, bank.choose("a", ids, labels))
    order = torch.randperm(64)[:20]
    assert torch.equal(bank.choose("a", ids[order], labels[order]), first[order])
    assert torch.equal(bank.choose("a", ids.int(), labels.byte()), first)
    assert not torch.equal(first, bank.choose("b", ids, labels))
    bank.seed = 1
    assert not torch.equal(first, bank.choose("a", ids, labels))


def test_a_draw_is_the_same_on_every_machine():
    """Compare with SplitMix64 and SHA-256 in Python's integers."""
    bank = fitted(num_styles=4)
    for scene, ids in (("a", [0, 7, 26001, 65535]), ("münster_000012", [-3, 2**31 - 1])):
        chosen = bank.choose(scene, torch.tensor(ids), torch.zeros(len(ids), dtype=torch.int64))
        assert chosen.tolist() == [_slow_draw(0, scene, i, 4) for i in ids]


def _slow_draw(seed, scene, number, count):
    whole = 2**64 - 1
    start = int.from_bytes(hashlib.sha256(f"{seed}/{scene}".encode()).digest()[:8], "little")
    x = (start + (number + 1) * 0x9E3779B97F4A7C15) & whole
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & whole
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & whole
    return ((x ^ (x >> 31)) >> 32) * count >> 32


@pytest.mark.parametrize("count", [2, 3, 7, 10])
def test_draws_are_uniform_over_ids_and_over_scenes(count):
    """Check chi-square against 27.9, the 99.9 % point for 9 degrees of freedom."""
    bank = StyleBank(1, 1, num_styles=count)
    bank.fit({0: np.arange(count, dtype=np.float32)[:, None]})
    ids, labels = torch.arange(4000) + 26000, torch.zeros(4000, dtype=torch.int64)
    over_ids = bank.choose("scene", ids, labels)
    one = torch.tensor([26001]), torch.tensor([0])
    over_scenes = torch.cat([bank.choose(f"s{i}", *one) for i in range(4000)])
    over_seeds = []
    for bank.seed in range(4000):
        over_seeds.append(bank.choose("scene", *one))
    for drawn in (over_ids, over_scenes, torch.cat(over_seeds)):
        found = torch.bincount(drawn, minlength=count).double()
        assert ((found - 4000 / count) ** 2 / (4000 / count)).sum() < 27.9


def test_a_class_without_modes_has_mode_minus_one_and_the_middle_of_the_range():
    bank = fitted()
    modes = bank.choose("a", torch.tensor([1, 2]), torch.tensor([2, 1]))
    assert modes[0] == -1 and modes[1] >= 0
    vectors = bank.vectors(torch.tensor([2, 1]), modes)
    assert torch.equal(vectors, torch.stack([torch.zeros(2), bank.centres[1, modes[1]]]))


def test_a_state_survives_and_one_without_sizes_says_that_they_are_unknown():
    bank, other = fitted(), StyleBank(3, 2, 4)
    state = bank.state_dict()
    other.load_state_dict(state)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0, equal_nan=True)
    older = {name: state[name] for name in ("centres", "counts")}
    other.load_state_dict(dict(older))
    assert torch.equal(other.centres, bank.centres)
    assert other.sizes.count_nonzero() == 0 and other.explained.isnan().all()
    with pytest.raises(RuntimeError, match="explained"):
        other.load_state_dict({**older, "sizes": state["sizes"]})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_draws_and_paint_are_the_same_on_a_gpu():
    bank = fitted()
    label = torch.randint(0, 3, (1, 40, 60), dtype=torch.uint8)
    instance = label.int() * 1000 + torch.randint(0, 9, label.shape, dtype=torch.int32)
    expected = bank.sample("a", label, instance)
    painted = bank.cuda().sample("a", label.cuda(), instance.cuda())
    assert painted.is_cuda and torch.equal(painted.cpu(), expected)
    here, there = instances_of(label, instance), instances_of(label.cuda(), instance.cuda())
    for name in ("ids", "labels", "members", "sizes"):
        assert torch.equal(getattr(here, name), getattr(there, name).cpu())
