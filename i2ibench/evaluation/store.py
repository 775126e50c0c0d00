"""The store: a checkpoint's pictures on disk, made once and kept while nothing changes."""

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, get_rank, get_world_size, is_main_process

from i2ibench.checkpoints import OpenedCheckpoint
from i2ibench.checksums import is_whole_picture
from i2ibench.datasets.picture_files import picture_size
from i2ibench.datasets.picture_samples import format_in
from i2ibench.evaluation.halves import in_halves
from i2ibench.evaluation.pictures import FolderPictures
from i2ibench.evaluation.scenes import ScoredScenes
from i2ibench.files import ending_for, read_json, write_picture, write_text
from i2ibench.ops.images import pixels_of
from i2ibench.preflight import one_scene_of_each_size, try_translation
from i2ibench.progress import Progress, say
from i2ibench.structures import size_of

NOTE = "store.json"


def fill_store(
    folder: Path,
    opened: OpenedCheckpoint,
    scenes: ScoredScenes,
    facts: dict[str, Any],
    batch_size: int = 1,
) -> FolderPictures:
    """Translate the scenes whose pictures are not there yet; gives all of them.

    Pictures that were made with other facts are removed first. Each process makes its share.

    Args:
        folder: where the pictures lie.
        opened: the checkpoint.
        scenes: what is translated.
        facts: what the pictures depend on; `encode_photo` and `samples` are read here.
        batch_size: scenes of equal size that are translated at once.

    Raises:
        UserError: the scenes do not suit the checkpoint.
    """
    for height, width in {
        size_of(scenes.sample(i)) for i in one_scene_of_each_size(scenes.dataset)
    }:
        try_translation(opened.inference, height, width)
    _claim(folder, facts)
    encoded = facts["encode_photo"]
    random = opened.inference.varies and not encoded
    count = facts["samples"] if random else 1
    made = format_in(opened.metainfo)
    ending = ending_for(made.channels)
    samples = [
        {name: folder / f"sample_{k}" / f"{name}{ending}" for name in scenes.names}
        for k in range(count)
    ]
    predict = partial(opened.inference.predict, encode_photo=encoded)
    _translate(predict, scenes, samples, batch_size)
    barrier()
    repeat = 1 if random else min(facts["samples"], 2)
    return FolderPictures(samples, repeat=repeat, made=made)


def _claim(folder: Path, facts: dict[str, Any]) -> None:
    """Empty the folder if its pictures were made with other facts; the sample count may grow."""
    if is_main_process():
        kept = {key: value for key, value in facts.items() if key != "samples"}
        note = folder / NOTE
        if folder.exists() and not (note.is_file() and _content(note) == kept):
            shutil.rmtree(folder)
        write_text(note, json.dumps(kept))
    barrier()


def _content(note: Path) -> Any:
    try:
        return read_json(note)
    except ValueError:
        return None


def _translate(
    predict: Any, scenes: ScoredScenes, samples: Sequence[dict[str, Path]], size: int
) -> None:
    """Write the pictures of the batches that are this process's share; each scene is read once.

    Which scenes share a batch, on which rounding depends, is the same for any number of processes
    and after an interruption.
    """
    if is_main_process():
        for path in _damaged(samples):
            say(f"{path} is damaged and is made anew.")
            path.unlink()
    barrier()
    todo = [batch for batch in _batches(scenes, size) if not _is_done(batch, scenes, samples)]
    barrier()  # nobody writes before everybody has seen what is missing
    share = todo[get_rank() :: get_world_size()]
    count = sum(len(batch) for batch in share)
    with Progress("translating", count, visible=is_main_process()) as progress:
        for batch in share:
            in_halves(partial(_translate_batch, predict, scenes, samples), batch)
            progress.advance(len(batch))


def _damaged(samples: Sequence[dict[str, Path]]) -> list[Path]:
    """The pictures that are there, but not as they were written."""
    there = [path for paths in samples for path in paths.values() if path.exists()]
    return [path for path in there if not is_whole_picture(path)]


def _batches(scenes: ScoredScenes, size: int) -> list[list[int]]:
    """Up to `size` neighbouring scenes of one size in each."""
    batches: list[list[int]] = []
    before = None
    for i, files in enumerate(scenes.dataset.scenes.files):
        own = picture_size(files.input)
        if own != before or len(batches[-1]) == size:
            batches.append([])
        batches[-1].append(i)
        before = own
    return batches


def _is_done(
    batch: Sequence[int], scenes: ScoredScenes, samples: Sequence[dict[str, Path]]
) -> bool:
    return all(paths[scenes.names[i]].exists() for paths in samples for i in batch)


def _translate_batch(
    predict: Any, scenes: ScoredScenes, samples: Sequence[dict[str, Path]], batch: Sequence[int]
) -> None:
    """Write what is missing of all samples."""
    data = scenes.batch(batch)
    for k, paths in enumerate(samples):
        if _is_done(batch, scenes, [paths]):
            continue
        for prediction in predict(data, sample=k):
            write_picture(paths[prediction["name"]], pixels_of(prediction["fake"]))
