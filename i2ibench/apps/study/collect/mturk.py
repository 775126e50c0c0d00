"""Files for Mechanical Turk, and how the study fits Prolific.

Two ways on Mechanical Turk:

- The page inside of the task: host the page of `static_page.export_page` anywhere under https and
  create HITs with `question.xml` through the API. Every worker gets a plan at random; for a HIT of
  its own for every plan put the addresses of `hits.csv` into the file. Answers come in the results
  file, column `Answer.answers`, which `collected.read_collected` reads.
- A link: paste `layout.html` into a project of the requester's site and publish it with
  `hits.csv`. From a served study workers bring back the completion code, which `participants.csv`
  lists; from the page of `export_page` also their answers as text, in the column that
  `read_collected` reads.

On Prolific give the page's address as the study's link, and write the completion link into the
study file (`completion.url`). Prolific adds PROLIFIC_PID to addresses if it is asked to: do not ask
for it. The page reads only `slot`, `new`, `assignmentId` and `turkSubmitTo` from its address, and
takes all but the first two out of it at once; no recruiter's name of a participant is sent by the
page or stored by the server. Sources: ExternalQuestion,
https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_ExternalQuestionArticle.html
"""

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from xml.sax.saxutils import escape

from i2ibench.apps.study.collect.answer_files import MAX_SLOT
from i2ibench.apps.study.define.study import Study
from i2ibench.errors import UserError
from i2ibench.io.files import write_text
from i2ibench.io.spreadsheets import csv_text

SCHEMA = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/"
    "ExternalQuestion.xsd"
)
CONTROLS_HEIGHT = 300
"""CSS pixels around the images in the frame of a task: the 260 that the page asks for
(`static/screens.js`), and room for a scroll bar and what zooming rounds."""
LEAST_HEIGHT = 700
"""So that the texts need little scrolling."""

_QUESTION = """<?xml version="1.0" encoding="UTF-8"?>
<ExternalQuestion xmlns="{schema}">
  <ExternalURL>{url}</ExternalURL>
  <FrameHeight>{height}</FrameHeight>
</ExternalQuestion>
"""
_LAYOUT = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form answer-format="flatten-objects">
  <h1>{title}</h1>
  <p>Open the study in a new window on a computer, judge the pairs of pictures, and come back with
  the completion code that its last page shows. One sitting for each worker, please.</p>
  <p><a href="${{url}}" target="_blank" rel="noopener noreferrer">Open the study</a></p>
  <crowd-input name="completion_code" label="Completion code" required></crowd-input>
  <p>If the last page offers your answers as text to copy, paste that text here:</p>
  <crowd-text-area name="answers" label="Answers" rows="4"></crowd-text-area>
</crowd-form>
"""


def export_mturk(study: Study, folder: Path, url: str, slots: int) -> list[Path]:
    """The files that were written: hits.csv (slot, url), question.xml and layout.html.

    Args:
        study: that workers take part in.
        folder: for the files.
        url: of the page, under https.
        slots: how many rows hits.csv has; each names a plan, from 0 on.

    Raises:
        UserError: the address is none that Mechanical Turk shows, or there are no rows.
    """
    if urlsplit(url).scheme != "https" or not urlsplit(url).netloc:
        raise UserError(f"Mechanical Turk shows pages under https:// only, not {url!r}.")
    if not 1 <= slots <= MAX_SLOT + 1:
        raise UserError(f"There are 1 to {MAX_SLOT + 1} plans, not {slots}.")
    width, height = study.size
    shown = round((study.definition.width or width) * height / width)
    question = _QUESTION.format(
        schema=SCHEMA, url=escape(url), height=max(shown + CONTROLS_HEIGHT, LEAST_HEIGHT)
    )
    contents = {
        "hits.csv": _hits(url, slots),
        "question.xml": question,
        "layout.html": _LAYOUT.format(title=escape(study.definition.title)),
    }
    for name, text in contents.items():
        write_text(folder / name, text)
    return [folder / name for name in contents]


def _hits(url: str, slots: int) -> str:
    return csv_text(("slot", "url"), [(slot, _with_slot(url, slot)) for slot in range(slots)])


def _with_slot(url: str, slot: int) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "slot"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("slot", str(slot))])))
