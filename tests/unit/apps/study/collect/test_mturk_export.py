import csv
from xml.etree import ElementTree

import pytest

from i2ibench.apps.study.collect.mturk_export import SCHEMA, export_mturk
from i2ibench.errors import UserError
from tests.study_folder import write_study


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "study", title="Cars & <streets>")


def test_hits_name_plans_and_the_question_the_page(study, tmp_path):
    url = "https://lab.example/s/?a=1&slot=9"
    hits, question, layout = export_mturk(study, tmp_path / "mturk", url, 2)
    with hits.open() as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["slot", "url"],
        ["0", "https://lab.example/s/?a=1&slot=0"],
        ["1", "https://lab.example/s/?a=1&slot=1"],
    ]
    root = ElementTree.fromstring(question.read_text())
    assert root.tag == f"{{{SCHEMA}}}ExternalQuestion"
    assert root.find(f"{{{SCHEMA}}}ExternalURL").text == url
    assert int(root.find(f"{{{SCHEMA}}}FrameHeight").text) >= 332
    text = layout.read_text()
    assert 'href="${url}"' in text and "Cars &amp; &lt;streets&gt;" in text


def test_what_mechanical_turk_does_not_show_is_refused(study, tmp_path):
    for url in ("http://lab.example/", "file:///page.html", "lab.example"):
        with pytest.raises(UserError, match="https:// only"):
            export_mturk(study, tmp_path, url, 2)
    with pytest.raises(UserError, match="not 0"):
        export_mturk(study, tmp_path, "https://lab.example/", 0)
