"""Files for a study on Mechanical Turk, and how to run a study on Prolific.

There are two ways on Mechanical Turk:

- The page inside the task: host the page of `static_page.export_page` anywhere under https, and
  create HITs with `question.xml` through the API. Every worker gets a random plan. For one HIT per
  plan, put the addresses of `hits.csv` into the file. The answers are in the results file, column
  `Answer.answers`, which `answer_files.read_collected` reads.
- A link: paste `layout.html` into a project of the requester's site, and publish it with
  `hits.csv`. From a served study, workers return the completion code, which `participants.csv`
  lists. From the page of `export_page`, they also return their answers as text, in the column that
  `read_collected` reads.

On Prolific, give the page's address as the study's link, and write the completion link into the
study file (`completion.url`). Prolific can add PROLIFIC_PID to addresses; do not enable this. The
page reads only `slot`, `new`, `assignmentId` and `turkSubmitTo` from its address, and removes all
but the first two at once. The page sends and the server stores no recruiter's name of a
participant. Source (ExternalQuestion):
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
(`static/screens.js`), and room for a scroll bar and for rounding by the zoom."""
LEAST_HEIGHT = 700
"""Least height of the frame in CSS pixels, so that the texts need little scrolling."""

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
  the completion code that its last page shows. One session for each worker, please.</p>
  <p><a href="${{url}}" target="_blank" rel="noopener noreferrer">Open the study</a></p>
  <crowd-input name="completion_code" label="Completion code" required></crowd-input>
  <p>If the last page offers your answers as text to copy, paste that text here:</p>
  <crowd-text-area name="answers" label="Answers" rows="4"></crowd-text-area>
</crowd-form>
"""


def export_mturk(study: Study, folder: Path, url: str, slots: int) -> list[Path]:
    """Write three files for Mechanical Turk into a folder; return their paths.

    `hits.csv` has a row for each plan: slot, url. `question.xml` is a task with the page inside,
    and `layout.html` a task with a link to the page.

    Args:
        study: the study that workers take part in.
        folder: folder of the files.
        url: the page's address, under https.
        slots: number of rows of hits.csv; the rows name the plans from 0 on.

    Raises:
        UserError: Mechanical Turk does not show pages with such an address, or `slots` is not
            from 1 to MAX_SLOT + 1.
    """
    if urlsplit(url).scheme != "https" or not urlsplit(url).netloc:
        raise UserError(f"Mechanical Turk shows pages under https:// only, not {url!r}.")
    if not 1 <= slots <= MAX_SLOT + 1:
        raise UserError(f"There are 1 to {MAX_SLOT + 1} plans, not {slots}.")
    width, height = study.size
    image_height = round((study.definition.width or width) * height / width)
    question = _QUESTION.format(
        schema=SCHEMA, url=escape(url), height=max(image_height + CONTROLS_HEIGHT, LEAST_HEIGHT)
    )
    contents = {
        "hits.csv": csv_text(("slot", "url"), [(n, _with_slot(url, n)) for n in range(slots)]),
        "question.xml": question,
        "layout.html": _LAYOUT.format(title=escape(study.definition.title)),
    }
    for name, text in contents.items():
        write_text(folder / name, text)
    return [folder / name for name in contents]


def _with_slot(url: str, slot: int) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "slot"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("slot", str(slot))])))
