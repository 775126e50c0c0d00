"""Work that runs out of memory is repeated in halves, in order."""

import weakref

import pytest
import torch

from i2ibench.inference.batch_splitting import split_on_out_of_memory


def room_for(most, held=None):
    """Return work that runs out of CUDA memory for more than `most` scenes."""

    def work(scenes):
        taken = torch.zeros(len(scenes))
        if held is not None:
            assert all(earlier() is None for earlier in held), "the failed call's tensors are kept"
            held.append(weakref.ref(taken))
        if len(scenes) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [10 * scene for scene in scenes]

    return work


@pytest.mark.parametrize(
    ("most", "expected"),
    [(5, [[0, 10, 20, 30, 40]]), (3, [[0, 10], [20, 30, 40]]), (1, [[0], [10], [20], [30], [40]])],
)
def test_the_parts_are_halves_of_halves_in_order(most, expected, capsys):
    assert split_on_out_of_memory(room_for(most), range(5)) == expected
    said = capsys.readouterr().err.count("memory is full")
    assert said == len(expected) - 1


def test_memory_of_a_failed_call_is_free_before_the_halves_begin():
    split_on_out_of_memory(room_for(1, held=[]), range(4))


def test_one_scene_that_is_too_large_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        split_on_out_of_memory(room_for(0), range(2))
