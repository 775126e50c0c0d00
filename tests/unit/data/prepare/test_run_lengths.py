"""Run lengths: COCO's compressed strings against those of pycocotools, and round trips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.data.prepare.run_lengths import decode_coco_runs, decode_runs, uncompress
from i2ibench.errors import UserError


def ellipse(height, width):
    y, x = np.mgrid[:height, :width]
    return ((y - height / 2) / (height / 3)) ** 2 + ((x - width / 2) / (width / 3)) ** 2 < 1


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("<222O01N4", ellipse(5, 7)),
        (
            "Z>5Q14L4M2N2O0O2N2O0O2O000O2O0000000O2O0000000000000001N100000001N10001N101N2N101N2N3"
            "L4LP<",
            ellipse(40, 64),
        ),
        ("0`_b4", np.ones((300, 500), bool)),
        ("`_b4", np.zeros((300, 500), bool)),
    ],
)
def test_strings_of_pycocotools_give_the_masks_that_it_was_given(text, mask):
    """pycocotools 2.0.10: `encode(np.asfortranarray(mask))["counts"]`."""
    assert np.array_equal(decode_coco_runs(text, *mask.shape), mask)


def runs(mask):
    lengths, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            lengths.append(0)
            value = pixel
        lengths[-1] += 1
    return lengths


def compress(lengths):
    """Written from the description: five bits a character, a sign, differences from the fourth."""
    text = ""
    for i, length in enumerate(lengths):
        number = length - lengths[i - 2] if i > 2 else length
        while True:
            bits, number = number & 31, number >> 5
            more = not (number == -1 if bits & 16 else number == 0)
            text += chr(48 + bits + 32 * more)
            if not more:
                break
    return text


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_any_mask_survives_both_forms(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    lengths = runs(mask)
    assert np.array_equal(decode_coco_runs(lengths, height, width), mask)
    assert np.array_equal(decode_coco_runs(compress(lengths), height, width), mask)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**7), max_size=8))
def test_any_lengths_survive_compression(lengths):
    assert uncompress(compress(lengths)) == lengths


@pytest.mark.parametrize("counts", [[3, 4], [-1, 7], [2.0, 4.0], ["6"], [[6]], [10**30]])
def test_wrong_lengths_are_refused(counts):
    with pytest.raises(UserError, match="run lengths"):
        decode_runs(counts, 2, 3)


@pytest.mark.parametrize("text", ["0`_b", "\x00", "é", "o" * 20])
def test_malformed_strings_are_refused(text):
    with pytest.raises(UserError, match="compressed run lengths"):
        uncompress(text)
