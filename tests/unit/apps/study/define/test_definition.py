import json
from dataclasses import asdict
from itertools import combinations

import pytest

from i2ibench.apps.study.define.definition import PAPER_DURATIONS, load_definition, read_definition
from i2ibench.errors import UserError

METHODS = dict(ours=dict(images="a"), theirs=dict(images="b"), photos=dict(images="c"))


def read(**changes):
    return read_definition({"title": "Streets", "methods": METHODS, **changes}, "study.py")


def test_a_short_file_compares_every_two_methods_without_time_limit(tmp_path):
    path = tmp_path / "study.py"
    path.write_text(f"title = 'Streets'\n_folder = 'x'\nmethods = {METHODS!r}\n")
    definition = load_definition(path)
    assert definition.compared == tuple(combinations(METHODS, 2))
    assert definition.times == (None,)
    assert definition.exclusion.min_catch_correct == 0.75


def test_it_survives_json():
    definition = read(
        durations=list(PAPER_DURATIONS), pairs=[["ours", "theirs"]], size=[400, 200],
        regions=dict(classes=["car"]), exclusion=dict(min_response_ms=100),
        completion=dict(url="https://app.example/done?cc={code}"),
    )  # fmt: skip
    assert read_definition(json.loads(json.dumps(asdict(definition))), "x") == definition


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(duratoins=[1.0]), "no key 'duratoins'. Did you mean 'durations'?"),
        (dict(durations=[0.0]), "different seconds up to 60"),
        (dict(durations=[1.0, 1.0]), "different seconds up to 60"),
        (dict(durations=[float("nan")]), "must be finite"),
        (dict(per_pair=0), "'per_pair' must be at least 1, not 0"),
        (dict(per_pair=2.5), "'per_pair' must be int, not 2.5"),
        (dict(ties=1), "'ties' must be bool, not 1"),
        (dict(pairs=[["ours", "thiers"]]), "names no method 'thiers'. Did you mean 'theirs'?"),
        (dict(pairs=[["ours", "ours"]]), "two different methods"),
        (dict(pairs=[["ours", "theirs", "photos"]]), "two different methods"),
        (dict(pairs=[["ours", "theirs"], ["theirs", "ours"]]), "a pair twice"),
        (dict(pairs=["ours"]), "'pairs' must be a list, not 'ours'"),
        (dict(exclusion=dict(max_one_side=2)), "'max_one_side' must be a share from 0 to 1"),
        (dict(exclusion=dict(min_response_ms=-1)), "'min_response_ms' must be at least 0, not -1"),
        (dict(exclusion=dict(exposure_tolerance_ms=-0.5)), "'exposure_tolerance_ms' must be"),
        (dict(completion=dict(url="javascript:alert(1)")), "not 'javascript:alert(1)'"),
        (dict(completion=dict(url="//lab.example/{code}")), "such as https://lab.example/"),
        (dict(completion=dict(url="http://[x/{code}")), "not 'http://[x/{code}'"),
        (dict(title=" "), "'title' is empty"),
        (dict(exclusion=3), "exclusion must be a dict, not 3"),
        (dict(regions=dict(clases=["car"])), "Did you mean 'classes'?"),
        (dict(size=[400]), "a 'size' must be (width, height)"),
        (dict(scenes=dict(number=-3)), "'number' must be 0 for all, or more, not -3"),
        (dict(width=5000), "'width' must be at most 2000, not 5000"),
        (dict(texts=dict(question=" ")), "'question' is empty"),
        (dict(scenes=dict(number="all")), "scenes: 'number' must be int, not 'all'"),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(UserError) as caught:
        read(**changes)
    assert message in str(caught.value)
    assert "study.py" in str(caught.value)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (dict(ours=dict(images="a")), "two or more methods"),
        (dict(ours={}, theirs=dict(images="b")), "exactly one of checkpoint, images and photos"),
        (dict(ours=dict(images="a", photos=True), theirs=dict(images="b")), "exactly one of"),
        (dict(degraded=dict(images="a"), theirs=dict(images="b")), "'degraded' is reserved"),
        (dict(reference=dict(images="a"), theirs=dict(images="b")), "'reference' is reserved"),
    ],
)
def test_methods_have_one_source_and_a_name_of_their_own(methods, message):
    with pytest.raises(UserError) as caught:
        read_definition(dict(title="Streets", methods=methods), "study.py")
    assert message in str(caught.value)


def test_a_study_has_a_title_and_its_file_can_be_read(tmp_path):
    with pytest.raises(UserError, match="lacks 'title'"):
        read_definition(dict(methods=METHODS), "study.py")
    with pytest.raises(UserError, match="There is no study .*none.py.*--kind study"):
        load_definition(tmp_path / "none.py")
    (tmp_path / "broken.py").write_text("title = ")
    with pytest.raises(UserError, match="cannot be loaded"):
        load_definition(tmp_path / "broken.py")
