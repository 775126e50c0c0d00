"""EpochSampler: every scene once an epoch, shared between processes."""

from i2ibench.data.sampler import EpochSampler


class Ten:
    def __len__(self):
        return 10


def test_every_scene_is_read_once_an_epoch_in_a_new_order():
    sampler = EpochSampler(Ten(), shuffle=True, seed=3)
    orders = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert {e for _, e in keys} == {epoch}
        orders.append([i for i, _ in keys])
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10)) and orders[0] != orders[1]


def test_processes_share_the_scenes_and_have_equal_lengths():
    shares = [list(EpochSampler(Ten(), False, rank=r, world_size=3)) for r in range(3)]
    assert [len(s) for s in shares] == [4, 4, 4]
    assert {i for share in shares for i, _ in share} == set(range(10))
