"""Damaged files of a run: the newest whole checkpoint is taken, and no changed byte is a number."""

import contextlib
import io
import json
import os
import random
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from i2ibench.cli.main import main
from i2ibench.errors import UserError
from i2ibench.grids.cell import CellState, read_state, write_state
from i2ibench.inference import checkpoints
from i2ibench.inference.checkpoints import latest_checkpoint, open_checkpoint, read_checkpoint
from i2ibench.inference.translation import translate
from i2ibench.registry.configuration import load_config
from i2ibench.testing.tiny_datasets import write_paired_scenes
from i2ibench.training.hooks.preemption import Preempted
from i2ibench.training.run import train
from tests.conftest import write_tiny_config
from tests.damage import flipped
from tests.integration.runs import SHORT, AskedAt, assert_same_end, run


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
    """Flip a bit of the largest record; one between two records would change nothing."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        largest = max(archive.infolist(), key=lambda record: record.file_size)
        place = content.index(archive.read(largest)) + largest.file_size // 2
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
    assert "the run continues from" in line and "epoch_0001.pth" in line


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


def evaluated(config, work_dir, output):
    main("eval", [str(config), "--work-dir", str(work_dir), "--output", str(output)])
    return json.loads((output / "results.json").read_text(encoding="utf-8"))["systems"]


def flip_each(paths, rng):
    """Flip one bit of every file."""
    for path in paths:
        content = bytearray(path.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)


def test_flipped_bits_in_what_an_evaluation_keeps_never_reach_a_score(whole, tmp_path, capsys):
    config, work_dir = whole
    output, cache = tmp_path / "scores", Path(os.environ["I2IBENCH_CACHE"])
    scores = evaluated(config, work_dir, output)
    kept = [*output.glob("**/*.npz"), *output.glob("pictures/**/*.png"), *cache.rglob("*.npz")]
    assert len(kept) > 20 and len({path.suffix for path in kept}) == 2
    left = output / "rows" / ".000000.npz.999999999-0a.tmp"  # what a kill leaves
    left.write_bytes(b"half")
    for seed in range(3):
        flip_each(kept, random.Random(seed))
        capsys.readouterr()
        assert evaluated(config, work_dir, output) == scores
        assert "is damaged and is m" in capsys.readouterr().err
    assert not left.exists()
    shutil.rmtree(output)
    flip_each(cache.rglob("*.npz"), random.Random(4))
    assert evaluated(config, work_dir, output) == scores


def test_damaged_images_of_a_translation_are_made_anew(whole, tmp_path, capsys):
    _, work_dir = whole
    opened = open_checkpoint(latest_checkpoint(work_dir))
    data, output = work_dir.parent / "paired" / "val", tmp_path / "out"
    paths = translate(opened, data, output)
    content = [path.read_bytes() for path in paths]
    flip_each(paths[:3], random.Random(0))
    translate(opened, data, output)
    assert [path.read_bytes() for path in paths] == content
    assert capsys.readouterr().err.count("is damaged and is made anew") == 3
    note = output / "pictures.json"
    for changed in flipped(note.read_bytes(), times=20):
        note.write_bytes(changed)
        with pytest.raises(UserError, match=r"pictures\.json is no note|is not UTF-8"):
            translate(opened, data, output)


def test_a_damaged_state_of_a_cell_is_named(tmp_path):
    write_state(tmp_path, CellState("done", "hash", 1, 2.5, facts={"steps": 7}))
    content = (tmp_path / "cell.json").read_bytes()
    for changed in flipped(content, times=40):
        (tmp_path / "cell.json").write_bytes(changed)
        with contextlib.suppress(UserError):
            assert read_state(tmp_path, "hash").facts == {"steps": 7}


@pytest.fixture
def stopped(tmp_path):
    """A config and its run, which was stopped after its first epoch."""
    config = write_tiny_config(
        tmp_path / "tiny.py", write_paired_scenes(tmp_path / "paired", count=6)
    )
    loaded = load_config(config, dotted(SHORT), tmp_path / "run")
    with pytest.raises(Preempted):
        train(loaded, preemption=AskedAt(3))
    return loaded, tmp_path / "paired"


def dotted(overrides):
    return {key.replace("__", "."): value for key, value in overrides.items()}


def test_photos_that_were_replaced_between_kill_and_resume_are_noticed(stopped, capsys):
    config, data = stopped
    photos = sorted((data / "train" / "image").iterdir())
    kept = photos[2].read_bytes()
    photos[2].write_bytes(photos[3].read_bytes())
    with pytest.raises(UserError, match=rf"1 of the .*have changed.*{photos[2].name}.*--resume"):
        train(config)
    photos[2].write_bytes(kept)
    for path in photos:
        path.touch()  # as a copy of the same data has other times
    train(config)
    assert (Path(config.work_dir) / "epoch_0002.pth").is_file()


def test_a_run_goes_on_with_other_photos_if_it_is_told_to(stopped, capsys):
    config, data = stopped
    photos = sorted((data / "train" / "image").iterdir())
    photos[2].write_bytes(photos[3].read_bytes())
    train(config, resume=True)
    assert "1 files of the data have changed since" in capsys.readouterr().err


def test_a_damaged_note_on_the_data_is_made_anew(stopped, capsys):
    config, _ = stopped
    note = Path(config.work_dir) / "data.json"
    content = note.read_bytes()
    note.write_bytes(content[: len(content) // 2])
    train(config)
    assert "data.json is damaged" in capsys.readouterr().err
    assert json.loads(note.read_text()).keys() == {"files", "crc32"}
