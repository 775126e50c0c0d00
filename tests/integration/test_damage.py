"""Damaged files of a run: the newest whole checkpoint is taken, and no changed byte is a number."""

import random
import shutil

import pytest
import torch

from i2ibench import checkpoints
from i2ibench.checkpoints import latest_checkpoint, open_checkpoint, read_checkpoint
from i2ibench.cli import main
from i2ibench.configuration import load_config
from i2ibench.errors import UserError
from i2ibench.experiment import train
from i2ibench.testing.damage import flipped
from i2ibench.testing.scenes import write_paired_scenes
from tests.conftest import write_tiny_config
from tests.integration.runs import SHORT, assert_same_end, run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A config, and a run of it that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    config = write_tiny_config(folder / "tiny.py", write_paired_scenes(folder / "paired", count=6))
    torch.manual_seed(0)
    return config, run(config, folder / "run", **SHORT)


@pytest.fixture
def copied(whole, tmp_path):
    config, run_ = whole
    checkpoints._say_once.cache_clear()
    return config, shutil.copytree(run_, tmp_path / "run")


def cut_off(content):
    return content[: len(content) // 2]


def emptied(content):
    return b""


def random_bytes(content):
    return random.Random(0).randbytes(len(content))


def with_a_flipped_bit(content):
    place = len(content) // 3
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


KINDS = [cut_off, emptied, random_bytes, with_a_flipped_bit]


@pytest.mark.parametrize("damage", KINDS)
def test_a_run_goes_on_from_the_newest_whole_checkpoint(whole, copied, capsys, damage):
    config, work_dir = copied
    newest = work_dir / "epoch_0002.pth"
    newest.write_bytes(damage(newest.read_bytes()))
    run(config, work_dir, **SHORT)
    assert_same_end(whole[1], work_dir)
    assert (work_dir / "epoch_0002.pth.damaged").is_file()
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "epoch_0002.pth cannot" in x]
    assert "the run goes on from" in line and "epoch_0001.pth" in line


@pytest.mark.parametrize("damage", KINDS)
def test_an_older_checkpoint_is_resumed_although_the_newest_is_damaged(whole, copied, damage):
    config, work_dir = copied
    newest = work_dir / "epoch_0002.pth"
    newest.write_bytes(damage(newest.read_bytes()))
    loaded = load_config(config, {k.replace("__", "."): v for k, v in SHORT.items()}, work_dir)
    train(loaded, resume=True, resume_from=work_dir / "epoch_0001.pth")
    assert_same_end(whole[1], work_dir)


def test_commands_that_take_the_newest_take_the_newest_whole_one(copied, tmp_path, capsys):
    config, work_dir = copied
    newest = work_dir / "epoch_0002.pth"
    newest.write_bytes(with_a_flipped_bit(newest.read_bytes()))
    assert latest_checkpoint(work_dir) == work_dir / "epoch_0001.pth"
    main("eval", [str(config), "--work-dir", str(work_dir), "--output", str(tmp_path / "scores")])
    said = [x for x in capsys.readouterr().err.splitlines() if "epoch_0002.pth cannot" in x]
    assert len(said) == 1 and f"Taking {work_dir / 'epoch_0001.pth'} instead" in said[0]
    assert newest.is_file(), "who only reads a run leaves it as it is"


def test_a_named_checkpoint_that_is_damaged_is_refused_with_the_whole_one_beside_it(copied):
    _, work_dir = copied
    newest = work_dir / "epoch_0002.pth"
    newest.write_bytes(with_a_flipped_bit(newest.read_bytes()))
    match = r"epoch_0002\.pth cannot be read as a checkpoint: .*newest whole one.*epoch_0001\.pth"
    with pytest.raises(UserError, match=match):
        open_checkpoint(newest)


def test_a_run_without_a_whole_checkpoint_is_not_begun_anew(copied):
    config, work_dir = copied
    for path in work_dir.glob("*.pth"):
        path.write_bytes(cut_off(path.read_bytes()))
    before = sorted(work_dir.iterdir())
    with pytest.raises(UserError, match=r"epoch_0002\.pth cannot be read.*start anew with --fresh"):
        run(config, work_dir, **SHORT)
    assert sorted(work_dir.iterdir()) == before
    with pytest.raises(UserError, match=r"epoch_0002\.pth cannot be read.*No other checkpoint"):
        latest_checkpoint(work_dir)


def test_no_flipped_bit_of_a_checkpoint_becomes_a_weight(copied):
    _, work_dir = copied
    path = work_dir / "epoch_0001.pth"
    content, weights = path.read_bytes(), read_checkpoint(path)["state_dict"]
    weights = {name: value.clone() for name, value in weights.items()}
    refused = 0
    for changed in flipped(content, times=60):
        path.write_bytes(changed)
        try:
            found = read_checkpoint(path)["state_dict"]
        except UserError:
            refused += 1
            continue
        assert found.keys() == weights.keys()
        assert all(torch.equal(found[name], weights[name]) for name in weights)
    assert refused > 30
