"""The store: a checkpoint's pictures on disk, made once and kept while nothing changes."""

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_rank, get_world_size, is_main_process

from i2ibench.checkpoints import OpenedCheckpoint
from i2ibench.datasets.picture_files import picture_size
from i2ibench.evaluation.pictures import FolderPictures
from i2ibench.evaluation.scenes import ScoredScenes
from i2ibench.files import write_picture, write_text
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
        try_translation(opened.translator, height, width)
    _claim(folder, facts)
    encoded = facts["encode_photo"]
    random = opened.translator.draws_styles and not encoded
    count = facts["samples"] if random else 1
    samples = [
        {name: folder / f"sample_{k}" / f"{name}.png" for name in scenes.names}
        for k in range(count)
    ]
    predict = partial(opened.translator.predict, encode_photo=encoded)
    _translate(predict, scenes, samples, batch_size)
    barrier()
    return FolderPictures(samples, repeat=1 if random else min(facts["samples"], 2))


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
        return json.loads(note.read_text())
    except ValueError:
        return None


def _translate(
    predict: Any, scenes: ScoredScenes, samples: Sequence[dict[str, Path]], size: int
) -> None:
    """Write the pictures of the scenes that are this process's share; each scene is read once."""
    names = enumerate(scenes.names)
    todo = [i for i, name in names if not all(paths[name].exists() for paths in samples)]
    share = todo[get_rank() :: get_world_size()]
    with Progress("translating", len(share), visible=is_main_process()) as progress:
        while share:
            chunk = _equal_sizes(scenes, share[:size])
            try:
                _translate_chunk(predict, scenes, chunk, samples)
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                size = max(size // 2, 1)
                torch.cuda.empty_cache()
                say(f"The device's memory is full: going on with {size} scenes at once.")
                continue
            share = share[len(chunk) :]
            progress.advance(len(chunk))


def _translate_chunk(
    predict: Any, scenes: ScoredScenes, chunk: Sequence[int], samples: Sequence[dict[str, Path]]
) -> None:
    """Write what is missing of all samples of a few scenes."""
    data = scenes.batch(chunk)
    for k, paths in enumerate(samples):
        if all(paths[scenes.names[i]].exists() for i in chunk):
            continue
        for prediction in predict(data, sample=k):
            pixels = prediction["fake"].permute(1, 2, 0).cpu().numpy()
            write_picture(paths[prediction["name"]], pixels)


def _equal_sizes(scenes: ScoredScenes, indices: Sequence[int]) -> list[int]:
    """The first scenes as far as they have the first one's size."""
    sizes = [picture_size(scenes.dataset.scenes.files[i].input) for i in indices]
    same = next((n for n, size in enumerate(sizes) if size != sizes[0]), len(sizes))
    return list(indices[:same])
