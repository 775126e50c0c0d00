"""A `study.json` that `study create` did not write is refused before anything is served."""

import contextlib
import json

import pytest

from i2ibench.apps.study.define.study import NOTE, open_study
from i2ibench.errors import UserError
from i2ibench.io.file_integrity import add_checksum
from tests.damage import flipped
from tests.study_folder import write_study

FAULTS = {
    "a scene that climbs out": {"scenes": ["scene0", "../../x"]},
    "a scene that is no text": {"scenes": [3]},
    "a scene twice": {"scenes": ["scene0", "scene0"]},
    "no scenes": {"scenes": []},
    "scenes that are no list": {"scenes": "scene0"},
    "a method that there is not": {"reference": "../x"},
    "no secret": {"secret": None},
    "a size that is none": {"size": [64, -1]},
    "origins that are none": {"origins": "x"},
    "a definition that is none": {"definition": []},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_note_that_create_did_not_write_is_refused(fault, tmp_path):
    study = write_study(tmp_path / "study")
    content = {**study.as_dict(), **FAULTS[fault]}
    (tmp_path / "study" / NOTE).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"study\.json"):
        open_study(tmp_path / "study")


@pytest.mark.parametrize("text", ["[]", "3", "{", "[" * 100_000])
def test_a_note_that_is_no_object_is_refused(text, tmp_path):
    (tmp_path / NOTE).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"study\.json"):
        open_study(tmp_path)


def test_a_text_with_half_a_character_is_refused(tmp_path):
    study = write_study(tmp_path / "study")
    content = json.loads(json.dumps(study.as_dict()))
    content["definition"]["title"] = "x\ud800"
    (tmp_path / "study" / NOTE).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match="half a character"):
        open_study(tmp_path / "study")


def test_a_flipped_bit_in_a_study_or_an_image_of_it_is_refused(tmp_path):
    study = write_study(tmp_path / "study")
    note = tmp_path / "study" / NOTE
    content = json.dumps(add_checksum(study.as_dict()), indent=1).encode()
    for changed in flipped(content, times=120):
        note.write_bytes(changed)
        with contextlib.suppress(UserError):
            assert open_study(tmp_path / "study").as_dict() == study.as_dict()
    note.write_bytes(content)
    open_study(tmp_path / "study").require_images()
    image = study.image_path(*study.image_keys[3])
    for changed in flipped(image.read_bytes(), times=20):
        image.write_bytes(changed)
        with pytest.raises(UserError, match=rf"1 of \d+ pictures are damaged.*{image.name}"):
            study.require_images()
