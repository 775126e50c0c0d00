import re

import pytest

from i2ibench.apps.study.collect import static_page
from i2ibench.apps.study.collect.session import page_trials
from i2ibench.apps.study.collect.static_page import STATIC, export_page
from i2ibench.errors import UserError
from tests.study_folder import shade_of, write_study


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "study")


def test_a_page_holds_every_module_and_only_the_images_of_its_plans(study, tmp_path):
    path = tmp_path / "page.html"
    size = export_page(study, path, 1)
    text = path.read_text()
    assert size == len(text.encode())
    assert 'src="' not in text and 'href="static' not in text
    shown = {trial[side] for trial in page_trials(study, 0) for side in ("left", "right")}
    assert text.count('id="picture-') == len(shown)
    for script in STATIC.glob("*.js"):
        assert (f'"study/{script.name}": "data:' in text) is (
            script.name not in ("online.js", "outbox.js")  # those talk to a server
        )


def test_pages_without_plans_or_images_are_refused(study, tmp_path):
    for slots in (0, 10_001):
        with pytest.raises(UserError, match="plans for 1 to 10000"):
            export_page(study, tmp_path / "page.html", slots)
    for path in (study.folder / "pictures").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        export_page(study, tmp_path / "page.html", 1)


def test_a_page_that_no_browser_opens_is_refused_before_it_is_written(study, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    export_page(study, path, 1)
    images = re.findall(r'id="picture-\w+">([^<]+)<', path.read_text())
    size = sum(map(len, images))
    path.unlink()
    monkeypatch.setattr(static_page, "MAX_IMAGES", size)
    export_page(study, path, 1)
    path.unlink()
    monkeypatch.setattr(static_page, "MAX_IMAGES", size - 1)
    with pytest.raises(UserError, match=f"{len(images)} pictures of .* fewer --slots.* size="):
        export_page(study, path, 1)
    assert not path.exists()


def test_practice_trials_alone_tell_the_better_side(study):
    for slot in range(8):
        for trial, shown in zip(study.plan(slot), page_trials(study, slot), strict=True):
            for side in ("left", "right"):
                path = study.folder / "pictures" / f"{shown[side]}.png"
                shades = {"pix2pix": 40, "crn": 90, "real": 140, "degraded": 190}
                assert shade_of(path) == shades[getattr(trial, side)]
            better = "left" if trial.left == "real" else "right"
            assert shown.get("better") == (better if trial.kind == "practice" else None)
