"""Style banks in files."""

import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from i2ibench.errors import UserError
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.styles.bank_files import load_bank, note_path, read_bank, save_bank
from tests.damage import flipped

CLASSES = ["sky", "road", "car"]


@pytest.fixture
def bank():
    bank = StyleBank(3, 2, num_styles=4, seed=7)
    rng = np.random.default_rng(0)
    bank.fit({0: rng.random((9, 2), np.float32), 2: np.ones((5, 2), np.float32)})
    return bank


@pytest.fixture
def path(bank, tmp_path):
    save_bank(bank, CLASSES, tmp_path / "x.safetensors", {"checkpoint": "abc", "scenes": 12})
    return tmp_path / "x.safetensors"


def test_a_bank_survives_the_way_out_and_in(bank, path):
    saved = load_bank(path, CLASSES, 2)
    for name, value in saved.bank.state_dict().items():
        torch.testing.assert_close(value, bank.state_dict()[name], rtol=0, atol=0, equal_nan=True)
    assert (saved.bank.num_styles, saved.bank.seed) == (4, 7)
    ids = torch.arange(50)
    labels = torch.zeros_like(ids)
    assert torch.equal(saved.bank.choose("a", ids, labels), bank.choose("a", ids, labels))


def test_the_note_describes_the_bank(path):
    note = json.loads(note_path(path).read_text())
    assert note["classes"] == CLASSES and note["num_styles"] == 4 and note["channels"] == 2
    assert note["counts"] == [4, 0, 1] and sum(note["sizes"][0]) == 9
    assert note["explained"][1:] == [None, 1.0] and 0 < note["explained"][0] < 1
    assert (note["checkpoint"], note["scenes"], note["seed"]) == ("abc", 12, 7)


def test_equal_banks_are_equal_files(bank, path, tmp_path):
    save_bank(bank, CLASSES, tmp_path / "y.safetensors", {"checkpoint": "abc", "scenes": 12})
    assert (tmp_path / "y.safetensors").read_bytes() == path.read_bytes()
    assert note_path(tmp_path / "y.safetensors").read_bytes() == note_path(path).read_bytes()


def test_a_bank_of_other_classes_is_refused_and_the_differences_named(path):
    with pytest.raises(UserError, match="class 1 is 'road' there and 'street' here"):
        load_bank(path, ["sky", "street", "car"], 2)
    with pytest.raises(UserError, match="class 3 is None there and 'tree' here"):
        load_bank(path, [*CLASSES, "tree"], 2)
    with pytest.raises(UserError, match="2 numbers, but the checkpoint's encoder gives 3"):
        load_bank(path, CLASSES, 3)


def test_missing_files_are_named(path, tmp_path):
    with pytest.raises(UserError, match="no style bank at"):
        read_bank(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="named x.safetensors"):
        read_bank(tmp_path / "x.pth")
    note_path(path).unlink()
    with pytest.raises(UserError, match=r"There is no .*x\.json"):
        read_bank(path)


def test_a_pair_torn_apart_is_noticed(bank, path, tmp_path):
    bank.centres += 1
    save_bank(bank, CLASSES, tmp_path / "y.safetensors")
    path.write_bytes((tmp_path / "y.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"x\.json is the note of another x\.safetensors"):
        read_bank(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 7, b"\xff" * 64, pickle.dumps(print), b"\x08\0\0\0\0\0\0\0{\"a\": 1"],
)  # fmt: skip
def test_a_broken_or_hostile_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as a style bank"):
        read_bank(path)


def rewrite(path, **changes):
    """Write other tensors (None for none) to the file, and a note with their hash."""
    tensors = {**load_file(path), **changes}
    save_file({k: v for k, v in tensors.items() if v is not None}, path)
    note = json.loads(note_path(path).read_text())
    from i2ibench.io.provenance import sha256

    note_path(path).write_text(json.dumps({**note, "tensors": sha256(path)}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": None}, "it holds centres, counts, explained"),
        ({"counts": torch.zeros(3)}, "it holds"),
        ({"centres": torch.zeros(3, 8)}, "it holds"),
        ({"counts": torch.zeros(2, dtype=torch.int64)}, "do not fit together"),
        ({"counts": torch.tensor([5, 0, 0])}, "impossible numbers"),
        ({"counts": torch.tensor([-1, 0, 0])}, "impossible numbers"),
        ({"centres": torch.full((3, 4, 2), torch.nan)}, "impossible numbers"),
    ],
)
def test_numbers_that_are_no_bank_are_refused(path, changes, message):
    rewrite(path, **changes)
    with pytest.raises(UserError, match=message):
        read_bank(path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "null", '{"classes": "sky"}', '{"classes": [1], "seed": 0, "tensors": ""}']
    + ["[" * 100_000],
    ids=range(7),
)
def test_a_note_that_is_none_is_refused(path, text):
    note_path(path).write_text(text)
    with pytest.raises(UserError, match=r"x\.json is no note of a style bank"):
        read_bank(path)


def test_a_note_with_too_few_classes_is_refused(path):
    note = json.loads(note_path(path).read_text())
    note_path(path).write_text(json.dumps({**note, "classes": ["sky"]}))
    with pytest.raises(UserError, match="has 3 classes, its note 1"):
        read_bank(path)


def test_a_flipped_bit_in_a_bank_or_its_note_is_refused(path):
    for file in (path, note_path(path)):
        content = file.read_bytes()
        for changed in flipped(content, times=60):
            file.write_bytes(changed)
            with pytest.raises(UserError, match=r"x\.(safetensors|json)"):
                read_bank(path)
        file.write_bytes(content)
    assert read_bank(path).classes == CLASSES
