"""Checksums: a changed byte anywhere is noticed, or does not matter."""

import contextlib
import random
import zipfile

import pytest
import torch
from PIL import Image

from i2ibench.io.file_integrity import add_checksum, is_whole_png, verify_checksum, zip_damage
from tests.damage import flipped


@pytest.fixture
def archive(tmp_path):
    tensors = {str(i): torch.randn(5, 7) for i in range(3)}
    torch.save({"tensors": tensors, "empty": torch.zeros(0), "name": "Straße"}, tmp_path / "层.pth")
    return tmp_path / "层.pth"


def equal(one, two):
    tensors = zip(one["tensors"].values(), two["tensors"].values(), strict=True)
    return one["name"] == two["name"] and all(torch.equal(a, b) for a, b in tensors)


def test_a_flipped_bit_of_a_checkpoint_is_noticed_or_changes_nothing(archive):
    whole, content = torch.load(archive, weights_only=True), archive.read_bytes()
    assert zip_damage(archive) is None
    noticed = 0
    for changed in flipped(content, times=300):
        archive.write_bytes(changed)
        if zip_damage(archive) is not None:
            noticed += 1
            continue
        with contextlib.suppress(RuntimeError):  # a header that torch itself refuses
            assert equal(torch.load(archive, weights_only=True), whole)
    assert noticed > 150, "much of so small a file is padding"


def test_a_file_that_is_empty_cut_off_or_random_is_no_whole_checkpoint(archive):
    content = archive.read_bytes()
    for damaged in (
        b"",
        content[:-30],
        content[: len(content) // 2],
        random.Random(0).randbytes(999),
    ):
        archive.write_bytes(damaged)
        assert zip_damage(archive)


def test_a_checkpoint_that_changes_in_place_is_read_again(archive):
    content = bytearray(archive.read_bytes())
    assert zip_damage(archive) is None
    place = content.index(b"Stra")
    content[place] ^= 1
    archive.write_bytes(content)
    assert "data.pkl does not fit its checksum" in zip_damage(archive)


def test_compressed_records_such_as_those_of_torchscript_are_checked_too(tmp_path):
    path = tmp_path / "network.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("network/code", random.Random(0).randbytes(900))
    assert zip_damage(path) is None
    content = path.read_bytes()
    noticed = 0
    for changed in flipped(content, times=50):
        path.write_bytes(changed)
        noticed += zip_damage(path) is not None
    assert noticed > 40


def test_a_flipped_bit_of_a_image_is_noticed(tmp_path):
    path = tmp_path / "a.png"
    Image.effect_noise((40, 30), 80).save(path)
    content = path.read_bytes()
    assert is_whole_png(path)
    for changed in flipped(content, times=200):
        path.write_bytes(changed)
        assert not is_whole_png(path)
    path.write_bytes(content[:-20])
    assert not is_whole_png(path)


def test_a_sealed_object_is_the_same_in_any_order_and_layout():
    content = {"b": [1, 2.5, None], "a": {"ü": "x"}}
    assert verify_checksum(dict(reversed(add_checksum(content).items()))) == content
    for broken in ({**add_checksum(content), "b": [1, 2.5, 0]}, content, [], None):
        with pytest.raises(ValueError, match="checksum"):
            verify_checksum(broken)
