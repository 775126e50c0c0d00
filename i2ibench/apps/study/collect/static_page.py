"""The study as one HTML file, for a lab without a server: it works from a disk, too.

The file holds the images, the plans of some participants, and the page's modules as data: URLs
in an import map. `?slot=3` in its address takes plan 3; else the participant types a number, or a
plan is drawn. Answers stay in the browser; at the end the participant saves them as a file that
`collected.read_collected` reads, and sees the completion code. Opened by Mechanical Turk (with
`assignmentId` and `turkSubmitTo` in the address) the page posts them there instead. A policy in
the page forbids it every other connection.

A fixed completion code of the study file stands in the page's source, where a curious participant
may find it early; without one, codes are made of each participant's random token.
"""

import base64
import json
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from i2ibench.apps.study.collect.answer_files import MAX_SLOT
from i2ibench.apps.study.collect.page import public_study
from i2ibench.apps.study.collect.session import page_trials
from i2ibench.apps.study.define.study import IMAGES, Study
from i2ibench.apps.web.serving import SHARED_FILES
from i2ibench.errors import UserError
from i2ibench.io.files import write_text

STATIC = Path(__file__).with_name("static")
ENTRY = "offline.js"
MAX_IMAGES = 500_000_000
"""Bytes of text that all images of a page may have; browsers and hosts fail with many more."""
_STYLE = '<link rel="stylesheet" href="static/study.css">'
_SCRIPT = '<script type="module" src="static/online.js"></script>'
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; "
    "img-src data:; form-action https://www.mturk.com https://workersandbox.mturk.com"
)
_IMPORT = re.compile(r'from "\./(\w+\.js)"')

Read = TypeVar("Read")


def export_page(study: Study, path: Path, slots: int) -> int:
    """Write the page; gives its size in bytes, most of which are images.

    Args:
        study: that was created.
        path: of the HTML file.
        slots: for how many participants plans are in it: those from 0 to slots - 1.

    Raises:
        UserError: no plans, or too many; an image is missing, or all are too large together.
    """
    if not 1 <= slots <= MAX_SLOT + 1:
        raise UserError(f"A page has plans for 1 to {MAX_SLOT + 1} participants, not {slots}.")
    plans = [page_trials(study, slot) for slot in range(slots)]
    shown = {trial[side] for plan in plans for trial in plan for side in ("left", "right")}
    _check_size(study, shown, slots)
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    style = (STATIC / "study.css").read_text(encoding="utf-8")
    for old, new in ((_STYLE, f"<style>\n{style}</style>"), (_SCRIPT, _scripts())):
        before, found, after = page.partition(old)
        assert found, old
        page = before + new + after
    completion = study.definition.completion
    data = {
        "study": public_study(study, offline=True),
        "hash": study.hash,
        "plans": plans,
        "code": completion.code,
        "url": completion.url,
    }
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    parts = [f'<script type="application/json" id="study-data">{text}</script>']
    parts += [_image(study, name) for name in sorted(shown)]
    page = page.replace("</body>", "\n".join([*parts, "</body>"]))
    write_text(path, page)
    return path.stat().st_size


def _scripts() -> str:
    """The policy, the import map of the modules, and the script that starts them."""
    imports: dict[str, str] = {}
    waiting = [ENTRY]
    while waiting:
        name = waiting.pop()
        own = STATIC / name
        file = own if own.exists() else SHARED_FILES / name
        source = file.read_text(encoding="utf-8")
        waiting += [found for found in _IMPORT.findall(source) if f"study/{found}" not in imports]
        text = _IMPORT.sub(r'from "study/\1"', source)  # relative names mean nothing in data: URLs
        content = base64.b64encode(text.encode()).decode()
        imports[f"study/{name}"] = f"data:text/javascript;base64,{content}"
    return (
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<script type="importmap">{json.dumps({"imports": imports})}</script>\n'
        f'<script type="module">import "study/{ENTRY}";</script>'
    )


def _check_size(study: Study, images: Collection[str], slots: int) -> None:
    """Refuse more images than a page can have, before they are read."""
    size = sum(4 * -(-_read(study, name, _length) // 3) for name in images)  # base64
    if size > MAX_IMAGES:
        raise UserError(
            f"A page for {slots} participants would have {len(images)} pictures of "
            f"{size / 1e6:.0f} MB; {MAX_IMAGES / 1e6:.0f} MB are the most. Take fewer --slots, "
            "or create the study with fewer scenes or with a smaller size=(width, height)."
        )


def _image(study: Study, name: str) -> str:
    content = base64.b64encode(_read(study, name, Path.read_bytes)).decode()
    return f'<script type="text/plain" id="picture-{name}">{content}</script>'


def _length(path: Path) -> int:
    return path.stat().st_size


def _read(study: Study, name: str, read: Callable[[Path], Read]) -> Read:
    """What is read of an image's file."""
    path = study.folder / IMAGES / f"{name}.png"
    try:
        return read(path)
    except OSError as error:
        raise UserError(f"The picture {path} cannot be read: {error.strerror}.") from None
