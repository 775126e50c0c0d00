"""The image cache: images that are kept, made again, or refused."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.errors import UserError
from i2ibench.inference.image_cache import NOTE, ImageCache, Recipe
from i2ibench.io.file_integrity import add_checksum

RECIPE = Recipe("weights", {"amp": None, "size": (2, 2)}, "code")


class Painter:
    """Paints squares, and counts how often each scene is painted."""

    def __init__(self):
        self.painted = Counter()

    def __call__(self, data, sample):
        self.painted.update((scene, sample) for scene in data)
        values = [torch.tensor(10 * scene + sample, dtype=torch.uint8) for scene in data]
        return [{"fake": value.expand(3, 2, 2)} for value in values]


def cache_in(folder, recipe=RECIPE, scenes=("a", "b", "c"), samples=1, size=2):
    paths = [[folder / f"{k}" / f"{n}.png" for k in range(samples)] for n in range(len(scenes))]
    starts = range(0, len(scenes), size)
    batches = [tuple(range(s, min(s + size, len(scenes)))) for s in starts]
    return ImageCache(folder, recipe, scenes, paths, batches)


def filled(cache, refuse=False):
    """Return the scenes that were translated while the cache was filled."""
    painter = Painter()
    cache.folder.mkdir(exist_ok=True)
    cache.claim(refuse)
    cache.fill(list, painter)
    assert all(path.is_file() for own in cache.paths for path in own)
    return sorted(painter.painted)


EVERY = [(0, 0), (1, 0), (2, 0)]


@pytest.mark.parametrize("refuse", [False, True])
def test_an_image_is_made_once(tmp_path, refuse):
    folder = tmp_path / "p"
    assert filled(cache_in(folder), refuse) == EVERY
    assert filled(cache_in(folder), refuse) == []
    assert np.asarray(Image.open(folder / "0" / "2.png")).max() == 20


def test_missing_and_damaged_images_are_made_again_with_their_batch(tmp_path, capsys):
    cache = cache_in(tmp_path / "p")
    filled(cache)
    cache.paths[2][0].unlink()
    assert filled(cache) == [(2, 0)]
    cache.paths[1][0].write_bytes(cache.paths[1][0].read_bytes()[:-3])
    assert filled(cache) == [(0, 0), (1, 0)]
    assert "1.png is damaged and is made anew" in capsys.readouterr().err


def test_another_scene_makes_its_batch_anew_and_another_batch_size_all_that_it_moves(tmp_path):
    folder = tmp_path / "p"
    filled(cache_in(folder))
    assert filled(cache_in(folder, scenes=("a", "B", "c"))) == [(0, 0), (1, 0)]
    assert filled(cache_in(folder, scenes=("a", "B", "c"), size=1)) == [(0, 0), (1, 0)]


def test_more_samples_leave_those_that_are_there(tmp_path):
    folder = tmp_path / "p"
    filled(cache_in(folder, samples=2))
    assert filled(cache_in(folder, samples=3)) == [(0, 2), (1, 2), (2, 2)]
    filled(cache_in(folder, replace(RECIPE, code="new")))
    assert filled(cache_in(folder, replace(RECIPE, code="new"), samples=2)) == [
        (0, 1), (1, 1), (2, 1)
    ], "what was made of the old code is gone"  # fmt: skip


@pytest.mark.parametrize("refuse", [False, True])
def test_changed_code_makes_all_anew_and_says_so_in_one_line(tmp_path, capsys, refuse):
    folder = tmp_path / "p"
    filled(cache_in(folder), refuse)
    mine = folder / "mine.txt"
    mine.touch()
    assert filled(cache_in(folder, replace(RECIPE, code="new")), refuse) == EVERY
    assert capsys.readouterr().err.count("code that its images depend on has changed") == 1
    assert mine.exists()


@pytest.mark.parametrize("change", [{"checkpoint": "new"}, {"chosen": {"amp": "bf16"}}])
def test_another_checkpoint_or_choice_is_refused_by_a_users_folder_and_empties_a_cache(
    tmp_path, change
):
    folder = tmp_path / "p"
    filled(cache_in(folder), refuse=True)
    other = cache_in(folder, replace(RECIPE, **change))
    content = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    named = "checkpoint" if "checkpoint" in change else "amp, size"
    with pytest.raises(UserError, match=rf"differing: {named}\); choose another"):
        other.claim(refuse=True)
    assert content == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert filled(other) == EVERY


def test_a_folder_with_other_files_is_refused_or_emptied(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "letter.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        cache_in(folder).claim(refuse=True)
    assert filled(cache_in(folder)) == EVERY and not (folder / "letter.txt").exists()


@pytest.mark.parametrize("path", ["../precious.png", "/tmp/precious.png", "a/../../precious.png"])
def test_a_note_removes_nothing_outside_its_folder(tmp_path, path):
    precious = tmp_path / "precious.png"
    precious.touch()
    folder = tmp_path / "p"
    folder.mkdir()
    note = {"checkpoint": "weights", "chosen": {"amp": None, "size": [2, 2]}, "code": "old"}
    (folder / NOTE).write_text(json.dumps(add_checksum({**note, "pictures": {path: "x"}})))
    with pytest.raises(UserError, match="is no note of a translation"):
        cache_in(folder).claim(refuse=True)
    assert filled(cache_in(folder)) == EVERY and precious.exists()


def test_the_key_tells_everything_but_the_number_of_samples(tmp_path):
    one = cache_in(tmp_path)
    assert cache_in(tmp_path / "other", samples=2).key == one.key
    others = [
        cache_in(tmp_path, replace(RECIPE, code="new")),
        cache_in(tmp_path, replace(RECIPE, checkpoint="new")),
        cache_in(tmp_path, replace(RECIPE, chosen={"steps": 3})),
        cache_in(tmp_path, scenes=("a", "b", "C")),
        cache_in(tmp_path, size=1),
    ]
    assert len({one.key, *(other.key for other in others)}) == 6
